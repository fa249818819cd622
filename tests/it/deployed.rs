//! The stack as `sam deploy` and `sam local` set it up, through gateways that others wrote: `tests/real/deploy` and
//! `tests/real/sam-local` set them up. Here time is the machine's own.

use std::fs::File;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use auth_core::config::environment;
use auth_core::entropy::OsEntropy;
use auth_core::id::UserId;
use auth_core::scope::Scope;
use auth_dynamodb::store::Store;
use auth_password::hasher::Parameters;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::login::{PASSWORD, create};
use crate::rie::Bench;

/// The default of `MAX_STALENESS_SECONDS`.
const BOUND: Duration = Duration::from_secs(15);

fn given(name: &str) -> String {
    environment(name).unwrap_or_else(|| panic!("{name}: see tests/real"))
}

/// How a gateway differs from Amazon's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gateway {
    /// Knows no gateway responses: its own answers are those of a gateway that was told nothing.
    MiniStack,
    /// The same; the error `Unauthorized` of an authorizer is a 502 to it, and it does not look at denials in policies.
    SamLocal,
}

struct Deployed {
    gateway: Gateway,
    url: String,
    issuer: String,
    client: Client,
    /// All that a user of the template's route policy may have.
    member: String,
    /// Whose scope does not reach `/me`.
    guest: String,
}

struct Answer {
    status: StatusCode,
    body: Value,
}

/// A new user with this scope.
async fn user(store: &Store, scope: &str) -> String {
    let name = format!("user-{}", UserId::random(&OsEntropy).unwrap());
    create(store, &name, Parameters::default(), |user| user.scope = Scope::parse(scope).unwrap()).await;
    name
}

impl Deployed {
    /// The stack that the environment leads to.
    async fn given() -> Self {
        let store = Store::on_loopback(&given("DYNAMODB_ENDPOINT"), given("TABLE_NAME"));
        Self::at(Gateway::MiniStack, given("URL"), given("ISSUER"), &store).await
    }

    async fn at(gateway: Gateway, url: String, issuer: String, store: &Store) -> Self {
        let [member, guest] = [user(store, "profile notes").await, user(store, "notes").await];
        Self { gateway, url, issuer, client: Client::new(), member, guest }
    }

    async fn send(&self, method: Method, path: &str, access: Option<&str>, body: Option<&Value>) -> Answer {
        let request = self.client.request(method, format!("{}{path}", self.url));
        let request = access.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
        let request = body.into_iter().fold(request, reqwest::RequestBuilder::json);
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    async fn get(&self, path: &str, access: Option<&str>) -> Answer {
        self.send(Method::GET, path, access, None).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, None, Some(body)).await
    }

    /// The tokens of a user: access, refresh.
    async fn sign_in(&self, name: &str) -> [String; 2] {
        self.post("/login", &json!({"username": name, "password": PASSWORD})).await.tokens()
    }

    /// What a token is answered with that is not good.
    const fn unauthorized(&self) -> StatusCode {
        match self.gateway {
            Gateway::MiniStack => StatusCode::UNAUTHORIZED,
            Gateway::SamLocal => StatusCode::BAD_GATEWAY,
        }
    }

    /// What a token is answered with whose scope does not reach.
    const fn forbidden(&self) -> StatusCode {
        match self.gateway {
            Gateway::MiniStack => StatusCode::FORBIDDEN,
            Gateway::SamLocal => StatusCode::OK,
        }
    }
}

impl Answer {
    #[track_caller]
    fn with(self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    #[track_caller]
    fn tokens(self) -> [String; 2] {
        let body = self.with(StatusCode::OK);
        ["access_token", "refresh_token"].map(|name| body[name].as_str().unwrap().to_owned())
    }
}

impl Deployed {
    /// Login, protected routes, denials, refresh.
    async fn walk(&self) {
        let jwks = self.get("/.well-known/jwks.json", None).await.with(StatusCode::OK);
        assert_eq!(jwks["keys"][0]["kty"], "RSA");
        let metadata = self.get("/.well-known/oauth-authorization-server", None).await.with(StatusCode::OK);
        assert_eq!(metadata["issuer"], self.issuer);

        let wrong = self.post("/login", &json!({"username": self.member, "password": "another one"})).await;
        assert_eq!(wrong.with(StatusCode::BAD_REQUEST)["error"], "invalid_grant");
        let [access, refresh] = self.sign_in(&self.member).await;

        // A policy that was made for one route, and kept, would close the others.
        let me = self.get("/me", Some(&access)).await.with(StatusCode::OK);
        let sessions = self.get("/sessions", Some(&access)).await.with(StatusCode::OK);
        assert_eq!(sessions["sessions"][0]["sid"], me["sid"], "{sessions}");
        self.get("/me", Some(&access)).await.with(StatusCode::OK);

        self.get("/me", None).await.with(StatusCode::UNAUTHORIZED);
        self.get("/me", Some("a.b.c")).await.with(self.unauthorized());
        self.get("/me", Some(&refresh)).await.with(self.unauthorized());

        // The scope does not reach /me. The rest is open.
        let [narrow, _] = self.sign_in(&self.guest).await;
        self.get("/me", Some(&narrow)).await.with(self.forbidden());
        self.get("/sessions", Some(&narrow)).await.with(StatusCode::OK);

        let [newer, kept] = self.post("/refresh", &json!({"refresh_token": refresh})).await.tokens();
        assert_eq!(kept, refresh, "too young to be used up");
        self.get("/me", Some(&newer)).await.with(StatusCode::OK);
    }

