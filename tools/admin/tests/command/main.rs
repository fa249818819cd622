//! The command `authctl`, as operators and their scripts use it.

#![expect(clippy::unwrap_used, reason = "a test fails by them")]

mod clients;
mod keys;
mod operator;
mod refresh_keys;
mod relay;
mod revoke;
mod ring;
mod sessions;
mod tables;
mod usage;
mod users;
