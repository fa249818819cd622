//! The refresh token: opaque text that only this server can make, and recognise without asking the store.

use std::fmt;

use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::entropy::{Entropy, NoEntropy};
use crate::id::{SessionId, UserId};

/// What every refresh token begins with, for people and for scanners of leaked secrets.
pub const PREFIX: &str = "csr_";

const VERSION: u8 = 1;
const MAC_LENGTH: usize = 32;
/// Version, key id, user, session, generation, nonce.
const BODY_LENGTH: usize = 1 + 1 + 16 + 16 + 4 + 16;
const LENGTH: usize = BODY_LENGTH + MAC_LENGTH;

/// The secret part of a refresh token: 128 random bits.
///
/// It is all that the store keeps of a token. `Debug` prints no bytes and there is no `Display`.
#[derive(Clone)]
pub struct Nonce([u8; 16]);

impl Nonce {
    /// A new nonce.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] when the source of randomness fails.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        entropy.draw().map(Self)
    }

    /// The nonce with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the store.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl PartialEq for Nonce {
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for Nonce {}

impl fmt::Debug for Nonce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Nonce(..)")
    }
}

/// A genuine refresh token: one that a server key of ours has made. Whether it is still good, the session says.
#[derive(Clone, Debug)]
pub struct Presented {
    user_id: UserId,
    session_id: SessionId,
    generation: u32,
    nonce: Nonce,
}

impl Presented {
    /// Whose token it is.
    pub const fn user_id(&self) -> UserId {
        self.user_id
    }

    /// Which session it continues.
    pub const fn session_id(&self) -> SessionId {
        self.session_id
    }

    /// How many tokens came before it.
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// What the store knows it by.
    pub const fn nonce(&self) -> &Nonce {
        &self.nonce
    }

    /// A token that no server key has made.
    #[cfg(any(test, feature = "test-util"))]
    pub const fn for_test(user_id: UserId, session_id: SessionId, generation: u32, nonce: Nonce) -> Self {
        Self { user_id, session_id, generation, nonce }
    }
}

/// The text is no refresh token of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// It is malformed, or the key that it names has not made it.
    #[error("not a refresh token made by this server")]
    Forged,
    /// It names a server key that is not known: one that was dropped, that is newer than these, or that never was.
    #[error("a refresh token of a server key that is not known")]
    UnknownKey,
}

impl NotOurs {
    /// What the log calls it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Forged => "forged",
            Self::UnknownKey => "unknown_key",
        }
    }
}

/// The server keys that make refresh tokens and recognise them: HMAC-SHA-256, at least 256 bits each.
pub struct RefreshKeys {
    active: RefreshKey,
    retired: Vec<RefreshKey>,
}

struct RefreshKey {
    id: u8,
    key: hmac::Key,
}

/// A value of `REFRESH_KEYS` cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected ID:KEY, several separated by commas, ID from 0 to 255 and KEY at least 32 bytes in base64url")]
pub struct MalformedKeys;

impl RefreshKeys {
    /// Reads `ID:KEY,ID:KEY…`. The first makes tokens, all recognise them.
    ///
    /// # Errors
    ///
    /// [`MalformedKeys`] when an id is doubled or no byte, or when a key is short or not base64url.
    pub fn parse(text: &str) -> Result<Self, MalformedKeys> {
        let mut keys = text.split(',').map(RefreshKey::parse).collect::<Result<Vec<_>, _>>()?;
        let doubled = keys.iter().enumerate().any(|(at, key)| keys.iter().skip(at + 1).any(|other| other.id == key.id));
        if doubled {
            return Err(MalformedKeys);
        }
        let active = keys.remove(0);
        Ok(Self { active, retired: keys })
    }

