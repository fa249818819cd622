//! `authctl revoke`.

use auth_core::journal::{Entry, JournalPolicy, Kind};
use auth_core::session::EndCause;
use auth_core::time::UnixTime;
use serde_json::json;

use crate::operator::{Answer, Operator, command};
use crate::sessions::session;

/// What the journal says, which is the same in each copy that there can be.
async fn told(operator: &Operator) -> Vec<Entry> {
    let from = UnixTime::from_seconds(0);
    let first = operator.store.journal(0, from, None).await.unwrap().items;
    for copy in 1..JournalPolicy::EVERY_COPY.copies.get() {
        assert_eq!(operator.store.journal(copy, from, None).await.unwrap().items, first, "copy {copy}");
    }
    first
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_and_a_key_are_told_to_the_journal() {
    let cases = [
        ("--client", "web", Kind::Client, "all access tokens of the client \"web\" until now are revoked\n"),
        ("--key", "kid-1", Kind::Key, "all access tokens under the key \"kid-1\" are revoked\n"),
    ];
    for (option, id, kind, sentence) in cases {
        let operator = Operator::start().await;
        assert_eq!(operator.run(&["revoke", option, id, "--yes"]).done(), sentence);
        let entries = told(&operator).await;
        let [entry] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!((entry.revocation.kind, entry.revocation.id.as_str()), (kind, id));
        assert_eq!(entry.revocation.bound > 0, kind == Kind::Client, "until when");
        assert_eq!(operator.json(&["revoke", option, id, "--yes"]), [json!({"revoked": "all"})]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_revoked_once() {
    let operator = Operator::start().await;
    let revoke = ["revoke", "--token", "f7d0f0c8", "--yes"];
    assert_eq!(operator.json(&revoke), [json!({"revoked": 1})]);
    assert_eq!(operator.json(&revoke), [json!({"revoked": 0})]);
    assert_eq!(operator.run(&revoke).done(), "access token \"f7d0f0c8\" had been revoked already\n");
    assert!(operator.store.is_token_revoked("f7d0f0c8").await.unwrap());
    assert_eq!(told(&operator).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_and_a_session_end_as_by_session_end() {
    let operator = Operator::start().await;
    let user = operator.user("alice").await;
    let [one, other] = [session(&user), session(&user)];
    for session in [&one, &other] {
        operator.store.create_session(session).await.unwrap();
    }
    let sid = one.id.to_string();
    assert_eq!(operator.json(&["revoke", "--session", "alice", &sid, "--yes"]), [json!({"ended": 1})]);
    let ended = operator.store.session(user.id, one.id).await.unwrap().unwrap().ended.unwrap();
    assert_eq!(ended.cause, EndCause::Revoked);
    assert_eq!(operator.store.session(user.id, other.id).await.unwrap(), Some(other));

    assert_eq!(operator.json(&["revoke", "--user", "alice", "--yes"]), [json!({"ended": "all"})]);
    assert!(operator.kept("alice").await.floor > user.ver);
    assert!(operator.run(&["revoke", "--user", "bob", "--yes"]).refused(3).contains("no user \"bob\""));
    assert_eq!(told(&operator).await.len(), 2);
}

/// More than go at a time, in pages of a few.
#[tokio::test(flavor = "multi_thread")]
async fn everybodys_sessions_end() {
    let operator = Operator::start().await;
    let mut users = Vec::new();
    for n in 0..40 {
        users.push(operator.user(&format!("user-{n}")).await);
    }
    let revoke = ["revoke", "--all", "--yes", "--page-size", "7"];
    assert_eq!(operator.json(&revoke), [json!({"ended": "all", "users": 40})]);
    for user in &users {
        let kept = operator.kept(user.login_name.as_str()).await;
        assert!(kept.floor > user.ver && kept.floor == kept.ver, "{kept:?}");
    }
    assert_eq!(told(&operator).await.len(), 40);
    assert_eq!(operator.run(&revoke).done(), "all sessions of 40 users ended\n", "it can be said again");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_revoked_unasked() {
    let operator = Operator::start().await;
    operator.user("alice").await;
    for what in [["--user", "alice"], ["--token", "1"], ["--client", "web"], ["--key", "1"]] {
        assert!(operator.run(&["revoke", what[0], what[1]]).refused(5).contains("--yes"), "{what:?}");
    }
    assert!(operator.run(&["revoke", "--all"]).refused(5).contains("--yes"));
    assert_eq!(told(&operator).await, []);
}

#[test]
fn it_takes_exactly_one_of_them() {
    let long = "x".repeat(257);
    let sid = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let cases: [(&[&str], &str); 8] = [
        (&["--all", "--user", "alice"], "cannot be used with"),
        (&[], "required arguments were not provided"),
        (&["--user", "alice", "--key", "1"], "cannot be used with"),
        (&["--session", "alice"], "2 values required"),
        (&["--session", "alice", "1"], "not an identifier"),
        (&["--session", "a b", sid], "not a login name"),
        (&["--token", ""], "expected 1 to 256 bytes"),
        (&["--key", &long], "expected 1 to 256 bytes"),
    ];
    for (arguments, expected) in cases {
        // Nothing listens there.
        let place = ["--yes", "--endpoint", "http://127.0.0.1:9"];
        let answer = Answer::of(command(&["revoke"]).args(arguments).args(place), "");
        assert!(answer.refused(2).contains(expected), "{arguments:?}: {answer:?}");
    }
    let help = Answer::of(&mut command(&["revoke", "--help"]), "");
    assert!(help.done().contains("they end no session"), "what it does not do");
}
