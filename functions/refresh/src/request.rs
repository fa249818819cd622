//! The bodies of `POST /refresh` and `POST /oauth/token`.

use auth_core::scope::Scope;
use auth_http::body::{self, Unreadable};
use auth_http::request::Request;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::Refusal;

const EXPECTED: &str = "expected {\"refresh_token\", \"scope\"?}, both strings";

/// A refresh token, and what is wanted for it.
pub(crate) struct RefreshRequest {
    pub(crate) refresh_token: Zeroizing<String>,
    /// What the access token shall be used for, if less than all.
    pub(crate) scope: Option<Scope>,
    /// The client that the token was issued to, if the request names one (RFC 6749 §3.2.1).
    pub(crate) client_id: Option<String>,
}

#[derive(Deserialize)]
struct RefreshBody {
    refresh_token: Zeroizing<String>,
    scope: Option<String>,
}

impl RefreshRequest {
    pub(crate) fn parse(request: &Request) -> Result<Self, Refusal> {
        match request.route.as_str() {
            "/refresh" => Self::from_json(request),
            "/oauth/token" => Self::from_form(request),
            _ => Err(Refusal::NoSuchRoute),
        }
    }

    fn from_json(request: &Request) -> Result<Self, Refusal> {
        let body: RefreshBody = body::json(request, EXPECTED)?;
        Ok(Self { refresh_token: body.refresh_token, scope: scope(body.scope.as_deref())?, client_id: None })
    }

    /// RFC 6749 §6.
    fn from_form(request: &Request) -> Result<Self, Refusal> {
        let mut form = body::form(request)?;
        match form.get("grant_type").map(String::as_str) {
            Some("refresh_token") => {}
            Some(_) => return Err(Refusal::UnsupportedGrantType),
            None => return Err(Unreadable::Malformed("grant_type is missing").into()),
        }
        let refresh_token = form.remove("refresh_token").ok_or(Unreadable::Malformed("refresh_token is missing"))?;
        Ok(Self {
            refresh_token: refresh_token.into(),
            scope: scope(form.get("scope").map(String::as_str))?,
            client_id: form.remove("client_id"),
        })
    }
}

fn scope(text: Option<&str>) -> Result<Option<Scope>, Refusal> {
    text.map(Scope::parse).transpose().map_err(|_| Refusal::Scope)
}
