//! `authctl refresh-keys`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use auth_core::entropy::OsEntropy;
use auth_core::generate;
use auth_core::refresh_token::RefreshKeys;
use serde_json::{Value, json};

use crate::operator::{Answer, command};

/// A file of this test.
struct KeyFile(PathBuf);

impl KeyFile {
    /// With the refresh keys of these ids.
    fn with(name: &str, ids: &[u8]) -> Self {
        let keys = ids.iter().map(|&id| generate::refresh_key(id, &OsEntropy).unwrap());
        let kept = json!({"signing_keys": {}, "refresh_keys": keys.collect::<Vec<_>>().join(",")});
        Self::of(name, &kept.to_string())
    }

    fn of(name: &str, text: &str) -> Self {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        Self(file)
    }

    /// What a command answers, which shows no key of before or after.
    fn run(&self, arguments: &[&str]) -> Answer {
        let before = self.text();
        let answer = Answer::of(command(&["refresh-keys"]).args(arguments).env("KEY_FILE", &self.0), "");
        let after = self.text();
        for secret in
            [&before, &after].into_iter().flat_map(|text| text.split([':', ',', '"'])).filter(|it| it.len() == 43)
        {
            assert!(!answer.stdout.contains(secret) && !answer.stderr.contains(secret), "{answer:?}");
        }
        answer
    }

    /// As it is when its first key has been there for long.
    fn age(&self) {
        let mut kept: Value = serde_json::from_str(&self.text()).unwrap();
        *kept.get_mut("first_refresh_key_from").unwrap() = json!(0);
        fs::write(&self.0, kept.to_string()).unwrap();
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.0).unwrap()
    }

    /// The ids, as the functions will read them.
    fn ids(&self) -> Vec<u8> {
        let kept: Value = serde_json::from_str(&self.text()).unwrap();
        RefreshKeys::parse(kept.get("refresh_keys").and_then(Value::as_str).unwrap()).unwrap().ids().collect()
    }
}

#[test]
fn keys_are_listed_put_first_and_dropped() {
    let file = KeyFile::with("refresh-keys", &[1]);
    assert_eq!(file.run(&["list", "--json"]).json(), [json!({"id": 1, "makes_tokens": true})]);
    let said = file.run(&["rotate", "--yes", "--json"]).json();
    let [new, 1] = file.ids()[..] else { panic!("{said:?}") };
    assert_eq!(said, [json!({"id": new, "others": [1]})]);
    let listed = [json!({"id": new, "makes_tokens": true}), json!({"id": 1, "makes_tokens": false})];
    assert_eq!(file.run(&["list", "--json"]).json(), listed);
    assert_eq!(
        file.run(&["list"]).done().lines().map(|line| line.split_whitespace().collect()).collect::<Vec<Vec<_>>>(),
        [vec!["ID", "TOKENS"], vec![new.to_string().as_str(), "makes", "and", "recognises"], vec!["1", "recognises"]]
    );
    for arguments in [&["drop", "1", "--yes"][..], &["rotate", "--yes"]] {
        assert!(file.run(arguments).refused(4).contains("makes no tokens yet: try again in "), "{arguments:?}");
    }
    file.age();
    assert_eq!(file.run(&["drop", "1", "--yes", "--json"]).json(), [json!({"dropped": 1, "left": [new]})]);
    assert_eq!(file.ids(), [new]);
    assert_eq!(fs::metadata(&file.0).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn the_next_one_makes_tokens_when_the_first_is_dropped() {
    let file = KeyFile::with("refresh-keys-first", &[3, 2, 1]);
    let said = file.run(&["drop", "3", "--yes"]);
    assert!(said.done().contains("refresh key 3 is dropped") && said.stdout.contains("there are 2, 1"), "{said:?}");
    assert_eq!(file.ids(), [2, 1]);
    let said = file.run(&["rotate", "--yes"]);
    assert!(said.done().contains(&format!("refresh key {} is there", file.ids()[0])), "{said:?}");
}

#[test]
fn nothing_is_changed_unasked_or_without_sense() {
    let cases: [(&[&str], &[u8], i32, &str); 5] = [
        (&["rotate"], &[1], 5, "say --yes"),
        (&["drop", "1"], &[2, 1], 5, "say --yes"),
        (&["drop", "1", "--yes"], &[1], 2, "1 is the only refresh key: put another one before it"),
        (&["drop", "9", "--yes"], &[2, 1], 3, "there is no refresh key 9: `authctl refresh-keys list` shows all"),
        (&["drop", "9"], &[2, 1], 3, "there is no refresh key 9"),
    ];
    for (arguments, ids, code, expected) in cases {
        let file = KeyFile::with("refresh-keys-refused", ids);
        let before = file.text();
        let answer = file.run(arguments);
        assert!(answer.refused(code).contains(expected), "{arguments:?}: {answer:?}");
        assert_eq!(file.text(), before, "{arguments:?}");
    }
}

#[test]
fn what_holds_no_such_keys_gets_none() {
    for (text, expected) in [
        ("", "no usable keys of refresh tokens"),
        (r#"{"signing_keys":{}}"#, "no usable keys of refresh tokens"),
        (r#"{"signing_keys":{},"refresh_keys":"1:AAAA"}"#, "no usable keys of refresh tokens"),
        (r#"{"password":"x"}"#, "not what the keys are kept as"),
    ] {
        let file = KeyFile::of("refresh-keys-none", text);
        for arguments in [&["list"][..], &["rotate", "--yes"], &["drop", "1", "--yes"]] {
            let answer = file.run(arguments);
            assert!(answer.refused(1).contains(expected), "{text} {arguments:?}: {answer:?}");
        }
        assert_eq!(file.text(), text);
    }
}

#[test]
fn where_the_keys_are_is_named_once() {
    let nowhere = Answer::of(&mut command(&["refresh-keys", "list"]), "");
    assert!(nowhere.refused(2).starts_with("REFRESH_KEY_SECRET is not set"), "{nowhere:?}");
    let file = KeyFile::with("refresh-keys-twice", &[1]);
    let mut twice = command(&["refresh-keys", "list"]);
    let twice = Answer::of(twice.env("KEY_FILE", &file.0).env("REFRESH_KEY_SECRET", "countersign"), "");
    assert!(twice.refused(2).contains("REFRESH_KEY_SECRET and KEY_FILE cannot both be set"), "{twice:?}");
    fs::set_permissions(&file.0, Permissions::from_mode(0o640)).unwrap();
    let open = file.run(&["list"]);
    assert!(open.refused(1).contains("chmod 600"), "{open:?}");
}

/// Of a secret that cannot be reached, the line says what to look at.
#[test]
fn a_secret_out_of_reach_is_one_line_that_helps() {
    let mut unreachable = command(&["refresh-keys", "rotate", "--yes"]);
    unreachable.env("REFRESH_KEY_SECRET", "countersign").env("AWS_REGION", "us-east-1");
    unreachable.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    unreachable.env("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:9");
    let answer = Answer::of(&mut unreachable, "");
    assert!(answer.refused(1).contains("check REFRESH_KEY_SECRET or KEY_FILE, AWS_REGION"), "{answer:?}");
}
