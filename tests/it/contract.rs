//! What the store promises, on whichever engine: one conditional write per change, refused whole, the old item shown.

use std::num::NonZeroU16;
use std::time::Duration;

use auth_core::entropy::OsEntropy;
use auth_core::id::{SessionId, UserId};
use auth_core::login::LoginName;
use auth_core::policy::SessionPolicy;
use auth_core::refresh_token::Nonce;
use auth_core::rotation::{Guard, Write, Written};
use auth_core::scope::{Roles, Scope};
use auth_core::session::{Child, End, EndCause, Session};
use auth_core::time::UnixTime;
use auth_core::user::{Status, User};
use auth_dynamodb::error::StoreError;
use auth_dynamodb::login::Attempt;
use auth_dynamodb::store::Store;
use auth_dynamodb::user::Creation;

use serde_json::json;

use crate::harness::{SECOND, START, engine, table, table_name};
use crate::wire::dynamodb;

const HOUR: Duration = Duration::from_hours(1);

fn nonce(byte: u8) -> Nonce {
    Nonce::from_bytes([byte; 16])
}

fn child(generation: u8) -> Child {
    Child { generation: generation.into(), nonce: nonce(generation), made_at: START }
}

pub(crate) fn session() -> Session {
    let (user_id, id) = (UserId::random(&OsEntropy).unwrap(), SessionId::random(&OsEntropy).unwrap());
    Session {
        client_id: "app".to_owned(),
        scope: Scope::parse("a b").unwrap(),
        device: Some("phone \u{1f4f1}".to_owned()),
        ver: u64::from(u32::MAX) + 1,
        newest: child(1),
        idle_expires_at: START + HOUR,
        expires_at: START + 2 * HOUR,
        ..Session::begin(user_id, id, nonce(0), &SessionPolicy::default(), START)
    }
}

fn guard(newest: u8) -> Guard {
    Guard { newest: nonce(newest), made_by: None, alive_at: START }
}

fn rotate(guard: Guard, from: u8, to: u8) -> Write {
    Write::Rotate { guard, previous: nonce(from), child: child(to), idle_expires_at: START + HOUR + SECOND }
}

fn fork(guard: Guard, earlier: &[u8], to: u8) -> Write {
    let earlier = earlier.iter().copied().map(child).collect();
    Write::Fork { guard, earlier, child: child(to), idle_expires_at: START + HOUR + SECOND }
}

async fn kept(store: &Store) -> Session {
    let session = session();
    store.create_session(&session).await.unwrap();
    session
}

async fn write(store: &Store, session: &Session, write: &Write) -> Written {
    store.write_session(session.user_id, session.id, write, START).await.unwrap()
}

