//! Tokens of other issuers, at the gateway: let in by mapped rights, refused each for its reason, never taken for ours.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use auth_core::config::Variables;
use auth_core::entropy::OsEntropy;
use auth_core::generate;
use auth_core::key::SigningKey;
use auth_core::time::{Clock as _, ManualClock};
use authorizer::config::Config;
use authorizer::{App, Refusal};
use axum::Router;
use axum::extract::State;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use local::surface::{Attachment, Payload, Surface};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::harness::{Answer, Api, SECOND, START, engine};
use crate::log;
use crate::wire::{Fault, Wire};

const ALGORITHMS: [&str; 3] = ["RS256", "ES256", "EdDSA"];

/// Reading takes a role, posting a scope; `/me` and `/sessions` are open to all good tokens, so that their own refusal is seen.
const POLICY: &str = r#"{"routes":[
    {"method":"POST","path":"/me","all_scopes":["notes:write"]},
    {"method":"PUT","path":"/me","any_roles":["admin"]}
]}"#;

/// Another issuer, on loopback.
pub(crate) struct Idp {
    iss: String,
    keys: Vec<(SigningKey, &'static str)>,
    shown: Arc<Shown>,
}

/// What it shows to whoever asks for its keys, and how often it was asked.
struct Shown {
    set: Mutex<String>,
    fetches: AtomicUsize,
}

impl Idp {
    pub(crate) async fn start() -> Self {
        let keys = ALGORITHMS.map(|algorithm| (signing_key(algorithm), algorithm)).into();
        let shown = Arc::new(Shown { set: Mutex::default(), fetches: AtomicUsize::new(0) });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let iss = format!("http://{}", listener.local_addr().unwrap());
        let keys_page = async |State(shown): State<Arc<Shown>>| {
            shown.fetches.fetch_add(1, Ordering::SeqCst);
            shown.set.lock().unwrap().clone()
        };
        let router = Router::new().fallback(keys_page).with_state(Arc::clone(&shown));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let idp = Self { iss, keys, shown };
        idp.publish();
        idp
    }

    fn jwks(&self) -> Value {
        let jwk = |(key, kid): &(SigningKey, &str)| {
            let mut jwk = serde_json::to_value(key.jwk()).unwrap();
            jwk["kid"] = (*kid).into();
            jwk
        };
        json!({"keys": self.keys.iter().map(jwk).collect::<Value>()})
    }

    fn publish(&self) {
        *self.shown.set.lock().unwrap() = self.jwks().to_string();
    }

    fn breaks(&self) {
        *self.shown.set.lock().unwrap() = String::from("<html>maintenance</html>");
    }

    /// How we trust it: a part of its words means something here.
    pub(crate) fn terms(&self) -> Value {
        json!({
            "issuer": self.iss,
            "audience": "urn:api",
            "algorithms": ALGORITHMS,
            "jwks_uri": format!("{}/keys", self.iss),
            "claims": {"scope": "scp", "roles": ["realm_access", "roles"], "client_id": "azp"},
            "scopes": {"Notes.Write": "notes:write"},
            "roles": {"Domain Admins": "admin"},
        })
    }

    fn claims(&self) -> Value {
        let now = START.seconds();
        json!({
            "iss": self.iss, "aud": ["urn:api", "urn:other"], "sub": "idp|alice", "azp": "spa",
            "iat": now, "exp": now + 3600, "jti": "t-1", "scp": "Notes.Write openid",
            "realm_access": {"roles": ["Domain Admins", "user"]},
        })
    }

    fn token(&self, algorithm: &str, claims: &Value) -> String {
        self.token_under(&json!({"alg": algorithm, "kid": algorithm, "typ": "JWT"}), algorithm, claims)
    }

    fn token_under(&self, header: &Value, algorithm: &str, claims: &Value) -> String {
        let (key, _) = self.keys.iter().find(|(_, kid)| *kid == algorithm).unwrap();
        sign(key, header, claims)
    }

