//! Against a server that speaks as KMS does, and one that does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use auth_core::id::TokenId;
use auth_core::issuer::Issuer;
use auth_core::jwt::one_time::Purpose;
use auth_core::jwt::{MintError, Verifier};
use auth_core::key_ring::{Custody, KeyRing, RingKey};
use auth_core::time::UnixTime;
use aws_lc_rs::digest::Digest;
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use aws_sdk_kms::config::{Credentials, Region};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::*;
use crate::minting::MintFault;
use crate::signer::{KeySigner, KmsSigner};
use crate::test_server::{Answer, serve};

const LIFE: Duration = Duration::from_mins(10);
pub(crate) const ARN: &str = "arn:aws:kms:eu-central-1:123456789012:key/1";
pub(crate) const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// Only a busy machine delays what is on it.
const PATIENT: Patience =
    Patience { connect: Duration::from_secs(10), attempt: Duration::from_secs(10), call: Duration::from_secs(40) };

pub(crate) async fn kms_that(
    answer: impl Fn(&str, &Value) -> Answer + Send + Sync + 'static,
) -> (Kms, Arc<AtomicUsize>) {
    kms_with(PATIENT, answer).await
}

async fn kms_with(
    patience: Patience,
    answer: impl Fn(&str, &Value) -> Answer + Send + Sync + 'static,
) -> (Kms, Arc<AtomicUsize>) {
    let (endpoint, asked) = serve(answer).await;
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"));
    (Kms::of(config, patience), asked)
}

/// A key as KMS has it.
pub(crate) enum Key {
    Rsa(Box<RsaKeyPair>),
    Ec(Box<EcdsaKeyPair>),
}

impl Key {
    pub(crate) fn new(algorithm: Algorithm) -> Arc<Self> {
        Arc::new(match algorithm {
            Algorithm::RS256 => Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap().into()),
            _ => Self::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap().into()),
        })
    }

    fn public(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = match self {
            Self::Rsa(key) => key.public_key().as_der().unwrap(),
            Self::Ec(key) => key.public_key().as_der().unwrap(),
        };
        der.as_ref().to_vec()
    }

    fn sign(&self, digest: &[u8]) -> Vec<u8> {
        let digest = Digest::import_less_safe(digest, &SHA256).unwrap();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign_digest(&RSA_PKCS1_SHA256, &digest, &mut signature).unwrap();
                signature
            }
            Self::Ec(key) => key.sign_digest(&digest).unwrap().as_ref().to_vec(),
        }
    }

    /// As KMS answers; asked for anything but a digest, it signs nothing.
    pub(crate) fn answer(&self, operation: &str, members: &Value) -> Answer {
        let (spec, algorithm) = match self {
            Self::Rsa(_) => ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_256"),
            Self::Ec(_) => ("ECC_NIST_P256", "ECDSA_SHA_256"),
        };
        let encoded = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
        let body = match operation {
            "GetPublicKey" => json!({"KeyId": ARN, "KeySpec": spec, "PublicKey": encoded(&self.public())}),
            _ if members["KeyId"] != ARN || members["MessageType"] != "DIGEST" => return Answer::error(400, "x"),
            _ if members["SigningAlgorithm"] != algorithm => return Answer::error(400, "x"),
            _ => {
                let digest = BASE64_STANDARD.decode(members["Message"].as_str().unwrap()).unwrap();
                json!({"KeyId": ARN, "Signature": encoded(&self.sign(&digest))})
            }
        };
        Answer::With(200, body.to_string())
    }
}

pub(crate) async fn ring_key(kms: &Kms, algorithm: Algorithm) -> RingKey {
    let Described { arn, jwk } = kms.public_key(ARN, algorithm).await.unwrap();
    RingKey::new(jwk, Custody::Kms(arn), NOW, NOW).unwrap()
}

fn issuer() -> Issuer {
    Issuer { iss: "https://i.example".to_owned(), aud: "a".to_owned(), ttl: LIFE }
}

/// A token that `key` signs, or does not.
async fn minted(key: &RingKey, kms: &Kms) -> Result<String, MintFault> {
    let signer = KeySigner::Kms(KmsSigner::of(key, kms).unwrap());
    let (header, jti) = (signer.one_time_header(), TokenId::from_bytes([1; 16]));
    signer.sign(issuer().draft_one_time(&header, &purpose(), "somebody", LIFE, jti, NOW).unwrap()).await
}

