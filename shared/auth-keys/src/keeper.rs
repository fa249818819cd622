//! What makes keys, lets them take turns, and kills them.
//!
//! A private half is written before its public half is listed, and removed before that is forgotten: what is listed can always
//! sign. Both places change only from the state that was read, so of two runs at once one makes the key and the other finds it.

use std::time::Duration;

use auth_core::config::{ConfigError, Variables};
use auth_core::entropy::{Entropy, NoEntropy};
use auth_core::generate::{self, GenerateError};
use auth_core::key::{KeyError, SigningKey};
use auth_core::key_ring::{Custody, KeyRing, PUBLISH_WAIT, RingKey, RotationPolicy, Upkeep};
use auth_core::time::UnixTime;
use auth_dynamodb::error::StoreError;
use auth_dynamodb::key_ring::{RingChange, RingChanged};
use auth_dynamodb::store::Store;

use crate::material::{Material, MaterialError};
use crate::place::Place;
use crate::vault::{Held, Vault, VaultError, Written};

/// So often a change is tried that others forestall.
const ATTEMPTS: usize = 5;

/// More is never to be done at a time.
const MOST_STEPS: usize = 20;

/// A private half that was written longer ago and is not listed is nobody's.
const UNLISTED: Duration = Duration::from_hours(1);

/// Keeps the keys of a table and of a vault.
#[derive(Debug)]
pub struct Keeper {
    store: Store,
    vault: Vault,
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

/// What a kill has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Killed {
    /// What signs from now on, if the key that was killed did.
    pub successor: Option<String>,
    /// Whether it was made for that: verifiers of others have to fetch it first.
    pub is_new: bool,
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
    /// A keeper of the keys of `store`.
    pub const fn new(store: Store, vault: Vault, policy: RotationPolicy) -> Self {
        Self { store, vault, policy }
    }

