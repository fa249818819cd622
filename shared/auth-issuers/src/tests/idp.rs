//! Another issuer on loopback, as good or as bad as it is told to be.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_core::config::Variables;
use auth_core::entropy::OsEntropy;
use auth_core::generate;
use auth_core::key::SigningKey;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// What it answers to whoever asks for its keys.
#[derive(Clone)]
pub(super) enum Page {
    /// These bytes, and the end of the connection.
    Bytes(Vec<u8>),
    /// Nothing, ever.
    Silence,
    /// A good beginning, and a byte a second.
    Drip,
    /// A JWK Set, when there is a permit for it.
    Held(String, Arc<Semaphore>),
}

pub(super) struct Idp {
    pub(super) uri: String,
    page: Arc<Mutex<Page>>,
    fetches: Arc<AtomicUsize>,
}

impl Idp {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/keys", listener.local_addr().unwrap());
        let idp = Self { uri, page: Arc::new(Mutex::new(Page::Silence)), fetches: Arc::default() };
        let (page, fetches) = (Arc::clone(&idp.page), Arc::clone(&idp.fetches));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&page), Arc::clone(&fetches)));
            }
        });
        idp
    }

    pub(super) fn answers(&self, page: Page) {
        *self.page.lock().unwrap() = page;
    }

    /// From now on, these are its keys.
    pub(super) fn publishes(&self, keys: &[&Key]) {
        self.answers(ok(&set(keys)));
    }

    /// How often it was asked since this was last called.
    pub(super) fn fetches(&self) -> usize {
        self.fetches.swap(0, Ordering::SeqCst)
    }
}

async fn answer(mut stream: TcpStream, page: Arc<Mutex<Page>>, fetches: Arc<AtomicUsize>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    fetches.fetch_add(1, Ordering::SeqCst);
    let page = page.lock().unwrap().clone();
    let bytes = match page {
        Page::Bytes(bytes) => bytes,
        Page::Silence => return std::future::pending().await,
        Page::Drip => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{").await;
            while stream.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            return;
        }
        Page::Held(set, permits) => {
            permits.acquire().await.unwrap().forget();
            bytes(&ok(&set))
        }
    };
    let _ = stream.write_all(&bytes).await;
    let _ = stream.shutdown().await;
}

fn bytes(page: &Page) -> Vec<u8> {
    let Page::Bytes(bytes) = page else { panic!("a page of bytes") };
    bytes.clone()
}

/// 200 with this body.
pub(super) fn ok(body: &str) -> Page {
    with_status("200 OK", body)
}

pub(super) fn with_status(status: &str, body: &str) -> Page {
    Page::Bytes(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes())
}

/// A key of an issuer.
pub(super) struct Key {
    private: SigningKey,
    pub(super) kid: &'static str,
    alg: &'static str,
}

impl Key {
    pub(super) fn new(alg: &'static str, kid: &'static str) -> Self {
        let text = generate::signing_key(alg, &OsEntropy).unwrap();
        let look_up = |name: &str| Some(if name == "SIGNING_KEY" { text.clone() } else { alg.to_owned() });
        Self { private: Variables::new(&look_up).signing_key().unwrap(), kid, alg }
    }

    pub(super) fn jwk(&self) -> Value {
        let mut jwk = serde_json::to_value(self.private.jwk()).unwrap();
        jwk["kid"] = self.kid.into();
        jwk
    }

    /// A token with these claims.
    pub(super) fn sign(&self, claims: &Value) -> String {
        self.sign_under(&json!({"alg": self.alg, "kid": self.kid, "typ": "at+jwt"}), claims)
    }

    pub(super) fn sign_under(&self, header: &Value, claims: &Value) -> String {
        let encode = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.private.sign(message.as_bytes()).unwrap());
        format!("{message}.{signature}")
    }
}

/// A JWK Set.
pub(super) fn set(keys: &[&Key]) -> String {
    json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Value>()}).to_string()
}
