//! Passwords, before anything is computed of them.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

/// The shortest password that may be set where nothing else is configured, in code points.
pub const MIN_LENGTH: usize = 8;

/// The longest password, in code points.
pub const MAX_LENGTH: usize = 256;

// No code point takes more than 4 bytes, and none is the composition of more than 4 (UAX #15, NFD expands UTF-32 at
// most fourfold): what is longer than this is too long in every form, so it is refused unread.
const MAX_BYTES: usize = MAX_LENGTH * 4 * 4;

// UAX #15: normalising makes UTF-8 at most three times as long.
const EXPANSION: usize = 3;

/// A password in Unicode Normalisation Form C, at most 256 code points long.
///
/// It is otherwise what was typed: nothing is trimmed, cut off or folded. `Debug` prints no character, there is no
/// `Clone` and no `Display`, and the memory is wiped when the value goes.
pub struct Password(Zeroizing<String>);

/// The text cannot be a password; lengths are in code points after normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It has fewer code points than were asked for.
    #[error("the password is too short: expected {minimum} to {MAX_LENGTH} characters")]
    TooShort {
        /// The least number that would have done.
        minimum: usize,
    },
    /// It has more than [`MAX_LENGTH`] code points.
    #[error("the password is too long: expected at most {MAX_LENGTH} characters")]
    TooLong,
}

impl Password {
    /// A password presented to be checked: 1 to 256 code points, for the minimum may have been lower when it was set.
    ///
    /// # Errors
    ///
    /// [`PasswordError::TooShort`] when it is empty, [`PasswordError::TooLong`] above 256 code points.
    pub fn presented(text: &str) -> Result<Self, PasswordError> {
        Self::chosen(text, 1)
    }

    /// A password chosen to be set: `minimum` (at least 1) to 256 code points.
    ///
    /// # Errors
    ///
    /// [`PasswordError::TooShort`] below `minimum`, [`PasswordError::TooLong`] above 256 code points.
    pub fn chosen(text: &str, minimum: usize) -> Result<Self, PasswordError> {
        if text.len() > MAX_BYTES {
            return Err(PasswordError::TooLong);
        }
        let minimum = minimum.max(1);
        let text = normalise(text);
        match text.chars().count() {
            length if length > MAX_LENGTH => Err(PasswordError::TooLong),
            length if length < minimum => Err(PasswordError::TooShort { minimum }),
            _ => Ok(Self(text)),
        }
    }

    /// What is hashed: the normalised text in UTF-8.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(..)")
    }
}

