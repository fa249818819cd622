//! The documents under `/.well-known`: the JWK Set (RFC 7517 §5) and the issuer's metadata, for OAuth clients (RFC 8414)
//! and for verifiers that ask for OpenID Connect Discovery 1.0.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use auth_core::config::{ConfigError, Variables};
use auth_core::key::KeyError;
use auth_core::key_ring::{DOCUMENT_MAX_AGE, KeyRing};
use auth_core::time::Clock;
use auth_dynamodb::key_watch::ring_watch;
use auth_dynamodb::store::Store;
use auth_http::body::Unreadable;
use auth_http::browser::Browsers;
use auth_http::function::Function;
use auth_http::request::Request;
use auth_http::response::{self, Response};
use auth_watch::key_watch::{KeyWatch, NoKeys};
use lambda_http::http::Method;
use serde_json::{Value, json};

/// How old the copy of the keys may be before it is read again.
const KEYS_SOFT: Duration = Duration::from_mins(1);

/// How long a request waits for the table if there is a copy. Built-in authorizers of HTTP APIs wait for 1.5 s.
const PATIENCE: Duration = Duration::from_secs(1);

/// The function and the documents that it gives.
#[derive(Debug)]
pub struct App {
    source: Source,
    browsers: Browsers,
}

#[derive(Debug)]
enum Source {
    /// The keys that `JWKS` gives.
    Fixed(Documents),
    /// The keys in the table, before it is known where that is.
    Unbound { issuer: String },
    /// The keys in the table.
    Table(Box<KeyWatch<Documents>>),
}

#[derive(Clone, Debug)]
struct Documents {
    jwks: Value,
    metadata: Value,
}

impl App {
    /// Makes the documents of `ISSUER` and `JWKS`; without it, of the keys in the table. Reads `ALLOWED_ORIGINS`.
    ///
    /// # Errors
    ///
    /// The first [`ConfigError`].
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let issuer = variables.issuer()?;
        let source = match variables.optional("JWKS") {
            Some(_) => {
                let jwks = json!(variables.published_keys()?);
                Source::Fixed(Documents { metadata: metadata(&issuer, &jwks), jwks })
            }
            None => Source::Unbound { issuer },
        };
        Ok(Self { source, browsers: Browsers::without_cookies(variables)? })
    }

    /// Whether the table is needed.
    pub const fn needs_table(&self) -> bool {
        matches!(self.source, Source::Unbound { .. })
    }

    /// The same, with the keys of this table, if they are not fixed.
    pub async fn bind(self, store: Store, clock: Arc<dyn Clock>) -> Self {
        let Source::Unbound { issuer } = self.source else { return self };
        let make = move |ring: KeyRing, now| {
            if ring.keys().is_empty() {
                return Err(KeyError::Set); // the first ones are yet to be made: an empty set would be kept for minutes
            }
            let jwks = json!(ring.public_jwks(now));
            Ok(Documents { metadata: metadata(&issuer, &jwks), jwks })
        };
        let watch = ring_watch(store, clock, KEYS_SOFT, make);
        let _ = watch.fresh().await; // the first request tries again
        Self { source: Source::Table(Box::new(watch)), ..self }
    }

    async fn documents(&self) -> Result<Arc<Documents>, NoKeys> {
        match &self.source {
            Source::Fixed(documents) => Ok(Arc::new(documents.clone())),
            Source::Unbound { .. } => Err(NoKeys),
            Source::Table(watch) => match tokio::time::timeout(PATIENCE, watch.fresh()).await {
                Ok(documents) => documents,
                Err(_) => watch.known().await,
            },
        }
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
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "introspection_endpoint": format!("{issuer}/oauth/introspect"),
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "revocation_endpoint": format!("{issuer}/oauth/revoke"),
        "revocation_endpoint_auth_methods_supported": ["none"],
        "grant_types_supported": [
            "refresh_token",
            "client_credentials",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ],
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
        let wanted: fn(&Documents) -> &Value = match request.route.as_str() {
            "/.well-known/jwks.json" => |documents| &documents.jwks,
            "/.well-known/openid-configuration" | "/.well-known/oauth-authorization-server" => {
                |documents| &documents.metadata
            }
            _ => return response::not_found(),
        };
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return response::problem_unreadable(Unreadable::Method("GET, HEAD"));
        }
        match self.documents().await {
            Ok(documents) => response::public_document(wanted(&documents), DOCUMENT_MAX_AGE),
            Err(error) => {
                tracing::error!(event = "fault", %error);
                response::unavailable()
            }
        }
    }
}