fn purpose() -> Purpose {
    Purpose::parse("step-up").unwrap()
}

/// Many of them, because the numbers of a signature may begin with zeros.
#[tokio::test]
async fn what_kms_signs_is_a_token() {
    for (algorithm, times) in [(Algorithm::RS256, 2), (Algorithm::ES256, 600)] {
        let key = Key::new(algorithm);
        let (kms, asked) = kms_that(move |operation, members| key.answer(operation, members)).await;
        let key = ring_key(&kms, algorithm).await;
        let verifier =
            Verifier::new(issuer().iss, issuer().aud, KeyRing::new(1, vec![key.clone()]).key_set(NOW).unwrap());
        for at in 1..=times {
            let token = minted(&key, &kms).await.unwrap();
            let believed = verifier.verify_one_time(&token, &purpose(), NOW);
            assert!(believed.is_ok(), "{algorithm:?} {at}: {believed:?}");
            assert_eq!(asked.load(Ordering::SeqCst), 1 + at, "{algorithm:?}: one call a token");
        }
    }
}

#[tokio::test]
async fn a_signature_that_is_none_makes_no_token() {
    let own = Key::new(Algorithm::ES256);
    let other = Key::new(Algorithm::ES256);
    let of = |signature: Vec<u8>| json!({"Signature": BASE64_STANDARD.encode(signature)}).to_string();
    let digest = digest(&SHA256, b"another message");
    let wrong = [
        ("of another message", of(own.sign(digest.as_ref()))),
        ("of another key", of(other.sign(digest.as_ref()))),
        ("of numbers that are too small", of(vec![0x30, 6, 2, 1, 0, 2, 1, 0])),
    ];
    for (name, body) in wrong {
        let own = Arc::clone(&own);
        let (kms, _) = kms_that(move |operation, members| match operation {
            "Sign" => Answer::With(200, body.clone()),
            _ => own.answer(operation, members),
        })
        .await;
        let key = ring_key(&kms, Algorithm::ES256).await;
        let fault = minted(&key, &kms).await.unwrap_err();
        assert!(matches!(fault, MintFault::Mint(MintError::Signature)), "{name}: {fault:?}");
    }
}

