//! What the environment says to this function.

use std::num::NonZeroU16;

use auth_core::config::{ConfigError, Variables};
use auth_core::issuer::Issuer;
use auth_core::policy::SessionPolicy;
use auth_core::refresh_token::RefreshKeys;
use auth_http::browser::Browsers;

/// The configuration of `login`.
#[derive(Debug)]
pub struct Config {
    /// What mints access tokens.
    pub issuer: Issuer,
    /// The claim `client_id` of tokens minted here.
    pub client_id: String,
    /// What makes refresh tokens.
    pub refresh_keys: RefreshKeys,
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
            client_id: variables.default_client_id()?,
            refresh_keys: variables.refresh_keys()?,
            sessions: variables.session_policy()?,
            sessions_per_user: variables.sessions_per_user()?,
            browsers: Browsers::from_variables(variables)?,
        })
    }
}
