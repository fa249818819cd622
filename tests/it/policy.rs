//! The authorizer's policies, evaluated as IAM evaluates them, against its own decision.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use auth_core::claims::AccessClaims;
use auth_core::config::Variables;
use auth_core::time::{ManualClock, UnixTime};
use auth_dynamodb::verifiers::Verifiers;
use authorizer::App;
use authorizer::arn::Target;
use authorizer::config::Config;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use local::answer::{Answer, Verdict};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert_eq, prop_oneof};
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config as Cases, TestRunner};
use serde_json::{Value, json};
use tracing::Level;

use crate::harness::START;
use crate::listening::Listening;

const KEY: [u8; 32] = [7; 32];
const STAGE: &str = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod";

/// What API Gateway takes.
const LONGEST_ANSWER: usize = 8 * 1024;
const LONGEST_RESOURCE: usize = 512;

fn verify(config: &Config, token: &str) -> AccessClaims {
    let Verifiers::Fixed(verifier) = &config.verifier else { panic!("JWKS is set") };
    verifier.verify(token, START).unwrap()
}

/// An authorizer with a route policy, that believes tokens under [`KEY`].
fn config(policy: &Value) -> Config {
    let key = BASE64_URL_SAFE_NO_PAD.encode(KEY);
    let jwks = json!({"keys": [{"kty": "oct", "alg": "HS256", "kid": "1", "k": key}]}).to_string();
    let look_up = |name: &str| match name {
        "ISSUER" => Some("https://issuer.example".to_owned()),
        "AUDIENCE" => Some("api".to_owned()),
        "JWKS" => Some(jwks.clone()),
        "REVOCATION" => Some("off".to_owned()),
        "ROUTE_POLICY" => Some(policy.to_string()),
        _ => None,
    };
    Config::from_variables(&Variables::new(&look_up)).unwrap()
}

fn app(policy: &Value) -> App {
    App::new(config(policy), None, Arc::new(ManualClock::new(START)))
}

/// Whoever has some scope and some roles.
fn token(scope: &str, roles: &[&str]) -> String {
    token_of("u", scope, roles)
}

fn token_of(sub: &str, scope: &str, roles: &[&str]) -> String {
    let now = UnixTime::seconds(START);
    let claims = json!({
        "iss": "https://issuer.example", "aud": "api", "iat": now, "exp": now + 600, "ver": 1,
        "sub": sub, "sid": "s", "client_id": "c", "jti": "j", "scope": scope, "roles": roles,
    });
    let encode = |json: Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", encode(json!({"typ": "at+jwt", "alg": "HS256", "kid": "1"})), encode(claims));
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &KEY), signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac.as_ref()))
}

/// The answer to one request.
fn ask(app: &App, token: &str, target: &str) -> Value {
    let arn = format!("{STAGE}/{target}");
    let event = json!({"type": "REQUEST", "methodArn": arn, "headers": {"authorization": format!("Bearer {token}")}});
    invoke(app, &event)
}

/// Without a watch over revocations there is nothing to wait for.
fn invoke(app: &App, event: &Value) -> Value {
    let answer = pin!(app.authorize(event)).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(answer) = answer else { panic!("it waits") };
    serde_json::to_value(answer.unwrap()).unwrap()
}

fn allows(answer: &Value, target: &str) -> bool {
    let answer = Answer::parse(answer.clone(), false).unwrap();
    answer.verdict(&format!("{STAGE}/{target}")) == Verdict::Allowed
}

fn resources(answer: &Value) -> Vec<&str> {
    let statements = answer["policyDocument"]["Statement"].as_array().unwrap();
    statements.iter().flat_map(|it| it["Resource"].as_array().unwrap()).map(|it| it.as_str().unwrap()).collect()
}

/// Few words, so that they meet.
fn path(segments: &'static [&'static str]) -> impl Strategy<Value = String> {
    vec(select(segments), 1..4).prop_map(|segments| format!("/{}", segments.join("/")))
}

fn words(all: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(all, 0..=all.len())
}

