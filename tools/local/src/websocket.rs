//! The WebSocket API: what becomes of a handshake that the authorizer lets through.

use axum::body::Body;
use axum::extract::FromRequestParts as _;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::Response;
use axum::http::header::UPGRADE;
use axum::http::request::Parts;
use axum::response::IntoResponse as _;
use serde_json::{Map, Value};

/// Whether a request opens a WebSocket (RFC 6455 §4.1).
pub(crate) fn is_handshake(parts: &Parts) -> bool {
    parts.headers.get(UPGRADE).is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Opens the connection. There is no integration behind it: each text is answered with what one would find in
/// `requestContext.authorizer`.
pub(crate) async fn connect(mut parts: Parts, handed_on: Map<String, Value>) -> Response<Body> {
    match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade.on_upgrade(|socket| answer(socket, Value::Object(handed_on).to_string())),
        Err(rejection) => rejection.into_response(),
    }
}

async fn answer(mut socket: WebSocket, caller: String) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Text(_)) && socket.send(Message::Text(caller.clone().into())).await.is_err() {
            break;
        }
    }
}
