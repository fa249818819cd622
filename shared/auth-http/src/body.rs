//! Bodies: JSON objects and forms, read strictly.

use std::collections::{HashMap, HashSet};
use std::fmt;

use lambda_http::http::Method;
use lambda_http::http::header::CONTENT_TYPE;
use serde::de::{DeserializeOwned, Deserializer as _, Error as _, IgnoredAny, MapAccess, Visitor};

use crate::request::{Body, Request};

/// Longer bodies are not read.
pub const MAX_LENGTH: usize = 16 * 1024;

/// Why a request is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// 405. The methods that there are, as `Allow` names them (RFC 9110 §10.2.1).
    #[error("allowed methods: {0}")]
    Method(&'static str),
    /// 415.
    #[error("the Content-Type is not {0}")]
    ContentType(&'static str),
    /// 413.
    #[error("the body has more than {MAX_LENGTH} bytes")]
    TooLarge,
    /// 400.
    #[error("{0}")]
    Malformed(&'static str),
}

/// Reads the JSON object that was posted. Members that `T` does not name are ignored, doubled ones are refused.
///
/// `expected` says what the body should be, for whoever sent another.
///
/// # Errors
///
/// [`Unreadable`].
pub fn json<T: DeserializeOwned>(request: &Request, expected: &'static str) -> Result<T, Unreadable> {
    let text = text(request, "application/json")?;
    let distinct = serde_json::Deserializer::from_str(text).deserialize_map(DistinctMembers);
    distinct.map_err(|_| Unreadable::Malformed("the body is not a JSON object, or names a member twice"))?;
    serde_json::from_str(text).map_err(|_| Unreadable::Malformed(expected))
}

/// Reads the JSON object that was posted, if anything was: nothing needs no `Content-Type`.
///
/// # Errors
///
/// [`Unreadable`].
pub fn json_if_any<T: DeserializeOwned + Default>(request: &Request, expected: &'static str) -> Result<T, Unreadable> {
    match &request.body {
        Body::Bytes(bytes) if bytes.is_empty() && request.method == Method::POST => Ok(T::default()),
        _ => json(request, expected),
    }
}

/// A form: each parameter once, none empty.
pub type Form = HashMap<String, String>;

/// Reads the form that was posted (RFC 6749 appendix B). No parameter may stand in it twice, and one without a value is
/// as good as absent (§3.2).
///
/// # Errors
///
/// [`Unreadable`].
pub fn form(request: &Request) -> Result<Form, Unreadable> {
    let text = text(request, "application/x-www-form-urlencoded")?;
    let mut parameters = HashMap::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        if parameters.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(Unreadable::Malformed("the body names a parameter twice"));
        }
    }
    parameters.retain(|_, value| !value.is_empty());
    Ok(parameters)
}

fn text<'a>(request: &'a Request, content_type: &'static str) -> Result<&'a str, Unreadable> {
    if request.method != Method::POST {
        return Err(Unreadable::Method("POST"));
    }
    if !has_type(request, content_type) {
        return Err(Unreadable::ContentType(content_type));
    }
    let Body::Bytes(bytes) = &request.body else {
        return Err(Unreadable::Malformed("the body is not base64"));
    };
    if bytes.len() > MAX_LENGTH {
        return Err(Unreadable::TooLarge);
    }
    str::from_utf8(bytes).map_err(|_| Unreadable::Malformed("the body is not UTF-8"))
}

/// Whether the body is of this media type; parameters are allowed, but no charset other than UTF-8.
fn has_type(request: &Request, expected: &str) -> bool {
    let Some(value) = request.header(&CONTENT_TYPE) else { return false };
    let mut parts = value.split(';').map(str::trim);
    let matches = parts.next().is_some_and(|media_type| media_type.eq_ignore_ascii_case(expected));
    matches && parts.all(is_utf8_or_other)
}

fn is_utf8_or_other(parameter: &str) -> bool {
    match parameter.split_once('=') {
        Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
            value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    }
}

/// Accepts an object in which no name stands twice.
struct DistinctMembers;

