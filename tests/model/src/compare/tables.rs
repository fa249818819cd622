//! The two tables, as plain text that is Markdown, too. They stand in SECURITY.md.

use std::time::Duration;

use auth_core::policy::PolicyError;

use super::honest::{AT_ONCE, DAYS, DOUBLED_IN, LOST_IN, forced_sign_ins};
use super::scheme::Rules;
use super::thief::{End, Strategy, Theft, steal};
use crate::parallel::each;

/// So many honest clients are watched unless another number is asked for.
pub const CLIENTS: u64 = 2_000;

/// So many thefts are tried in each cell unless another number is asked for.
pub const THEFTS: u64 = 400;

/// In the last column, for a tenth of the clients, a doubled refresh is so many requests: the tabs of a browser that starts
/// again.
const STORM: u64 = 10;

/// How often honest clients have to sign in again, under each kind of rules.
///
/// # Errors
///
/// [`PolicyError`]: not with these durations.
pub fn honest(clients: u64) -> Result<String, PolicyError> {
    let mut rows = vec![honest_head()];
    for rules in Rules::all()? {
        let forced = each(clients, |seed| forced_sign_ins(rules, 2, seed));
        let stormed = each(stormed(clients), |seed| forced_sign_ins(rules, STORM, seed));
        let sum: u64 = forced.iter().copied().map(u64::from).sum();
        rows.push(vec![rules.name(), out_of(&forced), tenths(sum, clients), out_of(&stormed)]);
    }
    Ok(format!("{}\n\n{}", honest_heading(clients), markdown(&rows)))
}

fn honest_heading(clients: u64) -> String {
    format!(
        "Honest clients: {clients} phones, {DAYS} days, 8 to 12 uses a day of 1 to 64 min, a refresh every 5 min of use; \
         1 answer in {LOST_IN} lost, then the same token again after 2 s to 9 h; 1 refresh in {DOUBLED_IN} sent twice within \
         {} s (last column: {STORM} times, {} phones); of several answers, in any order, the last one to arrive counts.",
        AT_ONCE.as_secs(),
        stormed(clients)
    )
}

fn honest_head() -> Vec<String> {
    let storm = format!("logged out, {STORM} at once");
    vec!["rules".to_owned(), "logged out".to_owned(), "forced sign-ins of each".to_owned(), storm]
}

const fn stormed(clients: u64) -> u64 {
    clients.div_ceil(10)
}

/// How long a thief is answered beside the owner, under each kind of rules and by each strategy.
///
/// # Errors
///
/// [`PolicyError`]: not with these durations.
pub fn thief(thefts: u64) -> Result<String, PolicyError> {
    let mut rows = vec![thief_head()];
    for rules in Rules::all()? {
        let outcomes = Strategy::ALL.map(|strategy| each(thefts, |seed| steal(rules, strategy, seed)));
        let alone = outcomes.iter().flatten().filter(|theft| theft.end == End::ThiefAlone).count();
        let cells = outcomes.iter().map(|thefts| cell(thefts));
        rows.push(std::iter::once(rules.name()).chain(cells).chain([alone.to_string()]).collect());
    }
    Ok(format!("{}\n\n{}", thief_heading(thefts), markdown(&rows)))
}

fn thief_heading(thefts: u64) -> String {
    format!(
        "A thief with one copy: {thefts} thefts in each cell, {DAYS} days from the copy, phones as above, nothing lost. Median \
         / 95th percentile of the time from the copy to the thief's last answer / refreshes of the owner's until one of the \
         two is refused, median–most. \"all on\": both are still answered after {DAYS} days."
    )
}

fn thief_head() -> Vec<String> {
    let strategies = Strategy::ALL.into_iter().map(Strategy::name);
    std::iter::once("rules".to_owned()).chain(strategies).chain(["thief alone".to_owned()]).collect()
}

