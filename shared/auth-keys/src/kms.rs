//! Keys of AWS KMS, which makes them and signs with them, and never gives them out.

use std::time::Duration;

use auth_core::key::{self, Algorithm, Jwk, KeyError};
use auth_dynamodb::error::Reason;
use auth_dynamodb::patience::{self, Patience};
use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_kms::Client;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::{BehaviorVersion, Builder};
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeySpec, KeyUsageType, MessageType, SigningAlgorithmSpec, Tag};
use der::asn1::UintRef;
use der::{Decode as _, Reader as _, SliceReader};

/// How long a signature may take.
pub(crate) const SIGN_TIMEOUT: Duration = Duration::from_secs(1);

/// Within a request.
const TO_SIGN: Patience =
    Patience { connect: CONNECT_TIMEOUT, attempt: Duration::from_millis(500), call: SIGN_TIMEOUT };

/// Once a day.
const TO_KEEP: Patience =
    Patience { connect: CONNECT_TIMEOUT, attempt: Duration::from_secs(2), call: Duration::from_secs(4) };

const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// What KMS does not delete before, and how long a deletion can be cancelled: the least that there is.
const PENDING_DAYS: i32 = 7;

/// The tag of keys that were made here. Its value is the table; permissions hang on it.
const TAG: &str = "countersign:table";

