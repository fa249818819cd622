//! The keys of access tokens in the order in which they sign: published, then signing, then checked only, then gone.
//!
//! What a key is at an instant follows from the ring and the instant alone, so every instance changes keys at the same moment
//! although nobody tells it to. The key after the next one is made a day before the next one's turn, so there always is one that
//! everybody knows and that has not signed yet, also for a turn that comes early because the present key is killed.

pub mod kill;

use std::fmt;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{Jwk, JwkSet};

use crate::jwt::LEEWAY;
use crate::key::{KeyError, KeySet, VerifyingKey, publishable};
use crate::policy::{ACCESS_TTL_BOUNDS, REQUEST_LIFE};
use crate::time::UnixTime;

/// No copy of the ring that is older is used, however long the table cannot be read.
pub const RING_MAX_AGE: Duration = Duration::from_hours(1);

/// How long the published documents may be kept: the `max-age` of `/.well-known`.
pub const DOCUMENT_MAX_AGE: Duration = Duration::from_mins(5);

/// How long verifiers that others wrote may go on with a JWK Set, whatever its `max-age` says: API Gateway keeps one for up to
/// two hours.
pub const VERIFIER_CACHE: Duration = Duration::from_hours(2);

/// How far two clocks are apart: each is within 5 s of the truth.
const SKEW: Duration = Duration::from_secs(10);

/// How long a key is published before it signs: by then no copy of the JWK Set is without it.
pub const PUBLISH_WAIT: Duration = total(&[RING_MAX_AGE, DOCUMENT_MAX_AGE, VERIFIER_CACHE, SKEW]);

/// How long a key is checked after its successor's turn has come: the last signer has heard of that, and the longest token that
/// it made has expired.
pub const RETIRE_AFTER: Duration = total(&[RING_MAX_AGE, REQUEST_LIFE, ACCESS_TTL_BOUNDS.1, LEEWAY, SKEW]);

/// How long before a key's turn the one after it is made, if upkeep comes once a day: so there is, at every instant, a key that
/// everybody knows and that has not signed yet.
const LEAD: Duration = total(&[PUBLISH_WAIT, Duration::from_hours(25)]);

/// How long what is over stays listed.
const REMEMBERED: Duration = Duration::from_hours(24);

const fn total(durations: &[Duration]) -> Duration {
    let mut rest = durations;
    let mut sum = Duration::ZERO;
    while let [first, others @ ..] = rest {
        sum = sum.saturating_add(*first);
        rest = others;
    }
    sum
}

/// Where the private half of a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Custody {
    /// In the secret, or in the local file, under its `kid`.
    Secret,
    /// In KMS, which never gives it out; the ARN of the key.
    Kms(String),
}

impl Custody {
    /// What kind it is.
    pub const fn kind(&self) -> CustodyKind {
        match self {
            Self::Secret => CustodyKind::Secret,
            Self::Kms(_) => CustodyKind::Kms,
        }
    }
}

/// Where private halves are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CustodyKind {
    /// In the secret, or in the local file.
    #[default]
    Secret,
    /// In KMS.
    Kms,
}

impl CustodyKind {
    /// What `KEY_CUSTODY` and lists call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Kms => "kms",
        }
    }
}

/// A key as the ring knows it: its public half, and when it signs.
#[derive(Clone, PartialEq, Eq)]
pub struct RingKey {
    kid: String,
    algorithm: Algorithm,
    jwk: Jwk,
    /// Where its private half is.
    pub custody: Custody,
    /// Since when it is published.
    pub made_at: UnixTime,
    /// From when on it signs, until the next one does.
    pub signs_from: UnixTime,
    /// Since when nothing that it signed is believed.
    pub killed_at: Option<UnixTime>,
}

impl fmt::Debug for RingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kid, signs_from, killed_at, .. } = self;
        let mut shown = formatter.debug_struct("RingKey");
        shown.field("kid", kid).field("signs_from", signs_from).field("killed_at", killed_at).finish_non_exhaustive()
    }
}

impl RingKey {
    /// A key that is published from `made_at` on.
    ///
    /// # Errors
    ///
    /// [`KeyError::Member`] for a JWK that checks no signatures.
    pub fn new(jwk: Jwk, custody: Custody, made_at: UnixTime, signs_from: UnixTime) -> Result<Self, KeyError> {
        let mut keys = KeySet::from_jwks(&JwkSet { keys: vec![jwk.clone()] })?.into_keys();
        let key = keys.next().ok_or(KeyError::Set)?;
        let (kid, algorithm) = (key.kid().to_owned(), key.algorithm());
        Ok(Self { kid, algorithm, jwk, custody, made_at, signs_from, killed_at: None })
    }

