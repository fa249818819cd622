//! `authctl session`.

use std::time::Duration;

use auth_core::entropy::OsEntropy;
use auth_core::id::SessionId;
use auth_core::policy::SessionPolicy;
use auth_core::refresh_token::Nonce;
use auth_core::scope::Scope;
use auth_core::session::{Child, End, EndCause, Session};
use auth_core::time::{Clock as _, SystemClock, UnixTime};
use auth_core::user::User;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::operator::{Operator, PASSWORD};

/// A session of `user` that was used a minute ago.
pub(crate) fn session(user: &User) -> Session {
    let now = UnixTime::from_seconds(SystemClock.now().seconds());
    let nonce = |byte| Nonce::from_bytes([byte; 16]);
    let id = SessionId::random(&OsEntropy).unwrap();
    Session {
        client_id: "app".to_owned(),
        scope: Scope::parse("profile notes").unwrap(),
        device: Some("phone".to_owned()),
        ver: user.ver,
        previous: Some(nonce(1)),
        newest: Child { generation: 2, nonce: nonce(2), made_at: now.before(Duration::from_mins(1)) },
        idle_expires_at: now + Duration::from_hours(1),
        expires_at: now + Duration::from_hours(9),
        ..Session::begin(user.id, id, nonce(0), &SessionPolicy::default(), now.before(Duration::from_hours(1)))
    }
}

fn expired(user: &User) -> Session {
    let session = session(user);
    Session { idle_expires_at: session.created_at, ..session }
}

async fn keep<const N: usize>(operator: &Operator, sessions: [Session; N]) -> [Session; N] {
    for session in &sessions {
        operator.store.create_session(session).await.unwrap();
    }
    sessions
}

fn time(at: UnixTime) -> String {
    Timestamp::from_second(at.seconds().try_into().unwrap()).unwrap().to_string()
}

fn row<'a>(listed: &'a [Value], session: &Session) -> &'a Value {
    listed.iter().find(|row| row["sid"] == session.id.to_string()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_with_their_state() {
    let operator = Operator::start().await;
    let (user, other) = (operator.user("alice").await, operator.user("bob").await);
    let end = End { cause: EndCause::Logout, at: session(&user).created_at };
    let ended = Session { ended: Some(end.clone()), ..session(&user) };
    let [alive, ended, expired, _] = keep(&operator, [session(&user), ended, expired(&user), session(&other)]).await;

    let listed = operator.json(&["session", "list", "alice"]);
    assert_eq!(listed.len(), 3);
    let expected = json!({
        "sid": alive.id,
        "state": "alive",
        "client_id": "app",
        "scope": "profile notes",
        "device": "phone",
        "network": null,
        "created_at": time(alive.created_at),
        "last_used_at": time(alive.newest.made_at),
        "idle_expires_at": time(alive.idle_expires_at),
        "expires_at": time(alive.expires_at),
    });
    assert_eq!(*row(&listed, &alive), expected);
    let row_of_ended = row(&listed, &ended);
    assert_eq!([&row_of_ended["state"], &row_of_ended["cause"]], ["ended", "logout"]);
    assert_eq!(row_of_ended["ended_at"], time(end.at));
    assert_eq!(row(&listed, &expired)["state"], "expired");

    let text = operator.run(&["session", "list", "alice"]);
    let mut lines = text.done().lines();
    let names: Vec<&str> = lines.next().unwrap().split("  ").map(str::trim).filter(|name| !name.is_empty()).collect();
    assert_eq!(names, ["SID", "STATE", "CREATED", "LAST USED", "EXPIRES", "CLIENT", "SCOPE", "DEVICE"]);
    let line = lines.find(|line| line.starts_with(&ended.id.to_string())).unwrap();
    let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    let times = [ended.created_at, ended.newest.made_at, ended.idle_expires_at].map(time);
    let [created, used, expires] = times.each_ref().map(String::as_str);
    assert_eq!(cells[1..], ["ended: logout", created, used, expires, "app", "profile notes", "phone"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_below_the_floor_have_ended() {
    let operator = Operator::start().await;
    let user = operator.user("alice").await;
    keep(&operator, [session(&user)]).await;
    operator.run_with(&["user", "set-password", "alice"], PASSWORD).done();
    let listed = operator.json(&["session", "list", "alice"]);
    assert_eq!([&listed[0]["state"], &listed[0]["cause"]], ["ended", "revoked"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_is_ended_once() {
    let operator = Operator::start().await;
    let user = operator.user("alice").await;
    let [one, other] = keep(&operator, [session(&user), session(&user)]).await;
    let end = ["session", "end", "alice", &one.id.to_string(), "--yes"];
    assert_eq!(operator.json(&end), [json!({"ended": 1})]);
    let ended = operator.store.session(user.id, one.id).await.unwrap().unwrap().ended.unwrap();
    assert_eq!(ended.cause, EndCause::Revoked);
    assert_eq!(operator.json(&end), [json!({"ended": 0})]);
    assert_eq!(operator.run(&end).done(), format!("session {} of \"alice\" had ended already\n", one.id));
    assert_eq!(operator.store.session(user.id, one.id).await.unwrap().unwrap().ended, Some(ended));
    assert_eq!(operator.store.session(user.id, other.id).await.unwrap(), Some(other));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_sessions_are_ended_and_nobody_elses() {
    let operator = Operator::start().await;
    let (user, other) = (operator.user("alice").await, operator.user("bob").await);
    keep(&operator, [(); 6].map(|()| session(&user))).await;
    let [_, others] = keep(&operator, [expired(&user), session(&other)]).await;
    let end = ["session", "end", "alice", "--all", "--yes"];
    assert_eq!(operator.run(&end).done(), "all sessions of \"alice\" ended\n");
    let listed = operator.json(&["session", "list", "alice"]);
    assert_eq!(listed.iter().filter(|row| row["cause"] == "revoked").count(), 7);
    assert_eq!(operator.kept("bob").await, other);
    assert_eq!(row(&operator.json(&["session", "list", "bob"]), &others)["state"], "alive");

    let [begun_since] = keep(&operator, [session(&operator.kept("alice").await)]).await;
    assert_eq!(row(&operator.json(&["session", "list", "alice"]), &begun_since)["state"], "alive");
    assert_eq!(operator.json(&end), [json!({"ended": "all"})]);
    assert_eq!(row(&operator.json(&["session", "list", "alice"]), &begun_since)["state"], "ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_name_stays_on_its_line() {
    let operator = Operator::start().await;
    let user = operator.user("alice").await;
    let device = Some("\u{1b}[2J\nerror: \u{202e}".to_owned());
    keep(&operator, [Session { device, ..session(&user) }]).await;
    let text = operator.run(&["session", "list", "alice"]);
    assert_eq!(text.done().lines().count(), 2);
    assert!(!text.stdout.contains(['\u{1b}', '\u{202e}']), "{text:?}");
}
