//! Keys: parsed once, one algorithm each, known by their RFC 7638 thumbprint.

mod small_order;

use std::fmt;
use std::ops::RangeInclusive;

use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
pub use jsonwebtoken::Algorithm;
use jsonwebtoken::crypto::{JwtSigner, JwtVerifier};
pub use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, JwkSet, KeyOperations, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{DecodingKey, EncodingKey};
use zeroize::Zeroizing;

/// The algorithms of access tokens (RFC 7518 §3.1, RFC 8037 §3.1), one per key.
pub const ALGORITHMS: [Algorithm; 4] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA, Algorithm::HS256];

/// An HMAC key is at least as long as its hash (RFC 7518 §3.2).
const HMAC_MIN_LENGTH: usize = 32;

/// RFC 7518 §3.3; longer ones are dear to check and not supported by the library.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

/// The public exponent of every RSA key that is made today (F4); smaller ones have been attacked, others are mistakes.
const RSA_EXPONENT: &str = "AQAB";

/// Why a key cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not RS256, ES256, EdDSA or HS256.
    #[error("the algorithm must be one of RS256, ES256, EdDSA, HS256")]
    Algorithm,
    /// Neither PKCS#8 PEM nor, for HS256, base64url; or of another type than the algorithm's.
    #[error("not a private key for {0:?}: expected PKCS#8 PEM, or base64url for HS256")]
    Private(Algorithm),
    /// Not a public key of the algorithm as X.509 writes it.
    #[error("not a public key for {0:?}: expected a SubjectPublicKeyInfo")]
    Public(Algorithm),
    /// RSA under 2048 bits or with an unusual exponent, an HMAC key under 256 bits.
    #[error("the key is too weak or not valid for {0:?}")]
    Weak(Algorithm),
    /// Not a JWK Set (RFC 7517 §5), or empty.
    #[error("expected a JWK Set with at least one key")]
    Set,
    /// A key of the set has no `alg` or `kid`, is not for signatures, is weak, or its members do not fit each other.
    #[error("key {0} of the set is not usable: it needs alg, kid and members that fit them, and use \"sig\" if any")]
    Member(usize),
    /// Two keys of the set have one `kid`.
    #[error("two keys of the set have the same kid")]
    DoubledKid,
    /// Public and shared keys in one set.
    #[error("a set holds either public keys or shared HS256 keys, not both")]
    Mixed,
}

/// A private or shared key that signs access tokens.
pub struct SigningKey {
    private: Private,
    jwk: Jwk,
    kid: String,
}

enum Private {
    Rs256(Box<RsaKeyPair>),
    Es256(Box<EcdsaKeyPair>),
    EdDsa(Box<Ed25519KeyPair>),
    Hs256(Box<hmac::Key>),
}

impl SigningKey {
    /// Reads a key: PKCS#8 PEM, or base64url of at least 32 bytes for HS256.
    ///
    /// # Errors
    ///
    /// [`KeyError::Algorithm`], [`KeyError::Private`] or [`KeyError::Weak`].
    pub fn parse(algorithm: Algorithm, text: &str) -> Result<Self, KeyError> {
        let encoded = match algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_pem(text.as_bytes()).ok(),
            Algorithm::ES256 => EncodingKey::from_ec_pem(text.as_bytes()).ok(),
            Algorithm::EdDSA => EncodingKey::from_ed_pem(text.as_bytes()).ok().and_then(|key| version_1(&key)),
            Algorithm::HS256 => return Self::shared(text),
            _ => return Err(KeyError::Algorithm),
        };
        let encoded = encoded.ok_or(KeyError::Private(algorithm))?;
        Self::from_encoding_key(algorithm, &encoded)
    }

    fn shared(text: &str) -> Result<Self, KeyError> {
        let unreadable = KeyError::Private(Algorithm::HS256);
        let secret = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(text.trim()).map_err(|_| unreadable)?);
        Self::from_encoding_key(Algorithm::HS256, &EncodingKey::from_secret(&secret))
    }

    fn from_encoding_key(algorithm: Algorithm, encoded: &EncodingKey) -> Result<Self, KeyError> {
        let private = Private::parse(algorithm, encoded.as_bytes())?;
        let jwk = Jwk::from_encoding_key(encoded, algorithm).map_err(|_| KeyError::Private(algorithm))?;
        let (jwk, kid) = named(jwk, algorithm)?;
        Ok(Self { private, jwk, kid })
    }

    /// The key's one algorithm.
    pub fn algorithm(&self) -> Algorithm {
        JwtSigner::algorithm(&self.private)
    }

    /// The RFC 7638 thumbprint of the public key.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What a verifier needs: the public key, or the shared one for HS256.
    pub const fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// Signs.
    ///
    /// # Errors
    ///
    /// Only when the library or its randomness fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        self.private.try_sign(message)
    }
}

