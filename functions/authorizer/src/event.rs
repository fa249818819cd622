//! What API Gateway asks, in the events of all its kinds.
//!
//! | asked by | told by | names the request in |
//! |---|---|---|
//! | REST API, TOKEN | `type` `TOKEN` | `methodArn` |
//! | REST API, REQUEST | `type` `REQUEST`, no `version` | `methodArn` |
//! | WebSocket API | the same | `methodArn`, ending in `$connect` |
//! | HTTP API, 1.0 | `type` `REQUEST`, `version` `1.0` | `methodArn` |
//! | HTTP API, 2.0 | `type` `REQUEST`, `version` `2.0` | `routeArn` |
//!
//! Only what is needed is read, so that nothing else in an event can make it fail.

use auth_core::bearer;
use serde_json::Value;

use crate::arn::{MethodArn, Target};

/// A question of the gateway: may whoever holds this token make this request?
#[derive(Debug)]
pub(crate) struct Question<'a> {
    event: &'a Value,
    kind: Kind,
    pub(crate) arn: MethodArn<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Token,
    Request,
    HttpApi1,
    HttpApi2,
}

/// Why there is no token to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoToken {
    /// Nothing was sent where a token belongs.
    #[error("no token")]
    Missing,
    /// What was sent is not the scheme `Bearer` and one token (RFC 6750 §2.1).
    #[error("not one bearer token")]
    Malformed,
    /// More than one was sent, or the event contradicts itself.
    #[error("more than one token")]
    Several,
    /// The gateway identifies the caller, and keeps our answer, by something else than the token.
    #[error("the gateway's identity source is not the Authorization header field")]
    OtherIdentitySource,
}

impl NoToken {
    /// What the log calls it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "no_token",
            Self::Malformed => "malformed",
            Self::Several => "several_tokens",
            Self::OtherIdentitySource => "identity_source",
        }
    }
}

impl<'a> Question<'a> {
    /// Reads an event; `None` for every event of another kind.
    pub(crate) fn read(event: &'a Value) -> Option<Self> {
        let version = match event.get("version") {
            None | Some(Value::Null) => None,
            Some(version) => Some(version.as_str()?),
        };
        let arn = |name: &str| event.get(name).and_then(Value::as_str).and_then(MethodArn::parse);
        let (kind, arn) = match (event.get("type")?.as_str()?, version) {
            ("TOKEN", None) => (Kind::Token, arn("methodArn")?),
            ("REQUEST", None) => (Kind::Request, arn("methodArn")?),
            ("REQUEST", Some("1.0")) => (Kind::HttpApi1, arn("methodArn")?),
            ("REQUEST", Some("2.0")) if event.get("methodArn").is_none() => (Kind::HttpApi2, arn("routeArn")?),
            // SAM's local gateway asks a 1.0 authorizer on a 2.0 route like this.
            ("REQUEST", Some("2.0")) if event.get("routeArn").is_none() => (Kind::HttpApi1, arn("methodArn")?),
            _ => return None,
        };
        (arn.target != Target::Connect || kind == Kind::Request).then_some(Self { event, kind, arn })
    }

    /// Whether the gateway can be told to take a simple answer to this.
    pub(crate) fn takes_simple_answer(&self) -> bool {
        self.kind == Kind::HttpApi2
    }