    /// Since the last time that this was asked.
    pub(crate) fn fetches(&self) -> usize {
        self.shown.fetches.swap(0, Ordering::SeqCst)
    }
}

fn signing_key(algorithm: &str) -> SigningKey {
    read_key(algorithm, &generate::signing_key(algorithm, &OsEntropy).unwrap())
}

fn read_key(algorithm: &str, text: &str) -> SigningKey {
    let look_up = |name: &str| Some(if name == "SIGNING_KEY" { text } else { algorithm }.to_owned());
    Variables::new(&look_up).signing_key().unwrap()
}

fn sign(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let encode = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = BASE64_URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()).unwrap());
    format!("{message}.{signature}")
}

/// The same token with another character in its signature.
fn one_character_else(token: &str) -> String {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{message}.{first}{}", &signature[1..])
}

/// The same but for these members.
fn with(mut object: Value, members: &Value) -> Value {
    object.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    object.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    object
}

async fn start(surface: Surface, endpoint: String, idp: &Idp) -> Api {
    let trusted = json!([idp.terms()]).to_string();
    let simple = if surface == Surface::Http(Payload::Two { simple: true }) { "on" } else { "off" };
    let variables = [("TRUSTED_ISSUERS", trusted.as_str()), ("ROUTE_POLICY", POLICY), ("SIMPLE_RESPONSES", simple)];
    Api::start_behind(Attachment::new(surface), None, endpoint, &variables).await
}

async fn call(api: &Api, method: Method, path: &str, token: &str) -> Answer {
    api.send(method, path, &[("authorization", &format!("Bearer {token}"))], b"").await
}

