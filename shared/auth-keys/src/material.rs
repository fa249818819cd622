//! What is kept secret: the private halves of signing keys by their `kid`, and the keys of refresh tokens.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use auth_core::config::Variables;
use auth_core::jwt::Signer;
use auth_core::key::SigningKey;
use auth_core::key_ring::KeyRing;
use auth_core::refresh_token::RefreshKeys;
use auth_core::time::UnixTime;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// All that is kept secret, as JSON. `Debug` shows no key.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)] // what others keep there is not written over
pub struct Material {
    #[serde(default)]
    signing_keys: BTreeMap<String, Private>,
    /// As in `REFRESH_KEYS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_keys: Option<Zeroizing<String>>,
    /// From when on the first of them makes tokens. Until then the one behind it does, which everybody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_refresh_key_from: Option<u64>,
}

#[derive(Clone, Deserialize, Serialize)]
struct Private {
    /// As in `SIGNING_ALGORITHM`.
    algorithm: String,
    /// As in `SIGNING_KEY`.
    key: Zeroizing<String>,
    made_at: u64,
}

/// What is kept cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MaterialError {
    /// Not JSON of our shape.
    #[error("it is not what the keys are kept as")]
    Malformed,
    /// No keys of refresh tokens, or such as cannot be used.
    #[error("it has no usable keys of refresh tokens: rotate-keys has not run, or somebody has changed them")]
    NoRefreshKeys,
    /// A key that signs access tokens is not there, or cannot be used.
    #[error("it has no usable private key {0}")]
    NoSigningKey(String),
}

impl Material {
    /// Reads JSON. Nothing at all is a beginning, too.
    ///
    /// # Errors
    ///
    /// [`MaterialError::Malformed`].
    pub fn parse(json: &str) -> Result<Self, MaterialError> {
        match json.trim() {
            "" => Ok(Self::default()),
            // Serde alone would take an array, too.
            json if json.starts_with('{') => serde_json::from_str(json).map_err(|_| MaterialError::Malformed),
            _ => Err(MaterialError::Malformed),
        }
    }

    /// The same as JSON.
    ///
    /// # Errors
    ///
    /// [`MaterialError::Malformed`], which it is not.
    pub fn json(&self) -> Result<Zeroizing<String>, MaterialError> {
        serde_json::to_string(self).map(Zeroizing::new).map_err(|_| MaterialError::Malformed)
    }

    /// The keys of refresh tokens.
    ///
    /// # Errors
    ///
    /// [`MaterialError::NoRefreshKeys`].
    pub fn refresh_keys(&self) -> Result<RefreshKeys, MaterialError> {
        let text = self.refresh_keys.as_ref().ok_or(MaterialError::NoRefreshKeys)?;
        RefreshKeys::parse(text).map_err(|_| MaterialError::NoRefreshKeys)
    }

    /// The same, those that make tokens at `now` first.
    ///
    /// # Errors
    ///
    /// [`MaterialError::NoRefreshKeys`].
    pub fn refresh_keys_at(&self, now: UnixTime) -> Result<RefreshKeys, MaterialError> {
        let text = self.refresh_keys.as_ref().ok_or(MaterialError::NoRefreshKeys)?;
        match text.split_once(',') {
            Some((first, others)) if self.first_refresh_key_waits(now) > Duration::ZERO => {
                Self::default().with_refresh_keys(format!("{others},{first}")).refresh_keys()
            }
            _ => self.refresh_keys(),
        }
    }

    /// What signs under this name.
    ///
    /// # Errors
    ///
    /// [`MaterialError::NoSigningKey`], also when it is the private half of another key.
    pub fn signer(&self, kid: &str) -> Result<Signer, MaterialError> {
        let key = self.signing_keys.get(kid).and_then(|private| private.named(kid));
        key.map(Signer::new).ok_or_else(|| MaterialError::NoSigningKey(kid.to_owned()))
    }

    /// All that signs.
    pub fn signers(&self) -> impl Iterator<Item = Signer> {
        self.signing_keys.iter().filter_map(|(kid, private)| private.named(kid)).map(Signer::new)
    }

