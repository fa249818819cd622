//! Answers: tokens (RFC 6749 §5.1), OAuth errors (§5.2), problem details (RFC 9457), challenges (RFC 6750 §3).

use std::time::Duration;

use auth_core::issuer::AccessToken;
use auth_core::scope::Scope;
use lambda_http::Body;
use lambda_http::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use lambda_http::http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use crate::body::Unreadable;

/// An answer of a function.
pub type Response = lambda_http::Response<Body>;

/// What token exchange calls an access token (RFC 8693 §3).
pub const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";

/// How long a caller waits after a fault of ours.
const FAULT_RETRY_AFTER: Duration = Duration::from_secs(2);

/// The error codes of a token endpoint (RFC 6749 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OAuthCode {
    /// The request is malformed.
    InvalidRequest,
    /// The caller is no client, or does not prove it.
    InvalidClient,
    /// The credentials or the refresh token are not good, or not any more.
    InvalidGrant,
    /// The scope is malformed or wider than what was granted.
    InvalidScope,
    /// The token cannot be for that resource or audience (RFC 8693 §2.2.2).
    InvalidTarget,
    /// The client may not use this grant type.
    UnauthorizedClient,
    /// The grant type is none that this endpoint knows.
    UnsupportedGrantType,
}

/// 200 with tokens (RFC 6749 §5.1), without the refresh token if the caller gets it in another way.
pub fn tokens(access: &AccessToken, refresh_token: Option<&str>, scope: &Scope) -> Response {
    #[derive(Serialize)]
    struct Tokens<'a> {
        access_token: &'a str,
        token_type: &'a str,
        expires_in: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        refresh_token: Option<&'a str>,
        scope: &'a str,
    }
    let tokens = Tokens {
        access_token: &access.text,
        token_type: "Bearer",
        expires_in: access.expires_in.as_secs(),
        refresh_token,
        scope: scope.as_str(),
    };
    secret_json(StatusCode::OK, "application/json", &tokens)
}

/// 200 with an access token that was given for another one (RFC 8693 §2.2.1).
pub fn exchanged(access: &AccessToken, scope: &Scope) -> Response {
    #[derive(Serialize)]
    struct Exchanged<'a> {
        access_token: &'a str,
        issued_token_type: &'static str,
        token_type: &'static str,
        expires_in: u64,
        scope: &'a str,
    }
    let exchanged = Exchanged {
        access_token: &access.text,
        issued_token_type: ACCESS_TOKEN_TYPE,
        token_type: "Bearer",
        expires_in: access.expires_in.as_secs(),
        scope: scope.as_str(),
    };
    secret_json(StatusCode::OK, "application/json", &exchanged)
}

/// 200 with a JSON document about the caller.
pub fn document(document: &impl Serialize) -> Response {
    secret_json(StatusCode::OK, "application/json", document)
}

