//! What the environment says to this function.

use auth_core::config::{ConfigError, Variables};
use auth_core::jwt::Verifier;

use crate::policy::RoutePolicy;

/// The configuration of `authorizer`.
#[derive(Debug)]
pub struct Config {
    /// What believes access tokens: `ISSUER`, `AUDIENCE`, `JWKS`.
    pub verifier: Verifier,
    /// What the routes ask for: `ROUTE_POLICY`, the JSON itself or the path of a file with it.
    pub policy: RoutePolicy,
}

impl Config {
    /// Reads all of it, once.
    ///
    /// # Errors
    ///
    /// The first [`ConfigError`].
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let verifier = Verifier::new(variables.issuer()?, variables.audience()?, variables.key_set()?);
        Ok(Self { verifier, policy: policy(variables)? })
    }
}

fn policy(variables: &Variables<'_>) -> Result<RoutePolicy, ConfigError> {
    let name = "ROUTE_POLICY";
    let Some(json) = variables.document(name)? else { return Ok(RoutePolicy::default()) };
    RoutePolicy::parse(&json)
        .map_err(|error| ConfigError::Invalid { name, expected: format!("a route policy ({error})") })
}
