//! Login names, and what is kept under one.

use std::fmt;

use precis_profiles::UsernameCaseMapped;
use precis_profiles::precis_core::profile::PrecisFastInvocation as _;

use crate::id::UserId;

/// A login name in its one canonical form: `UsernameCaseMapped` of RFC 8265 §3.3, at most 128 code points.
///
/// Case, width and the ways to compose an accent make no second name of one; spaces and control characters, visible or
/// not, are refused.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct LoginName(String);

/// The text cannot be a login name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a login name: expected 1 to 128 letters, digits and ASCII symbols, without spaces")]
pub struct MalformedName;

impl LoginName {
    /// The longest name, in code points.
    pub const MAX_LENGTH: usize = 128;

    /// Brings `text` into canonical form.
    ///
    /// # Errors
    ///
    /// [`MalformedName`] when the profile refuses it, or when it is too long.
    pub fn parse(text: &str) -> Result<Self, MalformedName> {
        if text.chars().count() > Self::MAX_LENGTH {
            return Err(MalformedName);
        }
        let name = UsernameCaseMapped::enforce(text).map_err(|_| MalformedName)?;
        Ok(Self(name.into_owned()))
    }

    /// The name whose [`LoginName::as_str`] was kept, unchecked: the rules of names may have changed since, its owner has not.
    pub const fn from_canonical(text: String) -> Self {
        Self(text)
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LoginName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LoginName(..)") // often an e-mail address: not for the log
    }
}

/// What is kept under a login name.
pub struct Credentials {
    /// Whose name it is.
    pub user_id: UserId,
    /// The password's hash, a PHC string.
    pub password_hash: String,
    /// The user's `ver` when this hash was set: a session begins with it, so that one which read the old hash during a
    /// change of password is ended by that change.
    pub ver: u64,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_has_one_form() {
        for (spelling, canonical) in [
            ("Alice", "alice"),
            ("ALICE@Example.COM", "alice@example.com"),
            ("\u{ff21}lice", "alice"),    // full width
            ("jose\u{301}", "jos\u{e9}"), // decomposed
            ("o'neil+test@x.example", "o'neil+test@x.example"),
        ] {
            assert_eq!(LoginName::parse(spelling).unwrap().as_str(), canonical, "{spelling}");
        }
    }

    #[test]
    fn spaces_controls_and_excess_are_refused() {
        let long = "x".repeat(129);
        for bad in ["", " ", "a b", " alice", "alice ", "a\u{a0}b", "a\u{200b}b", "a\0b", "a\nb", "\u{fb01}n", &long] {
            assert_eq!(LoginName::parse(bad), Err(MalformedName), "{bad:?}");
        }
        assert!(LoginName::parse(&"x".repeat(128)).is_ok());
    }
}
