//! What the gateway hands to functions.

use auth_core::time::{Clock as _, SystemClock};
use local::stack::DEMO_CLIENT;
use serde_json::{Value, json};

use crate::outages::world::World;

/// A login that the gateway receives now.
pub(crate) fn login(username: &str, password: &str) -> Value {
    let body = json!({"username": username, "password": password});
    received_now(include_str!("../../../events/login.json"), Some(&body))
}

/// A refresh that the gateway receives now.
pub(crate) fn refresh_with(refresh_token: &str) -> Value {
    received_now(include_str!("../../../events/refresh.json"), Some(&json!({"refresh_token": refresh_token})))
}

/// A refresh with the client's token.
pub(crate) fn refresh(world: &World) -> Value {
    refresh_with(&world.presented)
}

/// A sample event with the client's token.
pub(crate) fn with_token(event: &str, world: &World) -> Value {
    received_now(event, Some(&json!({"refresh_token": world.presented})))
}

/// A question about a token, by the demo client.
pub(crate) fn introspection(world: &World, token: &str) -> Value {
    let form = format!("client_id={DEMO_CLIENT}&client_secret={}&token={token}", world.client_secret);
    with_body(include_str!("../../../events/introspect.json"), Some(form))
}

/// A request to the token endpoint, by the demo client.
pub(crate) fn grant(world: &World, form: &str) -> Value {
    let form = format!("{form}&client_id={DEMO_CLIENT}&client_secret={}", world.client_secret);
    with_body(include_str!("../../../events/refresh-token.json"), Some(form))
}

/// A request with the access token, as the gateway asks the authorizer about it.
pub(crate) fn authorization(world: &World) -> Value {
    let event = include_str!("../../../events/authorizer-rest-token.json");
    serde_json::from_str(&event.replace("PASTE-AN-ACCESS-TOKEN", &world.access.0)).unwrap()
}

/// The revocation of a token.
pub(crate) fn revocation(token: &str) -> Value {
    with_body(include_str!("../../../events/revoke-token.json"), Some(format!("token={token}")))
}

/// A logout of this session, all or others, by the client's token.
pub(crate) fn logout(world: &World, sessions: &str) -> Value {
    let body = json!({"refresh_token": world.presented, "sessions": sessions});
    received_now(include_str!("../../../events/revoke.json"), Some(&body))
}

/// Of the user, signed in with another session than the one that is asked about.
pub(crate) fn by_caller(event: &str, world: &World) -> Value {
    let mut event = received_now(event, None);
    let authorizer = &mut event["requestContext"]["authorizer"];
    authorizer["sub"] = world.user.id.to_string().into();
    authorizer["sid"] = world.current().id.to_string().into();
    if event["pathParameters"].is_object() {
        event["pathParameters"]["sid"] = world.session.id.to_string().into();
    }
    event
}

fn received_now(event: &str, body: Option<&Value>) -> Value {
    with_body(event, body.map(Value::to_string))
}

fn with_body(event: &str, body: Option<String>) -> Value {
    let mut event: Value = serde_json::from_str(event).unwrap();
    event["requestContext"]["requestTimeEpoch"] = SystemClock.now().millis().into();
    if let Some(body) = body {
        event["body"] = body.into();
    }
    event
}
