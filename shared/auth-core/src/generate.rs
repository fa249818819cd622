//! New keys, as the variables take them.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;

use crate::entropy::{Entropy, NoEntropy};
use crate::key::KeyError;

/// No key was made.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// [`KeyError::Algorithm`].
    #[error(transparent)]
    Algorithm(#[from] KeyError),
    /// The source of randomness failed.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
}

/// A new key of access tokens, as `SIGNING_KEY` takes it, for one of the values of `SIGNING_ALGORITHM`; RSA of 2048 bits.
/// AWS-LC draws private keys from its own generator, which the operating system seeds; `entropy` gives shared ones.
///
/// # Errors
///
/// [`GenerateError`].
pub fn signing_key(algorithm: &str, entropy: &dyn Entropy) -> Result<String, GenerateError> {
    let random = SystemRandom::new();
    let pkcs8 = match algorithm.parse() {
        Ok(Algorithm::RS256) => KeyPair::generate(KeySize::Rsa2048).and_then(|key| {
            let document: Pkcs8V1Der<'_> = key.as_der()?;
            Ok(document.as_ref().to_vec())
        }),
        Ok(Algorithm::ES256) => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .map(|document| document.as_ref().to_vec()),
        Ok(Algorithm::EdDSA) => Ed25519KeyPair::generate_pkcs8(&random).map(|document| document.as_ref().to_vec()),
        Ok(Algorithm::HS256) => return Ok(random_text::<32>(entropy)?),
        _ => return Err(KeyError::Algorithm.into()),
    };
    pkcs8.map(|der| pem(&der)).map_err(|_| NoEntropy.into())
}

/// A new key of refresh tokens, as `REFRESH_KEYS` takes it, under the id 1.
///
/// # Errors
///
/// [`NoEntropy`] when the source of randomness fails.
pub fn refresh_keys(entropy: &dyn Entropy) -> Result<String, NoEntropy> {
    refresh_key(1, entropy)
}

/// The same under another id.
///
/// # Errors
///
/// [`NoEntropy`] when the source of randomness fails.
pub fn refresh_key(id: u8, entropy: &dyn Entropy) -> Result<String, NoEntropy> {
    random_text::<32>(entropy).map(|key| format!("{id}:{key}"))
}

/// `N` random bytes in base64url without padding.
///
/// # Errors
///
/// [`NoEntropy`] when the source of randomness fails.
pub fn random_text<const N: usize>(entropy: &dyn Entropy) -> Result<String, NoEntropy> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(entropy.draw::<N>()?))
}

/// A private key as text (RFC 7468 §10).
fn pem(der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| str::from_utf8(line).ok()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::OsEntropy;
    use crate::key::{ALGORITHMS, SigningKey};
    use crate::refresh_token::RefreshKeys;

    #[test]
    fn what_is_made_is_what_is_read() {
        for algorithm in ALGORITHMS {
            let name = format!("{algorithm:?}");
            let [one, other] = [(); 2].map(|()| {
                let text = signing_key(&name, &OsEntropy).unwrap();
                SigningKey::parse(algorithm, &text).unwrap_or_else(|error| panic!("{name}: {error}"))
            });
            assert_eq!(one.algorithm(), algorithm);
            assert_ne!(one.kid(), other.kid(), "{name}");
        }
        let [one, other] = [(); 2].map(|()| refresh_keys(&OsEntropy).unwrap());
        assert!(RefreshKeys::parse(&one).is_ok());
        assert_ne!(one, other);
    }

    #[test]
    fn other_algorithms_are_refused() {
        for name in ["", "none", "rs256", "RS384", "PS256"] {
            let made = signing_key(name, &OsEntropy);
            assert!(matches!(made, Err(GenerateError::Algorithm(KeyError::Algorithm))), "{name}");
        }
    }
}
