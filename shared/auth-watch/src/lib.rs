//! A copy of keys that others change, kept young by whoever uses it.

pub mod key_watch;
pub mod pace;
pub mod unknown_key;
