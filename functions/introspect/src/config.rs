//! What the environment says to this function.

use std::sync::Arc;

use auth_core::config::{ConfigError, Variables};
use auth_core::time::Clock;
use auth_dynamodb::store::Store;
use auth_dynamodb::verifiers::{SOFT, Verifiers};
use auth_http::browser::Browsers;
use auth_keys::refresh::HeldRefreshKeys;

/// The configuration of `introspect`.
#[derive(Debug)]
pub struct Config {
    /// The claim `iss` of every token that is ours.
    pub issuer: String,
    /// The claim `aud` of access tokens.
    pub audience: String,
    /// What believes access tokens: `ISSUER`, `AUDIENCE`, and `JWKS` or the keys in the table.
    pub verifier: Verifiers,
    /// What recognises refresh tokens.
    pub refresh_keys: HeldRefreshKeys,
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
            verifier: Verifiers::from_variables(variables)?,
            issuer: variables.issuer()?,
            audience: variables.audience()?,
            refresh_keys: HeldRefreshKeys::from_variables(variables)?,
            browsers: Browsers::without_cookies(variables)?,
        })
    }

    /// The same, with the keys of this table and of the secret, if they are not fixed.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Unusable`] naming the variable.
    pub async fn bind(self, store: &Store, clock: &Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let verifier = self.verifier.bind(store, clock, SOFT);
        verifier.load().await;
        Ok(Self { refresh_keys: self.refresh_keys.bind(clock).await?, verifier, ..self })
    }
}