/// 405 is the function's own answer to a caller whom the gateway let in.
async fn post(api: &Api, token: &str) -> u16 {
    call(api, Method::POST, "/me", token).await.status.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_every_surface_another_issuers_token_has_its_mapped_rights() {
    let idp = Idp::start().await;
    let http = |payload| Surface::Http(payload);
    let (iam, simple) = (Payload::Two { simple: false }, Payload::Two { simple: true });
    let surfaces = [Surface::RestToken, Surface::RestRequest, http(Payload::One), http(iam), http(simple)];
    for surface in surfaces {
        let api = start(surface, engine().await, &idp).await;
        for algorithm in ALGORITHMS {
            let token = idp.token(algorithm, &idp.claims());
            assert_eq!(post(&api, &token).await, 405, "{surface:?} {algorithm}: let in");
            assert_eq!(call(&api, Method::PUT, "/me", &token).await.status, 405, "{surface:?} {algorithm}: let in");
        }
        assert_eq!(idp.fetches(), 1, "{surface:?}");
        let cases = [
            ("no scope", json!({"scp": null}), 403, 405),
            ("a scope of our spelling, which is none of theirs", json!({"scp": "notes:write"}), 403, 405),
            ("in a claim that is not asked", json!({"scp": null, "scope": "Notes.Write"}), 403, 405),
            ("no role", json!({"realm_access": null}), 405, 403),
            ("another role", json!({"realm_access": {"roles": ["admin", "Domain Admin"]}}), 405, 403),
            ("a role in a claim that is not asked", json!({"realm_access": null, "roles": ["admin"]}), 405, 403),
        ];
        for (name, members, posted, put) in cases {
            let token = idp.token("EdDSA", &with(idp.claims(), &members));
            assert_eq!(post(&api, &token).await, posted, "{surface:?}, {name}");
            assert_eq!(call(&api, Method::PUT, "/me", &token).await.status, put, "{surface:?}, {name}");
        }
        let own = api.login().await.access;
        assert_eq!(api.me(&own).await.status, 200, "{surface:?}: ours are what they were");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_is_the_same_401() {
    let idp = Idp::start().await;
    let api = start(Surface::RestToken, engine().await, &idp).await;
    let ours = read_key("RS256", &api.signing_key);
    let now = START.seconds();
    let claims = |members: Value| idp.token("ES256", &with(idp.claims(), &members));
    let header = |members: Value| {
        let header = with(json!({"alg": "ES256", "kid": "ES256", "typ": "JWT"}), &members);
        idp.token_under(&header, "ES256", &idp.claims())
    };
    let stranger = signing_key("ES256");
    let es256 = json!({"alg": "ES256", "kid": "ES256", "typ": "JWT"});
    let our_header = json!({"alg": "RS256", "kid": ours.kid(), "typ": "at+jwt"});
    let user = json!({
        "iss": api.url, "aud": "local-api", "sub": "s", "sid": "s", "jti": "j", "client_id": "c", "ver": 1,
        "iat": now, "exp": now + 600, "scope": "notes:write", "roles": ["admin"],
    });
    assert_eq!(post(&api, &claims(json!({}))).await, 405, "a good one");
    assert_eq!(post(&api, &sign(&ours, &our_header, &user)).await, 405, "and a good one of ours");
    let cases = [
        ("an issuer whom nobody knows", claims(json!({"iss": "https://idp.example"}))),
        ("no issuer", claims(json!({"iss": null}))),
        ("another audience", claims(json!({"aud": "urn:other"}))),
        ("our own audience", claims(json!({"aud": "local-api"}))),
        ("no audience", claims(json!({"aud": null}))),
        ("expired", claims(json!({"exp": now - 30}))),
        ("not valid yet", claims(json!({"nbf": now + 31}))),
        ("for too long", claims(json!({"exp": now + 86_401}))),
        ("bound to a key", claims(json!({"cnf": {"jkt": "x"}}))),
        ("nobody", claims(json!({"sub": null}))),
        ("another type", header(json!({"typ": "id+jwt"}))),
        ("no type", header(json!({"typ": null}))),
        ("another algorithm", header(json!({"alg": "RS256"}))),
        ("none", header(json!({"alg": "none"}))),
        ("a shared key", header(json!({"alg": "HS256"}))),
        ("an unknown key", header(json!({"kid": "other"}))),
        ("no key", header(json!({"kid": null}))),
        ("a key in the token", header(json!({"jwk": stranger.jwk()}))),
        ("somebody else's signature", sign(&stranger, &es256, &idp.claims())),
        ("theirs for a user of ours", idp.token("RS256", &user)),
        ("theirs under the name of our key", idp.token_under(&our_header, "RS256", &user)),
        ("ours in their name", sign(&ours, &our_header, &idp.claims())),
        (
            "ours in their name, under the name of their key",
            sign(&ours, &with(es256.clone(), &json!({"alg": "RS256", "kid": "RS256"})), &idp.claims()),
        ),
    ];
    let ours_but =
        |header: Value, claims: Value| sign(&ours, &with(our_header.clone(), &header), &with(user.clone(), &claims));
    let (header, claims) = (|members| ours_but(members, json!({})), |members| ours_but(json!({}), members));
    let own = [
        ("another audience", claims(json!({"aud": "urn:api"}))),
        ("a part of our audience", claims(json!({"aud": "local"}))),
        ("our issuer with a slash", claims(json!({"iss": format!("{}/", api.url)}))),
        ("expired", claims(json!({"iat": now - 640, "exp": now - 30}))),
        ("not valid yet", claims(json!({"nbf": now + 31}))),
        ("bound to a key", claims(json!({"cnf": {"jkt": "x"}}))),
        ("nobody", claims(json!({"sub": ""}))),
        ("the type of any JWT", header(json!({"typ": "JWT"}))),
        ("no type", header(json!({"typ": null}))),
        ("a one-time token", header(json!({"typ": "one-time+jwt"}))),
        ("none", header(json!({"alg": "none"}))),
        ("another padding", header(json!({"alg": "PS256"}))),
        ("another algorithm", header(json!({"alg": "ES256"}))),
        ("an unknown key", header(json!({"kid": "other"}))),
        ("no key", header(json!({"kid": null}))),
        ("a key in the token", header(json!({"jwk": ours.jwk()}))),
        ("an extension", header(json!({"crit": ["exp"]}))),
        ("one character of the signature", one_character_else(&claims(json!({})))),
        ("somebody else's signature", sign(&stranger, &our_header, &user)),
    ];
    let answer = async |token: &str| {
        let mut answer = call(&api, Method::POST, "/me", token).await;
        answer.headers.remove("date");
        answer
    };
    let first = answer("garbage").await;
    assert_eq!(first.status, 401);
    let own = own.map(|(name, token)| (format!("ours: {name}"), token));
    for (name, token) in cases.map(|(name, token)| (name.to_owned(), token)).into_iter().chain(own) {
        let refused = answer(&token).await;
        assert_eq!((refused.status.as_u16(), &refused.text), (401, &first.text), "{name}");
        assert_eq!(refused.headers, first.headers, "{name}");
    }
}

/// Whoever bears another issuer's word is no user of ours, however his name is spelled.
#[tokio::test(flavor = "multi_thread")]
async fn another_issuers_subject_is_no_user_of_ours() {
    let idp = Idp::start().await;
    let api = start(Surface::RestToken, engine().await, &idp).await;
    let own = api.login().await.access;
    let (user_id, session_id) = api.session_of(&own).await;
    let twin = json!({"sub": user_id.to_string(), "sid": session_id.to_string(), "ver": 1, "client_id": "default"});
    let token = idp.token("EdDSA", &with(idp.claims(), &twin));
    let session = format!("/sessions/{session_id}");
    for (method, path) in [(Method::GET, "/me"), (Method::GET, "/sessions"), (Method::DELETE, session.as_str())] {
        let refused = call(&api, method.clone(), path, &token).await;
        assert_eq!(refused.status, 403, "{method} {path}: {refused:?}");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer error=\"insufficient_scope\""));
        assert!(!refused.text.contains(&user_id.to_string()) && !refused.text.contains(&session_id.to_string()));
    }
    assert_eq!(api.me(&own).await.status, 200, "the session lives");
    // Nor does its token end anything where ours would.
    for body in [json!({}), json!({"sessions": "all"})] {
        let headers = [("authorization", format!("Bearer {token}")), ("content-type", "application/json".to_owned())];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        let refused = api.send(Method::POST, "/logout", &headers, body.to_string().as_bytes()).await;
        assert_eq!(refused.status, 401, "{refused:?}");
    }
    assert_eq!(api.introspect(&token).await.json(), json!({"active": false}));
    assert_eq!(api.me(&own).await.status, 200);
}

/// An authorizer that reads no table.
fn alone(trusted: &Value) -> App {
    let own = json!({"keys": [signing_key("EdDSA").jwk()]}).to_string();
    let look_up = |name: &str| match name {
        "ISSUER" => Some("https://auth.example".to_owned()),
        "AUDIENCE" => Some("api".to_owned()),
        "JWKS" => Some(own.clone()),
        "REVOCATION" => Some("off".to_owned()),
        "TRUSTED_ISSUERS" => Some(trusted.to_string()),
        _ => None,
    };
    App::new(Config::from_variables(&Variables::new(&look_up)).unwrap(), None, Arc::new(ManualClock::new(START)))
}

async fn ask(app: &App, token: &str) -> Result<Value, Refusal> {
    let arn = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod/GET/x";
    let event = json!({"type": "REQUEST", "methodArn": arn, "headers": {"authorization": format!("Bearer {token}")}});
    app.authorize(&event).await.map(|answer| serde_json::to_value(answer).unwrap())
}

/// What the gateway is told, to the letter.
#[tokio::test]
async fn what_is_handed_on_names_the_issuer() {
    let idp = Idp::start().await;
    let mut terms = idp.terms();
    terms.as_object_mut().unwrap().remove("jwks_uri");
    terms["jwks"] = idp.jwks();
    let app = alone(&json!([terms]));
    let ask = async |claims: &Value| ask(&app, &idp.token("EdDSA", claims)).await.unwrap();
    let answer = ask(&idp.claims()).await;
    assert_eq!(answer["principalId"], format!("{}|idp|alice", idp.iss));
    let context = json!({
        "iss": idp.iss, "sub": "idp|alice", "client_id": "spa", "scope": "notes:write", "roles": "admin", "jti": "t-1",
        "exp": (START.seconds() + 3600).to_string(),
    });
    assert_eq!(answer["context"], context);
    let least = json!({"azp": null, "scp": null, "realm_access": null, "jti": null, "sid": "s", "ver": "1"});
    let answer = ask(&with(idp.claims(), &least)).await;
    let context = json!({"iss": idp.iss, "sub": "idp|alice", "scope": "", "roles": "", "exp": context["exp"]});
    assert_eq!(answer["context"], context);

    // The most that there can be is still no more than the gateway takes.
    let long = "\"".repeat(256);
    let most = json!({"sub": long, "azp": long, "jti": long});
    assert!(serde_json::to_vec(&ask(&with(idp.claims(), &most)).await).unwrap().len() < 8 * 1024);
}

/// The entries of `docs/authorizer.md`, each with a token as that provider makes it, and one that is no access token of that API.
#[tokio::test]
async fn what_the_documents_say_of_providers_is_so() {
    let document = include_str!("../../docs/authorizer.md");
    let section = document.split("## Tokens of other issuers").nth(1).unwrap().split("\n## ").next().unwrap();
    let blocks = section.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let entries: Vec<Value> = blocks.flat_map(|block| serde_json::from_str::<Vec<Value>>(block).unwrap()).collect();
    let key = signing_key("RS256");
    let azp = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
    let cases = [
        (
            json!({}),
            json!({"client_id": "1example23456789", "token_use": "access", "scope": "openid orders/read", "cognito:groups": ["Admins"]}),
            json!({"client_id": null, "token_use": "id", "aud": "1example23456789"}),
            ("1example23456789", "orders:read", "admin"),
        ),
        (
            json!({"typ": "JWT", "x5t": "x"}),
            json!({"aud": "66666666-7777-8888-9999-000000000000", "azp": azp, "scp": "Orders.Read User.Read", "roles": ["Orders.Admin"], "ver": "2.0"}),
            json!({"azp": null, "scp": null}),
            (azp, "orders:read", "admin"),
        ),
        (
            json!({"typ": "at+jwt"}),
            json!({"aud": ["https://api.example", "https://tenant.eu.auth0.com/userinfo"], "client_id": "c", "permissions": ["read:orders"], "scope": "openid"}),
            json!({"aud": "c"}),
            ("c", "orders:read", ""),
        ),
        (
            json!({"typ": "JWT"}),
            json!({"aud": ["orders-api", "account"], "azp": "web", "typ": "Bearer", "scope": "profile", "realm_access": {"roles": ["shop-admin", "x"]}}),
            json!({"typ": "ID"}),
            ("web", "profile", "admin"),
        ),
    ];
    assert_eq!(entries.len(), cases.len());
    for (entry, (header, members, other, (client_id, scope, roles))) in entries.into_iter().zip(cases) {
        let iss = entry["issuer"].clone();
        let trusted = json!([with(entry, &json!({"jwks_uri": null, "jwks": {"keys": [key.jwk()]}}))]);
        let app = alone(&trusted);
        let now = START.seconds();
        let claims = with(json!({"iss": iss, "sub": "s", "iat": now, "exp": now + 3600}), &members);
        let header = with(json!({"alg": "RS256", "kid": key.kid()}), &header);
        let answer = ask(&app, &sign(&key, &header, &claims)).await.unwrap();
        let context = json!({"iss": iss, "sub": "s", "client_id": client_id, "scope": scope, "roles": roles, "exp": (now + 3600).to_string()});
        assert_eq!(answer["context"], context, "{iss}");
        assert!(ask(&app, &sign(&key, &header, &with(claims, &other))).await.is_err(), "{iss}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_cost_no_call_of_ours_and_their_friends_need_no_journal() {
    let idp = Idp::start().await;
    let wire = Wire::to(engine().await).await;
    let file = std::env::temp_dir().join(format!("{}.keys", crate::harness::table_name()));
    let trusted = json!([idp.terms()]).to_string();
    let variables =
        [("TRUSTED_ISSUERS", trusted.as_str()), ("ROUTE_POLICY", POLICY), ("KEY_FILE", file.to_str().unwrap())];
    let api = Api::start_on(wire.endpoint.clone(), &variables).await;
    let own = api.login().await.access;
    assert_eq!(post(&api, &own).await, 403, "keys and journal are known");
    let unknown = |iss: &str| {
        let header = json!({"alg": "EdDSA", "kid": "nobody", "typ": "at+jwt"});
        idp.token_under(&header, "EdDSA", &with(idp.claims(), &json!({ "iss": iss })))
    };
    wire.calls();
    for iss in [idp.iss.as_str(), "https://idp.example"] {
        assert_eq!(post(&api, &unknown(iss)).await, 401);
    }
    assert_eq!(wire.operations(), Vec::<String>::new(), "no key of theirs is looked for among ours");
    assert_eq!(idp.fetches(), 2, "the first one, and a look-up");
    assert_eq!(post(&api, &unknown(&api.url)).await, 401);
    assert_eq!((wire.operations(), idp.fetches()), (vec!["Query".to_owned()], 0), "nor one of ours among theirs");

    api.wait(16 * SECOND);
    wire.plan("Query", vec![Fault::Refused("ValidationException"); 20]);
    assert_eq!(post(&api, &own).await, 503);
    assert_eq!(post(&api, &idp.token("RS256", &idp.claims())).await, 405, "their revocations are not in our journal");
    std::fs::remove_file(file).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_was_never_reached_is_a_fault_and_ours_go_on() {
    let idp = Idp::start().await;
    idp.breaks();
    let api = start(Surface::RestToken, engine().await, &idp).await;
    let (own, token) = (api.login().await.access, idp.token("ES256", &idp.claims()));
    for _ in 0..5 {
        let fault = call(&api, Method::POST, "/me", &token).await;
        assert_eq!((fault.status.as_u16(), fault.header("retry-after").is_some()), (503, true), "{fault:?}");
        assert_eq!(post(&api, &own).await, 403, "known, without that scope");
    }
    assert_eq!(idp.fetches(), 1);
    idp.publish();
    api.wait(10 * SECOND);
    assert_eq!(post(&api, &token).await, 405);

    // The log tells which issuer it was.
    let wrong = idp.token("ES256", &with(idp.claims(), &json!({"aud": "x"})));
    assert_eq!(post(&api, &wrong).await, 401);
    let lines: Vec<Value> = log::all().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_idp = |event: &str| lines.iter().find(|line| line["iss"] == idp.iss && line["event"] == event);
    assert_eq!(of_idp("issuer_unreadable").unwrap()["error"], "not a JWK Set");
    assert_eq!(of_idp("fault").unwrap()["reason"], "no_keys");
    assert_eq!(of_idp("unauthorized").unwrap()["reason"], "wrong_audience");
    let allowed = of_idp("allowed").unwrap();
    assert_eq!((&allowed["sub"], &allowed["jti"]), (&json!("idp|alice"), &json!("t-1")));
    assert!(allowed.get("sid").is_none() && allowed.get("Staleness").is_none(), "{allowed}");
    assert!(api.clock.now() > START);
}

/// A look-up of a key is each issuer's own: whoever makes keys up in the name of one delays nobody who trusts another.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_nobody_has_cost_their_issuer_one_fetch() {
    let mut idps = [Idp::start().await, Idp::start().await];
    let trusted = json!(idps.each_ref().map(Idp::terms)).to_string();
    let variables = [("TRUSTED_ISSUERS", trusted.as_str()), ("ROUTE_POLICY", POLICY)];
    let api = Arc::new(Api::start_on(engine().await, &variables).await);
    for idp in &idps {
        assert_eq!((post(&api, &idp.token("ES256", &idp.claims())).await, idp.fetches()), (405, 1), "{}", idp.iss);
    }
    let under = |idp: &Idp, kid: &str, key: &str| {
        idp.token_under(&json!({"alg": "EdDSA", "kid": kid, "typ": "JWT"}), key, &idp.claims())
    };
    let mut storm = JoinSet::new();
    for _ in 0..100 {
        let (api, token) = (Arc::clone(&api), under(&idps[0], "nobody", "EdDSA"));
        storm.spawn(async move { post(&api, &token).await });
    }
    assert_eq!(storm.join_all().await, [401; 100]);
    assert_eq!(idps.each_ref().map(Idp::fetches), [1, 0]);

    for idp in &mut idps {
        idp.keys.push((signing_key("EdDSA"), "new"));
        idp.publish();
    }
    let [of_one, of_other] = idps.each_ref().map(|idp| under(idp, "new", "new"));
    assert_eq!(post(&api, &of_other).await, 405, "the other one's new key");
    assert_eq!(post(&api, &of_one).await, 401, "not before ten seconds have gone");
    assert_eq!(idps.each_ref().map(Idp::fetches), [0, 1]);
    api.wait(10 * SECOND);
    assert_eq!((post(&api, &of_one).await, idps[0].fetches()), (405, 1));
}
