//! Identifiers: random UUIDs (version 4, RFC 9562 §5.4), in their hyphenated lower-case text form.
//!
//! An identifier is no secret and proves nothing: what must not be guessed is a nonce or a MAC.

use std::fmt;

use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::entropy::{Entropy, NoEntropy};

/// The text is not a UUID in the one form that we write.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier: expected a hyphenated lower-case UUID")]
pub struct MalformedId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new random identifier.
            ///
            /// # Errors
            ///
            /// [`NoEntropy`] when the source of randomness fails.
            pub fn random(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
                let bytes = entropy.draw()?;
                Ok(Self(uuid::Builder::from_random_bytes(bytes).into_uuid()))
            }

            /// Reads the 36 characters that [`fmt::Display`] writes, and no other spelling of them.
            ///
            /// # Errors
            ///
            /// [`MalformedId`] for anything else.
            pub fn parse(text: &str) -> Result<Self, MalformedId> {
                let id = Self(Uuid::try_parse(text).map_err(|_| MalformedId)?);
                if id.to_string() == text { Ok(id) } else { Err(MalformedId) }
            }

            /// The identifier with these bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The 16 bytes of the identifier.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.0.as_hyphenated().encode_lower(&mut Uuid::encode_buffer()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(formatter)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, formatter)
            }
        }
    };
}

id! {
    /// A user: the claim `sub`.
    UserId
}
id! {
    /// A session, from a login to its end: the claim `sid`.
    SessionId
}
id! {
    /// One access token: the claim `jti` (RFC 7519 §4.1.7).
    TokenId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_spelling_is_read() {
        let text = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        assert_eq!(UserId::parse(text).unwrap().to_string(), text);
        for other in [
            "67E55044-10B1-426F-9247-BB680E5FE0C8",
            "67e5504410b1426f9247bb680e5fe0c8",
            "{67e55044-10b1-426f-9247-bb680e5fe0c8}",
            "urn:uuid:67e55044-10b1-426f-9247-bb680e5fe0c8",
            "",
        ] {
            assert_eq!(UserId::parse(other), Err(MalformedId), "{other}");
        }
    }
}