fn route() -> impl Strategy<Value = Value> {
    let demands = (words(&["a", "b"]), words(&["a", "c"]), words(&["x"]), words(&["x", "y"]));
    let method = select(vec!["*", "GET", "POST", "PUT", "$connect"]);
    let pattern = path(&["a", "b", "ab", "*", "a*", "*b", ""]);
    (method, pattern, demands).prop_map(|(method, path, (all_scopes, any_scopes, all_roles, any_roles))| {
        let path = if method == "$connect" { Value::Null } else { path.into() };
        json!({
            "method": method, "path": path, "all_scopes": all_scopes, "any_scopes": any_scopes,
            "all_roles": all_roles, "any_roles": any_roles,
        })
    })
}

fn policy() -> impl Strategy<Value = Value> {
    (vec(route(), 0..6), any::<bool>()).prop_map(|(mut routes, allow)| {
        if allow {
            let asks = |route: &Value| route.as_object().unwrap().values().any(|it| it[0].is_string());
            routes.retain(asks);
        } else {
            routes.push(json!({"method": "GET", "path": "/me"}));
        }
        json!({"routes": routes, "unmatched": if allow { "allow" } else { "deny" }})
    })
}

/// What a caller may write, wildcards among it.
fn target() -> impl Strategy<Value = String> {
    let path = path(&["a", "b", "ab", "axb", "me", "*", "?", "", "GET", "%61", "..", "$connect", "${aws:username}"]);
    let request =
        (select(vec!["GET", "POST", "PUT", "DELETE"]), path).prop_map(|(method, path)| format!("{method}{path}"));
    prop_oneof![20 => request, 1 => select(vec!["$connect".to_owned(), "GET/".to_owned(), "GET/me".to_owned()])]
}

fn principal() -> impl Strategy<Value = String> {
    (words(&["a", "b", "c"]), words(&["x", "y"])).prop_map(|(scope, roles)| token(&scope.join(" "), &roles))
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Cases { cases, failure_persistence: None, ..Cases::default() })
}

#[test]
fn the_policy_says_of_every_route_what_the_decision_says() {
    let cases = (policy(), principal(), target(), vec(target(), 20));
    runner(1000)
        .run(&cases, |(policy, token, asked, others)| {
            let (app, config) = (app(&policy), config(&policy));
            let claims = verify(&config, &token);
            let answer = ask(&app, &token, &asked);
            for target in others.iter().chain([&asked]) {
                let admitted = config.policy.admits(&claims, Target::parse(target).unwrap());
                prop_assert_eq!(allows(&answer, target), admitted, "{} of {}: {}", target, policy, answer);
            }
            Ok(())
        })
        .unwrap();
}

