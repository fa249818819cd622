//! What the targets share: one key, one moment, one good token.

use std::sync::{Arc, LazyLock};

use auth_core::config::Variables;
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
    let header = format!(r#"{{"typ":"at+jwt","alg":"HS256","kid":"{}"}}"#, KEY.kid());
    let [header, claims] = [header.as_bytes(), claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
    let message = format!("{header}.{claims}");
    let signature = KEY.sign(message.as_bytes()).expect("a signature");
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
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
