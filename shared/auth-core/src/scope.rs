//! Scopes and roles: small sets of words.

use std::collections::BTreeSet;
use std::fmt;

/// The text has a character that a scope-token cannot have (RFC 6749 §3.3), or an empty word.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected words of printable ASCII without quotes or backslashes, separated by single spaces")]
pub struct MalformedWords;

/// What an access token may be used for (RFC 6749 §3.3): words in a fixed order, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope(Words);

/// What a user is (RFC 9068 §2.2.3.1): words in a fixed order, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles(Words);

macro_rules! words {
    ($name:ident) => {
        impl $name {
            /// Reads words separated by single spaces; the empty text is the empty set.
            ///
            /// # Errors
            ///
            /// [`MalformedWords`] outside the grammar of RFC 6749 §3.3.
            pub fn parse(text: &str) -> Result<Self, MalformedWords> {
                Words::parse(text).map(Self)
            }

            /// Whether `word` is in the set.
            pub fn contains(&self, word: &str) -> bool {
                self.0.iter().any(|own| own == word)
            }

            /// Whether there is no word in the set.
            pub fn is_empty(&self) -> bool {
                self.0.0.is_empty()
            }

            /// The words, in the order in which they were written.
            pub fn iter(&self) -> impl Iterator<Item = &str> {
                self.0.iter()
            }

            /// The words, separated by single spaces.
            pub fn as_str(&self) -> &str {
                &self.0.0
            }
        }

        impl FromIterator<Self> for $name {
            /// The words of all the sets.
            fn from_iter<I: IntoIterator<Item = Self>>(sets: I) -> Self {
                let sets: Vec<Self> = sets.into_iter().collect();
                let length = sets.iter().map(|set| set.as_str().len() + 1).sum();
                Self(Words::join(sets.iter().flat_map(Self::iter), length))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    };
}
words!(Scope);
words!(Roles);

impl Scope {
    /// Whether every word of this scope is in `other`.
    pub fn is_within(&self, other: &Self) -> bool {
        self.iter().all(|word| other.contains(word))
    }

    /// The words of this scope that are in `other`, too.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(Words::join(self.iter().filter(|word| other.contains(word)), self.as_str().len()))
    }
}

/// How many words are compared each with each.
const FEW: usize = 16;

/// One text, so that a set costs one allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Words(String);

impl Words {
    fn parse(text: &str) -> Result<Self, MalformedWords> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        // Bytes, because every access token that is read passes here.
        let words = || text.as_bytes().split(|byte| *byte == b' ');
        if !words().all(is_word) {
            return Err(MalformedWords);
        }
        // A few are compared each with each. The time for many must not grow with their square: a stranger sends them.
        let few = words().nth(FEW).is_none();
        let distinct = || words().enumerate().all(|(at, word)| words().take(at).all(|other| other != word));
        Ok(if few && distinct() { Self(text.to_owned()) } else { Self::join(text.split(' '), text.len()) })
    }

    /// The words of a text of at most `length` bytes, each once.
    fn join<'a>(words: impl Iterator<Item = &'a str>, length: usize) -> Self {
        let mut set = Self(String::with_capacity(length));
        let mut seen = BTreeSet::new();
        for word in words {
            if !seen.insert(word) {
                continue;
            }
            if !set.0.is_empty() {
                set.0.push(' ');
            }
            set.0.push_str(word);
        }
        set
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|word| !word.is_empty())
    }
}

/// `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`
fn is_word(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_follow_the_grammar() {
        for good in ["", "a", "a b", "orders:read https://api.example/x", "!#[]^_`{|}~"] {
            assert_eq!(Scope::parse(good).unwrap().as_str(), good, "{good}");
        }
        for bad in [" ", "a  b", " a", "a ", "a\tb", "a\nb", "\"", "\\", "é", "a\u{7f}"] {
            assert_eq!(Scope::parse(bad), Err(MalformedWords), "{bad:?}");
        }
    }

    #[test]
    fn a_word_counts_once() {
        assert_eq!(Scope::parse("b a b").unwrap().as_str(), "b a");
        for count in [1, FEW, FEW + 1, 5000] {
            let words: Vec<String> = (0..count).map(|n| format!("w{n}")).collect();
            let once = words.join(" ");
            assert_eq!(Scope::parse(&once).unwrap().as_str(), once, "{count}");
            assert_eq!(Scope::parse(&format!("{once} {once} w0")).unwrap().as_str(), once, "{count}, doubled");
        }
    }

    #[test]
    fn words_are_compared_whole() {
        let scope = Scope::parse("orders:read orders").unwrap();
        assert!(scope.contains("orders"));
        assert!(!scope.contains("order") && !scope.contains("") && !scope.contains("orders:read orders"));
    }

    #[test]
    fn sets_are_put_together() {
        let sets = ["b a", "", "c b", "d"].map(|text| Roles::parse(text).unwrap());
        assert_eq!(sets.into_iter().collect::<Roles>().as_str(), "b a c d");
        assert!([].into_iter().collect::<Roles>().is_empty());
    }

    #[test]
    fn sets_compare_as_sets() {
        let all = Scope::parse("a b c").unwrap();
        let some = Scope::parse("c a").unwrap();
        assert!(some.is_within(&all) && !all.is_within(&some));
        assert!(Scope::default().is_within(&some));
        assert_eq!(all.intersection(&some).as_str(), "a c");
    }
}