    /// The text of a refresh token: `csr_` and 115 characters of base64url. The same arguments give the same text.
    pub fn seal(&self, user_id: UserId, session_id: SessionId, generation: u32, nonce: &Nonce) -> Zeroizing<String> {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend([VERSION, self.active.id]);
        bytes.extend(user_id.as_bytes());
        bytes.extend(session_id.as_bytes());
        bytes.extend(generation.to_be_bytes());
        bytes.extend(nonce.as_bytes());
        let mac = hmac::sign(&self.active.key, &bytes);
        bytes.extend(mac.as_ref());
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + LENGTH.div_ceil(3) * 4));
        text.push_str(PREFIX);
        BASE64_URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
        text
    }

    /// Recognises a refresh token.
    ///
    /// # Errors
    ///
    /// [`NotOurs`] for every other text, of whatever length.
    pub fn open(&self, text: &str) -> Result<Presented, NotOurs> {
        let bytes = decode(text).ok_or(NotOurs::Forged)?;
        let (body, mac) = bytes.split_first_chunk::<BODY_LENGTH>().ok_or(NotOurs::Forged)?;
        let ([version, key_id], rest) = body.split_first_chunk().ok_or(NotOurs::Forged)?;
        if *version != VERSION {
            return Err(NotOurs::Forged);
        }
        let key = self.key(*key_id).ok_or(NotOurs::UnknownKey)?;
        hmac::verify(key, body, mac).map_err(|_| NotOurs::Forged)?;
        Presented::read(rest).ok_or(NotOurs::Forged)
    }

    /// The ids of the keys: first that of the one that makes tokens.
    pub fn ids(&self) -> impl Iterator<Item = u8> {
        self.keys().map(|key| key.id)
    }

    /// A MAC under the key that makes tokens, for other purposes: the message must not have the length of a token's body.
    pub(crate) fn mac(&self, message: &[u8]) -> hmac::Tag {
        hmac::sign(&self.active.key, message)
    }

    fn key(&self, id: u8) -> Option<&hmac::Key> {
        self.keys().find(|key| key.id == id).map(|key| &key.key)
    }

    fn keys(&self) -> impl Iterator<Item = &RefreshKey> {
        std::iter::once(&self.active).chain(&self.retired)
    }
}

impl fmt::Debug for RefreshKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RefreshKeys").field("active", &self.active.id).finish_non_exhaustive()
    }
}

impl RefreshKey {
    fn parse(text: &str) -> Result<Self, MalformedKeys> {
        let (id, key) = text.trim().split_once(':').ok_or(MalformedKeys)?;
        let key = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(key).map_err(|_| MalformedKeys)?);
        if key.len() < MAC_LENGTH {
            return Err(MalformedKeys);
        }
        let id = id.parse().map_err(|_| MalformedKeys)?;
        Ok(Self { id, key: hmac::Key::new(hmac::HMAC_SHA256, &key) })
    }
}

impl Presented {
    fn read(body: &[u8]) -> Option<Self> {
        let (user_id, body) = body.split_first_chunk()?;
        let (session_id, body) = body.split_first_chunk()?;
        let (generation, nonce) = body.split_first_chunk()?;
        Some(Self {
            user_id: UserId::from_bytes(*user_id),
            session_id: SessionId::from_bytes(*session_id),
            generation: u32::from_be_bytes(*generation),
            nonce: Nonce(nonce.try_into().ok()?),
        })
    }
}

