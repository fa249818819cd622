//! What the store promises of changes to users: done whole to the user that was read, or refused and said why.

use std::num::NonZeroU16;

use auth_core::entropy::OsEntropy;
use auth_core::id::UserId;
use auth_core::journal::Revocation;
use auth_core::login::LoginName;
use auth_core::scope::{Roles, Scope};
use auth_core::session::{End, EndCause, Session};
use auth_core::user::{Denial, Status, User};
use auth_dynamodb::change::{Change, Changed, Others};
use auth_dynamodb::check::{Finding, Verdict};
use auth_dynamodb::deletion::Deletion;
use auth_dynamodb::error::{Reason, StoreError};
use auth_dynamodb::login::Attempt;
use auth_dynamodb::store::Store;
use auth_dynamodb::table;
use auth_dynamodb::user::Creation;
use serde_json::json;

use crate::contract::session;
use crate::harness::{SECOND, START, engine, table, table_name};
use crate::wire::{Fault, Wire, dynamodb};

pub(crate) async fn create(store: &Store, name: &str) -> User {
    let user = User {
        id: UserId::random(&OsEntropy).unwrap(),
        login_name: LoginName::parse(name).unwrap(),
        status: Status::Active,
        ver: START.millis(),
        floor: 3,
        roles: Roles::parse("clerk").unwrap(),
        scope: Scope::parse("a b").unwrap(),
    };
    assert_eq!(store.create_user(&user, "hash").await.unwrap(), Creation::Created);
    user
}

async fn read(store: &Store, user: &User) -> Option<User> {
    store.user(user.id).await.unwrap()
}

fn roles(text: &str) -> Change {
    Change::Roles(Roles::parse(text).unwrap())
}

