//! The rules of Countersign: tokens, keys, sessions and their rotation.
//!
//! Nothing here talks to the network or waits: `now` is an argument, random bytes come from an [`entropy::Entropy`], and the
//! store is told what to write by [`rotation::Rotation`]. What touches the process's surroundings is one function each, for
//! `main` to pass in: [`time::SystemClock`], [`entropy::OsEntropy`], [`config::environment`] and, at start,
//! [`config::Variables::document`].

pub mod bearer;
pub mod claims;
pub mod client;
pub mod config;
pub mod delegation;
pub mod entropy;
pub mod foreign;
pub mod generate;
pub mod id;
pub mod issuer;
pub mod journal;
pub mod jwt;
pub mod key;
pub mod key_ring;
pub mod login;
pub mod network;
pub mod policy;
pub mod refresh_token;
pub mod rotation;
pub mod scope;
pub mod session;
pub mod snapshot;
mod strict_json;
pub mod throttle;
pub mod time;
pub mod user;

#[cfg(test)]
mod test_keys;
