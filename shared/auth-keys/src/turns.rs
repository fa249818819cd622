//! Keys that take turns, as the table says.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use auth_core::key_ring::{Custody, KeyRing, RING_MAX_AGE, RingKey};
use auth_core::time::{Clock, Moment, UnixTime};
use auth_dynamodb::key_watch::ring_watch;
use auth_dynamodb::store::Store;
use auth_watch::key_watch::{KeyWatch, NoKeys};
use auth_watch::pace::RETRY;
use tokio::sync::{Mutex, OnceCell};

use crate::kms::Kms;
use crate::material::{Material, MaterialError};
use crate::signer::{KeySigner, KmsSigner};
use crate::vault::{Vault, VaultError};

/// So old may a copy of the ring be that is signed by, if the table answers: so soon does a killed key sign no more.
const SOFT: Duration = Duration::from_secs(15);

/// Keys that take turns.
pub(crate) struct Turns {
    ring: KeyWatch<KeyRing>,
    vault: Vault,
    /// Asked only for keys that are there.
    kms: OnceCell<Kms>,
    clock: Arc<dyn Clock>,
    held: RwLock<BTreeMap<String, Arc<KeySigner>>>,
    /// When the vault was last asked. Whoever has this lock asks it.
    asked: Mutex<Option<Moment>>,
}

impl Turns {
    /// Reads the vault, and the table if it answers: who cannot read it now tries again with the first token.
    ///
    /// # Errors
    ///
    /// [`VaultError`].
    pub(crate) async fn begin(vault: Vault, store: &Store, clock: &Arc<dyn Clock>) -> Result<Self, VaultError> {
        let ring = ring_watch(store.clone(), Arc::clone(clock), SOFT, |ring, _| Ok(ring));
        let (kms, held, asked) = (OnceCell::new(), RwLock::default(), Mutex::default());
        let turns = Self { ring, vault, kms, clock: Arc::clone(clock), held, asked };
        let (material, ring) = tokio::join!(turns.vault.read(), turns.ring.fresh());
        turns.hold(&material?.material);
        if let Ok(ring) = ring {
            turns.find_in_kms(&wanted(&ring, clock.now())).await;
        }
        Ok(turns)
    }

    /// What signs at `now`. A key whose private half is not in the vault yet is waited for: until then the one before it signs
    /// on, for as long as a copy of the ring may be behind. One in KMS is taken for there.
    ///
    /// # Errors
    ///
    /// [`NoKeys`].
    pub(crate) async fn signer(&self, now: UnixTime) -> Result<Arc<KeySigner>, NoKeys> {
        let ring = self.ring.fresh().await?;
        self.fetch_missing(&wanted(&ring, now)).await;
        let turns = [ring.signer(now), ring.signer(now.before(RING_MAX_AGE))];
        turns.into_iter().flatten().find_map(|key| self.held(key.kid())).ok_or(NoKeys)
    }

    fn held(&self, kid: &str) -> Option<Arc<KeySigner>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).get(kid).cloned()
    }

    /// Reads the vault if it has a key that is wanted and not in memory.
    async fn fetch_missing(&self, wanted: &[&RingKey]) {
        self.find_in_kms(wanted).await;
        let is_missing = || wanted.iter().any(|key| self.held(key.kid()).is_none());
        if !is_missing() {
            return;
        }
        let mut asked = self.asked.lock().await;
        let moment = self.clock.moment();
        if !is_missing() || asked.is_some_and(|asked| moment.since(asked) < RETRY) {
            return;
        }
        *asked = Some(moment);
        match self.vault.read_in_time().await {
            Ok(held) => self.hold(&held.material),
            Err(error) => return tracing::warn!(event = "private_keys_unreadable", %error),
        }
        for key in wanted.iter().filter(|key| self.held(key.kid()).is_none()) {
            let error = MaterialError::NoSigningKey(key.kid().to_owned());
            tracing::error!(event = "private_key_missing", %error);
        }
    }

    /// Keeps all that signs in memory, whether its turn is near or not.
    fn hold(&self, material: &Material) {
        let signers = material.signers().map(|signer| (signer.key().kid().to_owned(), KeySigner::Held(signer)));
        self.keep(signers);
    }

    /// What is in KMS is there for whoever may use it.
    async fn find_in_kms(&self, wanted: &[&RingKey]) {
        let is_new = |key: &&&RingKey| matches!(key.custody, Custody::Kms(_)) && self.held(key.kid()).is_none();
        for key in wanted.iter().filter(is_new) {
            let kms = Box::pin(self.kms.get_or_init(Kms::to_sign)).await;
            self.keep(KmsSigner::of(key, kms).map(|signer| (key.kid().to_owned(), KeySigner::Kms(signer))));
        }
    }

    fn keep(&self, signers: impl IntoIterator<Item = (String, KeySigner)>) {
        let signers = signers.into_iter().map(|(kid, signer)| (kid, Arc::new(signer)));
        self.held.write().unwrap_or_else(PoisonError::into_inner).extend(signers);
    }
}

/// What signs, or will.
fn wanted(ring: &KeyRing, now: UnixTime) -> Vec<&RingKey> {
    [ring.signer(now), ring.next(now)].into_iter().flatten().collect()
}

impl fmt::Debug for Turns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Turns").field("vault", &self.vault).finish_non_exhaustive()
    }
}
