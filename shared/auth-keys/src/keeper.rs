//! What makes keys, lets them take turns, and kills them.
//!
//! A private half is written before its public half is listed, and removed after that is forgotten: what is listed can always
//! sign. Every place changes only from the state that was read, so of two runs at once one makes the key and the other finds it.
//! Nothing is made or moved in a place that is not the ring's.

use auth_core::config::{ConfigError, Variables};
use auth_core::entropy::{Entropy, NoEntropy};
use auth_core::generate::{self, GenerateError};
use auth_core::key::KeyError;
use auth_core::key_ring::kill::Successor;
use auth_core::key_ring::{CustodyKind, KeyRing, RingKey, RotationPolicy, Upkeep};
use auth_core::time::{Clock, UnixTime};
use auth_dynamodb::error::StoreError;
use auth_dynamodb::key_ring::{RingChange, RingChanged};
use auth_dynamodb::store::Store;

use crate::custodian::{Custodian, KmsKeys, Made, VaultKeys};
use crate::kms::KmsError;
use crate::material::MaterialError;
use crate::place::{KeyKind, Place};
use crate::vault::{Vault, VaultError, Written};

/// So often a change is tried that others forestall.
const ATTEMPTS: usize = 5;

/// More is never to be done at a time.
const MOST_STEPS: usize = 20;

/// Keeps the keys of a table and of its vaults.
#[derive(Debug)]
pub struct Keeper {
    store: Store,
    vault: VaultKeys,
    kms: KmsKeys,
    /// Without it, the keys of refresh tokens are somebody else's business.
    refresh: Option<Vault>,
    policy: RotationPolicy,
}

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// There were no keys of refresh tokens.
    RefreshKeysMade,
    /// A key is published.
    Made {
        /// Its name.
        kid: String,
        /// From when on it signs.
        signs_from: UnixTime,
    },
    /// What nobody asks about any more is gone.
    Forgotten {
        /// Its name.
        kid: String,
    },
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The table.
    #[error("the table: {0}")]
    Store(#[from] StoreError),
    /// The vault.
    #[error("the private keys: {0}")]
    Vault(#[from] VaultError),
    /// KMS.
    #[error(transparent)]
    Kms(#[from] KmsError),
    /// A new key.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// A new key that is none.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Others change the same again and again.
    #[error("somebody else is changing the keys: try again")]
    Busy,
    /// There is no such key.
    #[error("there is no key {0}")]
    NoKey(String),
    /// The custodian lacks a private half that it would have if it were the ring's.
    #[error(
        "the private half of {0} is not where the table says: do KEY_SECRET, or the region of KMS, and the table belong together? \
         If it is lost, kill that key"
    )]
    NotHeld(String),
}

impl From<MaterialError> for KeepError {
    fn from(error: MaterialError) -> Self {
        Self::Vault(error.into())
    }
}

impl From<NoEntropy> for KeepError {
    fn from(error: NoEntropy) -> Self {
        Self::Generate(error.into())
    }
}

