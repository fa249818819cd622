//! Against a server that speaks as Secrets Manager does, and one that does not.

use super::server::{JSON, Manner, Server};
use super::*;

async fn vault(manner: Manner, first: Option<&str>) -> SecretVault {
    Server::start(manner, first).await.vault()
}

#[tokio::test]
async fn a_secret_without_a_value_is_empty_and_takes_one() {
    let vault = vault(Manner::Well, None).await;
    let read = vault.read().await.unwrap();
    assert!(!read.material.has_refresh_keys());
    assert_eq!(vault.write(&read.version, JSON).await, Ok(Written::Done));
    assert!(vault.read().await.unwrap().material.refresh_keys().is_ok());
}

#[tokio::test]
async fn of_two_who_have_read_the_same_one_writes() {
    let vault = vault(Manner::Well, Some(JSON)).await;
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
    let server = Server::start(Manner::Well, Some(JSON)).await;
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
    let malformed = VaultError::Material(MaterialError::Malformed);
    let unavailable = |reason: &str| VaultError::Unavailable { operation: "GetSecretValue", reason: reason.to_owned() };
    let denied = r#"{"__type":"AccessDeniedException","Message":"a secret text"}"#;
    let throttled = r#"{"__type":"ThrottlingException","Message":"slow down"}"#;
    let cases = [
        ("denied", Manner::With(400, denied), unavailable("AccessDeniedException")),
        ("throttled, each time", Manner::With(400, throttled), unavailable("ThrottlingException")),
        ("an empty answer", Manner::With(200, "{}"), malformed),
        ("no JSON", Manner::With(200, "<html>"), unavailable("refused")),
        (
            "another secret",
            Manner::With(200, r#"{"VersionId":"1","SecretString":"[1]"}"#),
            VaultError::Material(MaterialError::Malformed),
        ),
        (
            "bytes",
            Manner::With(200, r#"{"VersionId":"1","SecretBinary":"AAAA"}"#),
            VaultError::Material(MaterialError::Malformed),
        ),
        ("silence", Manner::Silently, unavailable("timed out")),
    ];
    for (name, manner, expected) in cases {
        let error = vault(manner, None).await.read().await.unwrap_err();
        assert_eq!(error, expected, "{name}");
        assert!(!error.to_string().contains("a secret text"), "{name}: {error}");
    }
}

#[test]
fn the_name_of_a_version_follows_from_the_one_before() {
    let name = |version: &str| name_after(&Version(version.to_owned()));
    assert_eq!((name("a").len(), name("a") == name("a"), name("a") == name("b")), (64, true, false));
}
