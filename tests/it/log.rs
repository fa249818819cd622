//! What the log must not say, at its most talkative.

use std::io::Write;
use std::sync::{Mutex, Once};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::json;
use tracing::Level;

use crate::harness::{Api, RESTED};

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Keeps the log of all tests, at `TRACE`.
pub(crate) fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::subscriber::set_global_default(auth_log::subscriber("tests", Level::TRACE, || Lines)).unwrap();
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_reaches_the_log() {
    let api = Api::start().await;
    let wrong = "a wrong password, typed by mistake";
    api.sign_in(wrong).await;
    let first = api.login().await;
    api.me(&first.access).await;
    let second = api.rotate(&first.refresh).await;
    let third = api.rotate(&second.refresh).await;
    api.wait(RESTED);
    assert!(api.refresh(&first.refresh).await.is_invalid_grant(), "a replay, to hear its alarm");
    api.post("/login", &json!({"username": "demo", "password": wrong, "scope": "\""})).await;
    api.post("/refresh", &json!({"refresh_token": format!("{}x", third.refresh)})).await;
    api.me(&format!("{}x", third.access)).await;

    let log = String::from_utf8(LINES.lock().unwrap().clone()).unwrap();
    assert!(log.contains("refresh_replayed") && log.contains("login_ok"), "the log was listened to");
    let mut secrets = vec![wrong.to_owned(), api.password.clone(), "$argon2id$".to_owned(), "PRIVATE KEY".to_owned()];
    for tokens in [first, second, third] {
        let signature = tokens.access.rsplit_once('.').unwrap().1.to_owned();
        let token = BASE64_URL_SAFE_NO_PAD.decode(&tokens.refresh[4..]).unwrap();
        let nonce = &token[38..54];
        secrets.extend([tokens.access, signature, tokens.refresh, BASE64_STANDARD.encode(nonce), format!("{nonce:?}")]);
    }
    for secret in secrets {
        assert!(!log.contains(&secret), "the log holds {secret}");
    }
    for line in log.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok_and(|line| line.is_object()), "{line}");
    }
}
