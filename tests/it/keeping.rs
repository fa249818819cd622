//! What is said of keys, by the function that keeps them and by those who sign with them: what was done, and no private half.

use std::path::PathBuf;
use std::sync::Arc;

use auth_core::config::Variables;
use auth_core::entropy::OsEntropy;
use auth_core::key_ring::KeyState;
use auth_core::time::{Clock, ManualClock};
use auth_dynamodb::store::Store;
use auth_keys::keeper::Keeper;
use auth_log::invocation;
use auth_watch::pace::RETRY;
use rotate_keys::App;
use serde_json::{Value, json};
use tracing::{Instrument as _, Level};

use crate::emf::points;
use crate::harness::{Api, RESTED, SECOND, START, engine, table_name};
use crate::listening::Listening;
use crate::wire::{Fault, Wire, dynamodb};

/// A file of keys that ends with this value.
struct KeyFile(PathBuf);

impl KeyFile {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("{}.keys", table_name())))
    }

    fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.0).unwrap()
    }

    /// All that must be nowhere else: the lines of private keys, and the keys of refresh tokens.
    fn secrets(&self) -> Vec<String> {
        let kept: Value = serde_json::from_str(&self.text()).unwrap();
        let signing = kept["signing_keys"].as_object().unwrap().values().map(|key| key["key"].as_str().unwrap());
        let refresh = kept["refresh_keys"].as_str().unwrap().split(',').filter_map(|key| key.split_once(':'));
        signing.flat_map(str::lines).chain(refresh.map(|(_, key)| key)).map(str::to_owned).collect()
    }

    async fn keeper(&self, store: Store, algorithm: &str) -> Keeper {
        let look_up = |name: &str| match name {
            "KEY_FILE" => Some(self.name().to_owned()),
            "SIGNING_ALGORITHM" => Some(algorithm.to_owned()),
            _ => None,
        };
        Keeper::from_variables(&Variables::new(&look_up), store).await.unwrap()
    }

    async fn function(&self, store: Store, algorithm: &str, clock: Arc<dyn Clock>) -> App {
        App::new(self.keeper(store.clone(), algorithm).await, store, clock, Arc::new(OsEntropy))
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// One invocation, as the function's `main` makes it.
async fn invoke(app: &App) -> bool {
    app.keep().instrument(invocation::span("rotate-keys", "request-1", None)).await.is_ok()
}

fn events(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["event"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn each_run_ends_with_a_line_that_has_its_latency_and_the_usual_keys() {
    let log = Listening::at(Level::INFO);
    let wire = Wire::to(engine().await).await;
    let store = Store::on_loopback(&wire.endpoint, table_name());
    store.create_table().await.unwrap();
    let file = KeyFile::new();
    let app = file.function(store, "EdDSA", Arc::new(ManualClock::new(START))).await;
    log.lines();

    let runs = [
        (None, &["refresh_keys_made", "key_made", "key_made", "keys_kept"][..], json!(3), &[][..]),
        (None, &["keys_kept"], json!(0), &[]),
        (Some("InternalServerError"), &["fault"], Value::Null, &["Faults"]),
    ];
    for (refused, expected, deeds, counted) in runs {
        wire.plan("Query", refused.into_iter().flat_map(|code| vec![Fault::Refused(code); 10]));
        assert_eq!(invoke(&app).await, refused.is_none(), "{expected:?}");
        let lines = log.lines();
        assert_eq!(events(&lines), expected);
        for line in &lines {
            let keys = (&line["service"], &line["function_request_id"]);
            assert_eq!(keys, (&json!("rotate-keys"), &json!("request-1")), "{line}");
            assert!(line["cold_start"].is_boolean(), "{line}");
        }
        let last = lines.last().unwrap();
        assert_eq!(last["deeds"], deeds, "{last}");
        assert!(last["Latency"].is_number(), "{last}");
        let points = lines.iter().flat_map(points);
        assert!(points.clone().all(|(series, _)| series.dimension("service") == "rotate-keys"), "{lines:?}");
        let names: Vec<String> = points.map(|(series, _)| series.name).filter(|name| name != "ColdStarts").collect();
        let expected: Vec<&str> = [&["Latency"], counted].concat();
        assert!(names.len() == expected.len() && expected.iter().all(|name| names.iter().any(|it| it == name)));
    }
}

#[tokio::test]
async fn a_table_that_forgets_nothing_is_found_before_anybody_signs_in() {
    let log = Listening::at(Level::INFO);
    let (engine, table) = (engine().await, table_name());
    let store = Store::on_loopback(&engine, table.clone());
    store.create_table().await.unwrap();
    let off = json!({"AttributeName": "ttl", "Enabled": false});
    dynamodb(&engine, "UpdateTimeToLive", &json!({"TableName": table, "TimeToLiveSpecification": off})).await;
    let file = KeyFile::new();
    let app = file.function(store, "EdDSA", Arc::new(ManualClock::new(START))).await;
    assert!(!invoke(&app).await, "so an alarm is raised");
    let lines = log.lines();
    assert_eq!(events(&lines)[..3], ["refresh_keys_made", "key_made", "key_made"], "keys are made all the same");
    let fault =
        "the table's time-to-live is off: turn it on for the attribute \"ttl\": old sessions are never swept up";
    assert_eq!((&lines[3]["event"], &lines[3]["error"]), (&json!("fault"), &json!(fault)));
}

/// Keys are made, sign, die, are missing and are damaged, while everything is written down.
#[tokio::test]
async fn no_private_half_reaches_a_line() {
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let log = Listening::at(Level::TRACE);
        let file = KeyFile::new();
        let api = Api::start_with(&[("KEY_FILE", file.name()), ("SIGNING_ALGORITHM", algorithm)]).await;
        let keeper = file.keeper(api.store.clone(), algorithm).await;
        let app = file.function(api.store.clone(), algorithm, Arc::clone(&api.clock) as Arc<dyn Clock>).await;
        let mut secrets = file.secrets();

        let tokens = api.login().await;
        assert_eq!(api.me(&tokens.access).await.status, 200);
        let (active, _) = turns(&keeper, &api).await;
        keeper.kill(&active, &OsEntropy, api.clock.as_ref()).await.unwrap();
        assert!(invoke(&app).await, "{algorithm}: the one after the next one is made");
        secrets.extend(file.secrets());
        let (_, next) = turns(&keeper, &api).await;
        let good = file.text();
        let damaged = [
            (good.replace("\"algorithm\"", "\"algorithms\""), "private_keys_unreadable", false),
            (good.replace(&next.unwrap(), "another"), "private_key_missing", true),
        ];
        for (text, event, is_kept) in damaged {
            std::fs::write(&file.0, text).unwrap();
            api.wait(RESTED + RETRY + SECOND);
            assert_eq!(api.refresh(&tokens.refresh).await.status, 200, "{algorithm}, {event}");
            assert_eq!(invoke(&app).await, is_kept, "{algorithm}, {event}");
            let lines = log.lines();
            for event in [event, if is_kept { "keys_kept" } else { "fault" }] {
                assert!(events(&lines).contains(&event), "{algorithm}: {event} was heard");
            }
            assert_eq!(found(&lines, &secrets), Vec::<&str>::new(), "{algorithm}");
        }
        assert!(secrets.len() > 10 && found(&[json!(good)], &secrets).len() > 5, "{algorithm}: the search finds");
    }
    // What threads of their own say.
    assert!(!crate::log::all().contains("PRIVATE KEY"));
}

/// What signs, and what will.
async fn turns(keeper: &Keeper, api: &Api) -> (String, Option<String>) {
    let (ring, now) = (keeper.ring().await.unwrap(), api.clock.now());
    let of = |state| ring.keys().iter().find(|key| ring.state(key, now) == state).map(|key| key.kid().to_owned());
    (of(KeyState::Active).unwrap(), of(KeyState::Next))
}

fn found<'a>(lines: &[Value], secrets: &'a [String]) -> Vec<&'a str> {
    let text: String = lines.iter().map(Value::to_string).collect();
    secrets.iter().map(String::as_str).filter(|secret| text.contains(secret)).collect()
}
