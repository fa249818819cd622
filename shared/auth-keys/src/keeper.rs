//! What makes keys, lets them take turns, and kills them.
//!
//! A private half is written before its public half is listed, and removed before that is forgotten: what is listed can always
//! sign. Both places change only from the state that was read, so of two runs at once one makes the key and the other finds it.
//! Nothing is made or moved in a vault that is not the ring's.

use std::time::Duration;

use auth_core::config::{ConfigError, Variables};
use auth_core::entropy::{Entropy, NoEntropy};
use auth_core::generate::{self, GenerateError};
use auth_core::key::{KeyError, SigningKey};
use auth_core::key_ring::kill::Successor;
use auth_core::key_ring::{Custody, KeyRing, RingKey, RotationPolicy, Upkeep};
use auth_core::time::{Clock, UnixTime};
use auth_dynamodb::error::StoreError;
use auth_dynamodb::key_ring::{RingChange, RingChanged};
use auth_dynamodb::store::Store;

use crate::material::MaterialError;
use crate::place::{KeyKind, Place};
use crate::vault::{Held, Vault, VaultError, Written};

/// So often a change is tried that others forestall.
const ATTEMPTS: usize = 5;

/// More is never to be done at a time.
const MOST_STEPS: usize = 20;

/// A private half that was written longer ago and is not listed is nobody's.
const UNLISTED: Duration = Duration::from_hours(1);

/// Keeps the keys of a table and of its vaults.
#[derive(Debug)]
pub struct Keeper {
    store: Store,
    signing: Vault,
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
    /// The vault lacks a private half that it would have if it were the ring's.
    #[error(
        "the private half of {0} is not with the others: do KEY_SECRET and the table belong together? If it is lost, kill that key"
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
    /// `SIGNING_ALGORITHM` and `ROTATION_DAYS`.
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
        Ok(Self { store, signing: Vault::at(&place).await, refresh: None, policy })
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
            check_held(&self.held_with_signer(&ring, now).await?, next)?;
            let mut early = next.clone();
            early.signs_from = turn;
            if self.store.change_ring(&ring, &[put(&early)]).await? == RingChanged::Done {
                return Ok((next.kid().to_owned(), turn));
            }
        }
        Err(KeepError::Busy)
    }

    /// Kills a key: nothing that it signed is believed any more, and the next one's turn has come if it was the signer. If there
    /// is no next one, one is made and signs at once; but not in a vault that has none of the ring's keys.
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
                let held = self.signing.read().await?;
                if is_of(&held, &ring) {
                    let Some(made) = self.private_key(&held, &ring, entropy, clock.now()).await? else { continue };
                    spare = Some(made);
                }
            }
            // Not before: readers of the journal look for an entry around its stamp.
            let at = clock.now();
            let spare = spare.map(|made| RingKey::new(made.jwk().clone(), Custody::Secret, at, ring.takeover(at)));
            let kill = ring.kill(key, spare.transpose()?, at);
            let changes: Vec<RingChange> = kill.changed.iter().map(put).collect();
            if self.store.kill_in_ring(&ring, &changes, kid, at).await? == RingChanged::Done {
                return Ok(kill.successor);
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

    async fn make(
        &self,
        ring: &KeyRing,
        signs_from: UnixTime,
        entropy: &dyn Entropy,
        now: UnixTime,
    ) -> Result<Option<Deed>, KeepError> {
        let held = self.held_with_signer(ring, now).await?;
        let Some(key) = self.private_key(&held, ring, entropy, now).await? else { return Ok(None) };
        let kid = key.kid().to_owned();
        let key = RingKey::new(key.jwk().clone(), Custody::Secret, now, signs_from)?;
        match self.store.change_ring(ring, &[put(&key)]).await? {
            RingChanged::Done => Ok(Some(Deed::Made { kid, signs_from })),
            RingChanged::Meanwhile => Ok(None),
        }
    }

    async fn forget(&self, ring: &KeyRing, kid: String, now: UnixTime) -> Result<Option<Deed>, KeepError> {
        let held = self.held_with_signer(ring, now).await?;
        if held.material.holds(&kid) {
            let material = held.material.clone().without(&kid);
            if self.signing.write(&held, &material).await? == Written::Meanwhile {
                return Ok(None);
            }
        }
        match self.store.change_ring(ring, &[RingChange::Forget(kid.clone())]).await? {
            RingChanged::Done => Ok(Some(Deed::Forgotten { kid })),
            RingChanged::Meanwhile => Ok(None),
        }
    }

    /// What the vault holds; not without the private half of the present signer, or it would be that of another ring.
    async fn held_with_signer(&self, ring: &KeyRing, now: UnixTime) -> Result<Held, KeepError> {
        let held = self.signing.read().await?;
        ring.signer(now).map_or(Ok(()), |signer| check_held(&held, signer))?;
        Ok(held)
    }

    /// A private half that is kept and not listed: one that another run has just written, or a new one. `None` if somebody else
    /// wrote at the same moment.
    async fn private_key(
        &self,
        held: &Held,
        ring: &KeyRing,
        entropy: &dyn Entropy,
        now: UnixTime,
    ) -> Result<Option<SigningKey>, KeepError> {
        let algorithm = format!("{:?}", self.policy.algorithm);
        let earliest = now.before(UNLISTED);
        if let Some(key) = held.material.unlisted(ring, &algorithm, earliest) {
            return Ok(Some(key));
        }
        let mut material = held.material.clone();
        if is_of(held, ring) {
            material = material.without_orphans(ring, earliest);
        }
        let text = generate::signing_key(&algorithm, entropy)?;
        let (material, key) = material.with_signing_key(&algorithm, text, now)?;
        let written = self.signing.write(held, &material).await?;
        Ok((written == Written::Done).then_some(key))
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

/// Whether these are private halves of this ring.
fn is_of(held: &Held, ring: &KeyRing) -> bool {
    ring.keys().iter().any(|key| held.material.holds(key.kid()))
}

fn check_held(held: &Held, key: &RingKey) -> Result<(), KeepError> {
    held.material.signer(key.kid()).map(drop).map_err(|_| KeepError::NotHeld(key.kid().to_owned()))
}

fn put(key: &RingKey) -> RingChange {
    RingChange::Put(Box::new(key.clone()))
}
