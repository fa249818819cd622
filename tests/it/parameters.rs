//! The parameters of `template.yaml`: what they refuse, and how an operator finds them.

use serde_json::json;

use crate::template::{TEMPLATE, parse};

/// What a parameter's pattern refuses, as CloudFormation would.
#[test]
fn parameters_refuse_what_the_functions_would() {
    let rows = [
        (
            "Issuer",
            &["https://a.example", "https://a.example:8443/b/c"][..],
            &["", "http://a.example", "https://a.example/", "https://a.example?b"][..],
        ),
        ("Audience", &["a", "https://api.example", "my api"], &["", " a"]),
        ("DefaultClientId", &["default"], &["", "a b"]),
        (
            "AllowedOrigins",
            &["", "*", "https://a.example,http://localhost:5173", "capacitor://localhost"],
            &["a.example", "https://a.example/", "https://A.example", "*,https://a.example"],
        ),
        ("RoutePolicy", &["", "{}", "{\"routes\":\n[]}"], &["[]", "policy.json"]),
        ("WebSocketTokenParameter", &["", "access_token"], &["a=b", "a b"]),
        ("SessionsPerUser", &["", "1", "999", "1000"], &["0", "01", "1001", "-1", "all"]),
        ("Stage", &["prod", "v1"], &["", "a/b", "$default"]),
        (
            "CertificateArn",
            &["", "arn:aws:acm:eu-central-1:123456789012:certificate/12ab-34cd"],
            &["certificate", "arn:aws:iam::123456789012:server-certificate/a"],
        ),
        ("AlarmEmail", &["", "ops@a.example"], &["ops", "ops@a", "a b@c.example"]),
    ];
    let template = parse(TEMPLATE);
    for (name, good, bad) in rows {
        let parameter = &template["Parameters"][name];
        let pattern = jsonschema::validator_for(&json!({"pattern": parameter["AllowedPattern"]})).unwrap();
        assert!(parameter["ConstraintDescription"].is_string(), "{name}");
        for value in good {
            assert!(pattern.is_valid(&json!(value)), "{name}: {value:?} is refused");
        }
        for value in bad {
            assert!(!pattern.is_valid(&json!(value)), "{name}: {value:?} is taken");
        }
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
