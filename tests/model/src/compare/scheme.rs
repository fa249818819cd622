//! What a refresh endpoint does with one session, and the rules that are compared.

use std::time::Duration;

use auth_core::policy::{PolicyError, SessionPolicy};
use auth_core::time::UnixTime;

use super::ours::Ours;
use super::rivals::{Grace, PreviousFine};

/// The life of an access token: clients refresh when half of it is over.
pub const ACCESS: Duration = Duration::from_mins(10);

const IDLE: Duration = Duration::from_hours(30 * 24);
const ABSOLUTE: Duration = Duration::from_hours(180 * 24);

/// A refresh token, as far as rules tell tokens apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// How many came before it in its line.
    pub generation: u32,
    /// What no other token of the session has.
    pub serial: u64,
}

impl Token {
    /// The token of a sign-in.
    pub const FIRST: Self = Self { generation: 0, serial: 0 };
}

/// A refresh endpoint with one session.
pub trait Scheme {
    /// Presents a token. The token to go on with, or nothing: `invalid_grant`.
    fn present(&mut self, token: Token, now: UnixTime) -> Option<Token>;
}

/// The rules that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// The production code, [`Ours`].
    Ours(SessionPolicy),
    /// A token is good once; any other use ends the session.
    Strict,
    /// The current and the previous token are good at any time, [`PreviousFine`]: each use gives a new token.
    PreviousNew,
    /// The same, but the previous token is answered with the current one: [`Grace`] without an end.
    PreviousSame,
    /// The previous token is answered with the current one for so long after its use, [`Grace`].
    Grace(Duration),
}

impl Rules {
    /// All that are compared, in the order of the tables.
    ///
    /// # Errors
    ///
    /// [`PolicyError`]: not with these durations.
    pub fn all() -> Result<[Self; 8], PolicyError> {
        let [short, long] = [10, 60].map(Duration::from_secs);
        Ok([
            Self::ours(Duration::ZERO)?,
            Self::ours(short)?,
            Self::ours(long)?,
            Self::Strict,
            Self::PreviousNew,
            Self::PreviousSame,
            Self::Grace(short),
            Self::Grace(long),
        ])
    }

    /// Ours, with a `window` and the least `rest` that goes with it, or the default one.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] for a window over 60 s.
    pub fn ours(window: Duration) -> Result<Self, PolicyError> {
        let rest = (window + Duration::from_mins(1)).max(Duration::from_secs(90));
        SessionPolicy::new(rest, window, IDLE, ABSOLUTE, ACCESS).map(Self::Ours)
    }

    /// A new session, whose token is [`Token::FIRST`].
    pub fn sign_in(self, now: UnixTime) -> Box<dyn Scheme> {
        match self {
            Self::Ours(policy) => Box::new(Ours::sign_in(policy, now)),
            Self::Strict => Box::new(Grace::sign_in(Duration::ZERO)),
            Self::PreviousNew => Box::new(PreviousFine::sign_in()),
            Self::PreviousSame => Box::new(Grace::sign_in(Duration::MAX)),
            Self::Grace(window) => Box::new(Grace::sign_in(window)),
        }
    }

    /// What the tables call them.
    pub fn name(self) -> String {
        match self {
            Self::Ours(policy) => {
                let [window, rest] = [policy.window(), policy.rest()].map(|time| time.as_secs());
                format!("ours, `window` {window} s, `rest` {rest} s")
            }
            Self::Strict => "strict single use".to_owned(),
            Self::PreviousNew => "previous always fine, new token".to_owned(),
            Self::PreviousSame => "previous always fine, same token".to_owned(),
            Self::Grace(window) => format!("grace of {} s alone", window.as_secs()),
        }
    }
}
