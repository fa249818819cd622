//! The secrets of a local stack: made at its first start, kept beside its data.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use auth_core::entropy::{Entropy, NoEntropy};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::stack::StartError;

/// What a stack must not forget, if tokens, sessions and the demo password are to outlive it.
#[derive(Deserialize, Serialize)]
pub struct Secrets {
    /// The demo user's password.
    pub demo_password: String,
    /// The key of access tokens: RS256, PKCS#8 PEM.
    pub signing_key: String,
    /// The key of refresh tokens, as in `REFRESH_KEYS`.
    pub refresh_keys: String,
}

impl Secrets {
    /// Makes new ones.
    ///
    /// # Errors
    ///
    /// [`StartError::Engine`] when there is no randomness.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, StartError> {
        let password = random_text::<12>(entropy)?;
        let refresh_key = random_text::<32>(entropy)?;
        Ok(Self {
            demo_password: password,
            signing_key: rsa_key().ok_or(NoEntropy)?,
            refresh_keys: format!("1:{refresh_key}"),
        })
    }

    /// Those beside `data`, in `data` + `.dev`; new ones, readable by their owner only, if there is no such file.
    ///
    /// # Errors
    ///
    /// [`StartError`] naming the file.
    pub fn beside(data: &Path, entropy: &dyn Entropy) -> Result<Self, StartError> {
        let file = file_beside(data);
        let unusable = |reason: String| StartError::Data { file: file.clone(), reason };
        match std::fs::read(&file) {
            Ok(json) => serde_json::from_slice(&json).map_err(|error| unusable(error.to_string())),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let secrets = Self::generate(entropy)?;
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

fn random_text<const N: usize>(entropy: &dyn Entropy) -> Result<String, NoEntropy> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(entropy.draw::<N>()?))
}

/// A new key as PKCS#8 PEM (RFC 7468 §10).
fn rsa_key() -> Option<String> {
    let key = KeyPair::generate(KeySize::Rsa2048).ok()?;
    let der: Pkcs8V1Der<'_> = key.as_der().ok()?;
    let text = BASE64_STANDARD.encode(der.as_ref());
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| str::from_utf8(line).ok()).collect();
    Some(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n")))
}
