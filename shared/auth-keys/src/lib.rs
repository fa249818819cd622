//! Where private keys live, and what makes, rotates and kills them.
//!
//! The authorizer does not link this crate: it has no way to a private key.

pub mod keeper;
pub mod material;
pub mod minting;
pub mod place;
pub mod refresh;
pub mod refresh_keeper;
pub mod vault;

mod file;
mod secret;
