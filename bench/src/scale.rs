//! From 10^3 to 10^8 users: rates, request units, the journal, keys, instances and money. Arithmetic, no measurement.
//!
//! The units of an operation are those that `cargo test -p tests calls` counts. What is assumed of users, of AWS and of its
//! prices are the constants below.

use std::fmt::Write as _;

const USERS: [f64; 6] = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8];

// What users do.
const ACTIVE_A_DAY: f64 = 1.0 / 3.0;
const REQUESTS_A_DAY: f64 = 200.0;
const REFRESHES_A_DAY: f64 = 10.0;
/// Each also ends: by a logout, a change of rights or a new password.
const LOGINS_A_MONTH: f64 = 1.0;
const SESSIONS: f64 = 1.5;
/// The busiest hour, as a multiple of the mean.
const PEAK: f64 = 3.0;
const DAY: f64 = 86_400.0;
const MONTH: f64 = 30.0 * DAY;

// What DynamoDB counts.
const LOGIN_WRITES: f64 = 3.0;
const REFRESH_WRITES: f64 = 1.0;
/// A transaction pays twice for each item: the session's, and one of each copy of the journal.
const END_WRITES_AN_ITEM: f64 = 2.0;
const READS: f64 = 1.0;
const ENTRY_BYTES: f64 = 80.0;
const READ_UNIT_BYTES: f64 = 4096.0;
const PARTITION_READS: f64 = 3000.0;

// The journal: how far a look reaches back, how often one is taken, and for how long an entry is kept.
const OVERLAP: f64 = 20.0;
const SOFT: f64 = 2.0;
const KEPT: f64 = 600.0 + 30.0 + 90.0;
const MOST_COPIES: f64 = 16.0;

// The keys: how old a copy of whoever signs or ends sessions may be, and an authorizer's. All keys together are one read unit.
const KEYS_SOFT: f64 = 15.0;
const AUTHORIZER_KEYS_SOFT: f64 = 60.0;
const KEYS_UNITS: f64 = 1.0;
/// Who signs reads two secrets when it starts, who ends sessions one. Assumed: an instance lives for two hours.
const SIGNERS_SECRETS: f64 = 2.0;
const ENDERS_SECRETS: f64 = 1.0;
const INSTANCE_LIFE: f64 = 7200.0;
/// How old a copy of the keys of refresh tokens may be, which are one secret.
const REFRESH_KEYS_SOFT: f64 = 300.0;

// What an invocation is billed for, in seconds and in GB; assumed, since it was measured on no account.
const LOGIN_TIME: (f64, f64) = (0.050, 1.769);
const REFRESH_TIME: (f64, f64) = (0.020, 0.5);
const END_TIME: (f64, f64) = (0.020, 0.25);
const AUTHORIZE_TIME: (f64, f64) = (0.005, 0.25);

// Dollars of us-east-1: a million requests, units or traces, and a GB.
const MILLION: f64 = 1e6;
const GATEWAY: f64 = 3.50;
const INVOCATIONS: f64 = 0.20;
const GB_SECOND: f64 = 0.000_013_333_4;
const WRITES: f64 = 0.625;
const READ_UNITS: f64 = 0.125;
const STORED_GB: f64 = 0.25 + 0.20; // and its backups
const LOGGED_GB: f64 = 0.50;
const TRACES: f64 = 5.0;
const SECRET_READS: f64 = 5.0;
/// A month of each of the two.
const SECRET: f64 = 0.40;
const TRACED: f64 = 0.05;
/// A line of the log and one of metrics.
const LOGGED_BYTES: f64 = 1000.0;
/// At most: a session is below one write unit, and so are the two items of a user.
const ITEM_BYTES: f64 = 1000.0;

/// What happens in a second.
struct Rates {
    requests: f64,
    refreshes: f64,
    logins: f64,
    ends: f64,
}

impl Rates {
    fn of(users: f64, times: f64) -> Self {
        let daily = users * ACTIVE_A_DAY / DAY * times;
        let logins = users * LOGINS_A_MONTH / MONTH * times;
        Self { requests: daily * REQUESTS_A_DAY, refreshes: daily * REFRESHES_A_DAY, logins, ends: logins }
    }

