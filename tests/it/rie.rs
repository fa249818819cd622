//! The binaries that `sam build` makes, under Amazon's Runtime Interface Emulator and against DynamoDB Local:
//! `tests/real/rie/run` sets both up and names them in the environment.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::collections::BTreeMap;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use auth_core::config::{Variables, environment};
use auth_core::entropy::OsEntropy;
use auth_core::time::{Clock as _, SystemClock};
use local::secrets::Secrets;
use local::stack::{DEMO_CLIENT, DEMO_USER, Options, Stack};
use local::surface::{Attachment, Surface};
use serde_json::{Value, json};

use crate::harness::table_name;
use crate::issuers::Idp;
use crate::outages::instance::Instance;

/// Variables of a process.
pub(crate) type Environment = BTreeMap<&'static str, String>;

#[tokio::test]
#[ignore = "needs what tests/real/rie/run sets up"]
async fn each_binary_answers_under_the_emulator() {
    let bench = Bench::set_up().await;
    let (login, refresh) = (bench.start("Login").await, bench.start("Refresh").await);

    let body = json!({"username": DEMO_USER, "password": bench.demo_password}).to_string();
    let tokens = login.proxy(include_str!("../../events/login.json"), Some(&body)).await.with_status(200);
    assert_eq!(tokens["token_type"], "Bearer");
    let body = json!({"username": DEMO_USER, "password": "another"}).to_string();
    let refused = login.proxy(include_str!("../../events/login.json"), Some(&body)).await.with_status(400);
    assert_eq!(refused["error"], "invalid_grant");

    let body = json!({"refresh_token": tokens["refresh_token"]}).to_string();
    let refreshed = refresh.proxy(include_str!("../../events/refresh.json"), Some(&body)).await.with_status(200);
    assert_ne!(refreshed["access_token"], tokens["access_token"]);
    let refused = refresh.proxy(include_str!("../../events/refresh.json"), None).await.with_status(400);
    assert_eq!(refused["error"], "invalid_grant");

    let authorizer = bench.start("Authorizer").await;
    for (name, event) in events().filter(|(name, _)| name.starts_with("authorizer-")) {
        assert_eq!(authorizer.invoke(&event).await, unauthorized(), "{name}");
        for tokens in [&tokens, &refreshed] {
            let event = event.to_string().replace("PASTE-AN-ACCESS-TOKEN", tokens["access_token"].as_str().unwrap());
            let answer = authorizer.invoke(&serde_json::from_str(&event).unwrap()).await;
            let statements = answer["policyDocument"]["Statement"].as_array().unwrap();
            assert!(!statements.is_empty() && statements.iter().all(|it| it["Effect"] == "Allow"), "{name}: {answer}");
            assert_eq!(answer["principalId"], answer["context"]["sub"], "{name}");
        }
    }

    let introspect = bench.start("Introspect").await;
    let ask = async |token: &Value| {
        let (secret, token) = (&bench.demo_client_secret, token.as_str().unwrap());
        let form = format!("client_id={DEMO_CLIENT}&client_secret={secret}&token={token}");
        introspect.proxy(include_str!("../../events/introspect.json"), Some(&form)).await.with_status(200)
    };
    for token in [&refreshed["access_token"], &refreshed["refresh_token"]] {
        assert_eq!(ask(token).await["active"], true);
    }
    let refused = introspect.proxy(include_str!("../../events/introspect.json"), None).await.with_status(401);
    assert_eq!(refused["error"], "invalid_client");

    let revoke = bench.start("Revoke").await;
    let form = format!("token={}&token_type_hint=access_token", refreshed["access_token"].as_str().unwrap());
    for times in 1..=2 {
        let Answer(answer) = revoke.proxy(include_str!("../../events/revoke-token.json"), Some(&form)).await;
        assert_eq!((&answer["statusCode"], &answer["body"]), (&json!(200), &Value::Null), "{times}: {answer}");
    }
    let body = json!({"refresh_token": refreshed["refresh_token"]}).to_string();
    for times in 1..=2 {
        let answer = revoke.proxy(include_str!("../../events/revoke.json"), Some(&body)).await;
        assert_eq!(answer.0["statusCode"], 204, "{times}: {}", answer.0);
    }
    let refused = refresh.proxy(include_str!("../../events/refresh.json"), Some(&body)).await.with_status(400);
    assert_eq!(refused["error"], "invalid_grant");

    for token in [&refreshed["access_token"], &refreshed["refresh_token"]] {
        assert_eq!(ask(token).await, json!({"active": false}));
    }

    let sessions = bench.start("Sessions").await;
    let me = sessions.proxy(include_str!("../../events/sessions-me.json"), None).await.with_status(200);
    assert_eq!(me["roles"], json!(["member"]));
    let list = sessions.proxy(include_str!("../../events/sessions-list.json"), None).await.with_status(200);
    assert_eq!(list, json!({"sessions": [], "more": false}));
    sessions.proxy(include_str!("../../events/sessions-end.json"), None).await.with_status(404);

    let discovery = bench.start("Discovery").await;
    let jwks = discovery.proxy(include_str!("../../events/discovery.json"), None).await.with_status(200);
    assert_eq!(jwks["keys"][0]["alg"], "RS256");
}