/// 200 with nothing in it: it is done (RFC 7009 §2.2).
pub fn done() -> Response {
    with_header(Response::new(Body::Empty), CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

/// 204: it is done, and there is nothing to say.
pub fn no_content() -> Response {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    with_header(response, CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

/// 400 with an OAuth error.
pub fn oauth_error(code: OAuthCode, description: &str) -> Response {
    oauth(StatusCode::BAD_REQUEST, code, description)
}

/// 401 with an OAuth error and a challenge: the caller has to prove which client it is. (A 401 never goes without a
/// challenge, RFC 9110 §15.5.2; RFC 6749 §5.2 asks for it where the header field was used.)
pub fn invalid_client() -> Response {
    let response = oauth(StatusCode::UNAUTHORIZED, OAuthCode::InvalidClient, "client authentication failed");
    with_header(response, WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"countersign\""))
}

/// 400 `invalid_scope`: the token would be too long for a header field. It says which claims are too big: with less scope there may
/// be one.
pub fn token_too_long(why: &str) -> Response {
    tracing::error!(event = "token_too_long", error = why);
    oauth_error(OAuthCode::InvalidScope, why)
}

/// A request to a token endpoint that is not understood: 400, 405, 413 or 415 with an OAuth error.
pub fn oauth_unreadable(error: Unreadable) -> Response {
    with_allow(oauth(status(error), OAuthCode::InvalidRequest, &error.to_string()), error)
}

/// A request to another endpoint that is not understood: 400, 405, 413 or 415 with problem details.
pub fn problem_unreadable(error: Unreadable) -> Response {
    with_allow(problem(status(error), &error.to_string()), error)
}

/// 403 with problem details.
pub fn forbidden(detail: &str) -> Response {
    problem(StatusCode::FORBIDDEN, detail)
}

/// 403 with the challenge that says "do not bother": the access token is good, and does not reach this far (RFC 6750 §3.1).
pub fn insufficient_scope() -> Response {
    let response = problem(StatusCode::FORBIDDEN, "the access token does not reach this far");
    with_header(response, WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"insufficient_scope\""))
}

/// 404 with problem details.
pub fn not_found() -> Response {
    problem(StatusCode::NOT_FOUND, "there is nothing at this path")
}

/// 401 with a challenge. Without an error code: the request carried no token at all (RFC 6750 §3.1).
pub fn unauthorized() -> Response {
    let response = problem(StatusCode::UNAUTHORIZED, "an access token is needed");
    with_header(response, WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

/// 401 with the challenge that says "refresh": the access token is none, or not good any more (RFC 6750 §3.1).
pub fn invalid_token() -> Response {
    let response = problem(StatusCode::UNAUTHORIZED, "the access token is missing, expired or not valid");
    with_header(response, WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""))
}

/// 429, with the time to wait. Without an OAuth error code: clients take those as the end of the session.
pub fn throttled(retry_after: Duration) -> Response {
    let response = problem(StatusCode::TOO_MANY_REQUESTS, "too many attempts");
    with_header(response, RETRY_AFTER, seconds(retry_after))
}

/// 503: a fault of ours, worth another try. Without an OAuth error code: clients take those as the end of the session.
pub fn unavailable() -> Response {
    let response = problem(StatusCode::SERVICE_UNAVAILABLE, "try again");
    with_header(response, RETRY_AFTER, seconds(FAULT_RETRY_AFTER))
}

fn oauth(status: StatusCode, error: OAuthCode, error_description: &str) -> Response {
    #[derive(Serialize)]
    struct OAuthError<'a> {
        error: OAuthCode,
        error_description: &'a str,
    }
    secret_json(status, "application/json", &OAuthError { error, error_description })
}

/// `type` is left out, which says `about:blank`: the status tells the kind (RFC 9457 §4.2.1).
fn problem(status: StatusCode, detail: &str) -> Response {
    #[derive(Serialize)]
    struct Problem<'a> {
        title: &'a str,
        status: u16,
        detail: &'a str,
    }
    let title = status.canonical_reason().unwrap_or_default();
    secret_json(status, "application/problem+json", &Problem { title, status: status.as_u16(), detail })
}

fn status(error: Unreadable) -> StatusCode {
    match error {
        Unreadable::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
        Unreadable::ContentType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Unreadable::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Unreadable::Malformed(_) => StatusCode::BAD_REQUEST,
    }
}

fn with_allow(response: Response, error: Unreadable) -> Response {
    match error {
        Unreadable::Method(allowed) => with_header(response, ALLOW, HeaderValue::from_static(allowed)),
        _ => response,
    }
}

/// Rounds up: a caller who waits that long does not come too early.
fn seconds(duration: Duration) -> HeaderValue {
    HeaderValue::from(duration.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX))
}

