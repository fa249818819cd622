//! How long a revocation takes until a warm authorizer refuses: tokens that are used all the time are revoked in several ways on
//! a running stack, by its own clock, and the time from the acknowledgement to the first 401 is measured.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures and prints")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth_core::entropy::{Entropy, OsEntropy};
use auth_core::id::{SessionId, UserId};
use auth_core::login::LoginName;
use auth_core::scope::{Roles, Scope};
use auth_core::session::{End, EndCause};
use auth_core::time::{Clock as _, SystemClock};
use auth_core::user::{Status, User};
use auth_dynamodb::change::Change;
use auth_dynamodb::store::Store;
use auth_dynamodb::user::Creation;
use auth_password::hasher::{Hasher, Parameters};
use auth_password::password::{MIN_LENGTH, Password};
use local::stack::{Options, Stack};
use local::surface::{Attachment, Surface};
use reqwest::Client;
use serde_json::{Value, json};

const TRIES: usize = 200;
/// Over so long, the tries begin.
const SPREAD: Duration = Duration::from_secs(60);
const EVERY: Duration = Duration::from_millis(200);
const PASSWORD: &str = "correct horse battery staple";

/// What is done to a user whose access token is good.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// `POST /logout`, all the way over HTTP.
    Logout,
    /// What `authctl revoke --session` does.
    Session,
    /// What `authctl revoke --user` does.
    User,
    /// What `authctl user set-roles` does.
    Roles,
}

const WAYS: [Way; 4] = [Way::Logout, Way::Session, Way::User, Way::Roles];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // Cargo gives `--bench` when it measures, and nothing when it tests.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let stack = Stack::start(Options {
        port: 0,
        data: None,
        dynamodb_port: 0,
        dynamodb_endpoint: None,
        attachment: Attachment::new(Surface::RestToken),
        stage: None,
        variables: Box::new(|_| None),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
    });
    let stack = stack.await.unwrap();
    let (url, store) = (stack.url.clone(), stack.store.clone());
    tokio::spawn(stack.serve(std::future::pending()));
    let hash = Hasher::new(Parameters::default());
    let hash = hash.hash(&Password::chosen(PASSWORD, MIN_LENGTH).unwrap(), &OsEntropy).unwrap();
    println!("| revoked by | tries | median | worst |");
    println!("|---|---|---|---|");
    for way in WAYS {
        let tries = (0..TRIES / WAYS.len()).map(|number| {
            let (url, store, hash) = (url.clone(), store.clone(), hash.clone());
            tokio::spawn(async move { refused_after(way, number, &url, &store, &hash).await })
        });
        let mut took = Vec::new();
        for one in tries.collect::<Vec<_>>() {
            took.push(one.await.unwrap());
        }
        took.sort_unstable();
        let (median, worst) = (took.get(took.len() / 2).unwrap(), took.last().unwrap());
        println!("| {way:?} | {} | {median:.1?} | {worst:.1?} |", took.len());
    }
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
async fn refused_after(way: Way, number: usize, url: &str, store: &Store, hash: &str) -> Duration {
    let user = create_user(store, &format!("{way:?}-{number}"), hash).await;
    let client = Client::new();
    let login = json!({"username": user.login_name.as_str(), "password": PASSWORD});
    let tokens = client.post(format!("{url}/login")).json(&login).send().await.unwrap();
    let tokens: Value = tokens.json().await.unwrap();
    let [access, refresh] = ["access_token", "refresh_token"].map(|name| member(&tokens, name));
    let me = async || client.get(format!("{url}/me")).bearer_auth(&access).send().await.unwrap();
    let sid = member(&me().await.json().await.unwrap(), "sid");
    let begins = Instant::now() + SPREAD.mul_f64(f64::from(random()) / f64::from(u32::MAX));
    while Instant::now() < begins {
        assert_eq!(me().await.status(), 200);
        tokio::time::sleep(EVERY).await;
    }
    let now = SystemClock.now();
    match way {
        Way::Logout => {
            let body = json!({"refresh_token": refresh});
            let answer = client.post(format!("{url}/logout")).json(&body).send().await.unwrap();
            assert_eq!(answer.status(), 204);
        }
        Way::Session => {
            let end = End { cause: EndCause::Revoked, at: now };
            drop(store.end_session(user.id, SessionId::parse(&sid).unwrap(), &end, now).await.unwrap());
        }
        Way::User => drop(store.end_all_sessions(&user, now).await.unwrap()),
        Way::Roles => {
            drop(store.change_user(&user, Change::Roles(Roles::parse("chief").unwrap()), now).await.unwrap());
        }
    }
    let acknowledged = Instant::now();
    while me().await.status() == 200 {
        tokio::time::sleep(EVERY).await;
    }
    acknowledged.elapsed()
}

fn member(answer: &Value, name: &str) -> String {
    answer.get(name).and_then(Value::as_str).unwrap().to_owned()
}

async fn create_user(store: &Store, name: &str, hash: &str) -> User {
    let user = User {
        id: UserId::random(&OsEntropy).unwrap(),
        login_name: LoginName::parse(name).unwrap(),
        status: Status::Active,
        ver: SystemClock.now().millis(),
        floor: 0,
        roles: Roles::default(),
        scope: Scope::parse("profile").unwrap(),
    };
    assert_eq!(store.create_user(&user, hash).await.unwrap(), Creation::Created);
    user
}

fn random() -> u32 {
    u32::from_le_bytes((&OsEntropy as &dyn Entropy).draw().unwrap())
}
