//! Flows over HTTP, the store's contract, and what the workspace promises of itself.
//!
//! Everything runs on the embedded engine, or on the one at `DYNAMODB_ENDPOINT`.

mod authorizer;
mod bad_input;
mod boundaries;
mod calls;
mod contract;
mod faults;
mod flows;
mod harness;
mod log;
mod login;
mod rie;
mod template;
mod wire;