/// A public key of RSA or P-256 as a JWK, from DER of X.509's `SubjectPublicKeyInfo` (RFC 5280 §4.1).
///
/// # Errors
///
/// [`KeyError::Algorithm`], [`KeyError::Public`] or [`KeyError::Weak`].
pub fn public_jwk(algorithm: Algorithm, der: &[u8]) -> Result<Jwk, KeyError> {
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64_STANDARD.encode(der));
    let key = match algorithm {
        Algorithm::RS256 => DecodingKey::from_rsa_pem(pem.as_bytes()),
        Algorithm::ES256 => DecodingKey::from_ec_pem(pem.as_bytes()),
        _ => return Err(KeyError::Algorithm),
    };
    let jwk = key.and_then(|key| Jwk::from_decoding_key(&key, Some(algorithm)));
    named(jwk.map_err(|_| KeyError::Public(algorithm))?, algorithm).map(|(jwk, _)| jwk)
}

/// The key under its RFC 7638 thumbprint, if it is fit for use.
fn named(mut jwk: Jwk, algorithm: Algorithm) -> Result<(Jwk, String), KeyError> {
    let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| KeyError::Weak(algorithm))?;
    jwk.common.key_id = Some(kid.clone());
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    VerifyingKey::from_jwk(&jwk).ok_or(KeyError::Weak(algorithm))?;
    Ok((jwk, kid))
}

/// An Ed25519 key in version 1 of PKCS#8 (RFC 5208), which OpenSSL writes: the JWT library makes a JWK of no other.
/// Version 2 (RFC 5958), which Rust's libraries write, carries the public key, too.
fn version_1(encoded: &EncodingKey) -> Option<EncodingKey> {
    let pair = Ed25519KeyPair::from_pkcs8(encoded.as_bytes()).ok()?;
    Some(EncodingKey::from_ed_der(pair.to_pkcs8v1().ok()?.as_ref()))
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl Private {
    fn parse(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        let unreadable = |rejected: KeyRejected| match rejected.description_() {
            "TooSmall" | "TooLarge" => KeyError::Weak(algorithm),
            _ => KeyError::Private(algorithm),
        };
        match algorithm {
            Algorithm::RS256 => RsaKeyPair::from_der(der).map(|key| Self::Rs256(key.into())).map_err(unreadable),
            Algorithm::ES256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
                .map(|key| Self::Es256(key.into()))
                .map_err(unreadable),
            Algorithm::EdDSA => Ed25519KeyPair::from_pkcs8(der).map(|key| Self::EdDsa(key.into())).map_err(unreadable),
            Algorithm::HS256 => Ok(Self::Hs256(hmac::Key::new(hmac::HMAC_SHA256, der).into())),
            _ => Err(KeyError::Algorithm),
        }
    }
}

impl Signer<Vec<u8>> for Private {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let random = SystemRandom::new();
        match self {
            Self::Rs256(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(SignatureError::from_source)?;
                Ok(signature)
            }
            Self::Es256(key) => key
                .sign(&random, message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(SignatureError::from_source),
            Self::EdDsa(key) => Ok(key.sign(message).as_ref().to_vec()),
            Self::Hs256(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
        }
    }
}

impl JwtSigner for Private {
    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rs256(_) => Algorithm::RS256,
            Self::Es256(_) => Algorithm::ES256,
            Self::EdDsa(_) => Algorithm::EdDSA,
            Self::Hs256(_) => Algorithm::HS256,
        }
    }
}

/// A public or shared key that checks access tokens.
#[derive(Debug)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    kid: String,
    public: Public,
}

#[derive(Debug)]
enum Public {
    Asymmetric(ParsedPublicKey),
    Shared(Box<hmac::Key>),
}

