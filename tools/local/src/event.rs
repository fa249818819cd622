//! The events that API Gateway sends, to functions and to authorizers, member by member as it sends them.

use std::net::IpAddr;

use auth_core::time::UnixTime;
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use crate::stage::{ACCOUNT, API, Stage};

/// A request on its way through the gateway.
pub(crate) struct Exchange<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) stage: &'a Stage,
    /// The path within the API, without the stage.
    pub(crate) path: &'a str,
    /// The route that matched, such as `/sessions/{sid}`.
    pub(crate) resource: &'a str,
    /// What stands for its parameters.
    pub(crate) parameters: Map<String, Value>,
    pub(crate) received: &'a Received,
}

/// What the gateway knows of a request besides what was sent.
pub(crate) struct Received {
    pub(crate) id: String,
    pub(crate) at: UnixTime,
    pub(crate) from: IpAddr,
}

impl Exchange<'_> {
    /// The ARN of the request, as authorizers and policies see it: with the path that was sent, without the stage's.
    pub(crate) fn arn(&self) -> String {
        self.stage.arn(&format!("{}{}", self.parts.method, self.path))
    }

    pub(crate) fn route_key(&self) -> String {
        format!("{} {}", self.parts.method, self.resource)
    }

    /// To a function, in proxy integration: REST APIs, and HTTP APIs with payload format 1.0. `authorizer` is what the
    /// authorizer handed on.
    pub(crate) fn proxy(&self, body: &[u8], authorizer: Option<&Map<String, Value>>) -> Value {
        let (body, base64) = text_or_base64(body);
        let context = merged(self.context(), json!({"authorizer": authorizer}));
        let more = json!({"requestContext": context, "body": body, "isBase64Encoded": base64});
        merged(self.one(null_if_empty), more)
    }

    /// To the TOKEN authorizer of a REST API.
    pub(crate) fn token(&self, token: &str) -> Value {
        json!({"type": "TOKEN", "methodArn": self.arn(), "authorizationToken": token})
    }

    /// To the REQUEST authorizer of a REST API.
    pub(crate) fn request(&self) -> Value {
        merged(self.one(Value::Object), json!({"type": "REQUEST", "methodArn": self.arn()}))
    }

    /// To the authorizer of an HTTP API with payload format 1.0.
    pub(crate) fn http_1(&self, identity: &[String]) -> Value {
        let identity = (!identity.is_empty()).then(|| identity.join(","));
        let more = json!({"version": "1.0", "identitySource": identity, "authorizationToken": identity});
        merged(self.request(), more)
    }

    /// To the authorizer of an HTTP API with payload format 2.0: names in lower case, several values joined, no cookies
    /// among the header fields, no empty maps.
    pub(crate) fn http_2(&self, identity: &[String]) -> Value {
        let path = format!("{}{}", self.stage.base, self.path);
        let mut headers = multi_value(self.headers());
        let lists = [
            ("cookies", headers.remove(COOKIE.as_str()).unwrap_or_default()),
            ("queryStringParameters", null_if_empty(joined(&multi_value(self.query())))),
            ("pathParameters", null_if_empty(self.parameters.clone())),
        ];
        let lists = lists.into_iter().filter(|(_, list)| !list.is_null());
        let more: Map<String, Value> = lists.map(|(name, list)| (name.to_owned(), list)).collect();
        let event = json!({
            "version": "2.0",
            "type": "REQUEST",
            "routeArn": self.arn(),
            "identitySource": (!identity.is_empty()).then_some(identity),
            "routeKey": self.route_key(),
            "rawPath": path,
            "rawQueryString": self.parts.uri.query().unwrap_or_default(),
            "headers": joined(&headers),
            "requestContext": {
                "accountId": ACCOUNT,
                "apiId": API,
                "http": {
                    "method": self.parts.method.as_str(),
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": self.received.from.to_string(),
                },
                "requestId": self.received.id,
                "routeKey": self.route_key(),
                "stage": self.stage.name,
                "timeEpoch": self.received.at.millis(),
            },
        });
        merged(event, more.into())
    }

    /// To the authorizer of a WebSocket API.
    pub(crate) fn connect(&self) -> Value {
        let headers = multi_value(self.headers());
        let query = multi_value(self.query());
        json!({
            "type": "REQUEST",
            "methodArn": self.stage.arn("$connect"),
            "headers": last_values(&headers),
            "multiValueHeaders": headers,
            "queryStringParameters": last_values(&query),
            "multiValueQueryStringParameters": query,
            "stageVariables": {},
            "requestContext": {
                "routeKey": "$connect",
                "eventType": "CONNECT",
                "messageDirection": "IN",
                "stage": self.stage.name,
                "connectedAt": self.received.at.millis(),
                "requestTimeEpoch": self.received.at.millis(),
                "identity": {"sourceIp": self.received.from.to_string()},
                "requestId": self.received.id,
                "connectionId": self.received.id,
                "apiId": API,
            },
        })
    }

    /// What all events of format 1.0 share; `map` says how empty maps are written.
    fn one(&self, map: fn(Map<String, Value>) -> Value) -> Value {
        let headers = multi_value(self.headers());
        let query = multi_value(self.query());
        json!({
            "resource": self.resource,
            "path": self.path,
            "httpMethod": self.parts.method.as_str(),
            "headers": last_values(&headers),
            "multiValueHeaders": headers,
            "queryStringParameters": map(last_values(&query)),
            "multiValueQueryStringParameters": map(query),
            "pathParameters": map(self.parameters.clone()),
            "stageVariables": map(Map::new()),
            "requestContext": self.context(),
        })
    }

    fn context(&self) -> Value {
        json!({
            "accountId": ACCOUNT,
            "apiId": API,
            "httpMethod": self.parts.method.as_str(),
            "identity": {"sourceIp": self.received.from.to_string()},
            "path": format!("{}{}", self.stage.base, self.path),
            "protocol": "HTTP/1.1",
            "requestId": self.received.id,
            "requestTimeEpoch": self.received.at.millis(),
            "resourcePath": self.resource,
            "stage": self.stage.name,
        })
    }

    fn headers(&self) -> impl Iterator<Item = (String, String)> {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        self.parts.headers.iter().map(move |(name, value)| (name.as_str().to_owned(), text(value.as_bytes())))
    }

    fn query(&self) -> impl Iterator<Item = (String, String)> {
        form_urlencoded::parse(self.parts.uri.query().unwrap_or_default().as_bytes()).into_owned()
    }
}