/// Whatever arrives, and at whichever function: a refusal at the most, and the documented error of the authorizer.
#[tokio::test]
#[ignore = "needs what tests/real/rie/run sets up"]
async fn each_binary_takes_every_event() {
    let bench = Bench::set_up().await;
    let odd = [
        json!(null),
        json!([]),
        json!("event"),
        json!({}),
        json!({"httpMethod": null, "headers": null, "multiValueHeaders": {"a\u{0}": [null, 1], "b": "\u{7f}"}, "body": 1}),
        json!({"httpMethod": "POST", "resource": "/login", "body": "%%%", "isBase64Encoded": true}),
        json!({"type": "TOKEN", "authorizationToken": "Bearer x", "methodArn": "*"}),
        json!({"type": "REQUEST", "version": "3.0", "routeArn": "arn:aws:execute-api:r:1:a/s/GET/x", "headers": null}),
    ];
    let odd = odd.into_iter().enumerate().map(|(at, event)| (format!("odd {at}"), event));
    let events: Vec<(String, Value)> = events().chain(odd).collect();
    assert!(events.len() > 15);
    for name in ["Login", "Refresh", "Revoke", "Introspect", "Sessions", "Discovery", "Authorizer"] {
        let function = bench.start(name).await;
        for (event_name, event) in &events {
            let answer = function.invoke(event).await;
            if name == "Authorizer" {
                assert_eq!(answer, unauthorized(), "{name}, {event_name}");
                continue;
            }
            let status = answer["statusCode"].as_u64().unwrap_or_else(|| panic!("{name}, {event_name}: {answer}"));
            assert!((200..500).contains(&status), "{name}, {event_name}: {answer}");
        }
    }
}

#[tokio::test]
#[ignore = "needs what tests/real/rie/run sets up"]
async fn a_missing_variable_ends_the_start() {
    let bench = Bench::set_up().await;
    for (function, variable) in [
        ("Login", "TABLE_NAME"),
        ("Login", "REFRESH_KEYS"),
        ("Refresh", "SIGNING_KEY"),
        ("Revoke", "REFRESH_KEYS"),
        ("Introspect", "REFRESH_KEYS"),
        ("Discovery", "ISSUER"),
        ("RotateKeys", "TABLE_NAME"),
        ("Authorizer", "AUDIENCE"),
    ] {
        bench.is_refused(function, &[(variable, "")], variable);
    }
}

/// `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024`
const RSA_1024: &str = "\
-----BEGIN PRIVATE KEY-----
MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBAK4K/k8rbZKtN4bp
qAHhaqnCM2msM/kvjcGp0LIKFUWi8hIGoZqMtiR53geKxx9DXlh4rq8rGVgdqMSI
lLIg17Gs8ksYCa7KclpsqPDmfkRJkpStB5/RcmMou10kkzkr1nwfnRh22/CIyov9
P0iHxcM0ulLGLhyd6hQi/JHP+6I/AgMBAAECgYAe0D10INk2dcp17Vpcct9ijMpz
dBSDkqLDXeBgFR7tBEtdW6Uy6qS40oa3yR817sR+X2d2BehnzGB74z6IRv5I4MKF
CZVCHdqn4lTqovKz8CkrfCiZywiAfh3tCyDVpfrAabAwrpR1dKqqHdtVy6lc3Ypl
TTuyAJpPU6rpQX6LGQJBAOPhwZF8szhArM6ENz71lJkldns7SCTkYJUHgk9qK2Oi
pR3hGgg8YdzE5qL7pEkPrKBBIaQzIxg+PiILcb2yBRMCQQDDhJgsXyRRxjxjriLJ
8fPeHestUUZRfj7LxzNktOVM0OCjgsw4oaFmoWUuXtTIwfJVCSh9+/ZcS7U32iMV
zM+lAkEAw5fS6AgLX/4LFNrg/FYXLHe+QTl5y8iFqYSfcYBkK4m/hWzfRjBlovMS
LtQkh10/wvEEagZGWhmahOgjwTkaJwJAR+gxK0iGjAizVxnJM6pnvU4Vm2Ij0X7z
y3Bkx2n8VycPJzPIth9DxAIhu08nRPqHjJzEpqkPL1ystnDkrHTZ/QJBAJkwjwl8
Z4MU4NZl1BhNxYrpwN5IrRy5++BhqNmSqYHcR+bCbiL5Xa5YMWf/05NnJFRRZm1e
jjt2854Cfo63lrQ=
-----END PRIVATE KEY-----
";