    /// The token, from the `Authorization` header field; from the query parameter `parameter`, too, if there is one and
    /// the request opens a WebSocket: browsers can send no header field with that.
    ///
    /// # Errors
    ///
    /// [`NoToken`].
    pub(crate) fn token(&self, parameter: Option<&str>) -> Result<&'a str, NoToken> {
        if self.kind == Kind::Token {
            let field = self.event.get("authorizationToken").and_then(Value::as_str).ok_or(NoToken::Missing)?;
            return bearer(field);
        }
        let parameter = parameter.filter(|_| self.arn.target == Target::Connect);
        let in_query = parameter.map(|parameter| self.only(QUERY, |name| name == parameter)).transpose()?.flatten();
        match (self.only(HEADERS, |name| name.eq_ignore_ascii_case("authorization"))?, in_query) {
            (Some(field), None) => {
                self.check_identity_source(field)?;
                bearer(field)
            }
            (None, Some(token)) => {
                if bearer::is_token(token) {
                    Ok(token)
                } else {
                    Err(NoToken::Malformed)
                }
            }
            (None, None) => Err(NoToken::Missing),
            // RFC 6750 §2: one way of sending a token in each request.
            (Some(_), Some(_)) => Err(NoToken::Several),
        }
    }

    /// The one value under the names that `is` accepts, in two maps that must not contradict each other: one with the
    /// last value of each name, one with all values.
    fn only(&self, [last, all]: [&str; 2], is: impl Fn(&str) -> bool) -> Result<Option<&'a str>, NoToken> {
        let map = |name: &str| self.event.get(name).and_then(Value::as_object).into_iter().flatten();
        let last = map(last).filter(|(name, _)| is(name)).map(|(_, value)| value);
        let all = map(all).filter(|(name, _)| is(name)).map(|(_, value)| value);
        let last = single(last)?;
        let all = single(all.flat_map(|value| value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)))?;
        match (last, all) {
            (Some(last), Some(all)) if last != all => Err(NoToken::Several),
            (last, all) => Ok(last.or(all)),
        }
    }

    /// HTTP APIs say by what they identify the caller. It is the key under which they keep our answer, so it must hold
    /// the token that the answer is about.
    fn check_identity_source(&self, field: &str) -> Result<(), NoToken> {
        let is_token = match self.event.get("identitySource") {
            None | Some(Value::Null) => true,
            Some(Value::Array(values)) => values.iter().any(|value| value == field),
            Some(Value::String(values)) => values.split(',').any(|value| value == field),
            Some(_) => false,
        };
        if is_token { Ok(()) } else { Err(NoToken::OtherIdentitySource) }
    }
}

const HEADERS: [&str; 2] = ["headers", "multiValueHeaders"];
const QUERY: [&str; 2] = ["queryStringParameters", "multiValueQueryStringParameters"];

/// The one text among the values, if there is any.
fn single<'a>(values: impl Iterator<Item = &'a Value>) -> Result<Option<&'a str>, NoToken> {
    let mut values = values.filter(|value| !value.is_null());
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.as_str().ok_or(NoToken::Malformed)?;
    if values.next().is_some() { Err(NoToken::Several) } else { Ok(Some(text)) }
}

