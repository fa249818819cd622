//! What the authorizer's line costs with its metrics, and without: they take turns, so that the ratio holds on a noisy machine.

#![expect(clippy::print_stdout, reason = "a program that measures and prints")]

use std::io::Write;
use std::time::{Duration, Instant};

use auth_log::invocation;
use auth_log::metric::millis;
use auth_log::settings::Settings;
use tracing::Dispatch;

/// How often a line is written in a turn, and how many turns there are.
const LINES: u32 = 500;
const TURNS: usize = 301;

const ID: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

/// Takes lines and forgets them.
struct Nowhere;

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(std::hint::black_box(bytes).len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn main() {
    let log = |deployment| {
        let settings = Settings { deployment, ..Settings::new("authorizer") };
        Dispatch::new(auth_log::subscriber(settings, || Nowhere))
    };
    let (without, with) = (log(None), log(Some("stack".to_owned())));
    // Cargo gives `--bench` when it measures, and nothing when it tests.
    let turns = if std::env::args().any(|argument| argument == "--bench") { TURNS } else { 1 };
    let (mut withouts, mut withs) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        withouts.push(turn(&without));
        withs.push(turn(&with));
    }
    let (without, with) = (median(withouts), median(withs));
    println!("a line of the authorizer: {without:.2} µs, with metrics {with:.2} µs");
}

/// Microseconds for one line.
fn turn(log: &Dispatch) -> f64 {
    tracing::dispatcher::with_default(log, || time(line))
}

#[expect(clippy::disallowed_methods, reason = "measures")]
fn time(act: fn()) -> f64 {
    let start = Instant::now();
    (0..LINES).for_each(|_| act());
    start.elapsed().as_secs_f64() * 1e6 / f64::from(LINES)
}

/// As the authorizer logs that it lets somebody in.
fn line() {
    let _span = invocation::span("authorizer", ID, None).entered();
    let latency = millis(Duration::from_micros(43));
    tracing::info!(
        target: "authorizer",
        event = "allowed",
        sub = ID,
        sid = ID,
        jti = ID,
        Staleness = latency,
        Latency = latency,
        Allowed = 1
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
