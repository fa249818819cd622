//! `openapi.yaml` against the code. (`description.rs` holds every answer of every test to it besides.)

use std::collections::BTreeSet;

use auth_core::throttle::LONGEST_DELAY;
use authorizer::arn::METHODS;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use local::gateway::ROUTES;
use local::stack::DEMO_CLIENT;
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use crate::description::{OPENAPI, conforms, members, operations, resolve, validator};
use crate::harness::{Answer, Api, Tokens};

const UNKNOWN_SID: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

/// Path, method and operation.
fn described() -> impl Iterator<Item = (&'static str, String, &'static Value)> {
    let of = |(path, item)| operations(item).map(move |(method, operation)| (path, method, operation));
    members(&OPENAPI["paths"]).flat_map(of)
}

#[test]
fn it_is_of_this_version_and_has_the_routes_of_the_gateway() {
    assert_eq!(OPENAPI["info"]["version"], env!("CARGO_PKG_VERSION"));
    let authorized = |operation: &Value| match operation["security"].as_array().unwrap().as_slice() {
        [] => false,
        [scheme] => scheme.get("accessToken").is_some(),
        _ => panic!("{operation}"),
    };
    let described: BTreeSet<_> = described().map(|(path, _, operation)| (path, authorized(operation))).collect();
    assert_eq!(described, ROUTES.iter().map(|route| (route.path, route.authorized)).collect());
}

/// Of the methods that API Gateway takes, those that are not described are a 405 that names the described ones: to apps,
/// to browsers in cookie mode, and to pages that may not call.
#[tokio::test(flavor = "multi_thread")]
async fn its_methods_are_those_that_are_answered() {
    let api = Api::start_with(&[("ALLOWED_ORIGINS", "https://app.example"), ("COOKIE_MODE", "on")]).await;
    for other in [("accept", "*/*"), ("origin", "https://app.example"), ("origin", "https://evil.example")] {
        assert_other_methods_are_not_allowed(&api, other).await;
    }
}

async fn assert_other_methods_are_not_allowed(api: &Api, other: (&str, &str)) {
    for (path, item) in members(&OPENAPI["paths"]) {
        let bearer = format!("Bearer {}", api.login().await.access); // the last one may have signed out
        let headers = &[("authorization", bearer.as_str()), other];
        let methods: Vec<String> = operations(item).map(|(method, _)| method).collect();
        for method in METHODS {
            let url = path.replace("{sid}", UNKNOWN_SID);
            let answer = api.send(method.parse().unwrap(), &url, headers, b"").await;
            let is_described = methods.iter().any(|described| described == method);
            assert_eq!(answer.status == 405, !is_described, "{method} {path} {headers:?}");
            let allow = (!is_described).then(|| methods.join(", "));
            assert_eq!(answer.header("allow"), allow.as_deref(), "{method} {path}");
        }
    }
}

/// An example of a request: of an app, of a browser in cookie mode, or of a client with credentials in the header.
struct Example {
    name: String,
    path: &'static str,
    media_type: &'static str,
    schema: &'static Value,
    value: &'static Value,
    browser: bool,
    client: bool,
}

fn examples_of_requests() -> Vec<Example> {
    let mut examples = Vec::new();
    for (path, method, operation) in described() {
        for (media_type, body) in members(&operation["requestBody"]["content"]) {
            for (name, example) in members(&body["examples"]) {
                let (schema, value) = (&body["schema"], &resolve(example)["value"]);
                let (browser, client) = (name == "browser", name == "header");
                let name = format!("{method} {path}, {name}");
                examples.push(Example { name, path, media_type, schema, value, browser, client });
            }
        }
    }
    examples
}

