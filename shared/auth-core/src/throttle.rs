//! How long a login name is closed after failures (NIST SP 800-63B-4 §3.2.2).

use std::time::Duration;

/// Failures in a row that cost nothing.
pub const FREE_FAILURES: u32 = 5;

/// The longest time that a login name is closed.
pub const LONGEST_DELAY: Duration = Duration::from_mins(15);

/// How long a login name is closed after the last of `failures` failures in a row: nothing up to
/// [`FREE_FAILURES`], then 2^(failures − 5) seconds, at most [`LONGEST_DELAY`].
pub fn delay_after(failures: u32) -> Duration {
    match failures.checked_sub(FREE_FAILURES) {
        None | Some(0) => Duration::ZERO,
        Some(over) => Duration::from_secs(1_u64.checked_shl(over).unwrap_or(u64::MAX)).min(LONGEST_DELAY),
    }
}

/// The least number of failures that closes a login name for [`LONGEST_DELAY`].
pub fn failures_at_longest() -> u32 {
    (FREE_FAILURES..=u32::MAX).find(|&failures| delay_after(failures) == LONGEST_DELAY).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_are_free_then_the_delay_doubles_up_to_a_quarter_of_an_hour() {
        let seconds: Vec<u64> = (0..=17).map(|failures| delay_after(failures).as_secs()).collect();
        assert_eq!(seconds, [0, 0, 0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        assert_eq!(delay_after(u32::MAX), LONGEST_DELAY);
        assert_eq!(failures_at_longest(), 15);
    }
}