/// The one token of an `Authorization` header field: the scheme `Bearer` in any case, one space, one token. Lists,
/// parameters and other white space are refused.
fn bearer(field: &str) -> Result<&str, NoToken> {
    bearer::token(field).ok_or(NoToken::Malformed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:execute-api:r:1:api/stage/GET/x";
    const CONNECT: &str = "arn:aws:execute-api:r:1:api/stage/$connect";

    /// An event of the kind of `base`, with more or other members.
    fn event(base: &Value, members: &Value) -> Value {
        let mut event = base.clone();
        event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        event
    }

    fn token(event: &Value) -> Result<String, NoToken> {
        Question::read(event).expect("a known event").token(Some("access_token")).map(str::to_owned)
    }

    #[test]
    fn the_kinds_of_events_are_told_apart() {
        let cases = [
            (json!({"type": "TOKEN", "methodArn": ARN}), Some(Kind::Token)),
            (json!({"type": "REQUEST", "methodArn": ARN}), Some(Kind::Request)),
            (json!({"type": "REQUEST", "version": null, "methodArn": ARN}), Some(Kind::Request)),
            (json!({"type": "REQUEST", "methodArn": CONNECT}), Some(Kind::Request)),
            (json!({"type": "REQUEST", "version": "1.0", "methodArn": ARN}), Some(Kind::HttpApi1)),
            (json!({"type": "REQUEST", "version": "2.0", "routeArn": ARN}), Some(Kind::HttpApi2)),
            (json!({"type": "REQUEST", "version": "2.0", "methodArn": ARN}), Some(Kind::HttpApi1)),
            (json!(null), None),
            (json!([]), None),
            (json!("TOKEN"), None),
            (json!({}), None),
            (json!({"methodArn": ARN}), None),
            (json!({"type": "token", "methodArn": ARN}), None),
            (json!({"type": null, "methodArn": ARN}), None),
            (json!({"type": "TOKEN", "methodArn": null}), None),
            (json!({"type": "TOKEN", "methodArn": "arn"}), None),
            (json!({"type": "TOKEN", "methodArn": CONNECT}), None),
            (json!({"type": "TOKEN", "version": "1.0", "methodArn": ARN}), None),
            (json!({"type": "REQUEST"}), None),
            (json!({"type": "REQUEST", "routeArn": ARN}), None),
            (json!({"type": "REQUEST", "version": 2, "routeArn": ARN}), None),
            (json!({"type": "REQUEST", "version": "3.0", "routeArn": ARN}), None),
            (json!({"type": "REQUEST", "version": "1.0", "routeArn": ARN}), None),
            (json!({"type": "REQUEST", "version": "1.0", "methodArn": CONNECT}), None),
            (json!({"type": "REQUEST", "version": "2.0", "routeArn": CONNECT}), None),
            (json!({"type": "REQUEST", "version": "2.0", "routeArn": ARN, "methodArn": ARN}), None),
        ];
        for (event, expected) in cases {
            assert_eq!(Question::read(&event).map(|question| question.kind), expected, "{event}");
        }
    }

    #[test]
    fn one_header_field_of_a_request() {
        let request = json!({"type": "REQUEST", "methodArn": ARN});
        let cases = [
            (json!({"headers": {"Authorization": "Bearer a"}}), Ok("a")),
            (json!({"headers": {"AUTHORIZATION": "bearer a", "x": null, "y": ["\u{0}"]}}), Ok("a")),
            (json!({"headers": {"authorization": "Bearer a"}, "multiValueHeaders": null}), Ok("a")),
            (json!({"headers": null, "multiValueHeaders": {"authorization": ["Bearer a"]}}), Ok("a")),
            (json!({"multiValueHeaders": {"authorization": "Bearer a"}}), Ok("a")),
            (
                json!({"headers": {"authorization": "Bearer a"}, "multiValueHeaders": {"Authorization": ["Bearer a"]}}),
                Ok("a"),
            ),
            (json!({}), Err(NoToken::Missing)),
            (json!({"headers": null, "multiValueHeaders": null}), Err(NoToken::Missing)),
            (json!({"headers": {}, "queryStringParameters": {"access_token": "a"}}), Err(NoToken::Missing)),
            (json!({"headers": {"cookie": "a", "authorization": null}}), Err(NoToken::Missing)),
            (json!({"headers": [["authorization", "Bearer a"]]}), Err(NoToken::Missing)),
            (json!({"headers": {"authorization": 1}}), Err(NoToken::Malformed)),
            (json!({"headers": {"authorization": ["Bearer a"]}}), Err(NoToken::Malformed)),
            (json!({"multiValueHeaders": {"authorization": [["Bearer a"]]}}), Err(NoToken::Malformed)),
            (json!({"headers": {"authorization": "Bearer a", "Authorization": "Bearer a"}}), Err(NoToken::Several)),
            (json!({"multiValueHeaders": {"authorization": ["Bearer a", "Bearer a"]}}), Err(NoToken::Several)),
            (
                json!({"headers": {"authorization": "Bearer b"}, "multiValueHeaders": {"authorization": ["Bearer a", "Bearer b"]}}),
                Err(NoToken::Several),
            ),
            (
                json!({"headers": {"authorization": "Bearer a"}, "multiValueHeaders": {"authorization": ["Bearer b"]}}),
                Err(NoToken::Several),
            ),
        ];
        for (members, expected) in cases {
            assert_eq!(token(&event(&request, &members)), expected.map(str::to_owned), "{members}");
        }
    }

    #[test]
    fn an_http_api_identifies_the_caller_by_the_token() {
        let one =
            json!({"type": "REQUEST", "version": "1.0", "methodArn": ARN, "headers": {"authorization": "Bearer a"}});
        let two =
            json!({"type": "REQUEST", "version": "2.0", "routeArn": ARN, "headers": {"authorization": "Bearer a"}});
        let other = Err(NoToken::OtherIdentitySource);
        let cases = [
            (&one, json!({}), Ok("a")),
            (&one, json!({"identitySource": "Bearer a", "authorizationToken": "Bearer a"}), Ok("a")),
            (&one, json!({"identitySource": "GET /x,Bearer a"}), Ok("a")),
            (&one, json!({"identitySource": "Bearer b"}), other),
            (&one, json!({"identitySource": ""}), other),
            (&two, json!({"identitySource": null}), Ok("a")),
            (&two, json!({"identitySource": ["Bearer a", "GET /x"]}), Ok("a")),
            (&two, json!({"identitySource": []}), other),
            (&two, json!({"identitySource": ["Bearer ab"]}), other),
            (&two, json!({"identitySource": [null]}), other),
            (&two, json!({"identitySource": 1}), other),
            (&two, json!({"headers": {"authorization": "Bearer a,Bearer a"}}), Err(NoToken::Malformed)),
        ];
        for (base, members, expected) in cases {
            assert_eq!(token(&event(base, &members)), expected.map(str::to_owned), "{members}");
        }
    }

    #[test]
    fn a_websocket_may_bring_its_token_in_the_query() {
        let connect = json!({"type": "REQUEST", "methodArn": CONNECT});
        let query = json!({"queryStringParameters": {"access_token": "a", "Access_Token": "b"}});
        let cases = [
            (query.clone(), Ok("a")),
            (
                json!({"queryStringParameters": {"access_token": "a"}, "multiValueQueryStringParameters": {"access_token": ["a"]}}),
                Ok("a"),
            ),
            (json!({"headers": {"Authorization": "Bearer b"}}), Ok("b")),
            (
                json!({"headers": {"Authorization": "Bearer a"}, "queryStringParameters": {"access_token": "a"}}),
                Err(NoToken::Several),
            ),
            (json!({"multiValueQueryStringParameters": {"access_token": ["a", "a"]}}), Err(NoToken::Several)),
            (json!({"queryStringParameters": {"access_token": "Bearer a"}}), Err(NoToken::Malformed)),
            (json!({"queryStringParameters": {"access_token": ""}}), Err(NoToken::Malformed)),
            (json!({"queryStringParameters": {"token": "a"}}), Err(NoToken::Missing)),
            (json!({"queryStringParameters": null}), Err(NoToken::Missing)),
        ];
        for (members, expected) in cases {
            assert_eq!(token(&event(&connect, &members)), expected.map(str::to_owned), "{members}");
        }
        let event = event(&connect, &query);
        assert_eq!(Question::read(&event).unwrap().token(None), Err(NoToken::Missing), "unless it is configured");
    }

    #[test]
    fn one_token_with_one_scheme() {
        for good in ["Bearer abc", "bearer abc", "BEARER abc"] {
            assert_eq!(bearer(good), Ok("abc"), "{good}");
        }
        for bad in [
            "",
            "abc",
            "Bearer",
            "Bearer ",
            "Bearer  abc",
            " Bearer abc",
            "Bearer abc ",
            "Bearer\tabc",
            "Bearer a,b",
            "Bearer abc, Bearer def",
            "Bearer abc def",
            "Basic abc",
            "Bearer abc;x=1",
            "Bearer \"abc\"",
            "Bearer é",
        ] {
            assert_eq!(bearer(bad), Err(NoToken::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn a_token_event_has_its_one_field() {
        let base = json!({"type": "TOKEN", "methodArn": ARN});
        assert_eq!(token(&event(&base, &json!({"authorizationToken": "Bearer a"}))), Ok("a".to_owned()));
        for members in
            [json!({}), json!({"authorizationToken": null}), json!({"headers": {"authorization": "Bearer a"}})]
        {
            assert_eq!(token(&event(&base, &members)), Err(NoToken::Missing), "{members}");
        }
    }
}