impl Keeper {
    /// A keeper of the keys of `store`, with the vaults that `KEY_SECRET` and `REFRESH_KEY_SECRET` name, or `KEY_FILE`; for
    /// `KEY_CUSTODY`, `SIGNING_ALGORITHM` and `ROTATION_DAYS`. KMS is found as the SDK's variables say (`AWS_REGION`,
    /// `AWS_ENDPOINT_URL_KMS` …), and asked if a key is there, or is to be.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub async fn from_variables(variables: &Variables<'_>, store: Store) -> Result<Self, ConfigError> {
        let place = Place::from_variables(KeyKind::Refresh, variables)?;
        let keeper = Self::of_signing_keys(variables, store).await?;
        Ok(Self { refresh: Some(Vault::at(&place).await), ..keeper })
    }

    /// The same for the keys of access tokens alone, which takes no `REFRESH_KEY_SECRET`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub async fn of_signing_keys(variables: &Variables<'_>, store: Store) -> Result<Self, ConfigError> {
        let place = Place::from_variables(KeyKind::Signing, variables)?;
        let policy = variables.rotation_policy()?;
        let (vault, kms) = (VaultKeys(Vault::at(&place).await), KmsKeys::of(store.table().to_owned()));
        Ok(Self { store, vault, kms, refresh: None, policy })
    }

    /// Does all that is to be done: to be called once a day, and as often as one likes.
    ///
    /// # Errors
    ///
    /// [`KeepError`]; what was done before stays, and the next call goes on. [`KeepError::Busy`], too, if that is not all.
    pub async fn keep(&self, entropy: &dyn Entropy, now: UnixTime) -> Result<Vec<Deed>, KeepError> {
        let mut deeds = Vec::new();
        if let Some(vault) = &self.refresh
            && make_refresh_keys(vault, entropy).await?
        {
            deeds.push(Deed::RefreshKeysMade);
        }
        for _ in 0..MOST_STEPS {
            let ring = self.store.key_ring().await?;
            let done = match ring.upkeep(self.policy, now) {
                None => return Ok(deeds),
                Some(Upkeep::Make { signs_from }) => self.make(&ring, signs_from, entropy, now).await?,
                Some(Upkeep::Forget { kid }) => self.forget(&ring, kid, now).await?,
            };
            deeds.extend(done);
        }
        Err(KeepError::Busy)
    }

    /// Lets the next key sign as soon as everybody knows it, and says when that is. The one after it is for [`Self::keep`] to make.
    ///
    /// # Errors
    ///
    /// [`KeepError`].
    pub async fn rotate(&self, entropy: &dyn Entropy, now: UnixTime) -> Result<(String, UnixTime), KeepError> {
        self.keep(entropy, now).await?;
        for _ in 0..ATTEMPTS {
            let ring = self.store.key_ring().await?;
            let (Some(next), Some(turn)) = (ring.next(now), ring.earliest_turn(now)) else {
                return Err(KeepError::Busy); // `keep` has made one
            };
            self.check_signer(&ring, now).await?;
            self.check_held(next).await?;
            let mut early = next.clone();
            early.signs_from = turn;
            if self.store.change_ring(&ring, &[put(&early)]).await? == RingChanged::Done {
                return Ok((next.kid().to_owned(), turn));
            }
        }
        Err(KeepError::Busy)
    }

    /// Kills a key: nothing that it signed is believed any more, and the next one's turn has come if it was the signer. If there
    /// is no next one, one is made and signs at once; but not where none of the ring's keys is, and the kill is done without.
    ///
    /// # Errors
    ///
    /// [`KeepError`].
    pub async fn kill(&self, kid: &str, entropy: &dyn Entropy, clock: &dyn Clock) -> Result<Successor, KeepError> {
        for _ in 0..ATTEMPTS {
            let ring = self.store.key_ring().await?;
            let key = ring.find(kid).ok_or_else(|| KeepError::NoKey(kid.to_owned()))?;
            let mut spare = None;
            if ring.lacks_successor(kid, clock.now()) {
                match self.spare(&ring, entropy, clock.now()).await {
                    Ok(None) => continue,
                    // Whatever becomes of the next key: this one shall be dead.
                    made => spare = made.ok().flatten(),
                }
            }
            // Not before: readers of the journal look for an entry around its stamp.
            let at = clock.now();
            let next = spare.as_ref().map(|made| made.listed(at, ring.takeover(at))).transpose()?;
            let kill = ring.kill(key, next.clone(), at);
            let changes: Vec<RingChange> = kill.changed.iter().map(put).collect();
            if self.store.kill_in_ring(&ring, &changes, kid, at).await? == RingChanged::Done {
                return Ok(kill.successor);
            }
            if let Some(key) = &next {
                self.take_back(key).await?;
            }
        }
        Err(KeepError::Busy)
    }

    /// All keys.
    ///
    /// # Errors
    ///
    /// [`KeepError::Store`].
    pub async fn ring(&self) -> Result<KeyRing, KeepError> {
        Ok(self.store.key_ring().await?)
    }

    /// A private half for a ring without a next key; not where none of the ring's is. `None` if somebody else is at it.
    async fn spare(&self, ring: &KeyRing, entropy: &dyn Entropy, now: UnixTime) -> Result<Option<Made>, KeepError> {
        for key in ring.keys() {
            if self.custodian(key.custody.kind()).holds(key).await? {
                return self.maker().make(ring, self.policy, entropy, now).await;
            }
        }
        Err(KeepError::NotHeld(ring.keys().iter().map(RingKey::kid).collect::<Vec<_>>().join(", ")))
    }

    async fn make(
        &self,
        ring: &KeyRing,
        signs_from: UnixTime,
        entropy: &dyn Entropy,
        now: UnixTime,
    ) -> Result<Option<Deed>, KeepError> {
        self.check_signer(ring, now).await?;
        let Some(made) = self.maker().make(ring, self.policy, entropy, now).await? else { return Ok(None) };
        let key = made.listed(now, signs_from)?;
        match self.store.change_ring(ring, &[put(&key)]).await? {
            RingChanged::Done => Ok(Some(Deed::Made { kid: key.kid().to_owned(), signs_from })),
            RingChanged::Meanwhile => self.take_back(&key).await.map(|()| None),
        }
    }

    async fn forget(&self, ring: &KeyRing, kid: String, now: UnixTime) -> Result<Option<Deed>, KeepError> {
        self.check_signer(ring, now).await?;
        if self.store.change_ring(ring, &[RingChange::Forget(kid.clone())]).await? == RingChanged::Meanwhile {
            return Ok(None);
        }
        // Not before: a kill at the same moment may have made it the signer.
        if let Some(key) = ring.find(&kid) {
            self.custodian(key.custody.kind()).forget(key).await;
        }
        Ok(Some(Deed::Forgotten { kid }))
    }

    /// Takes a private half back that was made for a ring that is no more, unless another run has found and listed it.
    async fn take_back(&self, made: &RingKey) -> Result<(), KeepError> {
        if self.store.key_ring().await?.find(made.kid()).is_none() {
            self.custodian(made.custody.kind()).discard(made).await;
        }
        Ok(())
    }

    /// Nothing is done where the private half of the present signer is not: that would be the place of another ring.
    async fn check_signer(&self, ring: &KeyRing, now: UnixTime) -> Result<(), KeepError> {
        match ring.signer(now) {
            Some(signer) => self.check_held(signer).await,
            None => Ok(()),
        }
    }

    async fn check_held(&self, key: &RingKey) -> Result<(), KeepError> {
        let is_held = self.custodian(key.custody.kind()).holds(key).await?;
        if is_held { Ok(()) } else { Err(KeepError::NotHeld(key.kid().to_owned())) }
    }

    fn maker(&self) -> &dyn Custodian {
        self.custodian(self.policy.custody)
    }

    fn custodian(&self, kind: CustodyKind) -> &dyn Custodian {
        match kind {
            CustodyKind::Secret => &self.vault,
            CustodyKind::Kms => &self.kms,
        }
    }
}

async fn make_refresh_keys(vault: &Vault, entropy: &dyn Entropy) -> Result<bool, KeepError> {
    for _ in 0..ATTEMPTS {
        let held = vault.read().await?;
        match held.material.refresh_keys() {
            Ok(_) => return Ok(false),
            // Keys that cannot be read are not written over: every session hangs on them.
            Err(error) if held.material.has_refresh_keys() => return Err(error.into()),
            Err(_) => {}
        }
        let material = held.material.clone().with_refresh_keys(generate::refresh_keys(entropy)?);
        if vault.write(&held, &material).await? == Written::Done {
            return Ok(true);
        }
    }
    Err(KeepError::Busy)
}

fn put(key: &RingKey) -> RingChange {
    RingChange::Put(Box::new(key.clone()))
}
