//! How a phone is used: in bursts, with hours between them.

use std::time::Duration;

use auth_core::time::UnixTime;

use super::scheme::ACCESS;
use crate::rng::Rng;

/// When every phone signs in.
pub const START: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// A day.
pub const DAY: Duration = Duration::from_hours(24);

/// A client in use refreshes when half of its access token's life is over.
pub const REFRESH_AFTER: Duration = Duration::from_mins(5);
const _: () = assert!(REFRESH_AFTER.as_secs() * 2 == ACCESS.as_secs());

/// Nobody uses a phone in the first third of a day.
const NIGHT: Duration = Duration::from_hours(8);

/// One phone's times of use: 8 to 12 a day, each of 1 to 64 minutes, short ones as likely as long ones.
#[derive(Debug)]
pub struct Phone {
    /// Beginnings and ends, in order, apart from each other.
    uses: Vec<(UnixTime, UnixTime)>,
}

impl Phone {
    /// A phone for some days.
    pub fn draw(rng: &mut Rng, days: u32) -> Self {
        let mut drawn = Vec::new();
        for day in 0..days {
            for _ in 0..8 + rng.below(5) {
                let begins = START + DAY * day + NIGHT + up_to(DAY.saturating_sub(NIGHT), rng);
                drawn.push((begins, begins + doubling(Duration::from_mins(1), 6, rng)));
            }
        }
        drawn.sort_unstable();
        let mut uses: Vec<(UnixTime, UnixTime)> = Vec::with_capacity(drawn.len());
        for (begins, ends) in drawn {
            match uses.last_mut() {
                Some(last) if begins <= last.1 => last.1 = last.1.max(ends),
                _ => uses.push((begins, ends)),
            }
        }
        Self { uses }
    }

    /// The first instant from `at` on at which the phone is in use.
    pub fn in_use_from(&self, at: UnixTime) -> Option<UnixTime> {
        let next = self.uses.partition_point(|(_, ends)| *ends <= at);
        self.uses.get(next).map(|(begins, _)| at.max(*begins))
    }

    /// When it refreshes, if nothing ever goes wrong.
    pub fn refreshes(&self) -> Vec<UnixTime> {
        let mut next = self.in_use_from(START + REFRESH_AFTER);
        std::iter::from_fn(|| {
            let at = next?;
            next = self.in_use_from(at + REFRESH_AFTER);
            Some(at)
        })
        .collect()
    }
}

/// A time below `bound`, to the millisecond.
pub fn up_to(bound: Duration, rng: &mut Rng) -> Duration {
    Duration::from_millis(rng.below(u64::try_from(bound.as_millis()).unwrap_or(u64::MAX).max(1)))
}

/// A time between `least` and what `doublings` make of it, every doubling as likely as the others.
pub fn doubling(least: Duration, doublings: u32, rng: &mut Rng) -> Duration {
    let lower = least * (1 << rng.below(doublings.into()));
    lower + up_to(lower, rng)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_is_used_in_bursts_and_refreshes_only_then() {
        for seed in 0..20 {
            let phone = Phone::draw(&mut Rng::new(seed), 30);
            let refreshes = phone.refreshes();
            assert!((600..2_000).contains(&refreshes.len()), "{}", refreshes.len());
            for pair in refreshes.windows(2) {
                assert!(pair[1].since(pair[0]) >= REFRESH_AFTER);
            }
            for at in refreshes {
                assert!(phone.uses.iter().any(|(begins, ends)| (*begins..*ends).contains(&at)));
            }
            let nights = phone.uses.windows(2).filter(|pair| pair[1].0.since(pair[0].1) > Duration::from_hours(6));
            assert!(nights.count() >= 20);
        }
    }

    #[test]
    fn times_are_within_their_bounds() {
        let mut rng = Rng::new(1);
        let drawn: Vec<Duration> = (0..10_000).map(|_| doubling(Duration::from_secs(2), 14, &mut rng)).collect();
        let [least, most] = [2, 2 << 14].map(Duration::from_secs);
        assert!(drawn.iter().all(|time| (least..most).contains(time)));
        assert!(drawn.iter().any(|time| *time < 2 * least) && drawn.iter().any(|time| *time > most / 2));
    }
}
