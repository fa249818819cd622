//! `docs/events.md` against the code: every event and every metric stands there, as it is, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use auth_log::metric::{METRICS, Metric};

const DOCUMENT: &str = include_str!("../../docs/events.md");

/// An event, as the code logs it: by which packages, at which levels, with which fields in all.
#[derive(Debug, Default, PartialEq, Eq)]
struct Logged {
    packages: BTreeSet<String>,
    levels: BTreeSet<String>,
    fields: BTreeSet<String>,
}

#[test]
fn every_event_stands_in_the_document_with_its_level_and_its_fields() {
    let logged = logged();
    assert!(logged.len() > 25, "{logged:?}");
    let described: BTreeMap<String, Vec<String>> =
        table("| event |").into_iter().map(|row| (bare(&row[0]), row)).collect();
    assert_eq!(described.keys().collect::<Vec<_>>(), logged.keys().collect::<Vec<_>>());
    for (event, logged) in logged {
        let [_, functions, level, fields, when] = described[&event].as_slice() else { panic!("{event}") };
        assert_eq!(BTreeSet::from([level.clone()]), logged.levels, "{event}: level");
        assert_eq!(words(fields), logged.fields, "{event}: fields");
        let by: Vec<String> = logged.packages.into_iter().collect();
        let expected =
            if by.iter().any(|package| package.starts_with("auth-")) { functions.clone() } else { by.join(", ") };
        assert_eq!(*functions, expected, "{event}: functions");
        assert!(!when.is_empty(), "{event}");
    }
}

#[test]
fn every_line_has_an_event() {
    for (package, source) in sources() {
        for (_, items) in calls(&source) {
            assert!(items.iter().any(|item| item.starts_with("event = \"")), "{package}: {items:?}");
        }
    }
}

#[test]
fn every_metric_stands_in_the_document_with_its_label() {
    let shown = |metric: &Metric| {
        let label = metric.label;
        let values = label.map(|label| label.values.iter().map(|value| (*value).to_owned()).collect());
        let name = label.map(|label| label.name.to_owned()).unwrap_or_default();
        (metric.name.to_owned(), metric.unit.name().to_owned(), name, values.unwrap_or_default())
    };
    let described: Vec<(String, String, String, BTreeSet<String>)> =
        table("| metric |").iter().map(|row| (bare(&row[0]), row[1].clone(), bare(&row[2]), words(&row[3]))).collect();
    assert_eq!(described, METRICS.iter().map(shown).collect::<Vec<_>>());
}

/// What the enums call themselves is what a label may be: one value more there, and it would be counted as `other`.
#[test]
fn labels_have_the_values_that_the_code_gives_them() {
    let tokens = ["shared/auth-core/src/jwt.rs", "shared/auth-core/src/snapshot.rs"];
    let authorizer = ["functions/authorizer/src/event.rs", "functions/authorizer/src/lib.rs"];
    let reasons = tokens.iter().chain(&authorizer).flat_map(|file| codes(file, "reason"));
    // Faults are no denials; and a 403 has no error of which this were the code.
    let reasons: BTreeSet<String> = reasons
        .filter(|reason| !["stale", "no_keys"].contains(&reason.as_str()))
        .chain(["forbidden".to_owned()])
        .collect();
    assert_eq!(values("Denials"), reasons);
    let decisions: BTreeSet<String> =
        codes("shared/auth-core/src/rotation.rs", "name").chain(["busy".to_owned()]).collect();
    assert_eq!(values("Refreshes"), decisions);
}

fn values(metric: &str) -> BTreeSet<String> {
    let metric = METRICS.iter().find(|it| it.name == metric).unwrap();
    metric.label.unwrap().values.iter().map(|value| (*value).to_owned()).collect()
}

/// The texts in the functions of that name in a file.
fn codes(file: &str, function: &str) -> impl Iterator<Item = String> {
    let source = std::fs::read_to_string(root().join(file)).unwrap();
    let begin = format!("pub const fn {function}(self)");
    let bodies: Vec<String> =
        source.split(&begin).skip(1).map(|rest| rest.split("\n    }\n").next().unwrap().to_owned()).collect();
    assert!(!bodies.is_empty(), "{file}");
    bodies.into_iter().flat_map(|body| body.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
}

/// All events of functions and shared crates.
fn logged() -> BTreeMap<String, Logged> {
    let mut events: BTreeMap<String, Logged> = BTreeMap::new();
    for (package, source) in sources() {
        for (level, items) in calls(&source) {
            let name = items.iter().find_map(|item| item.strip_prefix("event = ")).unwrap_or_default();
            let logged = events.entry(name.trim_matches('"').to_owned()).or_default();
            logged.packages.insert(package.clone());
            logged.levels.insert(level);
            logged.fields.extend(items.iter().filter_map(|item| field(item)).filter(|field| field != "event"));
        }
    }
    events
}

/// The name of a field: `%sub`, `sub` and `sub = …` say the same, and a text is the message.
fn field(item: &str) -> Option<String> {
    let name = item.split('=').next()?.trim().trim_start_matches(['%', '?']);
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_').then(|| name.to_owned())
}

/// The calls of `tracing`'s macros in a source: the level, and what stands between the parentheses.
fn calls(source: &str) -> Vec<(String, Vec<String>)> {
    let calls = source.split("tracing::").skip(1).filter_map(|rest| {
        let (level, rest) = rest.split_once("!(")?;
        ["trace", "debug", "info", "warn", "error"].contains(&level).then(|| (level.to_owned(), items(rest)))
    });
    calls.collect()
}

/// What stands before the closing parenthesis, apart at its commas.
fn items(rest: &str) -> Vec<String> {
    let (mut items, mut item, mut depth, mut quoted) = (Vec::new(), String::new(), 0, false);
    for character in rest.chars() {
        match character {
            '"' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' if !quoted && depth == 0 => break,
            ')' | ']' | '}' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                items.push(std::mem::take(&mut item).trim().to_owned());
                continue;
            }
            _ => {}
        }
        item.push(character);
    }
    items.push(item.trim().to_owned());
    items.into_iter().filter(|item| !item.is_empty()).collect()
}

/// Package and text of each source of functions and shared crates, but for the log itself.
fn sources() -> Vec<(String, String)> {
    let packages = ["functions", "shared"].into_iter().flat_map(|folder| children(&root().join(folder)));
    let packages = packages.filter(|package| !package.ends_with("auth-log"));
    let sources = packages.flat_map(|package| {
        let name = package.file_name().unwrap().to_str().unwrap().to_owned();
        files(&package.join("src")).into_iter().map(move |file| (name.clone(), std::fs::read_to_string(file).unwrap()))
    });
    sources.collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let (folders, files): (Vec<_>, Vec<_>) = children(folder).into_iter().partition(|path| path.is_dir());
    files.into_iter().chain(folders.iter().flat_map(|folder| self::files(folder))).collect()
}

fn children(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The rows of the table whose head begins so, cell by cell.
fn table(head: &str) -> Vec<Vec<String>> {
    let rows = DOCUMENT.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    rows.take_while(|line| line.starts_with('|')).map(cells).collect()
}

fn bare(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

fn words(cell: &str) -> BTreeSet<String> {
    cell.split_whitespace().map(bare).collect()
}
