//! A copy of the key ring, kept young by whoever uses it.

use std::sync::Arc;
use std::time::Duration;

use auth_core::key::KeyError;
use auth_core::key_ring::{KeyRing, RING_MAX_AGE};
use auth_core::time::{Clock, UnixTime};
use auth_watch::key_watch::KeyWatch;
use auth_watch::pace::Pace;

use crate::store::Store;

/// A watch over the ring in the table that knows nothing yet, reads again what is older than `soft`, and keeps what `make` makes
/// of the ring each time. The last good one serves for [`RING_MAX_AGE`].
pub fn ring_watch<T: Send + 'static>(
    store: Store,
    clock: Arc<dyn Clock>,
    soft: Duration,
    make: impl Fn(KeyRing, UnixTime) -> Result<T, KeyError> + Send + Sync + 'static,
) -> KeyWatch<T> {
    // Nobody waits for an old copy: the journal tells of kills. Without a copy everybody tries again, because the table is ours.
    let pace = Pace { soft, firm: Duration::MAX, hard: RING_MAX_AGE, respite: Duration::ZERO };
    let make = Arc::new(make);
    KeyWatch::new(clock, pace, move |began| {
        let (store, make) = (store.clone(), Arc::clone(&make));
        Box::pin(async move {
            let read = store.key_ring().await.map_err(|error| error.to_string());
            let made = read.and_then(|ring| make(ring, began.wall).map_err(|error| error.to_string()));
            made.inspect_err(|error| tracing::warn!(event = "keys_unreadable", error)).ok()
        })
    })
}
