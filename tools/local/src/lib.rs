//! The whole stack on loopback: the embedded database, the functions, and a gateway in front of them that behaves as API
//! Gateway's REST APIs do.

pub mod clock;
pub mod gateway;
pub mod secrets;
pub mod stack;

mod engine;
mod event;
mod policy;
