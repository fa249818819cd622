//! `authctl table`.

use std::io::Write;

use auth_dynamodb::check::{Finding, Verdict};
use auth_dynamodb::table::Creation;
use serde::Serialize;
use serde_json::json;

use crate::command::Table as Command;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Row;
use crate::place::Place;

pub(crate) async fn run(command: Command, mut context: Context<impl Write>, place: &Place) -> Result<(), Failure> {
    match command {
        Command::Create => context.create(&place.table).await,
        Command::Check => {
            let findings = context.store.check_table().await?;
            context.output.list_all(&findings.iter().map(Shown::new).collect::<Vec<_>>())?;
            pass(&findings)
        }
    }
}

impl<W: Write> Context<W> {
    async fn create(&mut self, table: &str) -> Result<(), Failure> {
        let creation = self.store.create_table().await?;
        pass(&self.store.check_table().await?)?;
        let what = match creation {
            Creation::Created => "created",
            Creation::Existed => "is there already, and as it must be",
        };
        let json = json!({"table": table, "created": creation == Creation::Created});
        self.output.done(&format!("table \"{table}\" {what}"), &json)
    }
}

fn pass(findings: &[Finding]) -> Result<(), Failure> {
    let wrong = findings.iter().filter_map(|finding| match finding.verdict {
        Verdict::Wrong(needed) => Some(format!("{} ({}): {needed}", finding.property, finding.found)),
        Verdict::Good | Verdict::Unknown | Verdict::Advice(_) => None,
    });
    let wrong: Vec<String> = wrong.collect();
    if wrong.is_empty() { Ok(()) } else { Err(Failure::WrongTable(wrong.join("; "))) }
}

#[derive(Serialize)]
struct Shown {
    property: &'static str,
    found: String,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
}

impl Shown {
    fn new(finding: &Finding) -> Self {
        let (verdict, advice) = match finding.verdict {
            Verdict::Good => ("good", None),
            Verdict::Unknown => ("unknown", None),
            Verdict::Advice(advice) => ("warning", Some(advice)),
            Verdict::Wrong(advice) => ("error", Some(advice)),
        };
        Self { property: finding.property, found: finding.found.clone(), verdict, advice }
    }
}

impl Row for Shown {
    const COLUMNS: &[&str] = &["PROPERTY", "FOUND", "VERDICT", "ADVICE"];

    fn cells(&self) -> Vec<String> {
        let advice = self.advice.unwrap_or_default();
        vec![self.property.to_owned(), self.found.clone(), self.verdict.to_owned(), advice.to_owned()]
    }
}
