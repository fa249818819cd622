//! What the environment says to this function.

use auth_core::config::{ConfigError, Variables};
use auth_core::issuer::Issuer;
use auth_core::policy::SessionPolicy;
use auth_core::refresh_token::RefreshKeys;
use auth_http::browser::Browsers;

/// The configuration of `refresh`.
#[derive(Debug)]
pub struct Config {
    /// What mints access tokens.
    pub issuer: Issuer,
    /// What makes and recognises refresh tokens.
    pub refresh_keys: RefreshKeys,
    /// How refresh tokens rotate.
    pub sessions: SessionPolicy,
    /// How browsers are treated.
    pub browsers: Browsers,
}

impl Config {
    /// Reads all of it, once.
    ///
    /// # Errors
    ///
    /// The first [`ConfigError`].
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            issuer: variables.token_issuer()?,
            refresh_keys: variables.refresh_keys()?,
            sessions: variables.session_policy()?,
            browsers: Browsers::from_variables(variables)?,
        })
    }
}
