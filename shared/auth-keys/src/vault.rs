//! What holds private keys and can be read and changed as a whole.

use std::fmt::Write as _;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};

use crate::file::FileVault;
use crate::material::{Material, MaterialError};
use crate::place::Place;
use crate::secret::SecretVault;

/// How long a request waits for the vault. At its start, a function waits for as long as the vault's own calls take.
pub(crate) const VAULT_TIMEOUT: Duration = Duration::from_secs(1);

/// Where private keys are kept.
#[derive(Debug)]
pub enum Vault {
    /// A file that only its owner may read, for development.
    File(FileVault),
    /// A secret of Secrets Manager.
    Secret(SecretVault),
}

/// The keys as they were read.
#[derive(Debug)]
pub struct Held {
    /// The keys.
    pub material: Material,
    /// What tells this state from every other.
    pub(crate) version: Version,
}

/// A state of what is kept. It says nothing of the keys.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Version(pub(crate) String);

impl Version {
    /// The version that follows from a text: 64 hexadecimal digits.
    pub(crate) fn of(text: &str) -> Self {
        let digest = digest(&SHA256, text.as_bytes());
        Self(digest.as_ref().iter().fold(String::with_capacity(64), |mut name, byte| {
            let _ = write!(name, "{byte:02x}"); // a text takes all that is written
            name
        }))
    }
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Done.
    Done,
    /// Not done: the keys are others than were read.
    Meanwhile,
}

/// The keys could not be read or written. It quotes no secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// Secrets Manager, or the file system, said no, or nothing.
    #[error("{operation}: {reason}")]
    Unavailable {
        /// What was asked for.
        operation: &'static str,
        /// The error's code, or what is known of the cause.
        reason: String,
    },
    /// Others than the owner may read the file.
    #[error("others than its owner may read it: chmod 600")]
    Open,
    /// An older version of the secret was made the current one again: what comes after it is taken.
    #[error(
        "its label AWSCURRENT was moved back to an older version, after which nothing can be written: put the text of that version \
         as a new version"
    )]
    MovedBack,
    /// What is there is not ours.
    #[error(transparent)]
    Material(#[from] MaterialError),
}

impl Vault {
    /// The vault at a place. Secrets Manager is found as the SDK's variables say (`AWS_REGION`,
    /// `AWS_ENDPOINT_URL_SECRETS_MANAGER` …), and asked with the first call.
    pub async fn at(place: &Place) -> Self {
        match place {
            Place::File(path) => Self::File(FileVault::new(path.clone())),
            Place::Secret(_, name) => Self::Secret(SecretVault::from_environment(name.clone()).await),
        }
    }

    /// Reads all that is kept. What was never written is empty.
    ///
    /// # Errors
    ///
    /// [`VaultError`].
    pub async fn read(&self) -> Result<Held, VaultError> {
        match self {
            Self::File(file) => file.read(),
            Self::Secret(secret) => secret.read().await,
        }
    }

    /// The same for a request, which waits for [`VAULT_TIMEOUT`] at most.
    ///
    /// # Errors
    ///
    /// [`VaultError`].
    pub(crate) async fn read_in_time(&self) -> Result<Held, VaultError> {
        let late = VaultError::Unavailable { operation: "read", reason: "timed out".to_owned() };
        tokio::time::timeout(VAULT_TIMEOUT, self.read()).await.unwrap_or(Err(late))
    }

    /// Replaces what was read, or nothing if it was changed since.
    ///
    /// # Errors
    ///
    /// [`VaultError`].
    pub async fn write(&self, read: &Held, material: &Material) -> Result<Written, VaultError> {
        let json = material.json()?;
        match self {
            Self::File(file) => file.write(&read.version, &json),
            Self::Secret(secret) => secret.write(&read.version, &json).await,
        }
    }
}
