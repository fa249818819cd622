//! Answers that pages of other origins may read: the CORS protocol (Fetch, section 3.3).

use lambda_http::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    ORIGIN, VARY,
};
use lambda_http::http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::browser::Browsers;
use crate::origin::Origins;
use crate::request::Request;
use crate::response::{self, Response};

/// What a page may send beyond what every page may.
const METHODS: &str = "GET, POST, DELETE";
const FIELDS: &str = "Authorization, Content-Type, Countersign-Client";

/// What a page may read beyond what every page may: when to come again, and whether to refresh before.
const EXPOSED: &str = "Retry-After, WWW-Authenticate";

/// How long a browser remembers a preflight's answer, in seconds: the most that Chromium does.
const MAX_AGE: &str = "7200";

/// What the answer to one request says to the page behind it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cors {
    /// Nothing, to nobody.
    Off,
    /// Nothing; to a page of another origin it may say something.
    Withheld,
    /// That pages of this origin, or of any if it is `*`, may read it.
    Shared {
        origin: HeaderValue,
        /// Whether they may although the request carries cookies.
        credentials: bool,
    },
}

impl Cors {
    pub(crate) fn of(browsers: &Browsers, request: &Request) -> Self {
        let origin = match browsers.origins() {
            Origins::None => return Self::Off,
            // Whoever asks, so that there is one answer for caches to keep.
            Origins::Any => Some(HeaderValue::from_static("*")),
            Origins::These(_) => allowed_origin(browsers.origins(), request),
        };
        match origin {
            Some(origin) => Self::Shared { origin, credentials: browsers.in_cookie_mode() },
            None => Self::Withheld,
        }
    }

