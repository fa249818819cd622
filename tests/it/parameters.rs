//! The parameters of `template.yaml`: what they refuse, and how an operator finds them.

use auth_core::config::Variables;
use serde_json::json;

use crate::template::{FUNCTIONS, TEMPLATE, parse, sample};

const ISSUERS: &str = r#"[
    {"issuer": "https://idp.example/", "audience": "api", "algorithms": ["RS256"], "jwks_uri": "https://idp.example/keys"}
]"#;

/// What the pattern of a parameter takes, the functions start with; what it refuses, they would refuse, too.
#[test]
fn patterns_refuse_what_the_functions_would() {
    let rows = [
        (
            "Issuer",
            "ISSUER",
            &["https://a.example", "https://a.example:8443/b/c"][..],
            &["", "http://a.example", "https://a.example/", "https://a.example/b?c", "https://a b"][..],
        ),
        ("Audience", "AUDIENCE", &["a", "https://api.example"], &["", "a b", "ä"]),
        ("DefaultClientId", "DEFAULT_CLIENT_ID", &["default", "https://app.example/"], &["a b"]),
        (
            "AllowedOrigins",
            "ALLOWED_ORIGINS",
            &["", "*", "https://a.example,http://localhost:5173", "capacitor://localhost"],
            &["a.example", "https://a.example/", "https://A.example", "*,https://a.example"],
        ),
        ("RoutePolicy", "ROUTE_POLICY", &["", "{\"routes\":\n[]}"], &["[]", "policy.json"]),
        ("TrustedIssuers", "TRUSTED_ISSUERS", &["", "[]", ISSUERS], &["{}", "null", "issuers.json"]),
        ("WebSocketTokenParameter", "WEBSOCKET_TOKEN_PARAMETER", &["", "access_token"], &["a=b", "a b"]),
        ("SessionsPerUser", "SESSIONS_PER_USER", &["", "1", "999", "1000"], &["0", "1001", "-1", "all"]),
    ];
    for (parameter, variable, good, bad) in rows {
        let pattern = pattern(parameter);
        for value in good {
            assert!(pattern.is_valid(&json!(value)), "{parameter}: {value:?} is refused");
            assert!(starts(variable, value), "{variable}: {value:?} stops a function");
        }
        for value in bad {
            assert!(!pattern.is_valid(&json!(value)), "{parameter}: {value:?} is taken");
            assert!(!starts(variable, value), "{variable}: {value:?} would do");
        }
    }
}

/// Those that no function reads.
#[test]
fn patterns_refuse_what_aws_would() {
    let rows = [
        ("Stage", &["prod", "v1"][..], &["", "a/b", "$default"][..]),
        (
            "CertificateArn",
            &["", "arn:aws:acm:eu-central-1:123456789012:certificate/12ab-34cd"],
            &["certificate", "arn:aws:iam::123456789012:server-certificate/a"],
        ),
        ("AlarmEmail", &["", "ops@a.example"], &["ops", "ops@a", "a b@c.example"]),
    ];
    for (parameter, good, bad) in rows {
        let pattern = pattern(parameter);
        let refused: Vec<_> = good.iter().filter(|value| !pattern.is_valid(&json!(value))).collect();
        let taken: Vec<_> = bad.iter().filter(|value| pattern.is_valid(&json!(value))).collect();
        assert!(refused.is_empty() && taken.is_empty(), "{parameter}: refuses {refused:?}, takes {taken:?}");
    }
}

#[test]
fn every_parameter_is_explained_and_stands_in_a_group() {
    let template = parse(TEMPLATE);
    let groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"].as_array().unwrap();
    let grouped = groups.iter().flat_map(|group| group["Parameters"].as_array().unwrap());
    let mut grouped: Vec<&str> = grouped.map(|name| name.as_str().unwrap()).collect();
    grouped.sort_unstable();
    let parameters = template["Parameters"].as_object().unwrap();
    assert_eq!(grouped, parameters.keys().map(String::as_str).collect::<Vec<_>>());
    for (name, parameter) in parameters {
        assert!(parameter["Description"].is_string(), "{name}");
    }
}

/// As it is held against a value when a stack is deployed.
fn pattern(parameter: &str) -> jsonschema::Validator {
    let parameter = &parse(TEMPLATE)["Parameters"][parameter];
    assert!(parameter["ConstraintDescription"].is_string());
    jsonschema::validator_for(&json!({"pattern": parameter["AllowedPattern"]})).unwrap()
}

/// Whether every function starts with this in its environment.
fn starts(variable: &str, value: &str) -> bool {
    let look_up = |name: &str| if name == variable { Some(value.to_owned()) } else { sample(name) };
    FUNCTIONS.iter().all(|function| (function.start)(&Variables::new(&look_up)).is_ok())
}