    /// What calls countersign itself: all but the requests to other APIs.
    fn calls(&self) -> f64 {
        self.refreshes + self.logins + self.ends
    }

    fn writes(&self, copies: f64) -> f64 {
        let end = END_WRITES_AN_ITEM * (1.0 + copies);
        self.logins * LOGIN_WRITES + self.refreshes * REFRESH_WRITES + self.ends * end
    }

    fn reads(&self) -> f64 {
        (self.logins + self.refreshes) * READS
    }

    /// Instances of the authorizer that are busy at a time.
    fn instances(&self) -> f64 {
        busy(self.requests, AUTHORIZE_TIME.0)
    }

    /// Instances of `login` and `refresh`.
    fn signers(&self) -> f64 {
        busy(self.logins, LOGIN_TIME.0) + busy(self.refreshes, REFRESH_TIME.0)
    }

    /// Units a second of all who read the keys.
    fn key_reads(&self) -> f64 {
        let readers = [
            (self.requests, AUTHORIZE_TIME.0, AUTHORIZER_KEYS_SOFT),
            (self.refreshes, REFRESH_TIME.0, KEYS_SOFT),
            (self.logins, LOGIN_TIME.0, KEYS_SOFT),
            (self.ends, END_TIME.0, KEYS_SOFT),
        ];
        readers.into_iter().map(|(rate, time, soft)| (busy(rate, time) / soft).min(rate) * KEYS_UNITS).sum()
    }

    /// Reads of secrets a second: of both by instances that begin, and of refresh keys by all.
    fn secret_reads(&self) -> f64 {
        let begun = (self.signers() * SIGNERS_SECRETS + busy(self.ends, END_TIME.0) * ENDERS_SECRETS) / INSTANCE_LIFE;
        let readers = [(self.refreshes, REFRESH_TIME.0), (self.logins, LOGIN_TIME.0), (self.ends, END_TIME.0)];
        let again: f64 = readers.into_iter().map(|(rate, time)| (busy(rate, time) / REFRESH_KEYS_SOFT).min(rate)).sum();
        begun + again
    }

    /// Units of one look at the journal: what came in since the overlap began.
    fn delta(&self, soft: f64) -> f64 {
        units(self.ends * (OVERLAP + soft))
    }

    /// Units a second of all looks. An instance that nobody asks looks at nothing.
    fn looks(&self, soft: f64) -> f64 {
        (self.instances() / soft).min(self.requests) * self.delta(soft)
    }
}

/// Instances that are busy at a time, by Little's law; one at least.
fn busy(rate: f64, seconds: f64) -> f64 {
    (rate * seconds).ceil().max(1.0)
}

fn units(entries: f64) -> f64 {
    (entries * ENTRY_BYTES / READ_UNIT_BYTES).ceil().max(1.0)
}

/// The least number of copies, and the soonest look, in whole seconds, with which the journal's partitions can be read.
fn journal(peak: &Rates) -> (f64, f64) {
    let mut soft = SOFT;
    loop {
        let copies = (peak.looks(soft) / PARTITION_READS).ceil().max(1.0);
        if copies <= MOST_COPIES {
            return (soft, copies);
        }
        soft += 1.0;
    }
}

/// The four tables, in Markdown.
pub fn report() -> String {
    [load(), revocation(), keys(), cost()].join("\n")
}

fn load() -> String {
    let head = ["users", "requests", "refreshes", "logins", "ends of sessions", "write units", "read units"];
    table(&head, |users| {
        let peak = Rates::of(users, PEAK);
        let (_, copies) = journal(&peak);
        vec![peak.requests, peak.refreshes, peak.logins, peak.ends, peak.writes(copies), peak.reads()]
    })
}

fn revocation() -> String {
    let head = [
        "users",
        "authorizers",
        "a look, s",
        "units a look",
        "units a second",
        "copies",
        "units of a first load",
        "s, if all load at once",
    ];
    table(&head, |users| {
        let peak = Rates::of(users, PEAK);
        let (soft, copies) = journal(&peak);
        let first = units(peak.ends * KEPT);
        let all_at_once = first * peak.instances() / copies / PARTITION_READS;
        vec![peak.instances(), soft, peak.delta(soft), peak.looks(soft), copies, first, all_at_once]
    })
}

