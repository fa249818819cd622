//! What an honest client loses: how often it is told to sign in again, although nobody copied anything.

use std::time::Duration;

use auth_core::time::UnixTime;

use super::phone::{Phone, REFRESH_AFTER, START, doubling, up_to};
use super::scheme::{Rules, Scheme, Token};
use crate::rng::Rng;

/// How long clients are watched, in days.
pub const DAYS: u32 = 30;

/// One answer in so many is lost.
pub const LOST_IN: u64 = 100;

/// One refresh in so many is followed by others at once.
pub const DOUBLED_IN: u64 = 50;

/// Within this time they are sent, with the same token.
pub const AT_ONCE: Duration = Duration::from_secs(2);

/// What a client hears after it sent one or more requests.
enum Heard {
    Nothing,
    Token(Token),
    Refusal,
}

/// How often one client has to sign in again within [`DAYS`], if a doubled refresh is `at_once` requests.
pub fn forced_sign_ins(rules: Rules, at_once: u64, seed: u64) -> u32 {
    let mut rng = Rng::new(seed);
    let phone = Phone::draw(&mut rng, DAYS);
    let (mut session, mut held, mut forced) = (rules.sign_in(START), Token::FIRST, 0);
    let mut due = START + REFRESH_AFTER;
    while let Some(at) = phone.in_use_from(due) {
        let requests = if rng.once_in(DOUBLED_IN) { at_once } else { 1 };
        due = at + REFRESH_AFTER;
        match refresh(session.as_mut(), held, requests, at, &mut rng) {
            // The same again: in 2 seconds, in 9 hours, or when the phone is next used.
            Heard::Nothing => due = at + doubling(AT_ONCE, 14, &mut rng),
            Heard::Token(token) => held = token,
            Heard::Refusal => {
                forced += 1;
                (session, held) = (rules.sign_in(at), Token::FIRST);
            }
        }
    }
    forced
}

/// Sends one token, once or more. The answers that are not lost arrive in any order, and the last one counts.
fn refresh(session: &mut dyn Scheme, held: Token, requests: u64, at: UnixTime, rng: &mut Rng) -> Heard {
    let mut others: Vec<Duration> = (1..requests).map(|_| up_to(AT_ONCE, rng)).collect();
    others.sort_unstable();
    let mut arrived = Vec::new();
    for after in std::iter::once(Duration::ZERO).chain(others) {
        let answer = session.present(held, at + after);
        if rng.once_in(LOST_IN) {
            continue;
        }
        let Some(token) = answer else { return Heard::Refusal };
        arrived.push(token);
    }
    rng.choose(&arrived).map_or(Heard::Nothing, Heard::Token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged_out(rules: Rules, at_once: u64) -> usize {
        (0..12).filter(|seed| forced_sign_ins(rules, at_once, *seed) > 0).count()
    }

    #[test]
    fn ours_logs_nobody_out_whatever_the_window() {
        for window in [0, 10, 60] {
            assert_eq!(logged_out(Rules::ours(Duration::from_secs(window)).unwrap(), 2), 0, "window {window} s");
        }
    }

    #[test]
    fn ours_serves_many_requests_at_once_whatever_the_window() {
        for window in [0, 10, 60] {
            assert_eq!(logged_out(Rules::ours(Duration::from_secs(window)).unwrap(), 10), 0, "window {window} s");
        }
    }

    #[test]
    fn strict_rules_and_short_graces_log_everybody_out() {
        for rules in [Rules::Strict, Rules::Grace(Duration::from_secs(60))] {
            assert_eq!(logged_out(rules, 2), 12, "{}", rules.name());
        }
    }
}
