//! What the store promises of keys: one ring, changed by who has read it, with public halves alone; and copies of it that are
//! young enough or not used.

use std::sync::Arc;
use std::time::Duration;

use auth_core::config::Variables;
use auth_core::entropy::OsEntropy;
use auth_core::generate;
use auth_core::journal::{Kind, Revocation};
use auth_core::key::SigningKey;
use auth_core::key_ring::{Custody, KeyRing, RING_MAX_AGE, RingKey};
use auth_core::time::{Clock, ManualClock, UnixTime};
use auth_dynamodb::error::StoreError;
use auth_dynamodb::key_ring::{RingChange, RingChanged};
use auth_dynamodb::key_watch::ring_watch;
use auth_dynamodb::store::Store;
use auth_watch::key_watch::{KeyWatch, NoKeys};
use auth_watch::pace::RETRY;

use crate::harness::{SECOND, START, engine, table, table_name};
use crate::wire::{Fault, Wire};

const DAY: Duration = Duration::from_hours(24);

fn signing_key(algorithm: &str) -> SigningKey {
    let text = generate::signing_key(algorithm, &OsEntropy).unwrap();
    let look_up = |name: &str| Some(if name == "SIGNING_KEY" { text.clone() } else { algorithm.to_owned() });
    Variables::new(&look_up).signing_key().unwrap()
}

fn key(algorithm: &str, signs_from: UnixTime) -> RingKey {
    RingKey::new(signing_key(algorithm).jwk().clone(), Custody::Secret, START, signs_from).unwrap()
}

fn put(key: &RingKey) -> RingChange {
    RingChange::Put(Box::new(key.clone()))
}

async fn add(store: &Store, key: &RingKey) {
    let read = store.key_ring().await.unwrap();
    assert_eq!(store.change_ring(&read, &[put(key)]).await.unwrap(), RingChanged::Done);
}

#[tokio::test]
async fn what_is_written_is_read_and_names_no_secret() {
    let store = table().await;
    assert_eq!(store.key_ring().await.unwrap(), KeyRing::default());
    let kms = Custody::Kms("arn:aws:kms:eu-central-1:123456789012:key/1".to_owned());
    let mut keys = vec![key("RS256", START), key("ES256", START + DAY), key("EdDSA", START + 2 * DAY)];
    keys[1].custody = kms;
    keys[2].killed_at = Some(START + SECOND);
    for key in &keys {
        add(&store, key).await;
    }
    assert_eq!(store.key_ring().await.unwrap(), KeyRing::new(3, keys));
    let shared = store.change_ring(&KeyRing::new(3, vec![]), &[put(&key("HS256", START))]).await;
    assert!(matches!(shared, Err(StoreError::Corrupt("key"))), "a shared key is nobody else's: {shared:?}");
}

#[tokio::test]
async fn a_change_is_made_to_what_was_read() {
    let store = table().await;
    let (first, second) = (key("EdDSA", START), key("EdDSA", START + DAY));
    let empty = store.key_ring().await.unwrap();
    let (one, other) = ([put(&first)], [put(&second)]);
    let (one, other) = tokio::join!(store.change_ring(&empty, &one), store.change_ring(&empty, &other));
    let outcomes = [one.unwrap(), other.unwrap()];
    assert!(outcomes.contains(&RingChanged::Done) && outcomes.contains(&RingChanged::Meanwhile), "{outcomes:?}");
    let read = store.key_ring().await.unwrap();
    assert_eq!(read.keys().len(), 1);
    let kid = read.keys()[0].kid().to_owned();
    assert_eq!(store.change_ring(&empty, &[RingChange::Forget(kid.clone())]).await.unwrap(), RingChanged::Meanwhile);
    assert_eq!(store.change_ring(&read, &[RingChange::Forget(kid)]).await.unwrap(), RingChanged::Done);
    assert_eq!(store.key_ring().await.unwrap(), KeyRing::new(2, vec![]));
}

/// Whatever was read when, no change revives a key.
#[tokio::test]
async fn a_killed_key_stays_killed() {
    let store = table().await;
    let living = key("EdDSA", START);
    add(&store, &living).await;
    let mut dead = living.clone();
    dead.killed_at = Some(START);
    add(&store, &dead).await;
    let read = store.key_ring().await.unwrap();
    assert_eq!(store.change_ring(&read, &[put(&living)]).await.unwrap(), RingChanged::Meanwhile);
    assert_eq!(store.key_ring().await.unwrap(), read);
    add(&store, &dead).await;
}

#[tokio::test]
async fn a_kill_and_its_entry_are_one_transaction() {
    let store = table().await;
    let mut key = key("EdDSA", START);
    add(&store, &key).await;
    let read = store.key_ring().await.unwrap();
    key.killed_at = Some(START);
    for expected in [RingChanged::Done, RingChanged::Meanwhile] {
        assert_eq!(store.kill_in_ring(&read, &[put(&key)], key.kid(), START).await.unwrap(), expected);
    }
    let entries = store.journal(0, START, None).await.unwrap().items;
    let revocations: Vec<&Revocation> = entries.iter().map(|entry| &entry.revocation).collect();
    assert_eq!(revocations, [&Revocation { kind: Kind::Key, id: key.kid().to_owned(), bound: 0 }]);
}

