//! A gateway that behaves as API Gateway's REST APIs do: routes, TOKEN authorizer with its cache, gateway responses.
//!
//! Each behaviour that is not obvious names the rule of API Gateway's developer guide that it follows.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auth_core::entropy::{Entropy, NoEntropy};
use auth_core::id::TokenId;
use auth_core::time::{Clock as _, UnixTime};
use auth_http::function::{Function, invoke};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE,
    RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tracing::Instrument as _;

use crate::clock::LocalClock;
use crate::event::{self, Received};
use crate::policy::{Answer, Verdict};

/// "Payload size: 10 MB" (quotas of REST APIs).
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
    /// `sessions`.
    Sessions,
    /// `discovery`.
    Discovery,
}

/// A path of the API; every method of it goes to the function.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The path.
    pub path: &'static str,
    /// The function.
    pub target: Target,
    /// Whether the authorizer is asked before.
    pub authorized: bool,
}

/// The API. A test holds it against `template.yaml`.
pub const ROUTES: [Route; 8] = [
    Route { path: "/login", target: Target::Login, authorized: false },
    Route { path: "/refresh", target: Target::Refresh, authorized: false },
    Route { path: "/oauth/token", target: Target::Refresh, authorized: false },
    Route { path: "/logout", target: Target::Revoke, authorized: false },
    Route { path: "/me", target: Target::Sessions, authorized: true },
    Route { path: "/.well-known/jwks.json", target: Target::Discovery, authorized: false },
    Route { path: "/.well-known/openid-configuration", target: Target::Discovery, authorized: false },
    Route { path: "/.well-known/oauth-authorization-server", target: Target::Discovery, authorized: false },
];

/// The functions behind the gateway.
pub(crate) struct Functions {
    pub(crate) login: login::App,
    pub(crate) refresh: refresh::App,
    pub(crate) revoke: revoke::App,
    pub(crate) sessions: sessions::App,
    pub(crate) discovery: discovery::App,
    pub(crate) authorizer: authorizer::App,
}

/// The gateway and all that it leads to.
pub(crate) struct Gateway {
    pub(crate) functions: Functions,
    pub(crate) clock: Arc<LocalClock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    /// How long an authorizer's answer serves; zero never.
    pub(crate) authorizer_ttl: Duration,
    pub(crate) cache: Mutex<HashMap<String, Cached>>,
}

/// An authorizer's answer, for every route of the stage.
pub(crate) struct Cached {
    answer: Answer,
    until: UnixTime,
}

/// What the gateway answers by itself: `GatewayResponses` of the template. A test holds them against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayResponse {
    /// `UNAUTHORIZED`: no token, or one that the authorizer does not accept.
    Unauthorized,
    /// `ACCESS_DENIED`: a token without the right.
    AccessDenied,
    /// `MISSING_AUTHENTICATION_TOKEN`: the gateway's name for a path that it does not know.
    MissingAuthenticationToken,
    /// `DEFAULT_5XX`: the authorizer or a function failed.
    Default5xx,
    /// `REQUEST_TOO_LARGE`: the payload is over the gateway's limit; answered as `DEFAULT_4XX` says.
    RequestTooLarge,
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
    gateway.answer(from, request).await.unwrap_or_else(GatewayResponse::respond)
}

