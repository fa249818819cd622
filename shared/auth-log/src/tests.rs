//! Lines as they are written.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tracing::Level;

use crate::invocation::{begin, span};
use crate::metric::{METRICS, millis};
use crate::settings::Settings;

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn lines(level: Level, deployment: Option<&str>, act: impl FnOnce()) -> Vec<Value> {
    let buffer = Buffer::default();
    let writer = buffer.clone();
    let settings = Settings { service: "login", level, deployment: deployment.map(str::to_owned) };
    tracing::subscriber::with_default(crate::subscriber(settings, move || writer.clone()), act);
    let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The names of a line's members.
fn members(line: &Value) -> Vec<&str> {
    line.as_object().unwrap().keys().map(String::as_str).collect()
}

const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

#[test]
fn a_line_is_one_object_with_the_usual_keys() {
    let lines = lines(Level::INFO, None, || {
        let _span = span("refresh", "id-1", Some(TRACE)).entered();
        tracing::info!(target: "login", event = "login_ok", attempts = 2, share = 0.5, "signed\nin \u{1b}[31m");
    });
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["service"], "refresh", "the invocation's");
    assert_eq!(line["message"], "signed\nin \u{1b}[31m");
    assert_eq!(line["function_request_id"], "id-1");
    assert_eq!(line["xray_trace_id"], "1-5759e988-bd862e3fe1be46a994272793");
    assert_eq!(line["event"], "login_ok");
    assert_eq!((&line["attempts"], &line["share"]), (&json!(2), &json!(0.5)));
    assert!(line["cold_start"].is_boolean());
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn without_a_trace_there_is_no_such_key() {
    for trace in [None, Some("sekret")] {
        let lines = lines(Level::INFO, None, || {
            let _span = begin("login", "id-1", trace, false).entered();
            tracing::info!(target: "login", event = "login_ok");
        });
        assert_eq!(
            members(&lines[0]),
            ["cold_start", "event", "function_request_id", "level", "service", "timestamp"],
            "{trace:?}"
        );
    }
}

#[test]
fn others_are_heard_from_warn_on_at_any_level() {
    let lines = lines(Level::TRACE, Some("prod"), || {
        tracing::trace!(target: "lambda_runtime", body = "a password", "raw event");
        tracing::debug!(target: "aws_smithy_runtime", Latency = 1.0, "request");
        tracing::warn!(target: "aws_smithy_runtime", "heard");
        tracing::error!(target: "lambda_runtime::layers::panic", "a 401 of the authorizer");
        tracing::trace!(target: "refresh", "heard");
    });
    assert_eq!(lines.iter().map(|line| line["message"].as_str().unwrap()).collect::<Vec<_>>(), ["heard", "heard"]);
}

#[test]
fn a_line_that_counts_is_a_document_of_the_embedded_metric_format() {
    let lines = lines(Level::INFO, Some("prod"), || {
        let _span = begin("authorizer", "id-1", None, true).entered();
        tracing::info!(
            target: "authorizer",
            event = "unauthorized",
            reason = "expired",
            Latency = millis(Duration::from_nanos(43_499)),
            Denials = 1
        );
    });
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    let at = line["_aws"]["Timestamp"].as_u64().unwrap();
    assert!(at > 1_700_000_000_000, "milliseconds");
    let base = json!(["deployment", "service"]);
    let expected = json!([
        {
            "Namespace": "Countersign",
            "Dimensions": [base, ["deployment", "service", "reason"]],
            "Metrics": [{"Name": "Denials", "Unit": "Count"}],
        },
        {
            "Namespace": "Countersign",
            "Dimensions": [base],
            "Metrics": [{"Name": "Latency", "Unit": "Milliseconds"}, {"Name": "ColdStarts", "Unit": "Count"}],
        },
    ]);
    assert_eq!(line["_aws"], json!({"Timestamp": at, "CloudWatchMetrics": expected}));
    assert_eq!((&line["deployment"], &line["service"]), (&json!("prod"), &json!("authorizer")));
    assert_eq!((&line["reason"], &line["event"]), (&json!("expired"), &json!("unauthorized")));
    assert_eq!((&line["Latency"], &line["ColdStarts"], &line["Denials"]), (&json!(0.043), &json!(1), &json!(1)));
}

#[test]
fn only_the_line_that_ends_the_first_invocation_counts_it() {
    for (name, cold_start, expected) in [("first", true, json!(1)), ("later", false, Value::Null)] {
        let lines = lines(Level::INFO, Some("prod"), || {
            let _span = begin("login", "id-1", None, cold_start).entered();
            tracing::info!(target: "login", event = "login_ok", outcome = "succeeded", Logins = 1);
            tracing::info!(target: "auth_http", event = "answered", Latency = 1.0);
        });
        let counts: Vec<&Value> = lines.iter().map(|line| &line["ColdStarts"]).collect();
        assert_eq!(counts, [&Value::Null, &expected], "{name}");
    }
}

#[test]
fn metrics_are_written_at_every_level_and_what_else_a_line_tells_is_not() {
    for level in [Level::ERROR, Level::WARN, Level::INFO, Level::TRACE] {
        let lines = lines(level, Some("prod"), || {
            let _span = begin("login", "id-1", None, true).entered();
            tracing::info!(target: "login", event = "login_ok", sub = "u", outcome = "succeeded", Logins = 1, "text");
            tracing::info!(target: "login", event = "silent", Throttled = Option::<u8>::None);
        });
        let told = ["cold_start", "event", "message", "sub"];
        let counted =
            ["Logins", "_aws", "deployment", "function_request_id", "level", "outcome", "service", "timestamp"];
        let mut expected: Vec<&str> = counted.to_vec();
        if level >= Level::INFO {
            expected.extend(told);
            expected.sort_unstable();
        }
        assert_eq!(members(&lines[0]), expected, "{level}");
        let silent = lines[1..].iter().all(|line| line["_aws"] == Value::Null && line["deployment"] == Value::Null);
        assert!(silent && (lines.len() == 2) == (level >= Level::INFO), "{level}: {lines:?}");
    }
}

#[test]
fn without_metrics_a_line_keeps_its_measures_and_loses_its_counts() {
    let act = || {
        tracing::info!(target: "authorizer", event = "allowed", Latency = 1.5, Staleness = 900, Allowed = 1);
    };
    let told = lines(Level::INFO, None, act);
    assert_eq!(members(&told[0]), ["Latency", "Staleness", "event", "level", "service", "timestamp"]);
    assert_eq!(lines(Level::ERROR, None, act), Vec::<Value>::new());
}

#[test]
fn a_label_has_no_values_but_its_own() {
    let split: Vec<_> = METRICS.iter().filter_map(|metric| Some((metric, metric.label?))).collect();
    assert_eq!(split.len(), 3);
    let [login, refresh, authorizer] = ["a sekret", "Rotate", ""];
    let lines = lines(Level::INFO, Some("prod"), || {
        tracing::info!(target: "login", outcome = login, Logins = 1);
        tracing::info!(target: "refresh", decision = refresh, Refreshes = 1);
        tracing::info!(target: "authorizer", reason = authorizer, Denials = 1);
        tracing::info!(target: "authorizer", Denials = 1);
        tracing::info!(target: "login", outcome = "refused", Logins = 1);
    });
    let values = ["outcome", "decision", "reason", "reason", "outcome"];
    let values: Vec<&Value> = lines.iter().zip(values).map(|(line, label)| &line[label]).collect();
    assert_eq!(values, ["other", "other", "other", "other", "refused"]);
    for (metric, label) in split {
        assert!(label.values.len() <= 30, "{}: each value is a metric to pay for", metric.name);
        let is_code = |value: &&str| value.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        assert!(label.values.iter().all(is_code), "{}", metric.name);
    }
}