fn merged(mut event: Value, more: Value) -> Value {
    if let (Value::Object(event), Value::Object(more)) = (&mut event, more) {
        event.extend(more);
    }
    event
}

fn null_if_empty(map: Map<String, Value>) -> Value {
    if map.is_empty() { Value::Null } else { map.into() }
}

fn multi_value(pairs: impl Iterator<Item = (String, String)>) -> Map<String, Value> {
    let mut map = Map::new();
    for (name, value) in pairs {
        if let Value::Array(values) = map.entry(name).or_insert_with(|| json!([])) {
            values.push(value.into());
        }
    }
    map
}

fn last_values(map: &Map<String, Value>) -> Map<String, Value> {
    map.iter().map(|(name, values)| (name.clone(), last(values))).collect()
}

fn last(values: &Value) -> Value {
    values.as_array().and_then(|values| values.last()).cloned().unwrap_or_default()
}

fn joined(map: &Map<String, Value>) -> Map<String, Value> {
    let texts = |values: &Value| -> Vec<String> {
        values.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    map.iter().map(|(name, values)| (name.clone(), texts(values).join(",").into())).collect()
}

/// Text goes through as it is; all else as base64.
fn text_or_base64(body: &[u8]) -> (Option<String>, bool) {
    match str::from_utf8(body) {
        Ok("") => (None, false),
        Ok(text) => (Some(text.to_owned()), false),
        Err(_) => (Some(BASE64_STANDARD.encode(body)), true),
    }
}
