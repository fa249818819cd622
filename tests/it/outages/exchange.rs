//! One request of a function to the engine, and its answer: whole, spoiled, or none.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};

use crate::outages::fault::{Answer, Fault};
use crate::outages::proxy::{Call, EACH, Loss, Plan, Times};

/// Between two bytes of an answer that drips: the shortest has some hundred.
const DRIP: Duration = Duration::from_millis(20);

/// How long new connections are refused if they are refused once: the SDK's pauses are about as long.
const REFUSED_FOR: Duration = Duration::from_millis(60);

/// What the connections of a function share.
pub(crate) struct Wire {
    pub(crate) engine: String,
    pub(crate) client: reqwest::Client,
    pub(crate) plan: Mutex<Option<Plan>>,
    /// The calls of this request, each with the SDK's id of it.
    pub(crate) calls: Mutex<Vec<(String, Call)>>,
    pub(crate) spoiled: AtomicUsize,
    pub(crate) held: Notify,
    pub(crate) open: watch::Sender<bool>,
    pub(crate) lost: watch::Sender<Loss>,
}

/// Whether a connection is.
pub(crate) enum Kept {
    Yes,
    No,
}

impl Wire {
    /// Takes one request and answers it, as it shall go.
    pub(crate) async fn exchange(self: &Arc<Self>, stream: &mut BufReader<TcpStream>) -> io::Result<Kept> {
        let Some(head) = Head::read(stream).await? else { return Ok(Kept::No) };
        let planned = self.fault_of(&head);
        match planned.as_ref().map(|plan| plan.fault) {
            Some(Fault::Refused) => {
                self.refuse(planned.is_some_and(|plan| plan.times == Times::ForEver));
                return reset(stream);
            }
            Some(Fault::ResetUnread) => return reset(stream),
            Some(Fault::HeldBefore) => return self.hold().await,
            _ => {}
        }
        let mut body = vec![0; head.length()];
        stream.read_exact(&mut body).await?;
        let fault = planned.map(|plan| plan.fault);
        let answer = match fault {
            Some(Fault::Error(status, code)) => Answer::error(status, code),
            Some(Fault::Conflict) => Answer::conflict(head.operation(), &body),
            _ => self.forward(&head, body).await,
        };
        match fault {
            Some(Fault::HeldAfter) => self.hold().await,
            Some(fault) => spoil(stream, fault, answer).await,
            None => stream.write_all(&answer.bytes()).await.map(|()| Kept::Yes),
        }
    }

    /// What shall go wrong with this attempt.
    fn fault_of(&self, head: &Head) -> Option<Plan> {
        let call = self.call(head);
        let plan = self.plan.lock().unwrap().clone()?;
        let is_in_time = match plan.times {
            Times::Once => head.attempt() <= 1,
            Times::Twice => head.attempt() <= 2,
            Times::ForEver => true,
        };
        let is_it = |meant: &Call| *meant == call || *meant == (call.0.clone(), EACH);
        let is_meant = is_in_time && plan.call.as_ref().is_none_or(is_it);
        is_meant.then(|| {
            self.spoiled.fetch_add(1, Ordering::Relaxed);
            plan
        })
    }

    fn call(&self, head: &Head) -> Call {
        let mut calls = self.calls.lock().unwrap();
        let (id, operation) = (head.field("amz-sdk-invocation-id"), head.operation());
        if let Some((_, call)) = calls.iter().find(|(known, _)| known == id) {
            return call.clone();
        }
        let before = calls.iter().filter(|(_, (known, _))| known == operation).count();
        let call = (operation.to_owned(), before + 1);
        calls.push((id.to_owned(), call.clone()));
        call
    }

    fn refuse(self: &Arc<Self>, for_ever: bool) {
        self.open.send_replace(false);
        if !for_ever {
            let wire = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(REFUSED_FOR).await;
                wire.open.send_replace(true);
            });
        }
    }

    async fn hold(&self) -> io::Result<Kept> {
        self.held.notify_one();
        std::future::pending().await
    }

    async fn forward(&self, head: &Head, body: Vec<u8>) -> Answer {
        let mut request = self.client.post(&self.engine).body(body);
        for name in ["x-amz-target", "x-amz-date", "content-type", "authorization"] {
            request = request.header(name, head.field(name));
        }
        let response = request.send().await.unwrap();
        Answer { status: response.status().as_u16(), body: response.bytes().await.unwrap().into() }
    }
}

/// Plays a fault of which the engine's answer is a part.
async fn spoil(stream: &mut BufReader<TcpStream>, fault: Fault, answer: Answer) -> io::Result<Kept> {
    match fault {
        Fault::ResetMidAnswer => {
            let bytes = answer.bytes();
            stream.write_all(bytes.get(..bytes.len() / 2).unwrap_or_default()).await?;
            return reset(stream);
        }
        Fault::Drip => {
            for byte in answer.bytes() {
                stream.write_u8(byte).await?;
                tokio::time::sleep(DRIP).await;
            }
        }
        Fault::ShortBody => {
            let (bytes, missing) = (answer.bytes(), answer.body.len().div_ceil(2));
            stream.write_all(bytes.get(..bytes.len() - missing).unwrap_or_default()).await?;
            return Ok(Kept::No);
        }
        Fault::TruncatedJson => stream.write_all(&answer.truncated().bytes()).await?,
        Fault::Error(..) | Fault::Conflict => stream.write_all(&answer.bytes()).await?,
        Fault::AnswerLost | Fault::Refused | Fault::ResetUnread | Fault::HeldBefore | Fault::HeldAfter => {
            return Ok(Kept::No);
        }
    }
    Ok(Kept::Yes)
}

fn reset(stream: &BufReader<TcpStream>) -> io::Result<Kept> {
    stream.get_ref().set_zero_linger().map(|()| Kept::No)
}

/// The head of an HTTP request.
struct Head(Vec<(String, String)>);

impl Head {
    /// `None` when the connection ends.
    async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let mut fields = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(None);
            }
            match line.trim_end() {
                "" => return Ok(Some(Self(fields))),
                line => {
                    // The first line has no colon, or none that matters.
                    let (name, value) = line.split_once(':').unwrap_or((line, ""));
                    fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
                }
            }
        }
    }

    fn field(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    fn length(&self) -> usize {
        self.field("content-length").parse().unwrap_or(0)
    }

    /// Which one it is, from one on.
    fn attempt(&self) -> u32 {
        let text = self.field("amz-sdk-request").split(';').find_map(|part| part.trim().strip_prefix("attempt="));
        text.and_then(|text| text.parse().ok()).unwrap()
    }

    fn operation(&self) -> &str {
        self.field("x-amz-target").rsplit('.').next().unwrap_or_default()
    }
}
