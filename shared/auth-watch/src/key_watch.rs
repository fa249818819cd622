//! A copy of keys, kept young by whoever uses it: between invocations Lambda freezes the process, so nothing runs by itself.

use std::pin::{Pin, pin};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::Poll;
use std::time::Duration;

use auth_core::time::{Clock, Moment};
use tokio::sync::Mutex;

use crate::pace::{OVERDUE, Pace, RETRY};
use crate::unknown_key::UnknownKey;

/// There are no keys to work with, or none that are young enough. A fault, and never the token's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the keys cannot be read")]
pub struct NoKeys;

/// A fetch under way: what was made of the keys, or nothing, if they could not be read.
pub type Reading<T> = Pin<Box<dyn Future<Output = Option<T>> + Send>>;

/// Begins a fetch at this moment, and tells the log of what goes wrong in it.
type Begin<T> = Box<dyn Fn(Moment) -> Reading<T> + Send + Sync>;

/// What was made of the keys when they were last read, and what brings it up to date.
pub struct KeyWatch<T> {
    clock: Arc<dyn Clock>,
    pace: Pace,
    begin: Begin<T>,
    known: RwLock<Known<T>>,
    /// The fetch under way. Whoever has this lock carries it on.
    fetch: Mutex<Option<Fetch<T>>>,
}

struct Known<T> {
    made: Option<Arc<T>>,
    /// When the fetch began that it comes from.
    filled: Option<Moment>,
    /// Which fetch that was, counted from one.
    filled_by: u64,
    /// How many have begun.
    begun: u64,
    /// When the last fetch began, whatever became of it.
    asked: Option<Moment>,
    /// When the last fetch began, if it failed.
    failed: Option<Moment>,
    /// When a fetch was last begun for a key that nobody knew.
    looked_up: Option<Moment>,
    /// When somebody last waited for a copy that was overdue.
    waited: Option<Moment>,
}

struct Fetch<T> {
    began: Moment,
    /// Which one it is, counted from one.
    number: u64,
    reading: Reading<T>,
}

impl<T> KeyWatch<T> {
    /// A watch that knows nothing yet.
    pub fn new(
        clock: Arc<dyn Clock>,
        pace: Pace,
        begin: impl Fn(Moment) -> Reading<T> + Send + Sync + 'static,
    ) -> Self {
        let known = Known {
            made: None,
            filled: None,
            filled_by: 0,
            begun: 0,
            asked: None,
            failed: None,
            looked_up: None,
            waited: None,
        };
        Self { clock, pace, begin: Box::new(begin), known: RwLock::new(known), fetch: Mutex::new(None) }
    }

    /// The same, which knows what somebody has read who began at this moment.
    #[must_use]
    pub fn with(self, made: T, began: Moment) -> Self {
        self.change(|known| {
            known.made = Some(Arc::new(made));
            known.filled = Some(began);
        });
        self
    }

    /// Does `work`, and carries the fetch on for as long as that takes, if it is time for one; waits for nothing else.
    pub async fn beside<W: Future>(&self, work: W) -> W::Output {
        let mut work = pin!(work);
        std::future::poll_fn(|context| {
            let _ = pin!(self.touch()).poll(context); // which never waits
            work.as_mut().poll(context)
        })
        .await
    }

    /// Carries the fetch a step further, or begins one if it is time; never waits.
    pub async fn touch(&self) {
        if self.is_fresh() || !self.may_ask() {
            return;
        }
        let Ok(mut fetch) = self.fetch.try_lock() else { return };
        let under_way = fetch.get_or_insert_with(|| self.begin());
        let stepped = std::future::poll_fn(|context| Poll::Ready(under_way.reading.as_mut().poll(context))).await;
        if let Poll::Ready(made) = stepped {
            self.finish(under_way.began, under_way.number, made);
            *fetch = None;
        }
    }

    /// What is known, as long as it is not older than [`Pace::hard`]; else waits for more.
    ///
    /// # Errors
    ///
    /// [`NoKeys`].
    pub async fn known(&self) -> Result<Arc<T>, NoKeys> {
        match self.usable() {
            Some(made) if !self.is_overdue() => Ok(made),
            Some(made) => Ok(self.brought_up_to_date().await.unwrap_or(made)),
            None => self.fetched(|| self.usable().is_some()).await.ok_or(NoKeys),
        }
    }

    /// What is known, read again first if it is older than [`Pace::soft`]. If that fails, what was known before; if nothing was,
    /// everybody asks.
    ///
    /// # Errors
    ///
    /// [`NoKeys`].
    pub async fn fresh(&self) -> Result<Arc<T>, NoKeys> {
        let waits = !self.is_fresh() && self.may_ask();
        if waits { self.fetched(|| self.is_fresh()).await.ok_or(NoKeys) } else { self.known().await }
    }

    /// Reads again, because somebody names a key that is not known; but not for everybody who does: who comes while somebody looks
    /// waits for that, and for who comes soon after there is nothing new, `None`.
    ///
    /// # Errors
    ///
    /// [`NoKeys`] if that failed, for this caller or for the one who has just looked: then nobody knows whether there is such a
    /// key.
    pub async fn look_up(&self) -> Result<Option<Arc<T>>, NoKeys> {
        let before = self.read(|known| known.filled_by);
        let looks = self.may_look_up();
        let mut fetch = self.fetch.lock().await; // behind somebody who looks at this moment
        if looks {
            // One that is under way may have asked before the key was there.
            *fetch = None;
            self.carry(&mut fetch).await;
        }
        let (has_failed, filled_by) = self.read(|known| (known.failed.is_some(), known.filled_by));
        if has_failed { Err(NoKeys) } else { Ok(self.usable().filter(|_| filled_by != before)) }
    }

