//! What the workspace promises of its own shape: a function's dependencies are the list of its powers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

fn metadata() -> Metadata {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    // For the platform that Lambda is: others' dependencies are not linked there.
    let options = ["--locked", "--filter-platform", "x86_64-unknown-linux-gnu"].map(str::to_owned).to_vec();
    MetadataCommand::new().manifest_path(manifest).other_options(options).exec().unwrap()
}

/// The packages that are linked into `name`, by name.
fn linked(metadata: &Metadata, name: &str) -> BTreeSet<String> {
    let names: BTreeMap<&PackageId, &str> =
        metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
    let nodes: BTreeMap<_, _> = metadata.resolve.as_ref().unwrap().nodes.iter().map(|node| (&node.id, node)).collect();
    let root = metadata.workspace_packages().into_iter().find(|package| package.name == name).unwrap();
    let (mut found, mut next) = (BTreeSet::new(), vec![&root.id]);
    while let Some(id) = next.pop() {
        let normal = nodes[id]
            .deps
            .iter()
            .filter(|dependency| dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal));
        next.extend(normal.map(|dependency| &dependency.pkg).filter(|id| found.insert(names[*id].to_owned())));
    }
    found
}

/// With several programs to choose among, Cargo would refuse.
#[test]
fn cargo_run_starts_the_stack() {
    let metadata = metadata();
    let packages = metadata.workspace_default_packages();
    let programs = packages.iter().flat_map(|package| &package.targets).filter(|target| target.is_bin());
    assert_eq!(programs.map(|program| program.name.as_str()).collect::<Vec<_>>(), ["local"]);
}

#[test]
fn every_suite_against_real_parts_is_executable_and_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let all = fs::read_to_string(root.join("../.ci/run")).unwrap();
    let suites = fs::read_dir(root.join("real")).unwrap().map(|entry| entry.unwrap().path());
    for suite in suites.filter(|path| path.is_dir()) {
        let mode = fs::metadata(suite.join("run")).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{suite:?}");
        let name = suite.file_name().unwrap().to_str().unwrap();
        assert!(all.contains(&format!("suite {name} tests/real/{name}/run\n")), "{name}");
    }
}

#[test]
fn functions_link_what_they_need_and_no_more() {
    let metadata = metadata();
    let powers = ["argon2", "aws-sdk-dynamodb", "aws-sdk-secretsmanager", "lambda_http", "jsonwebtoken", "dynoxide-rs"];
    let cases = [
        ("login", ["argon2", "aws-sdk-dynamodb", "aws-sdk-secretsmanager", "lambda_http", "jsonwebtoken"].as_slice()),
        ("refresh", &["aws-sdk-dynamodb", "aws-sdk-secretsmanager", "lambda_http", "jsonwebtoken"]),
        ("revoke", &["aws-sdk-dynamodb", "aws-sdk-secretsmanager", "lambda_http", "jsonwebtoken"]),
        ("introspect", &["aws-sdk-dynamodb", "aws-sdk-secretsmanager", "lambda_http", "jsonwebtoken"]),
        ("sessions", &["aws-sdk-dynamodb", "lambda_http", "jsonwebtoken"]),
        ("discovery", &["aws-sdk-dynamodb", "lambda_http", "jsonwebtoken"]),
        ("rotate-keys", &["aws-sdk-dynamodb", "aws-sdk-secretsmanager", "jsonwebtoken"]),
        ("authorizer", &["aws-sdk-dynamodb", "jsonwebtoken"]),
    ];
    for (function, expected) in cases {
        let linked = linked(&metadata, function);
        let actual: Vec<&str> = powers.into_iter().filter(|power| linked.contains(*power)).collect();
        let expected: Vec<&str> = powers.into_iter().filter(|power| expected.contains(power)).collect();
        assert_eq!(actual, expected, "{function}");
    }
}

#[test]
fn each_heavy_dependency_has_one_home() {
    let homes = [
        ("aws-sdk-dynamodb", vec!["auth-dynamodb"]),
        ("aws-sdk-secretsmanager", vec!["auth-keys"]),
        ("aws-config", vec!["auth-dynamodb", "auth-keys"]),
        ("hyper-rustls", vec!["auth-issuers"]),
        ("hyper-util", vec!["auth-issuers"]),
        ("serde_dynamo", vec!["auth-dynamodb"]),
        ("argon2", vec!["auth-password"]),
        ("jsonwebtoken", vec!["auth-core", "bench"]),
        ("dynoxide-rs", vec!["admin", "bench", "local", "model", "tests"]),
        ("tracing-subscriber", vec!["auth-log", "axum-service"]),
    ];
    let metadata = metadata();
    for (dependency, expected) in homes {
        let mut naming: Vec<&str> = metadata
            .workspace_packages()
            .into_iter()
            .filter(|package| package.dependencies.iter().any(|named| named.name == dependency))
            .map(|package| package.name.as_str())
            .collect();
        naming.sort_unstable();
        assert_eq!(naming, expected, "{dependency}");
    }
}

