//! What must be true of every decision about an access token, said in tokens and instants alone.
//!
//! Instants are milliseconds of the true time; what is revoked counts as acknowledged when it is done.

use crate::event::Violation;
use crate::reference::SKEW;

/// The claim `exp` is exclusive, give or take this.
const LEEWAY: u64 = 30_000;

/// An access token that was minted.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) text: String,
    /// In seconds.
    pub(crate) exp: u64,
    pub(crate) ver: u64,
}

/// What was revoked, since when.
#[derive(Clone, Copy, Debug)]
struct Revoked {
    since: u64,
    /// Tokens below it; all of them without one.
    below: Option<u64>,
}

/// What is known of revocations.
#[derive(Default)]
pub(crate) struct Revocations {
    revoked: Vec<Revoked>,
    /// Whether a table was restored: snapshots remember what the table forgot.
    restored: bool,
}

impl Revocations {
    /// The session has ended.
    pub(crate) fn session_ended(&mut self, now: u64) {
        self.revoked.push(Revoked { since: now, below: None });
    }

    /// The user's `ver` has risen.
    pub(crate) fn version_is(&mut self, ver: u64, now: u64) {
        self.revoked.push(Revoked { since: now, below: Some(ver) });
    }

    /// The table is as it was before: what was revoked since is not any more, and nothing is promised of it.
    pub(crate) fn restored(&mut self) {
        self.revoked.clear();
        self.restored = true;
    }

    /// An authorizer has let a token in at `now`.
    ///
    /// # Errors
    ///
    /// [`Violation::RevokedIsAllowed`].
    pub(crate) fn allowed(&self, token: &Access, now: u64, bound: u64) -> Result<(), Violation> {
        let seen = |revoked: &Revoked| revoked.since + bound < now;
        if self.covering(token).any(seen) { Err(Violation::RevokedIsAllowed) } else { Ok(()) }
    }

    /// An authorizer has refused a token at `now`, with a 401.
    ///
    /// # Errors
    ///
    /// [`Violation::GoodIsRefused`].
    pub(crate) fn refused(&self, token: &Access, now: u64) -> Result<(), Violation> {
        let is_over = now + SKEW >= token.exp * 1000 + LEEWAY;
        let has_reason = is_over || self.restored || self.covering(token).next().is_some();
        if has_reason { Ok(()) } else { Err(Violation::GoodIsRefused) }
    }

    fn covering(&self, token: &Access) -> impl Iterator<Item = &Revoked> {
        self.revoked.iter().filter(|revoked| revoked.below.is_none_or(|ver| token.ver < ver))
    }
}
