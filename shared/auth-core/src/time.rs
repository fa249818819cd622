//! Instants: one `now` is taken when a request begins, and dates all that it writes and mints.

use std::ops::Add;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

/// Milliseconds since the Unix epoch.
///
/// Tokens carry whole seconds (`NumericDate`, RFC 7519 §2); stored items carry the milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The instant `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// The instant `seconds` seconds after the epoch.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down: the value of a `NumericDate`.
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// The time that has passed since `earlier`; zero when `earlier` lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The instant `duration` earlier, or the epoch.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

impl Add<Duration> for UnixTime {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// An instant by two clocks. One of them may stand still while the process is frozen, the other may be set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// By the wall clock.
    pub wall: UnixTime,
    /// By a clock that is never set, since some instant of its own.
    pub steady: Duration,
}

impl Moment {
    /// The time that has passed since `earlier`, by the clock that saw more of it.
    pub fn since(self, earlier: Self) -> Duration {
        self.wall.since(earlier.wall).max(self.steady.saturating_sub(earlier.steady))
    }
}

/// Where a request's `now` comes from.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> UnixTime;

    /// The present by a clock that is never set. One that has none says zero.
    fn steady(&self) -> Duration {
        Duration::ZERO
    }

    /// The present instant, by both clocks.
    fn moment(&self) -> Moment {
        Moment { wall: self.now(), steady: self.steady() }
    }
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    fn now(&self) -> UnixTime {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        UnixTime(millis(since_epoch))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    fn steady(&self) -> Duration {
        static FIRST: OnceLock<Instant> = OnceLock::new();
        FIRST.get_or_init(Instant::now).elapsed()
    }
}

/// A clock that stands still until it is set.
#[cfg(feature = "test-util")]
#[derive(Debug)]
pub struct ManualClock(std::sync::atomic::AtomicU64);

#[cfg(feature = "test-util")]
impl ManualClock {
    /// A clock that shows `now`.
    pub const fn new(now: UnixTime) -> Self {
        Self(std::sync::atomic::AtomicU64::new(now.0))
    }

    /// Puts the clock forward.
    pub fn advance(&self, duration: Duration) {
        self.0.fetch_add(millis(duration), std::sync::atomic::Ordering::SeqCst);
    }
}

#[cfg(feature = "test-util")]
impl Clock for ManualClock {
    fn now(&self) -> UnixTime {
        UnixTime(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }

    /// It is never put back, so one clock is both.
    fn steady(&self) -> Duration {
        Duration::from_millis(self.now().millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        assert_eq!(UnixTime::from_seconds(u64::MAX) + Duration::MAX, UnixTime::from_millis(u64::MAX));
        assert_eq!(UnixTime::from_seconds(5).before(Duration::from_secs(6)), UnixTime::from_millis(0));
        assert_eq!(UnixTime::from_seconds(5).since(UnixTime::from_seconds(9)), Duration::ZERO);
    }

    #[test]
    fn the_clock_that_saw_more_time_go_by_counts() {
        let moment = |wall, steady| Moment { wall: UnixTime::from_seconds(wall), steady: Duration::from_secs(steady) };
        let cases = [
            ("both", moment(103, 8), 3),
            ("frozen: the steady clock stood still", moment(160, 5), 60),
            ("the wall clock was set back", moment(50, 12), 7),
        ];
        for (name, now, seconds) in cases {
            assert_eq!(now.since(moment(100, 5)), Duration::from_secs(seconds), "{name}");
        }
    }

    #[test]
    fn the_systems_clock_goes() {
        let released = UnixTime::from_seconds(1_767_225_600); // 2026
        let (wall, steady) = (SystemClock.now(), SystemClock.steady());
        assert!(wall > released, "{wall:?}");
        assert!((0..10_000_000).any(|_| SystemClock.steady() > steady));
    }

    #[test]
    fn seconds_round_down() {
        assert_eq!(UnixTime::from_millis(1_999).seconds(), 1);
    }
}