    /// One with the vault that `KEY_SECRET` or `KEY_FILE` names, for `SIGNING_ALGORITHM` and `ROTATION_DAYS`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub async fn from_variables(variables: &Variables<'_>, store: Store) -> Result<Self, ConfigError> {
        let (place, policy) = (Place::from_variables(variables)?, variables.rotation_policy()?);
        Ok(Self::new(store, Vault::at(&place).await, policy))
    }

    /// Does all that is to be done: to be called once a day, and as often as one likes.
    ///
    /// # Errors
    ///
    /// [`KeepError`]; what was done before stays, and the next call goes on.
    pub async fn keep(&self, entropy: &dyn Entropy, now: UnixTime) -> Result<Vec<Deed>, KeepError> {
        let mut deeds = Vec::new();
        if self.make_refresh_keys(entropy).await? {
            deeds.push(Deed::RefreshKeysMade);
        }
        for _ in 0..MOST_STEPS {
            let ring = self.store.key_ring().await?;
            let done = match ring.upkeep(self.policy, now) {
                None => break,
                Some(Upkeep::Make { signs_from }) => self.make(&ring, signs_from, entropy, now).await?,
                Some(Upkeep::Forget { kid }) => self.forget(&ring, kid).await?,
            };
            deeds.extend(done);
        }
        Ok(deeds)
    }

    /// Lets the next key sign as soon as everybody knows it, and says when that is.
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
            let early = with_turn(next, turn);
            if self.store.change_ring(&ring, &[put(&early)]).await? == RingChanged::Done {
                let kid = next.kid().to_owned();
                self.keep(entropy, now).await?;
                return Ok((kid, turn));
            }
        }
        Err(KeepError::Busy)
    }

    /// Kills a key: nothing that it signed is believed any more, and the next one's turn has come if it was the signer. If there
    /// is no next one, one is made and signs at once.
    ///
    /// # Errors
    ///
    /// [`KeepError`].
    pub async fn kill(&self, kid: &str, entropy: &dyn Entropy, now: UnixTime) -> Result<Killed, KeepError> {
        for _ in 0..ATTEMPTS {
            let ring = self.store.key_ring().await?;
            let key = ring.find(kid).ok_or_else(|| KeepError::NoKey(kid.to_owned()))?;
            let mut dead = key.clone();
            dead.killed_at = Some(dead.killed_at.unwrap_or(now));
            let (mut changes, turn) = (vec![put(&dead)], ring.takeover(now));
            let killed = match (ring.signer(now), ring.next(now)) {
                (Some(signer), _) if signer.kid() != kid => Killed { successor: None, is_new: false },
                (_, Some(next)) => {
                    changes.push(put(&with_turn(next, next.signs_from.min(turn))));
                    Killed { successor: Some(next.kid().to_owned()), is_new: now.since(next.made_at) < PUBLISH_WAIT }
                }
                (_, None) => {
                    let Some(made) = self.private_key(&ring, entropy, now).await? else { continue };
                    changes.push(put(&RingKey::new(made.jwk().clone(), Custody::Secret, now, turn)?));
                    Killed { successor: Some(made.kid().to_owned()), is_new: true }
                }
            };
            if self.store.kill_in_ring(&ring, &changes, kid, now).await? == RingChanged::Done {
                return Ok(killed);
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

    async fn make_refresh_keys(&self, entropy: &dyn Entropy) -> Result<bool, KeepError> {
        for _ in 0..ATTEMPTS {
            let held = self.vault.read().await?;
            match held.material.refresh_keys() {
                Ok(_) => return Ok(false),
                // Keys that cannot be read are not written over: every session hangs on them.
                Err(error) if held.material.has_refresh_keys() => return Err(error.into()),
                Err(_) => {}
            }
            let material = held.material.clone().with_refresh_keys(generate::refresh_keys(entropy)?);
            if self.vault.write(&held, &material).await? == Written::Done {
                return Ok(true);
            }
        }
        Err(KeepError::Busy)
    }

    async fn make(
        &self,
        ring: &KeyRing,
        signs_from: UnixTime,
        entropy: &dyn Entropy,
        now: UnixTime,
    ) -> Result<Option<Deed>, KeepError> {
        let Some(key) = self.private_key(ring, entropy, now).await? else { return Ok(None) };
        let kid = key.kid().to_owned();
        let key = RingKey::new(key.jwk().clone(), Custody::Secret, now, signs_from)?;
        match self.store.change_ring(ring, &[put(&key)]).await? {
            RingChanged::Done => Ok(Some(Deed::Made { kid, signs_from })),
            RingChanged::Meanwhile => Ok(None),
        }
    }

    async fn forget(&self, ring: &KeyRing, kid: String) -> Result<Option<Deed>, KeepError> {
        let held = self.vault.read().await?;
        if held.material.holds(&kid) {
            let material = held.material.clone().without(&kid);
            if self.vault.write(&held, &material).await? == Written::Meanwhile {
                return Ok(None);
            }
        }
        match self.store.change_ring(ring, &[RingChange::Forget(kid.clone())]).await? {
            RingChanged::Done => Ok(Some(Deed::Forgotten { kid })),
            RingChanged::Meanwhile => Ok(None),
        }
    }

    /// A private half that is kept and not listed: one that another run has just written, or a new one. `None` if somebody else
    /// wrote at the same moment.
    async fn private_key(
        &self,
        ring: &KeyRing,
        entropy: &dyn Entropy,
        now: UnixTime,
    ) -> Result<Option<SigningKey>, KeepError> {
        let held = self.vault.read().await?;
        let algorithm = format!("{:?}", self.policy.algorithm);
        if let Some(key) = held.material.unlisted(ring, &algorithm, now.before(UNLISTED)) {
            return Ok(Some(key));
        }
        let text = generate::signing_key(&algorithm, entropy)?;
        let (material, key) = held.material.clone().with_signing_key(&algorithm, text, now)?;
        let written = self.write(&held, &material).await?;
        Ok(written.then_some(key))
    }

    async fn write(&self, held: &Held, material: &Material) -> Result<bool, KeepError> {
        Ok(self.vault.write(held, material).await? == Written::Done)
    }
}

fn put(key: &RingKey) -> RingChange {
    RingChange::Put(Box::new(key.clone()))
}

fn with_turn(key: &RingKey, signs_from: UnixTime) -> RingKey {
    let mut key = key.clone();
    key.signs_from = signs_from;
    key
}
