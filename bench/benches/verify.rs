//! What an access token costs over the bare cryptography: `Verifier::verify` against aws-lc-rs with a parsed key, and
//! `Issuer::mint` against its signature, for each algorithm.
//!
//! Criterion's groups tell where the time goes. The table at the end is the result: there the two contenders take turns,
//! so that the ratio holds on a noisy machine.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures and prints")]

use std::fmt::{self, Display};
use std::hint::black_box;
use std::time::{Duration, Instant};

use auth_core::id::{SessionId, TokenId, UserId};
use auth_core::issuer::Issuer;
use auth_core::jwt::{Signer, Verifier};
use auth_core::key::{ALGORITHMS, KeySet, SigningKey};
use auth_core::login::LoginName;
use auth_core::policy::SessionPolicy;
use auth_core::refresh_token::Nonce;
use auth_core::scope::{Roles, Scope};
use auth_core::session::Session;
use auth_core::time::UnixTime;
use auth_core::user::{Status, User};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use criterion::Criterion;
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::JwkSet;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const ISS: &str = "https://auth.example.com";
const AUD: &str = "https://api.example.com";

/// How long one contender runs before it is the other's turn.
const TURN: Duration = Duration::from_micros(500);
const TURNS: usize = 1001;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let subjects = ALGORITHMS.map(Subject::new);
    for subject in &subjects {
        subject.measure(&mut criterion);
    }
    criterion.final_summary();
    // Cargo gives `--bench` when it measures, and nothing when it tests.
    if std::env::args().any(|argument| argument == "--bench") {
        print_table(&subjects);
    }
}

/// One algorithm: a key both bare and as ours, and a token that was signed with it.
struct Subject {
    algorithm: Algorithm,
    bare: Bare,
    issuer: Issuer,
    signer: Signer,
    verifier: Verifier,
    user: User,
    session: Session,
    token: String,
    message: String,
    signature: Vec<u8>,
}

/// The library's own keys, parsed once.
enum Bare {
    Rsa(RsaKeyPair, ParsedPublicKey),
    Ecdsa(EcdsaKeyPair, ParsedPublicKey),
    Ed25519(Ed25519KeyPair, ParsedPublicKey),
    Hmac(Box<hmac::Key>),
}

impl Subject {
    fn new(algorithm: Algorithm) -> Self {
        let (bare, text) = Bare::generate(algorithm);
        let key = SigningKey::parse(algorithm, &text).unwrap();
        let keys = KeySet::from_jwks(&JwkSet { keys: vec![key.jwk().clone()] }).unwrap();
        let verifier = Verifier::new(ISS.to_owned(), AUD.to_owned(), keys);
        let ttl = Duration::from_mins(10);
        let issuer = Issuer { iss: ISS.to_owned(), aud: AUD.to_owned(), ttl };
        let signer = Signer::new(key);
        let (user, session) = (user(), session());
        let jti = TokenId::from_bytes([3; 16]);
        let token = issuer.mint(&signer, &user, &session, &session.scope, jti, NOW).unwrap().text;
        let (message, signature) = token.rsplit_once('.').unwrap();
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        Self { algorithm, bare, issuer, signer, verifier, user, session, message: message.to_owned(), signature, token }
    }

    fn check_bare(&self) {
        assert!(self.bare.check(black_box(self.message.as_bytes()), black_box(&self.signature)));
    }

    fn check_ours(&self) {
        black_box(self.verifier.verify(black_box(&self.token), NOW).unwrap());
    }

    fn sign_bare(&self) {
        black_box(self.bare.sign(black_box(self.message.as_bytes())));
    }

    fn sign_ours(&self) {
        let jti = TokenId::from_bytes([3; 16]);
        let (signer, user) = (&self.signer, black_box(&self.user));
        black_box(self.issuer.mint(signer, user, &self.session, &self.session.scope, jti, NOW).unwrap());
    }

    fn measure(&self, criterion: &mut Criterion) {
        let mut group = criterion.benchmark_group(format!("{:?}", self.algorithm));
        group.bench_function("check, bare", |bencher| bencher.iter(|| self.check_bare()));
        group.bench_function("check, Verifier::verify", |bencher| bencher.iter(|| self.check_ours()));
        group.bench_function("sign, bare", |bencher| bencher.iter(|| self.sign_bare()));
        group.bench_function("sign, Issuer::mint", |bencher| bencher.iter(|| self.sign_ours()));
        group.finish();
    }

    /// The greatest ratio that we want to see; HMAC is so cheap that reading the token is most of the work.
    const fn target(&self) -> Option<f64> {
        match self.algorithm {
            Algorithm::RS256 => Some(1.15),
            Algorithm::ES256 | Algorithm::EdDSA => Some(1.10),
            _ => None,
        }
    }
}