/// Why KMS did not do something. It quotes no message of KMS.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KmsError {
    /// KMS said no, or nothing.
    #[error("KMS {operation}: {reason}")]
    Unavailable {
        /// What was asked for.
        operation: &'static str,
        /// What is known of the cause.
        reason: Reason,
    },
    /// There is no such key.
    #[error("KMS {0}: there is no such key")]
    NoKey(&'static str),
    /// There is one, but it is switched off, about to be deleted, or of another kind.
    #[error("KMS {operation}: {reason}")]
    Unusable {
        /// What was asked for.
        operation: &'static str,
        /// The error's code, or what it is not.
        reason: String,
    },
    /// What KMS says is not what it should say.
    #[error("KMS {0}: an answer that is none")]
    Malformed(&'static str),
    /// A public key that cannot be used.
    #[error("KMS GetPublicKey: {0}")]
    Key(#[from] KeyError),
}

/// A key as KMS has it.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) arn: String,
    pub(crate) jwk: Jwk,
}

/// KMS, as the SDK's variables find it (`AWS_REGION`, `AWS_ENDPOINT_URL_KMS` …).
#[derive(Clone, Debug)]
pub(crate) struct Kms(Client);

impl Kms {
    /// For whoever signs.
    pub(crate) async fn to_sign() -> Self {
        Self::from_environment(TO_SIGN).await
    }

    /// For whoever makes keys.
    pub(crate) async fn to_keep() -> Self {
        Self::from_environment(TO_KEEP).await
    }

    async fn from_environment(patience: Patience) -> Self {
        let shared = aws_config::defaults(BehaviorVersion::latest()).load().await;
        Self::of(Builder::from(&shared), patience)
    }

    fn of(config: Builder, patience: Patience) -> Self {
        let config = config.timeout_config(patience.timeouts()).retry_config(patience::retries());
        Self(Client::from_conf(config.build()))
    }

    /// Makes a key for a table, and gives its ARN. It is asked for once: a repetition would make another one.
    pub(crate) async fn create(&self, algorithm: Algorithm, table: &str) -> Result<String, KmsError> {
        const OPERATION: &str = "CreateKey";
        let tag = Tag::builder().tag_key(TAG).tag_value(table).build().map_err(|_| not_built(OPERATION))?;
        let sent = self
            .0
            .create_key()
            .key_usage(KeyUsageType::SignVerify)
            .key_spec(specs(algorithm)?.0)
            .description(format!("Countersign signs access tokens with it, as the table {table} says."))
            .tags(tag)
            .customize()
            .config_override(once());
        let made = sent.send().await.map_err(|error| failed(OPERATION, &error))?;
        let arn = made.key_metadata.and_then(|key| key.arn).filter(|arn| !arn.is_empty());
        arn.ok_or(KmsError::Malformed(OPERATION))
    }

    /// Gives a key a name that no other key has; `false` if one has it already. That is asked for once, too: a repetition would
    /// find the name taken by the first attempt.
    pub(crate) async fn name(&self, arn: &str, alias: &str) -> Result<bool, KmsError> {
        let sent = self.0.create_alias().alias_name(alias).target_key_id(arn).customize().config_override(once());
        match sent.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("AlreadyExistsException") => Ok(false),
            Err(error) => Err(failed("CreateAlias", &error)),
        }
    }

    /// Takes a name back.
    pub(crate) async fn unname(&self, alias: &str) -> Result<(), KmsError> {
        gone(self.0.delete_alias().alias_name(alias).send().await.err().map(|error| failed("DeleteAlias", &error)))
    }

    /// The public half of the key of that ARN or alias.
    pub(crate) async fn public_key(&self, id: &str, algorithm: Algorithm) -> Result<Described, KmsError> {
        const OPERATION: &str = "GetPublicKey";
        let found = self.0.get_public_key().key_id(id).send().await.map_err(|error| failed(OPERATION, &error))?;
        let (Some(arn), Some(der)) = (found.key_id, found.public_key) else {
            return Err(KmsError::Malformed(OPERATION));
        };
        if found.key_spec != Some(specs(algorithm)?.0) {
            return Err(KmsError::Unusable { operation: OPERATION, reason: format!("no key for {algorithm:?}") });
        }
        Ok(Described { arn, jwk: key::public_jwk(algorithm, der.as_ref())? })
    }

    /// Signs as JWS does it (RFC 7518 §3.3, §3.4). KMS gets the digest alone: it takes no message over 4 KB.
    pub(crate) async fn sign(&self, arn: &str, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, KmsError> {
        const OPERATION: &str = "Sign";
        let sent = self
            .0
            .sign()
            .key_id(arn)
            .signing_algorithm(specs(algorithm)?.1)
            .message_type(MessageType::Digest)
            .message(Blob::new(digest(&SHA256, message).as_ref()));
        let signed = sent.send().await.map_err(|error| failed(OPERATION, &error))?;
        let signature = signed.signature.ok_or(KmsError::Malformed(OPERATION))?.into_inner();
        match algorithm {
            Algorithm::ES256 => raw(&signature).ok_or(KmsError::Malformed(OPERATION)),
            _ => Ok(signature),
        }
    }

    /// Has a key deleted, some day. What is gone, or about to go, is fine.
    pub(crate) async fn delete(&self, arn: &str) -> Result<(), KmsError> {
        let sent = self.0.schedule_key_deletion().key_id(arn).pending_window_in_days(PENDING_DAYS);
        gone(sent.send().await.err().map(|error| failed("ScheduleKeyDeletion", &error)))
    }
}

/// One attempt, as long as all would take.
fn once() -> Builder {
    let timeouts = Patience { attempt: TO_KEEP.call, ..TO_KEEP }.timeouts();
    Builder::new().retry_config(RetryConfig::disabled()).timeout_config(timeouts)
}

fn gone(error: Option<KmsError>) -> Result<(), KmsError> {
    error.filter(|error| !matches!(error, KmsError::NoKey(_) | KmsError::Unusable { .. })).map_or(Ok(()), Err)
}

/// As KMS calls an algorithm: its keys, and its signatures.
fn specs(algorithm: Algorithm) -> Result<(KeySpec, SigningAlgorithmSpec), KmsError> {
    match algorithm {
        Algorithm::RS256 => Ok((KeySpec::Rsa2048, SigningAlgorithmSpec::RsassaPkcs1V15Sha256)),
        Algorithm::ES256 => Ok((KeySpec::EccNistP256, SigningAlgorithmSpec::EcdsaSha256)),
        _ => Err(KeyError::Algorithm.into()),
    }
}

/// r and s of 32 bytes each (RFC 7518 §3.4), of DER as KMS writes it: `Ecdsa-Sig-Value` (RFC 3279 §2.2.3).
fn raw(der: &[u8]) -> Option<Vec<u8>> {
    let mut reader = SliceReader::new(der).ok()?;
    let numbers = |reader: &mut _| Ok::<_, der::Error>([UintRef::decode(reader)?, UintRef::decode(reader)?]);
    let [r, s] = reader.sequence(numbers).ok()?;
    reader.finish().ok()?;
    let mut raw = vec![0; 64];
    for (number, place) in [r, s].iter().zip(raw.chunks_exact_mut(32)) {
        let number = number.as_bytes();
        let start = place.len().checked_sub(number.len())?;
        place.get_mut(start..)?.copy_from_slice(number);
    }
    Some(raw)
}

const fn not_built(operation: &'static str) -> KmsError {
    KmsError::Unavailable { operation, reason: Reason::NotBuilt }
}

fn failed<E: ProvideErrorMetadata, R>(operation: &'static str, error: &SdkError<E, R>) -> KmsError {
    let reason = Reason::of(error);
    match &reason {
        Reason::Code(code) if code == "NotFoundException" => KmsError::NoKey(operation),
        Reason::Code(code) if ["DisabledException", "KMSInvalidStateException"].contains(&code.as_str()) => {
            KmsError::Unusable { operation, reason: reason.to_string() }
        }
        _ => KmsError::Unavailable { operation, reason },
    }
}

#[cfg(test)]
pub(crate) mod tests;