impl VerifyingKey {
    /// The key's one algorithm: that of its JWK, never that of a token.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// An opaque name, compared whole.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub(crate) fn from_jwk(jwk: &Jwk) -> Option<Self> {
        Self::for_algorithm(jwk, Algorithm::try_from(jwk.common.key_algorithm?).ok()?)
    }

    /// A public key of another issuer's set, for one of these algorithms. Such a set may name none (RFC 7517 §4.4), so the
    /// key's type decides.
    pub(crate) fn of_another(jwk: &Jwk, algorithms: &[Algorithm]) -> Option<Self> {
        let algorithm = match (jwk.common.key_algorithm, &jwk.algorithm) {
            (Some(algorithm), _) => Algorithm::try_from(algorithm).ok()?,
            (None, AlgorithmParameters::RSA(_)) => Algorithm::RS256,
            (None, AlgorithmParameters::EllipticCurve(_)) => Algorithm::ES256,
            (None, AlgorithmParameters::OctetKeyPair(_)) => Algorithm::EdDSA,
            (None, _) => return None,
        };
        algorithms.contains(&algorithm).then(|| Self::for_algorithm(jwk, algorithm)).flatten()
    }

    fn for_algorithm(jwk: &Jwk, algorithm: Algorithm) -> Option<Self> {
        let kid = jwk.common.key_id.clone().filter(|kid| !kid.is_empty())?;
        let operations = jwk.common.key_operations.as_deref();
        let verifies = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature))
            && operations.is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        if !verifies {
            return None;
        }
        Some(Self { algorithm, kid, public: Public::from_parameters(algorithm, &jwk.algorithm)? })
    }
}

impl Public {
    fn from_parameters(algorithm: Algorithm, parameters: &AlgorithmParameters) -> Option<Self> {
        match (algorithm, parameters) {
            (Algorithm::RS256, AlgorithmParameters::RSA(rsa)) if rsa.e == RSA_EXPONENT => {
                let components = RsaPublicKeyComponents { n: decode(&rsa.n)?, e: decode(&rsa.e)? };
                // Parsing accepts any size; checking does not. A weak key is refused here, not at the first token.
                if !RSA_BITS.contains(&bits(&components.n)?) {
                    return None;
                }
                components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok().map(Self::Asymmetric)
            }
            (Algorithm::ES256, AlgorithmParameters::EllipticCurve(ec)) if ec.curve == EllipticCurve::P256 => {
                let point = [&[4][..], &coordinate(&ec.x)?, &coordinate(&ec.y)?].concat(); // uncompressed, SEC 1 §2.3.3
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).ok().map(Self::Asymmetric)
            }
            (Algorithm::EdDSA, AlgorithmParameters::OctetKeyPair(okp)) if okp.curve == EllipticCurve::Ed25519 => {
                let point = coordinate(&okp.x)?;
                let is_key = !small_order::is_small_order(&point);
                is_key.then(|| ParsedPublicKey::new(&ED25519, point).ok().map(Self::Asymmetric)).flatten()
            }
            (Algorithm::HS256, AlgorithmParameters::OctetKey(oct)) => {
                let secret = Zeroizing::new(decode(&oct.value)?);
                let strong = secret.len() >= HMAC_MIN_LENGTH;
                strong.then(|| Self::Shared(hmac::Key::new(hmac::HMAC_SHA256, &secret).into()))
            }
            _ => None,
        }
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

/// The length of a number without leading zero bytes (RFC 7518 §6.3.1.1).
fn bits(number: &[u8]) -> Option<usize> {
    let first = number.first().filter(|byte| **byte != 0)?;
    Some(number.len() * 8 - first.leading_zeros() as usize)
}

/// A coordinate on P-256 or Ed25519: always the full 32 bytes (RFC 7518 §6.2.1.2, RFC 8037 §2). The library alone would
/// read an Ed25519 key in other encodings, too.
fn coordinate(text: &str) -> Option<[u8; 32]> {
    decode(text)?.try_into().ok()
}

impl Verifier<Vec<u8>> for VerifyingKey {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        self.check(message, signature)
    }
}

impl VerifyingKey {
    /// [`Verifier::verify`] for a signature that is in no vector.
    pub(crate) fn check(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        match &self.public {
            Public::Asymmetric(key) => key.verify_sig(message, signature).map_err(SignatureError::from_source),
            Public::Shared(key) => {
                let expected = hmac::sign(key, message);
                constant_time::verify_slices_are_equal(expected.as_ref(), signature)
                    .map_err(SignatureError::from_source)
            }
        }
    }
}

impl JwtVerifier for VerifyingKey {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

/// The keys that access tokens are checked with: each `kid` once, public or shared but not both. A set that is read has at least
/// one; by the default, which has none, no token is believed.
#[derive(Debug, Default)]
pub struct KeySet(Vec<VerifyingKey>);

impl KeySet {
    /// Reads a JWK Set (RFC 7517 §5) as JSON.
    ///
    /// # Errors
    ///
    /// [`KeyError`]: a set is used whole or not at all.
    pub fn parse(json: &str) -> Result<Self, KeyError> {
        let set: JwkSet = serde_json::from_str(json).map_err(|_| KeyError::Set)?;
        Self::from_jwks(&set)
    }

