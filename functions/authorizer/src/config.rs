//! What the environment says to this function.

use auth_core::config::{ConfigError, Variables};
use auth_core::jwt::Verifier;

use crate::arn::is_name;
use crate::policy::RoutePolicy;

/// The configuration of `authorizer`.
#[derive(Debug)]
pub struct Config {
    /// What believes access tokens: `ISSUER`, `AUDIENCE`, `JWKS`.
    pub verifier: Verifier,
    /// What the routes ask for: `ROUTE_POLICY`, the JSON itself or the path of a file with it.
    pub policy: RoutePolicy,
    /// What HTTP APIs with payload format 2.0 are answered: `SIMPLE_RESPONSES`, as their `EnableSimpleResponses` says.
    pub simple_responses: bool,
    /// The query parameter that may hold the token when a WebSocket is opened: `WEBSOCKET_TOKEN_PARAMETER`.
    pub websocket_token_parameter: Option<String>,
}

impl Config {
    /// Reads all of it, once.
    ///
    /// # Errors
    ///
    /// The first [`ConfigError`].
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let verifier = Verifier::new(variables.issuer()?, variables.audience()?, variables.key_set()?);
        Ok(Self {
            verifier,
            policy: policy(variables)?,
            simple_responses: variables.switch("SIMPLE_RESPONSES")?,
            websocket_token_parameter: parameter(variables)?,
        })
    }
}

fn policy(variables: &Variables<'_>) -> Result<RoutePolicy, ConfigError> {
    let name = "ROUTE_POLICY";
    let Some(json) = variables.document(name)? else { return Ok(RoutePolicy::default()) };
    RoutePolicy::parse(&json)
        .map_err(|error| ConfigError::Invalid { name, expected: format!("a route policy ({error})") })
}

fn parameter(variables: &Variables<'_>) -> Result<Option<String>, ConfigError> {
    variables.parsed("WEBSOCKET_TOKEN_PARAMETER", "the name of a query parameter, such as access_token", |value| {
        is_name(value).then(|| value.to_owned())
    })
}
