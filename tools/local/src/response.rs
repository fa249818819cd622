//! What the gateway answers by itself.

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

/// A gateway response of a REST API, as `GatewayResponses` of the template makes them. A test holds them against it.
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

    /// The answer of a REST or WebSocket API.
    pub(crate) fn respond(self) -> Response<Body> {
        let mut response = json_response(self.status(), &self.body());
        let headers = response.headers_mut();
        for (name, value) in Self::SHARED.into_iter().chain(self.header()) {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }

    /// The answer of an HTTP API, which has no gateway responses: a message, and nothing that could be set.
    pub(crate) fn respond_as_http_api(self) -> Response<Body> {
        let status = match self {
            Self::Default5xx => StatusCode::INTERNAL_SERVER_ERROR,
            _ => self.status(),
        };
        json_response(status, &json!({"message": status.canonical_reason()}))
    }
}

pub(crate) fn json_response(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
