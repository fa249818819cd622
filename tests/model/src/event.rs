//! The words in which the reference is told what happens.

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
    /// The table over the wire and the one in memory say different things.
    TablesDisagree,
    /// An answer that the handler should not give: a 5xx without a fault, a body without its members.
    OddAnswer,
}
