//! A wire between one function and the engine, on which each call is known by its place in a request, and can be spoiled.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::outages::exchange::{Kept, Wire};
use crate::outages::fault::Fault;

/// A call by its place: the operation, and the how manieth of it in the request. Attempts at it are the same call.
pub(crate) type Call = (String, usize);

/// The place of every call of an operation.
pub(crate) const EACH: usize = 0;

/// What shall go wrong.
#[derive(Clone)]
pub(crate) struct Plan {
    /// With every call if none is named.
    pub(crate) call: Option<Call>,
    pub(crate) fault: Fault,
    pub(crate) times: Times,
}

/// With how many attempts at a call. The SDK makes three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    Once,
    Twice,
    ForEver,
}

pub(crate) struct Proxy {
    pub(crate) endpoint: String,
    address: SocketAddr,
    wire: Arc<Wire>,
    accepting: AbortHandle,
}

/// What becomes of connections that nothing is under way on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// They are closed.
    Closed,
    /// They stay open, and lead nowhere.
    Silent,
}

impl Proxy {
    pub(crate) async fn to(engine: &str, client: &reqwest::Client) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (open, opened) = watch::channel(true);
        let wire = Arc::new(Wire {
            engine: engine.to_owned(),
            client: client.clone(),
            plan: Mutex::default(),
            calls: Mutex::default(),
            spoiled: AtomicUsize::new(0),
            held: Notify::new(),
            open,
            lost: watch::Sender::new(Loss::Closed),
        });
        let accepting = tokio::spawn(accept(Arc::clone(&wire), listener, opened)).abort_handle();
        Self { endpoint: format!("http://{address}"), address, wire, accepting }
    }

    pub(crate) fn plan(&self, plan: Plan) {
        *self.wire.plan.lock().unwrap() = Some(plan);
    }

    /// A new request begins: its calls are counted from one.
    pub(crate) fn begin(&self) {
        self.wire.calls.lock().unwrap().clear();
    }

    /// Whatever was planned is over.
    pub(crate) async fn heal(&self) {
        *self.wire.plan.lock().unwrap() = None;
        self.wire.open.send_replace(true);
        while TcpStream::connect(self.address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Loses the connections that there are. New ones are sound.
    pub(crate) fn lose(&self, loss: Loss) {
        self.wire.lost.send_replace(loss);
    }

    /// Until a call is held.
    pub(crate) async fn held(&self) {
        self.wire.held.notified().await;
    }

    /// The calls of this request, in the order of the alphabet: some are made side by side.
    pub(crate) fn calls(&self) -> Vec<Call> {
        let mut calls: Vec<Call> = self.wire.calls.lock().unwrap().iter().map(|(_, call)| call.clone()).collect();
        calls.sort();
        calls
    }

    /// How many attempts were spoiled.
    pub(crate) fn spoiled(&self) -> usize {
        self.wire.spoiled.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Accepts while the wire is open. Connections end with this task, those that are held, too.
async fn accept(wire: Arc<Wire>, mut listener: TcpListener, mut open: watch::Receiver<bool>) {
    let address = listener.local_addr().unwrap();
    let mut connections = JoinSet::new();
    loop {
        let accepting = async {
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(Arc::clone(&wire), stream));
            }
        };
        let closed = async { open.wait_for(|open| !open).await.map(drop) };
        tokio::select! {
            () = accepting => return,
            _ = closed => {}
        }
        drop(listener);
        if open.wait_for(|open| *open).await.is_err() {
            return;
        }
        listener = listen_again(address).await;
    }
}

/// The system may still be clearing the last listener away.
async fn listen_again(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

async fn serve(wire: Arc<Wire>, stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let (mut stream, mut lost) = (BufReader::new(stream), wire.lost.subscribe());
    let serving = async {
        // A function that gives up closes the connection: that is an error of this wire's, and no more.
        while let Ok(Kept::Yes) = wire.exchange(&mut stream).await {}
    };
    tokio::select! {
        () = serving => return,
        _ = lost.changed() => {}
    }
    let loss = *lost.borrow();
    if loss == Loss::Silent {
        // The stream lives until this task is aborted, and nobody reads it.
        std::future::pending::<()>().await;
    }
}
