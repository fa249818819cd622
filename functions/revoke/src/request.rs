//! The bodies of `POST /logout` and `POST /oauth/revoke`.

use auth_http::bearer;
use auth_http::body::{self, Unreadable};
use auth_http::browser::{Browsers, Caller, Cookies};
use auth_http::request::Request;
use serde::Deserialize;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use crate::Refusal;

const EXPECTED: &str =
    "expected {\"refresh_token\"?, \"sessions\"?: \"this\", \"all\" or \"others\"}, with that token or an access token";
const EXPECTED_OF_BROWSERS: &str = "expected nothing, or {\"sessions\"?: \"this\", \"all\" or \"others\"}";

/// Who signs out, and of what.
pub(crate) struct LogoutRequest<'a> {
    pub(crate) caller: Caller,
    pub(crate) credential: Credential<'a>,
    pub(crate) sessions: Sessions,
}

/// What says whose sessions are meant.
pub(crate) enum Credential<'a> {
    RefreshToken(Zeroizing<String>),
    AccessToken(&'a str),
    /// A browser's that has neither: nobody is signed in there.
    Nothing,
}

/// Which sessions shall end, seen from that of the token.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sessions {
    #[default]
    This,
    All,
    Others,
}

impl Sessions {
    /// What the log calls it, as the request does.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::This => "this",
            Self::All => "all",
            Self::Others => "others",
        }
    }
}

#[derive(Default, Deserialize)]
struct AppBody {
    refresh_token: Option<Zeroizing<String>>,
    sessions: Option<Sessions>,
}

#[derive(Default, Deserialize)]
struct BrowserBody {
    refresh_token: Option<IgnoredAny>,
    sessions: Option<Sessions>,
}

impl<'a> LogoutRequest<'a> {
    pub(crate) fn parse(request: &'a Request, browsers: &Browsers) -> Result<Self, Refusal> {
        match browsers.caller(request)? {
            Caller::App => Self::from_app(request),
            Caller::Browser(cookies) => Self::from_browser(request, cookies),
        }
    }

    fn from_app(request: &'a Request) -> Result<Self, Refusal> {
        let body: AppBody = body::json_if_any(request, EXPECTED)?;
        let credential = match Credential::find(body.refresh_token, request)? {
            Credential::Nothing => return Err(Unreadable::Malformed(EXPECTED).into()),
            credential => credential,
        };
        Ok(Self { caller: Caller::App, credential, sessions: body.sessions.unwrap_or_default() })
    }

    fn from_browser(request: &'a Request, cookies: Cookies) -> Result<Self, Refusal> {
        let body: BrowserBody = body::json_if_any(request, EXPECTED_OF_BROWSERS)?;
        if body.refresh_token.is_some() {
            return Err(Unreadable::Malformed("a browser's refresh token is in its cookie").into());
        }
        let refresh_token = cookies.refresh_token()?.map(|token| token.to_owned().into());
        let credential = Credential::find(refresh_token, request)?;
        Ok(Self { caller: Caller::Browser(cookies), credential, sessions: body.sessions.unwrap_or_default() })
    }
}

impl<'a> Credential<'a> {
    /// The refresh token decides. Beside it the header field is not even looked at: clients put it on every request, and an
    /// access token that has expired must keep nobody from signing out.
    fn find(refresh_token: Option<Zeroizing<String>>, request: &'a Request) -> Result<Self, Refusal> {
        match refresh_token {
            Some(refresh_token) => Ok(Self::RefreshToken(refresh_token)),
            None => Ok(bearer::token(request)?.map_or(Self::Nothing, Self::AccessToken)),
        }
    }
}

/// The token of a revocation request (RFC 7009 §2.1). Its `token_type_hint` is not needed: no token of one type passes for
/// one of the other.
pub(crate) fn revoked_token(request: &Request) -> Result<Zeroizing<String>, Unreadable> {
    let token = body::form(request)?.remove("token");
    token.map(Zeroizing::new).ok_or(Unreadable::Malformed("token is missing"))
}
