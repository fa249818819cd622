//! `authctl revoke`.

use std::io::Write;

use auth_core::id::SessionId;
use auth_core::journal::Revocation;
use auth_core::login::LoginName;
use auth_core::policy::ACCESS_TTL_BOUNDS;
use auth_core::time::UnixTime;
use auth_core::user::User;
use auth_dynamodb::change::Changed;
use auth_dynamodb::store::Store;
use serde_json::json;
use tokio::task::JoinSet;

use crate::command::Revoke;
use crate::context::{Context, now};
use crate::failure::Failure;

pub(crate) async fn run(what: Revoke, mut context: Context<impl Write>) -> Result<(), Failure> {
    let Revoke { user, session, token, client, key, all } = what;
    if all {
        context.end_everybodys().await
    } else if let Some(name) = user {
        context.end_all(&name).await
    } else if let Some(session) = session {
        let (name, sid) = parse(&session)?;
        context.end(&name, sid).await
    } else if let Some(jti) = token {
        context.revoke_token(&jti).await
    } else if let Some(id) = client {
        let what = format!("access tokens of the client \"{id}\" until now");
        context.revoke(&what, |at| Revocation::client(&id, at)).await
    } else if let Some(kid) = key {
        context.revoke(&format!("access tokens under the key \"{kid}\""), |_| Revocation::key(&kid)).await
    } else {
        Ok(()) // the parser of the command line asks for one of them
    }
}

/// So many users' sessions are being ended at a time.
const AT_ONCE: usize = 32;

/// How often the end of a user's sessions is tried who changes meanwhile.
const TRIES: usize = 5;

impl<W: Write> Context<W> {
    /// Ends all sessions of every user, a transaction for each: after a fault it can be said again.
    async fn end_everybodys(&mut self) -> Result<(), Failure> {
        self.confirm("End all sessions of all users? Everybody will have to sign in again.")?;
        let (mut users, mut after) = (0_usize, None);
        loop {
            let page = self.store.users(after).await?;
            for part in page.items.chunks(AT_ONCE) {
                let ending: JoinSet<_> = part.iter().map(|user| end_all(self.store.clone(), user.clone())).collect();
                let ended = ending.join_all().await.into_iter().collect::<Result<Vec<bool>, Failure>>()?;
                users += ended.into_iter().filter(|ended| *ended).count();
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        self.output.done(&format!("all sessions of {users} users ended"), &json!({"ended": "all", "users": users}))
    }

    /// The mark is kept as if the token had just been minted for the longest time.
    async fn revoke_token(&mut self, jti: &str) -> Result<(), Failure> {
        self.confirm(&format!("Revoke the access token \"{jti}\"?"))?;
        let now = now();
        let first = self.store.revoke_token(jti, now + ACCESS_TTL_BOUNDS.1, now).await?;
        let sentence = if first { "revoked" } else { "had been revoked already" };
        self.output.done(&format!("access token \"{jti}\" {sentence}"), &json!({"revoked": u8::from(first)}))
    }

    async fn revoke(&mut self, what: &str, revocation: impl FnOnce(UnixTime) -> Revocation) -> Result<(), Failure> {
        self.confirm(&format!("Revoke all {what}?"))?;
        let now = now();
        self.store.revoke(&revocation(now), now).await?;
        self.output.done(&format!("all {what} are revoked"), &json!({"revoked": "all"}))
    }
}

/// Ends a user's sessions, whatever else changes the user meanwhile. Whether there still was one.
async fn end_all(store: Store, mut user: User) -> Result<bool, Failure> {
    for _ in 0..TRIES {
        match store.end_all_sessions(&user, now()).await? {
            Changed::Done(_) => return Ok(true),
            Changed::Gone => return Ok(false),
            Changed::Meanwhile => {}
        }
        let Some(newer) = store.user(user.id).await? else { return Ok(false) };
        user = newer;
    }
    Err(Failure::ChangedMeanwhile(user.login_name))
}

fn parse(session: &[String]) -> Result<(LoginName, SessionId), Failure> {
    let [name, sid] = session else { return Err(Failure::Usage("--session takes a NAME and a SID".to_owned())) };
    let usage = |error: &dyn std::fmt::Display| Failure::Usage(format!("--session <NAME> <SID>: {error}"));
    let name = LoginName::parse(name).map_err(|error| usage(&error))?;
    Ok((name, SessionId::parse(sid).map_err(|error| usage(&error))?))
}