/// As a gateway with a cache does it: the first answer to a caller serves all that the caller sends after.
#[test]
fn in_any_order_of_cached_requests_the_answer_is_the_decision() {
    let cases = (vec(route(), 1..6), vec(principal(), 4), vec((0..4_usize, target()), 10_000));
    runner(4)
        .run(&cases, |(mut routes, tokens, requests)| {
            routes.push(json!({"method": "*", "path": "/a/*", "any_roles": ["x"]}));
            routes.retain(|route| {
                route["method"] != "$connect" && route.as_object().unwrap().values().any(|it| it[0].is_string())
            });
            let policy = json!({"routes": routes});
            let (app, config) = (app(&policy), config(&policy));
            let mut kept: HashMap<usize, Answer> = HashMap::new();
            for (caller, target) in requests {
                let token = &tokens[caller];
                let answer =
                    kept.entry(caller).or_insert_with(|| Answer::parse(ask(&app, token, &target), false).unwrap());
                let allowed = answer.verdict(&format!("{STAGE}/{target}")) == Verdict::Allowed;
                let claims = verify(&config, token);
                prop_assert_eq!(allowed, config.policy.admits(&claims, Target::parse(&target).unwrap()), "{}", target);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_longest_route_of_the_longest_stage_is_a_resource() {
    let path = format!("/{}", "x".repeat(255));
    let app = app(&json!({"routes": [{"method": "OPTIONS", "path": path, "all_scopes": ["a"]}]}));
    let stage = format!("arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:a1b2c3d4e5/{}", "s".repeat(128));
    let authorization = format!("Bearer {}", token("", &[]));
    let event = json!({"type": "TOKEN", "methodArn": format!("{stage}/GET/"), "authorizationToken": authorization});
    let answer = invoke(&app, &event);
    let resources = resources(&answer);
    assert_eq!(resources.len(), 2, "{answer}");
    assert!(resources.iter().all(|resource| resource.len() <= LONGEST_RESOURCE), "{answer}");
}

/// Beyond 8 KB an answer is for one request alone: right for that one, and open to nothing else.
#[test]
fn a_policy_that_is_too_long_falls_back_to_this_request() {
    let routes = |count: usize| {
        let route = |at| json!({"method": "GET", "path": format!("/{at:0>60}"), "all_scopes": ["a"]});
        json!({"routes": (0..count).map(route).collect::<Vec<_>>()})
    };
    let long = format!("GET/{}", "x".repeat(500));
    let closed = format!("GET/{:0>60}", 1);
    let cases = [
        ("an open route", "GET/me", true),
        ("a closed route", closed.as_str(), false),
        ("a wildcard", "GET/me/*", false),
        ("a question mark", "GET/m?", false),
        ("a variable", "GET/${aws:username}", false),
        ("too long", &long, false),
    ];
    let token = token("", &[]);
    let (short, long) = (app(&routes(40)), app(&routes(400)));
    assert!(allows(&ask(&short, &token, "GET/other"), "GET/me"), "short enough for all routes");
    for (name, target, expected) in cases {
        let answer = ask(&long, &token, target);
        assert!(answer.to_string().len() <= LONGEST_ANSWER, "{name}");
        assert_eq!(allows(&answer, target), expected, "{name}");
        assert!(!allows(&answer, "GET/other") && !allows(&answer, "GET/me/2") && !allows(&answer, &closed), "{name}");
        assert!(resources(&answer).iter().all(|resource| resource.len() <= LONGEST_RESOURCE), "{name}");
    }
}

/// Scope and roles stand in the context, too. Of the longest token that is believed, 8 KB, it still fits.
#[test]
fn the_longest_token_has_an_answer() {
    let routes: Vec<Value> =
        (0..400).map(|at| json!({"method": "GET", "path": format!("/{at}"), "all_scopes": ["a"]})).collect();
    let app = app(&json!({"routes": routes}));
    let mut scope = "s".repeat(5000);
    while token(&scope, &[]).len() <= 8 * 1024 - 2 {
        scope.push('s');
    }
    scope.pop();
    for target in ["GET/me", "GET/1"] {
        let answer = ask(&app, &token(&scope, &[]), target);
        assert!(answer.to_string().len() <= LONGEST_ANSWER, "{}", answer.to_string().len());
        assert_eq!(allows(&answer, target), target == "GET/me");
    }
}

/// Who it is stands in the context as it is, and nowhere where it would mean something.
#[test]
fn odd_text_in_sub_stays_inert() {
    let app = app(&json!({"routes": [{"method": "GET", "path": "/closed/*", "all_scopes": ["a"]}]}));
    let plain = ask(&app, &token("", &[]), "GET/me");
    let odd = ["a\0\n*?${x}\"<script>", "arn:aws:execute-api:*:*:*", &"\u{1}".repeat(256), &"\"".repeat(256)];
    let listening = Listening::at(Level::INFO);
    for sub in odd {
        let answer = ask(&app, &token_of(sub, "", &[]), "GET/me");
        assert_eq!(answer["policyDocument"], plain["policyDocument"], "{sub:?}");
        assert_eq!((answer["context"]["sub"].as_str(), answer["principalId"].as_str()), (Some(sub), Some(sub)));
        assert!(answer.to_string().len() <= LONGEST_ANSWER, "{sub:?}");
        let lines = listening.lines();
        assert_eq!((lines.len(), lines[0]["sub"].as_str()), (1, Some(sub)), "one line of the log: {lines:?}");
    }
}