/// A watch over a table with one key, by way of a wire, which counts the keys.
async fn watch(wire: &Wire) -> (KeyWatch<usize>, Store, Arc<ManualClock>) {
    let store = Store::on_loopback(&wire.endpoint, table_name());
    store.create_table().await.unwrap();
    add(&store, &key("EdDSA", START)).await;
    wire.calls();
    let clock = Arc::new(ManualClock::new(START));
    let counted = |ring: KeyRing, _| Ok(ring.keys().len());
    (ring_watch(store.clone(), Arc::clone(&clock) as Arc<dyn Clock>, 60 * SECOND, counted), store, clock)
}

fn refuse(wire: &Wire) {
    wire.plan("Query", [Fault::Refused("InternalServerError")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_read_again_when_it_is_old_and_serves_for_an_hour_without_its_table() {
    let wire = Wire::to(engine().await).await;
    let (watch, store, clock) = watch(&wire).await;
    for _ in 0..10 {
        assert_eq!(watch.fresh().await.as_deref(), Ok(&1));
    }
    assert_eq!(wire.operations(), ["Query"], "one for all");
    add(&store, &key("EdDSA", START + DAY)).await;
    clock.advance(60 * SECOND);
    assert_eq!(watch.known().await.as_deref(), Ok(&1), "whoever does not wait");
    assert_eq!(watch.fresh().await.as_deref(), Ok(&2));

    // From here on, the table fails.
    wire.calls();
    for minutes in 1..=60 {
        clock.advance(60 * SECOND);
        refuse(&wire);
        assert_eq!(watch.fresh().await.as_deref(), Ok(&2), "after {minutes} minutes");
        assert_eq!(watch.fresh().await.as_deref(), Ok(&2), "after {minutes} minutes");
        assert_eq!(wire.calls().len(), 1, "one for both");
        wire.clear();
    }
    clock.advance(SECOND);
    refuse(&wire);
    assert_eq!(watch.known().await, Err(NoKeys), "older than {RING_MAX_AGE:?}");
    wire.clear();
    assert_eq!(watch.known().await.as_deref(), Ok(&2), "and the first to come after that has them");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_knows_nothing_asks_again() {
    let wire = Wire::to(engine().await).await;
    let (watch, _, _) = watch(&wire).await;
    refuse(&wire);
    assert_eq!(watch.fresh().await, Err(NoKeys));
    assert_eq!(watch.fresh().await.as_deref(), Ok(&1), "at once");
}

/// The process was frozen while a fetch was under way.
#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_is_too_old_when_it_ends_is_followed_by_another() {
    let wire = Wire::to(engine().await).await;
    let (watch, _, clock) = watch(&wire).await;
    assert_eq!(watch.known().await.as_deref(), Ok(&1));
    clock.advance(60 * SECOND);
    let hold = wire.hold("Query", 0);
    let begins = async {
        loop {
            watch.touch().await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        () = hold.reached.notified() => {}
        () = begins => {}
    }
    clock.advance(2 * RING_MAX_AGE);
    hold.let_go.notify_one();
    assert_eq!(watch.known().await.as_deref(), Ok(&1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_that_fails_is_no_verdict() {
    let wire = Wire::to(engine().await).await;
    let (watch, _, clock) = watch(&wire).await;
    assert_eq!(watch.known().await.as_deref(), Ok(&1));
    refuse(&wire);
    assert_eq!(watch.look_up().await, Err(NoKeys));
    clock.advance(RETRY.saturating_sub(SECOND));
    assert_eq!(watch.look_up().await, Err(NoKeys), "it was tried a moment ago");
    clock.advance(SECOND);
    assert_eq!(watch.look_up().await.unwrap().as_deref(), Some(&1));
    assert_eq!(watch.look_up().await, Ok(None), "somebody has just looked");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_keys_are_looked_up_once_in_a_while() {
    let wire = Wire::to(engine().await).await;
    let (watch, store, clock) = watch(&wire).await;
    assert_eq!(watch.known().await.as_deref(), Ok(&1));
    wire.calls();
    add(&store, &key("EdDSA", START + DAY)).await;
    wire.calls();
    for second in 0..60 {
        let found = watch.look_up().await.unwrap();
        assert_eq!(found.is_some(), second % RETRY.as_secs() == 0, "second {second}");
        assert_eq!(watch.known().await.as_deref(), Ok(&2), "known keys are not waited for");
        clock.advance(SECOND);
    }
    assert_eq!(wire.operations(), ["Query"; 6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_never_waits_carries_the_fetch_on() {
    let wire = Wire::to(engine().await).await;
    let (watch, store, clock) = watch(&wire).await;
    assert_eq!(watch.known().await.as_deref(), Ok(&1));
    add(&store, &key("EdDSA", START + DAY)).await;
    clock.advance(60 * SECOND);
    for _ in 0..1000 {
        watch.touch().await;
        if watch.known().await.as_deref() == Ok(&2) {
            return;
        }
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("the fetch never came to its end");
}
