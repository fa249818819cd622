//! `authctl`, the operator's command line.
//!
//! One file per group of commands. Each reads what it is about, asks before it destroys, changes what it has read and
//! nothing newer, and says what has become of it.

pub mod command;
pub mod failure;
pub mod run;

mod ask;
mod client;
mod context;
mod help;
mod key_set;
mod keys;
mod output;
mod place;
mod printable;
mod refresh_keys;
mod revoke;
mod ring;
mod session;
mod table;
mod user;