/// JSON that no cache may keep: it carries a token, concerns one caller, or is an error.
fn secret_json(status: StatusCode, content_type: &'static str, body: &impl Serialize) -> Response {
    let response = json(status, content_type, body);
    with_header(response, CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

/// 200 with a JSON document for everyone, pages of all origins among them, which may be kept for `max_age`.
pub fn public_document(document: &impl Serialize, max_age: Duration) -> Response {
    let response = json(StatusCode::OK, "application/json", document);
    let response = with_header(response, ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let value = format!("public, max-age={}", max_age.as_secs());
    match HeaderValue::try_from(value) {
        Ok(value) => with_header(response, CACHE_CONTROL, value),
        Err(_) => response,
    }
}

fn json(status: StatusCode, content_type: &'static str, body: &impl Serialize) -> Response {
    // These types have no map keys or values that JSON lacks.
    let body = serde_json::to_string(body).unwrap_or_default();
    let mut response = Response::new(Body::Text(body));
    *response.status_mut() = status;
    with_header(response, CONTENT_TYPE, HeaderValue::from_static(content_type))
}

fn with_header(mut response: Response, name: HeaderName, value: HeaderValue) -> Response {
    response.headers_mut().insert(name, value);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(response: &Response) -> String {
        let body = match response.body() {
            Body::Text(body) => body,
            Body::Empty => "",
            _ => panic!("no text"),
        };
        let mut headers: Vec<String> =
            response.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        headers.sort();
        format!("{} {} | {body}", response.status().as_u16(), headers.join(", "))
    }

    #[test]
    fn the_shapes() {
        let access = AccessToken { text: "a".to_owned(), expires_in: Duration::from_mins(10) };
        let cases = [
            (
                tokens(&access, Some("r"), &Scope::parse("s").unwrap()),
                r#"200 cache-control: no-store, content-type: application/json | {"access_token":"a","token_type":"Bearer","expires_in":600,"refresh_token":"r","scope":"s"}"#,
            ),
            (
                tokens(&access, None, &Scope::parse("s").unwrap()),
                r#"200 cache-control: no-store, content-type: application/json | {"access_token":"a","token_type":"Bearer","expires_in":600,"scope":"s"}"#,
            ),
            (
                exchanged(&access, &Scope::parse("s").unwrap()),
                r#"200 cache-control: no-store, content-type: application/json | {"access_token":"a","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer","expires_in":600,"scope":"s"}"#,
            ),
            (done(), "200 cache-control: no-store | "),
            (no_content(), "204 cache-control: no-store | "),
            (
                forbidden("d"),
                r#"403 cache-control: no-store, content-type: application/problem+json | {"title":"Forbidden","status":403,"detail":"d"}"#,
            ),
            (
                oauth_error(OAuthCode::InvalidGrant, "d"),
                r#"400 cache-control: no-store, content-type: application/json | {"error":"invalid_grant","error_description":"d"}"#,
            ),
            (
                invalid_client(),
                r#"401 cache-control: no-store, content-type: application/json, www-authenticate: Basic realm="countersign" | {"error":"invalid_client","error_description":"client authentication failed"}"#,
            ),
            (
                oauth_unreadable(Unreadable::Method("POST")),
                r#"405 allow: POST, cache-control: no-store, content-type: application/json | {"error":"invalid_request","error_description":"allowed methods: POST"}"#,
            ),
            (
                problem_unreadable(Unreadable::Method("GET")),
                r#"405 allow: GET, cache-control: no-store, content-type: application/problem+json | {"title":"Method Not Allowed","status":405,"detail":"allowed methods: GET"}"#,
            ),
            (
                unauthorized(),
                r#"401 cache-control: no-store, content-type: application/problem+json, www-authenticate: Bearer | {"title":"Unauthorized","status":401,"detail":"an access token is needed"}"#,
            ),
            (
                invalid_token(),
                r#"401 cache-control: no-store, content-type: application/problem+json, www-authenticate: Bearer error="invalid_token" | {"title":"Unauthorized","status":401,"detail":"the access token is missing, expired or not valid"}"#,
            ),
            (
                insufficient_scope(),
                r#"403 cache-control: no-store, content-type: application/problem+json, www-authenticate: Bearer error="insufficient_scope" | {"title":"Forbidden","status":403,"detail":"the access token does not reach this far"}"#,
            ),
            (
                throttled(Duration::from_millis(1001)),
                r#"429 cache-control: no-store, content-type: application/problem+json, retry-after: 2 | {"title":"Too Many Requests","status":429,"detail":"too many attempts"}"#,
            ),
            (
                unavailable(),
                r#"503 cache-control: no-store, content-type: application/problem+json, retry-after: 2 | {"title":"Service Unavailable","status":503,"detail":"try again"}"#,
            ),
            (
                public_document(&"x", Duration::from_secs(60)),
                r#"200 access-control-allow-origin: *, cache-control: public, max-age=60, content-type: application/json | "x""#,
            ),
        ];
        for (response, expected) in cases {
            assert_eq!(shown(&response), expected);
        }
    }
}