    /// Judges a token by the keys that are known. Waits only if none are, if they are overdue, or for a key that is not among them,
    /// which is looked up at most once in [`RETRY`]; and for one of these fetches only.
    ///
    /// # Errors
    ///
    /// [`NoKeys`], also if a key that is not known could not be looked up.
    pub async fn judge<C, E: UnknownKey>(&self, verify: impl Fn(&T) -> Result<C, E>) -> Result<Result<C, E>, NoKeys> {
        let begun = self.read(|known| known.begun);
        let judged = verify(&*self.known().await?);
        let is_of_before = self.read(|known| known.filled_by <= begun);
        if judged.as_ref().is_err_and(UnknownKey::is_unknown_key)
            && is_of_before
            && let Some(newer) = self.look_up().await?
        {
            return Ok(verify(&newer));
        }
        Ok(judged)
    }

    /// Waits for a fetch, unless somebody else has waited for the same, and gives what is usable then.
    async fn fetched(&self, satisfies: impl Fn() -> bool) -> Option<Arc<T>> {
        let mut fetch = self.fetch.lock().await;
        // One that was under way may have begun too long ago, or may fail: then another one, once.
        for _ in 0..=usize::from(fetch.is_some()) {
            if satisfies() || (fetch.is_none() && !self.has_rested()) {
                break;
            }
            self.carry(&mut fetch).await;
        }
        self.usable()
    }

    /// Waits for a fetch, but not behind somebody else, and for one of its own: one that is under way may have been frozen.
    async fn brought_up_to_date(&self) -> Option<Arc<T>> {
        let mut fetch = self.fetch.try_lock().ok()?;
        *fetch = None;
        self.carry(&mut fetch).await;
        self.usable()
    }

    async fn carry(&self, fetch: &mut Option<Fetch<T>>) {
        let under_way = fetch.get_or_insert_with(|| self.begin());
        let made = under_way.reading.as_mut().await;
        self.finish(under_way.began, under_way.number, made);
        *fetch = None;
    }

    fn usable(&self) -> Option<Arc<T>> {
        let is_young = self.age().is_some_and(|age| age <= self.pace.hard);
        self.read(|known| known.made.clone()).filter(|_| is_young)
    }

    fn age(&self) -> Option<Duration> {
        self.read(|known| known.filled).map(|filled| self.clock.moment().since(filled))
    }

    fn is_fresh(&self) -> bool {
        self.age().is_some_and(|age| age < self.pace.soft)
    }

    /// Whether a fetch is under way, or the last one, which may have failed, is long enough ago.
    fn may_ask(&self) -> bool {
        let patience = RETRY.min(self.pace.soft);
        self.is_over(self.read(|known| known.asked), patience)
            || self.fetch.try_lock().is_ok_and(|fetch| fetch.is_some())
    }

    /// Whether the last fetch did well, or has failed long enough ago for somebody to wait for another one.
    fn has_rested(&self) -> bool {
        self.is_over(self.read(|known| known.failed), self.pace.respite)
    }

    fn may_look_up(&self) -> bool {
        self.has_rested() && self.takes_turn(RETRY, |known| &mut known.looked_up)
    }

    /// Whether this caller is the one who waits.
    fn is_overdue(&self) -> bool {
        self.age().is_some_and(|age| age >= self.pace.firm) && self.takes_turn(OVERDUE, |known| &mut known.waited)
    }

    /// Whether nobody took it for so long: whoever asks first then has it.
    fn takes_turn(&self, every: Duration, last: impl FnOnce(&mut Known<T>) -> &mut Option<Moment>) -> bool {
        let now = self.clock.moment();
        self.change(|known| {
            let last = last(known);
            let may = last.is_none_or(|at| now.since(at) >= every);
            if may {
                *last = Some(now);
            }
            may
        })
    }

    fn is_over(&self, since: Option<Moment>, duration: Duration) -> bool {
        since.is_none_or(|at| self.clock.moment().since(at) >= duration)
    }

    fn begin(&self) -> Fetch<T> {
        let began = self.clock.moment();
        let number = self.change(|known| {
            known.asked = Some(began);
            known.begun += 1;
            known.begun
        });
        Fetch { began, number, reading: (self.begin)(began) }
    }

    fn finish(&self, began: Moment, number: u64, made: Option<T>) {
        self.change(|known| match made {
            Some(made) => {
                known.made = Some(Arc::new(made));
                known.filled = Some(began);
                known.filled_by = number;
                known.failed = None;
            }
            None => known.failed = Some(began),
        });
    }

    fn read<R>(&self, read: impl FnOnce(&Known<T>) -> R) -> R {
        read(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<R>(&self, change: impl FnOnce(&mut Known<T>) -> R) -> R {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T> std::fmt::Debug for KeyWatch<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("KeyWatch").field("pace", &self.pace).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
