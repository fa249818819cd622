//! The keys of refresh tokens: given by the environment, or kept in the vault.

use auth_core::config::{ConfigError, Variables};
use auth_core::refresh_token::RefreshKeys;
use auth_watch::key_watch::NoKeys;

use crate::place::{KeyKind, Place};
use crate::vault::Vault;

/// What makes and recognises refresh tokens.
#[derive(Debug)]
pub enum HeldRefreshKeys {
    /// There they are.
    Ready(Box<RefreshKeys>),
    /// Where they are to be read.
    Unread(Place),
}

impl HeldRefreshKeys {
    /// `REFRESH_KEYS`; without it, they are where `REFRESH_KEY_SECRET` or `KEY_FILE` says.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        if !Place::is_named(KeyKind::Refresh, variables) {
            return variables.refresh_keys().map(|keys| Self::Ready(Box::new(keys)));
        }
        if variables.optional("REFRESH_KEYS").is_some() {
            return Err(ConfigError::Contradiction("REFRESH_KEYS are in the secret: set one of them".to_owned()));
        }
        Place::from_variables(KeyKind::Refresh, variables).map(Self::Unread)
    }

    /// The same, read.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Unusable`] naming the variable.
    pub async fn read(self) -> Result<Self, ConfigError> {
        let Self::Unread(place) = self else { return Ok(self) };
        let held = Vault::at(&place).await.read().await.map_err(|error| place.unusable(error))?;
        let keys = held.material.refresh_keys().map_err(|error| place.unusable(error))?;
        Ok(Self::Ready(Box::new(keys)))
    }

    /// The keys.
    ///
    /// # Errors
    ///
    /// [`NoKeys`] before they are read.
    pub fn keys(&self) -> Result<&RefreshKeys, NoKeys> {
        match self {
            Self::Ready(keys) => Ok(keys),
            Self::Unread(_) => Err(NoKeys),
        }
    }
}
