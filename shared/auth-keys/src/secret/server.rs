//! A server that speaks as Secrets Manager does, and one that does not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_sdk_secretsmanager::config::{BehaviorVersion, Builder, Credentials, Region};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::SecretVault;

pub(crate) const JSON: &str = r#"{"signing_keys":{},"refresh_keys":"1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}"#;

/// How the server answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// As AWS does: a version is written once.
    Well,
    /// With this status and body.
    With(u16, &'static str),
    /// Not at all.
    Silently,
}

pub(crate) struct Server {
    endpoint: String,
    manner: Mutex<Manner>,
    /// The versions that there are, the current one last.
    versions: Mutex<Vec<(String, String)>>,
    calls: AtomicUsize,
}

impl Server {
    pub(crate) async fn start(manner: Manner, first: Option<&str>) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let versions = first.map(|text| ("first".to_owned(), text.to_owned())).into_iter().collect();
        let (manner, versions) = (Mutex::new(manner), Mutex::new(versions));
        let server = Arc::new(Self { endpoint, manner, versions, calls: AtomicUsize::new(0) });
        let serving = Arc::clone(&server);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(Arc::clone(&serving), stream));
            }
        });
        server
    }

    pub(crate) fn vault(&self) -> SecretVault {
        let config = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.endpoint)
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"));
        SecretVault::of(config, "keys".to_owned())
    }

    pub(crate) fn answers(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// Another version, by hand.
    pub(crate) fn put(&self, text: &str) {
        let mut versions = self.versions.lock().unwrap();
        let name = format!("by hand {}", versions.len());
        versions.push((name, text.to_owned()));
    }

    /// Makes the version before the last one the current one again.
    pub(crate) fn move_back(&self) {
        let mut versions = self.versions.lock().unwrap();
        let last = versions.len() - 1;
        versions.swap(last - 1, last);
    }

    /// How many calls came since this was last asked.
    pub(crate) fn calls(&self) -> usize {
        self.calls.swap(0, Ordering::SeqCst)
    }

    fn answer(&self, target: &str, request: &str) -> (u16, String) {
        if let Manner::With(status, body) = *self.manner.lock().unwrap() {
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
        server.calls.fetch_add(1, Ordering::SeqCst);
        let is_silent = matches!(*server.manner.lock().unwrap(), Manner::Silently);
        if is_silent {
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