#[tokio::test]
async fn users_come_page_by_page_and_nothing_else_does() {
    let store = table().await;
    let mut created = Vec::new();
    for name in ["alice", "bob", "carol", "dave", "eve"] {
        let user = create(&store, name).await;
        store.create_session(&Session { user_id: user.id, ..session() }).await.unwrap();
        created.push(user);
    }
    created.sort_by_key(|user| user.id);
    for size in [None, NonZeroU16::new(1), NonZeroU16::new(4), NonZeroU16::new(15)] {
        let store = size.map_or_else(|| store.clone(), |size| store.clone().with_page_size(size));
        let (mut found, mut pages, mut after) = (Vec::new(), 0, None);
        loop {
            let page = store.users(after).await.unwrap();
            pages += 1;
            found.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        found.sort_by_key(|user| user.id);
        assert_eq!(found, created, "{size:?}");
        // The table has 15 items, a name, a user and a session for each: a limit is one of those.
        let least = size.map_or(1, |size| 15_u16.div_ceil(size.get()));
        assert!(pages >= least, "{size:?}: {pages} pages");
    }
}

#[tokio::test]
async fn each_change_touches_its_own_attribute_and_raises_the_ver() {
    let store = table().await;
    let now = START + SECOND;
    let cases = [
        (Change::Status(Status::Disabled), User { status: Status::Disabled, ..create(&store, "alice").await }),
        (roles("boss clerk"), User { roles: Roles::parse("boss clerk").unwrap(), ..create(&store, "bob").await }),
        (roles(""), User { roles: Roles::default(), ..create(&store, "carol").await }),
        (
            Change::Scope(Scope::parse("c").unwrap()),
            User { scope: Scope::parse("c").unwrap(), ..create(&store, "dave").await },
        ),
    ];
    for (change, expected) in cases {
        let before = read(&store, &expected).await.unwrap();
        let expected = User { ver: now.millis(), ..expected };
        let changed = store.change_user(&before, change.clone(), now).await.unwrap();
        assert_eq!(changed, Changed::Done(expected.clone()), "{change:?}");
        assert_eq!(read(&store, &expected).await, Some(expected.clone()), "{change:?}");
        let again = store.change_user(&expected, change, now).await.unwrap();
        assert_eq!(again, Changed::Done(User { ver: now.millis() + 1, ..expected }), "in the same millisecond");
    }
}

#[tokio::test]
async fn a_user_that_is_not_as_it_was_read_is_not_changed() {
    let store = table().await;
    let read_first = create(&store, "alice").await;
    let Changed::Done(user) = store.change_user(&read_first, roles("boss"), START).await.unwrap() else {
        panic!("refused");
    };
    assert_eq!(store.change_user(&read_first, roles("thief"), START).await.unwrap(), Changed::Meanwhile);
    assert_eq!(store.set_password(&read_first, "other", START).await.unwrap(), Changed::Meanwhile);
    assert_eq!(store.end_all_sessions(&read_first, START).await.unwrap(), Changed::Meanwhile);
    assert_eq!(read(&store, &user).await, Some(user.clone()));
    let kept = store.credentials(&user.login_name).await.unwrap().unwrap();
    assert_eq!((kept.password_hash.as_str(), kept.ver), ("hash", START.millis()), "neither half of the transaction");

    store.delete_user(&user, START).await.unwrap();
    assert_eq!(store.change_user(&user, roles("ghost"), START).await.unwrap(), Changed::Gone);
    assert_eq!(store.set_password(&user, "other", START).await.unwrap(), Changed::Gone);
    assert_eq!(store.end_all_sessions(&user, START).await.unwrap(), Changed::Gone);
    assert_eq!(read(&store, &user).await, None, "a change never makes a user");
    assert!(store.credentials(&user.login_name).await.unwrap().is_none());
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_done() {
    let wire = Wire::to(engine().await).await;
    let store = Store::on_loopback(&wire.endpoint, table_name());
    store.create_table().await.unwrap();
    let user = create(&store, "alice").await;
    wire.plan("TransactWriteItems", [Fault::LostAnswer]);
    wire.calls();
    let Changed::Done(user) = store.change_user(&user, roles("boss"), START).await.unwrap() else { panic!("refused") };
    wire.plan("TransactWriteItems", [Fault::LostAnswer]);
    let Changed::Done(user) = store.set_password(&user, "new", START).await.unwrap() else { panic!("refused") };
    assert_eq!(wire.operations(), ["TransactWriteItems"; 4]);
    assert_eq!(read(&store, &user).await, Some(user.clone()));
    wire.plan("TransactWriteItems", [Fault::LostAnswer]);
    let Changed::Done(user) = store.end_all_sessions(&user, START).await.unwrap() else { panic!("refused") };
    assert_eq!(read(&store, &user).await, Some(user.clone()));
    wire.plan("TransactWriteItems", [Fault::LostAnswer]);
    assert_eq!(store.delete_user(&user, START).await.unwrap(), Deletion::Deleted);
}

#[tokio::test]
async fn a_new_password_ends_what_began_with_the_old_one() {
    let store = table().await;
    let user = create(&store, "alice").await;
    for _ in 0..6 {
        store.count_attempt(&user.login_name, START).await.unwrap();
    }
    let late = store.credentials(&user.login_name).await.unwrap().unwrap(); // a login that is under way
    let ver = START.millis() + 1;
    let expected = User { ver, floor: ver, ..user.clone() };
    assert_eq!(store.set_password(&user, "new", START).await.unwrap(), Changed::Done(expected.clone()));
    assert_eq!(read(&store, &user).await, Some(expected.clone()));
    assert_eq!(expected.admits(late.ver), Err(Denial::BelowFloor));
    let Attempt::Counted { attempts: 1, credentials: Some(new) } =
        store.count_attempt(&user.login_name, START).await.unwrap()
    else {
        panic!("failures are forgotten");
    };
    assert_eq!((new.user_id, new.password_hash.as_str()), (user.id, "new"));
    assert_eq!(expected.admits(new.ver), Ok(()));
}

#[tokio::test]
async fn all_sessions_end_in_one_transaction_and_new_ones_begin() {
    let wire = Wire::to(engine().await).await;
    let store = Store::on_loopback(&wire.endpoint, table_name());
    store.create_table().await.unwrap();
    let user = create(&store, "alice").await;
    let sessions = [(); 3].map(|()| Session { user_id: user.id, ver: user.ver, ..session() });
    for session in &sessions {
        store.create_session(session).await.unwrap();
    }
    store.count_attempt(&user.login_name, START).await.unwrap();
    let late = store.credentials(&user.login_name).await.unwrap().unwrap(); // a login that is under way
    wire.calls();
    let ver = START.millis() + 1;
    let expected = User { ver, floor: ver, ..user.clone() };
    assert_eq!(store.end_all_sessions(&user, START).await.unwrap(), Changed::Done(expected.clone()));
    assert_eq!(wire.operations(), ["TransactWriteItems"], "however many there are");
    assert_eq!(read(&store, &user).await, Some(expected.clone()));
    for began_with in sessions.iter().map(|session| session.ver).chain([late.ver]) {
        assert_eq!(expected.admits(began_with), Err(Denial::BelowFloor));
    }
    let Attempt::Counted { attempts: 2, credentials: Some(kept) } =
        store.count_attempt(&user.login_name, START).await.unwrap()
    else {
        panic!("failures to sign in are another matter");
    };
    assert_eq!((kept.user_id, kept.password_hash.as_str()), (user.id, "hash"));
    assert_eq!(expected.admits(kept.ver), Ok(()));
}

#[tokio::test]
async fn all_other_sessions_end_and_the_one_that_stays_is_lifted_with_them() {
    let wire = Wire::to(engine().await).await;
    let store = Store::on_loopback(&wire.endpoint, table_name());
    store.create_table().await.unwrap();
    let user = create(&store, "alice").await;
    let begun = |ver| Session { user_id: user.id, ver, ..session() };
    let end = Some(End { cause: EndCause::Logout, at: START });
    let [kept, other] = [begun(user.floor), begun(user.ver)];
    let [ended, below, absent] = [Session { ended: end, ..begun(user.ver) }, begun(user.floor - 1), begun(user.ver)];
    for session in [&kept, &other, &ended, &below] {
        store.create_session(session).await.unwrap();
    }
    wire.calls();
    for (name, session) in [("ended", &ended), ("below the floor", &below), ("absent", &absent)] {
        assert_eq!(store.end_other_sessions(&user, session.id, START).await.unwrap(), Others::NotKept, "{name}");
    }
    assert_eq!(read(&store, &user).await, Some(user.clone()), "nothing was done");
    assert_eq!(store.session(user.id, absent.id).await.unwrap(), None);

    let ver = START.millis() + 1;
    let expected = User { ver, floor: ver, ..user.clone() };
    wire.plan("TransactWriteItems", [Fault::LostAnswer]);
    let done = Others::Changed(Changed::Done(expected.clone()));
    assert_eq!(store.end_other_sessions(&user, kept.id, START).await.unwrap(), done);
    assert_eq!(store.session(user.id, kept.id).await.unwrap(), Some(Session { ver, ..kept.clone() }));
    assert_eq!(store.session(user.id, other.id).await.unwrap(), Some(other));
    assert_eq!(store.credentials(&user.login_name).await.unwrap().unwrap().ver, ver);
    let told = store.journal(0, START, None).await.unwrap().items;
    assert_eq!(told.iter().map(|entry| &entry.revocation).collect::<Vec<_>>(), [&Revocation::user(user.id, ver)]);

    let meanwhile = Others::Changed(Changed::Meanwhile);
    assert_eq!(store.end_other_sessions(&user, kept.id, START + SECOND).await.unwrap(), meanwhile);
    store.delete_user(&expected, START).await.unwrap();
    let gone = Others::Changed(Changed::Gone);
    assert_eq!(store.end_other_sessions(&expected, kept.id, START).await.unwrap(), gone);
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_gets_no_password() {
    let engine = engine().await;
    let table = table_name();
    let store = Store::on_loopback(&engine, table.clone());
    store.create_table().await.unwrap();
    let user = create(&store, "alice").await;
    let key = json!({"pk": {"S": "LOGIN#alice"}, "sk": {"S": "LOGIN"}});
    dynamodb(&engine, "DeleteItem", &json!({"TableName": table, "Key": key})).await;
    let other = create(&store, "alice").await;
    assert_eq!(store.set_password(&user, "new", START).await.unwrap(), Changed::Gone);
    assert_eq!(store.end_all_sessions(&user, START).await.unwrap(), Changed::Gone);
    assert_eq!(store.delete_user(&user, START).await.unwrap(), Deletion::Gone);
    assert_eq!(read(&store, &user).await, Some(user), "neither half of either transaction");
    let kept = store.credentials(&other.login_name).await.unwrap().unwrap();
    assert_eq!((kept.user_id, kept.password_hash.as_str()), (other.id, "hash"));
}

#[tokio::test]
async fn a_deletion_takes_the_user_and_the_name_and_nobody_elses() {
    let store = table().await;
    let (user, other) = (create(&store, "alice").await, create(&store, "bob").await);
    assert_eq!(store.delete_user(&user, START).await.unwrap(), Deletion::Deleted);
    assert_eq!(read(&store, &user).await, None);
    assert!(store.credentials(&user.login_name).await.unwrap().is_none());
    assert_eq!(store.delete_user(&user, START).await.unwrap(), Deletion::Gone);
    assert_eq!(read(&store, &other).await, Some(other));
    let next = create(&store, "alice").await;
    assert_eq!(store.delete_user(&user, START).await.unwrap(), Deletion::Gone, "the name is another's now");
    assert_eq!(read(&store, &next).await, Some(next));
}

#[tokio::test]
async fn all_sessions_of_a_user_are_deleted_and_nobody_elses() {
    let wire = Wire::to(engine().await).await;
    let store = Store::on_loopback(&wire.endpoint, table_name());
    store.create_table().await.unwrap();
    let (user, other) = (create(&store, "alice").await, session());
    for _ in 0..60 {
        store.create_session(&Session { user_id: user.id, ..session() }).await.unwrap();
    }
    store.create_session(&other).await.unwrap();
    wire.plan("BatchWriteItem", [Fault::Unprocessed, Fault::None, Fault::Unprocessed, Fault::Unprocessed]);
    wire.calls();
    let paged = store.clone().with_page_size(NonZeroU16::new(40).unwrap());
    assert_eq!(paged.delete_sessions(user.id).await.unwrap(), 60);
    // Batches of 25, 15 and 20; three times one was put off whole.
    assert_eq!(wire.operations().iter().filter(|operation| *operation == "BatchWriteItem").count(), 6);
    assert!(store.sessions(user.id, None).await.unwrap().items.is_empty());
    assert_eq!(store.delete_sessions(user.id).await.unwrap(), 0);
    assert_eq!(store.session(other.user_id, other.id).await.unwrap(), Some(other));
    assert_eq!(read(&store, &user).await, Some(user), "the user's own item is no session");
}

#[tokio::test]
async fn a_table_of_ours_passes_the_check() {
    let store = table().await;
    let findings = store.check_table().await.unwrap();
    let properties: Vec<&str> = findings.iter().map(|finding| finding.property).collect();
    let expected =
        ["status", "keys", "time-to-live", "billing", "point-in-time recovery", "deletion protection", "encryption"];
    assert_eq!(properties, expected);
    assert_eq!(wrong(&findings), [""; 0]);
    assert_eq!(store.create_table().await.unwrap(), table::Creation::Existed);
}

#[tokio::test]
async fn another_table_fails_the_check_and_none_is_told_apart() {
    let engine = engine().await;
    let name = table_name();
    let store = Store::on_loopback(&engine, name.clone());
    let error = store.check_table().await.unwrap_err();
    let StoreError::Unavailable { operation: "DescribeTable", reason: Reason::Code(code) } = error else {
        panic!("{error:?}");
    };
    assert_eq!(code, "ResourceNotFoundException");
    let request = json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    });
    dynamodb(&engine, "CreateTable", &request).await;
    assert_eq!(wrong(&store.check_table().await.unwrap()), ["keys", "time-to-live"]);
}

fn wrong(findings: &[Finding]) -> Vec<&'static str> {
    let wrong = findings.iter().filter(|finding| matches!(finding.verdict, Verdict::Wrong(_)));
    wrong.map(|finding| finding.property).collect()
}
