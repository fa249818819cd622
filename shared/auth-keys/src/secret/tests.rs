//! Against a server that speaks as Secrets Manager does, and one that does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::server::{JSON, Server, vault_at};
use super::*;
use crate::test_server::{Answer, serve};

async fn vault_that(
    answer: impl Fn(&str, &Value) -> Answer + Send + Sync + 'static,
) -> (SecretVault, Arc<AtomicUsize>) {
    let (endpoint, asked) = serve(answer).await;
    (vault_at(&endpoint), asked)
}

#[tokio::test]
async fn a_secret_without_a_value_is_empty_and_takes_one() {
    let vault = Server::start(None).await.vault();
    let read = vault.read().await.unwrap();
    assert!(!read.material.has_refresh_keys());
    assert_eq!(vault.write(&read.version, JSON).await, Ok(Written::Done));
    assert!(vault.read().await.unwrap().material.refresh_keys().is_ok());
}

#[tokio::test]
async fn of_two_who_have_read_the_same_one_writes() {
    let vault = Server::start(Some(JSON)).await.vault();
    let (one, other) = (vault.read().await.unwrap(), vault.read().await.unwrap());
    let texts = [r#"{"signing_keys":{}}"#, "{}"];
    assert_eq!(vault.write(&one.version, texts[0]).await, Ok(Written::Done));
    assert_eq!(vault.write(&one.version, texts[0]).await, Ok(Written::Done), "the same again, its answer was lost");
    assert_eq!(vault.write(&other.version, texts[1]).await, Ok(Written::Meanwhile));
    let read = vault.read().await.unwrap();
    assert_eq!(vault.write(&read.version, texts[1]).await, Ok(Written::Done), "after another look");
}

#[tokio::test]
async fn a_label_that_was_moved_back_is_named_and_a_new_version_of_the_old_text_mends_it() {
    let server = Server::start(Some(JSON)).await;
    let vault = server.vault();
    let read = vault.read().await.unwrap();
    assert_eq!(vault.write(&read.version, "{}").await, Ok(Written::Done));
    server.move_back();
    let read = vault.read().await.unwrap();
    assert_eq!(read.version, Version("first".to_owned()));
    assert_eq!(vault.write(&read.version, r#"{"signing_keys":{}}"#).await, Err(VaultError::MovedBack));
    server.put(JSON);
    let read = vault.read().await.unwrap();
    assert_eq!(vault.write(&read.version, r#"{"signing_keys":{}}"#).await, Ok(Written::Done));
}

#[tokio::test]
async fn what_goes_wrong_is_named_and_quotes_nothing() {
    let malformed = || VaultError::Material(MaterialError::Malformed);
    let with = |body: &str| Answer::With(200, body.to_owned());
    let long = json!({"VersionId": "1", "SecretString": format!("{JSON}{}", " ".repeat(64 * 1024))}).to_string();
    let unavailable = |reason: &str| VaultError::Unavailable { operation: "GetSecretValue", reason: reason.to_owned() };
    let cases = [
        ("denied", Answer::error(400, "AccessDeniedException"), unavailable("AccessDeniedException")),
        ("throttled, each time", Answer::error(400, "ThrottlingException"), unavailable("ThrottlingException")),
        ("a fault, each time", Answer::error(500, "InternalServiceError"), unavailable("InternalServiceError")),
        ("a fault of whoever stands between", Answer::With(502, "<html>".to_owned()), unavailable("refused")),
        ("an empty answer", with("{}"), malformed()),
        ("no JSON", with("<html>"), unavailable("refused")),
        ("half an answer", Answer::CutOff(r#"{"VersionId":"1","#), unavailable("answer not understood")),
        ("another secret", with(r#"{"VersionId":"1","SecretString":"[1]"}"#), malformed()),
        ("a text without a version", with(r#"{"SecretString":"{}"}"#), malformed()),
        ("a version without a name", with(r#"{"VersionId":"","SecretString":"{}"}"#), malformed()),
        ("a long text", with(&long), malformed()),
        ("bytes", with(r#"{"VersionId":"1","SecretBinary":"AAAA"}"#), malformed()),
        ("the end of the connection", Answer::Reset, unavailable("not sent")),
        ("silence", Answer::Silence, unavailable("timed out")),
    ];
    for (name, answer, expected) in cases {
        let error = vault_that(move |_, _| answer.clone()).await.0.read().await.unwrap_err();
        assert_eq!(error, expected, "{name}");
        assert!(!error.to_string().contains("a secret text"), "{name}: {error}");
    }
}

#[tokio::test]
async fn what_goes_wrong_once_is_asked_for_again() {
    let once = [Answer::error(400, "ThrottlingException"), Answer::error(503, "x"), Answer::Reset, Answer::Silence];
    for bad in once {
        let (name, told) = (format!("{bad:?}"), AtomicUsize::new(0));
        let (vault, asked) = vault_that(move |_, _| match told.fetch_add(1, Ordering::SeqCst) {
            0 => bad.clone(),
            _ => Answer::With(200, json!({"VersionId": "1", "SecretString": JSON}).to_string()),
        })
        .await;
        assert!(vault.read().await.unwrap().material.refresh_keys().is_ok(), "{name}");
        assert_eq!(asked.load(Ordering::SeqCst), 2, "{name}");
    }
}

#[tokio::test]
async fn a_write_that_fails_says_so() {
    let server = Server::start(Some(JSON)).await;
    let vault = server.vault();
    let read = vault.read().await.unwrap();
    server.answers(Some(Answer::error(400, "AccessDeniedException")));
    let reason = "AccessDeniedException".to_owned();
    let denied = VaultError::Unavailable { operation: "PutSecretValue", reason };
    assert_eq!(vault.write(&read.version, "{}").await, Err(denied));
}

#[test]
fn the_name_of_a_version_follows_from_the_one_before() {
    let name = |version: &str| name_after(&Version(version.to_owned()));
    assert_eq!((name("a").len(), name("a") == name("a"), name("a") == name("b")), (64, true, false));
}
