//! What signs with one key, wherever its private half is.

use std::fmt;

use auth_core::jwt::{Draft, Signer, TokenHeader};
use auth_core::key::VerifyingKey;
use auth_core::key_ring::{Custody, RingKey};

use crate::kms::Kms;
use crate::minting::MintFault;

/// Signs with one key.
#[derive(Debug)]
pub(crate) enum KeySigner {
    /// With its private half.
    Held(Signer),
    /// By a call of KMS.
    Kms(KmsSigner),
}

impl KeySigner {
    /// What its access tokens begin with.
    pub(crate) const fn header(&self) -> &TokenHeader {
        match self {
            Self::Held(signer) => signer.header(),
            Self::Kms(signer) => &signer.header,
        }
    }

    /// What its one-time tokens begin with.
    pub(crate) fn one_time_header(&self) -> TokenHeader {
        match self {
            Self::Held(signer) => TokenHeader::one_time(signer.key().algorithm(), signer.key().kid()),
            Self::Kms(signer) => TokenHeader::one_time(signer.key.algorithm(), signer.key.kid()),
        }
    }

    /// Makes a token of a draft under this key's header.
    pub(crate) async fn sign(&self, draft: Draft) -> Result<String, MintFault> {
        match self {
            Self::Held(signer) => Ok(signer.sign(draft)?),
            // Boxed: a future of the SDK is some ten kilobytes, and nearly nobody needs this one.
            Self::Kms(signer) => Box::pin(signer.sign(draft)).await,
        }
    }
}

/// Signs with one key of KMS.
pub(crate) struct KmsSigner {
    kms: Kms,
    arn: String,
    key: VerifyingKey,
    header: TokenHeader,
}

impl KmsSigner {
    /// With this key of the ring, if it is one of KMS.
    pub(crate) fn of(key: &RingKey, kms: &Kms) -> Option<Self> {
        let Custody::Kms(arn) = &key.custody else { return None };
        let header = TokenHeader::new(key.algorithm(), key.kid());
        Some(Self { kms: kms.clone(), arn: arn.clone(), key: key.verifying_key().ok()?, header })
    }

    /// What KMS answers is checked: a signature that nobody believes would be a login that nobody can use.
    async fn sign(&self, draft: Draft) -> Result<String, MintFault> {
        let signature = self.kms.sign(&self.arn, self.key.algorithm(), draft.message()).await?;
        Ok(draft.signed_by(&self.key, &signature)?)
    }
}

impl fmt::Debug for KmsSigner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KmsSigner").field("arn", &self.arn).finish_non_exhaustive()
    }
}
