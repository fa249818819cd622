//! The body of `POST /logout`.

use auth_http::body::{self, Unreadable};
use auth_http::browser::{Browsers, Caller, Cookies};
use auth_http::request::Request;
use serde::Deserialize;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use crate::Refusal;

const EXPECTED: &str = "expected {\"refresh_token\"}, a string";

/// Which session shall end.
pub(crate) struct LogoutRequest {
    pub(crate) caller: Caller,
    /// A token of the session. None from a browser that has none any more.
    pub(crate) refresh_token: Option<Zeroizing<String>>,
}

#[derive(Deserialize)]
struct AppBody {
    refresh_token: Zeroizing<String>,
}

#[derive(Default, Deserialize)]
struct BrowserBody {
    refresh_token: Option<IgnoredAny>,
}

impl LogoutRequest {
    pub(crate) fn parse(request: &Request, browsers: &Browsers) -> Result<Self, Refusal> {
        match browsers.caller(request)? {
            Caller::App => Self::from_json(request),
            Caller::Browser(cookies) => Self::from_cookie(request, cookies),
        }
    }

    fn from_json(request: &Request) -> Result<Self, Refusal> {
        let body: AppBody = body::json(request, EXPECTED)?;
        Ok(Self { caller: Caller::App, refresh_token: Some(body.refresh_token) })
    }

    fn from_cookie(request: &Request, cookies: Cookies) -> Result<Self, Refusal> {
        let body: BrowserBody = body::json_if_any(request, "expected nothing, or a JSON object")?;
        if body.refresh_token.is_some() {
            return Err(Unreadable::Malformed("a browser's refresh token is in its cookie").into());
        }
        let refresh_token = cookies.refresh_token()?.map(|token| token.to_owned().into());
        Ok(Self { caller: Caller::Browser(cookies), refresh_token })
    }
}
