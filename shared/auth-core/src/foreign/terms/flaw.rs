//! What can be wrong with `TRUSTED_ISSUERS`.

use crate::foreign::JwksError;

/// The bounds of `max_life_seconds`: a minute to thirty days.
pub(super) const LIFE_BOUNDS: (u64, u64) = (60, 30 * 86_400);

/// Why `TRUSTED_ISSUERS` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TermsError {
    /// Not a JSON list.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// One of them cannot be used. They count from 0.
    #[error("issuer {0}: {1}")]
    Issuer(usize, Flaw),
}

/// What is wrong with the terms for an issuer.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    /// A member is missing, unknown or of another type.
    #[error("{0}")]
    Member(#[from] serde_json::Error),
    /// No name that could stand in `iss`.
    #[error("\"issuer\" is 1 to 256 printable characters of ASCII without spaces and |, equal to the claim iss")]
    Name,
    /// Our own.
    #[error("\"issuer\" is ISSUER itself")]
    Own,
    /// Another entry is for the same.
    #[error("\"issuer\" stands in the list twice")]
    Twice,
    /// None, or an empty one.
    #[error("\"audience\" is a name, or a list of names")]
    Audience,
    /// None, or one that is not for others.
    #[error("\"algorithms\" lists one or more of RS256, ES256, EdDSA")]
    Algorithms,
    /// Both ways to the keys, or none.
    #[error("either \"jwks_uri\" or \"jwks\" tells the keys")]
    Source,
    /// Not a URL that is asked.
    #[error("\"jwks_uri\" is an https URL without fragment (http only on loopback)")]
    Uri,
    /// The inline set.
    #[error("\"jwks\": {0}")]
    Keys(#[from] JwksError),
    /// None, or an empty one.
    #[error("\"types\" lists what the header member typ may be; null among them if it may be missing")]
    Types,
    /// Out of bounds.
    #[error("\"max_life_seconds\" is {} to {}", LIFE_BOUNDS.0, LIFE_BOUNDS.1)]
    Life,
    /// A claim without a name.
    #[error(
        "a claim in \"claims\" or \"require\" has a name; in \"claims\" that is a text, or a list with the way to it"
    )]
    Claim,
    /// Words that no token can have.
    #[error("\"scopes\" and \"roles\" give for each word of theirs words of ours (RFC 6749 §3.3), separated by spaces")]
    Words,
}
