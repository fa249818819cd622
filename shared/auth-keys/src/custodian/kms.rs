//! Private halves in KMS.
//!
//! A key of KMS is made for one version of the ring, whose name it gets: `alias/countersign/TABLE/VERSION`. KMS gives a name
//! once, so of two runs one makes the key that the other finds; and a key is listed in the ring of that version or never.

use auth_core::entropy::Entropy;
use auth_core::key_ring::{Custody, KeyRing, RingKey, RotationPolicy};
use auth_core::time::UnixTime;
use tokio::sync::OnceCell;

use super::{Asked, Custodian, Left, Made};
use crate::keeper::KeepError;
use crate::kms::{Described, Kms, KmsError};

/// A custodian with KMS, which it asks only if a key is there, or is to be.
#[derive(Debug)]
pub(crate) struct KmsKeys {
    table: String,
    kms: OnceCell<Kms>,
}

impl KmsKeys {
    /// For the keys of a table.
    pub(crate) fn of(table: String) -> Self {
        Self { table, kms: OnceCell::new() }
    }

    async fn kms(&self) -> &Kms {
        self.kms.get_or_init(Kms::to_keep).await
    }

    /// An alias has no dots, and no table's name has slashes.
    fn alias(&self, ring: &KeyRing) -> String {
        format!("alias/countersign/{}/{}", self.table.replace('.', "/"), ring.version())
    }

    async fn made(&self, ring: &KeyRing, policy: RotationPolicy) -> Result<Option<Made>, KeepError> {
        let (kms, alias) = (self.kms().await, self.alias(ring));
        let found = match kms.public_key(&alias, policy.algorithm).await {
            Ok(found) => Some(found),
            Err(KmsError::NoKey(_)) => self.create(&alias, policy).await?,
            Err(error @ KmsError::Unusable { .. }) => {
                tracing::warn!(event = "key_left_in_kms", arn = alias, %error);
                kms.unname(&alias).await?;
                self.create(&alias, policy).await?
            }
            Err(error) => return Err(error.into()),
        };
        Ok(found.map(|Described { arn, jwk }| Made { jwk, custody: Custody::Kms(arn) }))
    }

    async fn create(&self, alias: &str, policy: RotationPolicy) -> Result<Option<Described>, KeepError> {
        let kms = self.kms().await;
        let arn = kms.create(policy.algorithm, &self.table).await?;
        match kms.name(&arn, alias).await {
            Ok(true) => Ok(Some(kms.public_key(&arn, policy.algorithm).await?)),
            // Another run was faster: the next look finds its key.
            Ok(false) => {
                self.leave(&arn).await;
                Ok(None)
            }
            // It may have its name all the same, and another run may have found it: it is not deleted.
            Err(error) => {
                tracing::warn!(event = "key_left_in_kms", arn, %error);
                Err(error.into())
            }
        }
    }

    /// Has a key deleted that is listed nowhere. If that fails, it does no harm, but it has a price.
    async fn leave(&self, arn: &str) {
        if let Err(error) = self.kms().await.delete(arn).await {
            tracing::warn!(event = "key_left_in_kms", arn, %error);
        }
    }
}

impl Custodian for KmsKeys {
    fn make<'a>(
        &'a self,
        ring: &'a KeyRing,
        policy: RotationPolicy,
        _: &'a dyn Entropy,
        _: UnixTime,
    ) -> Asked<'a, Option<Made>> {
        Box::pin(self.made(ring, policy))
    }

    fn holds<'a>(&'a self, key: &'a RingKey) -> Asked<'a, bool> {
        Box::pin(async move {
            let Custody::Kms(arn) = &key.custody else { return Ok(false) };
            match self.kms().await.public_key(arn, key.algorithm()).await {
                Ok(found) => Ok(found.jwk == *key.jwk()),
                Err(KmsError::NoKey(_) | KmsError::Unusable { .. }) => Ok(false),
                Err(error) => Err(error.into()),
            }
        })
    }

    /// Nobody lists it: its name is that of the ring that is no more.
    fn discard<'a>(&'a self, made: &'a RingKey) -> Left<'a> {
        self.forget(made)
    }

    fn forget<'a>(&'a self, key: &'a RingKey) -> Left<'a> {
        Box::pin(async move {
            if let Custody::Kms(arn) = &key.custody {
                self.leave(arn).await;
            }
        })
    }
}

#[cfg(test)]
mod tests;
