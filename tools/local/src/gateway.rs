//! A gateway that behaves as API Gateway does: routes, an authorizer before some of them, answers of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auth_core::entropy::{Entropy, NoEntropy};
use auth_core::id::TokenId;
use auth_core::time::Clock;
use auth_http::function::{Function, invoke};
use auth_log::invocation;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tracing::Instrument as _;

use crate::clock::LocalClock;
use crate::event::{Exchange, Received};
use crate::response::{GatewayResponse, json_response};
use crate::stage::Stage;
use crate::surface::Authorization;
use crate::websocket;

/// The longest payload that API Gateway takes.
const MAX_PAYLOAD: usize = 10 * 1024 * 1024;

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// `login`.
    Login,
    /// `refresh`.
    Refresh,
    /// `revoke`.
    Revoke,
    /// `introspect`.
    Introspect,
    /// `sessions`.
    Sessions,
    /// `discovery`.
    Discovery,
}

impl Target {
    /// The function's name.
    const fn service(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Refresh => "refresh",
            Self::Revoke => "revoke",
            Self::Introspect => "introspect",
            Self::Sessions => "sessions",
            Self::Discovery => "discovery",
        }
    }
}

/// A path of the API; every method of it goes to the function.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The path; a segment in braces is a parameter.
    pub path: &'static str,
    /// The function.
    pub target: Target,
    /// Whether the authorizer is asked before.
    pub authorized: bool,
}

/// The API. A test holds it against `template.yaml`.
pub const ROUTES: [Route; 12] = [
    Route { path: "/login", target: Target::Login, authorized: false },
    Route { path: "/refresh", target: Target::Refresh, authorized: false },
    Route { path: "/oauth/token", target: Target::Refresh, authorized: false },
    Route { path: "/logout", target: Target::Revoke, authorized: false },
    Route { path: "/oauth/introspect", target: Target::Introspect, authorized: false },
    Route { path: "/oauth/revoke", target: Target::Revoke, authorized: false },
    Route { path: "/me", target: Target::Sessions, authorized: true },
    Route { path: "/sessions", target: Target::Sessions, authorized: true },
    Route { path: "/sessions/{sid}", target: Target::Sessions, authorized: true },
    Route { path: "/.well-known/jwks.json", target: Target::Discovery, authorized: false },
    Route { path: "/.well-known/openid-configuration", target: Target::Discovery, authorized: false },
    Route { path: "/.well-known/oauth-authorization-server", target: Target::Discovery, authorized: false },
];

/// The functions behind the gateway.
pub(crate) struct Functions {
    pub(crate) login: login::App,
    pub(crate) refresh: refresh::App,
    pub(crate) revoke: revoke::App,
    pub(crate) introspect: introspect::App,
    pub(crate) sessions: sessions::App,
    pub(crate) discovery: discovery::App,
}

/// The gateway and all that it leads to.
pub(crate) struct Gateway {
    pub(crate) functions: Functions,
    pub(crate) clock: Arc<LocalClock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) stage: Stage,
    pub(crate) authorization: Authorization,
    pub(crate) is_http_api: bool,
    /// The authorizer of a WebSocket API beside the REST API.
    pub(crate) connecting: Option<Authorization>,
}

/// The gateway as a service.
pub(crate) fn router(gateway: Arc<Gateway>) -> Router {
    Router::new().fallback(answer).with_state(gateway)
}

