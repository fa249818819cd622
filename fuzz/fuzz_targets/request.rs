//! Events of REST APIs, and the bodies in them: read or refused.
#![no_main]

use std::collections::HashMap;

use auth_http::body::{self, MAX_LENGTH};
use auth_http::request::{Body, Request};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|text: &str| {
    let posted = |content_type: &str, body: &str| {
        Request::from_event(&json!({"httpMethod": "POST", "body": body, "headers": {"content-type": content_type}}))
    };
    let request = match text.split_at_checked(1) {
        Some(("f", form)) => posted("application/x-www-form-urlencoded", form),
        Some(("j", object)) => posted("application/json", object),
        _ => Request::from_event(&serde_json::from_str(text).unwrap_or_default()),
    };
    if let Ok(parameters) = body::form(&request) {
        assert!(parameters.iter().all(|(name, value)| name.len() + value.len() <= MAX_LENGTH));
    }
    let object: Result<HashMap<String, Value>, _> = body::json(&request, "an object");
    assert!(object.is_err() || matches!(&request.body, Body::Bytes(bytes) if bytes.len() <= MAX_LENGTH));
});
