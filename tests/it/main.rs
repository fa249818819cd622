//! Flows over HTTP, the store's contract, and what the workspace promises of itself.
//!
//! Everything runs on the embedded engine, or on the one at `DYNAMODB_ENDPOINT`.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by them")]

mod authorizer;
mod bad_input;
mod boundaries;
mod browser;
mod calls;
mod client_contract;
mod contract;
mod cors;
mod custody;
mod delegation;
mod deployed;
mod description;
mod downstream;
mod emf;
mod events;
mod faults;
mod flows;
mod gateway;
mod grants;
mod harness;
mod introspect;
mod issuers;
mod journal;
mod keeping;
mod key_contract;
mod key_faults;
mod keys;
mod listening;
mod log;
mod login;
mod logout;
mod metrics;
mod one_time;
mod one_time_contract;
mod openapi;
mod outages;
mod parameters;
mod planted;
mod policy;
mod refresh_keys;
mod revocation;
mod revoke;
mod rie;
mod rotating;
mod sessions;
mod surfaces;
mod template;
mod user_contract;
mod watching;
mod wire;
