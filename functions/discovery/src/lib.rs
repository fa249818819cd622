//! The documents under `/.well-known`: the JWK Set (RFC 7517 §5) and the issuer's metadata, for OAuth clients (RFC 8414)
//! and for verifiers that ask for OpenID Connect Discovery 1.0.

use std::collections::BTreeSet;
use std::time::Duration;

use auth_core::config::{ConfigError, Variables};
use auth_http::body::Unreadable;
use auth_http::browser::Browsers;
use auth_http::function::Function;
use auth_http::request::Request;
use auth_http::response::{self, Response};
use lambda_http::http::Method;
use serde_json::{Value, json};

/// How long the documents may be kept: a new key is published at least that long before it signs.
const MAX_AGE: Duration = Duration::from_mins(5);

/// The function and the documents that it gives.
#[derive(Debug)]
pub struct App {
    jwks: Value,
    metadata: Value,
    browsers: Browsers,
}

impl App {
    /// Makes the documents of `ISSUER` and `JWKS`; reads `ALLOWED_ORIGINS`.
    ///
    /// # Errors
    ///
    /// The first [`ConfigError`].
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let jwks = json!(variables.published_keys()?);
        let metadata = metadata(&variables.issuer()?, &jwks);
        Ok(Self { jwks, metadata, browsers: Browsers::without_cookies(variables)? })
    }
}

/// No authorization endpoint: nobody is sent here by a redirect, so there are no response types either.
fn metadata(issuer: &str, jwks: &Value) -> Value {
    let keys = jwks.get("keys").and_then(Value::as_array).into_iter().flatten();
    let algorithms: BTreeSet<&str> = keys.filter_map(|key| key.get("alg")?.as_str()).collect();
    json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "token_endpoint": format!("{issuer}/oauth/token"),
        "token_endpoint_auth_methods_supported": ["none"],
        "introspection_endpoint": format!("{issuer}/oauth/introspect"),
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "revocation_endpoint": format!("{issuer}/oauth/revoke"),
        "revocation_endpoint_auth_methods_supported": ["none"],
        "grant_types_supported": ["refresh_token"],
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": algorithms,
    })
}

impl Function for App {
    fn browsers(&self) -> &Browsers {
        &self.browsers
    }

    async fn answer(&self, request: Request) -> Response {
        let document = match request.route.as_str() {
            "/.well-known/jwks.json" => response::public_document(&self.jwks, MAX_AGE),
            "/.well-known/openid-configuration" | "/.well-known/oauth-authorization-server" => {
                response::public_document(&self.metadata, MAX_AGE)
            }
            _ => return response::not_found(),
        };
        match request.method {
            Method::GET | Method::HEAD => document,
            _ => response::problem_unreadable(Unreadable::Method("GET, HEAD")),
        }
    }
}
