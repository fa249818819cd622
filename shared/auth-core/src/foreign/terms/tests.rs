use serde_json::json;

use super::*;
use crate::config::{ConfigError, Variables};
use crate::test_keys;

const OWN: &str = "https://auth.example";

/// What has to be said.
fn least() -> Value {
    json!({
        "issuer": "https://idp.example/",
        "audience": "api",
        "algorithms": ["RS256"],
        "jwks_uri": "https://idp.example/keys",
    })
}

fn with(members: &Value) -> Value {
    let mut terms = least();
    for (name, value) in members.as_object().unwrap() {
        terms[name] = value.clone();
    }
    terms.as_object_mut().unwrap().retain(|_, value| value != "absent");
    terms
}

fn set(algorithm: Algorithm) -> Value {
    json!({"keys": [test_keys::signing_key(algorithm).jwk()]})
}

#[test]
fn what_can_be_said_is_taken() {
    let cases = [
        json!({}),
        json!({"audience": ["one", "two"], "algorithms": ["ES256", "EdDSA", "RS256"]}),
        json!({"jwks_uri": "absent", "jwks": set(Algorithm::RS256)}),
        json!({"jwks_uri": "http://127.0.0.1:8080/keys?p=policy&v=2"}),
        json!({"jwks_uri": "https://login.example/tenant/discovery/keys/"}),
        json!({"issuer": "accounts.idp.example"}),
        json!({"types": ["JWT", null]}),
        json!({"types": [null]}),
        json!({"max_life_seconds": 60}),
        json!({"max_life_seconds": 2_592_000}),
        json!({"claims": {"aud": "client_id", "scope": "scp", "client_id": "azp", "roles": ["realm_access", "roles"]}}),
        json!({"require": {"token_use": "access", "azp": ["a", "b"]}, "scopes": {"api/read": "read"}, "roles": {"Domain Admins": "admin clerk"}}),
    ];
    for members in cases {
        let list = json!([with(&members)]).to_string();
        assert!(parse(&list, OWN).is_ok(), "{members}: {:?}", parse(&list, OWN).err());
    }
    assert!(parse("[]", OWN).unwrap().is_empty());
    let two = json!([least(), with(&json!({"issuer": "https://idp.example"}))]).to_string();
    assert_eq!(parse(&two, OWN).unwrap().len(), 2, "a slash makes another issuer");
}

