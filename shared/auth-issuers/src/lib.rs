//! Other issuers whose access tokens are believed beside our own: which one a token names, and its keys.

pub mod fetch;
pub mod issuers;
pub mod trusted;

#[cfg(test)]
mod tests;
