//! Where requests wait for the table: each thing that one asks of it stands here until the scheduler lets it through.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use auth_core::id::{SessionId, UserId};
use auth_core::journal::Entry;
use auth_core::rotation::{Write, Written};
use auth_core::session::Session;
use auth_core::time::UnixTime;
use auth_core::user::User;
use auth_dynamodb::error::{Reason, StoreError};
use authorizer::watch::Journal;
use refresh::table::{Clients, Table};

/// What a request asks of the table.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// With the stamp of the entry that it may put into the journal.
    Write(Write, UnixTime),
    ReadUser,
    ReadSession,
    /// From a stamp on.
    ReadJournal(UnixTime),
}

/// What it is told.
#[derive(Debug)]
pub(crate) enum Reply {
    Written(Written),
    User(Option<User>),
    Session(Option<Session>),
    Journal(Vec<Entry>),
    /// The SDK has given up.
    Fault,
}

/// The gate of one rig.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Which request is being polled.
    running: usize,
    next: u64,
    waiting: BTreeMap<u64, (usize, Operation)>,
    replies: BTreeMap<u64, Reply>,
}

impl Gate {
    /// The first number of what is asked by authorizers; requests have smaller ones.
    pub(crate) const DOORS: usize = 1 << 20;

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says which request is polled from here on.
    pub(crate) fn run(&self, request: usize) {
        self.state().running = request;
    }

    pub(crate) fn reset(&self) {
        *self.state() = State::default();
    }

    /// How many operations wait.
    pub(crate) fn len(&self) -> usize {
        self.state().waiting.len()
    }

    /// The `at`-th of the operations that wait, and whose it is.
    pub(crate) fn peek(&self, at: usize) -> Option<(u64, usize, Operation)> {
        let state = self.state();
        let (id, (request, operation)) = state.waiting.iter().nth(at)?;
        Some((*id, *request, operation.clone()))
    }

    /// The place of the first operation of some kind.
    pub(crate) fn position(&self, is: impl Fn(&Operation) -> bool) -> Option<usize> {
        self.state().waiting.values().position(|(_, operation)| is(operation))
    }

    pub(crate) fn reply(&self, id: u64, reply: Reply) {
        let mut state = self.state();
        state.waiting.remove(&id);
        state.replies.insert(id, reply);
    }

    /// Forgets what a request that is no more was waiting for.
    pub(crate) fn forget(&self, request: usize) {
        self.state().waiting.retain(|_, (of, _)| *of != request);
    }

    async fn ask(&self, operation: Operation) -> Reply {
        let id = {
            let mut state = self.state();
            let (id, running) = (state.next, state.running);
            state.next += 1;
            state.waiting.insert(id, (running, operation));
            id
        };
        poll_fn(|_| self.state().replies.remove(&id).map_or(Poll::Pending, Poll::Ready)).await
    }
}

fn fault(operation: &'static str) -> StoreError {
    StoreError::Unavailable { operation, reason: Reason::TimedOut }
}

impl Clients for Gate {}

impl Table for Gate {
    async fn write_session(&self, _: UserId, _: SessionId, write: &Write, at: UnixTime) -> Result<Written, StoreError> {
        match self.ask(Operation::Write(write.clone(), at)).await {
            Reply::Written(written) => Ok(written),
            _ => Err(fault("UpdateItem")),
        }
    }

    async fn user(&self, _: UserId) -> Result<Option<User>, StoreError> {
        match self.ask(Operation::ReadUser).await {
            Reply::User(user) => Ok(user),
            _ => Err(fault("GetItem")),
        }
    }

    async fn session(&self, _: UserId, _: SessionId) -> Result<Option<Session>, StoreError> {
        match self.ask(Operation::ReadSession).await {
            Reply::Session(session) => Ok(session),
            _ => Err(fault("GetItem")),
        }
    }
}

impl Journal for Gate {
    type Error = StoreError;

    async fn read(&self, from: UnixTime, entry: impl FnMut(Entry) + Send) -> Result<u32, StoreError> {
        match self.ask(Operation::ReadJournal(from)).await {
            Reply::Journal(entries) => {
                entries.into_iter().for_each(entry);
                Ok(1)
            }
            _ => Err(fault("Query")),
        }
    }
}
