//! Answers to pages of other origins: which may read them, which may not, and what is asked before.

use local::gateway::ROUTES;
use reqwest::Method;
use serde_json::json;

use crate::harness::{Answer, Api, engine};
use crate::wire::{Fault, Wire};

const APP: &str = "https://app.example";
const EVIL: &str = "https://evil.example";
const ORIGINS: (&str, &str) = ("ALLOWED_ORIGINS", "https://app.example,http://localhost:5173");
const JSON: (&str, &str) = ("content-type", "application/json");

/// The fields of the CORS protocol and `Vary`, sorted.
fn fields(answer: &Answer) -> Vec<String> {
    let fields = answer.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
    let mut fields: Vec<_> = fields.filter(|it| it.starts_with("access-control-") || it.starts_with("vary")).collect();
    fields.sort();
    fields
}

/// The fields of an answer that pages of this origin may read.
fn shared_with(origin: &str) -> Vec<String> {
    let mut fields = vec![
        format!("access-control-allow-origin: {origin}"),
        "access-control-expose-headers: Retry-After, WWW-Authenticate".to_owned(),
    ];
    fields.extend((origin != "*").then(|| "vary: Origin".to_owned()));
    fields
}

/// A request whose answer has a known status: its method, path, header fields and body.
type Asked<'a> = (u16, Method, &'a str, Vec<(&'a str, &'a str)>, &'a str);

/// Every status that a function answers. A page that cannot read an error takes it for a broken network.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_a_function_says_whose_pages_may_read_it() {
    for variables in [&[ORIGINS][..], &[("ALLOWED_ORIGINS", "*")], &[]] {
        let wire = Wire::to(engine().await).await;
        let api = Api::start_on(wire.endpoint.clone(), variables).await;
        let tokens = api.login().await;
        let bearer = format!("Bearer {}", tokens.access);
        let login = json!({"username": "demo", "password": api.password}).to_string();
        let refresh = json!({"refresh_token": tokens.refresh}).to_string();
        let throttled = json!({"username": "nobody", "password": "a wrong one"}).to_string();
        for _ in 0..6 {
            api.send(Method::POST, "/login", &[JSON], throttled.as_bytes()).await;
        }
        let cases: [Asked<'_>; 11] = [
            (200, Method::POST, "/login", vec![JSON], &login),
            (200, Method::POST, "/refresh", vec![JSON], &refresh),
            (200, Method::GET, "/me", vec![("authorization", &bearer)], ""),
            (204, Method::POST, "/logout", vec![JSON], r#"{"refresh_token":"forged"}"#),
            (400, Method::POST, "/refresh", vec![JSON], r#"{"refresh_token":"forged"}"#),
            (405, Method::PUT, "/me", vec![("authorization", &bearer)], ""),
            (405, Method::POST, "/.well-known/jwks.json", vec![], ""),
            (413, Method::POST, "/login", vec![JSON], &"a".repeat(16 * 1024 + 1)),
            (415, Method::POST, "/oauth/token", vec![JSON], "{}"),
            (429, Method::POST, "/login", vec![JSON], &throttled),
            (503, Method::POST, "/refresh", vec![JSON], &refresh),
        ];
        for (status, method, path, headers, body) in cases {
            for origin in [Some(APP), Some(EVIL), Some("null"), None] {
                if status == 503 {
                    wire.plan("UpdateItem", vec![Fault::Refused("InternalServerError"); 3]);
                }
                let headers: Vec<_> = headers.iter().copied().chain(origin.map(|it| ("origin", it))).collect();
                let answer = api.send(method.clone(), path, &headers, body.as_bytes()).await;
                wire.clear();
                let expected = match (variables, origin) {
                    ([], _) => vec![],
                    ([(_, "*")], _) => shared_with("*"),
                    (_, Some(APP)) => shared_with(APP),
                    _ => vec!["vary: Origin".to_owned()],
                };
                assert_eq!(answer.status, status, "{method} {path} from {origin:?}: {answer:?}");
                assert_eq!(fields(&answer), expected, "{status} {path} from {origin:?}, {variables:?}");
            }
        }
    }
}

/// What the gateway answers by itself is the same for everyone, and every page may read it.
#[tokio::test(flavor = "multi_thread")]
async fn the_gateways_own_answers_are_for_every_page() {
    for variables in [&[ORIGINS][..], &[]] {
        let api = Api::start_with(variables).await;
        let login = json!({"username": "demo", "password": api.password, "scope": "notes"});
        let narrow = format!("Bearer {}", api.post("/login", &login).await.tokens().access);
        let cases = [
            (401, "/me", vec![]),
            (401, "/me", vec![("authorization", "Bearer x")]),
            (403, "/me", vec![("authorization", narrow.as_str())]),
            (404, "/nowhere", vec![]),
        ];
        for (status, path, headers) in cases {
            for origin in [APP, EVIL] {
                let headers: Vec<_> = headers.iter().copied().chain([("origin", origin)]).collect();
                let answer = api.send(Method::GET, path, &headers, b"").await;
                assert_eq!((answer.status.as_u16(), fields(&answer)), (status, shared_with("*")), "{path} {origin}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn public_documents_are_for_every_page() {
    for variables in [&[ORIGINS][..], &[("ALLOWED_ORIGINS", "*")], &[]] {
        let api = Api::start_with(variables).await;
        for document in ["jwks.json", "openid-configuration", "oauth-authorization-server"] {
            for headers in [&[("origin", APP)][..], &[("origin", EVIL)], &[]] {
                let answer = api.send(Method::GET, &format!("/.well-known/{document}"), headers, b"").await;
                assert_eq!(fields(&answer), ["access-control-allow-origin: *"], "{document} {headers:?} {variables:?}");
            }
        }
    }
}

/// A preflight is answered before anything else, the authorizer included, and asks nothing of the store.
#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_is_answered_on_every_route() {
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[ORIGINS]).await;
    wire.calls();
    for route in ROUTES {
        let path = route.path.replace("{sid}", "x");
        let path = path.as_str();
        let ask = async |origin: &str| {
            let asking = [("origin", origin), ("access-control-request-method", "POST")];
            api.send(Method::OPTIONS, path, &asking, b"").await
        };
        for origin in [APP, "http://localhost:5173"] {
            let answer = ask(origin).await;
            assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""), "{path}");
            let mut expected = shared_with(origin);
            expected.extend([
                "access-control-allow-headers: Authorization, Content-Type, Countersign-Client".to_owned(),
                "access-control-allow-methods: GET, POST, DELETE".to_owned(),
                "access-control-max-age: 7200".to_owned(),
            ]);
            expected.sort();
            assert_eq!(fields(&answer), expected, "{path}");
        }
        let refused = ask(EVIL).await;
        assert_eq!((refused.status.as_u16(), fields(&refused)), (405, vec!["vary: Origin".to_owned()]), "{path}");
        let plain = api.send(Method::OPTIONS, path, &[("origin", APP)], b"").await;
        assert_eq!((plain.status.as_u16(), fields(&plain)), (405, shared_with(APP)), "{path}: no preflight");
    }
    assert_eq!(wire.calls(), []);
    assert_eq!(api.send(Method::DELETE, "/me", &[("origin", APP)], b"").await.status, 401, "others are authorized");

    let off = Api::start().await;
    let asking = [("origin", APP), ("access-control-request-method", "POST")];
    let answer = off.send(Method::OPTIONS, "/login", &asking, b"").await;
    assert_eq!((answer.status.as_u16(), fields(&answer)), (405, vec![]), "switched off");
}
