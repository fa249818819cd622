//! The watch over the journal: keeps a snapshot of it that is young enough to decide by.
//!
//! An instance of Lambda is frozen between invocations, so nothing runs by itself: each invocation that finds the snapshot
//! older than `soft` carries the one fetch under way a step further, beside its own work, and only one that finds it older
//! than `max_staleness` waits. A snapshot's age counts from the beginning of the fetch that filled it, so an answer that lay in
//! a frozen socket is as old as it is.

use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::Poll;
use std::time::Duration;

use auth_core::claims::AccessClaims;
use auth_core::journal::{Entry, LONGEST_KEEP};
use auth_core::snapshot::{Digests, MOST_ENTRIES, Mark, Revoked, Snapshot};
use auth_core::time::{Clock, Moment, UnixTime};
use tokio::sync::Mutex;

/// How far a fetch reaches back behind the newest stamp that is known: an entry lands within 5 s of its stamp, clocks are 5 s
/// to either side of the truth, a stamp is in whole seconds; and 4 s to spare.
pub const OVERLAP: Duration = Duration::from_secs(20);

/// So many pages are an everyday fetch; more are a load that is asked for less often.
const FEW_PAGES: u32 = 2;

/// Where the journal is read.
pub trait Journal: Send + Sync + 'static {
    /// Why it could not be read.
    type Error: std::fmt::Display + Send;

    /// Gives `entry` each entry that is stamped at or after `from`, strongly consistent, and says in how many pages they came.
    fn read(
        &self,
        from: UnixTime,
        entry: impl FnMut(Entry) + Send,
    ) -> impl Future<Output = Result<u32, Self::Error>> + Send;
}

/// How old a snapshot may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// An older one is fetched anew.
    pub soft: Duration,
    /// An older one is not decided by, unless `fails_open`.
    pub max_staleness: Duration,
    /// Whether it is decided by all the same, if the journal cannot be read.
    pub fails_open: bool,
}

/// No decision: the snapshot is too old, and no younger one was to be had. A fault of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal of revocations cannot be read")]
pub struct Stale;

/// The snapshot, and what brings it up to date.
pub struct Watch<J: Journal> {
    journal: Arc<J>,
    freshness: Freshness,
    clock: Arc<dyn Clock>,
    known: RwLock<Known>,
    /// The fetch under way. Whoever has this lock carries it on.
    fetch: Mutex<Option<Fetch<J>>>,
}

struct Known {
    snapshot: Snapshot,
    /// When the fetch began that filled it.
    filled: Option<Moment>,
    /// The newest stamp that was read.
    newest: Option<UnixTime>,
    /// When the last fetch began, whatever became of it, and how long after that the next one may.
    asked: Option<Moment>,
    soft: Duration,
    jitter: u64,
}

struct Fetch<J: Journal> {
    began: Moment,
    read: Pin<Box<dyn Future<Output = Result<Read, J::Error>> + Send>>,
}

/// What a fetch brought.
struct Read {
    marks: Vec<Mark>,
    newest: Option<UnixTime>,
    pages: u32,
}

impl<J: Journal> Watch<J> {
    /// A watch that knows nothing yet; `seed` decides by how much this instance's fetches are apart from others'.
    pub fn new(journal: J, freshness: Freshness, clock: Arc<dyn Clock>, seed: u64) -> Self {
        let known = Known {
            snapshot: Snapshot::default(),
            filled: None,
            newest: None,
            asked: None,
            soft: freshness.soft,
            jitter: seed,
        };
        Self { journal: Arc::new(journal), freshness, clock, known: RwLock::new(known), fetch: Mutex::new(None) }
    }

    /// Brings the snapshot up to date, as a start does before its first invocation.
    ///
    /// # Errors
    ///
    /// [`Stale`]: the next decision will try again.
    pub async fn load(&self) -> Result<(), Stale> {
        self.young().await.map(drop)
    }

    /// Carries the fetch a step further, or begins one, if it is time; never waits.
    pub async fn touch(&self) {
        if self.age(self.clock.moment()).is_some_and(|age| age < self.freshness.soft) {
            return;
        }
        let Ok(mut fetch) = self.fetch.try_lock() else { return };
        if fetch.is_none() && self.is_due() {
            *fetch = Some(self.begin());
        }
        let Some(under_way) = fetch.as_mut() else { return };
        let stepped = std::future::poll_fn(|context| Poll::Ready(under_way.read.as_mut().poll(context))).await;
        if let Poll::Ready(read) = stepped {
            self.finish(under_way.began, read);
            *fetch = None;
        }
    }