#[tokio::test]
#[ignore = "needs what tests/real/rie/run sets up"]
async fn a_weak_or_wrong_key_ends_the_start() {
    let bench = Bench::set_up().await;
    let oct = json!({"keys": [{"kty": "oct", "kid": "a", "alg": "HS256", "k": "AQAB"}]}).to_string();
    let one = bench.variables["JWKS"].replace("AQAB", "AQ");
    assert_ne!(one, bench.variables["JWKS"]);
    let secrets = ("KEY_SECRET", "keys");
    for (function, variables, named) in [
        ("Login", &[("SIGNING_KEY", RSA_1024)][..], "SIGNING_KEY"),
        ("Refresh", &[("SIGNING_KEY", "AQAB"), ("SIGNING_ALGORITHM", "HS256")], "SIGNING_KEY"),
        ("Refresh", &[("SIGNING_ALGORITHM", "ES256")], "SIGNING_KEY"),
        ("Revoke", &[("REFRESH_KEYS", "1:AQAB")], "REFRESH_KEYS"),
        ("Introspect", &[("JWKS", &oct)], "JWKS"),
        ("Discovery", &[("JWKS", &one)], "JWKS"),
        ("Authorizer", &[("JWKS", &one)], "JWKS"),
        ("RotateKeys", &[secrets, ("REFRESH_KEY_SECRET", "keys"), ("SIGNING_ALGORITHM", "HS256")], "SIGNING_ALGORITHM"),
        (
            "RotateKeys",
            &[secrets, ("REFRESH_KEY_SECRET", "keys"), ("SIGNING_ALGORITHM", "EdDSA"), ("KEY_CUSTODY", "kms")],
            "KEY_CUSTODY",
        ),
    ] {
        bench.is_refused(function, variables, named);
    }
}

/// No token waits for what the start can bring.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs what tests/real/rie/run sets up"]
async fn keys_of_other_issuers_are_there_before_the_first_event() {
    let mut bench = Bench::set_up().await;
    let idp = Idp::start().await;
    bench.variables.insert("TRUSTED_ISSUERS", json!([idp.terms()]).to_string());
    let log = bench.logs.join("Issuers.log");
    let _waiting = Instance::start(&bench.binary("Authorizer"), &bench.variables, &log).await;
    assert_eq!(idp.fetches(), 1);
}

/// The one error of the authorizer.
fn unauthorized() -> Value {
    json!({"errorType": "Unauthorized", "errorMessage": "Unauthorized"})
}

/// The sample events, by the names of their files.
fn events() -> impl Iterator<Item = (String, Value)> {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../events")).unwrap();
    folder.map(|entry| {
        let file = entry.unwrap();
        let event = serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
        (file.file_name().into_string().unwrap(), event)
    })
}

/// What the functions need: binaries, a table with the demo user and the demo client, keys.
pub(crate) struct Bench {
    binaries: PathBuf,
    pub(crate) logs: PathBuf,
    pub(crate) variables: Environment,
    pub(crate) demo_password: String,
    pub(crate) demo_client_secret: String,
}

fn given(name: &str) -> String {
    environment(name).unwrap_or_else(|| panic!("{name}: see tests/real"))
}

