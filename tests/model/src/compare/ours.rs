//! Our rules: the production code over the table in memory.

use auth_core::id::{SessionId, UserId};
use auth_core::policy::SessionPolicy;
use auth_core::refresh_token::{Nonce, Presented};
use auth_core::rotation::{Outcome, Rotation, Step};
use auth_core::session::Session;
use auth_core::time::UnixTime;

use super::scheme::{Scheme, Token};
use crate::table::{Memory, Table as _};

const USER: UserId = UserId::from_bytes([1; 16]);
const SESSION: SessionId = SessionId::from_bytes([2; 16]);

/// A [`Rotation`] for each token that is presented. Tokens are taken as genuine: a thief's copy is.
#[derive(Debug)]
pub struct Ours {
    policy: SessionPolicy,
    table: Memory,
    drawn: u64,
}

impl Ours {
    /// A new session.
    pub fn sign_in(policy: SessionPolicy, now: UnixTime) -> Self {
        let Token { serial, .. } = Token::FIRST;
        let session = Session::begin(USER, SESSION, nonce(serial), &policy, now);
        let mut table = Memory::default();
        table.put_session(&session);
        Self { policy, table, drawn: serial }
    }
}

impl Scheme for Ours {
    fn present(&mut self, token: Token, now: UnixTime) -> Option<Token> {
        self.drawn += 1;
        let presented = Presented::for_test(USER, SESSION, token.generation, nonce(token.serial));
        let (mut rotation, mut write) = Rotation::begin(&presented, nonce(self.drawn), &self.policy, now);
        loop {
            match rotation.resume(self.table.write(&write, now)) {
                Step::Write(next) => write = next,
                Step::Over(Outcome::Granted { child, .. }) => {
                    return Some(Token { generation: child.generation, serial: serial(&child.nonce) });
                }
                Step::Over(Outcome::Refused(_)) => return None,
                // Come again, with the same token.
                Step::Over(Outcome::Busy) => return Some(token),
            }
        }
    }
}

fn nonce(serial: u64) -> Nonce {
    Nonce::from_bytes(u128::from(serial).to_le_bytes())
}

fn serial(nonce: &Nonce) -> u64 {
    u64::try_from(u128::from_le_bytes(*nonce.as_bytes())).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::compare::scheme::Rules;

    const START: UnixTime = UnixTime::from_seconds(1_800_000_000);

    /// Seconds after the sign-in, serial of the token presented, serial of the token granted.
    type Use = (u64, u64, Option<u64>);

    #[test]
    fn the_rules_are_those_of_the_production_code() {
        let cases: [(&str, u64, &[Use]); 6] = [
            ("rest", 10, &[(89, 0, Some(0)), (90, 0, Some(2))]),
            ("repeat", 10, &[(90, 0, Some(1)), (99, 0, Some(1))]),
            ("fork at the window's end", 10, &[(90, 0, Some(1)), (100, 0, Some(2)), (180, 1, Some(3))]),
            ("no window: fork", 0, &[(90, 0, Some(1)), (90, 0, Some(2))]),
            ("a long window rests longer", 60, &[(119, 0, Some(0)), (120, 0, Some(2)), (179, 0, Some(2))]),
            ("replay", 10, &[(90, 0, Some(1)), (180, 1, Some(2)), (181, 0, None), (270, 2, None)]),
        ];
        for (name, window, uses) in cases {
            let mut session = Rules::ours(Duration::from_secs(window)).unwrap().sign_in(START);
            let mut known = vec![Token::FIRST];
            for &(seconds, presented, expected) in uses {
                let token = *known.iter().find(|token| token.serial == presented).unwrap();
                let granted = session.present(token, START + Duration::from_secs(seconds));
                assert_eq!(granted.map(|token| token.serial), expected, "{name}, {seconds} s");
                known.extend(granted);
            }
        }
    }
}
