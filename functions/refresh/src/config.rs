//! What the environment says to this function.

use auth_core::config::{ConfigError, Variables};
use auth_core::issuer::Issuer;
use auth_core::policy::SessionPolicy;
use auth_http::browser::Browsers;
use auth_keys::minting::MintingKeys;

/// The configuration of `refresh`.
#[derive(Debug)]
pub struct Config {
    /// What mints access tokens.
    pub issuer: Issuer,
    /// What signs them, and what makes and recognises refresh tokens.
    pub keys: MintingKeys,
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
            keys: MintingKeys::from_variables(variables)?,
            sessions: variables.session_policy()?,
            browsers: Browsers::from_variables(variables)?,
        })
    }
}
