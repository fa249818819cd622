//! Metrics out of lines, as CloudWatch takes them: what its embedded metric format asks for is checked on the way.

use std::collections::BTreeMap;

use auth_log::metric::NAMESPACE;
use serde_json::Value;

/// The most metrics of a directive, the most dimensions of a set, and the longest value of a dimension.
const MOST_METRICS: usize = 100;
const MOST_DIMENSIONS: usize = 30;
const LONGEST_VALUE: usize = 1024;

/// A metric is its name and its dimensions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) dimensions: BTreeMap<String, String>,
}

impl Series {
    /// One of the dimensions, or nothing.
    pub(crate) fn dimension(&self, name: &str) -> &str {
        self.dimensions.get(name).map_or("", String::as_str)
    }
}

/// What a line gives to metrics; nothing if it is no document of the format.
pub(crate) fn points(line: &Value) -> Vec<(Series, f64)> {
    let Some(metadata) = line.get("_aws") else { return Vec::new() };
    assert_members(metadata, &["CloudWatchMetrics", "Timestamp"]);
    let year_2020 = 1_577_836_800_000;
    assert!(metadata["Timestamp"].as_u64().is_some_and(|at| at > year_2020), "milliseconds: {line}");
    let directives = metadata["CloudWatchMetrics"].as_array().unwrap();
    assert!(!directives.is_empty(), "{line}");
    directives.iter().flat_map(|directive| of_directive(line, directive)).collect()
}

fn of_directive(line: &Value, directive: &Value) -> Vec<(Series, f64)> {
    assert_members(directive, &["Dimensions", "Metrics", "Namespace"]);
    assert_eq!(directive["Namespace"], NAMESPACE);
    let metrics = directive["Metrics"].as_array().unwrap();
    assert!((1..=MOST_METRICS).contains(&metrics.len()), "{line}");
    let mut points = Vec::new();
    for set in directive["Dimensions"].as_array().unwrap() {
        let set = set.as_array().unwrap();
        assert!(set.len() <= MOST_DIMENSIONS, "{line}");
        let dimensions: BTreeMap<String, String> = set.iter().map(|name| dimension(line, name)).collect();
        assert_eq!(dimensions.len(), set.len(), "a name twice: {line}");
        for metric in metrics {
            let (name, value) = value(line, metric);
            points.push((Series { name, dimensions: dimensions.clone() }, value));
        }
    }
    assert!(!points.is_empty(), "{line}");
    points
}

/// A dimension is a member at the root: a string that CloudWatch takes for one.
fn dimension(line: &Value, name: &Value) -> (String, String) {
    let name = name.as_str().unwrap();
    let value = line[name].as_str().unwrap_or_else(|| panic!("{name} is no string at the root of {line}"));
    assert!((1..=LONGEST_VALUE).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic()), "{line}");
    (name.to_owned(), value.to_owned())
}

/// A metric is a member at the root: a number.
fn value(line: &Value, metric: &Value) -> (String, f64) {
    assert_members(metric, &["Name", "Unit"]);
    assert!(["Count", "Milliseconds"].contains(&metric["Unit"].as_str().unwrap()), "{line}");
    let name = metric["Name"].as_str().unwrap();
    let value = line[name].as_f64().unwrap_or_else(|| panic!("{name} is no number at the root of {line}"));
    assert!(value >= 0.0, "{line}");
    (name.to_owned(), value)
}

fn assert_members(object: &Value, expected: &[&str]) {
    let names: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, expected, "{object}");
}