    /// Whether there are keys of refresh tokens, good or bad.
    pub const fn has_refresh_keys(&self) -> bool {
        self.refresh_keys.is_some()
    }

    /// The same with keys of refresh tokens.
    #[must_use]
    pub fn with_refresh_keys(mut self, keys: String) -> Self {
        self.refresh_keys = Some(Zeroizing::new(keys));
        self
    }

    /// The same with one key of refresh tokens more, `ID:KEY`, which makes them from then on.
    #[must_use]
    pub fn with_refresh_key_first(self, key: &str, from: UnixTime) -> Self {
        let rest = self.refresh_keys.iter().map(|keys| keys.as_str());
        let keys = std::iter::once(key).chain(rest).collect::<Vec<_>>().join(",");
        Self { first_refresh_key_from: Some(from.millis()), ..self.with_refresh_keys(keys) }
    }

    /// The same without a key of refresh tokens.
    #[must_use]
    pub fn without_refresh_key(self, id: u8) -> Self {
        let id_of = |key: &str| key.split(':').next().and_then(|text| text.trim().parse::<u8>().ok());
        let keys: Vec<&str> = self.refresh_keys.iter().flat_map(|keys| keys.split(',')).collect();
        let is_first = keys.first().is_some_and(|key| id_of(key) == Some(id));
        let first_refresh_key_from = self.first_refresh_key_from.filter(|_| !is_first);
        let others = keys.into_iter().filter(|key| id_of(key) != Some(id)).collect::<Vec<_>>().join(",");
        Self { first_refresh_key_from, ..self.with_refresh_keys(others) }
    }

    /// How long the first key of refresh tokens does not make any yet.
    pub fn first_refresh_key_waits(&self, now: UnixTime) -> Duration {
        self.first_refresh_key_from.map_or(Duration::ZERO, |from| UnixTime::from_millis(from).since(now))
    }

    /// The same with one signing key more, and its public half.
    ///
    /// # Errors
    ///
    /// [`MaterialError::Malformed`] for what is no such key.
    pub fn with_signing_key(
        mut self,
        algorithm: &str,
        key: String,
        made_at: UnixTime,
    ) -> Result<(Self, SigningKey), MaterialError> {
        let private = Private { algorithm: algorithm.to_owned(), key: Zeroizing::new(key), made_at: made_at.millis() };
        let key = private.parse().ok_or(MaterialError::Malformed)?;
        self.signing_keys.insert(key.kid().to_owned(), private);
        Ok((self, key))
    }

    /// The same without a signing key.
    #[must_use]
    pub fn without(mut self, kid: &str) -> Self {
        self.signing_keys.remove(kid);
        self
    }

    /// Whether there is a private key of that name.
    pub fn holds(&self, kid: &str) -> bool {
        self.signing_keys.contains_key(kid)
    }

    /// A key that somebody made since `earliest` and has not listed: of a run that was cut off, or that is under way.
    pub fn unlisted(&self, ring: &KeyRing, algorithm: &str, earliest: UnixTime) -> Option<SigningKey> {
        let listed = |kid: &str| ring.find(kid).is_some();
        let fits = |private: &Private| private.algorithm == algorithm && private.made_at >= earliest.millis();
        let mut found = self.signing_keys.iter().filter(|(kid, private)| !listed(kid) && fits(private));
        found.find_map(|(kid, private)| private.named(kid))
    }

    /// The same without the keys that somebody made before `earliest` and has not listed: runs that were cut off have left them.
    #[must_use]
    pub fn without_orphans(mut self, ring: &KeyRing, earliest: UnixTime) -> Self {
        self.signing_keys.retain(|kid, private| ring.find(kid).is_some() || private.made_at >= earliest.millis());
        self
    }
}

impl Private {
    /// The key, if it is the one of that name.
    fn named(&self, kid: &str) -> Option<SigningKey> {
        self.parse().filter(|key| key.kid() == kid)
    }

    fn parse(&self) -> Option<SigningKey> {
        let look_up = |name: &str| match name {
            "SIGNING_ALGORITHM" => Some(self.algorithm.clone()),
            "SIGNING_KEY" => Some(self.key.to_string()),
            _ => None,
        };
        Variables::new(&look_up).signing_key().ok()
    }
}

