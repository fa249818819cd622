//! How long things live: the durations that an operator sets, checked against each other once.

use std::time::Duration;

/// How long a request may live: the function's time-out. The gateway waits one second longer.
pub const REQUEST_LIFE: Duration = Duration::from_secs(10);

/// How much older or younger another instance's clock may make an instant appear.
pub const FUTURE_TOLERANCE: Duration = Duration::from_secs(60);

/// By this age a child is held by whoever shall ever hold it, and no request with the token before it is under way: the lives of
/// the answer and of such a request, on clocks that differ by 10 s.
pub const SETTLED: Duration = Duration::from_secs(2 * REQUEST_LIFE.as_secs() + 10);

/// The least by which `rest` exceeds `window`, so that no request can see two rotations in its life.
pub const REST_OVER_WINDOW: Duration = Duration::from_secs(60);

/// The bounds of an access token's life.
pub const ACCESS_TTL_BOUNDS: (Duration, Duration) = (Duration::from_mins(3), Duration::from_mins(60));

/// The bounds of a limit to a user's sessions.
pub const SESSIONS_PER_USER_BOUNDS: (u16, u16) = (1, 1000);

/// The longest `window`.
pub const LONGEST_WINDOW: Duration = Duration::from_secs(60);

/// The lives of sessions and of their refresh tokens.
///
/// Invariant: `rest >= window + 60 s`, `rest` is at most half an access token's life, `window <= 60 s` and
/// `absolute >= idle`. Only [`SessionPolicy::new`] builds another than the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionPolicy {
    rest: Duration,
    window: Duration,
    idle: Duration,
    absolute: Duration,
}

/// The durations contradict each other.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// `window` is over its bound.
    #[error("REFRESH_WINDOW_SECONDS must be at most {}", LONGEST_WINDOW.as_secs())]
    WindowTooLong,
    /// A request could see two rotations in its life.
    #[error("REFRESH_REST_SECONDS must be at least REFRESH_WINDOW_SECONDS + {}", REST_OVER_WINDOW.as_secs())]
    RestTooShort,
    /// Clients that refresh when half the access token's life has passed would not get a new refresh token.
    #[error("REFRESH_REST_SECONDS must be at most half of ACCESS_TOKEN_TTL_SECONDS")]
    RestTooLong,
    /// The absolute expiry would end every session before it can idle out.
    #[error("REFRESH_ABSOLUTE_TTL_SECONDS must be at least REFRESH_IDLE_TTL_SECONDS")]
    AbsoluteBelowIdle,
    /// A session would end before it begins.
    #[error("REFRESH_IDLE_TTL_SECONDS must be at least ACCESS_TOKEN_TTL_SECONDS")]
    IdleTooShort,
}

/// What holds unless it is set otherwise: `rest` 90 s, `window` 10 s, idle 30 days, absolute 180 days.
impl Default for SessionPolicy {
    fn default() -> Self {
        let day = Duration::from_hours(24);
        Self { rest: Duration::from_secs(90), window: Duration::from_secs(10), idle: 30 * day, absolute: 180 * day }
    }
}

impl SessionPolicy {
    /// Checks the durations against each other.
    ///
    /// # Errors
    ///
    /// [`PolicyError`], whose text names the environment variables.
    pub fn new(
        rest: Duration,
        window: Duration,
        idle: Duration,
        absolute: Duration,
        access_ttl: Duration,
    ) -> Result<Self, PolicyError> {
        if window > LONGEST_WINDOW {
            return Err(PolicyError::WindowTooLong);
        }
        if rest < window + REST_OVER_WINDOW {
            return Err(PolicyError::RestTooShort);
        }
        if rest > access_ttl / 2 {
            return Err(PolicyError::RestTooLong);
        }
        if idle < access_ttl {
            return Err(PolicyError::IdleTooShort);
        }
        if absolute < idle {
            return Err(PolicyError::AbsoluteBelowIdle);
        }
        Ok(Self { rest, window, idle, absolute })
    }

    /// How young a refresh token is handed out again instead of being rotated.
    pub const fn rest(&self) -> Duration {
        self.rest
    }

    /// How long after a rotation the token before it is answered with the same successor.
    pub const fn window(&self) -> Duration {
        self.window
    }

    /// How long a session lives without a rotation.
    pub const fn idle(&self) -> Duration {
        self.idle
    }

    /// How long a session lives at most.
    pub const fn absolute(&self) -> Duration {
        self.absolute
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn each_inequality_has_both_sides() {
        let cases = [
            ("the defaults", [90, 10, 2_592_000, 15_552_000, 600], Ok(())),
            ("rest = window + 60", [70, 10, 600, 600, 600], Ok(())),
            ("rest one second under", [69, 10, 600, 600, 600], Err(PolicyError::RestTooShort)),
            ("rest = half the access life", [300, 10, 600, 600, 600], Ok(())),
            ("rest one second over", [301, 10, 600, 600, 600], Err(PolicyError::RestTooLong)),
            ("window = 0", [60, 0, 600, 600, 600], Ok(())),
            ("window = 60", [120, 60, 600, 600, 600], Ok(())),
            ("window one second over", [130, 61, 600, 600, 600], Err(PolicyError::WindowTooLong)),
            ("absolute under idle", [90, 10, 601, 600, 600], Err(PolicyError::AbsoluteBelowIdle)),
            ("idle under the access life", [90, 10, 599, 600, 600], Err(PolicyError::IdleTooShort)),
        ];
        for (name, [rest, window, idle, absolute, access], expected) in cases {
            let actual = SessionPolicy::new(s(rest), s(window), s(idle), s(absolute), s(access));
            assert_eq!(actual.map(|_| ()), expected, "{name}");
        }
    }
}
