//! The events that a REST API sends: to functions in proxy integration, and to a TOKEN authorizer.

use std::net::IpAddr;

use auth_core::time::UnixTime;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

const ACCOUNT: &str = "123456789012";
const API: &str = "localstack0";
const REGION: &str = "us-east-1";
const STAGE: &str = "local";

/// The ARN of one request, as authorizers and policies see it.
pub(crate) fn method_arn(parts: &Parts) -> String {
    format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:{API}/{STAGE}/{}{}", parts.method, parts.uri.path())
}

/// The event of a TOKEN authorizer.
pub(crate) fn token(arn: &str, token: &str) -> Value {
    json!({"type": "TOKEN", "methodArn": arn, "authorizationToken": token})
}

/// What the gateway knows of a request besides what was sent.
pub(crate) struct Received {
    pub(crate) id: String,
    pub(crate) at: UnixTime,
    pub(crate) from: IpAddr,
}

/// The event of a proxy integration. `authorizer` is what the authorizer handed on.
pub(crate) fn proxy(
    resource: &str,
    parts: &Parts,
    body: &[u8],
    received: &Received,
    authorizer: Option<&Map<String, Value>>,
) -> Value {
    let headers = multi_value(
        parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())),
    );
    let query = multi_value(form_pairs(parts.uri.query().unwrap_or_default()));
    let (body, base64) = text_or_base64(body);
    json!({
        "resource": resource,
        "path": parts.uri.path(),
        "httpMethod": parts.method.as_str(),
        "headers": last_values(&headers),
        "multiValueHeaders": headers,
        "queryStringParameters": last_values(&query),
        "multiValueQueryStringParameters": query,
        "pathParameters": null,
        "stageVariables": null,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": API,
            "authorizer": authorizer,
            "httpMethod": parts.method.as_str(),
            "identity": {"sourceIp": received.from.to_string(), "userAgent": headers.get("user-agent").map(last)},
            // As at a custom domain that is mapped to the stage: what the caller's URL has.
            "path": parts.uri.path(),
            "protocol": "HTTP/1.1",
            "requestId": received.id,
            "requestTimeEpoch": received.at.millis(),
            "resourcePath": resource,
            "stage": STAGE,
        },
        "body": body,
        "isBase64Encoded": base64,
    })
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

fn form_pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    form_urlencoded::parse(query.as_bytes()).into_owned()
}

/// Text goes through as it is; all else as base64.
fn text_or_base64(body: &[u8]) -> (Option<String>, bool) {
    match str::from_utf8(body) {
        Ok("") => (None, false),
        Ok(text) => (Some(text.to_owned()), false),
        Err(_) => (Some(BASE64_STANDARD.encode(body)), true),
    }
}