impl<'de> Visitor<'de> for DistinctMembers {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some((name, IgnoredAny)) = members.next_entry::<String, _>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("doubled member"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Login {
        username: String,
        scope: Option<String>,
    }

    fn post(content_type: &str, body: &str) -> Request {
        Request::from_event(&json!({"httpMethod": "POST", "headers": {"content-type": content_type}, "body": body}))
    }

    fn read(body: &str) -> Result<Login, Unreadable> {
        json(&post("application/json", body), "expected username")
    }

    #[test]
    fn an_object_with_the_members_is_read() {
        let login = Login { username: "a".to_owned(), scope: None };
        for body in
            [r#"{"username":"a"}"#, r#" {"other":[{}],"username":"a"} "#, r#"{"username":"\u0061","scope":null}"#]
        {
            assert_eq!(read(body).as_ref(), Ok(&login), "{body}");
        }
    }

    #[test]
    fn everything_else_is_malformed() {
        let deep = format!("{{\"other\":{}", "[".repeat(10_000));
        for body in [
            "",
            "null",
            "[]",
            "\"a\"",
            "{",
            "{}",
            "{}{}",
            r#"{"username":1}"#,
            r#"{"username":null}"#,
            r#"{"username":"a",}"#,
            r#"{"username":"a","username":"a"}"#,
            r#"{"username":"a","x":1,"x":1}"#,
            r#"{"username":"a","\u0078":1,"x":1}"#,
            r#"{"username":"\ud800"}"#,
            r#"{"username":NaN}"#,
            "{'username':'a'}",
            &deep,
        ] {
            assert!(matches!(read(body), Err(Unreadable::Malformed(_))), "{body:.80}");
        }
    }

    #[test]
    fn both_sides_of_the_length() {
        let body = |length: usize| format!("{:<length$}", r#"{"username":"a"}"#);
        assert!(read(&body(MAX_LENGTH)).is_ok());
        assert_eq!(read(&body(MAX_LENGTH + 1)), Err(Unreadable::TooLarge));
    }

    #[test]
    fn media_types() {
        let cases = [
            ("application/json", true),
            ("Application/JSON; charset=\"UTF-8\"", true),
            ("application/json;profile=x", true),
            ("application/json; charset=latin1", false),
            ("application/jsonp", false),
            ("text/plain", false),
            ("", false),
        ];
        for (content_type, good) in cases {
            let read: Result<Value, _> = json(&post(content_type, "{}"), "");
            assert_eq!(read.is_ok(), good, "{content_type}");
        }
    }

    #[test]
    fn only_post_is_read() {
        let get = Request::from_event(&json!({"httpMethod": "GET", "body": "{}"}));
        assert_eq!(json::<Value>(&get, ""), Err(Unreadable::Method("POST")));
    }

    #[test]
    fn nothing_is_as_good_as_an_empty_object() {
        let read = |request: &Request| json_if_any::<BTreeMap<String, String>>(request, "expected");
        let (empty, sent) = (post("", ""), post("application/json", r#"{"a":"b"}"#));
        assert_eq!(read(&empty), Ok(BTreeMap::new()));
        assert_eq!(read(&sent).unwrap()["a"], "b");
        assert!(matches!(read(&post("text/plain", "{}")), Err(Unreadable::ContentType(_))));
        assert!(matches!(read(&post("application/json", " ")), Err(Unreadable::Malformed(_))));
        let get = Request::from_event(&json!({"httpMethod": "GET"}));
        assert_eq!(read(&get), Err(Unreadable::Method("POST")));
    }

    #[test]
    fn bytes_that_are_no_text() {
        let event = |body| {
            json!({"httpMethod": "POST", "headers": {"content-type": "application/json"},
            "body": body, "isBase64Encoded": true})
        };
        for body in ["/w==", "%%%"] {
            assert!(
                matches!(json::<Value>(&Request::from_event(&event(body)), ""), Err(Unreadable::Malformed(_))),
                "{body}"
            );
        }
    }

    #[test]
    fn forms() {
        let form = |body: &str| form(&post("application/x-www-form-urlencoded", body));
        let parameters = form("grant_type=refresh_token&scope=a+b%20c&empty=&").unwrap();
        assert_eq!(parameters["grant_type"], "refresh_token");
        assert_eq!(parameters["scope"], "a b c");
        assert!(!parameters.contains_key("empty"));
        assert!(matches!(form("a=1&a=1"), Err(Unreadable::Malformed(_))));
        assert!(matches!(form("a=1&%61="), Err(Unreadable::Malformed(_))));
    }
}