async fn answer(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response<Body> {
    let is_http_api = gateway.is_http_api;
    let answered = gateway.answer(from, request).await;
    answered.unwrap_or_else(|refused| if is_http_api { refused.respond_as_http_api() } else { refused.respond() })
}

impl Gateway {
    async fn answer(self: &Arc<Self>, from: SocketAddr, request: Request) -> Result<Response<Body>, GatewayResponse> {
        let at = self.clock.now();
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, MAX_PAYLOAD).await.map_err(|_| GatewayResponse::RequestTooLarge)?;
        let path = self.stage.path(&parts.uri).ok_or(GatewayResponse::MissingAuthenticationToken)?;
        if path == "/_local/clock" {
            return Ok(self.advance_clock(&parts, &body));
        }
        let id = self.request_id().map_err(|_| GatewayResponse::Default5xx)?;
        let received = Received { id, at, from: from.ip() };
        let exchange = |resource, parameters| Exchange {
            parts: &parts,
            stage: &self.stage,
            path,
            resource,
            parameters,
            received: &received,
        };
        if let Some(connecting) = self.connecting.as_ref().filter(|_| path == "/" && websocket::is_handshake(&parts)) {
            let handed_on = connecting.authorize(&exchange(path, Map::new()), at).await?;
            return Ok(websocket::connect(parts.clone(), handed_on).await);
        }
        let (route, parameters) = Route::matching(path).ok_or(GatewayResponse::MissingAuthenticationToken)?;
        let exchange = exchange(route.path, parameters);
        // A preflight carries no token: the API has a method OPTIONS of its own beside ANY, without the authorizer.
        let authorized = route.authorized && parts.method != Method::OPTIONS;
        let handed_on = if authorized { Some(self.authorization.authorize(&exchange, at).await?) } else { None };
        self.invoke(route.target, exchange.proxy(&body, handed_on.as_ref()), &received.id).await
    }

    /// Invokes a function in a task of its own: its panic is a failed invocation, as on Lambda.
    async fn invoke(
        self: &Arc<Self>,
        target: Target,
        event: Value,
        request_id: &str,
    ) -> Result<Response<Body>, GatewayResponse> {
        let gateway = Arc::clone(self);
        let span = invocation::span(target.service(), request_id, None);
        let invocation = async move {
            let (functions, clock) = (&gateway.functions, gateway.clock.as_ref());
            match target {
                Target::Login => to_json(&functions.login, &event, clock).await,
                Target::Refresh => to_json(&functions.refresh, &event, clock).await,
                Target::Revoke => to_json(&functions.revoke, &event, clock).await,
                Target::Introspect => to_json(&functions.introspect, &event, clock).await,
                Target::Sessions => to_json(&functions.sessions, &event, clock).await,
                Target::Discovery => to_json(&functions.discovery, &event, clock).await,
            }
        };
        let invoked = tokio::spawn(invocation.instrument(span)).await;
        let output = invoked.ok().flatten().ok_or(GatewayResponse::Default5xx)?;
        decode(&output).ok_or(GatewayResponse::Default5xx)
    }

    fn advance_clock(&self, parts: &Parts, body: &[u8]) -> Response<Body> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Advance {
            advance_seconds: u32,
        }
        let advance = serde_json::from_slice::<Advance>(body);
        match (&parts.method, advance) {
            (&Method::POST, Ok(advance)) => {
                self.clock.advance(Duration::from_secs(advance.advance_seconds.into()));
                json_response(StatusCode::OK, &json!({"now": self.clock.now().seconds()}))
            }
            (&Method::GET, _) => json_response(StatusCode::OK, &json!({"now": self.clock.now().seconds()})),
            _ => {
                let detail = "expected POST {\"advance_seconds\": N}, N a whole number";
                json_response(
                    StatusCode::BAD_REQUEST,
                    &json!({"title": "Bad Request", "status": 400, "detail": detail}),
                )
            }
        }
    }

    fn request_id(&self) -> Result<String, NoEntropy> {
        TokenId::random(self.entropy.as_ref()).map(|id| id.to_string())
    }
}

impl Route {
    fn matching(path: &str) -> Option<(&'static Self, Map<String, Value>)> {
        ROUTES.iter().find_map(|route| Some((route, route.parameters(path)?)))
    }

    /// What stands for the parameters in a path, if it is one of this route.
    fn parameters(&self, path: &str) -> Option<Map<String, Value>> {
        let mut parameters = Map::new();
        let (mut expected, mut actual) = (self.path.split('/'), path.split('/'));
        loop {
            match (expected.next(), actual.next()) {
                (None, None) => return Some(parameters),
                (Some(expected), Some(actual)) => match name_of(expected) {
                    Some(name) if !actual.is_empty() => _ = parameters.insert(name.to_owned(), actual.into()),
                    _ if expected == actual => {}
                    _ => return None,
                },
                _ => return None,
            }
        }
    }
}

fn name_of(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

async fn to_json(function: &impl Function, event: &Value, clock: &dyn Clock) -> Option<Value> {
    serde_json::to_value(invoke(function, event, clock).await).ok()
}

/// The output format of a proxy integration; anything else is "Malformed Lambda proxy response".
fn decode(output: &Value) -> Option<Response<Body>> {
    let status = output.get("statusCode")?.as_u64().and_then(|status| u16::try_from(status).ok())?;
    let body = output.get("body").and_then(Value::as_str).unwrap_or_default();
    let body = match output.get("isBase64Encoded").and_then(Value::as_bool) {
        Some(true) => Bytes::from(BASE64_STANDARD.decode(body).ok()?),
        _ => Bytes::from(body.to_owned()),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).ok()?;
    for (name, values) in output.get("multiValueHeaders")?.as_object()? {
        for value in values.as_array()? {
            response
                .headers_mut()
                .append(name.parse::<HeaderName>().ok()?, value.as_str()?.parse::<HeaderValue>().ok()?);
        }
    }
    Some(response)
}
