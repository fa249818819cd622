//! A user's present state, and what it makes of a session.

use crate::id::UserId;
use crate::login::LoginName;
use crate::scope::{Roles, Scope};
use crate::session::Session;
use crate::time::UnixTime;

/// What is read of a user at each login and refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The claim `sub`.
    pub id: UserId,
    /// What the user signs in with.
    pub login_name: LoginName,
    /// Whether the user may have tokens at all.
    pub status: Status,
    /// Raised by every change that matters to a token; only ever compared.
    pub ver: u64,
    /// The least `ver` at which a session may have begun.
    pub floor: u64,
    /// The claim `roles`.
    pub roles: Roles,
    /// The widest scope that a token of this user may have.
    pub scope: Scope,
}

/// Whether a user may have tokens at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// May sign in and refresh.
    Active,
    /// Neither; the record stays.
    Disabled,
}

/// Why a user's state refuses a token.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The user is disabled.
    #[error("the user is disabled")]
    Disabled,
    /// The session began before everything of this user was revoked.
    #[error("the session began below the user's floor")]
    BelowFloor,
}

impl Denial {
    /// What the log calls it.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Disabled => "user_disabled",
            Self::BelowFloor => "below_floor",
        }
    }
}

impl User {
    /// Whether a session that began at `session_ver` may have tokens.
    ///
    /// # Errors
    ///
    /// [`Denial`] says why not.
    pub fn admits(&self, session_ver: u64) -> Result<(), Denial> {
        match self.status {
            Status::Disabled => Err(Denial::Disabled),
            Status::Active if session_ver < self.floor => Err(Denial::BelowFloor),
            Status::Active => Ok(()),
        }
    }

    /// The `ver` after a change at `now`: greater than before, and than any that a table restored from a backup may have
    /// forgotten. It is compared as an integer, never taken for an instant.
    pub fn next_ver(&self, now: UnixTime) -> u64 {
        self.ver.saturating_add(1).max(now.millis())
    }

    /// The scope of an access token: what the session was given, as far as the user still has it.
    pub fn scope_in(&self, session: &Session) -> Scope {
        session.scope.intersection(&self.scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> User {
        User {
            id: UserId::from_bytes([1; 16]),
            login_name: LoginName::parse("alice").unwrap(),
            status: Status::Active,
            ver: 9,
            floor: 7,
            roles: Roles::default(),
            scope: Scope::default(),
        }
    }

    #[test]
    fn the_log_tells_denials_by_these_names() {
        assert_eq!(
            [Denial::Disabled, Denial::BelowFloor].map(|denial| denial.reason()),
            ["user_disabled", "below_floor"]
        );
    }

    #[test]
    fn a_ver_only_rises_and_is_never_used_again() {
        let now = UnixTime::from_millis(1_800_000_000_000);
        let cases = [
            ("the first change", 9, 1_800_000_000_000),
            ("a millisecond before", 1_799_999_999_999, 1_800_000_000_000),
            ("in the same millisecond", 1_800_000_000_000, 1_800_000_000_001),
            ("under a clock that went back", 1_900_000_000_000, 1_900_000_000_001),
        ];
        for (name, ver, expected) in cases {
            assert_eq!(User { ver, ..user() }.next_ver(now), expected, "{name}");
        }
    }

    #[test]
    fn a_session_has_of_its_scope_what_the_user_still_has() {
        let user = User { scope: Scope::parse("b c d").unwrap(), ..user() };
        let (id, nonce) = (crate::id::SessionId::from_bytes([2; 16]), crate::refresh_token::Nonce::from_bytes([0; 16]));
        let begun =
            Session::begin(user.id, id, nonce, &crate::policy::SessionPolicy::default(), UnixTime::from_millis(0));
        let session = Session { scope: Scope::parse("a b c").unwrap(), ..begun };
        assert_eq!(user.scope_in(&session), Scope::parse("b c").unwrap());
    }

    #[test]
    fn disabled_and_floor_are_told_apart() {
        let user = user();
        assert_eq!(user.admits(7), Ok(()));
        assert_eq!(user.admits(6), Err(Denial::BelowFloor));
        assert_eq!(User { status: Status::Disabled, ..user }.admits(7), Err(Denial::Disabled));
    }
}
