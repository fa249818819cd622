//! What the targets share: one moment, our key and the good token under it, and another issuer with the same.

use std::sync::{Arc, LazyLock};

use auth_core::config::Variables;
use auth_core::foreign::ForeignVerifier;
use auth_core::foreign::terms::{self, Terms};
use auth_core::jwt::Verifier;
use auth_core::key::{KeySet, SigningKey};
use auth_core::time::{ManualClock, UnixTime};
use authorizer::App;
use authorizer::config::Config;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::JwkSet;

/// When everything happens.
pub const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// The claims of the good token.
const CLAIMS: &str = r#"{"iss":"https://auth.example","sub":"user","aud":"api","exp":1800000600,"iat":1800000000,"jti":"token","client_id":"app","scope":"profile notes","sid":"session","roles":["member"],"ver":1}"#;

/// So nobody without it can make a token: 32 bytes, of which nothing is secret.
static KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    SigningKey::parse(Algorithm::HS256, "ZnV6emluZy1mdXp6aW5nLWZ1enppbmctZnV6emluZy0").expect("a shared key")
});

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let keys = KeySet::from_jwks(&JwkSet { keys: vec![KEY.jwk().clone()] }).expect("its set");
    Verifier::new("https://auth.example".to_owned(), "api".to_owned(), keys)
});

/// The token that gets in.
pub static GOOD: LazyLock<String> = LazyLock::new(|| signed(CLAIMS.as_bytes()));

/// What believes [`GOOD`].
pub fn verifier() -> &'static Verifier {
    &VERIFIER
}

/// A token with these claims, whatever they are, and a right signature.
pub fn signed(claims: &[u8]) -> String {
    sign(&KEY, "HS256", claims)
}

fn sign(key: &SigningKey, alg: &str, claims: &[u8]) -> String {
    let message = message(alg, key.kid(), claims);
    let signature = key.sign(message.as_bytes()).expect("a signature");
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn message(alg: &str, kid: &str, claims: &[u8]) -> String {
    // In the order of the seeds.
    let header = format!(r#"{{"typ":"at+jwt","alg":"{alg}","kid":{}}}"#, serde_json::json!(kid));
    [header.as_bytes(), claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part)).join(".")
}

/// Tokens that a key of this name would have to believe if some signatures were good without a private key: zeros, and for
/// Ed25519 the point of order 1 with zero, several times, since its key may have another small order.
pub fn forged(alg: &str, kid: &str) -> impl Iterator<Item = String> {
    let signatures = [[0; 64], std::array::from_fn(|at| u8::from(at == 0))];
    (0..8).flat_map(move |at| {
        let claims = CLAIMS.replacen("token", &at.to_string(), 1);
        let message = message(alg, kid, claims.as_bytes());
        signatures.map(|signature| format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    })
}

/// The key of RFC 8037 appendix A.1.
static FOREIGN_KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    let pem = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsrMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
";
    SigningKey::parse(Algorithm::EdDSA, pem).expect("a key")
});

/// How another issuer is trusted: a part of its words means something here.
pub static TERMS: LazyLock<Arc<Terms>> = LazyLock::new(|| {
    let terms = serde_json::json!([{
        "issuer": "https://idp.example",
        "audience": ["api", "urn:api"],
        "algorithms": ["RS256", "ES256", "EdDSA"],
        "jwks_uri": "https://idp.example/keys",
        "claims": {"scope": "scp", "roles": ["realm_access", "roles"], "client_id": "azp"},
        "scopes": {"Notes.Write": "notes:write"},
        "roles": {"Domain Admins": "admin"},
    }]);
    let mut all = terms::parse(&terms.to_string(), "https://auth.example").expect("terms");
    Arc::new(all.remove(0))
});

static FOREIGN: LazyLock<ForeignVerifier> = LazyLock::new(|| {
    let jwks = serde_json::json!({ "keys": [FOREIGN_KEY.jwk()] }).to_string();
    ForeignVerifier::new(Arc::clone(&TERMS), jwks.as_bytes()).expect("its set")
});

/// The other issuer's token that gets in.
pub static FOREIGN_GOOD: LazyLock<String> =
    LazyLock::new(|| signed_by_another(include_bytes!("../seeds/foreign_token/claims")));

/// What believes [`FOREIGN_GOOD`].
pub fn foreign_verifier() -> &'static ForeignVerifier {
    &FOREIGN
}

/// A token of the other issuer with these claims, whatever they are, and a right signature.
pub fn signed_by_another(claims: &[u8]) -> String {
    sign(&FOREIGN_KEY, "EdDSA", claims)
}

/// An authorizer that believes [`GOOD`], and closes a part of every stage to it.
pub fn authorizer() -> App {
    let policy = r#"{"routes":[{"method":"*","path":"/closed/*","all_scopes":["admin"]}]}"#;
    let jwks = serde_json::json!({ "keys": [KEY.jwk()] }).to_string();
    let look_up = |name: &str| {
        let value = match name {
            "ISSUER" => "https://auth.example",
            "AUDIENCE" => "api",
            "REVOCATION" => "off",
            "JWKS" => &jwks,
            "ROUTE_POLICY" => policy,
            _ => return None,
        };
        Some(value.to_owned())
    };
    let config = Config::from_variables(&Variables::new(&look_up)).expect("a configuration");
    App::new(config, None, Arc::new(ManualClock::new(NOW)))
}

/// What it answers, as JSON; `None` for a refusal.
pub fn answer(app: &App, event: &serde_json::Value) -> Option<serde_json::Value> {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    }
    let answer = RUNTIME.with(|runtime| runtime.block_on(app.authorize(event))).ok()?;
    Some(serde_json::to_value(answer).expect("JSON"))
}