    /// The same of a JWK as JSON.
    ///
    /// # Errors
    ///
    /// [`KeyError::Set`] for what is no JWK, else as [`Self::new`].
    pub fn parse(jwk: &str, custody: Custody, made_at: UnixTime, signs_from: UnixTime) -> Result<Self, KeyError> {
        let jwk = serde_json::from_str(jwk).map_err(|_| KeyError::Set)?;
        Self::new(jwk, custody, made_at, signs_from)
    }

    /// Its public half as JSON; a shared key has none.
    pub fn public_jwk(&self) -> Option<String> {
        let set = publishable(JwkSet { keys: vec![self.jwk.clone()] });
        serde_json::to_string(set.keys.first()?).ok()
    }

    /// Its name in tokens and in the table.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its one algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its public half.
    pub const fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// What checks its signatures.
    ///
    /// # Errors
    ///
    /// [`KeyError::Set`], which it is not: [`Self::new`] has made one, too.
    pub fn verifying_key(&self) -> Result<VerifyingKey, KeyError> {
        VerifyingKey::from_jwk(&self.jwk).ok_or(KeyError::Set)
    }

    /// Whether its turn has never come, because it was killed before.
    fn never_signed(&self) -> bool {
        self.killed_at.is_some_and(|killed_at| killed_at < self.signs_from)
    }
}

/// What a key is at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published, and to sign some day.
    Next,
    /// Signing.
    Active,
    /// Checked until its last token has expired.
    Retiring,
    /// No longer published.
    Retired,
    /// Believed no more.
    Killed,
}

impl KeyState {
    /// What lists and logs call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
            Self::Killed => "killed",
        }
    }
}

/// All keys, and how often they were changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRing {
    version: u64,
    /// In the order of their turns.
    keys: Vec<RingKey>,
}

impl KeyRing {
    /// The ring of these keys.
    pub fn new(version: u64, mut keys: Vec<RingKey>) -> Self {
        keys.sort_by(|one, other| (one.signs_from, &one.kid).cmp(&(other.signs_from, &other.kid)));
        Self { version, keys }
    }

    /// How often it was changed: a change is made to the ring that was read, or not at all.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// All keys, in the order of their turns.
    pub fn keys(&self) -> &[RingKey] {
        &self.keys
    }

    /// The key of that name.
    pub fn find(&self, kid: &str) -> Option<&RingKey> {
        self.keys.iter().find(|key| key.kid == kid)
    }

    /// What signs at `now`: the last key whose turn has come. If that one was killed, the next one's turn has come with that.
    pub fn signer(&self, now: UnixTime) -> Option<&RingKey> {
        let is_due = |key: &RingKey| key.signs_from <= now && !key.never_signed();
        let turn = self.keys.iter().rposition(is_due).unwrap_or_default();
        self.keys.iter().skip(turn).find(|key| key.killed_at.is_none())
    }

    /// The key after the signer.
    pub fn next(&self, now: UnixTime) -> Option<&RingKey> {
        let signer = self.signer(now).map(RingKey::kid);
        self.keys.iter().find(|key| key.signs_from > now && key.killed_at.is_none() && Some(key.kid()) != signer)
    }

    /// From when on a key is checked no more; never, while it has no successor.
    pub fn retires_at(&self, key: &RingKey) -> Option<UnixTime> {
        let later = self.keys.iter().skip_while(|other| other.kid != key.kid).skip(1);
        let successor = later.into_iter().find(|other| !other.never_signed())?;
        Some(successor.signs_from + RETIRE_AFTER)
    }

    /// What a key of this ring is at `now`.
    pub fn state(&self, key: &RingKey, now: UnixTime) -> KeyState {
        if key.killed_at.is_some() {
            return KeyState::Killed;
        }
        if self.signer(now).is_some_and(|signer| signer.kid == key.kid) {
            return KeyState::Active;
        }
        match self.retires_at(key) {
            _ if key.signs_from > now => KeyState::Next,
            Some(end) if end <= now => KeyState::Retired,
            _ => KeyState::Retiring,
        }
    }

