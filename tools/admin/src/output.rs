//! What is printed: columns for people, an object a line for scripts.

use std::io::{self, ErrorKind, Write};

use auth_core::time::UnixTime;
use auth_dynamodb::error::StoreError;
use auth_dynamodb::page::{Cursor, Page};
use jiff::Timestamp;
use serde::Serialize;

use crate::failure::Failure;
use crate::printable::printable;

/// Something that is listed or shown; its JSON is that of [`Serialize`].
pub(crate) trait Row: Serialize {
    /// The names of its columns.
    const COLUMNS: &[&str];

    /// The text of each column.
    fn cells(&self) -> Vec<String>;
}

/// Where a command says what it found or did.
pub(crate) struct Output<W> {
    to: W,
    json: bool,
}

impl<W: Write> Output<W> {
    pub(crate) fn new(to: W, json: bool) -> Self {
        Self { to, json }
    }

    /// Shows one thing: a line for each of its columns.
    pub(crate) fn show<R: Row>(&mut self, row: &R) -> Result<(), Failure> {
        if self.json {
            return self.json_lines(std::slice::from_ref(row));
        }
        let width = R::COLUMNS.iter().map(|name| name.len()).max().unwrap_or_default();
        let lines = R::COLUMNS.iter().zip(row.cells());
        let lines = lines.map(|(name, text)| format!("{:width$}  {}\n", name.to_lowercase(), cell(&text)));
        self.print(lines.collect::<String>())
    }

    /// Lists all that `fetch` finds, each page as soon as it is there.
    pub(crate) async fn list<T, R: Row>(
        &mut self,
        fetch: impl AsyncFn(Option<Cursor>) -> Result<Page<T>, StoreError>,
        row: impl Fn(T) -> R,
    ) -> Result<(), Failure> {
        let mut columns = Columns::new(R::COLUMNS);
        let mut after = None;
        loop {
            let page = fetch(after).await?;
            let rows: Vec<R> = page.items.into_iter().map(&row).collect();
            self.rows(&rows, &mut columns, page.next.is_none())?;
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Lists what is there at once.
    pub(crate) fn list_all<R: Row>(&mut self, rows: &[R]) -> Result<(), Failure> {
        self.rows(rows, &mut Columns::new(R::COLUMNS), true)
    }

    /// Says that something was done.
    pub(crate) fn done(&mut self, sentence: &str, json: &impl Serialize) -> Result<(), Failure> {
        if self.json {
            return self.json_lines(std::slice::from_ref(json));
        }
        self.print(format!("{}\n", printable(sentence)))
    }

    /// Prints text as it is.
    pub(crate) fn print(&mut self, text: impl AsRef<[u8]>) -> Result<(), Failure> {
        self.to.write_all(text.as_ref()).and_then(|()| self.to.flush()).map_err(failure)
    }

    fn rows<R: Row>(&mut self, rows: &[R], columns: &mut Columns, is_last: bool) -> Result<(), Failure> {
        if self.json {
            return self.json_lines(rows);
        }
        let text = columns.lay_out(rows.iter().map(R::cells).collect(), is_last);
        self.print(text)
    }

    fn json_lines<T: Serialize>(&mut self, values: &[T]) -> Result<(), Failure> {
        let mut lines = Vec::new();
        for value in values {
            serde_json::to_writer(&mut lines, value).map_err(|error| failure(error.into()))?;
            lines.push(b'\n');
        }
        self.print(lines)
    }
}

/// The columns of a list. Those of a later page are as wide as those before, or wider.
struct Columns {
    names: &'static [&'static str],
    widths: Vec<usize>,
    is_headed: bool,
}

impl Columns {
    fn new(names: &'static [&'static str]) -> Self {
        Self { names, widths: vec![0; names.len()], is_headed: false }
    }

    /// The lines of a page, under the names of the columns if it is the first with rows, or the last.
    fn lay_out(&mut self, rows: Vec<Vec<String>>, is_last: bool) -> String {
        let mut lines: Vec<Vec<String>> =
            rows.into_iter().map(|row| row.iter().map(|text| cell(text)).collect()).collect();
        if !self.is_headed && (is_last || !lines.is_empty()) {
            lines.insert(0, self.names.iter().map(|&name| name.to_owned()).collect());
            self.is_headed = true;
        }
        for line in &lines {
            for (width, cell) in self.widths.iter_mut().zip(line) {
                *width = cell.chars().count().max(*width);
            }
        }
        lines.iter().map(|line| self.line(line)).collect()
    }

    fn line(&self, cells: &[String]) -> String {
        let padded = cells.iter().zip(&self.widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    }
}

/// The text of a cell, which is never empty.
fn cell(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { printable(text) }
}

/// An instant in UTC (RFC 3339), to the second.
pub(crate) fn rfc3339(at: UnixTime) -> String {
    let second = i64::try_from(at.seconds()).ok().and_then(|second| Timestamp::from_second(second).ok());
    second.unwrap_or(Timestamp::MAX).to_string()
}

fn failure(error: io::Error) -> Failure {
    if error.kind() == ErrorKind::BrokenPipe { Failure::ClosedPipe } else { Failure::Output(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(rows: &[[&str; 2]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.map(str::to_owned).to_vec()).collect()
    }

    #[test]
    fn columns_are_aligned_and_only_grow() {
        let mut columns = Columns::new(&["NAME", "ROLES"]);
        assert_eq!(columns.lay_out(cells(&[]), false), "", "an empty page tells nothing of the widths");
        let first = cells(&[["jos\u{e9}", "a b"], ["alice", ""]]);
        assert_eq!(columns.lay_out(first, false), "NAME   ROLES\njos\u{e9}   a b\nalice  -\n");
        assert_eq!(columns.lay_out(cells(&[["bob", "x"]]), true), "bob    x\n");
        assert_eq!(Columns::new(&["NAME"]).lay_out(Vec::new(), true), "NAME\n");
    }

    #[test]
    fn instants_are_utc_to_the_second() {
        assert_eq!(rfc3339(UnixTime::from_millis(1_800_000_000_999)), "2027-01-15T08:00:00Z");
        assert_eq!(rfc3339(UnixTime::from_millis(u64::MAX)), "9999-12-30T22:00:00.999999999Z");
    }
}