    /// How long after a logout was acknowledged its access token was let in for the last time.
    async fn sign_out(&self) -> Duration {
        let [[access, refresh], [other, _]] = [self.sign_in(&self.member).await, self.sign_in(&self.member).await];
        self.get("/me", Some(&access)).await.with(StatusCode::OK);
        self.post("/logout", &json!({"refresh_token": refresh})).await.with(StatusCode::NO_CONTENT);
        let ended = Instant::now();
        let refused = self.post("/refresh", &json!({"refresh_token": refresh})).await;
        assert_eq!(refused.with(StatusCode::BAD_REQUEST)["error"], "invalid_grant");
        // There may be several instances, and each sees it by itself.
        let mut seen = Duration::ZERO;
        while ended.elapsed() < BOUND {
            if self.get("/me", Some(&access)).await.status == StatusCode::OK {
                seen = ended.elapsed();
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        for _ in 0..10 {
            self.get("/me", Some(&access)).await.with(self.unauthorized());
        }
        self.get("/me", Some(&other)).await.with(StatusCode::OK);
        seen
    }
}

#[tokio::test]
#[ignore = "needs what tests/real/deploy/run sets up"]
async fn a_walk_through_the_routes_of_a_stack() {
    Deployed::given().await.walk().await;
}

#[tokio::test]
#[ignore = "needs what tests/real/deploy/run sets up"]
async fn after_a_logout_from_a_stack_its_token_is_refused_within_the_bound() {
    println!("let in for the last time after {:.1?}", Deployed::given().await.sign_out().await);
}

/// The examples: gateways of somebody else's, to which the authorizer is attached.
#[tokio::test]
#[ignore = "needs what tests/real/deploy/run sets up"]
async fn own_gateways_let_in_and_refuse() {
    let api = Deployed::given().await;
    let ([access, refresh], [narrow, _]) = (api.sign_in(&api.member).await, api.sign_in(&api.guest).await);
    for kind in ["REST_TOKEN", "REST_REQUEST", "HTTP_API"] {
        let at = async |access: Option<&str>| {
            let request = access.into_iter().fold(api.client.get(given(kind)), reqwest::RequestBuilder::bearer_auth);
            request.send().await.unwrap().status()
        };
        let refusals = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
        assert!(!refusals.contains(&at(Some(&access)).await), "{kind}");
        assert_eq!(at(Some(&narrow)).await, StatusCode::FORBIDDEN, "{kind}");
        assert_eq!(at(None).await, StatusCode::UNAUTHORIZED, "{kind}");
        // To MiniStack, every error of an HTTP API's authorizer is a fault.
        let is_http = kind == "HTTP_API";
        let refused = if is_http { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::UNAUTHORIZED };
        for token in ["a.b.c", refresh.as_str()] {
            assert_eq!(at(Some(token)).await, refused, "{kind}: {token}");
        }
    }
}

#[tokio::test]
#[ignore = "needs what tests/real/sam-local/run sets up"]
async fn sam_local_answers_as_the_stack_does() {
    let bench = Bench::set_up().await;
    let sam_local = SamLocal::start(&bench).await;
    let endpoint = &bench.variables["AWS_ENDPOINT_URL_DYNAMODB"];
    let store = Store::on_loopback(endpoint, bench.variables["TABLE_NAME"].clone());
    let api = Deployed::at(Gateway::SamLocal, sam_local.url.clone(), bench.variables["ISSUER"].clone(), &store).await;
    api.walk().await;
    println!("let in for the last time after {:.1?}", api.sign_out().await);
}

/// `sam local start-api`, which ends with this value.
struct SamLocal {
    process: Child,
    url: String,
}

impl SamLocal {
    async fn start(bench: &Bench) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let file = bench.logs.join("variables.json");
        let mut variables = bench.variables.clone();
        // The template's own leads from within a container to this machine.
        variables.remove("AWS_ENDPOINT_URL_DYNAMODB");
        // There is no Secrets Manager, so the keys are those of the variables. Of both kinds, none would do.
        variables.extend(["KEY_SECRET", "REFRESH_KEY_SECRET"].map(|name| (name, String::new())));
        std::fs::write(&file, json!({"Parameters": variables}).to_string()).unwrap();
        let log = File::create(bench.logs.join("sam.log")).unwrap();
        let process = Command::new("sam")
            .args(["local", "start-api", "--warm-containers", "EAGER", "--host", "127.0.0.1"])
            .args(environment("SKIP_PULL"))
            .args(["--parameter-overrides", &format!("Architecture={}", given("ARCHITECTURE"))])
            .args(["--add-host", "host.docker.internal:host-gateway", "--port", &address.port().to_string()])
            .args(["--template", &given("TEMPLATE"), "--env-vars"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let sam_local = Self { process, url: format!("http://{address}") };
        for _ in 0..600 {
            if tokio::net::TcpStream::connect(address).await.is_ok() {
                return sam_local;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("sam local does not listen at {address}");
    }
}

impl Drop for SamLocal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
