//! The parameters of `template.yaml`: what they refuse, and how an operator finds them.

use auth_core::config::Variables;
use serde_json::{Value, json};

use crate::template::{FUNCTIONS, TEMPLATE, parse, sample};

const ALONE: &str = include_str!("../../examples/authorizer-alone/template.yaml");
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

/// With what a parameter is if nobody gives it, every function starts.
#[test]
fn defaults_are_good() {
    for template in [TEMPLATE, ALONE] {
        for (parameter, variable) in [("RoutePolicy", "ROUTE_POLICY"), ("TrustedIssuers", "TRUSTED_ISSUERS")] {
            let default = parse(template)["Parameters"][parameter]["Default"].as_str().unwrap().to_owned();
            assert!(starts(variable, &default), "{variable}: {default:?}");
        }
    }
}

/// A parameter keeps its value from one deployment to the next, so one that would pin the authorizer to old keys is refused.
#[test]
fn keys_are_in_the_table_or_in_a_parameter() {
    let rows = [
        (TEMPLATE, [("Revocation", "on"), ("Jwks", "")], true),
        (TEMPLATE, [("Revocation", "on"), ("Jwks", "{}")], false),
        (TEMPLATE, [("Revocation", "off"), ("Jwks", "")], true), // at first, before there are keys
        (TEMPLATE, [("Revocation", "off"), ("Jwks", "{}")], true),
        (ALONE, [("TableArn", ""), ("Jwks", "")], false),
        (ALONE, [("TableArn", ""), ("Jwks", "{}")], true),
        (ALONE, [("TableArn", "arn"), ("Jwks", "")], true),
        (ALONE, [("TableArn", "arn"), ("Jwks", "{}")], false),
    ];
    for (template, parameters, taken) in rows {
        assert_eq!(is_taken(&parse(template)["Rules"], &parameters), taken, "{parameters:?}");
    }
}

/// As AWS holds parameters to the rules of a template. Those that are not given have nothing to do with it.
fn is_taken(rules: &Value, parameters: &[(&str, &str)]) -> bool {
    let of_these =
        |rule: &&Value| parameters.iter().any(|(name, _)| rule.to_string().contains(&json!({"Ref": name}).to_string()));
    rules.as_object().unwrap().values().filter(of_these).all(|rule| {
        let holds = |condition: &Value| evaluate(condition, parameters) == json!(true);
        !holds(&rule["RuleCondition"]) || rule["Assertions"].as_array().unwrap().iter().all(|it| holds(&it["Assert"]))
    })
}

fn evaluate(value: &Value, parameters: &[(&str, &str)]) -> Value {
    let Some((function, argument)) = value.as_object().and_then(|value| value.iter().next()) else {
        return value.clone();
    };
    let all: Vec<Value> = argument.as_array().into_iter().flatten().map(|it| evaluate(it, parameters)).collect();
    match (function.as_str(), all.as_slice()) {
        ("Ref", _) => json!(parameters.iter().find(|(name, _)| argument == name).unwrap().1),
        ("Fn::Equals", [one, other]) => json!(one == other),
        ("Fn::Not", [inner]) => json!(inner == &json!(false)),
        _ => panic!("{value}"),
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
