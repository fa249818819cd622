//! How long calls of AWS may take, and how often they are tried.

use std::time::Duration;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;

const ATTEMPTS: u32 = 3;
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_millis(400);

/// How often a call is tried within a request, and the pauses between.
pub fn retries() -> RetryConfig {
    let config = RetryConfig::standard().with_max_attempts(ATTEMPTS);
    config.with_initial_backoff(FIRST_BACKOFF).with_max_backoff(LONGEST_BACKOFF)
}

/// How long is waited.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For one attempt.
    pub attempt: Duration,
    /// For all of them, and the pauses between.
    pub call: Duration,
}

impl Patience {
    /// The same, as the SDK takes it.
    pub fn timeouts(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(self.call)
            .build()
    }
}
