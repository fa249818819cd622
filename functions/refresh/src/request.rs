//! The body of `POST /refresh`, and that of a refresh at `POST /oauth/token`.

use auth_core::scope::Scope;
use auth_http::body::{self, Form, Unreadable};
use auth_http::browser::{Browsers, Caller, Cookies};
use auth_http::request::Request;
use serde::Deserialize;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use crate::Refusal;

const EXPECTED: &str = "expected {\"refresh_token\", \"scope\"?}, both strings";
const EXPECTED_OF_BROWSERS: &str = "expected nothing, or {\"scope\"?}, a string";

/// A refresh token, and what is wanted for it.
pub(crate) struct RefreshRequest {
    pub(crate) caller: Caller,
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

#[derive(Default, Deserialize)]
struct BrowserBody {
    refresh_token: Option<IgnoredAny>,
    scope: Option<String>,
}

impl RefreshRequest {
    /// `POST /refresh`.
    pub(crate) fn parse(request: &Request, browsers: &Browsers) -> Result<Self, Refusal> {
        match browsers.caller(request)? {
            Caller::App => Self::from_json(request),
            Caller::Browser(cookies) => Self::from_cookie(request, cookies),
        }
    }

    fn from_json(request: &Request) -> Result<Self, Refusal> {
        let body: RefreshBody = body::json(request, EXPECTED)?;
        let scope = scope(body.scope.as_deref())?;
        Ok(Self { caller: Caller::App, refresh_token: body.refresh_token, scope, client_id: None })
    }

    fn from_cookie(request: &Request, cookies: Cookies) -> Result<Self, Refusal> {
        let body: BrowserBody = body::json_if_any(request, EXPECTED_OF_BROWSERS)?;
        if body.refresh_token.is_some() {
            return Err(Unreadable::Malformed("a browser's refresh token is in its cookie").into());
        }
        let scope = scope(body.scope.as_deref())?;
        let refresh_token = cookies.refresh_token()?.ok_or(Refusal::NoCookie)?.to_owned().into();
        Ok(Self { caller: Caller::Browser(cookies), refresh_token, scope, client_id: None })
    }

    /// RFC 6749 §6.
    pub(crate) fn from_form(form: &mut Form) -> Result<Self, Refusal> {
        let refresh_token = form.remove("refresh_token").ok_or(Unreadable::Malformed("refresh_token is missing"))?;
        Ok(Self {
            caller: Caller::App,
            refresh_token: refresh_token.into(),
            scope: scope(form.get("scope").map(String::as_str))?,
            client_id: form.remove("client_id"),
        })
    }
}

pub(crate) fn scope(text: Option<&str>) -> Result<Option<Scope>, Refusal> {
    text.map(Scope::parse).transpose().map_err(|_| Refusal::Scope)
}
