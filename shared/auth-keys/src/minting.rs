//! What mints tokens: the keys that the environment gives, or those whose turn it is by the table.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use auth_core::client::Client;
use auth_core::config::{ConfigError, Variables};
use auth_core::id::TokenId;
use auth_core::issuer::{AccessToken, Issuer};
use auth_core::jwt::one_time::Purpose;
use auth_core::jwt::{MintError, Signer};
use auth_core::key_ring::{KeyRing, RING_MAX_AGE};
use auth_core::scope::Scope;
use auth_core::session::Session;
use auth_core::time::{Clock, Moment, UnixTime};
use auth_core::user::User;
use auth_dynamodb::key_watch::ring_watch;
use auth_dynamodb::store::{CALL_TIMEOUT, Store};
use auth_watch::key_watch::{KeyWatch, NoKeys};
use auth_watch::pace::RETRY;
use tokio::sync::Mutex;

use crate::material::{Material, MaterialError};
use crate::place::{KeyKind, Place};
use crate::refresh::{HeldRefreshKeys, VAULT_TIMEOUT};
use crate::vault::{Vault, VaultError};

/// So old may a copy of the ring be that is signed by, if the table answers: so soon does a killed key sign no more.
const SOFT: Duration = Duration::from_secs(15);

/// How long [`MintingKeys::ready`] takes at most: a call of the table, and one of the vault.
pub const READY_TIMEOUT: Duration = CALL_TIMEOUT.saturating_add(VAULT_TIMEOUT);

/// The keys of a function that mints.
#[derive(Debug)]
pub struct MintingKeys {
    refresh: HeldRefreshKeys,
    signing: Signing,
}

#[derive(Debug)]
enum Signing {
    Fixed(Arc<Signer>),
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
    /// [`Self::mint`] makes none.
    ///
    /// # Errors
    ///
    /// [`NoKeys`]: nothing signs at this moment.
    pub async fn ready(&self, now: UnixTime) -> Result<(), NoKeys> {
        self.signer(now).await.map(drop)
    }

    async fn signer(&self, now: UnixTime) -> Result<Arc<Signer>, NoKeys> {
        match &self.signing {
            Signing::Fixed(signer) => Ok(Arc::clone(signer)),
            Signing::Unbound(_) => Err(NoKeys),
            Signing::Turns(turns) => turns.signer(now).await,
        }
    }

    /// Mints an access token with the key whose turn it is.
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
        Ok(issuer.mint(&*self.signer(now).await?, user, session, scope, jti, now)?)
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
        Ok(issuer.mint_one_time(&*self.signer(now).await?, purpose, sub, life, jti, now)?)
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
        Ok(issuer.mint_for_client(&*self.signer(now).await?, client, scope, jti, now)?)
    }
}

impl Signing {
    fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        if !Place::is_named(KeyKind::Signing, variables) {
            return Ok(Self::Fixed(Arc::new(Signer::new(variables.signing_key()?))));
        }
        if variables.optional("SIGNING_KEY").is_some() {
            return Err(ConfigError::Contradiction("SIGNING_KEY is in the secret: set one of them".to_owned()));
        }
        Place::from_variables(KeyKind::Signing, variables).map(Self::Unbound)
    }

    async fn bind(self, store: &Store, clock: &Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let Self::Unbound(place) = self else { return Ok(self) };
        let turns = Turns::new(Vault::at(&place).await, store, clock);
        // Who cannot read the table now tries again with the first token.
        let (held, _) = tokio::join!(turns.vault.read(), turns.ring.fresh());
        turns.hold(&held.map_err(|error| place.unusable(error))?.material);
        Ok(Self::Turns(Box::new(turns)))
    }
}

/// Keys that take turns.
struct Turns {
    ring: KeyWatch<KeyRing>,
    vault: Vault,
    clock: Arc<dyn Clock>,
    held: RwLock<BTreeMap<String, Arc<Signer>>>,
    /// When the vault was last asked. Whoever has this lock asks it.
    asked: Mutex<Option<Moment>>,
}

impl Turns {
    fn new(vault: Vault, store: &Store, clock: &Arc<dyn Clock>) -> Self {
        let ring = ring_watch(store.clone(), Arc::clone(clock), SOFT, |ring, _| Ok(ring));
        Self { ring, vault, clock: Arc::clone(clock), held: RwLock::default(), asked: Mutex::default() }
    }

    /// What signs at `now`. A key whose private half is not to be had yet is waited for: until then the one before it signs
    /// on, for as long as a copy of the ring may be behind.
    async fn signer(&self, now: UnixTime) -> Result<Arc<Signer>, NoKeys> {
        let ring = self.ring.fresh().await?;
        self.fetch_missing(&ring, now).await;
        let turns = [ring.signer(now), ring.signer(now.before(RING_MAX_AGE))];
        turns.into_iter().flatten().find_map(|key| self.held(key.kid())).ok_or(NoKeys)
    }

    fn held(&self, kid: &str) -> Option<Arc<Signer>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).get(kid).cloned()
    }

    /// Reads the vault if it has a key that signs, or will, and is not in memory.
    async fn fetch_missing(&self, ring: &KeyRing, now: UnixTime) {
        let wanted = [ring.signer(now), ring.next(now)];
        let is_missing = || wanted.into_iter().flatten().any(|key| self.held(key.kid()).is_none());
        if !is_missing() {
            return;
        }
        let mut asked = self.asked.lock().await;
        let moment = self.clock.moment();
        if !is_missing() || asked.is_some_and(|asked| moment.since(asked) < RETRY) {
            return;
        }
        *asked = Some(moment);
        let held = tokio::time::timeout(VAULT_TIMEOUT, self.vault.read()).await;
        let late = VaultError::Unavailable { operation: "read", reason: "timed out".to_owned() };
        match held.unwrap_or(Err(late)) {
            Ok(held) => self.hold(&held.material),
            Err(error) => return tracing::warn!(event = "private_keys_unreadable", %error),
        }
        for key in wanted.into_iter().flatten().filter(|key| self.held(key.kid()).is_none()) {
            let error = MaterialError::NoSigningKey(key.kid().to_owned());
            tracing::error!(event = "private_key_missing", %error);
        }
    }

    /// Keeps all that signs in memory, whether its turn is near or not.
    fn hold(&self, material: &Material) {
        let signers = material.signers().map(|signer| (signer.key().kid().to_owned(), Arc::new(signer)));
        self.held.write().unwrap_or_else(PoisonError::into_inner).extend(signers);
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Turns").field("vault", &self.vault).finish_non_exhaustive()
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
        let refresh = VAULT_TIMEOUT + ready(3) + CALL_TIMEOUT;
        let login = ready(2) + CALL_TIMEOUT * 3; // two counts; the user, the session, room for it
        assert!(refresh.max(login) <= REQUEST_LIFE, "{refresh:?}, {login:?}");
    }
}
