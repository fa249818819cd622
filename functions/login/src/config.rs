//! What the environment says to this function.

use std::num::NonZeroU16;

use auth_core::config::{ConfigError, Variables};
use auth_core::issuer::Issuer;
use auth_core::policy::SessionPolicy;
use auth_http::browser::Browsers;
use auth_keys::minting::MintingKeys;

/// The configuration of `login`.
#[derive(Debug)]
pub struct Config {
    /// What mints access tokens.
    pub issuer: Issuer,
    /// What signs them, and what makes and recognises refresh tokens.
    pub keys: MintingKeys,
    /// The claim `client_id` of tokens minted here.
    pub client_id: String,
    /// How long sessions live.
    pub sessions: SessionPolicy,
    /// How many sessions a user may have at a time; any number without it.
    pub sessions_per_user: Option<NonZeroU16>,
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
            client_id: variables.default_client_id()?,
            sessions: variables.session_policy()?,
            sessions_per_user: variables.sessions_per_user()?,
            browsers: Browsers::from_variables(variables)?,
        })
    }
}
