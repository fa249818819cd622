//! `authctl keys` on the keys in the table.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::operator::{Answer, Operator};

/// A file of this test, that is not there.
fn key_file(name: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_file(&file);
    file
}

fn run(operator: &Operator, file: &Path, arguments: &[&str]) -> Answer {
    Answer::of(operator.command(arguments).env("KEY_FILE", file), "")
}

fn listed(operator: &Operator) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    operator.json(&["keys", "list"]).iter().map(|key| (text(&key["kid"]), text(&key["state"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_begin_take_turns_and_die() {
    let operator = Operator::start().await;
    let file = key_file("ring.keys");
    assert_eq!(listed(&operator), []);
    let first = run(&operator, &file, &["keys", "rotate", "--yes", "--json"]).json();
    let states = |keys: &[(String, String)]| keys.iter().map(|(_, state)| state.clone()).collect::<Vec<_>>();
    let keys = listed(&operator);
    assert_eq!(states(&keys), ["active", "next"]);
    assert_eq!((&first[0]["kid"], &first[0]["alg"]), (&keys[0].0.as_str().into(), &"RS256".into()));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let second = run(&operator, &file, &["keys", "rotate", "--yes", "--json"]).json();
    assert_eq!(second[0]["kid"], keys[1].0.as_str(), "not before everybody knows it");
    assert_eq!(states(&listed(&operator))[..2], ["active", "next"]);

    let killed = run(&operator, &file, &["keys", "kill", &keys[0].0, "--yes", "--json"]).json();
    assert_eq!((&killed[0]["successor"], &killed[0]["is_new"]), (&keys[1].0.as_str().into(), &true.into()));
    assert_eq!(states(&listed(&operator))[..2], ["killed", "active"]);
    let text = operator.run(&["keys", "list"]);
    assert!(text.done().starts_with("KID") && text.done().contains("  killed  "), "{text:?}");
}

/// Whoever killed a key has to know it, whatever went wrong afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_is_told_although_the_next_key_cannot_be_made() {
    let operator = Operator::start().await;
    let file = key_file("killed.keys");
    run(&operator, &file, &["keys", "rotate", "--yes", "--json"]).json();
    let keys = listed(&operator);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let killed = run(&operator, &file, &["keys", "kill", &keys[0].0, "--yes", "--json"]);
    assert!(killed.stdout.contains(&keys[1].0) && killed.stdout.lines().count() == 1, "{killed:?}");
    assert!(killed.stderr.contains("chmod 600"), "{killed:?}");
    assert_eq!(listed(&operator)[0], (keys[0].0.clone(), "killed".to_owned()));
}

/// One name in 64 does, and whoever kills a key is in a hurry.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_may_begin_with_a_hyphen() {
    let operator = Operator::start().await;
    let file = key_file("hyphen.keys");
    for kid in ["-abc", "--abc", "-habc", "-Vabc", "-"] {
        let refused = run(&operator, &file, &["keys", "kill", kid, "--yes"]);
        assert!(refused.refused(3).contains(kid), "{kid}: {refused:?}");
        operator.run(&["revoke", "--key", kid, "--yes"]).done();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_one_line() {
    let operator = Operator::start().await;
    let file = key_file("open.keys");
    let refused = operator.run(&["keys", "rotate", "--yes"]);
    assert!(refused.refused(2).starts_with("KEY_SECRET is not set"), "{refused:?}");
    let refused = run(&operator, &file, &["keys", "kill", "nobody's", "--yes"]);
    assert!(refused.refused(3).contains("`authctl keys list`"), "{refused:?}");
    fs::write(&file, "{}").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let refused = run(&operator, &file, &["keys", "rotate", "--yes"]);
    assert!(refused.refused(1).contains("chmod 600"), "{refused:?}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&file, "[]").unwrap();
    let refused = run(&operator, &file, &["keys", "rotate", "--yes"]);
    assert!(refused.refused(1).contains("not what the keys are kept as"), "{refused:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "[]", "what is not ours stays");
}