    /// Takes the keys of a set.
    ///
    /// # Errors
    ///
    /// [`KeyError`]: a set is used whole or not at all.
    pub fn from_jwks(set: &JwkSet) -> Result<Self, KeyError> {
        let mut keys: Vec<VerifyingKey> = Vec::with_capacity(set.keys.len());
        for (at, jwk) in set.keys.iter().enumerate() {
            let key = VerifyingKey::from_jwk(jwk).ok_or(KeyError::Member(at))?;
            if keys.iter().any(|other| other.kid == key.kid) {
                return Err(KeyError::DoubledKid);
            }
            keys.push(key);
        }
        let shared = keys.iter().filter(|key| key.algorithm == Algorithm::HS256).count();
        match keys.len() {
            0 => Err(KeyError::Set),
            all if shared != 0 && shared != all => Err(KeyError::Mixed),
            _ => Ok(Self(keys)),
        }
    }

    /// The keys.
    pub fn into_keys(self) -> impl Iterator<Item = VerifyingKey> {
        self.0.into_iter()
    }
}

/// The keys of a set that may be published, public members only (RFC 7517 §9.3): a shared key is nobody else's.
pub fn publishable(set: JwkSet) -> JwkSet {
    use AlgorithmParameters::{EllipticCurve, OctetKeyPair, RSA};
    // By what a key holds, not by what it says: a secret under another `alg`, or under none, stays one.
    let is_public = |jwk: &Jwk| matches!(jwk.algorithm, RSA(_) | EllipticCurve(_) | OctetKeyPair(_));
    JwkSet { keys: set.keys.into_iter().filter(is_public).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_keys;
    use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
    use aws_lc_rs::signature::KeyPair as _;

    use serde_json::{Value, json};

    const MESSAGE: &[u8] = b"header.claims";

    #[test]
    fn each_algorithm_parses_signs_and_verifies() {
        let cases = [
            ("RSA, PKCS#8", Algorithm::RS256, test_keys::RSA, 256),
            ("RSA, PKCS#1", Algorithm::RS256, test_keys::RSA_PKCS1, 256),
            ("P-256, PKCS#8", Algorithm::ES256, test_keys::P256, 64),
            ("Ed25519, PKCS#8 version 1", Algorithm::EdDSA, test_keys::ED25519, 64),
            ("Ed25519, PKCS#8 version 2", Algorithm::EdDSA, test_keys::ED25519_V2, 64),
            ("HMAC", Algorithm::HS256, test_keys::HMAC, 32),
        ];
        for (name, algorithm, text, length) in cases {
            for text in [text.to_owned(), format!("\n {text} \n"), text.trim().to_owned()] {
                let key = SigningKey::parse(algorithm, &text).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(key.algorithm(), algorithm, "{name}");
                let signature = key.sign(MESSAGE).unwrap();
                assert_eq!(signature.len(), length, "{name}");
                let verifying = verifying(key.jwk());
                assert_eq!((verifying.algorithm(), verifying.kid()), (algorithm, key.kid()), "{name}");
                assert!(verifying.verify(MESSAGE, &signature).is_ok(), "{name}");
                assert!(verifying.verify(b"header.claimz", &signature).is_err(), "{name}: another message");
                assert!(verifying.verify(MESSAGE, &vec![0; length]).is_err(), "{name}: zeros");
                assert!(verifying.verify(MESSAGE, &Vec::new()).is_err(), "{name}: nothing");
            }
        }
    }

    #[test]
    fn the_form_of_the_text_does_not_change_the_key() {
        let kid = |algorithm, text| SigningKey::parse(algorithm, text).unwrap().kid().to_owned();
        assert_eq!(kid(Algorithm::RS256, test_keys::RSA), kid(Algorithm::RS256, test_keys::RSA_PKCS1));
        assert_eq!(kid(Algorithm::EdDSA, test_keys::ED25519), kid(Algorithm::EdDSA, test_keys::ED25519_V2));
    }

    #[test]
    fn weak_and_wrong_private_keys_are_refused_each_for_its_reason() {
        use Algorithm::{ES256, EdDSA, HS256, PS256, RS256};
        let (private, weak) = (KeyError::Private, KeyError::Weak);
        let bytes = |length: usize| BASE64_URL_SAFE_NO_PAD.encode(vec![7; length]);
        let cut = |pem: &str| pem.lines().filter(|line| !line.starts_with("MII")).collect::<Vec<_>>().join("\n");
        let cases = [
            ("RSA, 1024 bits", RS256, test_keys::RSA_1024.to_owned(), weak(RS256)),
            ("RSA, e = 3", RS256, test_keys::RSA_E3.to_owned(), weak(RS256)),
            ("RSA, a public key", RS256, test_keys::RSA_PUBLIC.to_owned(), private(RS256)),
            ("RSA, an EC key", RS256, test_keys::P256.to_owned(), private(RS256)),
            ("RSA, an Ed25519 key", RS256, test_keys::ED25519.to_owned(), private(RS256)),
            ("RSA, a line missing", RS256, cut(test_keys::RSA), private(RS256)),
            ("EC, P-384", ES256, test_keys::P384.to_owned(), private(ES256)),
            ("EC, a public key", ES256, test_keys::P256_PUBLIC.to_owned(), private(ES256)),
            ("EC, not PKCS#8", ES256, test_keys::P256_SEC1.to_owned(), private(ES256)),
            ("EC, under a passphrase", ES256, test_keys::P256_ENCRYPTED.to_owned(), private(ES256)),
            ("EC, an RSA key", ES256, test_keys::RSA.to_owned(), private(ES256)),
            ("EC, an Ed25519 key", ES256, test_keys::ED25519.to_owned(), private(ES256)),
            ("Ed25519, a public key", EdDSA, test_keys::ED25519_PUBLIC.to_owned(), private(EdDSA)),
            ("Ed25519, an Ed448 key", EdDSA, test_keys::ED448.to_owned(), private(EdDSA)),
            ("Ed25519, an EC key", EdDSA, test_keys::P256.to_owned(), private(EdDSA)),
            ("HMAC, 31 bytes", HS256, bytes(31), weak(HS256)),
            ("HMAC, empty", HS256, String::new(), weak(HS256)),
            ("HMAC, PEM", HS256, test_keys::RSA.to_owned(), private(HS256)),
            ("HMAC, padded", HS256, format!("{}=", bytes(32)), private(HS256)),
            ("HMAC, standard alphabet", HS256, "+/".repeat(24), private(HS256)),
            ("an algorithm that is not ours", PS256, test_keys::RSA.to_owned(), KeyError::Algorithm),
        ];
        for (name, algorithm, text, expected) in cases {
            assert_eq!(SigningKey::parse(algorithm, &text).err(), Some(expected), "{name}");
        }
        for algorithm in [RS256, ES256, EdDSA] {
            for text in ["", "garbage", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----", test_keys::HMAC] {
                assert_eq!(SigningKey::parse(algorithm, text).err(), Some(private(algorithm)), "{algorithm:?} {text}");
            }
        }
        assert!(SigningKey::parse(HS256, &bytes(32)).is_ok(), "HMAC, 32 bytes");
        assert!(SigningKey::parse(HS256, &bytes(65)).is_ok(), "HMAC, longer than a block");
    }

    #[test]
    fn a_public_key_of_x509_is_that_of_its_private_half() {
        let ec = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &test_keys::der(test_keys::P256)).unwrap();
        let ec: PublicKeyX509Der<'_> = ec.public_key().as_der().unwrap();
        let (ec, rsa) = (ec.as_ref(), test_keys::der(test_keys::RSA_PUBLIC));
        let own = |algorithm| Ok(test_keys::signing_key(algorithm).jwk().clone());
        let public = |algorithm| Err(KeyError::Public(algorithm));
        let mut long = ec.to_vec();
        long.push(0);
        let cases = [
            ("RSA", Algorithm::RS256, &rsa[..], own(Algorithm::RS256)),
            ("P-256", Algorithm::ES256, ec, own(Algorithm::ES256)),
            ("RSA for P-256", Algorithm::ES256, &rsa, public(Algorithm::ES256)),
            ("P-256 for RSA", Algorithm::RS256, ec, public(Algorithm::RS256)),
            ("a point that ends early", Algorithm::ES256, &ec[..ec.len() - 1], public(Algorithm::ES256)),
            ("something behind", Algorithm::ES256, &long, public(Algorithm::ES256)),
            ("nothing", Algorithm::RS256, &[], public(Algorithm::RS256)),
            ("no DER", Algorithm::RS256, b"-----BEGIN PUBLIC KEY-----", public(Algorithm::RS256)),
            ("an algorithm that is not offered", Algorithm::EdDSA, ec, Err(KeyError::Algorithm)),
        ];
        for (name, algorithm, der, expected) in cases {
            assert_eq!(public_jwk(algorithm, der), expected, "{name}");
        }
    }

    #[test]
    fn the_kid_is_the_rfc_7638_thumbprint() {
        for vector in rfc("thumbprints") {
            let jwk: Jwk = serde_json::from_value(vector["jwk"].clone()).unwrap();
            assert_eq!(jwk.thumbprint(ThumbprintHash::SHA256).unwrap(), vector["thumbprint"], "{}", vector["name"]);
        }
        let key = SigningKey::parse(Algorithm::EdDSA, &test_keys::ed25519_pem(RFC_8037_SEED)).unwrap();
        assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "RFC 8037 A.3");
        for algorithm in ALGORITHMS {
            let key = test_keys::signing_key(algorithm);
            assert_eq!(key.jwk().thumbprint(ThumbprintHash::SHA256).unwrap(), key.kid(), "{algorithm:?}");
            assert_eq!(key.jwk().common.key_id.as_deref(), Some(key.kid()), "{algorithm:?}");
        }
    }

