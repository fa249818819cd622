//! What mints tokens: the keys that the environment gives, or those whose turn it is by the table.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use auth_core::config::{ConfigError, Variables};
use auth_core::id::TokenId;
use auth_core::issuer::{AccessToken, Issuer};
use auth_core::jwt::{MintError, Signer};
use auth_core::key_ring::{KeyRing, RING_MAX_AGE, RingKey};
use auth_core::refresh_token::RefreshKeys;
use auth_core::scope::Scope;
use auth_core::session::Session;
use auth_core::time::{Clock, Moment, UnixTime};
use auth_core::user::User;
use auth_dynamodb::key_watch::ring_watch;
use auth_dynamodb::store::Store;
use auth_watch::key_watch::{KeyWatch, NoKeys};
use auth_watch::pace::RETRY;
use tokio::sync::Mutex;

use crate::place::Place;
use crate::refresh::HeldRefreshKeys;
use crate::vault::{Vault, VaultError};

/// So old may a copy of the ring be that is signed by, if the table answers: so soon does a killed key sign no more.
const SOFT: Duration = Duration::from_secs(15);

/// The keys of a function that mints.
#[derive(Debug)]
pub struct MintingKeys {
    refresh: HeldRefreshKeys,
    signing: Signing,
}

#[derive(Debug)]
enum Signing {
    Fixed(Box<Signer>),
    Unbound(Place),
    Turns(Box<Turns>),
}

/// No token was minted. A fault of ours.
#[derive(Debug, thiserror::Error)]
pub enum MintFault {
    /// Nothing signs at this moment.
    #[error(transparent)]
    NoKeys(#[from] NoKeys),
    /// Something does, but not this.
    #[error(transparent)]
    Mint(#[from] MintError),
}

impl MintingKeys {
    /// `SIGNING_KEY` and `REFRESH_KEYS`, or `KEY_SECRET` or `KEY_FILE`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variables.
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let refresh = HeldRefreshKeys::from_variables(variables)?;
        let signing = match &refresh {
            HeldRefreshKeys::Ready(_) => Signing::Fixed(Box::new(Signer::new(variables.signing_key()?))),
            HeldRefreshKeys::Unread(place) => Signing::Unbound(place.clone()),
        };
        if matches!(signing, Signing::Unbound(_)) && variables.optional("SIGNING_KEY").is_some() {
            return Err(ConfigError::Contradiction("SIGNING_KEY is in the secret: set one of them".to_owned()));
        }
        Ok(Self { refresh, signing })
    }

    /// The same, with the turns of this table, if the keys are not fixed. The vault is read; the table, if it answers.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Unusable`] naming the variable.
    pub async fn bind(self, store: &Store, clock: &Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let Signing::Unbound(place) = self.signing else { return Ok(self) };
        let turns = Turns::new(Vault::at(&place).await, store, clock);
        let held = turns.vault.read().await.map_err(|error| place.unusable(error))?;
        let refresh = held.material.refresh_keys().map_err(|error| place.unusable(error))?;
        // Who cannot read the table now tries again with the first token.
        let _ = turns.signer(clock.now()).await;
        let refresh = HeldRefreshKeys::Ready(Box::new(refresh));
        Ok(Self { refresh, signing: Signing::Turns(Box::new(turns)) })
    }

    /// What makes and recognises refresh tokens.
    ///
    /// # Errors
    ///
    /// [`NoKeys`] before [`Self::bind`].
    pub fn refresh_keys(&self) -> Result<&RefreshKeys, NoKeys> {
        self.refresh.keys()
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
        match &self.signing {
            Signing::Fixed(signer) => Ok(issuer.mint(signer, user, session, scope, jti, now)?),
            Signing::Unbound(_) => Err(NoKeys.into()),
            Signing::Turns(turns) => {
                let signer = turns.signer(now).await?;
                Ok(issuer.mint(&signer, user, session, scope, jti, now)?)
            }
        }
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
        if let Err(error) = self.fetch(wanted.into_iter().flatten().map(RingKey::kid)).await {
            tracing::warn!(event = "private_keys_unreadable", %error);
        }
    }

    async fn fetch<'a>(&self, kids: impl Iterator<Item = &'a str>) -> Result<(), VaultError> {
        let material = self.vault.read().await?.material;
        let mut signers = BTreeMap::new();
        for kid in kids {
            match material.signer(kid) {
                Ok(signer) => drop(signers.insert(kid.to_owned(), Arc::new(signer))),
                Err(error) => tracing::error!(event = "private_key_missing", %error),
            }
        }
        self.held.write().unwrap_or_else(PoisonError::into_inner).extend(signers);
        Ok(())
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Turns").field("vault", &self.vault).finish_non_exhaustive()
    }
}
