//! What is counted and measured, in CloudWatch's embedded metric format: a line that has a member of a metric's name
//! says in its member `_aws` what that is, and CloudWatch makes the metric of it.
//!
//! A handler counts by giving one of its log lines a field of that name: `tracing::info!(event = "…", Allowed = 1)`. Such a
//! line is written at any level; below the level that is wanted, without what it tells beyond.

use std::time::Duration;

use auth_core::time::UnixTime;
use serde_json::Value;
use tracing::Metadata;

use crate::line::Line;

/// The namespace of all metrics.
pub const NAMESPACE: &str = "Countersign";

/// The dimensions that every metric has.
pub const DIMENSIONS: [&str; 2] = ["deployment", "service"];

/// What stands for a label's value that is none of those it may have: each value would be one metric more to pay for.
pub const OTHER: &str = "other";

/// The measure that ends an invocation. On its line the first invocation of a process is counted.
const LATENCY: &str = "Latency";
const COLD_STARTS: &str = "ColdStarts";

/// What a line keeps beside its metrics when it is written for these alone.
const FRAME: [&str; 4] = ["timestamp", "level", "service", "function_request_id"];

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name, which is that of the field in the log.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// What it is split by, beside being summed.
    pub label: Option<Label>,
}

/// The unit of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// So many.
    Count,
    /// A duration.
    Milliseconds,
}

/// A third dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its name, which is that of the field in the log.
    pub name: &'static str,
    /// All that it may be.
    pub values: &'static [&'static str],
}

/// All metrics.
pub const METRICS: [Metric; 10] = [
    Metric { name: LATENCY, unit: Unit::Milliseconds, label: None },
    count(COLD_STARTS),
    count("Faults"),
    count("Throttled"),
    split("Logins", "outcome", &["succeeded", "refused", "throttled"]),
    split(
        "Refreshes",
        "decision",
        &["rest", "rotate", "repeat", "fork", "adopt", "replayed", "ended", "expired", "unknown", "busy"],
    ),
    count("Replays"),
    split("Denials", "reason", &DENIAL_REASONS),
    count("Allowed"),
    Metric { name: "Staleness", unit: Unit::Milliseconds, label: None },
];

/// Why the authorizer lets nobody in.
const DENIAL_REASONS: [&str; 21] = [
    "unknown_event",
    "no_token",
    "several_tokens",
    "identity_source",
    "malformed",
    "wrong_type",
    "unknown_key",
    "wrong_algorithm",
    "wrong_signature",
    "wrong_issuer",
    "wrong_audience",
    "expired",
    "not_yet_valid",
    "lives_too_long",
    "sender_constrained",
    "token_revoked",
    "session_ended",
    "below_version",
    "client_revoked",
    "key_revoked",
    "forbidden",
];

const fn count(name: &'static str) -> Metric {
    Metric { name, unit: Unit::Count, label: None }
}

const fn split(name: &'static str, by: &'static str, values: &'static [&'static str]) -> Metric {
    Metric { name, unit: Unit::Count, label: Some(Label { name: by, values }) }
}

/// A duration as a metric has it: milliseconds, to the microsecond.
pub fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// Whether lines of this callsite count or measure anything.
pub(crate) fn is_counting(metadata: &Metadata<'_>) -> bool {
    metadata.fields().iter().any(|field| METRICS.iter().any(|metric| metric.name == field.name()))
}

/// What a line says about its metrics, if any of its members are: the member `_aws`, as JSON. The line is cut down to them
/// unless it `tells` more.
pub(crate) fn embed(line: &mut Line, deployment: &str, now: UnixTime, tells: bool) -> Option<String> {
    if line.contains_key(LATENCY) && line.get("cold_start") == Some(&Value::Bool(true)) {
        line.insert(COLD_STARTS.to_owned(), 1.into());
    }
    let metrics: Vec<&Metric> = METRICS.iter().filter(|metric| line.contains_key(metric.name)).collect();
    if metrics.is_empty() {
        return None;
    }
    for label in metrics.iter().filter_map(|metric| metric.label) {
        label.close(line);
    }
    if !tells {
        line.retain(|name, _| FRAME.contains(&name.as_str()) || metrics.iter().any(|metric| metric.names(name)));
    }
    line.insert("deployment".to_owned(), deployment.into());
    let (at, directives) = (now.millis(), directives(&metrics));
    Some(format!(r#"{{"Timestamp":{at},"CloudWatchMetrics":[{directives}]}}"#))
}

/// Without metrics, a count says nothing that its line does not say anyway.
pub(crate) fn strip(line: &mut Line) {
    for metric in METRICS.iter().filter(|metric| metric.unit == Unit::Count) {
        line.remove(metric.name);
    }
}

/// All metrics of a directive have its dimensions, so those with a label have directives of their own. As text, because the
/// authorizer writes one with each decision: a tree of values would take as long as a fifth of its signature check.
fn directives(metrics: &[&Metric]) -> String {
    let [deployment, service] = DIMENSIONS;
    let base = format!(r#"["{deployment}","{service}"]"#);
    let (split, plain): (Vec<&Metric>, Vec<&Metric>) = metrics.iter().partition(|metric| metric.label.is_some());
    let mut directives: Vec<String> = split
        .iter()
        .filter_map(|metric| {
            let label = metric.label?.name;
            Some(directive(&format!(r#"{base},["{deployment}","{service}","{label}"]"#), &[metric]))
        })
        .collect();
    if !plain.is_empty() {
        directives.push(directive(&base, &plain));
    }
    directives.join(",")
}

fn directive(dimensions: &str, metrics: &[&Metric]) -> String {
    let mut text = format!(r#"{{"Namespace":"{NAMESPACE}","Dimensions":[{dimensions}],"Metrics":["#);
    for (at, Metric { name, unit, .. }) in metrics.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        text.extend([comma, r#"{"Name":""#, name, r#"","Unit":""#, unit.name(), r#""}"#]);
    }
    text + "]}"
}

impl Metric {
    fn names(&self, member: &str) -> bool {
        self.name == member || self.label.is_some_and(|label| label.name == member)
    }
}

impl Unit {
    /// As CloudWatch calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
        }
    }
}

impl Label {
    fn close(self, line: &mut Line) {
        let value = line.get(self.name).and_then(Value::as_str);
        if !value.is_some_and(|value| self.values.contains(&value)) {
            line.insert(self.name.to_owned(), OTHER.into());
        }
    }
}
