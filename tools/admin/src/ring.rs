//! `authctl keys list`, `rotate` and `kill`: the keys in the table.

use std::io::Write;

use auth_core::config::Variables;
use auth_core::entropy::OsEntropy;
use auth_core::key_ring::{Custody, KeyRing, RingKey};
use auth_core::time::UnixTime;
use auth_keys::keeper::Keeper;
use serde::Serialize;
use serde_json::json;

use crate::context::{Context, now};
use crate::failure::Failure;
use crate::output::{Row, rfc3339};

pub(crate) async fn list(mut context: Context<impl Write>) -> Result<(), Failure> {
    let (ring, now) = (context.store.key_ring().await?, now());
    context.output.list_all(&ring.keys().iter().map(|key| Shown::new(key, &ring, now)).collect::<Vec<_>>())
}

pub(crate) async fn rotate(mut context: Context<impl Write>, variables: &Variables<'_>) -> Result<(), Failure> {
    context.confirm("Let the next key sign as soon as every verifier knows it?")?;
    let ring = context.store.key_ring().await?;
    let keeper = keeper(&context, &ring, variables).await?;
    let now = now();
    let (kid, signs_from) = if ring.signer(now).is_none() {
        keeper.keep(&OsEntropy, now).await?;
        let made = keeper.ring().await?;
        let first = made.signer(now).ok_or_else(|| Failure::UnknownKey("to sign".to_owned()))?;
        (first.kid().to_owned(), first.signs_from)
    } else {
        keeper.rotate(&OsEntropy, now).await?
    };
    let sentence = format!("key {kid} signs from {} on", rfc3339(signs_from));
    context.output.done(&sentence, &json!({"kid": kid, "signs_from": rfc3339(signs_from)}))
}

pub(crate) async fn kill(
    kid: &str,
    mut context: Context<impl Write>,
    variables: &Variables<'_>,
) -> Result<(), Failure> {
    let ring = context.store.key_ring().await?;
    ring.find(kid).ok_or_else(|| Failure::UnknownKey(kid.to_owned()))?;
    let keeper = keeper(&context, &ring, variables).await?;
    context.confirm(&format!("Kill the key \"{kid}\", and all access tokens under it?"))?;
    let now = now();
    let killed = keeper.kill(kid, &OsEntropy, now).await?;
    keeper.keep(&OsEntropy, now).await?;
    let sentence = match (&killed.successor, killed.is_new) {
        (None, _) => format!("key {kid} is killed; another one signs"),
        (Some(next), false) => format!("key {kid} is killed, and {next} signs from now on"),
        (Some(next), true) => format!(
            "key {kid} is killed, and {next} signs from now on; it is new, so verifiers of others may refuse its tokens until they \
             have fetched it"
        ),
    };
    let json = json!({"killed": kid, "successor": killed.successor, "is_new": killed.is_new});
    context.output.done(&sentence, &json)
}

/// A keeper for new keys as the newest is, unless the environment says otherwise.
async fn keeper<W>(context: &Context<W>, ring: &KeyRing, variables: &Variables<'_>) -> Result<Keeper, Failure> {
    let newest = ring.keys().last().map(|key| format!("{:?}", key.algorithm()));
    let look_up = |name: &str| match name {
        "SIGNING_ALGORITHM" => variables.optional("SIGNING_ALGORITHM").or_else(|| newest.clone()),
        "ROTATION_DAYS" => variables.optional("ROTATION_DAYS"),
        "KEY_SECRET" => variables.optional("KEY_SECRET"),
        "KEY_FILE" => variables.optional("KEY_FILE"),
        _ => None,
    };
    Keeper::from_variables(&Variables::new(&look_up), context.store.clone()).await.map_err(Failure::Keys)
}

#[derive(Serialize)]
struct Shown {
    kid: String,
    alg: String,
    state: &'static str,
    custody: &'static str,
    made_at: String,
    signs_from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    verifies_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    killed_at: Option<String>,
}

impl Shown {
    fn new(key: &RingKey, ring: &KeyRing, now: UnixTime) -> Self {
        Self {
            kid: key.kid().to_owned(),
            alg: format!("{:?}", key.algorithm()),
            state: ring.state(key, now).name(),
            custody: match key.custody {
                Custody::Secret => "secret",
                Custody::Kms(_) => "kms",
            },
            made_at: rfc3339(key.made_at),
            signs_from: rfc3339(key.signs_from),
            verifies_until: ring.retires_at(key).map(rfc3339),
            killed_at: key.killed_at.map(rfc3339),
        }
    }
}

impl Row for Shown {
    const COLUMNS: &[&str] = &["KID", "ALG", "STATE", "SIGNS FROM", "VERIFIES UNTIL"];

    fn cells(&self) -> Vec<String> {
        let until = self.killed_at.as_ref().or(self.verifies_until.as_ref()).cloned().unwrap_or_default();
        vec![self.kid.clone(), self.alg.clone(), self.state.to_owned(), self.signs_from.clone(), until]
    }
}