#[tokio::test]
async fn what_goes_wrong_is_named_and_quotes_nothing() {
    const SIGN: &str = "Sign";
    let with = |body: &str| Answer::With(200, body.to_owned());
    let unavailable = |reason: Reason| KmsError::Unavailable { operation: SIGN, reason };
    let code = |code: &str| unavailable(Reason::Code(code.to_owned()));
    let unusable = |reason: &str| KmsError::Unusable { operation: SIGN, reason: reason.to_owned() };
    let cases = [
        ("denied", Answer::error(400, "AccessDeniedException"), code("AccessDeniedException")),
        ("throttled, each time", Answer::error(400, "ThrottlingException"), code("ThrottlingException")),
        ("a fault, each time", Answer::error(500, "KMSInternalException"), code("KMSInternalException")),
        ("no such key", Answer::error(400, "NotFoundException"), KmsError::NoKey(SIGN)),
        ("switched off", Answer::error(400, "DisabledException"), unusable("DisabledException")),
        ("deleted soon", Answer::error(400, "KMSInvalidStateException"), unusable("KMSInvalidStateException")),
        ("an empty answer", with("{}"), KmsError::Malformed(SIGN)),
        ("no DER", with(r#"{"Signature":"AAAA"}"#), KmsError::Malformed(SIGN)),
        ("no JSON", with("<html>"), unavailable(Reason::Refused)),
        ("no base64", with(r#"{"Signature":"?"}"#), unavailable(Reason::Refused)),
        ("half an answer", Answer::CutOff(r#"{"Signature":"AA"#), unavailable(Reason::NotUnderstood)),
        ("the end of the connection", Answer::Reset, unavailable(Reason::NotSent)),
        ("silence", Answer::Silence, unavailable(Reason::TimedOut)),
    ];
    for (name, answer, expected) in cases {
        let patience = if matches!(answer, Answer::Silence) { TO_SIGN } else { PATIENT };
        let (kms, _) = kms_with(patience, move |_, _| answer.clone()).await;
        let error = kms.sign(ARN, Algorithm::ES256, b"message").await.unwrap_err();
        assert_eq!(error, expected, "{name}");
        assert!(!error.to_string().contains("a secret text"), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_public_key_is_of_the_kind_that_is_wanted_or_none() {
    const GET: &str = "GetPublicKey";
    let encoded = |key: &Key| BASE64_STANDARD.encode(key.public());
    let (rsa, ec) = (encoded(&Key::new(Algorithm::RS256)), encoded(&Key::new(Algorithm::ES256)));
    let body = |spec: &str, key: &str| json!({"KeyId": ARN, "KeySpec": spec, "PublicKey": key}).to_string();
    let unusable = KmsError::Unusable { operation: GET, reason: "no key for ES256".to_owned() };
    let cases = [
        ("another spec", body("RSA_2048", &rsa), unusable),
        ("another key than it says", body("ECC_NIST_P256", &rsa), KeyError::Public(Algorithm::ES256).into()),
        ("no key", body("ECC_NIST_P256", "AAAA"), KeyError::Public(Algorithm::ES256).into()),
        ("nothing", "{}".to_owned(), KmsError::Malformed(GET)),
        ("no name", json!({"KeySpec": "ECC_NIST_P256", "PublicKey": ec}).to_string(), KmsError::Malformed(GET)),
    ];
    for (name, body, expected) in cases {
        let (kms, _) = kms_that(move |_, _| Answer::With(200, body.clone())).await;
        assert_eq!(kms.public_key(ARN, Algorithm::ES256).await.unwrap_err(), expected, "{name}");
    }
}

#[tokio::test]
async fn a_key_is_asked_for_once_and_everything_else_again() {
    let fault = || Answer::error(500, "KMSInternalException");
    let (kms, asked) = kms_that(move |_, _| fault()).await;
    assert!(kms.create(Algorithm::RS256, "table").await.is_err());
    assert_eq!(asked.load(Ordering::SeqCst), 1, "a repetition would make another one");
    let (kms, asked) = kms_that(move |_, _| fault()).await;
    assert!(kms.public_key(ARN, Algorithm::RS256).await.is_err());
    assert!(asked.load(Ordering::SeqCst) > 1);
}

#[tokio::test]
async fn what_is_gone_is_deleted() {
    for (code, expected) in [
        ("NotFoundException", Ok(())),
        ("KMSInvalidStateException", Ok(())),
        ("AccessDeniedException", Err("KMS ScheduleKeyDeletion: AccessDeniedException".to_owned())),
    ] {
        let (kms, _) = kms_that(move |_, _| Answer::error(400, code)).await;
        assert_eq!(kms.delete(ARN).await.map_err(|error| error.to_string()), expected, "{code}");
    }
}

#[test]
fn numbers_of_der_get_32_bytes_each() {
    let element = |tag: u8, value: &[u8]| [&[tag, u8::try_from(value.len()).unwrap()], value].concat();
    let der = |r: &[u8], s: &[u8]| element(0x30, &[element(2, r), element(2, s)].concat());
    let high = [&[0][..], &[0xff; 32]].concat();
    let [ones, mut small] = [[1; 32], [0; 32]];
    small[31] = 7;
    let good = [
        ("plain", der(&ones, &ones), [ones, ones]),
        ("a high bit", der(&high, &ones), [[0xff; 32], ones]),
        ("small", der(&[7], &[0x01; 32]), [small, ones]),
    ];
    for (name, der, expected) in good {
        assert_eq!(raw(&der), Some(expected.concat()), "{name}");
    }
    let long = [&[1][..], &[0; 32]].concat();
    let mut more = der(&ones, &ones);
    more.push(0);
    let bad = [
        ("nothing", vec![]),
        ("33 bytes", der(&long, &ones)),
        ("less than zero", der(&[0xff; 32], &ones)),
        ("a zero too many", der(&[0, 1], &ones)),
        ("an empty number", der(&[], &ones)),
        ("something behind", more),
        ("one number", vec![0x30, 3, 2, 1, 1]),
        ("three numbers", vec![0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1]),
        ("raw already", [ones, ones].concat()),
    ];
    for (name, der) in bad {
        assert_eq!(raw(&der), None, "{name}");
    }
}
