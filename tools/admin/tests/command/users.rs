//! `authctl user`.

use auth_core::login::LoginName;
use auth_core::session::Session;
use auth_password::hasher::{Hasher, Parameters, Verdict};
use auth_password::password::Password;
use serde_json::{Value, json};

use crate::operator::{Answer, Operator, PASSWORD, command};
use crate::relay::denying;
use crate::sessions::session;

/// Whether this is the password that the name has.
async fn has_password(operator: &Operator, name: &str, password: &str) -> bool {
    let credentials = operator.store.credentials(&LoginName::parse(name).unwrap()).await.unwrap().unwrap();
    let password = Password::presented(password).unwrap();
    let verdict = Hasher::new(Parameters::default()).verify(&password, &credentials.password_hash);
    matches!(verdict, Ok(Verdict::Right { .. }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_added_and_shown() {
    let operator = Operator::start().await;
    let add = ["user", "add", "Alice@Example.com", "--roles", "boss clerk", "--scope", "profile notes"];
    let added = operator.run_with(&add, &format!("{PASSWORD}\n"));
    let user = operator.kept("alice@example.com").await;
    assert_eq!(added.done(), format!("user \"alice@example.com\" ({}) added\n", user.id));
    assert!(has_password(&operator, "alice@example.com", PASSWORD).await);

    let expected = [json!({
        "name": "alice@example.com",
        "id": user.id,
        "status": "active",
        "roles": ["boss", "clerk"],
        "scope": "profile notes",
        "ver": user.ver,
        "floor": 0,
    })];
    assert_eq!(operator.json(&["user", "show", "ALICE@example.com"]), expected);
    assert_eq!(operator.json(&["user", "list"]), expected);
    let shown = operator.run(&["user", "show", "alice@example.com"]);
    let text = "name    alice@example.com\nstatus  active\nroles   boss clerk\nscope   profile notes\nid      ";
    assert_eq!(shown.done(), format!("{text}{}\n", user.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_said_and_kept_and_raises_the_ver() {
    let operator = Operator::start().await;
    operator.user("alice").await;
    let cases: [(&[&str], &str, Value); 8] = [
        (&["user", "set-roles", "alice", "a", "b c", "a"], "roles", json!(["a", "b", "c"])),
        (&["user", "set-roles", "alice"], "roles", json!([])),
        (&["user", "set-scope", "alice", "x", "y"], "scope", json!("x y")),
        (&["user", "set-scope", "alice"], "scope", json!("")),
        (&["user", "disable", "alice", "--yes"], "status", json!("disabled")),
        (&["user", "disable", "alice"], "status", json!("disabled")),
        (&["user", "enable", "alice"], "status", json!("active")),
        (&["user", "enable", "alice"], "status", json!("active")),
    ];
    for (arguments, member, expected) in cases {
        let before = operator.kept("alice").await;
        let said = operator.json(arguments);
        let after = operator.kept("alice").await;
        assert_eq!((&said[0][member], &said[0]["ver"]), (&expected, &json!(after.ver)), "{arguments:?}");
        let changed = (&after.roles, &after.scope, after.status) != (&before.roles, &before.scope, before.status);
        assert_eq!(after.ver > before.ver, changed, "{arguments:?}: what is so already is left alone");
        assert_eq!(operator.json(&["user", "show", "alice"]), said, "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_all_sessions() {
    let operator = Operator::start().await;
    let before = operator.user("alice").await;
    let changed = operator.run_with(&["user", "set-password", "alice"], &format!("{PASSWORD}\n"));
    assert!(changed.done().contains("no session any more"), "{changed:?}");
    let after = operator.kept("alice").await;
    assert!(after.ver > before.ver && after.floor == after.ver);
    assert!(has_password(&operator, "alice", PASSWORD).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_user_leaves_nothing_but_the_name() {
    let operator = Operator::start().await;
    let (user, other) = (operator.user("alice").await, operator.user("bob").await);
    for user in [&user, &user, &other] {
        operator.store.create_session(&session(user)).await.unwrap();
    }
    let deleted = operator.json(&["user", "delete", "alice", "--yes"]);
    assert_eq!(deleted, [json!({"deleted": user.id, "name": "alice", "sessions": 2})]);
    operator.run(&["user", "show", "alice"]).refused(3);
    assert!(operator.store.sessions(user.id, None).await.unwrap().items.is_empty());
    assert_eq!(operator.kept("bob").await, other);
    assert_eq!(operator.store.sessions(other.id, None).await.unwrap().items.len(), 1);
    operator.run_with(&["user", "add", "alice"], PASSWORD).done();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_failed_goes_on_when_it_is_repeated() {
    let operator = Operator::start().await;
    let user = operator.user("alice").await;
    for _ in 0..2 {
        operator.store.create_session(&session(&user)).await.unwrap();
    }
    let endpoint = denying("BatchWriteItem", &operator.endpoint);
    let delete = ["user", "delete", "alice", "--yes"];
    let denied = Answer::of(command(&delete).args(["--endpoint", &endpoint]), "");
    assert!(denied.refused(1).contains("may not do BatchWriteItem"), "{denied:?}");
    assert_eq!(operator.kept("alice").await, user, "whose sessions are found by the name");
    assert_eq!(operator.json(&delete), [json!({"deleted": user.id, "name": "alice", "sessions": 2})]);
    assert!(operator.store.sessions(user.id, None).await.unwrap().items.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_follow_the_rules_and_come_on_one_line() {
    let operator = Operator::start().await;
    let (short, long) = (
        "the password is too short: expected 8 to 256 characters",
        "the password is too long: expected at most 256 characters",
    );
    for (name, input, expected) in [
        ("short", "1234567\n", short),
        ("long", &*"x".repeat(257), long),
        ("endless", &*"x".repeat(100_000), long),
        ("empty", "\n", short),
        ("nothing", "", "there is no password: give it as the first line of standard input, in UTF-8"),
    ] {
        assert_eq!(operator.run_with(&["user", "add", name], input).refused(2), expected, "{name}");
        operator.run(&["user", "show", name]).refused(3);
    }
    operator.run_with(&["user", "add", "alice"], "  two words \r\nand a note\n").done();
    assert!(has_password(&operator, "alice", "  two words ").await);
    operator.run_with(&["user", "set-password", "alice"], "7654321").refused(2);
    assert!(has_password(&operator, "alice", "  two words ").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_stays_as_it_is() {
    let operator = Operator::start().await;
    let user = operator.user("alice").await;
    let taken = operator.run_with(&["user", "add", "ALICE"], PASSWORD);
    assert_eq!(taken.refused(4), "there is a user \"alice\" already: choose another name");
    assert_eq!(operator.kept("alice").await, user);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_apart_from_a_fault() {
    let operator = Operator::start().await;
    let sid = session(&operator.user("alice").await).id.to_string();
    let cases: [&[&str]; 10] = [
        &["user", "show", "bob"],
        &["user", "disable", "bob", "--yes"],
        &["user", "enable", "bob"],
        &["user", "set-roles", "bob", "boss"],
        &["user", "set-scope", "bob", "all"],
        &["user", "set-password", "bob"],
        &["user", "delete", "bob", "--yes"],
        &["session", "list", "bob"],
        &["session", "end", "bob", "--all", "--yes"],
        &["session", "end", "bob", &sid, "--yes"],
    ];
    for arguments in cases {
        let refused = operator.run_with(arguments, PASSWORD);
        assert_eq!(refused.refused(3), "there is no user \"bob\": `authctl user list` shows all", "{arguments:?}");
    }
    let refused = operator.run(&["session", "end", "alice", &sid, "--yes"]);
    assert_eq!(refused.refused(3), format!("\"alice\" has no session {sid}: `authctl session list alice` shows all"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_destroyed_unasked() {
    let operator = Operator::start().await;
    let user = operator.user("alice").await;
    let session: Session = session(&user);
    operator.store.create_session(&session).await.unwrap();
    let sid = session.id.to_string();
    let cases: [&[&str]; 4] = [
        &["user", "delete", "alice"],
        &["user", "disable", "alice"],
        &["session", "end", "alice", "--all"],
        &["session", "end", "alice", &sid],
    ];
    for arguments in cases {
        let refused = operator.run_with(arguments, "y\n");
        let expected = "not confirmed, nothing was done: without a terminal to ask on, say --yes";
        assert_eq!(refused.refused(5), expected, "{arguments:?}");
    }
    assert_eq!(operator.kept("alice").await, user);
    assert_eq!(operator.store.session(user.id, session.id).await.unwrap(), Some(session));
}
