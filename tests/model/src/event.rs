//! The words in which the reference is told what happens, and in which it remembers.

use std::collections::BTreeSet;

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// A client that keeps the highest generation that it received, durably, for all who hold the session.
    Owner,
    /// Whoever copied the owner's token.
    Thief,
    /// Whoever knows the session's ids, which are no secret, and makes up the rest.
    Stranger,
}

/// An answer, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// 200.
    Granted {
        /// The refresh token.
        token: String,
        /// When the access token dies, in seconds since the epoch.
        exp: u64,
        /// What the access token may be used for.
        scope: String,
        /// The user's `ver` in it.
        ver: u64,
        /// The access token.
        access: String,
    },
    /// 400 `invalid_grant`.
    Refused,
    /// Anything else: come again.
    Again,
}

/// What no history may show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Violation {
    /// An honest client was told that its session is over.
    FalseLogout,
    /// A token was answered although a sibling of it, or a later token, had been used before.
    SecondLine,
    /// A thief was answered after the owner's second refresh.
    ThiefOutlives,
    /// A token that was never handed out was answered.
    ForgeryAnswered,
    /// An old token was answered leniently: with itself after `rest`, or with its successor after `window`.
    TooLenient,
    /// A refresh that began after an acknowledged end was answered.
    LivesAfterEnd,
    /// A refresh was answered after the session's time, or its access token outlives the session.
    LivesTooLong,
    /// A scope that the session or its user does not have.
    ScopeWidened,
    /// The session's absolute expiry moved.
    ExpiryMoved,
    /// An access token was let in although it had been revoked for longer than a snapshot may be old.
    RevokedIsAllowed,
    /// An access token was refused with a 401 that nothing had revoked.
    GoodIsRefused,
    /// The table over the wire and the one in memory say different things.
    TablesDisagree,
    /// An answer that the handler should not give: a 5xx without a fault, a body without its members.
    OddAnswer,
}

/// How long things live.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lives {
    /// How long after a rotation the token before it is answered with the same successor.
    pub window: u64,
    /// How long a token is handed out again.
    pub rest: u64,
    /// How long a session lives without a rotation, and at most.
    pub idle: u64,
    /// How long a session lives at most.
    pub absolute: u64,
}

/// A request under way.
pub(crate) struct Request {
    pub(crate) who: Who,
    pub(crate) token: String,
    pub(crate) sent: u64,
    pub(crate) arrived: u64,
    pub(crate) instant: u64,
    pub(crate) lives_until: u64,
    pub(crate) idle_by: u64,
}

/// Since a token was copied: the tokens that the owner has used, and the event by which there were two.
pub(crate) struct Copied {
    pub(crate) at: u64,
    pub(crate) used: BTreeSet<String>,
    pub(crate) found_out: Option<u64>,
}
