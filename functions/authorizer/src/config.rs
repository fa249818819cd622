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
    let invalid = |why: String| ConfigError::Invalid { name, expected: format!("a route policy ({why})") };
    let Some(value) = variables.optional(name) else { return Ok(RoutePolicy::default()) };
    let inline = value.trim_start().starts_with('{');
    let json = if inline { Ok(value) } else { std::fs::read_to_string(value) };
    let json = json.map_err(|error| invalid(format!("no such file: {}", error.kind())))?;
    RoutePolicy::parse(&json).map_err(|error| invalid(error.to_string()))
}
