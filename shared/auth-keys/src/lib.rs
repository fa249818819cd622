//! Where private keys live, and what makes, rotates and kills them.
//!
//! The authorizer does not link this crate: it has no way to a private key.

pub mod keeper;
pub mod kms;
pub mod material;
pub mod minting;
pub mod place;
pub mod refresh;
pub mod refresh_keeper;
pub mod vault;

mod custodian;
mod file;
mod secret;
mod signer;
mod turns;

#[cfg(test)]
mod test_server;
