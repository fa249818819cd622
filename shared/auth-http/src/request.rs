//! A request, out of the event of a REST API's proxy integration.
//!
//! `lambda_http` can read these events, too, but panics where a body is not the base64 that it is said to be, and refuses
//! the whole event for one odd header: both would be our 502. Here what is odd is left out, and the handler decides.

use std::net::IpAddr;

use auth_core::time::UnixTime;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lambda_http::http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value};

/// One request to a function. No `Debug`: header fields and body hold secrets.
pub struct Request {
    /// The method.
    pub method: Method,
    /// The route that API Gateway matched, such as `/sessions/{sid}`: without stage, base path or actual parameters.
    pub route: String,
    /// What stands for the parameters of the route, such as `sid`.
    parameters: Map<String, Value>,
    /// The header fields whose name and value are ones.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
    /// What API Gateway knows about the request.
    pub context: Context,
}

/// The body of a request.
pub enum Body {
    /// Its bytes; none if there is no body.
    Bytes(Vec<u8>),
    /// Said to be base64, and is not.
    NotBase64,
}

/// What API Gateway knows about a request, and its caller cannot set.
#[derive(Debug, Default)]
pub struct Context {
    /// The path of the URL that was asked for, the stage or the base path of a custom domain before the route.
    pub path: String,
    /// The caller's address.
    pub source_ip: Option<IpAddr>,
    /// When the gateway received the request.
    pub received_at: Option<UnixTime>,
    /// What the authorizer handed on.
    pub authorizer: Map<String, Value>,
}

impl Request {
    /// Reads an event. What is missing or odd in it is empty in the request.
    pub fn from_event(event: &Value) -> Self {
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        Self {
            method: text("httpMethod").and_then(|method| method.parse().ok()).unwrap_or_default(),
            route: text("resource").unwrap_or_default().to_owned(),
            parameters: event.get("pathParameters").and_then(Value::as_object).cloned().unwrap_or_default(),
            headers: headers(event),
            body: body(text("body").unwrap_or_default(), event.get("isBase64Encoded") == Some(&Value::Bool(true))),
            context: event.get("requestContext").map(context).unwrap_or_default(),
        }
    }

    /// What stands for a parameter of the route.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).and_then(Value::as_str)
    }

    /// A header field that stands in the request once, as text.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    }
}

fn body(text: &str, base64: bool) -> Body {
    if !base64 {
        return Body::Bytes(text.as_bytes().to_vec());
    }
    BASE64_STANDARD.decode(text).map_or(Body::NotBase64, Body::Bytes)
}

/// `multiValueHeaders` has every value of every field; `headers`, the last of each, is for events without.
fn headers(event: &Value) -> HeaderMap {
    let object = |name: &str| event.get(name).and_then(Value::as_object).filter(|object| !object.is_empty());
    let mut headers = HeaderMap::new();
    for (name, values) in object("multiValueHeaders").or_else(|| object("headers")).into_iter().flatten() {
        let values = values.as_array().map_or(std::slice::from_ref(values), Vec::as_slice);
        for value in values.iter().filter_map(Value::as_str) {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
                headers.append(name, value);
            }
        }
    }
    headers
}

fn context(context: &Value) -> Context {
    Context {
        path: context.get("path").and_then(Value::as_str).unwrap_or_default().to_owned(),
        source_ip: context.pointer("/identity/sourceIp").and_then(Value::as_str).and_then(|ip| ip.parse().ok()),
        received_at: context.get("requestTimeEpoch").and_then(Value::as_u64).map(UnixTime::from_millis),
        authorizer: context.get("authorizer").and_then(Value::as_object).cloned().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use lambda_http::http::header::{ACCEPT, HOST, USER_AGENT};
    use serde_json::json;

    use super::*;

    fn bytes(event: &Value) -> Option<Vec<u8>> {
        match Request::from_event(event).body {
            Body::Bytes(bytes) => Some(bytes),
            Body::NotBase64 => None,
        }
    }

    #[test]
    fn an_event_becomes_a_request() {
        let request = Request::from_event(&json!({
            "resource": "/login", "path": "/base/login", "httpMethod": "POST",
            "headers": {"Host": "last"},
            "multiValueHeaders": {"Host": ["api.example"], "Accept": ["a", "b"]},
            "body": "{}", "isBase64Encoded": false,
            "requestContext": {
                "path": "/base/login",
                "requestTimeEpoch": 1_800_000_000_123_u64,
                "identity": {"sourceIp": "192.0.2.7"},
                "authorizer": {"sub": "u"}
            }
        }));
        assert_eq!((request.method.as_str(), request.route.as_str()), ("POST", "/login"));
        assert_eq!(request.header(&HOST), Some("api.example"));
        assert_eq!(request.header(&ACCEPT), None, "stands there twice");
        assert_eq!(request.context.path, "/base/login");
        assert_eq!(request.context.source_ip, Some("192.0.2.7".parse().unwrap()));
        assert_eq!(request.context.received_at, Some(UnixTime::from_millis(1_800_000_000_123)));
        assert_eq!(request.context.authorizer["sub"], "u");
    }

    #[test]
    fn what_is_odd_is_left_out() {
        for event in [json!({}), json!([]), json!(null), json!({"headers": 1, "body": {}, "requestContext": "x"})] {
            let request = Request::from_event(&event);
            assert!(request.route.is_empty() && request.headers.is_empty(), "{event}");
        }
        let request =
            Request::from_event(&json!({"headers": {"Host": "h", "User-Agent": "a\nb", "bad name": "x", "n": null}}));
        assert_eq!((request.header(&HOST), request.header(&USER_AGENT)), (Some("h"), None));
        assert_eq!(request.headers.len(), 1);
    }

    #[test]
    fn base64_is_honoured_and_its_absence_noticed() {
        assert_eq!(bytes(&json!({"body": "e30=", "isBase64Encoded": true})), Some(b"{}".to_vec()));
        assert_eq!(bytes(&json!({"body": "e30=", "isBase64Encoded": false})), Some(b"e30=".to_vec()));
        assert_eq!(bytes(&json!({"body": "e3", "isBase64Encoded": true})), None);
        assert_eq!(bytes(&json!({"body": null, "isBase64Encoded": true})), Some(vec![]));
    }
}