impl Bare {
    /// A new key and its text, as an operator would give it to us.
    fn generate(algorithm: Algorithm) -> (Self, String) {
        let random = SystemRandom::new();
        match algorithm {
            Algorithm::RS256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
                let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref()).unwrap();
                let text = pem(pair.as_der().unwrap().as_ref());
                (Self::Rsa(pair, public), text)
            }
            Algorithm::ES256 => {
                let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).unwrap();
                let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref()).unwrap();
                (Self::Ecdsa(pair, public), pem(document.as_ref()))
            }
            Algorithm::EdDSA => {
                let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
                let public = ParsedPublicKey::new(&ED25519, pair.public_key().as_ref()).unwrap();
                (Self::Ed25519(pair, public), pem(document.as_ref()))
            }
            _ => {
                let secret = [7; 32];
                (Self::Hmac(hmac::Key::new(hmac::HMAC_SHA256, &secret).into()), BASE64_URL_SAFE_NO_PAD.encode(secret))
            }
        }
    }

    fn check(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa(_, key) | Self::Ecdsa(_, key) | Self::Ed25519(_, key) => {
                key.verify_sig(message, signature).is_ok()
            }
            Self::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair, _) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            Self::Ecdsa(pair, _) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair, _) => pair.sign(message).as_ref().to_vec(),
            Self::Hmac(key) => hmac::sign(key, message).as_ref().to_vec(),
        }
    }
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64_STANDARD.encode(der))
}

fn user() -> User {
    let scope = Scope::parse("orders:read orders:write profile").unwrap();
    let roles = Roles::parse("customer support").unwrap();
    User {
        id: UserId::from_bytes([1; 16]),
        login_name: LoginName::parse("alice").unwrap(),
        status: Status::Active,
        ver: 1_800_000_000_000,
        floor: 0,
        roles,
        scope,
    }
}

fn session() -> Session {
    let (id, nonce) = (SessionId::from_bytes([2; 16]), Nonce::from_bytes([0; 16]));
    Session {
        client_id: "web".to_owned(),
        scope: Scope::parse("orders:read orders:write profile").unwrap(),
        ..Session::begin(UserId::from_bytes([1; 16]), id, nonce, &SessionPolicy::default(), NOW)
    }
}

fn print_table(subjects: &[Subject]) {
    println!("\nOurs against bare aws-lc-rs with a parsed key; median of {TURNS} pairs of turns, both in one run");
    println!("{:<8} {:<8} {:>10} {:>10} {:>7}  target", "", "", "bare µs", "ours µs", "ratio");
    for subject in subjects {
        let check = duel(|| subject.check_bare(), || subject.check_ours());
        println!("{:<8} {:<8} {}", format!("{:?}", subject.algorithm), "verify", check.against(subject.target()));
        let sign = duel(|| subject.sign_bare(), || subject.sign_ours());
        println!("{:<8} {:<8} {}", format!("{:?}", subject.algorithm), "mint", sign.against(subject.target()));
    }
}

/// What two contenders took.
struct Duel {
    bare: f64,
    ours: f64,
    ratio: f64,
}

/// Lets two contenders take turns. The ratio is the median of the ratios of neighbouring turns: a disturbance that lasts
/// longer than two turns slows both, and a shorter one is an outlier.
fn duel(bare: impl Fn(), ours: impl Fn()) -> Duel {
    let times = calls_per(TURN, &bare);
    let (mut bares, mut ourses, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..TURNS {
        // Who goes first changes, so that neither always finds the caches as the other left them.
        let (b, o) = if turn % 2 == 0 {
            let b = time(times, &bare);
            (b, time(times, &ours))
        } else {
            let o = time(times, &ours);
            (time(times, &bare), o)
        };
        bares.push(b);
        ourses.push(o);
        ratios.push(o / b);
    }
    Duel { bare: median(bares), ours: median(ourses), ratio: median(ratios) }
}

impl Duel {
    fn against(&self, target: Option<f64>) -> impl Display {
        fmt::from_fn(move |formatter| {
            let Self { bare, ours, ratio } = self;
            write!(formatter, "{:>10.2} {:>10.2} {ratio:>7.3}", bare * 1e6, ours * 1e6)?;
            match target {
                Some(target) if *ratio <= target => write!(formatter, "  {target:.2} met"),
                Some(target) => write!(formatter, "  {target:.2} MISSED"),
                None => Ok(()),
            }
        })
    }
}

/// How many calls fill `turn`, at least one.
fn calls_per(turn: Duration, contender: impl Fn()) -> u32 {
    let seconds = (0..20).map(|_| time(1, &contender)).fold(f64::INFINITY, f64::min);
    (1..100_000).find(|calls| f64::from(*calls) * seconds >= turn.as_secs_f64()).unwrap_or(100_000)
}

/// Seconds per call.
#[expect(clippy::disallowed_methods, reason = "measures")]
fn time(calls: u32, contender: impl Fn()) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        contender();
    }
    start.elapsed().as_secs_f64() / f64::from(calls)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
