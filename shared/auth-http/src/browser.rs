//! Browsers as callers: who may be one, and, in cookie mode, where a page's refresh token is kept from its scripts.

use std::time::Duration;

use auth_core::config::{ConfigError, Variables};
use auth_core::issuer::AccessToken;
use auth_core::scope::Scope;
use lambda_http::http::header::ORIGIN;
use lambda_http::http::{HeaderName, Method};
use zeroize::Zeroizing;

use crate::body::Unreadable;
use crate::cookie;
use crate::origin::Origins;
use crate::request::Request;
use crate::response::{self, Response};

/// The header field by which a page says that it is one, with the value `browser`. It is none that pages of other origins
/// may send unasked: they need a preflight, which only allowed origins get.
const CLIENT: HeaderName = HeaderName::from_static("countersign-client");

/// How a function treats browsers.
///
/// Invariant: in cookie mode the origins are named, each of them. A page of any other is refused before anything is done.
#[derive(Clone, Debug, Default)]
pub struct Browsers {
    origins: Origins,
    cookie_mode: bool,
}

/// Who sends a request, judged once. No `Debug`: it holds a token.
pub enum Caller {
    /// An app or a server, or, without cookie mode, anyone: the refresh token goes in bodies.
    App,
    /// A page of an allowed origin, in cookie mode: the refresh token goes in a cookie.
    Browser(Cookies),
}

/// What a browser keeps for its page.
pub struct Cookies {
    /// What stands before the route in the URL that the browser knows.
    base: String,
    refresh_tokens: Vec<Zeroizing<String>>,
}

/// Why a browser's request is refused in cookie mode. The caller is told which: it says nothing of anybody's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrowserRefused {
    /// Another site's page, or one that hides where it is from.
    #[error("the origin is not allowed")]
    Origin,
    /// What any page could send unasked.
    #[error("expected the header field Countersign-Client: browser")]
    Unmarked,
    /// No browser leaves the field out of such a request.
    #[error("expected the header field Origin")]
    NoOrigin,
    /// The route holds no cookies.
    #[error("browsers refresh at /refresh")]
    Route,
}

impl Browsers {
    /// Reads `ALLOWED_ORIGINS`, for a function that holds no cookies.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn without_cookies(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        Ok(Self { origins: Origins::from_variables(variables)?, cookie_mode: false })
    }

    /// Reads `ALLOWED_ORIGINS` and `COOKIE_MODE`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable, or both when they contradict each other.
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let origins = Origins::from_variables(variables)?;
        let cookie_mode = variables.switch("COOKIE_MODE", false)?;
        if cookie_mode && !matches!(origins, Origins::These(_)) {
            let text = "COOKIE_MODE=on needs ALLOWED_ORIGINS to name each origin: not none, not *";
            return Err(ConfigError::Contradiction(text.to_owned()));
        }
        Ok(Self { origins, cookie_mode })
    }

    pub(crate) const fn origins(&self) -> &Origins {
        &self.origins
    }

    pub(crate) const fn in_cookie_mode(&self) -> bool {
        self.cookie_mode
    }

    /// Judges who sends a request to a route that holds cookies.
    ///
    /// Browsers put `Origin` on every POST, and no page can take it off; so one without the field is no browser's, and its
    /// cookies, if it has any, are not looked at. Nor are those of another method, which these routes do not have.
    ///
    /// # Errors
    ///
    /// [`BrowserRefused`] in cookie mode, for pages of origins that are not allowed and for what only looks like a page.
    pub fn caller(&self, request: &Request) -> Result<Caller, BrowserRefused> {
        let looks_like_one = [ORIGIN, CLIENT].iter().any(|name| request.headers.contains_key(name));
        if !self.cookie_mode || request.method != Method::POST || !looks_like_one {
            return Ok(Caller::App);
        }
        if !request.headers.contains_key(ORIGIN) {
            return Err(BrowserRefused::NoOrigin);
        }
        if !request.header(&ORIGIN).is_some_and(|origin| self.origins.allow(origin)) {
            return Err(BrowserRefused::Origin);
        }
        if request.header(&CLIENT) != Some("browser") {
            return Err(BrowserRefused::Unmarked);
        }
        Ok(Caller::Browser(Cookies::of(request)))
    }

    /// Refuses browsers at a route that holds no cookies, such as the token endpoint, which is for OAuth's clients.
    ///
    /// # Errors
    ///
    /// [`BrowserRefused`] in cookie mode.
    pub fn refuse(&self, request: &Request) -> Result<(), BrowserRefused> {
        match self.caller(request)? {
            Caller::App => Ok(()),
            Caller::Browser(_) => Err(BrowserRefused::Route),
        }
    }
}