fn normalise(text: &str) -> Zeroizing<String> {
    // A string that grows leaves a copy behind in freed memory: this one begins at its greatest length.
    let mut normal = Zeroizing::new(String::with_capacity(text.len() * EXPANSION));
    normal.extend(text.nfc());
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A code point whose decomposition is one of the longest: alpha and three marks.
    const COMPOSED: &str = "\u{1f82}";
    const DECOMPOSED: &str = "\u{3b1}\u{313}\u{300}\u{345}";

    fn outcome(password: Result<Password, PasswordError>) -> Result<usize, PasswordError> {
        password.map(|password| password.0.chars().count())
    }

    #[test]
    fn lengths_are_counted_in_code_points_after_normalisation() {
        let short = |minimum| Err(PasswordError::TooShort { minimum });
        let cases = [
            ("nothing", String::new(), short(1), short(8)),
            ("one letter", "x".to_owned(), Ok(1), short(8)),
            ("7 letters", "x".repeat(7), Ok(7), short(8)),
            ("8 letters", "x".repeat(8), Ok(8), Ok(8)),
            ("8 spaces", " ".repeat(8), Ok(8), Ok(8)),
            ("7 accented, 14 as typed", "e\u{301}".repeat(7), Ok(7), short(8)),
            ("8 accented, 16 as typed", "e\u{301}".repeat(8), Ok(8), Ok(8)),
            ("7 emoji, 28 bytes", "🔑".repeat(7), Ok(7), short(8)),
            ("8 emoji", "🔑".repeat(8), Ok(8), Ok(8)),
            ("256 letters", "x".repeat(256), Ok(256), Ok(256)),
            ("257 letters", "x".repeat(257), Err(PasswordError::TooLong), Err(PasswordError::TooLong)),
            ("256 emoji", "🔑".repeat(256), Ok(256), Ok(256)),
            ("257 emoji", "🔑".repeat(257), Err(PasswordError::TooLong), Err(PasswordError::TooLong)),
            ("256 of 4 parts each", DECOMPOSED.repeat(256), Ok(256), Ok(256)),
            ("257 of 4 parts each", DECOMPOSED.repeat(257), Err(PasswordError::TooLong), Err(PasswordError::TooLong)),
            // U+1D160 is one of the few that NFC takes apart, here into 3.
            ("85 of 3 parts", "\u{1d160}".repeat(85), Ok(255), Ok(255)),
            ("86 of 3 parts", "\u{1d160}".repeat(86), Err(PasswordError::TooLong), Err(PasswordError::TooLong)),
        ];
        for (name, text, presented, chosen) in cases {
            assert_eq!(outcome(Password::presented(&text)), presented, "{name}, presented");
            assert_eq!(outcome(Password::chosen(&text, MIN_LENGTH)), chosen, "{name}, chosen");
        }
        assert_eq!(outcome(Password::chosen("", 0)), short(1), "an empty password is none");
        assert_eq!(outcome(Password::chosen(&"x".repeat(14), 15)), short(15));
        assert_eq!(outcome(Password::chosen(&"x".repeat(15), 15)), Ok(15));
    }

    #[test]
    fn spellings_of_one_text_are_one_password_and_nothing_else_is() {
        let cases = [
            ("composed", "caf\u{e9}", "cafe\u{301}", true),
            ("four parts", COMPOSED, DECOMPOSED, true),
            ("marks in another order", "a\u{323}\u{302}", "a\u{302}\u{323}", true),
            ("hangul", "\u{ac01}", "\u{1100}\u{1161}\u{11a8}", true),
            ("case", "Secret", "secret", false),
            ("space before", " secret", "secret", false),
            ("space after", "secret ", "secret", false),
            ("newline after", "secret\n", "secret", false),
            ("after a NUL", "secret\0a", "secret\0b", false),
            ("compatibility", "\u{fb01}", "fi", false),
            ("full width", "\u{ff21}", "A", false),
        ];
        for (name, left, right, same) in cases {
            let [left, right] = [left, right].map(|text| Password::presented(text).unwrap());
            assert_eq!(left.as_bytes() == right.as_bytes(), same, "{name}");
        }
    }

    #[test]
    fn no_password_of_fewer_code_points_is_refused_unread() {
        let longest = ('\0'..=char::MAX).map(|char| char.nfd().count()).max();
        assert_eq!(longest, Some(4));
    }

    #[test]
    fn the_text_is_never_copied_to_grow() {
        let expands = |char: &char| char.to_string().nfc().map(char::len_utf8).sum::<usize>() > char.len_utf8();
        for char in ('\0'..=char::MAX).filter(expands) {
            let text = char.to_string().repeat(64);
            let capacity = String::with_capacity(text.len() * EXPANSION).capacity();
            assert_eq!(normalise(&text).capacity(), capacity, "{char:?}");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the cost is what is tested")]
    fn a_megabyte_costs_nothing() {
        let text = "e\u{301}".repeat(350_000);
        let start = std::time::Instant::now();
        for _ in 0..1_000 {
            assert_eq!(outcome(Password::presented(&text)), Err(PasswordError::TooLong));
        }
        // To normalise it as often takes minutes.
        assert!(start.elapsed().as_secs() < 1);
    }

    #[test]
    fn errors_tell_the_bounds_and_nothing_tells_the_password() {
        assert_eq!(
            Password::chosen("hunter2", MIN_LENGTH).unwrap_err().to_string(),
            "the password is too short: expected 8 to 256 characters"
        );
        assert_eq!(
            Password::presented(&"x".repeat(257)).unwrap_err().to_string(),
            "the password is too long: expected at most 256 characters"
        );
        assert_eq!(format!("{:?}", Password::presented("hunter2").unwrap()), "Password(..)");
    }
}
