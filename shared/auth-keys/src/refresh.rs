//! The keys of refresh tokens: given by the environment, or kept in the vault, which running instances read again.

use std::sync::Arc;
use std::time::Duration;

use auth_core::config::{ConfigError, Variables};
use auth_core::key_ring::RING_MAX_AGE;
use auth_core::refresh_token::{NotOurs, Presented, RefreshKeys};
use auth_core::time::Clock;
use auth_watch::key_watch::{KeyWatch, NoKeys};
use auth_watch::pace::{Pace, RETRY};

use crate::place::{KeyKind, Place};
use crate::vault::{Vault, VaultError};

/// How old the keys of the vault may be. The last good ones serve for an hour while it is out of reach.
pub const PACE: Pace =
    Pace { soft: Duration::from_mins(5), firm: Duration::from_mins(10), hard: RING_MAX_AGE, respite: RETRY };

/// What makes and recognises refresh tokens.
#[derive(Debug)]
pub enum HeldRefreshKeys {
    /// Those of `REFRESH_KEYS`.
    Fixed(Arc<RefreshKeys>),
    /// Those of a vault, before it is read: no token is made or recognised.
    Unbound(Place),
    /// Those of a vault.
    Watched(Box<KeyWatch<RefreshKeys>>),
}

impl HeldRefreshKeys {
    /// `REFRESH_KEYS`; without it, they are where `REFRESH_KEY_SECRET` or `KEY_FILE` says.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        if !Place::is_named(KeyKind::Refresh, variables) {
            return variables.refresh_keys().map(|keys| Self::Fixed(Arc::new(keys)));
        }
        if variables.optional("REFRESH_KEYS").is_some() {
            return Err(ConfigError::Contradiction("REFRESH_KEYS are in the secret: set one of them".to_owned()));
        }
        Place::from_variables(KeyKind::Refresh, variables).map(Self::Unbound)
    }

    /// The same, read, and read again from time to time.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Unusable`] naming the variable.
    pub async fn bind(self, clock: &Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let Self::Unbound(place) = self else { return Ok(self) };
        let vault = Vault::at(&place).await;
        let watch = watch(vault, Arc::clone(clock)).await.map_err(|error| place.unusable(error))?;
        Ok(Self::Watched(Box::new(watch)))
    }

    /// The keys, of which the first makes tokens. Waits only if they are overdue.
    ///
    /// # Errors
    ///
    /// [`NoKeys`].
    pub async fn known(&self) -> Result<Arc<RefreshKeys>, NoKeys> {
        match self {
            Self::Fixed(keys) => Ok(Arc::clone(keys)),
            Self::Unbound(_) => Err(NoKeys),
            Self::Watched(watch) => watch.known().await,
        }
    }

    /// Recognises a refresh token, or says why not. Waits only if the keys are overdue, or for one that is not among them, which
    /// is looked up at most once in ten seconds.
    ///
    /// # Errors
    ///
    /// [`NoKeys`]: whether the token is ours is not known.
    pub async fn open(&self, text: &str) -> Result<Result<Presented, NotOurs>, NoKeys> {
        match self {
            Self::Fixed(keys) => Ok(keys.open(text)),
            Self::Unbound(_) => Err(NoKeys),
            Self::Watched(watch) => watch.judge(|keys| keys.open(text)).await,
        }
    }

    /// Does the work of a request, and reads the keys again beside it, if it is time.
    pub fn beside<W: Future>(&self, work: W) -> impl Future<Output = W::Output> {
        // Boxed: a request's work is some twenty kilobytes, and would stand here several times.
        let work = Box::pin(work);
        async move {
            match self {
                Self::Fixed(_) | Self::Unbound(_) => work.await,
                Self::Watched(watch) => watch.beside(work).await,
            }
        }
    }
}

/// A watch over the keys of a vault, which has read them.
async fn watch(vault: Vault, clock: Arc<dyn Clock>) -> Result<KeyWatch<RefreshKeys>, VaultError> {
    let began = clock.moment();
    let first = vault.read().await?.material.refresh_keys_at(began.wall)?;
    let vault = Arc::new(vault);
    let watch = KeyWatch::new(clock, PACE, move |began| {
        let vault = Arc::clone(&vault);
        Box::pin(async move {
            let read = vault.read_in_time().await;
            let keys = read.and_then(|held| Ok(held.material.refresh_keys_at(began.wall)?));
            keys.inspect_err(|error| tracing::warn!(event = "refresh_keys_unreadable", %error)).ok()
        })
    });
    Ok(watch.with(first, began))
}

#[cfg(test)]
mod tests;
