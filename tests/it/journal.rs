//! The journal, on any engine: what writes an entry, and that nothing is done without it.

use std::num::{NonZeroU8, NonZeroU16};
use std::time::Duration;

use auth_core::journal::{Entry, JournalPolicy, Revocation};
use auth_core::scope::Roles;
use auth_core::session::{End, EndCause};
use auth_core::time::UnixTime;
use auth_core::user::User;
use auth_dynamodb::change::{Change, Changed};
use auth_dynamodb::deletion::Deletion;
use auth_dynamodb::session::Ending;
use auth_dynamodb::store::Store;

use crate::contract::session;
use crate::harness::{SECOND, START, table};
use crate::user_contract::create;

const KEEP: Duration = Duration::from_mins(12);

/// A table whose journal has two copies.
async fn two_copies() -> Store {
    table().await.with_journal(JournalPolicy { copies: NonZeroU8::new(2).unwrap(), keep: KEEP })
}

/// All that a copy says from a stamp on, read in pages of two.
async fn copy(store: &Store, copy: u8, from: UnixTime) -> Vec<Entry> {
    let store = store.clone().with_page_size(NonZeroU16::new(2).unwrap());
    let (mut entries, mut after) = (Vec::new(), None);
    loop {
        let page = store.journal(copy, from, after).await.unwrap();
        entries.extend(page.items);
        after = page.next;
        if after.is_none() {
            return entries;
        }
    }
}

/// What both copies say, which is the same.
async fn told(store: &Store) -> Vec<Entry> {
    let entries = copy(store, 0, START).await;
    assert_eq!(copy(store, 1, START).await, entries);
    entries
}

fn entry(revocation: Revocation, at: UnixTime) -> Entry {
    Entry { revocation, at, until: at + KEEP }
}

fn done(changed: Changed) -> User {
    match changed {
        Changed::Done(user) => user,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_end_is_told_once() {
    let store = two_copies().await;
    let session = session();
    let end = End { cause: EndCause::Logout, at: START };
    let at = START + 3 * SECOND;
    assert_eq!(store.end_session(session.user_id, session.id, &end, at).await.unwrap(), Ending::Refused(None));
    assert_eq!(told(&store).await, [], "of a session that there is not, nothing");
    store.create_session(&session).await.unwrap();
    for n in 0..5 {
        store.end_session(session.user_id, session.id, &end, at + n * SECOND).await.unwrap();
    }
    assert_eq!(told(&store).await, [entry(Revocation::session(session.id), at)]);
}

#[tokio::test]
async fn every_change_of_a_user_tells_the_least_ver_that_is_still_good() {
    let store = two_copies().await;
    let mut user = create(&store, "alice").await;
    let mut expected = Vec::new();
    for (n, change) in ["a change", "a password", "the end of all sessions"].into_iter().enumerate() {
        let now = START + u32::try_from(n + 1).unwrap() * SECOND;
        let stale = user.clone();
        user = done(match change {
            "a change" => store.change_user(&user, Change::Roles(Roles::parse("chief").unwrap()), now).await.unwrap(),
            "a password" => store.set_password(&user, "hash", now).await.unwrap(),
            _ => store.end_all_sessions(&user, now).await.unwrap(),
        });
        expected.push(entry(Revocation::user(user.id, user.ver), now));
        assert_eq!(told(&store).await, expected, "{change}");
        // Refused, it tells nothing.
        let refused = store.change_user(&stale, Change::Roles(Roles::default()), now + SECOND).await.unwrap();
        assert_eq!(refused, Changed::Meanwhile);
        assert_eq!(store.set_password(&stale, "hash", now + SECOND).await.unwrap(), Changed::Meanwhile);
        assert_eq!(told(&store).await, expected, "{change}");
    }
    let now = START + 9 * SECOND;
    assert_eq!(store.delete_user(&user, now).await.unwrap(), Deletion::Deleted);
    expected.push(entry(Revocation::user(user.id, user.next_ver(now)), now));
    assert_eq!(store.delete_user(&user, now + SECOND).await.unwrap(), Deletion::Gone);
    assert_eq!(told(&store).await, expected);
}

#[tokio::test]
async fn changes_within_a_second_are_one_entry_with_the_greatest_bound() {
    let store = two_copies().await;
    let mut user = create(&store, "alice").await;
    for n in 0..20 {
        user = done(store.end_all_sessions(&user, START + n * Duration::from_millis(20)).await.unwrap());
    }
    assert_eq!(told(&store).await, [entry(Revocation::user(user.id, user.ver), START)]);
}

#[tokio::test]
async fn a_token_is_revoked_once() {
    let store = two_copies().await;
    assert!(!store.is_token_revoked("token").await.unwrap());
    for n in 0..5 {
        let first = store.revoke_token("token", START + KEEP, START + n * SECOND).await.unwrap();
        assert_eq!(first, n == 0);
    }
    assert!(store.is_token_revoked("token").await.unwrap());
    assert!(!store.is_token_revoked("another").await.unwrap());
    assert_eq!(told(&store).await, [entry(Revocation::token("token"), START)]);
}

#[tokio::test]
async fn the_journal_is_read_from_a_stamp_on() {
    let store = two_copies().await;
    let revocations = [Revocation::client("web#1", START), Revocation::key("a#b"), Revocation::key("\u{1f511}")];
    for (n, revocation) in (0..).zip(&revocations) {
        store.revoke(revocation, START + n * 10 * SECOND).await.unwrap();
    }
    let entries: Vec<Entry> =
        (0..).zip(revocations).map(|(n, revocation)| entry(revocation, START + n * 10 * SECOND)).collect();
    for (from, expected) in [(START, 0), (START + SECOND, 1), (START + 10 * SECOND, 1), (START + 21 * SECOND, 3)] {
        assert_eq!(copy(&store, 0, from).await, entries[expected..], "{from:?}");
    }
}
