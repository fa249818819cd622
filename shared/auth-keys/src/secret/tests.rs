//! Against a server that speaks as Secrets Manager does, and one that does not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_sdk_secretsmanager::config::{Credentials, Region};
use serde_json::{Value, json};

use super::*;
use crate::test_server::{Answer, serve};

const JSON: &str = r#"{"signing_keys":{},"refresh_keys":"1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}"#;

/// The versions that there are, the current one last. As at AWS, each is written once.
#[derive(Default)]
struct Versions(Mutex<Vec<(String, String)>>);

impl Versions {
    fn first(text: &str) -> Arc<Self> {
        Arc::new(Self(Mutex::new(vec![("first".to_owned(), text.to_owned())])))
    }

    fn answer(&self, operation: &str, members: &Value) -> Answer {
        let mut versions = self.0.lock().unwrap();
        let done = |body: &Value| Answer::With(200, body.to_string());
        match operation {
            "DescribeSecret" => done(&json!({"Name": "keys"})),
            "GetSecretValue" => match versions.last() {
                None => Answer::error(400, "ResourceNotFoundException"),
                Some((version, text)) => done(&json!({"Name": "keys", "VersionId": version, "SecretString": text})),
            },
            _ => {
                let text = |name: &str| members[name].as_str().unwrap().to_owned();
                let (version, secret) = (text("ClientRequestToken"), text("SecretString"));
                match versions.iter().find(|(known, _)| *known == version) {
                    Some((_, known)) if *known != secret => Answer::error(400, "ResourceExistsException"),
                    Some(_) => done(&json!({})),
                    None => {
                        versions.push((version, secret));
                        done(&json!({}))
                    }
                }
            }
        }
    }
}

async fn vault(versions: &Arc<Versions>) -> SecretVault {
    let versions = Arc::clone(versions);
    vault_that(move |operation, members| versions.answer(operation, members)).await.0
}

async fn vault_that(
    answer: impl Fn(&str, &Value) -> Answer + Send + Sync + 'static,
) -> (SecretVault, Arc<AtomicUsize>) {
    let (endpoint, asked) = serve(answer).await;
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"));
    (SecretVault::of(config, "keys".to_owned()), asked)
}

#[tokio::test]
async fn a_secret_without_a_value_is_empty_and_takes_one() {
    let vault = vault(&Arc::default()).await;
    let read = vault.read().await.unwrap();
    assert!(!read.material.has_refresh_keys());
    assert_eq!(vault.write(&read.version, JSON).await, Ok(Written::Done));
    assert!(vault.read().await.unwrap().material.refresh_keys().is_ok());
}

#[tokio::test]
async fn of_two_who_have_read_the_same_one_writes() {
    let vault = vault(&Versions::first(JSON)).await;
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
    let versions = Versions::first(JSON);
    let vault = vault(&versions).await;
    let read = vault.read().await.unwrap();
    assert_eq!(vault.write(&read.version, "{}").await, Ok(Written::Done));
    versions.0.lock().unwrap().swap(0, 1);
    let read = vault.read().await.unwrap();
    assert_eq!(read.version, Version("first".to_owned()));
    assert_eq!(vault.write(&read.version, r#"{"signing_keys":{}}"#).await, Err(VaultError::MovedBack));
    versions.0.lock().unwrap().push(("by hand".to_owned(), JSON.to_owned()));
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
        let (versions, told) = (Versions::first(JSON), AtomicUsize::new(0));
        let name = format!("{bad:?}");
        let (vault, asked) = vault_that(move |operation, members| match told.fetch_add(1, Ordering::SeqCst) {
            0 => bad.clone(),
            _ => versions.answer(operation, members),
        })
        .await;
        assert!(vault.read().await.unwrap().material.refresh_keys().is_ok(), "{name}");
        assert_eq!(asked.load(Ordering::SeqCst), 2, "{name}");
    }
}

#[tokio::test]
async fn a_write_that_fails_says_so() {
    let versions = Versions::first(JSON);
    let (vault, _) = vault_that(move |operation, members| match operation {
        "PutSecretValue" => Answer::error(400, "AccessDeniedException"),
        _ => versions.answer(operation, members),
    })
    .await;
    let read = vault.read().await.unwrap();
    let reason = "AccessDeniedException".to_owned();
    let denied = VaultError::Unavailable { operation: "PutSecretValue", reason };
    assert_eq!(vault.write(&read.version, "{}").await, Err(denied));
}

#[test]
fn the_name_of_a_version_follows_from_the_one_before() {
    let name = |version: &str| name_after(&Version(version.to_owned()));
    assert_eq!((name("a").len(), name("a") == name("a"), name("a") == name("b")), (64, true, false));
}
