//! The secrets of a local stack: made at its first start, kept beside its data.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use auth_core::entropy::{Entropy, NoEntropy};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::stack::StartError;

/// What a stack must not forget, if tokens, sessions and the demo password are to outlive it.
#[derive(Deserialize, Serialize)]
pub struct Secrets {
    /// The demo user's password.
    pub demo_password: String,
    /// The key of access tokens, as in `SIGNING_KEY`.
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
    pub fn generate(algorithm: &str, entropy: &dyn Entropy) -> Result<Self, StartError> {
        let password = random_text::<12>(entropy)?;
        let refresh_key = random_text::<32>(entropy)?;
        Ok(Self {
            demo_password: password,
            signing_key: signing_key(algorithm, entropy)?,
            refresh_keys: format!("1:{refresh_key}"),
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

fn random_text<const N: usize>(entropy: &dyn Entropy) -> Result<String, NoEntropy> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(entropy.draw::<N>()?))
}

/// A new signing key, as `SIGNING_KEY` takes it, for one of the values of `SIGNING_ALGORITHM`.
///
/// # Errors
///
/// [`NoEntropy`] when the source of randomness fails.
pub fn signing_key(algorithm: &str, entropy: &dyn Entropy) -> Result<String, NoEntropy> {
    let random = SystemRandom::new();
    let pkcs8 = match algorithm {
        "HS256" => return random_text::<32>(entropy),
        "ES256" => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .map(|document| document.as_ref().to_vec()),
        "EdDSA" => Ed25519KeyPair::generate_pkcs8(&random).map(|document| document.as_ref().to_vec()),
        _ => KeyPair::generate(KeySize::Rsa2048).and_then(|key| {
            let document: Pkcs8V1Der<'_> = key.as_der()?;
            Ok(document.as_ref().to_vec())
        }),
    };
    pkcs8.map(|der| pem(&der)).map_err(|_| NoEntropy)
}

/// A private key as text (RFC 7468 §10).
fn pem(der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| str::from_utf8(line).ok()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}
