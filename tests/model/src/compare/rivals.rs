//! Other people's rules, in their plainest form.

use std::time::Duration;

use auth_core::time::UnixTime;

use super::scheme::{Scheme, Token};

/// The token used last stays good for a while and is answered with its successor; all else ends the session.
///
/// - The current token: it becomes the previous one, a new one is made.
/// - The previous token, less than `window` after its use: the current one again, as often as it comes.
/// - The previous token later, and any older one at any time: the session ends, for everybody.
///
/// A window of zero is strict single use. One without an end is "the previous one is always fine", in the form that does
/// not make a token at each repetition.
#[derive(Debug)]
pub struct Grace {
    window: Duration,
    current: Token,
    previous: Option<(Token, UnixTime)>,
    ended: bool,
}

impl Grace {
    /// A new session.
    pub const fn sign_in(window: Duration) -> Self {
        Self { window, current: Token::FIRST, previous: None, ended: false }
    }
}

impl Scheme for Grace {
    fn present(&mut self, token: Token, now: UnixTime) -> Option<Token> {
        if self.ended {
            return None;
        }
        if token == self.current {
            self.previous = Some((token, now));
            self.current = next(token);
            return Some(self.current);
        }
        let within = self.previous.is_some_and(|(previous, at)| token == previous && now.since(at) < self.window);
        self.ended = !within;
        within.then_some(self.current)
    }
}

/// The current and the previous token are good at any time.
///
/// - Either of the two: a new token is made and is the current one; the one that was current until now is the previous.
/// - Any other: the session ends, for everybody.
#[derive(Debug)]
pub struct PreviousFine {
    current: Token,
    previous: Option<Token>,
    ended: bool,
}

impl PreviousFine {
    /// A new session.
    pub const fn sign_in() -> Self {
        Self { current: Token::FIRST, previous: None, ended: false }
    }
}

impl Scheme for PreviousFine {
    fn present(&mut self, token: Token, _: UnixTime) -> Option<Token> {
        self.ended |= token != self.current && Some(token) != self.previous;
        if self.ended {
            return None;
        }
        self.previous = Some(self.current);
        self.current = next(self.current);
        Some(self.current)
    }
}

const fn next(token: Token) -> Token {
    Token { generation: token.generation + 1, serial: token.serial + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::scheme::Rules;

    const START: UnixTime = UnixTime::from_seconds(1_800_000_000);

    /// Seconds after the sign-in, serial of the token presented, serial of the token granted.
    type Use = (u64, u64, Option<u64>);

    #[test]
    fn each_rule_of_each() {
        let grace = Rules::Grace(Duration::from_secs(10));
        let cases: [(&str, Rules, &[Use]); 12] = [
            ("strict: each once", Rules::Strict, &[(0, 0, Some(1)), (1, 1, Some(2)), (2, 2, Some(3))]),
            ("strict: twice", Rules::Strict, &[(5, 0, Some(1)), (5, 0, None), (6, 1, None)]),
            ("grace: each once", grace, &[(0, 0, Some(1)), (1, 1, Some(2))]),
            ("grace: the same again", grace, &[(0, 0, Some(1)), (9, 0, Some(1)), (9, 0, Some(1)), (10, 1, Some(2))]),
            ("grace: over", grace, &[(0, 0, Some(1)), (10, 0, None), (11, 1, None)]),
            ("grace does not slide", grace, &[(0, 0, Some(1)), (9, 0, Some(1)), (12, 0, None)]),
            ("grace: two behind", grace, &[(0, 0, Some(1)), (1, 1, Some(2)), (2, 0, None), (3, 2, None)]),
            ("new: each once", Rules::PreviousNew, &[(0, 0, Some(1)), (1, 1, Some(2))]),
            (
                "new: the previous, a week later",
                Rules::PreviousNew,
                &[(0, 0, Some(1)), (604_800, 0, Some(2)), (604_801, 1, Some(3)), (604_802, 3, Some(4))],
            ),
            (
                "new: the previous twice",
                Rules::PreviousNew,
                &[(0, 0, Some(1)), (1, 0, Some(2)), (2, 0, None), (3, 2, None)],
            ),
            (
                "same: the previous, a week later, often",
                Rules::PreviousSame,
                &[(0, 0, Some(1)), (604_800, 0, Some(1)), (604_801, 0, Some(1)), (604_802, 1, Some(2))],
            ),
            ("same: two behind", Rules::PreviousSame, &[(0, 0, Some(1)), (1, 1, Some(2)), (2, 0, None), (3, 2, None)]),
        ];
        for (name, rules, uses) in cases {
            let mut session = rules.sign_in(START);
            for &(seconds, serial, expected) in uses {
                let token = Token { generation: u32::try_from(serial).unwrap(), serial };
                let granted = session.present(token, START + Duration::from_secs(seconds));
                assert_eq!(granted.map(|token| token.serial), expected, "{name}, {seconds} s");
            }
        }
    }
}