/// As it stands, an example gets an answer that is described; with credentials that are good, it does what it shows.
#[tokio::test(flavor = "multi_thread")]
async fn its_examples_of_requests_work() {
    let origin = OPENAPI["components"]["parameters"]["Origin"]["example"].as_str().unwrap();
    let api = Api::start_with(&[("ALLOWED_ORIGINS", origin), ("COOKIE_MODE", "on")]).await;
    let examples = examples_of_requests();
    for example in &examples {
        let Example { name, value, .. } = example;
        assert_eq!(validator(example.schema).validate(value).map_err(|error| error.to_string()), Ok(()), "{name}");
        send(&api, example, value, "none").await;
        let tokens = api.login().await;
        let answer = send(&api, example, &with_good_credentials(value, &api, &tokens), &tokens.refresh).await;
        assert!(answer.status.is_success(), "{name}: {answer:?}");
    }
    assert!(examples.len() > 6 && examples.iter().any(|example| example.browser));
}

async fn send(api: &Api, example: &Example, value: &Value, cookie: &str) -> Answer {
    let parameters = &OPENAPI["components"]["parameters"];
    let text = |of: &'static str, member: &str| parameters[of][member].as_str().unwrap();
    let cookie = format!("{}={cookie}", text("RefreshTokenCookie", "name"));
    let mut headers = vec![("content-type", example.media_type)];
    if example.browser {
        headers.extend(["Origin", "Client"].map(|of| (text(of, "name"), text(of, "example"))));
        headers.push(("cookie", &cookie));
    }
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{DEMO_CLIENT}:{}", api.client_secret)));
    if example.client {
        headers.push(("authorization", &basic));
    }
    let body = if example.media_type == "application/json" { value.to_string() } else { form(value) };
    api.send(Method::POST, example.path, &headers, body.as_bytes()).await
}

fn form(value: &Value) -> String {
    let pairs = value.as_object().unwrap().iter().map(|(name, value)| (name, value.as_str().unwrap()));
    reqwest::Url::parse_with_params("form:", pairs).unwrap().query().unwrap().to_owned()
}

fn with_good_credentials(value: &Value, api: &Api, tokens: &Tokens) -> Value {
    let mut value = value.clone();
    for (name, good) in [
        ("username", "demo"),
        ("password", &api.password),
        ("refresh_token", &tokens.refresh),
        ("client_secret", &api.client_secret),
        ("token", &tokens.access),
        ("subject_token", &tokens.access),
    ] {
        if let Some(member) = value.get_mut(name) {
            *member = good.into();
        }
    }
    value
}

#[test]
fn its_examples_of_answers_and_fields_are_valid() {
    let mut count = 0;
    let mut check = |name: &str, schema: &Value, example: &Value| {
        count += 1;
        assert_eq!(validator(schema).validate(example).map_err(|error| error.to_string()), Ok(()), "{name}: {example}");
    };
    for (path, method, operation) in described() {
        for (status, answer) in members(&operation["responses"]) {
            let name = format!("{method} {path} {status}");
            let answer = resolve(answer);
            for (_, body) in members(&answer["content"]) {
                let examples: Vec<_> = members(&body["examples"]).collect();
                assert!(!examples.is_empty(), "{name} has no example");
                for (_, example) in examples {
                    check(&name, &body["schema"], &resolve(example)["value"]);
                }
            }
            let fields = members(&answer["headers"]).map(|(_, it)| resolve(it));
            fields.filter(|it| !it["example"].is_null()).for_each(|it| check(&name, &it["schema"], &it["example"]));
        }
        let parameters = operation["parameters"].as_array().into_iter().flatten().map(resolve);
        parameters.filter(|it| !it["example"].is_null()).for_each(|it| check(path, &it["schema"], &it["example"]));
    }
    assert!(count > 100, "{count} examples");
}

#[test]
fn all_of_its_components_are_used() {
    let text = OPENAPI.to_string();
    for (kind, components) in members(&OPENAPI["components"]).filter(|(kind, _)| *kind != "securitySchemes") {
        for (name, _) in members(components) {
            assert!(text.contains(&format!("\"#/components/{kind}/{name}\"")), "{kind}/{name}");
        }
    }
}

