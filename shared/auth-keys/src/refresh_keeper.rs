//! What changes the keys of refresh tokens, one at a time: for an operator. Running instances find out by themselves.

use std::time::Duration;

use auth_core::config::{ConfigError, Variables};
use auth_core::entropy::{Entropy, NoEntropy};
use auth_core::generate;
use auth_core::time::Clock;
use auth_watch::pace::RETRY;

use crate::material::{Material, MaterialError};
use crate::place::{KeyKind, Place};
use crate::vault::{Held, Vault, VaultError, Written};

/// So often a change is tried that others forestall.
const ATTEMPTS: usize = 5;

/// How long a new key is known before it makes tokens: for so long, somebody who has just looked an unknown key up may take its
/// tokens for a stranger's ([`RETRY`], clocks that are 10 s apart, and a write that takes its time).
const FIRST_WAIT: Duration = RETRY.saturating_add(Duration::from_secs(20));

/// Changes the keys of refresh tokens in a vault that has some.
#[derive(Debug)]
pub struct RefreshKeeper {
    vault: Vault,
}

/// Why the keys are as they were.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefreshKeepError {
    /// The vault, or what is in it.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A new key.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// Others change them again and again.
    #[error("somebody else is changing the keys")]
    Busy,
    /// There is none of that id.
    #[error("there is no refresh key {0}")]
    NoKey(u8),
    /// One was put first a moment ago, and does not make tokens yet.
    #[error("the first refresh key makes no tokens yet: try again in {} s", .0.as_secs() + 1)]
    Young(Duration),
    /// It is the only one: without it, nobody could sign in.
    #[error("{0} is the only refresh key")]
    Only(u8),
    /// Every id has a key.
    #[error("all 256 refresh keys are in use: drop one")]
    Full,
}

impl From<MaterialError> for RefreshKeepError {
    fn from(error: MaterialError) -> Self {
        Self::Vault(error.into())
    }
}

impl RefreshKeeper {
    /// A keeper of the keys in the vault that `REFRESH_KEY_SECRET` names, or `KEY_FILE`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub async fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let place = Place::from_variables(KeyKind::Refresh, variables)?;
        Ok(Self { vault: Vault::at(&place).await })
    }

    /// The ids of the keys: first that of the one that makes tokens.
    ///
    /// # Errors
    ///
    /// [`RefreshKeepError::Vault`], also if there are none.
    pub async fn ids(&self) -> Result<Vec<u8>, RefreshKeepError> {
        ids(&self.vault.read().await?.material)
    }

    /// Puts a new key before the others, and gives all ids: tokens are made with the new one, half a minute later; the others
    /// still recognise theirs.
    ///
    /// # Errors
    ///
    /// [`RefreshKeepError`]; where there are no keys, none is put: it would be another's vault.
    pub async fn rotate(&self, entropy: &dyn Entropy, clock: &dyn Clock) -> Result<Vec<u8>, RefreshKeepError> {
        self.change(|held, ids| {
            check_first(held, clock)?;
            let key = generate::refresh_key(unused_id(ids, entropy)?, entropy)?;
            Ok(held.material.clone().with_refresh_key_first(&key, clock.now() + FIRST_WAIT))
        })
        .await
    }

    /// Drops a key, and gives the ids of the others: tokens under it are unknown from then on.
    ///
    /// # Errors
    ///
    /// [`RefreshKeepError`].
    pub async fn drop_key(&self, id: u8, clock: &dyn Clock) -> Result<Vec<u8>, RefreshKeepError> {
        self.change(|held, ids| {
            check_droppable(id, ids)?;
            if ids.first() != Some(&id) {
                check_first(held, clock)?;
            }
            Ok(held.material.clone().without_refresh_key(id))
        })
        .await
    }

    /// Writes what `change` makes of the keys as they are.
    async fn change(
        &self,
        change: impl Fn(&Held, &[u8]) -> Result<Material, RefreshKeepError>,
    ) -> Result<Vec<u8>, RefreshKeepError> {
        for _ in 0..ATTEMPTS {
            let held = self.vault.read().await?;
            let material = change(&held, &ids(&held.material)?)?;
            let left = ids(&material)?;
            if self.vault.write(&held, &material).await? == Written::Done {
                return Ok(left);
            }
        }
        Err(RefreshKeepError::Busy)
    }
}

/// Whether a key of that id may be dropped from these.
///
/// # Errors
///
/// [`RefreshKeepError::NoKey`], [`RefreshKeepError::Only`].
pub fn check_droppable(id: u8, ids: &[u8]) -> Result<(), RefreshKeepError> {
    match ids {
        _ if !ids.contains(&id) => Err(RefreshKeepError::NoKey(id)),
        [_] => Err(RefreshKeepError::Only(id)),
        _ => Ok(()),
    }
}

/// Whether the first key makes tokens: until then the one behind it is needed.
fn check_first(held: &Held, clock: &dyn Clock) -> Result<(), RefreshKeepError> {
    match held.material.first_refresh_key_waits(clock.now()) {
        Duration::ZERO => Ok(()),
        left => Err(RefreshKeepError::Young(left)),
    }
}

fn ids(material: &Material) -> Result<Vec<u8>, RefreshKeepError> {
    Ok(material.refresh_keys()?.ids().collect())
}

/// Any that is not in use. One that was dropped a moment ago should not come again: whoever still has that key would take
/// tokens of the new one for forged. So it is drawn, and not counted up.
fn unused_id(ids: &[u8], entropy: &dyn Entropy) -> Result<u8, RefreshKeepError> {
    let unused: Vec<u8> = (0..=u8::MAX).filter(|id| !ids.contains(id)).collect();
    let drawn = u64::from_be_bytes(entropy.draw()?);
    let index = drawn.checked_rem(unused.len() as u64).and_then(|index| usize::try_from(index).ok());
    index.and_then(|index| unused.get(index)).copied().ok_or(RefreshKeepError::Full)
}

#[cfg(test)]
mod tests;
