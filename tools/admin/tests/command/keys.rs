//! `authctl keys`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use auth_core::config::Variables;
use serde_json::{Value, json};

use crate::operator::{Answer, command};

/// A folder of this test, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn create(algorithm: &str, secret: &Path, jwks: &Path) -> Answer {
    let mut command = command(&["keys", "create", "--json", "--algorithm", algorithm]);
    Answer::of(command.arg("--secret").arg(secret).arg("--jwks").arg(jwks), "")
}

fn list(jwks: &Path, options: &[&str]) -> Answer {
    Answer::of(command(&["keys", "list", "--jwks"]).arg(jwks).args(options), "")
}

fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o777
}

#[test]
fn keys_are_what_the_functions_read() {
    let folder = folder("keys");
    for algorithm in ["RS256", "ES256", "EdDSA", "HS256"] {
        let [secret, jwks] = ["secret", "jwks"].map(|name| folder.join(format!("{algorithm}-{name}.json")));
        let said = create(algorithm, &secret, &jwks).json();
        let contents: Value = serde_json::from_slice(&fs::read(&secret).unwrap()).unwrap();
        assert_eq!(contents.as_object().unwrap().len(), 2, "what the template reads, and nothing else");
        let variable = |name: &str| match name {
            "SIGNING_ALGORITHM" => Some(algorithm.to_owned()),
            "SIGNING_KEY" => contents["signing_key"].as_str().map(str::to_owned),
            "REFRESH_KEYS" => contents["refresh_keys"].as_str().map(str::to_owned),
            "JWKS" => jwks.to_str().map(str::to_owned),
            _ => None,
        };
        let variables = Variables::new(&variable);
        let key = variables.signing_key().unwrap();
        assert!(variables.refresh_keys().is_ok(), "{algorithm}");
        let verifying: Vec<_> = variables.key_set().unwrap().into_keys().collect();
        let kids: Vec<&str> = verifying.iter().map(auth_core::key::VerifyingKey::kid).collect();
        assert_eq!(kids, [key.kid()], "{algorithm}");
        let expected = json!({"kid": key.kid(), "alg": algorithm, "secret": secret, "jwks": jwks});
        assert_eq!(said, [expected], "{algorithm}");
        assert_eq!(mode(&secret), 0o600, "{algorithm}");
        let is_shared = algorithm == "HS256";
        assert!(!is_shared || mode(&jwks) == 0o600, "a shared key is a secret in either file");
        assert_eq!(fs::read_to_string(&jwks).unwrap().contains("\"k\""), is_shared, "{algorithm}");
    }
}

#[test]
fn a_set_gets_one_key_more() {
    let folder = folder("more-keys");
    let [first, second, jwks] = ["first.json", "second.json", "jwks.json"].map(|name| folder.join(name));
    create("RS256", &first, &jwks).done();
    fs::set_permissions(&jwks, Permissions::from_mode(0o640)).unwrap();
    create("ES256", &second, &jwks).done();
    assert_eq!(mode(&jwks), 0o640, "the rights stay");
    let listed = list(&jwks, &["--json"]).json();
    let [rsa, ec] = listed.as_slice() else { panic!("{listed:?}") };
    let expected = json!({"kid": rsa["kid"], "alg": "RS256", "kty": "RSA", "bits": 2048, "use": "sig"});
    assert_eq!(*rsa, expected);
    assert_eq!(*ec, json!({"kid": ec["kid"], "alg": "ES256", "kty": "EC", "crv": "P-256", "use": "sig"}));
    let text = list(&jwks, &[]);
    assert!(text.done().contains("  RSA 2048  ") && text.done().contains("  EC P-256  "), "{text:?}");
}

#[test]
fn what_cannot_be_written_whole_is_not_written() {
    let folder = folder("refused-keys");
    let [first, new, jwks] = ["first.json", "new.json", "jwks.json"].map(|name| folder.join(name));
    create("RS256", &first, &jwks).done();
    let before = [&first, &jwks].map(|file| fs::read(file).unwrap());
    let cases = [
        ("a secret that exists", "RS256", &first, &jwks, 4, "first.json exists, and a secret is never overwritten"),
        ("a shared key among public ones", "HS256", &new, &jwks, 1, "jwks.json: a set holds either public keys or"),
        ("one file for both", "ES256", &new, &new, 1, "new.json: "),
        ("no folder for the set", "ES256", &new, &folder.join("no").join("jwks.json"), 1, "no/jwks.json: "),
        ("no folder for the secret", "ES256", &folder.join("no").join("new.json"), &jwks, 1, "no/new.json: "),
    ];
    for (name, algorithm, secret, jwks, code, expected) in cases {
        let refused = create(algorithm, secret, jwks);
        assert!(refused.refused(code).contains(expected), "{name}: {refused:?}");
    }
    assert_eq!([&first, &jwks].map(|file| fs::read(file).unwrap()), before);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "no secret without its public key, nothing left over");
}

#[test]
fn what_a_cut_off_run_left_behind_is_named() {
    let folder = folder("left-over-keys");
    let [first, new, jwks, left] = ["first", "new", "jwks", "jwks.new"].map(|name| folder.join(name));
    create("RS256", &first, &jwks).done();
    let before = fs::read(&jwks).unwrap();
    fs::write(&left, "{").unwrap();
    let refused = create("ES256", &new, &jwks);
    let expected = "jwks.new exists, left by a run that was cut off: delete it, unless another one is under way";
    assert!(refused.refused(4).ends_with(expected), "{refused:?}");
    assert!(!new.exists() && fs::read(&jwks).unwrap() == before && fs::read(&left).unwrap() == b"{");
    fs::remove_file(&left).unwrap();
    create("ES256", &new, &jwks).done();
}

#[test]
fn a_file_that_is_no_key_set_is_one_clear_line() {
    let folder = folder("no-keys");
    let [jwks, secret] = ["jwks.json", "secret.json"].map(|name| folder.join(name));
    for (text, expected) in [
        ("", "expected a JWK Set with at least one key"),
        ("[]", "expected a JWK Set with at least one key"),
        (r#"{"keys":[]}"#, "expected a JWK Set with at least one key"),
        (r#"{"keys":[{"kty":"oct","k":"AAAA","alg":"HS256","kid":"1"}]}"#, "key 0 of the set is not usable"),
    ] {
        fs::write(&jwks, text).unwrap();
        for refused in [list(&jwks, &[]), create("ES256", &secret, &jwks)] {
            assert!(refused.refused(1).contains(&format!("jwks.json: {expected}")), "{text}: {refused:?}");
        }
        assert_eq!(fs::read_to_string(&jwks).unwrap(), text);
    }
    let nowhere = list(&folder.join("none.json"), &[]);
    assert!(nowhere.refused(1).contains("none.json: "), "{nowhere:?}");
}
