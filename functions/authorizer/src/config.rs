//! What the environment says to this function.

use std::num::NonZeroU8;
use std::time::Duration;

use auth_core::config::{ConfigError, Variables};
use auth_dynamodb::verifiers::Verifiers;
use auth_issuers::issuers::Issuers;

use crate::arn::is_name;
use crate::policy::RoutePolicy;
use crate::watch::Freshness;

/// The bounds of both ages, in seconds.
const STALENESS_BOUNDS: (u64, u64) = (1, 300);

/// So old may the copy of the keys be before it is read again. Killed keys are told by the journal, new ones are there for hours
/// before they sign.
pub const KEYS_SOFT: Duration = Duration::from_mins(1);

/// The configuration of `authorizer`.
#[derive(Debug)]
pub struct Config {
    /// What believes access tokens: `ISSUER`, `AUDIENCE`, and `JWKS` or the keys in the table.
    pub verifier: Verifiers,
    /// Whose tokens are believed besides: `TRUSTED_ISSUERS`.
    pub issuers: Issuers,
    /// How revocations are watched; not at all without it.
    pub revocation: Option<Revocation>,
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
        let verifier = Verifiers::from_variables(variables)?;
        let revocation = Revocation::from_variables(variables)?;
        if verifier.needs_table() && revocation.is_none() {
            variables.key_set()?; // nothing is read of a table, then
        }
        Ok(Self {
            verifier,
            issuers: Issuers::from_variables(variables)?,
            revocation,
            policy: policy(variables)?,
            simple_responses: variables.switch("SIMPLE_RESPONSES", false)?,
            websocket_token_parameter: parameter(variables)?,
        })
    }
}

/// How revocations are watched.
#[derive(Debug)]
pub struct Revocation {
    /// Whose journal it is: `TABLE_NAME`.
    pub table: String,
    /// How many copies of it there are, of which this instance reads one: `JOURNAL_COPIES`.
    pub copies: NonZeroU8,
    /// How old what is known of it may be.
    pub freshness: Freshness,
}

impl Revocation {
    /// The copy that an instance reads which drew `seed`.
    pub fn copy(&self, seed: u64) -> u8 {
        u8::try_from(seed % u64::from(self.copies.get())).unwrap_or_default()
    }

    fn from_variables(variables: &Variables<'_>) -> Result<Option<Self>, ConfigError> {
        if !variables.switch("REVOCATION", true)? {
            return Ok(None);
        }
        let table = variables.table_name()?;
        Ok(Some(Self { table, copies: variables.journal_copies()?, freshness: freshness(variables)? }))
    }
}

fn freshness(variables: &Variables<'_>) -> Result<Freshness, ConfigError> {
    let seconds = |name, default: u64| {
        let seconds = variables.within(name, "a whole number of seconds", STALENESS_BOUNDS)?;
        Ok(Duration::from_secs(seconds.unwrap_or(default)))
    };
    let soft = seconds("SOFT_STALENESS_SECONDS", 2)?;
    let max_staleness = seconds("MAX_STALENESS_SECONDS", 15)?;
    let fails_open = variables.parsed("REVOCATION_FAILURE", "closed or open", |value| match value {
        "closed" => Some(false),
        "open" => Some(true),
        _ => None,
    })?;
    if soft * 2 > max_staleness {
        let text = "SOFT_STALENESS_SECONDS must be at most half of MAX_STALENESS_SECONDS";
        return Err(ConfigError::Contradiction(text.to_owned()));
    }
    Ok(Freshness { soft, max_staleness, fails_open: fails_open.unwrap_or(false) })
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
