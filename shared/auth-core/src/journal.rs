//! What was revoked in the last minutes: the entries of the journal, which every authorizer reads.
//!
//! An entry is there for as long as a token that it kills may live. What lasts longer than a token is kept elsewhere: the end
//! of a session in its item, a user's `ver` and `floor` in the user's.

use std::num::NonZeroU8;
use std::time::Duration;

use crate::claims::AccessClaims;
use crate::id::{SessionId, UserId};
use crate::jwt::LEEWAY;
use crate::policy::{ACCESS_TTL_BOUNDS, REQUEST_LIFE};
use crate::time::UnixTime;

/// How much longer than a token an entry stays: a refresh that is under way may still mint one, the stamp is up to a second
/// old, clocks differ, and a snapshot is not the newest.
const SPARE: Duration = Duration::from_secs(90);

/// How long an entry stays, where access tokens live for `access_ttl`.
pub const fn keep(access_ttl: Duration) -> Duration {
    access_ttl.saturating_add(LEEWAY).saturating_add(SPARE)
}

/// How long an entry stays where access tokens live longest.
pub const LONGEST_KEEP: Duration = keep(ACCESS_TTL_BOUNDS.1);

/// The bounds of the number of copies.
pub const COPIES_BOUNDS: (u8, u8) = (1, 16);

/// How the journal is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalPolicy {
    /// How many copies are written; each reader reads one.
    pub copies: NonZeroU8,
    /// How long an entry stays.
    pub keep: Duration,
}

impl JournalPolicy {
    /// For whoever does not know how many copies are read.
    pub const EVERY_COPY: Self =
        Self { copies: NonZeroU8::MIN.saturating_add(COPIES_BOUNDS.1 - 1), keep: LONGEST_KEEP };
}

/// One copy, kept for the longest.
impl Default for JournalPolicy {
    fn default() -> Self {
        Self { copies: NonZeroU8::MIN, keep: LONGEST_KEEP }
    }
}

/// What a revocation is of. The texts are those of the journal's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One access token, by its `jti`.
    Token,
    /// One session, by its `sid`.
    Session,
    /// A user's tokens below a `ver`.
    User,
    /// A client's tokens up to an instant.
    Client,
    /// All tokens under one key, by its `kid`.
    Key,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Token, Self::Session, Self::User, Self::Client, Self::Key];

    /// The claim, or header member, whose value names what is revoked.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "jti",
            Self::Session => "sid",
            Self::User => "sub",
            Self::Client => "client",
            Self::Key => "kid",
        }
    }

    /// The kind of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether a token whose `id` of this kind is named with `bound` is revoked by that.
    pub(crate) fn revokes(self, bound: u64, claims: &AccessClaims) -> bool {
        match self {
            Self::Token | Self::Session | Self::Key => true,
            Self::User => claims.session.as_ref().is_some_and(|session| session.ver < bound),
            // What began before the instant may have been minted a request's life after it.
            Self::Client => claims.iat < UnixTime::from_millis(bound) + REQUEST_LIFE,
        }
    }

    /// What of this kind a token names. A session that was derived from another one names both: it ends with either.
    pub(crate) fn ids_in(self, claims: &AccessClaims) -> impl Iterator<Item = &str> {
        let session = claims.session.as_ref();
        let parent = || session?.delegation.as_ref().map(|delegation| &delegation.parent_sid);
        let (id, parent) = match self {
            Self::Token => (Some(&claims.jti), None),
            Self::Session => (session.map(|session| &session.sid), parent()),
            Self::User => (session.map(|_| &claims.sub), None),
            Self::Client => (Some(&claims.client_id), None),
            Self::Key => (Some(&claims.kid), None),
        };
        id.into_iter().chain(parent).map(String::as_str)
    }
}

/// Whether all tokens that a client had until `bound` (in milliseconds) were revoked, and this is one of them.
pub fn is_of_revoked_client(claims: &AccessClaims, bound: u64) -> bool {
    Kind::Client.revokes(bound, claims)
}

/// A revocation of access tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Of what.
    pub kind: Kind,
    /// Which one.
    pub id: String,
    /// For a user the least `ver` that is still good, for a client the instant in milliseconds; 0 otherwise.
    pub bound: u64,
}

impl Revocation {
    /// Of one access token.
    pub fn token(jti: &str) -> Self {
        Self { kind: Kind::Token, id: jti.to_owned(), bound: 0 }
    }

    /// Of one session's access tokens.
    pub fn session(id: SessionId) -> Self {
        Self { kind: Kind::Session, id: id.to_string(), bound: 0 }
    }

    /// Of a user's access tokens below `ver`.
    pub fn user(id: UserId, ver: u64) -> Self {
        Self { kind: Kind::User, id: id.to_string(), bound: ver }
    }

    /// Of all access tokens that a client was given until now.
    pub fn client(id: &str, now: UnixTime) -> Self {
        Self { kind: Kind::Client, id: id.to_owned(), bound: now.millis() }
    }

    /// Of all access tokens under a key.
    pub fn key(kid: &str) -> Self {
        Self { kind: Kind::Key, id: kid.to_owned(), bound: 0 }
    }
}

/// A revocation as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What is revoked.
    pub revocation: Revocation,
    /// When its writer said so, by the writer's clock, in whole seconds.
    pub at: UnixTime,
    /// From when on no token can live that it kills.
    pub until: UnixTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_kinds() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(Kind::from_name("iss"), None);
    }

    #[test]
    fn who_does_not_know_the_copies_writes_all_that_there_can_be() {
        assert_eq!(JournalPolicy::EVERY_COPY.copies.get(), COPIES_BOUNDS.1);
        assert_eq!(JournalPolicy::EVERY_COPY.keep, JournalPolicy::default().keep);
    }

    #[test]
    fn an_entry_outlives_every_token_that_it_kills() {
        let minutes = Duration::from_mins(10);
        // Minted by a refresh at the end of its life, under a clock 10 s ahead, and taken within the leeway.
        let last = REQUEST_LIFE + Duration::from_secs(10) + minutes + LEEWAY;
        assert!(keep(minutes) > last);
        assert_eq!(keep(minutes), Duration::from_secs(720));
        assert_eq!(LONGEST_KEEP, Duration::from_secs(3720));
    }
}