fn keys() -> String {
    let head = ["users", "instances that sign", "units a second", "reads of secrets a month"];
    table(&head, |users| {
        let peak = Rates::of(users, PEAK);
        vec![peak.signers(), peak.key_reads(), (Rates::of(users, 1.0).secret_reads() * MONTH).round()]
    })
}

fn cost() -> String {
    let head = ["users", "gateway", "Lambda", "table", "journal", "keys", "storage", "log and traces", "sum", "a user"];
    table(&head, |users| {
        let (soft, copies) = journal(&Rates::of(users, PEAK));
        let mean = Rates::of(users, 1.0);
        let monthly = |rate: f64, price: f64| rate * MONTH / MILLION * price;
        let lambda = [
            (mean.requests, AUTHORIZE_TIME),
            (mean.refreshes, REFRESH_TIME),
            (mean.logins, LOGIN_TIME),
            (mean.ends, END_TIME),
        ];
        let lambda =
            lambda.map(|(rate, (seconds, gb))| monthly(rate, INVOCATIONS) + rate * MONTH * seconds * gb * GB_SECOND);
        let gateway = monthly(mean.calls(), GATEWAY);
        let table = monthly(mean.writes(copies), WRITES) + monthly(mean.reads(), READ_UNITS);
        let journal = monthly(mean.looks(soft), READ_UNITS);
        let keys = monthly(mean.key_reads(), READ_UNITS) + monthly(mean.secret_reads(), SECRET_READS) + 2.0 * SECRET;
        let storage = users * (2.0 + SESSIONS) * ITEM_BYTES / 1e9 * STORED_GB;
        let invocations = mean.requests + mean.calls();
        let seen = invocations * MONTH * LOGGED_BYTES / 1e9 * LOGGED_GB + monthly(invocations * TRACED, TRACES);
        let parts = [gateway, lambda.iter().sum(), table, journal, keys, storage, seen];
        let sum: f64 = parts.iter().sum();
        parts.into_iter().chain([sum, sum / users]).collect()
    })
}

fn table(head: &[&str], row: impl Fn(f64) -> Vec<f64>) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for users in USERS {
        let figures: Vec<String> = row(users).into_iter().map(figure).collect();
        // Writing into a text does not fail.
        let _ = writeln!(text, "| {} | {} |", grouped(users), figures.join(" | "));
    }
    text
}

/// Two digits that count, or all before the point.
fn figure(value: f64) -> String {
    match value {
        _ if value == 0.0 => "0".to_owned(),
        _ if value >= 9.95 => grouped(value),
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        _ if value >= 0.995 => format!("{value:.1}"),
        _ if value >= 0.0995 => format!("{value:.2}"),
        _ if value >= 0.00995 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

/// A whole number, in groups of three.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let first = digits.len() % 3;
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && at % 3 == first {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_what_the_program_prints() {
        let page = include_str!("../../docs/scale.md");
        for table in report().split("\n\n") {
            assert!(page.contains(table.trim()), "docs/scale.md lacks, of `cargo run -p bench --bin scale`:\n{table}");
        }
    }

    #[test]
    fn numbers_are_grouped() {
        for (value, expected) in [
            (0.0, "0"),
            (0.00116, "0.0012"),
            (0.25, "0.25"),
            (1.0, "1"),
            (2.54, "2.5"),
            (999.6, "1,000"),
            (1e8, "100,000,000"),
        ] {
            assert_eq!(figure(value), expected);
        }
    }

    #[test]
    fn the_units_are_those_of_the_table_in_the_architecture() {
        let architecture = include_str!("../../ARCHITECTURE.md");
        for (operation, units) in [
            ("| login |", format!("{LOGIN_WRITES} write, {READS} read")),
            ("| refresh |", format!("{REFRESH_WRITES} write, {READS} read")),
            ("| logout, revoke a token |", format!("{} write", END_WRITES_AN_ITEM * 2.0)),
        ] {
            let row = architecture.lines().find(|line| line.starts_with(operation)).unwrap_or_default();
            assert!(row.contains(&units), "{operation} {units}: {row}");
        }
    }
}
