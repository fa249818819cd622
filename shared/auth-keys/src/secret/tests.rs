//! Against a server that speaks as Secrets Manager does, and one that does not.

use std::sync::{Arc, Mutex};

use aws_sdk_secretsmanager::config::{Credentials, Region};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const JSON: &str = r#"{"signing_keys":{},"refresh_keys":"1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}"#;

/// How the server answers.
#[derive(Clone, Debug)]
enum Manner {
    /// As AWS does: a version is written once.
    Well,
    /// With this status and body.
    With(u16, &'static str),
    /// Not at all.
    Silently,
}

struct Server {
    manner: Manner,
    /// The versions that there are, the current one last.
    versions: Mutex<Vec<(String, String)>>,
}

impl Server {
    fn answer(&self, target: &str, request: &str) -> (u16, String) {
        if let Manner::With(status, body) = self.manner {
            return (status, body.to_owned());
        }
        let request: serde_json::Value = serde_json::from_str(request).unwrap();
        let mut versions = self.versions.lock().unwrap();
        let failed = |code: &str| (400, format!(r#"{{"__type":"{code}","Message":"a secret text"}}"#));
        match target {
            "secretsmanager.DescribeSecret" => (200, r#"{"Name":"keys"}"#.to_owned()),
            "secretsmanager.GetSecretValue" => match versions.last() {
                None => failed("ResourceNotFoundException"),
                Some((version, text)) => {
                    (200, serde_json::json!({"Name": "keys", "VersionId": version, "SecretString": text}).to_string())
                }
            },
            _ => {
                let text = |name: &str| request[name].as_str().unwrap().to_owned();
                let (version, secret) = (text("ClientRequestToken"), text("SecretString"));
                match versions.iter().find(|(known, _)| *known == version) {
                    Some((_, known)) if *known != secret => failed("ResourceExistsException"),
                    Some(_) => (200, "{}".to_owned()),
                    None => {
                        versions.push((version, secret));
                        (200, "{}".to_owned())
                    }
                }
            }
        }
    }
}

async fn serve(server: Arc<Server>, mut stream: TcpStream) {
    let mut received = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.unwrap_or_default();
        if read == 0 {
            return;
        }
        received.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&received).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let field =
            |name: &str| head.lines().find_map(|line| line.to_lowercase().strip_prefix(name).map(str::to_owned));
        let length: usize = field("content-length: ").map_or(0, |length| length.trim().parse().unwrap());
        if body.len() < length {
            continue;
        }
        if matches!(server.manner, Manner::Silently) {
            std::future::pending::<()>().await;
        }
        let target = head.lines().find_map(|line| line.strip_prefix("x-amz-target: ")).unwrap().trim().to_owned();
        let (status, answer) = server.answer(&target, body);
        let fields = format!("HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.1\r\n");
        let answer = format!("{fields}content-length: {}\r\n\r\n{answer}", answer.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
        received.clear();
    }
}

async fn vault(manner: Manner, first: Option<&str>) -> SecretVault {
    let versions = first.map(|text| ("first".to_owned(), text.to_owned())).into_iter().collect();
    vault_of(&Arc::new(Server { manner, versions: Mutex::new(versions) })).await
}

async fn vault_of(server: &Arc<Server>) -> SecretVault {
    let server = Arc::clone(server);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(Arc::clone(&server), stream));
        }
    });
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"));
    SecretVault::of(config, "keys".to_owned())
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
    let first = ("first".to_owned(), JSON.to_owned());
    let server = Arc::new(Server { manner: Manner::Well, versions: Mutex::new(vec![first.clone()]) });
    let vault = vault_of(&server).await;
    let read = vault.read().await.unwrap();
    assert_eq!(vault.write(&read.version, "{}").await, Ok(Written::Done));
    server.versions.lock().unwrap().swap(0, 1);
    let read = vault.read().await.unwrap();
    assert_eq!(read.version, Version("first".to_owned()));
    assert_eq!(vault.write(&read.version, r#"{"signing_keys":{}}"#).await, Err(VaultError::MovedBack));
    server.versions.lock().unwrap().push(("by hand".to_owned(), first.1));
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