/// Both sides of each bound of a login: outside of it the request is malformed, inside it is not.
#[tokio::test(flavor = "multi_thread")]
async fn its_bounds_are_those_of_the_code() {
    let api = Api::start().await;
    let is_malformed = async |name: &str, value: &Value| {
        let mut login = json!({"username": "demo", "password": api.password});
        login[name] = value.clone();
        api.post("/login", &login).await.json()["error"] == "invalid_request"
    };
    let schema = |name: &str| &OPENAPI["components"]["schemas"]["Login"]["properties"][name];
    for name in ["username", "password", "device"] {
        let bound =
            |keyword: &str| schema(name)[keyword].as_u64().and_then(|bound| usize::try_from(bound).ok()).unwrap();
        let (least, most) = (bound("minLength"), bound("maxLength"));
        for (length, expected) in [(least - 1, true), (least, false), (most, false), (most + 1, true)] {
            assert_eq!(is_malformed(name, &"x".repeat(length).into()).await, expected, "{name} of {length}");
        }
    }
    for (name, text) in [
        ("username", "a b"),
        ("username", "a\n"),
        ("username", "a\u{a0}b"),
        ("username", "o'neil+test@x.example"),
        ("device", "\u{1f}"),
        ("device", "a b"),
        ("device", "~"),
        ("device", "\u{7f}"),
        ("device", "\u{9f}"),
        ("device", "\u{a0}\u{1f4f1}"),
    ] {
        let valid = validator(schema(name)).is_valid(&text.into());
        assert_eq!(is_malformed(name, &text.into()).await, !valid, "{name} {text:?}");
    }
    for name in ["username", "password", "device", "scope"] {
        for other in [json!(null), json!(1), json!([])] {
            let valid = validator(schema(name)).is_valid(&other);
            assert_eq!(is_malformed(name, &other).await, !valid, "{name} {other}");
        }
    }
    let longest = &OPENAPI["components"]["headers"]["RetryAfter"]["schema"]["maximum"];
    assert_eq!(*longest, LONGEST_DELAY.as_secs());
}

/// What `description::check` is worth.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_described_is_found() {
    type Change = fn(&mut Answer);
    let api = Api::start().await;
    let tokens = api.login().await;
    let (me, logout) = (api.me(&tokens.access).await, api.logout(&tokens.refresh).await);
    let cases: [(&str, &Answer, Change); 9] = [
        ("GET /me", &me, |answer| answer.status = reqwest::StatusCode::ACCEPTED),
        ("GET /me", &me, |answer| drop(answer.headers.remove("cache-control"))),
        ("GET /me", &me, |answer| drop(answer.headers.insert("cache-control", HeaderValue::from_static("no-cache")))),
        ("GET /me", &me, |answer| drop(answer.headers.insert("x-powered-by", HeaderValue::from_static("x")))),
        ("GET /me", &me, |answer| drop(answer.headers.insert("content-type", HeaderValue::from_static("text/html")))),
        ("GET /me", &me, |answer| answer.text = answer.text.replacen('{', r#"{"more":1,"#, 1)),
        ("GET /me", &me, |answer| answer.text = answer.text.replacen("\"sub\"", "\"sud\"", 1)),
        ("POST /logout", &logout, |answer| answer.text = "{}".to_owned()),
        ("GET /logout", &logout, |_| {}),
    ];
    for (at, (request, answer, change)) in cases.into_iter().enumerate() {
        let (method, path) = request.split_once(' ').unwrap();
        let mut changed = answer.clone();
        change(&mut changed);
        let method: Method = method.parse().unwrap();
        assert!(conforms(&method, path, &[], &changed).is_err(), "case {at}: {changed:?}");
    }
    assert_eq!(conforms(&Method::GET, "/me", &[], &me), Ok(()));
    assert_eq!(conforms(&Method::GET, "/elsewhere", &[], &logout), Ok(()), "not described");
}