impl Caller {
    /// 200 with a pair of tokens. A browser's refresh token goes into its cookie, for `life`: the longest that a session
    /// can idle, always, because what is left of it would tell a thief when the owner refreshed.
    pub fn tokens(&self, access: &AccessToken, refresh_token: &str, scope: &Scope, life: Duration) -> Response {
        match self {
            Self::App => response::tokens(access, Some(refresh_token), scope),
            Self::Browser(Cookies { base, .. }) => {
                let mut response = response::tokens(access, None, scope);
                cookie::set(&mut response, base, refresh_token, life);
                response
            }
        }
    }

    /// 204 to whoever has signed out. A browser forgets its token.
    pub fn signed_out(&self) -> Response {
        let mut response = response::no_content();
        if let Self::Browser(Cookies { base, .. }) = self {
            cookie::clear(&mut response, base);
        }
        response
    }
}

impl Cookies {
    fn of(request: &Request) -> Self {
        let path = request.context.path.trim_end_matches('/');
        let base = path.strip_suffix(request.route.as_str()).filter(|base| is_path(base));
        Self { base: base.unwrap_or_default().to_owned(), refresh_tokens: cookie::read(request) }
    }

    /// The refresh token, if there is one.
    ///
    /// # Errors
    ///
    /// [`Unreadable::Malformed`] when there are two: a neighbouring domain may have planted one of them.
    pub fn refresh_token(&self) -> Result<Option<&str>, Unreadable> {
        match self.refresh_tokens.as_slice() {
            [] => Ok(None),
            [token] => Ok(Some(token)),
            _ => Err(Unreadable::Malformed("the cookie of the refresh token stands there twice")),
        }
    }
}

impl BrowserRefused {
    /// What the log calls it.
    const fn reason(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::Unmarked => "unmarked",
            Self::NoOrigin => "no_origin",
            Self::Route => "route",
        }
    }

    /// 403 with problem details. Without an OAuth error code: clients take those as the end of the session.
    pub fn into_response(self) -> Response {
        tracing::warn!(event = "browser_refused", reason = self.reason());
        response::forbidden(&self.to_string())
    }
}

