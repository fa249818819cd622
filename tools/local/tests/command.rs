//! The command `local`, as its users start and stop it.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_local");

/// A running command; killed at the end, as by a power cut.
struct Running {
    child: Child,
    url: String,
    password: String,
    secret: String,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut child = command(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let url = lines.next().unwrap().strip_prefix("ready ").unwrap().to_owned();
        assert!(lines.next().unwrap().starts_with("dynamodb http://127.0.0.1:"));
        let password = lines.next().unwrap().strip_prefix("demo user demo password ").unwrap().to_owned();
        let secret = lines.next().unwrap().strip_prefix("demo client demo secret ").unwrap().to_owned();
        Self { child, url, password, secret }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.send(path, "application/json", body.to_string()).await
    }

    async fn is_active(&self, token: &Value) -> bool {
        let form = format!("client_id=demo&client_secret={}&token={}", self.secret, token.as_str().unwrap());
        let answer = self.send("/oauth/introspect", "application/x-www-form-urlencoded", form).await;
        answer.get("active") == Some(&Value::Bool(true))
    }

    async fn send(&self, path: &str, content_type: &str, body: String) -> Value {
        let request = reqwest::Client::new().post(format!("{}{path}", self.url)).body(body);
        let answer = request.header("content-type", content_type).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["--port", "0"]).args(arguments).env_remove("LOG_LEVEL");
    command
}

/// Runs a command that is expected to end by itself.
fn output(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// A folder of this test, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn one_line(output: &Output) -> &str {
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "{output:?}");
    let text = str::from_utf8(&output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[tokio::test]
async fn with_data_a_session_outlives_a_kill() {
    let data = folder("kill").join("auth.db");
    let data = data.to_str().unwrap();
    let first = Running::start(&["--data", data]);
    let (password, secret) = (first.password.clone(), first.secret.clone());
    let tokens = first.post("/login", json!({"username": "demo", "password": password})).await;
    drop(first);

    let second = Running::start(&["--data", data]);
    assert_eq!((second.password.as_str(), second.secret.as_str()), (password.as_str(), secret.as_str()));
    assert!(second.is_active(&tokens["refresh_token"]).await);
    second.post("/_local/clock", json!({"advance_seconds": 100})).await;
    let next = second.post("/refresh", json!({"refresh_token": tokens["refresh_token"]})).await;
    assert_ne!(next["refresh_token"], tokens["refresh_token"]);
}

#[test]
fn secrets_are_their_owners_only() {
    let data = folder("secrets").join("auth.db");
    let running = Running::start(&["--data", data.to_str().unwrap()]);
    let secrets = std::fs::metadata(data.with_extension("db.dev")).unwrap();
    assert_eq!(secrets.permissions().mode() & 0o777, 0o600);
    drop(running);
}

#[test]
fn a_taken_port_is_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let refused = Command::new(PROGRAM).args(["--port", &port]).output().unwrap();
    assert!(one_line(&refused).starts_with(&format!("error: port {port}: ")), "{refused:?}");
    let refused = output(&["--dynamodb-port", &port]);
    assert!(one_line(&refused).starts_with(&format!("error: port {port}: ")), "{refused:?}");
}

#[test]
fn a_broken_file_is_one_clear_line() {
    let folder = folder("broken");
    let database = folder.join("broken.db");
    std::fs::write(&database, "this is no database, and never was one\n".repeat(200)).unwrap();
    let refused = output(&["--data", database.to_str().unwrap()]);
    assert!(one_line(&refused).contains("broken.db: "), "{refused:?}");

    let data = folder.join("other.db");
    std::fs::write(folder.join("other.db.dev"), "{").unwrap();
    let refused = output(&["--data", data.to_str().unwrap()]);
    assert!(one_line(&refused).contains("other.db.dev: "), "{refused:?}");

    let nowhere = folder.join("missing").join("x.db");
    let refused = output(&["--data", nowhere.to_str().unwrap()]);
    assert!(one_line(&refused).contains("x.db"), "{refused:?}");
}