impl Bench {
    pub(crate) async fn set_up() -> Self {
        let [binaries, logs] = ["BINARIES", "LOGS"].map(|name| PathBuf::from(given(name)));
        let (endpoint, table) = (given("DYNAMODB_ENDPOINT"), table_name());

        // The local stack makes the table, the demo user, the demo client and the keys; it never serves.
        let stack = Stack::start(Options {
            port: 0,
            data: None,
            dynamodb_port: 0,
            dynamodb_endpoint: Some(endpoint.parse().unwrap()),
            attachment: Attachment::new(Surface::RestToken),
            stage: None,
            variables: {
                let table = table.clone();
                Box::new(move |name| (name == "TABLE_NAME").then(|| table.clone()))
            },
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
        });
        let Secrets { demo_password, demo_client_secret, signing_key, refresh_keys } = stack.await.unwrap().secrets;
        let key = Variables::new(&|name| (name == "SIGNING_KEY").then(|| signing_key.clone())).signing_key().unwrap();
        let variables = BTreeMap::from([
            ("TABLE_NAME", table),
            ("ISSUER", "https://issuer.example".to_owned()),
            ("AUDIENCE", "https://api.example".to_owned()),
            ("JWKS", json!({"keys": [key.jwk()]}).to_string()),
            ("SIGNING_KEY", signing_key),
            ("REFRESH_KEYS", refresh_keys),
            ("ROUTE_POLICY", r#"{"routes":[{"method":"GET","path":"/me","all_scopes":["profile"]}]}"#.to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", endpoint),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "local".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ]);
        Self { binaries, logs, variables, demo_password, demo_client_secret }
    }

    pub(crate) fn binary(&self, function: &str) -> PathBuf {
        self.binaries.join(function).join("bootstrap")
    }

    async fn start(&self, function: &'static str) -> Emulated {
        let log = File::create(self.logs.join(function).with_extension("log")).unwrap();
        Emulated::start(&PathBuf::from(given("RIE")), &self.binary(function), &self.variables, log).await
    }

    /// That a binary does not start with these variables, and says in one line which one is to blame.
    fn is_refused(&self, function: &str, variables: &[(&str, &str)], named: &str) {
        let mut command = Command::new(self.binary(function));
        command.env_clear().envs(&self.variables).envs(variables.iter().copied()).stdin(Stdio::null());
        let Output { status, stdout, stderr } = command.output().unwrap(); // there is nobody to be invoked by
        let (log, noise) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert_eq!(status.code(), Some(1), "{function}, {named}: {log}");
        assert!(log.lines().count() == 1 && log.contains(named), "{function}, {named}: {log}");
        assert!(noise.is_empty(), "{function}, {named}: {noise}");
        let quoted = variables.iter().find(|(_, value)| value.len() > 8 && log.contains(value));
        assert_eq!(quoted, None, "{function}, {named}: {log}");
    }
}

/// A function under its own emulator, which ends with this value.
struct Emulated {
    process: Child,
    invocations: String,
}

impl Emulated {
    async fn start(emulator: &Path, binary: &Path, variables: &Environment, log: File) -> Self {
        let [gateway, runtime] = free_addresses();
        let process = Command::new(emulator)
            .args(["--log-level", "error", "--runtime-interface-emulator-address", &gateway])
            .args(["--runtime-api-address", &runtime])
            .arg(binary)
            .env_clear()
            .envs(variables)
            .env("AWS_LAMBDA_FUNCTION_TIMEOUT", "10")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let emulated =
            Self { process, invocations: format!("http://{gateway}/2015-03-31/functions/function/invocations") };
        for _ in 0..100 {
            if tokio::net::TcpStream::connect(&gateway).await.is_ok() {
                return emulated;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the emulator does not listen at {gateway}");
    }

    async fn invoke(&self, event: &Value) -> Value {
        let response = reqwest::Client::new().post(&self.invocations).json(event).send().await.unwrap();
        assert_eq!(response.status(), 200, "the emulator itself");
        response.json().await.unwrap()
    }

    /// Invokes with a sample event that arrives now, with another body if one is given.
    async fn proxy(&self, event: &str, body: Option<&str>) -> Answer {
        let mut event: Value = serde_json::from_str(event).unwrap();
        event["requestContext"]["requestTimeEpoch"] = SystemClock.now().millis().into();
        if let Some(body) = body {
            event["body"] = body.into();
        }
        Answer(self.invoke(&event).await)
    }
}

impl Drop for Emulated {
    fn drop(&mut self) {
        // The function ends by itself when its runtime API is gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a function answers to the gateway.
struct Answer(Value);

impl Answer {
    /// The body, if that is the status.
    fn with_status(&self, status: u16) -> Value {
        let Self(answer) = self;
        assert_eq!(answer["statusCode"], status, "{answer}");
        serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
    }
}

fn free_addresses() -> [String; 2] {
    // Both are held until both are known.
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().to_string())
}
