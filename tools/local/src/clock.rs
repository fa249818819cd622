//! A clock that can be put forward, to try expiry and a week offline in seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auth_core::time::{Clock, UnixTime};

/// The clock of the whole stack.
pub struct LocalClock {
    base: Arc<dyn Clock>,
    ahead_millis: AtomicU64,
}

impl LocalClock {
    /// A clock that shows what `base` shows, until it is put forward.
    pub fn new(base: Arc<dyn Clock>) -> Self {
        Self { base, ahead_millis: AtomicU64::new(0) }
    }

    /// Puts the clock forward; it never goes back.
    pub fn advance(&self, duration: Duration) {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.ahead_millis.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for LocalClock {
    fn now(&self) -> UnixTime {
        self.base.now() + Duration::from_millis(self.ahead_millis.load(Ordering::SeqCst))
    }

    /// Putting the clock forward makes no request slower.
    fn steady(&self) -> Duration {
        self.base.steady()
    }
}
