//! A server on loopback that speaks AWS's JSON protocol, as well or as badly as a test wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What comes back.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// This status and body.
    With(u16, String),
    /// A body that ends before its end.
    CutOff(&'static str),
    /// The end of the connection.
    Reset,
    /// Nothing, for ever.
    Silence,
}

impl Answer {
    /// An error of AWS with a text that nobody is to quote.
    pub(crate) fn error(status: u16, code: &str) -> Self {
        Self::With(status, format!(r#"{{"__type":"{code}","Message":"a secret text"}}"#))
    }

    fn bytes(&self) -> Vec<u8> {
        let (status, body, missing) = match self {
            Self::With(status, body) => (*status, body.as_str(), 0),
            Self::CutOff(body) => (200, *body, 1),
            Self::Reset | Self::Silence => return Vec::new(),
        };
        let fields = format!("HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.1\r\n");
        format!("{fields}content-length: {}\r\n\r\n{body}", body.len() + missing).into_bytes()
    }
}

/// A server that answers by `answer`, which is told the operation and its members; where it listens, and how often it was asked.
pub(crate) async fn serve(
    answer: impl Fn(&str, &Value) -> Answer + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>) {
    let (answer, asked) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (answer, count) = (Arc::clone(&answer), Arc::clone(&count));
            tokio::spawn(async move {
                converse(stream, &|operation: &str, members: &Value| {
                    count.fetch_add(1, Ordering::SeqCst);
                    answer(operation, members)
                })
                .await;
            });
        }
    });
    (endpoint, asked)
}

async fn converse(mut stream: TcpStream, answer: &(impl Fn(&str, &Value) -> Answer + Sync)) {
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
        let field = |name: &str| head.lines().find_map(|line| Some(line.split_once(name)?.1.trim().to_owned()));
        let length: usize = field("content-length: ").map_or(0, |length| length.parse().unwrap());
        if body.len() < length {
            continue;
        }
        let operation = field("x-amz-target: ").unwrap();
        let operation = operation.split_once('.').unwrap().1;
        match answer(operation, &serde_json::from_str(body).unwrap()) {
            Answer::Silence => std::future::pending().await,
            answer @ Answer::With(..) => stream.write_all(&answer.bytes()).await.unwrap(),
            answer => return stream.write_all(&answer.bytes()).await.unwrap(),
        }
        received.clear();
    }
}