/// A semicolon would end the attribute that the path is put into.
fn is_path(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const APP: &str = "https://app.example";

    fn browsers(origins: &'static str, cookie_mode: &'static str) -> Result<Browsers, ConfigError> {
        let look_up = |name: &str| match name {
            "ALLOWED_ORIGINS" => Some(origins.to_owned()),
            "COOKIE_MODE" => Some(cookie_mode.to_owned()),
            _ => None,
        };
        Browsers::from_variables(&Variables::new(&look_up))
    }

    fn request(headers: &Value) -> Request {
        Request::from_event(&json!({"httpMethod": "POST", "resource": "/refresh", "multiValueHeaders": headers}))
    }

    #[test]
    fn the_variables_agree_or_are_named() {
        for (origins, cookie_mode) in [("", ""), ("", "off"), ("*", ""), ("*", "off"), (APP, "off"), (APP, "on")] {
            let browsers = browsers(origins, cookie_mode).unwrap();
            assert_eq!(browsers.in_cookie_mode(), cookie_mode == "on", "{origins} {cookie_mode}");
        }
        let contradiction = "COOKIE_MODE=on needs ALLOWED_ORIGINS to name each origin: not none, not *";
        let cases = [
            ("", "on", contradiction),
            ("*", "on", contradiction),
            (APP, "yes", "COOKIE_MODE is not valid: expected on or off"),
            (APP, "ON", "COOKIE_MODE is not valid: expected on or off"),
            ("app.example", "off", "ALLOWED_ORIGINS is not valid: expected origins such as"),
        ];
        for (origins, cookie_mode, expected) in cases {
            let error = browsers(origins, cookie_mode).unwrap_err().to_string();
            assert!(error.starts_with(expected) && !error.contains('\n'), "{origins} {cookie_mode}: {error}");
        }
        let both = |name: &str| Some(if name == "COOKIE_MODE" { "on" } else { "*" }.to_owned());
        let without = Browsers::without_cookies(&Variables::new(&both)).unwrap();
        assert!(!without.in_cookie_mode() && *without.origins() == Origins::Any, "COOKIE_MODE is others'");
    }

    #[test]
    fn a_caller_is_an_app_a_page_of_ours_or_nobody() {
        let cases = [
            (json!({}), Ok("app")),
            (json!({"Cookie": ["__Secure-refresh_token=t"]}), Ok("app")),
            (json!({"Origin": [APP], "Countersign-Client": ["browser"]}), Ok("browser")),
            (json!({"Origin": [APP]}), Err(BrowserRefused::Unmarked)),
            (json!({"Origin": [APP], "Countersign-Client": ["app"]}), Err(BrowserRefused::Unmarked)),
            (json!({"Origin": [APP], "Countersign-Client": ["browser", "browser"]}), Err(BrowserRefused::Unmarked)),
            (json!({"Origin": ["null"], "Countersign-Client": ["browser"]}), Err(BrowserRefused::Origin)),
            (json!({"Origin": [""], "Countersign-Client": ["browser"]}), Err(BrowserRefused::Origin)),
            (json!({"Origin": [APP, APP], "Countersign-Client": ["browser"]}), Err(BrowserRefused::Origin)),
            (json!({"Origin": ["https://evil.example"]}), Err(BrowserRefused::Origin)),
            (json!({"Countersign-Client": ["browser"]}), Err(BrowserRefused::NoOrigin)),
            (json!({"Countersign-Client": [""]}), Err(BrowserRefused::NoOrigin)),
        ];
        let (on, off) = (browsers(APP, "on").unwrap(), browsers(APP, "off").unwrap());
        for (headers, expected) in cases {
            let request = request(&headers);
            let judged = on.caller(&request).map(|caller| match caller {
                Caller::App => "app",
                Caller::Browser(_) => "browser",
            });
            assert_eq!(judged, expected, "{headers}");
            let refused = on.refuse(&request);
            let no_cookies = expected.and_then(|who| if who == "app" { Ok(()) } else { Err(BrowserRefused::Route) });
            assert_eq!(refused, no_cookies, "{headers}: a route without cookies");
            assert!(matches!(off.caller(&request), Ok(Caller::App)), "{headers}: without cookie mode");
            assert_eq!(off.refuse(&request), Ok(()), "{headers}: without cookie mode");
            let get = Request::from_event(&json!({"httpMethod": "GET", "multiValueHeaders": headers}));
            assert!(matches!(on.caller(&get), Ok(Caller::App)), "{headers}: another method");
        }
    }

    #[test]
    fn the_base_is_what_stands_before_the_route() {
        let cases = [
            (json!("/prod/refresh"), "/prod"),
            (json!("/auth/v1/refresh"), "/auth/v1"),
            (json!("/refresh"), ""),
            (json!("/prod/refresh/"), "/prod"),
            (json!("/refresh/refresh"), "/refresh"),
            (json!("/prod/login"), ""),
            (json!("/a; Domain=evil.example/refresh"), ""),
            (json!("/a;b/refresh"), ""),
            (json!("/\u{e9}/refresh"), ""),
            (json!(""), ""),
            (json!(null), ""),
        ];
        for (path, expected) in cases {
            let event = json!({"resource": "/refresh", "requestContext": {"path": path}});
            assert_eq!(Cookies::of(&Request::from_event(&event)).base, expected, "{path}");
        }
    }

    #[test]
    fn two_tokens_are_none() {
        let cookies = |fields: Value| Cookies::of(&request(&json!({"Cookie": fields})));
        let (none, one) = (cookies(json!([])), cookies(json!(["__Secure-refresh_token=t"])));
        let two = cookies(json!(["__Secure-refresh_token=t; __Secure-refresh_token=t"]));
        assert_eq!((none.refresh_token(), one.refresh_token()), (Ok(None), Ok(Some("t"))));
        assert!(matches!(two.refresh_token(), Err(Unreadable::Malformed(_))));
    }
}
