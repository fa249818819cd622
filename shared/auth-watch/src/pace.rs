//! How old a copy may be, and how often another one is asked for.

use std::time::Duration;

/// So often the source is asked again after it has failed, and asked for a key that nobody knows.
pub const RETRY: Duration = Duration::from_secs(10);

/// So often somebody waits for a copy that is older than [`Pace::firm`].
pub const OVERDUE: Duration = Duration::from_mins(1);

/// How old a copy may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// An older one is read again, and nobody waits for it.
    pub soft: Duration,
    /// An older one is read again while one caller in [`OVERDUE`] waits: a fetch that takes several steps may never come to its
    /// end where nobody does, because each invocation that carries it on is short and the process frozen in between.
    pub firm: Duration,
    /// An older one is not used.
    pub hard: Duration,
    /// After a fetch that failed, so long nobody waits for the next one: neither who has no copy at all, nor who asks for a key
    /// that nobody knows.
    pub respite: Duration,
}
