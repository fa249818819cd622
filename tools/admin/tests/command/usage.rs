//! What all commands have in common.

use std::process::Stdio;

use crate::operator::{Answer, Operator, command};

#[test]
fn wrong_usage_is_one_clear_line() {
    let cases: [(&[&str], &str); 16] = [
        (&["user", "show"], "the following required arguments were not provided: <NAME>"),
        (&["user", "show", "a b"], "not a login name"),
        (&["user", "rename", "alice"], "unrecognized subcommand 'rename'"),
        (&["user", "add", "alice", "--password", "x"], "unexpected argument '--password'"),
        (&["user", "set-roles", "alice", "caf\u{e9}"], "expected words of printable ASCII"),
        (&["user", "add", "alice", "--scope", "a  b"], "expected words of printable ASCII"),
        (&["session", "end", "alice"], "required arguments were not provided: <SID|--all>"),
        (&["session", "end", "alice", "1"], "not an identifier"),
        (&["user", "list", "--endpoint", "127.0.0.1:8000"], "expected a URL such as http://127.0.0.1:8000"),
        (&["keys", "create", "--algorithm", "none", "--secret", "a", "--jwks", "b"], "RS256, ES256, EdDSA, HS256"),
        (&["client", "add"], "required arguments were not provided: <ID>"),
        (&["client", "add", "my api"], "not a client identifier"),
        (&["client", "add", "api", "--description", ""], "expected 1 to 200 characters"),
        (&["refresh-keys", "drop"], "required arguments were not provided: <ID>"),
        (&["refresh-keys", "drop", "256"], "256 is not in 0..=255"),
        (&["--no-such-option"], "unexpected argument '--no-such-option'"),
    ];
    for (arguments, expected) in cases {
        let answer = Answer::of(&mut command(arguments), "");
        assert!(answer.refused(2).contains(expected), "{arguments:?}: {answer:?}");
    }
}

#[test]
fn help_tells_commands_and_exit_codes() {
    let help = Answer::of(&mut command(&["--help"]), "");
    for text in [
        "user",
        "session",
        "client",
        "revoke",
        "keys",
        "refresh-keys",
        "table",
        "completions",
        "Exit codes:",
        "5  not confirmed",
        "--endpoint",
    ] {
        assert!(help.done().contains(text), "{text}");
    }
    assert!(Answer::of(&mut command(&["--version"]), "").done().starts_with("authctl "));
    let nothing = Answer::of(&mut command(&["user"]), "");
    assert!(nothing.code == Some(2) && nothing.stderr.contains("Usage: authctl user"), "{nothing:?}");
}

#[test]
fn each_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let script = Answer::of(&mut command(&["completions", shell]), "");
        assert!(script.done().contains("authctl") && script.done().contains("set-password"), "{shell}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_many_pages_is_one_list() {
    let operator = Operator::start().await;
    let mut expected = Vec::new();
    for number in 0..7 {
        expected.push(operator.user(&format!("user{number}")).await.id.to_string());
    }
    expected.sort();
    for size in ["1", "3", "1000"] {
        let listed = operator.json(&["user", "list", "--page-size", size]);
        let mut ids: Vec<&str> = listed.iter().map(|user| user["id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        assert_eq!(ids, expected, "{size}");
    }
    let text = operator.run(&["user", "list", "--page-size", "2"]);
    assert_eq!(text.done().lines().filter(|line| line.starts_with("NAME ")).count(), 1);
    assert_eq!(text.stdout.lines().count(), 8);
    assert!(operator.run(&["user", "list", "--page-size", "0"]).refused(2).contains("--page-size"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_pipe_ends_quietly() {
    let operator = Operator::start().await;
    operator.user("alice").await;
    let cases: [&[&str]; 4] =
        [&["user", "list"], &["user", "list", "--json"], &["completions", "bash"], &["user", "--help"]];
    for arguments in cases {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = operator.command(arguments).stdin(Stdio::null()).stdout(writer).output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()), "{arguments:?}");
    }
}