async fn read(store: &Store, session: &Session) -> Session {
    store.session(session.user_id, session.id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_session_comes_back_as_it_was() {
    let store = table().await;
    let session = kept(&store).await;
    assert_eq!(read(&store, &session).await, session);
    assert_eq!(store.session(session.user_id, SessionId::random(&OsEntropy).unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn a_users_sessions_come_page_by_page_and_nobody_elses() {
    let store = table().await;
    let name = LoginName::parse("alice").unwrap();
    let (user_id, _) = create(&store, &name, "hash").await;
    assert!(all_sessions(&store, user_id).await.is_empty(), "the user's own item is none");
    let mut kept = Vec::new();
    for at in 0..5 {
        let ended = (at == 3).then_some(End { cause: EndCause::Logout, at: START });
        let idle_expires_at = if at == 4 { START } else { START + HOUR };
        kept.push(Session { user_id, ended, idle_expires_at, ..session() });
    }
    for session in kept.iter().chain([&session()]) {
        store.create_session(session).await.unwrap();
    }
    kept.sort_by_key(|session| session.id);
    let whole = store.sessions(user_id, None).await.unwrap();
    assert_eq!((whole.items, whole.next.is_none()), (kept.clone(), true));
    for size in [1, 2, 5] {
        let store = store.clone().with_page_size(NonZeroU16::new(size).unwrap());
        let first = store.sessions(user_id, None).await.unwrap();
        assert_eq!((first.items.len(), first.next.is_some()), (size.into(), true), "{size}");
        assert_eq!(all_sessions(&store, user_id).await, kept, "{size} at a time");
    }
}

async fn all_sessions(store: &Store, user_id: UserId) -> Vec<Session> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.sessions(user_id, after).await.unwrap();
        found.extend(page.items);
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

#[tokio::test]
async fn a_session_whose_key_is_not_ours_is_an_error() {
    let engine = engine().await;
    let table = table_name();
    let store = Store::on_loopback(&engine, table.clone());
    store.create_table().await.unwrap();
    let Session { user_id, id, .. } = kept(&store).await;
    let key = json!({"pk": {"S": format!("USER#{user_id}")}, "sk": {"S": format!("SESSION#{id}")}});
    let mut found = dynamodb(&engine, "GetItem", &json!({"TableName": table, "Key": key})).await;
    found["Item"]["sk"]["S"] = "SESSION#1".into();
    dynamodb(&engine, "PutItem", &json!({"TableName": table, "Item": found["Item"]})).await;
    let error = store.sessions(user_id, None).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt("session")), "{error:?}");
}

#[tokio::test]
async fn creating_again_changes_nothing() {
    let store = table().await;
    let session = kept(&store).await;
    store.create_session(&session).await.unwrap(); // the SDK's repetition
    write(&store, &session, &rotate(guard(1), 1, 2)).await;
    let late = store.create_session(&session).await;
    assert!(late.is_err(), "a repetition that comes after a rotation must not undo it");
    assert_eq!(read(&store, &session).await.newest, child(2));
}

#[tokio::test]
async fn a_rotation_touches_its_own_attributes_only() {
    let store = table().await;
    let session = kept(&store).await;
    write(&store, &session, &fork(guard(1), &[1], 2)).await;
    let expected = Session {
        previous: Some(nonce(2)),
        newest: child(3),
        earlier: vec![],
        idle_expires_at: START + HOUR + SECOND,
        ..session.clone()
    };
    assert_eq!(write(&store, &session, &rotate(guard(2), 2, 3)).await, Written::Done(expected.clone()));
    assert_eq!(read(&store, &session).await, expected);
}

#[tokio::test]
async fn a_fork_keeps_previous_and_siblings() {
    let store = table().await;
    let session = kept(&store).await;
    write(&store, &session, &rotate(guard(1), 1, 2)).await;
    let Written::Done(forked) = write(&store, &session, &fork(guard(2), &[2], 3)).await else { panic!("refused") };
    assert_eq!((forked.previous, forked.newest, forked.earlier), (Some(nonce(1)), child(3), vec![child(2)]));
}

#[tokio::test]
async fn each_condition_refuses_alone_and_shows_the_item() {
    let store = table().await;
    let made_by = |at: UnixTime| Guard { made_by: Some(at), ..guard(1) };
    let alive_at = |at: UnixTime| Guard { alive_at: at, ..guard(1) };
    let cases = [
        ("as it was judged", guard(1), true),
        ("another newest child", guard(9), false),
        ("made by then", made_by(START), true),
        ("made a millisecond later", made_by(START.before(Duration::from_millis(1))), false),
        ("the last instant of its idle time", alive_at((START + HOUR).before(Duration::from_millis(1))), true),
        ("idle expiry", alive_at(START + HOUR), false),
    ];
    for (name, guard, done) in cases {
        for write_of in [rotate(guard.clone(), 1, 2), fork(guard.clone(), &[1], 2)] {
            let session = kept(&store).await;
            let written = write(&store, &session, &write_of).await;
            assert_eq!(matches!(written, Written::Done(_)), done, "{name}");
            if !done {
                assert_eq!(written, Written::Refused(Some(session.clone())), "{name}: the old item");
                assert_eq!(read(&store, &session).await, session, "{name}: unchanged");
            }
        }
    }
}

#[tokio::test]
async fn absolute_expiry_is_a_condition_of_its_own() {
    let store = table().await;
    let session = Session { idle_expires_at: START + 3 * HOUR, ..session() };
    store.create_session(&session).await.unwrap();
    let dead = Guard { alive_at: START + 2 * HOUR, ..guard(1) };
    assert_eq!(write(&store, &session, &rotate(dead, 1, 2)).await, Written::Refused(Some(session.clone())));
}

#[tokio::test]
async fn an_end_is_written_once_and_stops_everything() {
    let store = table().await;
    let session = kept(&store).await;
    let end = |cause| Write::End(End { cause, at: START });
    let ended = Session { ended: Some(End { cause: EndCause::Replay, at: START }), ..session.clone() };
    assert_eq!(write(&store, &session, &end(EndCause::Replay)).await, Written::Ended);
    assert_eq!(read(&store, &session).await, ended);
    for late in [end(EndCause::Logout), rotate(guard(1), 1, 2), fork(guard(1), &[1], 2)] {
        assert_eq!(write(&store, &session, &late).await, Written::Refused(Some(ended.clone())), "{late:?}");
    }
    for cause in [EndCause::Logout, EndCause::Revoked] {
        let session = kept(&store).await;
        assert_eq!(write(&store, &session, &end(cause)).await, Written::Ended);
        assert_eq!(read(&store, &session).await.ended, Some(End { cause, at: START }));
    }
}

#[tokio::test]
async fn a_write_never_makes_an_item() {
    let store = table().await;
    let session = session();
    let end = Write::End(End { cause: EndCause::Replay, at: START });
    for write_of in [rotate(guard(1), 1, 2), fork(guard(1), &[], 2), end] {
        assert_eq!(write(&store, &session, &write_of).await, Written::Refused(None), "{write_of:?}");
        assert_eq!(store.session(session.user_id, session.id).await.unwrap(), None, "{write_of:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_rotations_at_the_same_moment_one_is_done() {
    let store = table().await;
    let session = kept(&store).await;
    let writers: Vec<_> = (2..50)
        .map(|to| {
            let (store, session) = (store.clone(), session.clone());
            tokio::spawn(async move { write(&store, &session, &rotate(guard(1), 1, to)).await })
        })
        .collect();
    let mut done = Vec::new();
    for writer in writers {
        match writer.await.unwrap() {
            Written::Done(session) => done.push(session),
            Written::Refused(found) => assert_eq!(found.unwrap().previous, Some(nonce(1))),
            Written::Ended => panic!("nobody ends it"),
        }
    }
    let [one] = done.as_slice() else { panic!("{} rotations", done.len()) };
    assert_eq!(read(&store, &session).await, *one);
}

fn user(id: UserId, name: &LoginName) -> User {
    User {
        id,
        login_name: name.clone(),
        status: Status::Disabled,
        ver: 7,
        floor: 3,
        roles: Roles::parse("clerk").unwrap(),
        scope: Scope::parse("a b").unwrap(),
    }
}

async fn create(store: &Store, name: &LoginName, hash: &str) -> (UserId, Creation) {
    let id = UserId::random(&OsEntropy).unwrap();
    let creation = store.create_user(&user(id, name), hash).await.unwrap();
    (id, creation)
}

#[tokio::test]
async fn a_user_and_the_name_come_together_or_not_at_all() {
    let store = table().await;
    let name = LoginName::parse("alice").unwrap();
    let (id, creation) = create(&store, &name, "hash").await;
    assert_eq!(creation, Creation::Created);
    assert_eq!(store.user(id).await.unwrap(), Some(user(id, &name)));
    let (other, creation) = create(&store, &name, "other").await;
    assert_eq!(creation, Creation::NameTaken);
    assert_eq!(store.user(other).await.unwrap(), None);
    let kept = store.credentials(&name).await.unwrap().unwrap();
    assert_eq!((kept.user_id, kept.password_hash.as_str(), kept.ver), (id, "hash", 7));
}

/// How many attempts count, or for how many seconds the name is closed.
async fn attempt(store: &Store, name: &LoginName, now: UnixTime) -> Result<u32, u64> {
    match store.count_attempt(name, now).await.unwrap() {
        Attempt::Counted { attempts, .. } => Ok(attempts),
        Attempt::Closed { until } => Err(until.since(now).as_secs()),
    }
}

#[tokio::test]
async fn attempts_are_counted_and_close_the_name_for_longer_and_longer() {
    let store = table().await;
    let name = LoginName::parse("alice").unwrap();
    create(&store, &name, "hash").await;
    let mut now = START;
    for expected in 1..=6 {
        assert_eq!(attempt(&store, &name, now).await, Ok(expected));
    }
    for (attempts, delay) in
        [(7, 2), (8, 4), (9, 8), (10, 16), (11, 32), (12, 64), (13, 128), (14, 256), (15, 512), (16, 900), (17, 900)]
    {
        now = now + (delay - 1) * SECOND;
        assert_eq!(attempt(&store, &name, now).await, Err(1), "attempt {attempts}, a second early");
        now = now + SECOND;
        assert_eq!(attempt(&store, &name, now).await, Ok(attempts), "attempt {attempts}");
    }
    // A day after the last attempt the count starts anew.
    now = now + (Duration::from_hours(24) - Duration::from_millis(1));
    assert_eq!(attempt(&store, &name, now).await, Ok(18));
    now = now + Duration::from_hours(24);
    assert_eq!(attempt(&store, &name, now).await, Ok(1));
    for expected in 2..=6 {
        assert_eq!(attempt(&store, &name, now).await, Ok(expected));
    }
    // An attempt under a clock that was never right does not close the name for ever.
    assert_eq!(attempt(&store, &name, now.before(Duration::from_secs(60))).await, Err(62));
    assert_eq!(attempt(&store, &name, now.before(Duration::from_secs(61))).await, Ok(7));
}

#[tokio::test]
async fn forgetting_takes_back_what_was_seen() {
    let store = table().await;
    let name = LoginName::parse("alice").unwrap();
    for _ in 0..3 {
        attempt(&store, &name, START).await.unwrap();
    }
    store.forget_attempts(&name, 2).await.unwrap();
    assert_eq!(attempt(&store, &name, START).await, Ok(2), "one came in between");
    store.forget_attempts(&name, 9).await.unwrap();
    assert_eq!(attempt(&store, &name, START).await, Ok(3), "nobody takes back what is not there");
}

#[tokio::test]
async fn a_name_that_was_only_tried_is_free() {
    let store = table().await;
    let name = LoginName::parse("bob").unwrap();
    let Attempt::Counted { attempts: 1, credentials: None } = store.count_attempt(&name, START).await.unwrap() else {
        panic!("nobody has the name");
    };
    store.expire_unclaimed(&name, START).await.unwrap();
    let (id, creation) = create(&store, &name, "hash").await;
    assert_eq!(creation, Creation::Created);
    store.expire_unclaimed(&name, START).await.unwrap();
    let Attempt::Counted { attempts: 1, credentials: Some(credentials) } =
        store.count_attempt(&name, START).await.unwrap()
    else {
        panic!("counted from the start again, with its credentials");
    };
    assert_eq!(credentials.user_id, id);
}

#[tokio::test]
async fn a_hash_is_renewed_unless_it_was_changed_meanwhile() {
    let store = table().await;
    let name = LoginName::parse("carol").unwrap();
    create(&store, &name, "old").await;
    let hash = async || store.credentials(&name).await.unwrap().unwrap().password_hash;
    store.rehash(&name, "other", "new").await.unwrap();
    assert_eq!(hash().await, "old");
    store.rehash(&name, "old", "new").await.unwrap();
    assert_eq!(hash().await, "new");
}

#[tokio::test]
async fn the_table_is_made_once() {
    let store = table().await;
    store.create_table().await.unwrap();
}
