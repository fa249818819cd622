//! What the environment says to this function.

use std::sync::Arc;

use auth_core::config::{ConfigError, Variables};
use auth_core::issuer::Issuer;
use auth_core::policy::SessionPolicy;
use auth_core::time::Clock;
use auth_dynamodb::store::Store;
use auth_dynamodb::verifiers::{SOFT, Verifiers};
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
    /// What believes the access tokens that are exchanged: `JWKS` or the keys in the table.
    pub verifier: Verifiers,
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
            verifier: Verifiers::from_variables(variables)?,
            browsers: Browsers::from_variables(variables)?,
        })
    }

    /// The same, with the keys of this table and of the secret, if they are not fixed. Those that believe are read when the first
    /// token is exchanged.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Unusable`] naming the variable.
    pub async fn bind(self, store: &Store, clock: &Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let verifier = self.verifier.bind(store, clock, SOFT);
        Ok(Self { keys: self.keys.bind(store, clock).await?, verifier, ..self })
    }
}