fn cell(thefts: &[Theft]) -> String {
    let (on, out): (Vec<&Theft>, Vec<&Theft>) = thefts.iter().partition(|theft| theft.end == End::Both);
    if out.is_empty() {
        return "all on".to_owned();
    }
    let mut answered: Vec<Duration> = thefts.iter().map(|theft| theft.answered).collect();
    let mut refreshes: Vec<u32> = out.iter().map(|theft| theft.owner_refreshes).collect();
    answered.sort_unstable();
    refreshes.sort_unstable();
    let [median, most] = [50, 100].map(|percent| percentile(&refreshes, percent));
    let refreshes = if median == most { most.to_string() } else { format!("{median}–{most}") };
    let on = if on.is_empty() { String::new() } else { format!("; {} of {} on", on.len(), thefts.len()) };
    format!("{} / {} / {refreshes}{on}", span(percentile(&answered, 50)), span(percentile(&answered, 95)))
}

/// The least of sorted values that so many percent of them do not exceed.
fn percentile<T: Copy + Default>(sorted: &[T], percent: usize) -> T {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

fn out_of(forced: &[u32]) -> String {
    let out = forced.iter().filter(|times| **times > 0).count();
    format!("{out} of {}", forced.len())
}

fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => "0".to_owned(),
        1..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", tenths(seconds, 3_600)),
        _ => format!("{} d", tenths(seconds, 86_400)),
    }
}

/// A quotient with one decimal, rounded down.
fn tenths(of: u64, by: u64) -> String {
    let tenths = of * 10 / by.max(1);
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn markdown(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).filter_map(width).collect();
    let line = |row: &Vec<String>| -> String {
        row.iter().zip(&widths).map(|(cell, width)| format!("| {cell:width$} ")).chain(["|\n".to_owned()]).collect()
    };
    let rule: String =
        widths.iter().map(|width| format!("|{}", "-".repeat(width + 2))).chain(["|\n".to_owned()]).collect();
    let (head, body) = rows.split_at(1.min(rows.len()));
    head.iter().map(line).chain([rule]).chain(body.iter().map(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECURITY: &str = include_str!("../../../../SECURITY.md");

    #[test]
    fn the_tables_of_the_security_page_have_these_headings_and_rows() {
        let mut expected = vec![honest_heading(CLIENTS), thief_heading(THEFTS)];
        expected.extend(Rules::all().unwrap().map(|rules| format!("| {} ", rules.name())));
        expected.extend(honest_head().into_iter().chain(thief_head()).map(|name| format!("| {name} ")));
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let page = words(SECURITY);
        for text in expected {
            assert!(page.contains(text.trim_end()), "{text}");
        }
    }

    #[test]
    fn cells() {
        let theft = |hours, owner_refreshes, end| Theft { answered: Duration::from_hours(hours), owner_refreshes, end };
        let out = |hours, owner_refreshes| theft(hours, owner_refreshes, End::ThiefOut);
        let on = theft(720, 1_000, End::Both);
        let cases = [
            (vec![out(0, 1); 3], "0 / 0 / 1"),
            (vec![out(3, 2), out(1, 1), out(2, 1)], "2.0 h / 3.0 h / 1–2"),
            (vec![on; 3], "all on"),
            (vec![on, out(1, 2)], "1.0 h / 30.0 d / 2; 1 of 2 on"),
        ];
        for (thefts, expected) in cases {
            assert_eq!(cell(&thefts), expected);
        }
    }

    #[test]
    fn spans() {
        let cases = [
            (0, "0"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min"),
            (5_400, "1.5 h"),
            (86_399, "23.9 h"),
            (86_400, "1.0 d"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(span(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn a_table_is_markdown_in_columns() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = markdown(&[row(["a", "head"]), row(["±10 s", "x"])]);
        assert_eq!(text, "| a     | head |\n|-------|------|\n| ±10 s | x    |\n");
    }

    #[test]
    fn the_same_numbers_each_time() {
        assert_eq!(honest(2), honest(2));
        assert_eq!(thief(1), thief(1));
    }
}
