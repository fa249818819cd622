//! Passwords: what one is, and the Argon2id hash (RFC 9106) that is kept of it.
//!
//! Nothing here does I/O: salts come from an [`auth_core::entropy::Entropy`], and hashes are PHC strings for the store.

pub mod hasher;
pub mod password;

mod memory;
mod stored;