    /// Whether a verified token was revoked, as far as a snapshot knows that is young enough. Waits for one if need be. Says how
    /// old it is.
    ///
    /// # Errors
    ///
    /// [`Stale`].
    pub async fn decide(&self, claims: &AccessClaims) -> Result<(Result<(), Revoked>, Duration), Stale> {
        let staleness = self.young().await?;
        Ok((self.known(|known| known.snapshot.admits(claims)), staleness))
    }

    /// The age of a snapshot that may be decided by.
    async fn young(&self) -> Result<Duration, Stale> {
        let is_young = |age: &Duration| *age <= self.freshness.max_staleness;
        let age = || self.age(self.clock.moment());
        if let Some(age) = age().filter(is_young) {
            return Ok(age);
        }
        let mut fetch = self.fetch.lock().await;
        // The one under way may have begun too long ago, or may fail: then another one, once.
        for _ in 0..2 {
            if let Some(age) = age().filter(is_young) {
                return Ok(age);
            }
            let under_way = fetch.get_or_insert_with(|| self.begin());
            let read = under_way.read.as_mut().await;
            self.finish(under_way.began, read);
            *fetch = None;
        }
        let age = age();
        if self.freshness.fails_open { Ok(age.unwrap_or(Duration::MAX)) } else { age.filter(is_young).ok_or(Stale) }
    }

    /// How old the snapshot is at `now`; nothing was read yet without one.
    fn age(&self, now: Moment) -> Option<Duration> {
        self.known(|known| known.filled).map(|filled| now.since(filled))
    }

    fn is_due(&self) -> bool {
        let now = self.clock.moment();
        self.known(|known| known.asked.is_none_or(|asked| now.since(asked) >= known.soft))
    }

    fn begin(&self) -> Fetch<J> {
        let began = self.clock.moment();
        let (from, digests) = self.known(|known| (known.cursor(began.wall), known.snapshot.digests()));
        self.change(|known| known.asked = Some(began));
        let journal = Arc::clone(&self.journal);
        Fetch { began, read: Box::pin(async move { read(journal.as_ref(), from, &digests).await }) }
    }

    fn finish(&self, began: Moment, read: Result<Read, J::Error>) {
        match read {
            Ok(read) if read.marks.len() <= MOST_ENTRIES => {
                self.change(|known| known.fill(began, read, &self.freshness));
            }
            Ok(_) => {
                tracing::error!(event = "journal_too_long", "more than {MOST_ENTRIES} revocations");
                self.change(|known| known.widen(&self.freshness));
            }
            Err(error) => {
                tracing::warn!(event = "journal_unreadable", %error);
                self.change(|known| known.widen(&self.freshness));
            }
        }
    }

    fn known<T>(&self, read: impl FnOnce(&Known) -> T) -> T {
        read(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner));
    }
}

async fn read<J: Journal>(journal: &J, from: UnixTime, digests: &Digests) -> Result<Read, J::Error> {
    let (mut marks, mut newest) = (Vec::new(), None);
    let entry = |entry: Entry| {
        newest = newest.max(Some(entry.at));
        if marks.len() <= MOST_ENTRIES {
            marks.push(digests.mark(&entry));
        }
    };
    let pages = journal.read(from, entry).await?;
    Ok(Read { marks, newest, pages })
}

impl Known {
    /// From which stamp on there may be something new: a stamp ahead of our own clock, at the time when it was read, is not
    /// believed. A first fetch reads all that may kill a token that lives.
    fn cursor(&self, now: UnixTime) -> UnixTime {
        match (self.newest, self.filled) {
            (Some(newest), Some(filled)) => newest.min(filled.wall).before(OVERLAP),
            _ => now.before(LONGEST_KEEP + OVERLAP),
        }
    }

    fn fill(&mut self, began: Moment, read: Read, freshness: &Freshness) {
        let is_long = read.pages > FEW_PAGES && self.filled.is_some();
        self.snapshot.absorb(read.marks, began.wall);
        self.newest = self.newest.max(read.newest);
        self.filled = Some(began);
        if is_long { self.widen(freshness) } else { self.soft = self.apart(freshness.soft) }
    }

    /// The next fetch comes later than this one did, yet well before the snapshot is too old.
    fn widen(&mut self, freshness: &Freshness) {
        let most = (freshness.max_staleness / 2).max(freshness.soft);
        self.soft = self.apart((self.soft * 2).min(most));
    }

    /// A tenth more or less, so that instances that began together do not ask together.
    fn apart(&mut self, soft: Duration) -> Duration {
        self.jitter = self.jitter.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let thousandths = u32::try_from((self.jitter >> 33) % 201).unwrap_or_default();
        soft * (900 + thousandths) / 1000
    }
}
