//! What bad input gets: a clear error in the standard's shape, never a 5xx.

use reqwest::Method;
use serde_json::json;

use crate::harness::Api;

const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// Where OAuth's error shape is spoken.
const ENDPOINTS: [(&str, (&str, &str)); 6] = [
    ("/login", JSON),
    ("/refresh", JSON),
    ("/logout", JSON),
    ("/oauth/token", FORM),
    ("/oauth/introspect", FORM),
    ("/oauth/revoke", FORM),
];

/// A name, the method, the header fields, the body and the status of the answer.
type Case<'a> = (&'a str, Method, Vec<(&'a str, &'a str)>, &'a [u8], u16);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_is_a_4xx_with_an_oauth_error() {
    let api = Api::start().await;
    let megabyte = vec![b'a'; 1024 * 1024];
    let deep = "[".repeat(16_000);
    for (path, content_type) in ENDPOINTS {
        let get = Method::GET;
        let cases: Vec<Case<'_>> = vec![
            ("GET", get, vec![content_type], b"", 405),
            ("PUT", Method::PUT, vec![content_type], b"{}", 405),
            ("OPTIONS", Method::OPTIONS, vec![], b"", 405),
            ("no type", Method::POST, vec![], b"{}", 415),
            ("text", Method::POST, vec![("content-type", "text/plain")], b"{}", 415),
            ("two types", Method::POST, vec![content_type, content_type], b"{}", 415),
            ("latin1", Method::POST, vec![("content-type", "application/json; charset=latin1")], b"{}", 415),
            ("a megabyte", Method::POST, vec![content_type], &megabyte, 413),
            ("16 KB and a byte", Method::POST, vec![content_type], &megabyte[..=16 * 1024], 413),
            ("no UTF-8", Method::POST, vec![content_type], b"{\"username\":\"\xff\"}", 400),
            ("empty", Method::POST, vec![content_type], b"", 400),
            ("half", Method::POST, vec![content_type], b"{\"username\":", 400),
            ("an array", Method::POST, vec![content_type], b"[]", 400),
            ("deep", Method::POST, vec![content_type], deep.as_bytes(), 400),
            ("zeros", Method::POST, vec![content_type], &[0; 100], 400),
            ("percent", Method::POST, vec![content_type], b"%%%=%zz&=&&", 400),
        ];
        for (name, method, headers, body, status) in cases {
            let answer = api.send(method, path, &headers, body).await;
            assert_eq!(answer.status, status, "{path} {name}: {answer:?}");
            let json = answer.json();
            assert_eq!(json["error"], "invalid_request", "{path} {name}");
            assert!(json["error_description"].as_str().is_some_and(|text| !text.is_empty()), "{path} {name}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path} {name}");
            assert_eq!(answer.header("content-type"), Some("application/json"), "{path} {name}");
            assert_eq!(answer.header("allow"), (status == 405).then_some("POST"), "{path} {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_there_once_and_of_their_type() {
    let api = Api::start().await;
    let long = "x".repeat(300);
    let logins = [
        json!({}),
        json!({"username": "demo"}),
        json!({"password": "12345678"}),
        json!({"username": 1, "password": "12345678"}),
        json!({"username": "demo", "password": null}),
        json!({"username": "demo", "password": ["12345678"]}),
        json!({"username": "", "password": "12345678"}),
        json!({"username": "de mo", "password": "12345678"}),
        json!({"username": "demo\u{0}", "password": "12345678"}),
        json!({"username": long, "password": "12345678"}),
        json!({"username": "demo", "password": ""}),
        json!({"username": "demo", "password": long}),
        json!({"username": "demo", "password": "12345678", "device": ""}),
        json!({"username": "demo", "password": "12345678", "device": "a\nb"}),
        json!({"username": "demo", "password": "12345678", "device": long}),
        json!({"username": "demo", "password": "12345678", "scope": ["a"]}),
    ];
    for body in logins {
        let answer = api.post("/login", &body).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_request")), "{body:.80}");
    }
    let texts = [
        ("/login", JSON, r#"{"username":"demo","username":"demo","password":"12345678"}"#),
        ("/login", JSON, r#"{"username":"demo","password":"12345678","password":"12345678"}"#),
        ("/login", JSON, r#"{"username":"demo","password":"12345678","other":1,"other":2}"#),
        ("/login", JSON, r#"{"username":"demo","password":"\ud800"}"#),
        ("/refresh", JSON, r#"{"refresh_token":"a","refresh_token":"a"}"#),
        ("/refresh", JSON, r#"{"refresh_token":1}"#),
        ("/refresh", JSON, r#"{"scope":"a"}"#),
        ("/logout", JSON, "{}"),
        ("/logout", JSON, r#"{"refresh_token":"a","refresh_token":"a"}"#),
        ("/logout", JSON, r#"{"refresh_token":null}"#),
        ("/logout", JSON, r#"{"refresh_token":"a","sessions":"some"}"#),
        ("/logout", JSON, r#"{"refresh_token":"a","sessions":"ALL"}"#),
        ("/logout", JSON, r#"{"refresh_token":"a","sessions":["all"]}"#),
        ("/logout", JSON, r#"{"refresh_token":"a","sessions":"all","sessions":"all"}"#),
        ("/logout", JSON, r#"{"sessions":"all"}"#),
        ("/oauth/revoke", FORM, "token_type_hint=refresh_token"),
        ("/oauth/revoke", FORM, "token="),
        ("/oauth/revoke", FORM, "token=a&token=a"),
        ("/oauth/revoke", FORM, "token=a&token_type_hint=access_token&token_type_hint=access_token"),
        ("/oauth/token", FORM, "refresh_token=a"),
        ("/oauth/token", FORM, "grant_type=refresh_token"),
        ("/oauth/token", FORM, "grant_type=refresh_token&refresh_token="),
        ("/oauth/token", FORM, "grant_type=refresh_token&refresh_token=a&refresh_token=a"),
        ("/oauth/token", FORM, "grant_type=refresh_token&grant_type=refresh_token&refresh_token=a"),
        ("/oauth/introspect", FORM, "token_type_hint=access_token"),
        ("/oauth/introspect", FORM, "token="),
        ("/oauth/introspect", FORM, "token=a&token=a"),
        ("/oauth/introspect", FORM, "token=a&client_id=demo&client_id=demo"),
        ("/oauth/introspect", FORM, "token=a&client_secret=csc_"),
    ];
    for (path, content_type, body) in texts {
        let answer = api.send(Method::POST, path, &[content_type], body.as_bytes()).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_request")), "{body}");
    }
    let unknown = json!({"username": "demo", "password": api.password, "unknown": {"deep": [1]}});
    assert_eq!(api.post("/login", &unknown).await.status, 200, "unknown members are ignored");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_endpoints_speak_problem_details() {
    let api = Api::start().await;
    let access = api.login().await.access;
    let bearer = format!("Bearer {access}");
    let cases =
        [("/me", vec![("authorization", bearer.as_str())], "GET"), ("/.well-known/jwks.json", vec![], "GET, HEAD")];
    for (path, headers, allow) in cases {
        let answer = api.send(Method::DELETE, path, &headers, b"").await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, Some(allow)), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        assert_eq!(answer.json()["status"], 405, "{path}");
    }
}

/// Odd header fields change nothing.
#[tokio::test(flavor = "multi_thread")]
async fn odd_headers_are_nobodys_fault() {
    let api = Api::start().await;
    let access = api.login().await.access;
    let bearer = format!("Bearer {access}");
    let headers =
        [("authorization", bearer.as_str()), ("user-agent", "caf\u{e9} \u{1f511}"), ("x-forwarded-for", "'; --")];
    assert_eq!(api.send(Method::GET, "/me", &headers, b"").await.status, 200);
}