#[test]
fn the_core_does_no_io_and_does_not_wait() {
    let linked = linked(&metadata(), "auth-core");
    for absent in ["tokio", "hyper", "http", "reqwest", "futures-core", "tracing", "aws-smithy-runtime"] {
        assert!(!linked.contains(absent), "{absent}");
    }
}

/// A service beside the gateway can take them without the rest.
#[test]
fn what_keeps_keys_young_knows_no_aws() {
    let metadata = metadata();
    for name in ["auth-watch", "auth-issuers"] {
        let linked = linked(&metadata, name);
        let aws: Vec<&String> =
            linked.iter().filter(|it| it.starts_with("aws-") && !it.starts_with("aws-lc")).collect();
        assert!(aws.is_empty() && !linked.contains("lambda_runtime"), "{name}: {aws:?}");
    }
    assert!(!linked(&metadata, "auth-watch").contains("hyper"));
    for function in ["login", "refresh", "revoke", "introspect", "sessions", "discovery", "rotate-keys"] {
        assert!(!linked(&metadata, function).contains("auth-issuers"), "{function}");
    }
}

/// The packages of `name`, each with its features, when it is built by itself, as it is to be shipped.
fn built_alone(name: &str) -> BTreeMap<String, BTreeSet<String>> {
    let options = ["--locked", "--edges", "normal,build", "--prefix", "none", "--format", "{p} {f}", "--no-dedupe"];
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--package", name, "--target", "x86_64-unknown-linux-gnu"])
        .args(options)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let mut packages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8(tree.stdout).unwrap().lines() {
        let (package, features) = line.split_once(' ').unwrap();
        packages.entry(package.to_owned()).or_default().insert(features.to_owned());
    }
    packages
}

/// Another feature in one function would have the SDK compiled once more for that function alone: minutes of every build.
#[test]
fn what_functions_share_they_compile_once() {
    let functions = ["login", "refresh", "revoke", "introspect", "sessions", "discovery", "authorizer", "rotate-keys"];
    let all = functions.map(built_alone);
    for (name, one) in functions.iter().zip(&all) {
        for (package, features) in one {
            let others = all.iter().filter_map(|other| other.get(package));
            assert!(others.clone().all(|other| other == features), "{package} in {name}: {features:?}, {others:?}");
        }
    }
}

#[test]
fn there_is_one_tls_stack_and_one_crypto_library() {
    for function in ["login", "refresh", "revoke", "introspect", "sessions", "rotate-keys", "authorizer"] {
        let linked = built_alone(function);
        assert!(linked.contains_key("rustls") && linked.contains_key("aws-lc-rs"), "{function}: {linked:?}");
        for absent in ["ring", "openssl", "native-tls", "rsa", "aws-sdk-sso", "aws-sdk-ssooidc"] {
            assert!(!linked.contains_key(absent), "{function} links {absent}");
        }
    }
}

#[test]
fn crates_have_no_features_but_test_util_in_core() {
    for package in metadata().workspace_packages() {
        let features: Vec<&str> = package.features.keys().map(String::as_str).collect();
        let expected: &[&str] = if package.name == "auth-core" { &["test-util"] } else { &[] };
        assert_eq!(features, expected, "{}", package.name);
    }
}

/// What may be linked into a function. Each part of an `OR` that is listed is enough.
#[test]
fn licences_are_permissive() {
    let permissive = [
        "0BSD",
        "Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CC0-1.0",
        "CDLA-Permissive-2.0",
        "ISC",
        "MIT",
        "MIT-0",
        "OpenSSL",
        "Unicode-3.0",
        "Unlicense",
        "Zlib",
    ];
    let metadata = metadata();
    let shipped: BTreeSet<String> =
        ["login", "refresh", "revoke", "introspect", "sessions", "discovery", "authorizer", "rotate-keys"]
            .iter()
            .flat_map(|name| linked(&metadata, name))
            .collect();
    for package in metadata.packages.iter().filter(|package| shipped.contains(package.name.as_str())) {
        let licence = package.license.as_deref().unwrap_or("none").replace('/', " OR ");
        let parts: Vec<&str> = licence.split(" OR ").map(|part| part.trim_matches(['(', ')', ' '])).collect();
        let allowed =
            |part: &&str| part.split(" AND ").all(|one| permissive.contains(&one.trim_matches(['(', ')', ' '])));
        assert!(parts.iter().any(allowed), "{}: {licence}", package.name);
        assert!(
            package.source.is_none() || package.source.as_ref().unwrap().is_crates_io(),
            "{}: not from the registry",
            package.name
        );
    }
}
