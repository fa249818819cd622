//! A copy of the key ring, kept young by whoever uses it: between invocations Lambda freezes the process.

use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::Poll;
use std::time::Duration;

use auth_core::key::KeyError;
use auth_core::key_ring::{KeyRing, RING_MAX_AGE};
use auth_core::time::{Clock, Moment, UnixTime};
use tokio::sync::Mutex;

use crate::error::StoreError;
use crate::store::Store;

/// So often the table is asked again after it has failed, and asked for a key that nobody knows.
pub const RETRY: Duration = Duration::from_secs(10);

/// There are no keys to work with, or none that are young enough. A fault of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the keys cannot be read")]
pub struct NoKeys;

/// What is made of a ring each time it is read.
type Make<T> = Box<dyn Fn(KeyRing, UnixTime) -> Result<T, KeyError> + Send + Sync>;

/// What was made of the ring in the table, and what brings it up to date. The last good one serves for [`RING_MAX_AGE`].
pub struct KeyWatch<T> {
    store: Store,
    clock: Arc<dyn Clock>,
    soft: Duration,
    make: Make<T>,
    known: RwLock<Known<T>>,
    /// The fetch under way. Whoever has this lock carries it on.
    fetch: Mutex<Option<Fetch>>,
}

struct Known<T> {
    made: Option<Arc<T>>,
    /// When the fetch began that it comes from.
    filled: Option<Moment>,
    /// When the last fetch began, whatever became of it.
    asked: Option<Moment>,
    /// When the last fetch began, if it failed.
    failed: Option<Moment>,
    /// When a fetch was last begun for a key that nobody knew.
    looked_up: Option<Moment>,
}

struct Fetch {
    began: Moment,
    read: Pin<Box<dyn Future<Output = Result<KeyRing, StoreError>> + Send>>,
}

impl<T> KeyWatch<T> {
    /// A watch that knows nothing yet, and reads again what is older than `soft`.
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        soft: Duration,
        make: impl Fn(KeyRing, UnixTime) -> Result<T, KeyError> + Send + Sync + 'static,
    ) -> Self {
        let known = RwLock::new(Known { made: None, filled: None, asked: None, failed: None, looked_up: None });
        Self { store, clock, soft, make: Box::new(make), known, fetch: Mutex::new(None) }
    }

    /// Carries the fetch a step further, or begins one if it is time; never waits.
    pub async fn touch(&self) {
        if self.is_fresh() || !self.may_ask() {
            return;
        }
        let Ok(mut fetch) = self.fetch.try_lock() else { return };
        let under_way = fetch.get_or_insert_with(|| self.begin());
        let stepped = std::future::poll_fn(|context| Poll::Ready(under_way.read.as_mut().poll(context))).await;
        if let Poll::Ready(read) = stepped {
            self.finish(under_way.began, read);
            *fetch = None;
        }
    }

    /// What is known, as long as it is not older than [`RING_MAX_AGE`]; else waits for more.
    ///
    /// # Errors
    ///
    /// [`NoKeys`].
    pub async fn known(&self) -> Result<Arc<T>, NoKeys> {
        match self.usable() {
            Some(made) => Ok(made),
            None => self.fetched(|| self.usable().is_some()).await.ok_or(NoKeys),
        }
    }

    /// What is known, read again first if it is older than `soft`. If the table fails, what was known before; if nothing was,
    /// everybody asks.
    ///
    /// # Errors
    ///
    /// [`NoKeys`].
    pub async fn fresh(&self) -> Result<Arc<T>, NoKeys> {
        let waits = !self.is_fresh() && self.may_ask();
        if waits { self.fetched(|| self.is_fresh()).await.ok_or(NoKeys) } else { self.known().await }
    }

    /// Reads again, because somebody names a key that is not known; but not for everybody who does: `None` if somebody has just
    /// looked.
    ///
    /// # Errors
    ///
    /// [`NoKeys`] if that failed, for this caller or for the one who has just looked: then nobody knows whether there is such a
    /// key.
    pub async fn look_up(&self) -> Result<Option<Arc<T>>, NoKeys> {
        let looks = self.may_look_up();
        if looks {
            // One that is under way may have asked before the key was there.
            *self.fetch.lock().await = None;
            self.fetched(|| false).await;
        }
        let has_failed = self.read(|known| known.failed.is_some());
        if has_failed { Err(NoKeys) } else { Ok(self.usable().filter(|_| looks)) }
    }

    fn may_look_up(&self) -> bool {
        let now = self.clock.moment();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let may = known.looked_up.is_none_or(|at| now.since(at) >= RETRY);
        if may {
            known.looked_up = Some(now);
        }
        may
    }

    /// Waits for a fetch, unless somebody else has waited for the same, and gives what is usable then.
    async fn fetched(&self, satisfies: impl Fn() -> bool) -> Option<Arc<T>> {
        let mut fetch = self.fetch.lock().await;
        // One that was under way may have begun too long ago, or may fail: then another one, once.
        for _ in 0..=usize::from(fetch.is_some()) {
            if satisfies() {
                break;
            }
            let under_way = fetch.get_or_insert_with(|| self.begin());
            let read = under_way.read.as_mut().await;
            self.finish(under_way.began, read);
            *fetch = None;
        }
        self.usable()
    }

    fn usable(&self) -> Option<Arc<T>> {
        let is_young = self.age().is_some_and(|age| age <= RING_MAX_AGE);
        self.read(|known| known.made.clone()).filter(|_| is_young)
    }

    fn age(&self) -> Option<Duration> {
        self.read(|known| known.filled).map(|filled| self.clock.moment().since(filled))
    }

    fn is_fresh(&self) -> bool {
        self.age().is_some_and(|age| age < self.soft)
    }

    /// Whether a fetch is under way, or the last one, which may have failed, is long enough ago.
    fn may_ask(&self) -> bool {
        let now = self.clock.moment();
        let patience = RETRY.min(self.soft);
        self.read(|known| known.asked).is_none_or(|asked| now.since(asked) >= patience)
            || self.fetch.try_lock().is_ok_and(|fetch| fetch.is_some())
    }

    fn begin(&self) -> Fetch {
        let began = self.clock.moment();
        self.change(|known| known.asked = Some(began));
        let store = self.store.clone();
        Fetch { began, read: Box::pin(async move { store.key_ring().await }) }
    }

    fn finish(&self, began: Moment, read: Result<KeyRing, StoreError>) {
        let made = match read {
            Ok(ring) => (self.make)(ring, began.wall).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match made {
            Ok(made) => self.change(|known| {
                known.made = Some(Arc::new(made));
                known.filled = Some(began);
                known.failed = None;
            }),
            Err(error) => {
                tracing::warn!(event = "keys_unreadable", error);
                self.change(|known| known.failed = Some(began));
            }
        }
    }

    fn read<R>(&self, read: impl FnOnce(&Known<T>) -> R) -> R {
        read(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Known<T>)) {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl<T> std::fmt::Debug for KeyWatch<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("KeyWatch").field("soft", &self.soft).finish_non_exhaustive()
    }
}
