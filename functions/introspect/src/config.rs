//! What the environment says to this function.

use auth_core::config::{ConfigError, Variables};
use auth_core::jwt::Verifier;
use auth_core::refresh_token::RefreshKeys;
use auth_http::browser::Browsers;

/// The configuration of `introspect`.
#[derive(Debug)]
pub struct Config {
    /// The claim `iss` of every token that is ours.
    pub issuer: String,
    /// The claim `aud` of access tokens.
    pub audience: String,
    /// What believes access tokens: `ISSUER`, `AUDIENCE`, `JWKS`.
    pub verifier: Verifier,
    /// What recognises refresh tokens.
    pub refresh_keys: RefreshKeys,
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
        let (issuer, audience) = (variables.issuer()?, variables.audience()?);
        Ok(Self {
            verifier: Verifier::new(issuer.clone(), audience.clone(), variables.key_set()?),
            issuer,
            audience,
            refresh_keys: variables.refresh_keys()?,
            browsers: Browsers::without_cookies(variables)?,
        })
    }
}