impl Gateway {
    async fn answer(self: &Arc<Self>, from: SocketAddr, request: Request) -> Result<Response<Body>, GatewayResponse> {
        let at = self.clock.now();
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, MAX_PAYLOAD).await.map_err(|_| GatewayResponse::RequestTooLarge)?;
        if parts.uri.path() == "/_local/clock" {
            return Ok(self.advance_clock(&parts, &body));
        }
        let route = ROUTES.iter().find(|route| route.path == parts.uri.path());
        let route = route.ok_or(GatewayResponse::MissingAuthenticationToken)?;
        // A preflight carries no token: the API has a method OPTIONS of its own beside ANY, without the authorizer.
        let authorized = route.authorized && parts.method != Method::OPTIONS;
        let authorizer = if authorized { Some(self.authorize(&parts, at)?) } else { None };
        let id = self.request_id().map_err(|_| GatewayResponse::Default5xx)?;
        let received = Received { id, at, from: from.ip() };
        let event = event::proxy(route.path, &parts, &body, &received, authorizer.as_ref());
        self.invoke(route.target, event, &received.id).await
    }

    /// Asks the authorizer, or its cache. "The identity source is the cache key"; without one the request is refused
    /// before the authorizer is asked.
    fn authorize(&self, parts: &Parts, now: UnixTime) -> Result<Map<String, Value>, GatewayResponse> {
        let token = identity_source(&parts.headers).ok_or(GatewayResponse::Unauthorized)?;
        let arn = event::method_arn(parts);
        let answer = match self.cached(&token, now) {
            Some(answer) => answer,
            None => self.ask(&token, &arn, now)?,
        };
        match answer.verdict(&arn) {
            Verdict::Allowed => answer.context().ok_or(GatewayResponse::Default5xx),
            Verdict::NotAllowed | Verdict::Denied => Err(GatewayResponse::AccessDenied),
        }
    }

    fn ask(&self, token: &str, arn: &str, now: UnixTime) -> Result<Answer, GatewayResponse> {
        // The error's text is `Unauthorized`: with any other the gateway answers 500.
        let answer = self.functions.authorizer.authorize(&event::token(arn, token));
        let answer = answer.map_err(|_| GatewayResponse::Unauthorized)?;
        let json = serde_json::to_value(answer).map_err(|_| GatewayResponse::Default5xx)?;
        let answer: Answer = serde_json::from_value(json).map_err(|_| GatewayResponse::Default5xx)?;
        if !self.authorizer_ttl.is_zero() {
            let cached = Cached { answer: answer.clone(), until: now + self.authorizer_ttl };
            self.cache.lock().unwrap_or_else(PoisonError::into_inner).insert(token.to_owned(), cached);
        }
        Ok(answer)
    }

    fn cached(&self, token: &str, now: UnixTime) -> Option<Answer> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.retain(|_, cached| now < cached.until);
        cache.get(token).map(|cached| cached.answer.clone())
    }

    /// Invokes a function in a task of its own: its panic is a failed invocation, as on Lambda.
    async fn invoke(
        self: &Arc<Self>,
        target: Target,
        event: Value,
        request_id: &str,
    ) -> Result<Response<Body>, GatewayResponse> {
        let gateway = Arc::clone(self);
        let span = auth_log::invocation(request_id);
        let invocation = async move {
            let functions = &gateway.functions;
            match target {
                Target::Login => to_json(&functions.login, &event).await,
                Target::Refresh => to_json(&functions.refresh, &event).await,
                Target::Revoke => to_json(&functions.revoke, &event).await,
                Target::Sessions => to_json(&functions.sessions, &event).await,
                Target::Discovery => to_json(&functions.discovery, &event).await,
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

/// The `Authorization` header; several are joined, as HTTP does (RFC 9110 §5.3).
fn identity_source(headers: &HeaderMap) -> Option<String> {
    let values: Vec<_> =
        headers.get_all(AUTHORIZATION).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let joined = values.join(", ");
    (!joined.is_empty()).then_some(joined)
}

async fn to_json(function: &impl Function, event: &Value) -> Option<Value> {
    serde_json::to_value(invoke(function, event).await).ok()
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

impl GatewayResponse {
    /// The status that callers see.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::AccessDenied => StatusCode::FORBIDDEN,
            Self::MissingAuthenticationToken => StatusCode::NOT_FOUND,
            Self::Default5xx => StatusCode::SERVICE_UNAVAILABLE,
            Self::RequestTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }

    /// The header fields of all of them. They stand in the template as they are, the same for every caller, so pages of all
    /// origins may read them; never those that send cookies, who see a broken network instead, and come again.
    pub const SHARED: [(HeaderName, &str); 4] = [
        (CONTENT_TYPE, "application/problem+json"),
        (CACHE_CONTROL, "no-store"),
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_EXPOSE_HEADERS, "Retry-After, WWW-Authenticate"),
    ];

    /// The header field besides those.
    pub fn header(self) -> Option<(HeaderName, &'static str)> {
        match self {
            Self::Unauthorized => Some((WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")),
            Self::AccessDenied => Some((WWW_AUTHENTICATE, "Bearer error=\"insufficient_scope\"")),
            Self::Default5xx => Some((RETRY_AFTER, "2")),
            Self::MissingAuthenticationToken | Self::RequestTooLarge => None,
        }
    }

    /// The body: problem details.
    pub fn body(self) -> Value {
        let detail = match self {
            Self::Unauthorized => "the access token is missing, expired or not valid",
            Self::AccessDenied => "the access token does not reach this far",
            Self::MissingAuthenticationToken => "there is nothing at this path",
            Self::Default5xx => "try again",
            // `$context.error.messageString`
            Self::RequestTooLarge => return json!({"title": "Request Too Long"}),
        };
        let status = self.status();
        json!({"title": status.canonical_reason(), "status": status.as_u16(), "detail": detail})
    }

    fn respond(self) -> Response<Body> {
        let mut response = json_response(self.status(), &self.body());
        let headers = response.headers_mut();
        for (name, value) in Self::SHARED.into_iter().chain(self.header()) {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

fn json_response(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
