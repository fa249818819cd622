//! `authctl refresh-keys`: the keys that make and recognise refresh tokens. No key is ever shown.

use std::io::Write;

use auth_core::config::Variables;
use auth_core::entropy::OsEntropy;
use auth_core::time::SystemClock;
use auth_keys::refresh_keeper::{RefreshKeeper, check_droppable};
use serde::Serialize;
use serde_json::json;

use crate::ask;
use crate::command::RefreshKeys;
use crate::failure::Failure;
use crate::output::{Output, Row};

pub(crate) async fn run(
    command: RefreshKeys,
    variables: &Variables<'_>,
    yes: bool,
    output: &mut Output<impl Write>,
) -> Result<(), Failure> {
    let keeper = RefreshKeeper::from_variables(variables).await.map_err(Failure::Keys)?;
    match command {
        RefreshKeys::List => list(&keeper, output).await,
        RefreshKeys::Rotate => rotate(&keeper, yes, output).await,
        RefreshKeys::Drop { id } => drop_key(id, &keeper, yes, output).await,
    }
}

async fn list(keeper: &RefreshKeeper, output: &mut Output<impl Write>) -> Result<(), Failure> {
    let ids = keeper.ids().await?;
    let rows = ids.iter().enumerate().map(|(index, &id)| Shown { id, makes_tokens: index == 0 });
    output.list_all(&rows.collect::<Vec<_>>())
}

async fn rotate(keeper: &RefreshKeeper, yes: bool, output: &mut Output<impl Write>) -> Result<(), Failure> {
    ask::confirm_unless(yes, "Let a new key make refresh tokens? The others still recognise theirs.")?;
    let ids = keeper.rotate(&OsEntropy, &SystemClock).await?;
    let [id, others @ ..] = ids.as_slice() else { return Ok(()) }; // the new one is there
    let sentence =
        format!("refresh key {id} is there, and makes tokens within ten minutes; {} only recognise", list_of(others));
    output.done(&sentence, &json!({"id": id, "others": others}))
}

async fn drop_key(id: u8, keeper: &RefreshKeeper, yes: bool, output: &mut Output<impl Write>) -> Result<(), Failure> {
    check_droppable(id, &keeper.ids().await?)?;
    let question = format!("Drop the refresh key {id}? Whoever has a refresh token under it has to sign in again.");
    ask::confirm_unless(yes, &question)?;
    let left = keeper.drop_key(id, &SystemClock).await?;
    let sentence =
        format!("refresh key {id} is dropped, and not known any more within ten minutes; there are {}", list_of(&left));
    output.done(&sentence, &json!({"dropped": id, "left": left}))
}

fn list_of(ids: &[u8]) -> String {
    ids.iter().map(u8::to_string).collect::<Vec<_>>().join(", ")
}

#[derive(Serialize)]
struct Shown {
    id: u8,
    makes_tokens: bool,
}

impl Row for Shown {
    const COLUMNS: &[&str] = &["ID", "TOKENS"];

    fn cells(&self) -> Vec<String> {
        let does = if self.makes_tokens { "makes and recognises" } else { "recognises" };
        vec![self.id.to_string(), does.to_owned()]
    }
}
