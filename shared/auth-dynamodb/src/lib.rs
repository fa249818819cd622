//! The table of Countersign in DynamoDB.
//!
//! One item per thing that changes, one conditional write per change, the old item asked for when a condition fails.
//! Expiry is compared on every read and in every condition; time-to-live only sweeps up. The rules are
//! [`auth_core`]'s: this crate turns them into expressions and items.

pub mod change;
pub mod check;
pub mod client;
pub mod delegation;
pub mod deletion;
pub mod endpoint;
pub mod error;
pub mod journal;
pub mod key_ring;
pub mod key_watch;
pub mod login;
pub mod one_time;
pub mod page;
pub mod patience;
pub mod session;
pub mod store;
pub mod table;
pub mod user;
pub mod verifiers;

mod item;
mod transaction;
