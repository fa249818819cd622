//! The whole stack on loopback: the embedded database, the functions, and a gateway in front of them that behaves as API
//! Gateway does, each kind of it.

pub mod answer;
pub mod clock;
pub mod gateway;
pub mod identity;
pub mod response;
pub mod secrets;
pub mod stack;
pub mod surface;

mod engine;
mod event;
mod stage;
mod websocket;
