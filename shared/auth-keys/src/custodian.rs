//! Who makes private halves, and keeps them: one kind for each [`CustodyKind`].
//!
//! A private half is there before its public half is listed. Each kind sees to it that of two runs that know the same ring one
//! makes it, and that the next run finds what one that was cut off has left.
//!
//! [`CustodyKind`]: auth_core::key_ring::CustodyKind

mod kms;
mod vault;

use std::pin::Pin;

use auth_core::entropy::Entropy;
use auth_core::key::{Jwk, KeyError};
use auth_core::key_ring::{Custody, KeyRing, RingKey, RotationPolicy};
use auth_core::time::UnixTime;

use crate::keeper::KeepError;

pub(crate) use kms::KmsKeys;
pub(crate) use vault::VaultKeys;

/// What a custodian is asked for.
pub(crate) type Asked<'a, T> = Pin<Box<dyn Future<Output = Result<T, KeepError>> + Send + 'a>>;

/// What a custodian does as well as it can.
pub(crate) type Left<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A private half that is not listed yet.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) jwk: Jwk,
    pub(crate) custody: Custody,
}

impl Made {
    /// The same, as the ring lists it.
    pub(crate) fn listed(&self, made_at: UnixTime, signs_from: UnixTime) -> Result<RingKey, KeyError> {
        RingKey::new(self.jwk.clone(), self.custody.clone(), made_at, signs_from)
    }
}

/// Makes private halves, and keeps them.
pub(crate) trait Custodian: Send + Sync {
    /// Makes a private half, or finds one that was made for this ring and is not listed. `None` if somebody else is at it.
    fn make<'a>(
        &'a self,
        ring: &'a KeyRing,
        policy: RotationPolicy,
        entropy: &'a dyn Entropy,
        now: UnixTime,
    ) -> Asked<'a, Option<Made>>;

    /// Whether the private half of this key is here.
    fn holds<'a>(&'a self, key: &'a RingKey) -> Asked<'a, bool>;

    /// Takes back what was made for a ring that is no more, and is not listed.
    fn discard<'a>(&'a self, made: &'a RingKey) -> Left<'a>;

    /// Destroys the private half of a key that was listed and is no more, as well as it can.
    fn forget<'a>(&'a self, key: &'a RingKey) -> Left<'a>;
}
