//! Logs, traces, alarms and the dashboard of `template.yaml`.

use auth_log::metric::{METRICS, NAMESPACE};
use serde_json::{Value, json};

use crate::template::{TEMPLATE, functions, parse};

/// Whether functions count this.
fn is_counted(name: &str) -> bool {
    METRICS.iter().any(|metric| metric.name == name)
}

#[test]
fn every_function_is_logged_for_a_while_and_traced() {
    let template = parse(TEMPLATE);
    let all = &template["Globals"]["Function"];
    assert_eq!((&all["Tracing"], &all["LoggingConfig"]["LogGroup"]), (&json!("Active"), &json!({"Ref": "Log"})));
    assert_eq!(template["Resources"]["Log"]["Properties"]["RetentionInDays"], json!({"Ref": "LogRetentionDays"}));
    // The functions choose by `LOG_LEVEL`; Lambda would drop metrics above INFO.
    assert_eq!(all["LoggingConfig"]["ApplicationLogLevel"], "TRACE");
    for (name, function) in functions(&template) {
        for property in ["LoggingConfig", "Tracing"] {
            assert_eq!(function["Properties"][property], Value::Null, "{name}: {property}");
        }
    }
    assert_eq!(template["Resources"]["Api"]["Properties"]["TracingEnabled"], true);
}

/// Alarms reach the topic when they begin and when they end, and silence is none; but of what has to happen every day.
#[test]
fn alarms_are_told_to_the_topic() {
    let template = parse(TEMPLATE);
    let resources = template["Resources"].as_object().unwrap();
    let alarms: Vec<_> = resources.iter().filter(|(_, it)| it["Type"] == "AWS::CloudWatch::Alarm").collect();
    assert!(alarms.len() > 5);
    let topic = json!([{"Ref": "AlarmTopic"}]);
    for (name, alarm) in alarms {
        let alarm = &alarm["Properties"];
        assert_eq!((&alarm["AlarmActions"], &alarm["OKActions"]), (&topic, &topic), "{name}");
        let of_silence = if name == "KeysForgotten" { "breaching" } else { "notBreaching" };
        assert_eq!(alarm["TreatMissingData"], of_silence, "{name}");
        // Of the authorizer, a 401 is one, as Lambda counts.
        let of_authorizer = json!([{"Name": "FunctionName", "Value": {"Ref": "Authorizer"}}]);
        assert!(alarm["MetricName"] != "Errors" || alarm["Dimensions"] != of_authorizer, "{name}");
    }
}

#[test]
fn what_is_watched_is_what_functions_count() {
    let template = parse(TEMPLATE);
    let folder = |function: &Value| function["Properties"]["CodeUri"].as_str().unwrap().to_owned();
    let services: Vec<String> =
        functions(&template).map(|(_, function)| folder(function).replace("functions/", "")).collect();
    let resources = template["Resources"].as_object().unwrap();
    let alarms = resources.values().map(|it| &it["Properties"]).filter(|it| it["Namespace"] == NAMESPACE);
    let mut seen = 0;
    for alarm in alarms {
        assert!(is_counted(alarm["MetricName"].as_str().unwrap()), "{alarm}");
        let [deployment, service] = alarm["Dimensions"].as_array().unwrap().as_slice() else { panic!("{alarm}") };
        assert_eq!(deployment, &json!({"Name": "deployment", "Value": {"Ref": "AWS::StackName"}}));
        assert_eq!(service["Name"], "service");
        assert!(services.iter().any(|name| service["Value"] == name.as_str()), "{alarm}");
        seen += 1;
    }
    assert!(seen > 3);
    let widgets = widgets(&template);
    assert!(widgets.len() > 5);
    for widget in widgets {
        for metric in widget["properties"]["metrics"].as_array().unwrap() {
            let name = match metric[0]["expression"].as_str() {
                Some(search) => search.split("MetricName=\"").nth(1).unwrap().split('"').next().unwrap(),
                None if metric[0] == NAMESPACE => metric[1].as_str().unwrap(),
                None => continue,
            };
            assert!(is_counted(name), "{metric}");
        }
    }
}

/// Nobody calls it and is told of a failure: neither of one that it could still write into its log.
#[test]
fn whatever_stops_the_turns_of_keys_raises_an_alarm() {
    let template = parse(TEMPLATE);
    for (name, metric, comparison) in [
        ("KeysNotKept", "Errors", "GreaterThanOrEqualToThreshold"),
        ("KeysForgotten", "Invocations", "LessThanThreshold"),
    ] {
        let alarm = &template["Resources"][name]["Properties"];
        assert_eq!((&alarm["Namespace"], &alarm["MetricName"]), (&json!("AWS/Lambda"), &json!(metric)));
        assert_eq!(alarm["Dimensions"], json!([{"Name": "FunctionName", "Value": {"Ref": "RotateKeys"}}]), "{name}");
        assert_eq!((&alarm["Threshold"], &alarm["Statistic"]), (&json!(1), &json!("Sum")), "{name}");
        assert_eq!(alarm["ComparisonOperator"], comparison, "{name}");
    }
    // A run a day, and some time for it.
    let silence = &template["Resources"]["KeysForgotten"]["Properties"];
    let hours = silence["Period"].as_u64().unwrap() * silence["EvaluationPeriods"].as_u64().unwrap() / 3600;
    assert!((25..=7 * 24).contains(&hours), "{hours}");
}

/// A name that SAM makes is one for all stacks of an account and a region, so that only one of them could be there.
#[test]
fn keys_are_kept_once_a_day_in_every_stack() {
    let daily = &parse(TEMPLATE)["Resources"]["RotateKeys"]["Properties"]["Events"]["Daily"];
    let schedule = json!({"ScheduleExpression": "rate(1 day)", "OmitName": true});
    assert_eq!((&daily["Type"], &daily["Properties"]), (&json!("ScheduleV2"), &schedule));
}

/// Who has an instance is on the dashboard, and whom Lambda refuses one.
#[test]
fn every_function_is_on_the_dashboard() {
    let template = parse(TEMPLATE);
    let widgets = widgets(&template);
    for metric in ["ConcurrentExecutions", "Throttles"] {
        let lines = widgets.iter().flat_map(|widget| widget["properties"]["metrics"].as_array().unwrap());
        let mut shown: Vec<&str> =
            lines.filter(|line| line[1] == metric).map(|line| line[3].as_str().unwrap()).collect();
        shown.sort_unstable();
        let all: Vec<String> = functions(&template).map(|(name, _)| format!("${{{name}}}")).collect();
        assert_eq!(shown, all.iter().map(String::as_str).collect::<Vec<_>>(), "{metric}");
    }
}

fn widgets(template: &Value) -> Vec<Value> {
    let body = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].as_str().unwrap();
    serde_json::from_str::<Value>(body).unwrap()["widgets"].as_array().unwrap().clone()
}