#[test]
fn what_cannot_be_is_refused_in_one_line() {
    let long = "x".repeat(257);
    let cases = [
        (json!({"issuer": "absent"}), "missing field `issuer`"),
        (json!({"issuer": ""}), "\"issuer\" is 1 to 256"),
        (json!({"issuer": long}), "\"issuer\" is 1 to 256"),
        (json!({"issuer": "https://idp.example/|x"}), "\"issuer\" is 1 to 256"),
        (json!({"issuer": "two words"}), "\"issuer\" is 1 to 256"),
        (json!({"issuer": "line\nbreak"}), "\"issuer\" is 1 to 256"),
        (json!({"issuer": OWN}), "\"issuer\" is ISSUER itself"),
        (json!({"audience": "absent"}), "missing field `audience`"),
        (json!({"audience": ""}), "\"audience\" is"),
        (json!({"audience": []}), "\"audience\" is"),
        (json!({"audience": ["a", ""]}), "\"audience\" is"),
        (json!({"audience": 1}), "did not match any variant"),
        (json!({"algorithms": "absent"}), "missing field `algorithms`"),
        (json!({"algorithms": []}), "\"algorithms\" lists"),
        (json!({"algorithms": ["HS256"]}), "\"algorithms\" lists"),
        (json!({"algorithms": ["RS256", "HS256"]}), "\"algorithms\" lists"),
        (json!({"algorithms": ["RS512"]}), "\"algorithms\" lists"),
        (json!({"algorithms": ["none"]}), "\"algorithms\" lists"),
        (json!({"algorithms": ["rs256"]}), "\"algorithms\" lists"),
        (json!({"jwks_uri": "absent"}), "either \"jwks_uri\" or \"jwks\""),
        (json!({"jwks": set(Algorithm::RS256)}), "either \"jwks_uri\" or \"jwks\""),
        (json!({"jwks_uri": "http://idp.example/keys"}), "\"jwks_uri\" is"),
        (json!({"jwks_uri": "https://user@idp.example/keys"}), "\"jwks_uri\" is"),
        (json!({"jwks_uri": "https://idp.example/keys#1"}), "\"jwks_uri\" is"),
        (json!({"jwks_uri": "https://idp.example?keys"}), "\"jwks_uri\" is"),
        (json!({"jwks_uri": "file:///etc/passwd"}), "\"jwks_uri\" is"),
        (json!({"jwks_uri": "http://169.254.169.254/latest"}), "\"jwks_uri\" is"),
        (json!({"jwks_uri": format!("https://idp.example/{}", "x".repeat(2048))}), "\"jwks_uri\" is"),
        (json!({"jwks_uri": "absent", "jwks": {"keys": []}}), "\"jwks\": no key"),
        (json!({"jwks_uri": "absent", "jwks": []}), "\"jwks\": not a JWK Set"),
        (json!({"jwks_uri": "absent", "jwks": set(Algorithm::ES256)}), "\"jwks\": no key"),
        (json!({"jwks_uri": "absent", "jwks": set(Algorithm::HS256)}), "\"jwks\": no key"),
        (json!({"types": []}), "\"types\" lists"),
        (json!({"types": [""]}), "\"types\" lists"),
        (json!({"max_life_seconds": 59}), "\"max_life_seconds\" is 60 to 2592000"),
        (json!({"max_life_seconds": 2_592_001}), "\"max_life_seconds\" is 60 to 2592000"),
        (json!({"max_life_seconds": -1}), "invalid value"),
        (json!({"claims": {"roles": ""}}), "a claim in"),
        (json!({"claims": {"scope": []}}), "a claim in"),
        (json!({"claims": {"sub": "oid"}}), "unknown field `sub`"),
        (json!({"require": {"": "x"}}), "a claim in"),
        (json!({"require": {"token_use": 1}}), "did not match any variant"),
        (json!({"scopes": {"a": "two  spaces"}}), "\"scopes\" and \"roles\" give"),
        (json!({"roles": {"a": "é"}}), "\"scopes\" and \"roles\" give"),
        (json!({"leeway": 60}), "unknown field `leeway`"),
    ];
    for (members, expected) in cases {
        let error = parse(&json!([with(&members)]).to_string(), OWN).unwrap_err().to_string();
        assert!(error.starts_with("issuer 0: ") && error.contains(expected), "{members}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
    let twice = json!([least(), with(&json!({"audience": "other"}))]).to_string();
    assert_eq!(parse(&twice, OWN).unwrap_err().to_string(), "issuer 1: \"issuer\" stands in the list twice");
    let doubled = least().to_string().replacen('{', r#"{"issuer":"https://other.example","#, 1);
    assert!(parse(&format!("[{doubled}]"), OWN).unwrap_err().to_string().contains("twice"));
    for text in ["", "{}", "null", "[[]]", "[1]", "[{}"] {
        assert!(parse(text, OWN).is_err(), "{text}");
    }
}

#[test]
fn the_variable_holds_a_list_or_names_a_file_with_one() {
    let read = |value: &str| {
        let value = value.to_owned();
        let look_up = |name: &str| match name {
            "ISSUER" => Some(OWN.to_owned()),
            "TRUSTED_ISSUERS" => Some(value.clone()),
            _ => None,
        };
        Variables::new(&look_up).trusted_issuers().map(|issuers| issuers.len())
    };
    let list = json!([least()]).to_string();
    let path = std::env::temp_dir().join(format!("countersign-issuers-test-{}.json", std::process::id()));
    std::fs::write(&path, &list).unwrap();
    let in_file = read(path.to_str().unwrap());
    std::fs::remove_file(&path).unwrap();
    assert_eq!((read(""), read(&list), in_file), (Ok(0), Ok(1), Ok(1)));
    for bad in ["{}", "none.json", "[{}]"] {
        let error = read(bad).unwrap_err();
        assert!(matches!(error, ConfigError::Invalid { name: "TRUSTED_ISSUERS", .. }), "{bad}: {error}");
    }
}
