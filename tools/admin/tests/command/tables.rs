//! `authctl table`, and what is said where there is none.

use std::net::TcpListener;

use dynoxide::Database;
use serde_json::{Value, json};

use crate::operator::{Answer, Operator, PASSWORD, command};

#[tokio::test(flavor = "multi_thread")]
async fn the_table_is_missed_made_and_checked() {
    let operator = Operator::of(Database::memory().unwrap()).await;
    let missing =
        "there is no table \"countersign\": make it with `authctl table create`, or name another with --table";
    let cases: [&[&str]; 4] =
        [&["user", "list"], &["user", "add", "alice"], &["session", "list", "alice"], &["table", "check"]];
    for arguments in cases {
        assert_eq!(operator.run_with(arguments, PASSWORD).refused(1), missing, "{arguments:?}");
    }
    assert_eq!(operator.json(&["table", "create"]), [json!({"table": "countersign", "created": true})]);
    assert_eq!(operator.json(&["table", "create"]), [json!({"table": "countersign", "created": false})]);
    let checked = operator.json(&["table", "check"]);
    let keys = json!({"property": "keys", "found": "pk S HASH, sk S RANGE", "verdict": "good"});
    assert!(checked.contains(&keys), "{checked:?}");
    assert!(checked.iter().all(|row| row["verdict"] != "error"), "{checked:?}");
    let recovery = checked.iter().find(|row| row["property"] == "point-in-time recovery").unwrap();
    assert_eq!(recovery["verdict"], "unknown", "this engine cannot say");
    assert!(operator.run(&["table", "check"]).done().starts_with("PROPERTY "));

    operator.run(&["--table", "other", "table", "create"]).done();
    assert_eq!(operator.json(&["--table", "other", "user", "list"]), [Value::Null; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_not_ours_fails_the_check() {
    let engine = Database::memory().unwrap();
    let request = json!({
        "TableName": "countersign",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    });
    engine.create_table(serde_json::from_value(request).unwrap()).unwrap();
    let operator = Operator::of(engine).await;
    let checked = operator.run(&["table", "check"]);
    assert_eq!(checked.code, Some(1));
    let expected = "error: the table is not as it must be: keys (id S HASH): keys cannot be changed";
    assert!(checked.stderr.starts_with(expected) && checked.stderr.lines().count() == 1, "{checked:?}");
    assert!(checked.stdout.lines().any(|line| line.starts_with("time-to-live ") && line.contains(" error ")));
    assert!(operator.run(&["table", "create"]).refused(1).starts_with("the table is not as it must be: keys"));
    assert!(operator.run(&["user", "show", "alice"]).refused(1).contains("authctl table check"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_says_where_and_the_command_line_overrides_it() {
    let operator = Operator::start().await;
    operator.user("alice").await;
    let run = |arguments: &[&str], table: &str, endpoint: &str| {
        let mut command = command(arguments);
        Answer::of(command.env("TABLE_NAME", table).env("AWS_ENDPOINT_URL_DYNAMODB", endpoint), "")
    };
    run(&["user", "show", "alice"], "countersign", &operator.endpoint).done();
    run(&["user", "show", "alice"], "", &operator.endpoint).done();
    assert!(run(&["user", "list"], "other", &operator.endpoint).refused(1).starts_with("there is no table \"other\""));
    run(&["user", "show", "alice", "--table", "countersign"], "other", &operator.endpoint).done();
    let here = ["user", "show", "alice", "--endpoint", &operator.endpoint];
    run(&here, "countersign", "http://127.0.0.1:1").done();
    let expected = "AWS_ENDPOINT_URL_DYNAMODB is not valid: expected a URL such as http://127.0.0.1:8000";
    assert_eq!(run(&["user", "list"], "countersign", "here").refused(2), expected);
}

#[test]
fn a_place_that_cannot_be_reached_is_one_clear_line() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port(); // free again at once
    let endpoint = format!("http://127.0.0.1:{port}");
    let unreachable = Answer::of(&mut command(&["user", "list", "--endpoint", &endpoint]), "");
    assert_eq!(unreachable.refused(1), format!("nothing answers at {endpoint}: is it running?"));

    let no_region = Answer::of(&mut command(&["user", "list"]), "");
    assert!(no_region.refused(1).starts_with("no AWS region is set: set AWS_REGION"), "{no_region:?}");
    let no_credentials = Answer::of(command(&["user", "list"]).env("AWS_REGION", "eu-central-1"), "");
    assert!(no_credentials.refused(1).contains("AWS_ACCESS_KEY_ID"), "{no_credentials:?}");
}
