//! The secrets of a local stack: made at its first start, kept beside its data.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use auth_core::client::ClientSecret;
use auth_core::entropy::Entropy;
use auth_core::generate;
use serde::{Deserialize, Serialize};

use crate::stack::StartError;

/// What a stack must not forget, if tokens, sessions and what the demo is signed in with are to outlive it.
#[derive(Deserialize, Serialize)]
pub struct Secrets {
    /// The demo user's password.
    pub demo_password: String,
    /// The demo client's secret.
    pub demo_client_secret: String,
    /// The key of access tokens, as in `SIGNING_KEY`.
    pub signing_key: String,
    /// The key of refresh tokens, as in `REFRESH_KEYS`.
    pub refresh_keys: String,
}

impl Secrets {
    /// Makes new ones, for one of the values of `SIGNING_ALGORITHM`.
    ///
    /// # Errors
    ///
    /// [`StartError::Keys`].
    pub fn generate(algorithm: &str, entropy: &dyn Entropy) -> Result<Self, StartError> {
        Ok(Self {
            demo_password: generate::random_text::<12>(entropy)?,
            demo_client_secret: ClientSecret::random(entropy)?.text().to_string(),
            signing_key: generate::signing_key(algorithm, entropy)?,
            refresh_keys: generate::refresh_keys(entropy)?,
        })
    }

    /// Those beside `data`, in `data` + `.dev`; new ones, readable by their owner only, if there is no such file.
    ///
    /// # Errors
    ///
    /// [`StartError`] naming the file.
    pub fn beside(data: &Path, algorithm: &str, entropy: &dyn Entropy) -> Result<Self, StartError> {
        let file = file_beside(data);
        let unusable = |reason: String| StartError::Data { file: file.clone(), reason };
        match std::fs::read(&file) {
            Ok(json) => serde_json::from_slice(&json).map_err(|error| unusable(error.to_string())),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let secrets = Self::generate(algorithm, entropy)?;
                secrets.write(&file).map_err(|error| unusable(error.to_string()))?;
                Ok(secrets)
            }
            Err(error) => Err(unusable(error.to_string())),
        }
    }

    fn write(&self, file: &Path) -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)
    }
}

fn file_beside(data: &Path) -> PathBuf {
    let mut name = data.as_os_str().to_owned();
    name.push(".dev");
    name.into()
}
