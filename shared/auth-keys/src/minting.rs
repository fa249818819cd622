//! What mints tokens: the keys that the environment gives, or those whose turn it is by the table.

use std::sync::Arc;
use std::time::Duration;

use auth_core::client::Client;
use auth_core::config::{ConfigError, Variables};
use auth_core::id::TokenId;
use auth_core::issuer::{AccessToken, Issuer};
use auth_core::jwt::one_time::Purpose;
use auth_core::jwt::{MintError, Signer};
use auth_core::scope::Scope;
use auth_core::session::Session;
use auth_core::time::{Clock, UnixTime};
use auth_core::user::User;
use auth_dynamodb::store::{CALL_TIMEOUT, Store};
use auth_watch::key_watch::NoKeys;

use crate::kms::{KmsError, SIGN_TIMEOUT};
use crate::place::{KeyKind, Place};
use crate::refresh::HeldRefreshKeys;
use crate::signer::KeySigner;
use crate::turns::Turns;
use crate::vault::{VAULT_TIMEOUT, Vault};

/// How long [`MintingKeys::ready`] takes at most: a call of the table, and one of the vault.
pub const READY_TIMEOUT: Duration = CALL_TIMEOUT.saturating_add(VAULT_TIMEOUT);

/// How long [`MintingKeys::mint`] takes after that: a call of KMS, if the key is there.
pub const MINT_TIMEOUT: Duration = SIGN_TIMEOUT;

/// The keys of a function that mints.
#[derive(Debug)]
pub struct MintingKeys {
    refresh: HeldRefreshKeys,
    signing: Signing,
}

#[derive(Debug)]
enum Signing {
    Fixed(Arc<KeySigner>),
    Unbound(Place),
    Turns(Box<Turns>),
}

/// No token was minted. A fault of ours, unless the token would be too long.
#[derive(Debug, thiserror::Error)]
pub enum MintFault {
    /// Nothing signs at this moment.
    #[error(transparent)]
    NoKeys(#[from] NoKeys),
    /// Something does, but not this.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// KMS does not.
    #[error(transparent)]
    Kms(#[from] KmsError),
}

impl MintFault {
    /// What to say of a token that would be too long: less scope would do, if the scope is what is big. `None` for a fault.
    pub fn too_long(&self) -> Option<String> {
        matches!(self, Self::Mint(MintError::TooLong { .. })).then(|| self.to_string())
    }
}

impl MintingKeys {
    /// `SIGNING_KEY` and `REFRESH_KEYS`, or `KEY_SECRET` and `REFRESH_KEY_SECRET`, or `KEY_FILE`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variables.
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let refresh = HeldRefreshKeys::from_variables(variables)?;
        Ok(Self { refresh, signing: Signing::from_variables(variables)? })
    }

    /// The same, with the turns of this table, if the keys are not fixed. The vaults are read; the table, if it answers.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Unusable`] naming the variable.
    pub async fn bind(self, store: &Store, clock: &Arc<dyn Clock>) -> Result<Self, ConfigError> {
        // Boxed: two futures of the SDK side by side are some twenty kilobytes.
        let signing = Box::pin(self.signing.bind(store, clock));
        let (refresh, signing) = tokio::try_join!(self.refresh.bind(clock), signing)?;
        Ok(Self { refresh, signing })
    }

    /// What makes and recognises refresh tokens.
    pub const fn refresh(&self) -> &HeldRefreshKeys {
        &self.refresh
    }

    /// Brings the keys up to date, within [`READY_TIMEOUT`]: to be called beside other calls of a request, so that
    /// [`Self::mint`] makes none of the table and the vault.
    ///
    /// # Errors
    ///
    /// [`NoKeys`]: nothing signs at this moment.
    pub async fn ready(&self, now: UnixTime) -> Result<(), NoKeys> {
        self.signer(now).await.map(drop)
    }

    async fn signer(&self, now: UnixTime) -> Result<Arc<KeySigner>, NoKeys> {
        match &self.signing {
            Signing::Fixed(signer) => Ok(Arc::clone(signer)),
            Signing::Unbound(_) => Err(NoKeys),
            Signing::Turns(turns) => turns.signer(now).await,
        }
    }

    /// Mints an access token with the key whose turn it is, within [`MINT_TIMEOUT`].
    ///
    /// # Errors
    ///
    /// [`MintFault`].
    pub async fn mint(
        &self,
        issuer: &Issuer,
        user: &User,
        session: &Session,
        scope: &Scope,
        jti: TokenId,
        now: UnixTime,
    ) -> Result<AccessToken, MintFault> {
        let signer = self.signer(now).await?;
        let (draft, expires_in) = issuer.draft(signer.header(), user, session, scope, jti, now)?;
        Ok(AccessToken { text: signer.sign(draft).await?, expires_in })
    }

    /// Mints a one-time token, likewise: [`Issuer::mint_one_time`].
    ///
    /// # Errors
    ///
    /// [`MintFault`].
    pub async fn mint_one_time(
        &self,
        issuer: &Issuer,
        purpose: &Purpose,
        sub: &str,
        life: Duration,
        jti: TokenId,
        now: UnixTime,
    ) -> Result<String, MintFault> {
        let signer = self.signer(now).await?;
        signer.sign(issuer.draft_one_time(&signer.one_time_header(), purpose, sub, life, jti, now)?).await
    }

    /// Mints a client's own access token, likewise.
    ///
    /// # Errors
    ///
    /// [`MintFault`].
    pub async fn mint_for_client(
        &self,
        issuer: &Issuer,
        client: &Client,
        scope: &Scope,
        jti: TokenId,
        now: UnixTime,
    ) -> Result<AccessToken, MintFault> {
        let signer = self.signer(now).await?;
        let (draft, expires_in) = issuer.draft_for_client(signer.header(), client, scope, jti, now)?;
        Ok(AccessToken { text: signer.sign(draft).await?, expires_in })
    }
}

impl Signing {
    fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        if !Place::is_named(KeyKind::Signing, variables) {
            let signer = Signer::new(variables.signing_key()?);
            return Ok(Self::Fixed(Arc::new(KeySigner::Held(signer))));
        }
        if variables.optional("SIGNING_KEY").is_some() {
            return Err(ConfigError::Contradiction("SIGNING_KEY is in the secret: set one of them".to_owned()));
        }
        Place::from_variables(KeyKind::Signing, variables).map(Self::Unbound)
    }

    async fn bind(self, store: &Store, clock: &Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let Self::Unbound(place) = self else { return Ok(self) };
        let turns = Turns::begin(Vault::at(&place).await, store, clock).await;
        turns.map(|turns| Self::Turns(Box::new(turns))).map_err(|error| place.unusable(error))
    }
}

#[cfg(test)]
mod tests {
    use auth_core::policy::REQUEST_LIFE;

    use super::*;

    /// By the calls of `refresh` and `login` that come one after the other.
    #[test]
    fn a_request_that_brings_the_keys_up_to_date_ends_within_its_life() {
        let ready = |beside: u32| READY_TIMEOUT.max(CALL_TIMEOUT * beside);
        // A refresh token whose key is looked up; three writes of a rotation; a session that is looked at once more.
        let refresh = VAULT_TIMEOUT + ready(3) + CALL_TIMEOUT + MINT_TIMEOUT;
        let login = ready(2) + CALL_TIMEOUT * 2 + MINT_TIMEOUT; // two counts; the user, the session; room if there is time
        assert!(refresh.max(login) <= REQUEST_LIFE, "{refresh:?}, {login:?}");
    }
}