#[test]
fn data_without_its_secrets_is_one_clear_line() {
    let data = folder("lost").join("auth.db");
    drop(Running::start(&["--data", data.to_str().unwrap()]));
    std::fs::remove_file(data.with_extension("db.dev")).unwrap();
    let refused = output(&["--data", data.to_str().unwrap()]);
    assert!(one_line(&refused).contains("password is not known"), "{refused:?}");
}

#[test]
fn durations_that_contradict_each_other_are_one_clear_line() {
    let cases = [
        ("REFRESH_REST_SECONDS", "60", "REFRESH_REST_SECONDS must be at least REFRESH_WINDOW_SECONDS + 60"),
        ("ACCESS_TOKEN_TTL_SECONDS", "179", "ACCESS_TOKEN_TTL_SECONDS is not valid: expected 180 to 3600 seconds"),
        ("REFRESH_WINDOW_SECONDS", "ten", "REFRESH_WINDOW_SECONDS is not valid: expected a whole number of seconds"),
    ];
    for (name, value, expected) in cases {
        let refused = command(&[]).env(name, value).output().unwrap();
        assert_eq!(one_line(&refused).trim_end(), format!("error: {expected}"));
    }
}

#[test]
fn a_signal_ends_it_cleanly() {
    for signal in ["INT", "TERM"] {
        let mut running = Running::start(&[]);
        let kill = format!("kill -{signal} {}", running.child.id()); // the shell's own: not every machine has the program
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        assert_eq!(running.child.wait().unwrap().code(), Some(0), "{signal}");
    }
}

#[tokio::test]
async fn each_surface_starts_and_says_where() {
    for (arguments, status) in [
        (&["--surface", "rest-request", "--stage", "dev"][..], 200),
        (&["--surface", "http", "--payload", "1.0", "--authorizer-ttl", "60"], 200),
        (&["--surface", "http", "--identity-source", "$request.header.X-Other"], 401),
        (&["--surface", "websocket"], 200),
    ] {
        let running = Running::start(arguments);
        assert_eq!(running.url.ends_with("/dev"), arguments.contains(&"dev"), "{arguments:?}");
        let tokens = running.post("/login", json!({"username": "demo", "password": running.password})).await;
        let me = reqwest::Client::new()
            .get(format!("{}/me", running.url))
            .bearer_auth(tokens["access_token"].as_str().unwrap());
        assert_eq!(me.send().await.unwrap().status(), status, "{arguments:?}");
    }
}

#[test]
fn cookies_for_pages_of_unnamed_origins_are_one_clear_line() {
    for origins in ["", "*"] {
        let refused = command(&[]).env("COOKIE_MODE", "on").env("ALLOWED_ORIGINS", origins).output().unwrap();
        assert!(
            one_line(&refused).starts_with("error: COOKIE_MODE=on needs ALLOWED_ORIGINS"),
            "{origins}: {refused:?}"
        );
    }
}

#[test]
fn a_gateway_that_there_cannot_be_is_one_clear_line() {
    let cases = [
        (&["--surface", "websocket", "--authorizer-ttl", "1"][..], "WebSocket API has no cache"),
        (&["--identity-source", "$request.querystring.token"], "one identity source, a header field"),
    ];
    for (arguments, expected) in cases {
        assert!(one_line(&output(arguments)).contains(expected), "{arguments:?}");
    }
    for arguments in
        [["--surface", "soap"], ["--stage", "a/b"], ["--identity-source", "Authorization"], ["--payload", "3.0"]]
    {
        assert_eq!(output(&arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn help_explains_every_option() {
    let help = output(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    let text = String::from_utf8(help.stdout).unwrap();
    for option in [
        "--port",
        "--data",
        "--dynamodb-port",
        "--dynamodb-endpoint",
        "--surface",
        "--payload",
        "--identity-source",
        "--authorizer-ttl",
        "--stage",
        "ACCESS_TOKEN_TTL_SECONDS",
    ] {
        assert!(text.contains(option), "{option}");
    }
    assert_eq!(output(&["--no-such-option"]).status.code(), Some(2));
}