    /// Next, active and retiring keys: what is good at `now`.
    pub fn jwks(&self, now: UnixTime) -> JwkSet {
        let is_good = |key: &&RingKey| !matches!(self.state(key, now), KeyState::Retired | KeyState::Killed);
        JwkSet { keys: self.keys.iter().filter(is_good).map(|key| key.jwk.clone()).collect() }
    }

    /// What tokens are checked with at `now`. If all keys were killed, no token is believed.
    ///
    /// # Errors
    ///
    /// [`KeyError`]; [`KeyError::Set`] for a ring that has no keys yet.
    pub fn key_set(&self, now: UnixTime) -> Result<KeySet, KeyError> {
        let set = self.jwks(now);
        if set.keys.is_empty() && !self.keys.is_empty() { Ok(KeySet::default()) } else { KeySet::from_jwks(&set) }
    }

    /// What is published at `now`: [`Self::jwks`], public members only.
    pub fn public_jwks(&self, now: UnixTime) -> JwkSet {
        publishable(self.jwks(now))
    }
}

/// The bounds of how long a key signs, in days.
pub const ROTATION_DAYS_BOUNDS: (u16, u16) = (1, 730);

/// How keys take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationPolicy {
    /// What new keys are for.
    pub algorithm: Algorithm,
    /// Where they are made.
    pub custody: CustodyKind,
    /// How long a key signs.
    pub every: Duration,
}

/// What is to be done to a ring next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upkeep {
    /// Make a key.
    Make {
        /// From when on it signs.
        signs_from: UnixTime,
    },
    /// Forget a key: its private half first.
    Forget {
        /// Which one.
        kid: String,
    },
}

impl KeyRing {
    /// The first thing that is to be done to this ring; nothing, if it has a signer, a next key
    /// that will not be the last, and nothing that is over.
    pub fn upkeep(&self, policy: RotationPolicy, now: UnixTime) -> Option<Upkeep> {
        let Some(signer) = self.signer(now) else { return Some(Upkeep::Make { signs_from: self.takeover(now) }) };
        if let Some(over) = self.keys.iter().find(|key| self.is_over(key, now) || self.is_outdated(key, policy, now)) {
            return Some(Upkeep::Forget { kid: over.kid.clone() });
        }
        let mut next = self.keys.iter().filter(|key| self.state(key, now) == KeyState::Next);
        let last = next.next_back().unwrap_or(signer);
        let is_alone = next.next_back().is_none() && last.signs_from <= now + LEAD;
        is_alone.then(|| Upkeep::Make { signs_from: (last.signs_from + policy.every).max(now + PUBLISH_WAIT) })
    }

    /// Whether nobody asks about the key any more.
    fn is_over(&self, key: &RingKey, now: UnixTime) -> bool {
        let over = match self.state(key, now) {
            KeyState::Killed => key.killed_at,
            KeyState::Retired => self.retires_at(key),
            KeyState::Next | KeyState::Active | KeyState::Retiring => None,
        };
        over.is_some_and(|over| over + REMEMBERED <= now)
    }

    /// Whether the key is to sign some day, but is for another algorithm or in other custody than is wanted now. Not if its turn is near: somebody may
    /// have begun to sign with it before it is heard that it is gone.
    fn is_outdated(&self, key: &RingKey, policy: RotationPolicy, now: UnixTime) -> bool {
        let is_far = key.signs_from > now + PUBLISH_WAIT;
        let is_other = (key.algorithm, key.custody.kind()) != (policy.algorithm, policy.custody);
        self.state(key, now) == KeyState::Next && is_far && is_other
    }

    /// When the next key's turn can be at the earliest; `None` without one.
    pub fn earliest_turn(&self, now: UnixTime) -> Option<UnixTime> {
        let next = self.next(now)?;
        Some((next.made_at + PUBLISH_WAIT).max(self.takeover(now)).min(next.signs_from))
    }

    /// When a turn can come that comes at once: after that of whoever signs now, or did last, so that the order is clear.
    pub fn takeover(&self, now: UnixTime) -> UnixTime {
        let last = self.signer(now).or_else(|| self.keys.iter().rfind(|key| key.signs_from <= now));
        last.map_or(now, |last| now.max(last.signs_from + Duration::from_millis(1)))
    }
}

#[cfg(test)]
mod tests;
