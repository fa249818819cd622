//! What the environment says to this function.

use auth_core::config::{ConfigError, Variables};
use auth_core::jwt::Verifier;
use auth_core::refresh_token::RefreshKeys;
use auth_http::browser::Browsers;

/// The configuration of `revoke`.
#[derive(Debug)]
pub struct Config {
    /// What recognises refresh tokens.
    pub refresh_keys: RefreshKeys,
    /// What believes access tokens: `ISSUER`, `AUDIENCE`, `JWKS`.
    pub verifier: Verifier,
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
            refresh_keys: variables.refresh_keys()?,
            verifier: Verifier::new(variables.issuer()?, variables.audience()?, variables.key_set()?),
            browsers: Browsers::from_variables(variables)?,
        })
    }
}
