//! Keys: parsed once, one algorithm each, known by their RFC 7638 thumbprint.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::{JwtSigner, JwtVerifier};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, EncodingKey};
use zeroize::Zeroizing;

/// The algorithms of access tokens (RFC 7518 §3.1, RFC 8037 §3.1), one per key.
pub const ALGORITHMS: [Algorithm; 4] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA, Algorithm::HS256];

/// An HMAC key is at least as long as its hash (RFC 7518 §3.2).
const HMAC_MIN_LENGTH: usize = 32;

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
    /// RSA under 2048 bits or with an odd exponent, an HMAC key under 256 bits, a point that is not on its curve.
    #[error("the key is too weak or not valid for {0:?}")]
    Weak(Algorithm),
    /// Not a JWK Set (RFC 7517 §5), or empty.
    #[error("expected a JWK Set with at least one key")]
    Set,
    /// A key of the set has no `alg` or `kid`, is not for signatures, or its members do not fit each other.
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
    Hs256(hmac::Key),
}

impl SigningKey {
    /// Reads a key: PKCS#8 PEM, or base64url of at least 32 bytes for HS256.
    ///
    /// # Errors
    ///
    /// [`KeyError::Algorithm`], [`KeyError::Private`] or [`KeyError::Weak`].
    pub fn parse(algorithm: Algorithm, text: &str) -> Result<Self, KeyError> {
        let unreadable = KeyError::Private(algorithm);
        let encoded = match algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_pem(text.as_bytes()),
            Algorithm::ES256 => EncodingKey::from_ec_pem(text.as_bytes()),
            Algorithm::EdDSA => EncodingKey::from_ed_pem(text.as_bytes()),
            Algorithm::HS256 => return Self::shared(text),
            _ => return Err(KeyError::Algorithm),
        };
        let encoded = encoded.map_err(|_| unreadable)?;
        Self::from_encoding_key(algorithm, &encoded)
    }

    fn shared(text: &str) -> Result<Self, KeyError> {
        let unreadable = KeyError::Private(Algorithm::HS256);
        let secret = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(text.trim()).map_err(|_| unreadable)?);
        Self::from_encoding_key(Algorithm::HS256, &EncodingKey::from_secret(&secret))
    }

    fn from_encoding_key(algorithm: Algorithm, encoded: &EncodingKey) -> Result<Self, KeyError> {
        let private = Private::parse(algorithm, encoded.as_bytes())?;
        let mut jwk = Jwk::from_encoding_key(encoded, algorithm).map_err(|_| KeyError::Private(algorithm))?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| KeyError::Private(algorithm))?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        VerifyingKey::from_jwk(&jwk).ok_or(KeyError::Weak(algorithm))?;
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

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl Private {
    fn parse(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        let unreadable = |_| KeyError::Private(algorithm);
        match algorithm {
            Algorithm::RS256 => RsaKeyPair::from_der(der).map(|key| Self::Rs256(key.into())).map_err(unreadable),
            Algorithm::ES256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
                .map(|key| Self::Es256(key.into()))
                .map_err(unreadable),
            Algorithm::EdDSA => Ed25519KeyPair::from_pkcs8(der).map(|key| Self::EdDsa(key.into())).map_err(unreadable),
            Algorithm::HS256 => Ok(Self::Hs256(hmac::Key::new(hmac::HMAC_SHA256, der))),
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
    Shared(hmac::Key),
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

    fn from_jwk(jwk: &Jwk) -> Option<Self> {
        let algorithm = Algorithm::try_from(jwk.common.key_algorithm?).ok()?;
        let kid = jwk.common.key_id.clone().filter(|kid| !kid.is_empty())?;
        if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return None;
        }
        Some(Self { algorithm, kid, public: Public::from_parameters(algorithm, &jwk.algorithm)? })
    }
}

impl Public {
    fn from_parameters(algorithm: Algorithm, parameters: &AlgorithmParameters) -> Option<Self> {
        let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        match (algorithm, parameters) {
            (Algorithm::RS256, AlgorithmParameters::RSA(rsa)) if rsa.e == RSA_EXPONENT => {
                let components = RsaPublicKeyComponents { n: decode(&rsa.n)?, e: decode(&rsa.e)? };
                let key = components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok()?;
                // Parsing accepts any size; checking does not. A weak key is refused here, not at the first token.
                (components.n.len() >= 2048 / 8).then_some(Self::Asymmetric(key))
            }
            (Algorithm::ES256, AlgorithmParameters::EllipticCurve(ec)) if ec.curve == EllipticCurve::P256 => {
                let point = [vec![4], decode(&ec.x)?, decode(&ec.y)?].concat(); // uncompressed, SEC 1 §2.3.3
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).ok().map(Self::Asymmetric)
            }
            (Algorithm::EdDSA, AlgorithmParameters::OctetKeyPair(okp)) if okp.curve == EllipticCurve::Ed25519 => {
                ParsedPublicKey::new(&ED25519, decode(&okp.x)?).ok().map(Self::Asymmetric)
            }
            (Algorithm::HS256, AlgorithmParameters::OctetKey(oct)) => {
                let secret = Zeroizing::new(decode(&oct.value)?);
                let strong = secret.len() >= HMAC_MIN_LENGTH;
                strong.then(|| Self::Shared(hmac::Key::new(hmac::HMAC_SHA256, &secret)))
            }
            _ => None,
        }
    }
}

impl Verifier<Vec<u8>> for VerifyingKey {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
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

/// The keys that access tokens are checked with: at least one, each `kid` once, public or shared but not both.
#[derive(Debug)]
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
    let is_public = |jwk: &Jwk| jwk.common.key_algorithm != Some(KeyAlgorithm::HS256);
    JwkSet { keys: set.keys.into_iter().filter(is_public).collect() }
}