fn decode(text: &str) -> Option<[u8; LENGTH]> {
    let text = text.strip_prefix(PREFIX)?;
    let mut bytes = [0; LENGTH];
    // `decode_slice` refuses what does not fit, so a long text costs nothing.
    let length = BASE64_URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    (length == LENGTH).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY_A: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const KEY_B: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

    fn keys(text: &str) -> RefreshKeys {
        RefreshKeys::parse(text).unwrap()
    }

    fn seal(keys: &RefreshKeys) -> String {
        let (user, session) = (UserId::from_bytes([7; 16]), SessionId::from_bytes([8; 16]));
        keys.seal(user, session, 0x0102_0304, &Nonce([9; 16])).to_string()
    }

    #[test]
    fn what_is_sealed_opens_again_and_stays_the_same_text() {
        let keys = keys(&format!("1:{KEY_A}"));
        let text = seal(&keys);
        assert_eq!(text, seal(&keys));
        assert_eq!((text.len(), text.get(..4)), (119, Some("csr_")));
        let token = keys.open(&text).unwrap();
        assert_eq!(token.user_id(), UserId::from_bytes([7; 16]));
        assert_eq!(token.session_id(), SessionId::from_bytes([8; 16]));
        assert_eq!(token.generation(), 0x0102_0304);
        assert_eq!(*token.nonce(), Nonce([9; 16]));
    }

    #[test]
    fn every_changed_character_is_a_forgery() {
        let keys = keys(&format!("1:{KEY_A}"));
        let text = seal(&keys);
        for at in 0..text.len() {
            let mut forged = text.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            // That character is the second half of the key's id.
            let expected = if at == 6 { NotOurs::UnknownKey } else { NotOurs::Forged };
            assert_eq!(keys.open(&String::from_utf8(forged).unwrap()).err(), Some(expected), "character {at}");
        }
    }

    #[test]
    fn only_a_well_formed_token_names_a_key_that_is_not_known() {
        let [ours, other] = [keys(&format!("1:{KEY_A}")), keys(&format!("2:{KEY_A}"))];
        let text = seal(&other);
        assert_eq!(ours.open(&text).err(), Some(NotOurs::UnknownKey));
        for forged in [format!("{text}A"), text[..text.len() - 4].to_owned(), text.replacen("csr_AQ", "csr_AA", 1)] {
            assert_eq!(ours.open(&forged).err(), Some(NotOurs::Forged), "{forged}");
        }
        let same_id = keys(&format!("1:{KEY_B}"));
        assert_eq!(ours.open(&seal(&same_id)).err(), Some(NotOurs::Forged), "a known key has not made it");
    }

    #[test]
    fn the_id_of_what_makes_tokens_is_the_first() {
        let keys = keys(&format!("7:{KEY_A},255:{KEY_B}"));
        assert_eq!(keys.ids().collect::<Vec<_>>(), [7, 255]);
    }

    #[test]
    fn other_lengths_alphabets_and_tails_are_refused() {
        let keys = keys(&format!("1:{KEY_A}"));
        let text = seal(&keys);
        let cases = [
            String::new(),
            "csr_".to_owned(),
            text[..text.len() - 1].to_owned(),
            format!("{text}A"),
            format!("{text}="),
            format!(" {text}"),
            text.replace("csr_", "CSR_"),
            text.replace("csr_", ""),
            format!("csr_{}", "A".repeat(1_000_000)),
            format!("csr_{}", "+/".repeat(58)),
        ];
        for case in cases {
            assert!(keys.open(&case).is_err(), "{case:.60}");
        }
    }

    #[test]
    fn a_retired_key_recognises_and_a_dropped_one_does_not() {
        let before = keys(&format!("1:{KEY_A}"));
        let during = keys(&format!("2:{KEY_B},1:{KEY_A}"));
        let after = keys(&format!("2:{KEY_B}"));
        let text = seal(&before);
        assert!(during.open(&text).is_ok());
        assert!(after.open(&text).is_err());
        assert!(after.open(&seal(&during)).is_ok());
        // The key's id names the key; it is not trusted to be the right one.
        assert!(keys(&format!("1:{KEY_B}")).open(&text).is_err());
    }

    #[test]
    fn weak_or_malformed_keys_are_refused() {
        for bad in ["", "1", "1:", "1:AAAA", ":AAAA", "256:", "x:", &KEY_A[1..]] {
            assert!(RefreshKeys::parse(bad).is_err(), "{bad}");
        }
        let doubled = format!("1:{KEY_A},1:{KEY_B}");
        assert!(RefreshKeys::parse(&doubled).is_err());
        assert!(RefreshKeys::parse(&format!("1:{}", &KEY_A[..42])).is_err(), "31 bytes");
    }

    #[test]
    fn debug_shows_no_secret() {
        let keys = keys(&format!("1:{KEY_A}"));
        assert_eq!(format!("{keys:?} {:?}", Nonce([9; 16])), "RefreshKeys { active: 1, .. } Nonce(..)");
    }
}
