//! Events of REST APIs, and the bodies in them: read or refused.
#![no_main]

use std::collections::HashMap;

use auth_http::body::{self, MAX_LENGTH};
use auth_http::client::credentials;
use auth_http::request::{Body, Request};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|text: &str| {
    let posted = |content_type: &str, body: &str| {
        Request::from_event(&json!({"httpMethod": "POST", "body": body, "headers": {"content-type": content_type}}))
    };
    let request = match text.split_at_checked(1) {
        Some(("b", basic)) => by_client(basic),
        Some(("f", form)) => posted("application/x-www-form-urlencoded", form),
        Some(("j", object)) => posted("application/json", object),
        _ => Request::from_event(&serde_json::from_str(text).unwrap_or_default()),
    };
    if let Ok(mut parameters) = body::form(&request) {
        assert!(parameters.iter().all(|(name, value)| name.len() + value.len() <= MAX_LENGTH));
        let shown = credentials(&request, &mut parameters);
        assert!(!parameters.contains_key("client_secret"), "a secret stays in the form");
        if let (Ok(Some(shown)), Some(id)) = (shown, parameters.get("client_id")) {
            assert_eq!(shown.id.as_str(), id);
        }
    }
    let object: Result<HashMap<String, Value>, _> = body::json(&request, "an object");
    assert!(object.is_err() || matches!(&request.body, Body::Bytes(bytes) if bytes.len() <= MAX_LENGTH));
});

/// With a client's credentials in the header field, and its name in the form.
fn by_client(basic: &str) -> Request {
    Request::from_event(&json!({
        "httpMethod": "POST",
        "body": "grant_type=client_credentials&client_id=demo",
        "headers": {"content-type": "application/x-www-form-urlencoded", "authorization": format!("Basic {basic}")},
    }))
}
