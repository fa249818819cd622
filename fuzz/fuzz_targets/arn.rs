//! What the caller writes into the path: whatever it is, the policy is about that stage, and opens nothing that is closed.
#![no_main]

use std::sync::LazyLock;

use authorizer::App;
use fuzz::{GOOD, answer};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

static APP: LazyLock<App> = LazyLock::new(fuzz::authorizer);

fuzz_target!(|arn: &str| {
    let token = format!("Bearer {}", *GOOD);
    let event = json!({"type": "TOKEN", "methodArn": arn, "authorizationToken": token});
    let Some(answer) = answer(&APP, &event) else { return };
    let stage = arn.splitn(3, '/').take(2).collect::<Vec<_>>().join("/");
    let statements = answer["policyDocument"]["Statement"].as_array().expect("statements");
    let resources = |effect: &str| -> Vec<&str> {
        let of_effect = statements.iter().filter(|statement| statement["Effect"] == effect);
        of_effect
            .flat_map(|statement| statement["Resource"].as_array().into_iter().flatten())
            .filter_map(Value::as_str)
            .collect()
    };
    assert_eq!(resources("Allow"), [format!("{stage}/*")]);
    for method in ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"] {
        let closed = format!("{stage}/{method}/closed/*");
        assert!(resources("Deny").contains(&closed.as_str()), "{closed}");
    }
});
