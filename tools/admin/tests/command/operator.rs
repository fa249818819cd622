//! An engine with a table, and the command that is told where it is.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use auth_core::entropy::OsEntropy;
use auth_core::id::UserId;
use auth_core::login::LoginName;
use auth_core::scope::{Roles, Scope};
use auth_core::user::{Status, User};
use auth_dynamodb::store::Store;
use dynoxide::Database;
use serde_json::Value;

pub(crate) const PASSWORD: &str = "correct horse battery staple";

pub(crate) struct Operator {
    pub(crate) endpoint: String,
    pub(crate) store: Store,
}

impl Operator {
    pub(crate) async fn start() -> Self {
        let operator = Self::of(Database::memory().unwrap()).await;
        operator.store.create_table().await.unwrap();
        operator
    }

    pub(crate) async fn of(engine: Database) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(dynoxide::server::serve_on(listener, engine));
        let store = Store::on_loopback(&endpoint, "countersign".to_owned());
        Self { endpoint, store }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(arguments);
        command.args(["--endpoint", &self.endpoint]);
        command
    }

    /// What a command answers, with nothing on its standard input.
    pub(crate) fn run(&self, arguments: &[&str]) -> Answer {
        self.run_with(arguments, "")
    }

    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Answer {
        Answer::of(&mut self.command(arguments), input)
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Vec<Value> {
        Answer::of(self.command(arguments).arg("--json"), "").json()
    }

    /// Keeps a user whose hash no password has.
    pub(crate) async fn user(&self, name: &str) -> User {
        let user = User {
            id: UserId::random(&OsEntropy).unwrap(),
            login_name: LoginName::parse(name).unwrap(),
            status: Status::Active,
            ver: 1,
            floor: 0,
            roles: Roles::default(),
            scope: Scope::default(),
        };
        self.store.create_user(&user, "hash").await.unwrap();
        user
    }

    /// The user as the table has it.
    pub(crate) async fn kept(&self, name: &str) -> User {
        let credentials = self.store.credentials(&LoginName::parse(name).unwrap()).await.unwrap().unwrap();
        self.store.user(credentials.user_id).await.unwrap().unwrap()
    }
}

/// The command in an environment without an account.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_authctl"));
    command.args(arguments).env_clear().env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    pub(crate) fn of(command: &mut Command, input: &str) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // It may end without reading.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
        for text in [&stdout, &stderr] {
            assert!(!text.contains("argon2"), "no hash is told: {text}");
            assert!(input.len() < 7 || !text.contains(input.trim()), "no password is told: {text}");
        }
        Self { code: status.code(), stdout, stderr }
    }

    #[track_caller]
    pub(crate) fn done(&self) -> &str {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        &self.stdout
    }

    /// The objects that were printed, one a line.
    #[track_caller]
    pub(crate) fn json(&self) -> Vec<Value> {
        self.done().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The one line that says what is wrong.
    #[track_caller]
    pub(crate) fn refused(&self, code: i32) -> &str {
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        self.stderr.trim_end().strip_prefix("error: ").unwrap()
    }
}
