//! `authctl keys list`, `rotate` and `kill`: the keys in the table.

use std::io::Write;

use auth_core::config::Variables;
use auth_core::entropy::OsEntropy;
use auth_core::key_ring::kill::Successor;
use auth_core::key_ring::{KeyRing, RingKey};
use auth_core::time::{SystemClock, UnixTime};
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
    let algorithm = algorithm(&keeper.ring().await?, &kid);
    let sentence = format!("key {kid} ({algorithm}) signs from {} on", rfc3339(signs_from));
    context.output.done(&sentence, &json!({"kid": kid, "alg": algorithm, "signs_from": rfc3339(signs_from)}))?;
    // What is done is told by now, whatever becomes of the next key.
    keeper.keep(&OsEntropy, now).await?;
    Ok(())
}

fn algorithm(ring: &KeyRing, kid: &str) -> String {
    ring.find(kid).map(|key| format!("{:?}", key.algorithm())).unwrap_or_default()
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
    let successor = keeper.kill(kid, &OsEntropy, &SystemClock).await?;
    let (next, is_new) = match &successor {
        Successor::Key { kid, is_new } => (Some(kid), *is_new),
        Successor::Unchanged | Successor::Nobody => (None, false),
    };
    let signs = successor != Successor::Nobody;
    let json = json!({"killed": kid, "successor": next, "is_new": is_new, "signs": signs});
    context.output.done(&told(kid, &successor), &json)?;
    if signs {
        // What is done is told by now, whatever becomes of the next key.
        keeper.keep(&OsEntropy, now()).await?;
    }
    Ok(())
}

fn told(kid: &str, successor: &Successor) -> String {
    let rest = match successor {
        Successor::Unchanged => "another one signs".to_owned(),
        Successor::Key { kid, is_new: false } => format!("{kid} signs from now on"),
        Successor::Key { kid, is_new: true } => format!(
            "{kid} signs from now on; it is new, so verifiers of others may refuse its tokens until they have fetched it"
        ),
        Successor::Nobody => {
            "none signs: no next key could be made where KEY_SECRET, KEY_FILE or the region of KMS says; invoke rotate-keys"
                .to_owned()
        }
    };
    format!("key {kid} is killed; {rest}")
}

/// A keeper for new keys as the newest is, unless the environment says otherwise.
async fn keeper<W>(context: &Context<W>, ring: &KeyRing, variables: &Variables<'_>) -> Result<Keeper, Failure> {
    let newest = ring.keys().last();
    let algorithm = newest.map(|key| format!("{:?}", key.algorithm()));
    let custody = newest.map(|key| key.custody.kind().name().to_owned());
    let look_up = |name: &str| match name {
        "SIGNING_ALGORITHM" => variables.optional("SIGNING_ALGORITHM").or_else(|| algorithm.clone()),
        "KEY_CUSTODY" => variables.optional("KEY_CUSTODY").or_else(|| custody.clone()),
        "ROTATION_DAYS" => variables.optional("ROTATION_DAYS"),
        "KEY_SECRET" => variables.optional("KEY_SECRET"),
        "KEY_FILE" => variables.optional("KEY_FILE"),
        _ => None,
    };
    Keeper::of_signing_keys(&Variables::new(&look_up), context.store.clone()).await.map_err(Failure::Keys)
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
            custody: key.custody.kind().name(),
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
