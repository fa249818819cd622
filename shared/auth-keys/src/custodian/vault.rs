//! Private halves in a secret or a file.

use std::time::Duration;

use auth_core::entropy::Entropy;
use auth_core::generate;
use auth_core::key_ring::{Custody, KeyRing, RingKey, RotationPolicy};
use auth_core::time::UnixTime;

use super::{Asked, Custodian, Left, Made};
use crate::keeper::KeepError;
use crate::vault::{Held, Vault, Written};

/// A private half that was written longer ago and is not listed is nobody's.
const UNLISTED: Duration = Duration::from_hours(1);

/// A custodian with a vault. It changes only from the state that was read.
#[derive(Debug)]
pub(crate) struct VaultKeys(pub(crate) Vault);

impl VaultKeys {
    async fn made(
        &self,
        ring: &KeyRing,
        policy: RotationPolicy,
        entropy: &dyn Entropy,
        now: UnixTime,
    ) -> Result<Option<Made>, KeepError> {
        let held = self.0.read().await?;
        let algorithm = format!("{:?}", policy.algorithm);
        let earliest = now.before(UNLISTED);
        if let Some(key) = held.material.unlisted(ring, &algorithm, earliest) {
            return Ok(Some(Made { jwk: key.jwk().clone(), custody: Custody::Secret }));
        }
        let mut material = held.material.clone();
        if is_of(&held, ring) {
            material = material.without_orphans(ring, earliest);
        }
        let text = generate::signing_key(&algorithm, entropy)?;
        let (material, key) = material.with_signing_key(&algorithm, text, now)?;
        let written = self.0.write(&held, &material).await?;
        Ok((written == Written::Done).then(|| Made { jwk: key.jwk().clone(), custody: Custody::Secret }))
    }
}

impl Custodian for VaultKeys {
    fn make<'a>(
        &'a self,
        ring: &'a KeyRing,
        policy: RotationPolicy,
        entropy: &'a dyn Entropy,
        now: UnixTime,
    ) -> Asked<'a, Option<Made>> {
        Box::pin(self.made(ring, policy, entropy, now))
    }

    fn holds<'a>(&'a self, key: &'a RingKey) -> Asked<'a, bool> {
        Box::pin(async { Ok(self.0.read().await?.material.signer(key.kid()).is_ok()) })
    }

    /// The next run lists it, or removes it; it may be at it now.
    fn discard<'a>(&'a self, _: &'a RingKey) -> Left<'a> {
        Box::pin(async {})
    }

    /// What stays goes with the next key that is made.
    fn forget<'a>(&'a self, key: &'a RingKey) -> Left<'a> {
        Box::pin(async {
            let Ok(held) = self.0.read().await else { return };
            if held.material.holds(key.kid()) {
                let _ = self.0.write(&held, &held.material.clone().without(key.kid())).await;
            }
        })
    }
}

/// Whether these are private halves of this ring.
fn is_of(held: &Held, ring: &KeyRing) -> bool {
    ring.keys().iter().any(|key| held.material.holds(key.kid()))
}