    /// The answer to a preflight. One that is not allowed is a request like others, for a method that no route has.
    pub(crate) fn preflight(&self, request: &Request) -> Option<Response> {
        let asks = request.method == Method::OPTIONS
            && request.headers.contains_key(ORIGIN)
            && request.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || !matches!(self, Self::Shared { .. }) {
            return None;
        }
        let mut response = response::no_content();
        let headers = response.headers_mut();
        set(headers, ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        set(headers, ACCESS_CONTROL_ALLOW_HEADERS, FIELDS);
        set(headers, ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        Some(response)
    }

    /// Marks an answer, whatever its status: a page that cannot read an error takes it for a broken network.
    pub(crate) fn mark(self, response: &mut Response) {
        let headers = response.headers_mut();
        // A document for everyone says so by itself.
        if self == Self::Off || headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        let Self::Shared { origin, credentials } = self else {
            headers.append(VARY, HeaderValue::from_static("Origin"));
            return;
        };
        if origin != "*" {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        set(headers, ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        if credentials {
            set(headers, ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
    }
}

fn allowed_origin(origins: &Origins, request: &Request) -> Option<HeaderValue> {
    let origin = request.header(&ORIGIN).filter(|origin| origins.allow(origin))?;
    HeaderValue::from_str(origin).ok()
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use auth_core::config::Variables;
    use serde_json::{Value, json};

    use super::*;

    const APP: &str = "https://app.example";
    const EXPOSE: &str = "access-control-expose-headers: Retry-After, WWW-Authenticate";
    const TO_APP: &str = "access-control-allow-origin: https://app.example";
    const TO_ALL: &str = "access-control-allow-origin: *";
    const WITH_COOKIES: &str = "access-control-allow-credentials: true";
    const VARIES: &str = "vary: Origin";

    fn browsers(origins: &'static str, cookie_mode: &'static str) -> Browsers {
        let look_up = |name: &str| Some(if name == "COOKIE_MODE" { cookie_mode } else { origins }.to_owned());
        Browsers::from_variables(&Variables::new(&look_up)).unwrap()
    }

    fn request(method: &str, headers: &Value) -> Request {
        Request::from_event(&json!({"httpMethod": method, "multiValueHeaders": headers}))
    }

    /// The header fields that concern pages, in alphabetical order.
    fn fields(response: &Response) -> Vec<String> {
        let fields = response.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        let mut fields: Vec<_> =
            fields.filter(|it| it.starts_with("access-control") || it.starts_with("vary")).collect();
        fields.sort();
        fields
    }

    #[test]
    fn an_answer_says_whose_pages_may_read_it() {
        let cases: [(&str, &str, Value, &[&str]); 11] = [
            ("", "off", json!({"Origin": [APP]}), &[]),
            ("", "off", json!({}), &[]),
            (APP, "off", json!({"Origin": [APP]}), &[TO_APP, EXPOSE, VARIES]),
            (APP, "on", json!({"Origin": [APP]}), &[WITH_COOKIES, TO_APP, EXPOSE, VARIES]),
            (APP, "on", json!({}), &[VARIES]),
            (APP, "off", json!({"Origin": ["https://evil.example"]}), &[VARIES]),
            (APP, "off", json!({"Origin": ["null"]}), &[VARIES]),
            (APP, "off", json!({"Origin": [APP, APP]}), &[VARIES]),
            ("*", "off", json!({"Origin": [APP]}), &[TO_ALL, EXPOSE]),
            ("*", "off", json!({"Origin": ["null"]}), &[TO_ALL, EXPOSE]),
            ("*", "off", json!({}), &[TO_ALL, EXPOSE]),
        ];
        for (origins, cookie_mode, headers, expected) in cases {
            let cors = Cors::of(&browsers(origins, cookie_mode), &request("POST", &headers));
            let mut response = response::unavailable();
            cors.mark(&mut response);
            assert_eq!(fields(&response), expected, "{origins} {cookie_mode} {headers}");
            assert_eq!(response.headers()["retry-after"], "2", "the rest stays");
        }
    }

    #[test]
    fn a_document_for_everyone_stays_as_it_is() {
        for origin in [APP, "https://evil.example"] {
            for origins in ["", APP, "*"] {
                let cors = Cors::of(&browsers(origins, "off"), &request("GET", &json!({"Origin": [origin]})));
                let mut response = response::public_document(&"x", Duration::from_mins(5));
                cors.mark(&mut response);
                assert_eq!(fields(&response), [TO_ALL], "{origins} to {origin}");
            }
        }
    }

    #[test]
    fn a_preflight_is_answered_to_allowed_origins() {
        let asking = |origin: &str| json!({"Origin": [origin], "Access-Control-Request-Method": ["POST"]});
        let cases = [
            (APP, "OPTIONS", asking(APP), true),
            ("*", "OPTIONS", asking("https://other.example"), true),
            (APP, "OPTIONS", asking("https://evil.example"), false),
            (APP, "OPTIONS", json!({"Origin": [APP]}), false),
            (APP, "OPTIONS", json!({"Access-Control-Request-Method": ["POST"]}), false),
            ("*", "OPTIONS", json!({"Access-Control-Request-Method": ["POST"]}), false),
            (APP, "POST", asking(APP), false),
            ("", "OPTIONS", asking(APP), false),
        ];
        for (origins, method, headers, answered) in cases {
            let request = request(method, &headers);
            let response = Cors::of(&browsers(origins, "off"), &request).preflight(&request);
            assert_eq!(response.is_some(), answered, "{origins} {method} {headers}");
        }
        let request = request("OPTIONS", &asking(APP));
        let cors = Cors::of(&browsers(APP, "on"), &request);
        let mut response = cors.preflight(&request).unwrap();
        cors.mark(&mut response);
        assert_eq!(response.status(), 204);
        let expected = [
            WITH_COOKIES,
            "access-control-allow-headers: Authorization, Content-Type, Countersign-Client",
            "access-control-allow-methods: GET, POST, DELETE",
            TO_APP,
            EXPOSE,
            "access-control-max-age: 7200",
            VARIES,
        ];
        assert_eq!(fields(&response), expected);
    }
}