impl fmt::Debug for Material {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Material").field("kids", &self.signing_keys.keys()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use auth_core::entropy::OsEntropy;
    use auth_core::generate;
    use auth_core::key_ring::{Custody, RingKey};

    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

    fn material() -> (Material, SigningKey) {
        let text = generate::signing_key("ES256", &OsEntropy).unwrap();
        Material::default().with_signing_key("ES256", text, NOW).unwrap()
    }

    #[test]
    fn what_is_kept_comes_back_and_debug_shows_none_of_it() {
        let (material, key) = material();
        let keys = generate::refresh_keys(&OsEntropy).unwrap();
        let material = material.with_refresh_keys(keys.clone());
        let json = material.json().unwrap();
        let read = Material::parse(&json).unwrap();
        assert_eq!(read.signer(key.kid()).unwrap().key().kid(), key.kid());
        assert!(read.refresh_keys().is_ok() && json.contains(&keys));
        let shown = format!("{read:?}");
        assert!(shown.contains(key.kid()) && !shown.contains("PRIVATE") && !shown.contains(&keys), "{shown}");
        let without = read.without(key.kid());
        assert!(!without.holds(key.kid()) && without.signer(key.kid()).is_err());
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        for bad in [
            "[]",
            "{",
            "null",
            r#"{"password":"x"}"#,
            r#"{"signing_keys":[]}"#,
            r#"{"signing_keys":{"a":{"algorithm":"ES256"}}}"#,
        ] {
            assert_eq!(Material::parse(bad).err(), Some(MaterialError::Malformed), "{bad}");
        }
        assert_eq!(Material::default().refresh_keys().err(), Some(MaterialError::NoRefreshKeys));
        let short = Material::default().with_refresh_keys("1:AAAA".to_owned());
        assert_eq!(short.refresh_keys().err(), Some(MaterialError::NoRefreshKeys), "too short");
        // A key under the name of another signs nothing.
        let (material, key) = material();
        let renamed = material.json().unwrap().replace(key.kid(), "other");
        assert!(Material::parse(&renamed).unwrap().signer("other").is_err());
    }

    #[test]
    fn a_key_of_refresh_tokens_comes_first_and_one_goes() {
        let ids = |material: &Material| material.refresh_keys().unwrap().ids().collect::<Vec<_>>();
        let [first, second, third] = [7, 70, 0].map(|id| generate::refresh_key(id, &OsEntropy).unwrap());
        let by_hand = format!(" {first} , {second}");
        let material =
            Material::default().with_refresh_keys(by_hand).with_refresh_key_first(&third, UnixTime::from_seconds(0));
        assert_eq!(ids(&material), [0, 7, 70]);
        for (id, left) in [(0, &[7, 70][..]), (7, &[0, 70]), (70, &[0, 7]), (1, &[0, 7, 70])] {
            assert_eq!(ids(&material.clone().without_refresh_key(id)), left, "{id}");
        }
    }

    #[test]
    fn a_key_that_a_run_left_unlisted_is_found_while_it_is_young() {
        let (material, key) = material();
        let listed = RingKey::new(key.jwk().clone(), Custody::Secret, NOW, NOW).unwrap();
        let empty = KeyRing::default();
        let found = |ring: &KeyRing, algorithm, earliest| material.unlisted(ring, algorithm, earliest).is_some();
        assert!(found(&empty, "ES256", NOW));
        assert!(!found(&empty, "EdDSA", NOW), "of another algorithm");
        assert!(!found(&empty, "ES256", UnixTime::from_seconds(NOW.seconds() + 1)), "too old");
        let ring = KeyRing::new(1, vec![listed]);
        assert!(!found(&ring, "ES256", NOW), "listed");
        let stays = |ring: &KeyRing, earliest| material.clone().without_orphans(ring, earliest).holds(key.kid());
        let later = UnixTime::from_seconds(NOW.seconds() + 1);
        assert_eq!((stays(&empty, NOW), stays(&ring, later), stays(&empty, later)), (true, true, false));
    }
}