    const RFC_8037_SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

    #[test]
    fn the_signatures_of_the_rfcs_verify() {
        for vector in rfc("signatures") {
            let key = verifying(&serde_json::from_value(vector["jwk"].clone()).unwrap());
            let (message, signature) = vector["jws"].as_str().unwrap().rsplit_once('.').unwrap();
            let mut signature = decode(signature).unwrap();
            assert!(key.verify(message.as_bytes(), &signature).is_ok(), "{}", vector["name"]);
            signature[0] ^= 1;
            assert!(key.verify(message.as_bytes(), &signature).is_err(), "{}", vector["name"]);
        }
        let key = SigningKey::parse(Algorithm::EdDSA, &test_keys::ed25519_pem(RFC_8037_SEED)).unwrap();
        let signature = key.sign(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc").unwrap();
        assert!(rfc("signatures")[3]["jws"].as_str().unwrap().ends_with(&BASE64_URL_SAFE_NO_PAD.encode(signature)));
    }

    #[test]
    fn wycheproof_ed25519() {
        let file = include_str!("../../../tests/vectors/wycheproof-ed25519.json");
        let file: Value = serde_json::from_str(file).unwrap();
        let hex = |text: &Value| -> Vec<u8> {
            let pair = |pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
            text.as_str().unwrap().as_bytes().chunks(2).map(pair).collect()
        };
        for group in file["groups"].as_array().unwrap() {
            let key = KeySet::parse(&group["jwks"].to_string()).unwrap().into_keys().next().unwrap();
            for test in group["tests"].as_array().unwrap() {
                let verified = key.verify(&hex(&test["msg"]), &hex(&test["sig"])).is_ok();
                assert_eq!(verified, test["result"] == "valid", "{} {}", test["tcId"], test["comment"]);
            }
        }
    }

    #[test]
    fn a_set_is_used_whole_or_not_at_all() {
        let (rsa, ec, oct) = (member(Algorithm::RS256), member(Algorithm::ES256), member(Algorithm::HS256));
        let ed = member(Algorithm::EdDSA);
        let renamed = |mut jwk: Value, kid: &str| {
            jwk["kid"] = kid.into();
            jwk
        };
        let cases = [
            ("one of each public kind", json!([rsa, ec, ed]), Ok(3)),
            ("two shared keys", json!([oct, renamed(oct.clone(), "other")]), Ok(2)),
            ("no key", json!([]), Err(KeyError::Set)),
            (
                "one kid twice",
                json!([rsa, renamed(ec.clone(), rsa["kid"].as_str().unwrap())]),
                Err(KeyError::DoubledKid),
            ),
            ("the same key twice", json!([ec, ec]), Err(KeyError::DoubledKid)),
            ("shared beside public", json!([rsa, oct]), Err(KeyError::Mixed)),
            ("public beside shared", json!([oct, ec, ed]), Err(KeyError::Mixed)),
            ("the second is bad", json!([rsa, renamed(ec, "")]), Err(KeyError::Member(1))),
        ];
        for (name, keys, expected) in cases {
            let set = KeySet::parse(&json!({ "keys": keys }).to_string());
            assert_eq!(set.map(|set| set.into_keys().count()), expected, "{name}");
        }
        for text in ["", "{}", "[]", "null", r#"{"keys":{}}"#, r#"{"keys":[1]}"#, r#"{"keys":[],"keys":[]}"#] {
            assert_eq!(KeySet::parse(text).err(), Some(KeyError::Set), "{text}");
        }
    }

    #[test]
    fn a_member_that_occurs_twice_spoils_the_set() {
        for algorithm in ALGORITHMS {
            let jwk = member(algorithm);
            for (name, value) in jwk.as_object().unwrap() {
                let twice = jwk.to_string().replacen('{', &format!("{{\"{name}\":{value},"), 1);
                let refused = KeySet::parse(&format!("{{\"keys\":[{twice}]}}")).err();
                // Without what only its type has, a key is one of an unknown type, and no set is spoilt by that alone.
                assert!(
                    matches!(refused, Some(KeyError::Set | KeyError::Member(0))),
                    "{name} of {algorithm:?}: {refused:?}"
                );
            }
        }
    }

    type Changes<'a> = &'a [(&'a str, Value)];

    #[test]
    fn members_that_do_not_fit_are_refused() {
        use Algorithm::{ES256, EdDSA, HS256, RS256};
        let x = |algorithm| member(algorithm)["x"].clone();
        let bytes = |length: usize, first: u8| {
            let mut bytes = vec![7; length];
            bytes[0] = first;
            bytes[length - 1] |= 1;
            Value::from(BASE64_URL_SAFE_NO_PAD.encode(bytes))
        };
        let spki = Value::from(BASE64_URL_SAFE_NO_PAD.encode(test_keys::der(test_keys::ED25519_PUBLIC)));
        let (left, right) = shifted(&member(ES256));
        let cases: [(&str, Algorithm, Changes<'_>); 41] = [
            ("alg missing", RS256, &[("alg", Value::Null)]),
            ("alg unknown", RS256, &[("alg", "none".into())]),
            ("alg of another hash", RS256, &[("alg", "RS512".into())]),
            ("alg of another padding", RS256, &[("alg", "PS256".into())]),
            ("alg for encryption", RS256, &[("alg", "RSA-OAEP".into())]),
            ("alg of a shared key", RS256, &[("alg", "HS256".into())]),
            ("alg of another kty", ES256, &[("alg", "RS256".into())]),
            ("alg of another curve", ES256, &[("alg", "ES384".into())]),
            ("alg of another kty", EdDSA, &[("alg", "ES256".into())]),
            ("alg of a public key", HS256, &[("alg", "RS256".into())]),
            ("kid missing", ES256, &[("kid", Value::Null)]),
            ("kid empty", ES256, &[("kid", "".into())]),
            ("for encryption", ES256, &[("use", "enc".into())]),
            ("for something else", ES256, &[("use", "SIG".into())]),
            ("operations without verify", ES256, &[("key_ops", json!(["encrypt"]))]),
            ("no operations", HS256, &[("key_ops", json!([]))]),
            ("kty missing", RS256, &[("kty", Value::Null)]),
            ("kty of another", RS256, &[("kty", "EC".into())]),
            ("kty in another case", RS256, &[("kty", "rsa".into())]),
            ("n missing", RS256, &[("n", Value::Null)]),
            ("n empty", RS256, &[("n", "".into())]),
            ("n of 1024 bits", RS256, &[("n", bytes(128, 0xff))]),
            ("n of 2047 bits", RS256, &[("n", bytes(256, 0x7f))]),
            ("n of 1024 bits behind zeros", RS256, &[("n", bytes(256, 0))]),
            ("n of 2048 bits behind a zero", RS256, &[("n", bytes(257, 0))]),
            ("n of 8193 bits", RS256, &[("n", bytes(1025, 1))]),
            ("n padded", RS256, &[("n", format!("{}=", member(RS256)["n"].as_str().unwrap()).into())]),
            ("e = 1", RS256, &[("e", "AQ".into())]),
            ("e = 3", RS256, &[("e", "Aw".into())]),
            ("e empty", RS256, &[("e", "".into())]),
            ("e with leading zeros", RS256, &[("e", "AAEAAQ".into())]),
            ("P-384 with ES256", ES256, &[("crv", "P-384".into())]),
            ("a point that is not on the curve", ES256, &[("y", x(ES256))]),
            ("the point (0, 0)", ES256, &[("x", zeros(32)), ("y", zeros(32))]),
            ("y missing", ES256, &[("y", Value::Null)]),
            ("x of 33 bytes, y of 31", ES256, &[("x", left), ("y", right)]),
            ("x and y empty", ES256, &[("x", "".into()), ("y", "".into())]),
            ("Ed448", EdDSA, &[("crv", "Ed448".into())]),
            ("x of 31 bytes", EdDSA, &[("x", zeros(31))]),
            ("x is a whole public key", EdDSA, &[("x", spki)]),
            ("k of 31 bytes", HS256, &[("k", zeros(31))]),
        ];
        for (name, algorithm, changes) in cases {
            let mut jwk = member(algorithm);
            assert!(KeySet::parse(&json!({ "keys": [jwk] }).to_string()).is_ok(), "{name}: before the change");
            for (at, value) in changes {
                jwk[*at] = value.clone();
            }
            jwk.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            let actual = KeySet::parse(&json!({ "keys": [jwk] }).to_string()).err();
            assert_eq!(actual, Some(KeyError::Member(0)), "{name} ({algorithm:?})");
        }
    }

    #[test]
    fn what_a_key_may_say_besides_is_no_obstacle() {
        let cases = [
            ("no use", "use", Value::Null),
            ("operations with verify", "key_ops", json!(["verify"])),
            ("a private member", "d", "AQAB".into()),
            ("an unknown member", "exp", 5.into()),
            ("an odd kid", "kid", "../../etc/passwd' OR 1=1 --".into()),
        ];
        for (name, at, value) in cases {
            let mut jwk = member(Algorithm::ES256);
            jwk[at] = value;
            assert!(KeySet::parse(&json!({ "keys": [jwk] }).to_string()).is_ok(), "{name}");
        }
    }

    #[test]
    fn only_public_members_are_published() {
        let keys = ALGORITHMS.map(|algorithm| test_keys::signing_key(algorithm).jwk().clone());
        let published = serde_json::to_value(publishable(JwkSet { keys: keys.to_vec() })).unwrap();
        let members: Vec<Vec<&str>> = published["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|jwk| jwk.as_object().unwrap().keys().map(String::as_str).collect())
            .collect();
        let expected = [
            vec!["alg", "e", "kid", "kty", "n", "use"],
            vec!["alg", "crv", "kid", "kty", "use", "x", "y"],
            vec!["alg", "crv", "kid", "kty", "use", "x"],
        ];
        assert_eq!(members, expected);
        // A set that somebody filled with private keys by mistake: parsing already forgets their private members.
        let private = json!({ "keys": [
            { "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "a", "x": zeros(32), "d": "secret" },
            { "kty": "RSA", "alg": "RS256", "kid": "b", "n": "AQAB", "e": "AQAB", "d": "secret", "p": "secret", "qi": "secret" },
            { "kty": "oct", "alg": "HS256", "kid": "c", "k": "secret" },
            { "kty": "oct", "alg": "HS512", "kid": "d", "k": "secret" },
            { "kty": "oct", "kid": "e", "k": "secret" },
            { "kty": "other", "alg": "ES256", "kid": "f", "secret": "secret" },
        ] });
        let published = serde_json::to_string(&publishable(serde_json::from_value(private).unwrap())).unwrap();
        assert!(published.contains("\"a\"") && published.contains("\"b\""), "{published}");
        assert!(!published.contains("secret"), "{published}");
    }

    #[test]
    fn debug_shows_no_secret() {
        for algorithm in ALGORITHMS {
            let key = test_keys::signing_key(algorithm);
            let expected = format!("SigningKey {{ kid: {:?}, .. }}", key.kid());
            assert_eq!(format!("{key:?}"), expected);
        }
        let shared = verifying(test_keys::signing_key(Algorithm::HS256).jwk());
        let debug = format!("{shared:?}");
        assert!(!debug.contains(test_keys::HMAC) && !debug.contains("0001") && !debug.contains("[0, 1"), "{debug}");
    }

    fn verifying(jwk: &Jwk) -> VerifyingKey {
        test_keys::key_set(jwk).into_keys().next().unwrap()
    }

    fn member(algorithm: Algorithm) -> Value {
        serde_json::to_value(test_keys::signing_key(algorithm).jwk()).unwrap()
    }

    fn zeros(length: usize) -> Value {
        BASE64_URL_SAFE_NO_PAD.encode(vec![0; length]).into()
    }

    /// The coordinates of a point with the first byte of `y` at the end of `x`.
    fn shifted(jwk: &Value) -> (Value, Value) {
        let [x, y] = ["x", "y"].map(|at| decode(jwk[at].as_str().unwrap()).unwrap());
        let encode = |bytes: &[u8]| Value::from(BASE64_URL_SAFE_NO_PAD.encode(bytes));
        (encode(&[&x[..], &y[..1]].concat()), encode(&y[1..]))
    }

    fn rfc(section: &str) -> Vec<Value> {
        let file: Value = serde_json::from_str(include_str!("../../../tests/vectors/rfc.json")).unwrap();
        file[section].as_array().unwrap().clone()
    }
}
