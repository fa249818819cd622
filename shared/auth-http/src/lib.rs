//! What the functions behind API Gateway share: requests out of events, bodies out of requests, and the shapes of answers.

pub mod bearer;
pub mod body;
pub mod browser;
pub mod client;
pub mod function;
pub mod request;
pub mod response;

mod cookie;
mod cors;
mod origin;
