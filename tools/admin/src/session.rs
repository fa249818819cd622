//! `authctl session`.

use std::io::Write;

use auth_core::id::SessionId;
use auth_core::login::LoginName;
use auth_core::session::{End, EndCause, Session};
use auth_core::time::UnixTime;
use auth_core::user::{Denial, User};
use auth_dynamodb::session::Ending;
use serde::Serialize;
use serde_json::json;

use crate::command::{Named, Session as Command, Which};
use crate::context::{Context, done, now};
use crate::failure::Failure;
use crate::output::{Row, rfc3339};

pub(crate) async fn run(command: Command, mut context: Context<impl Write>) -> Result<(), Failure> {
    match command {
        Command::List(Named { name }) => context.list(&name).await,
        Command::End { user, which: Which { sid: Some(sid), .. } } => context.end(&user.name, sid).await,
        Command::End { user, which: Which { sid: None, .. } } => context.end_all(&user.name).await,
    }
}

impl<W: Write> Context<W> {
    async fn list(&mut self, name: &LoginName) -> Result<(), Failure> {
        let (user, now) = (self.user(name).await?, now());
        let fetch = async |after| self.store.sessions(user.id, after).await;
        self.output.list(fetch, |session| Shown::new(&session, &user, now)).await
    }

    pub(crate) async fn end(&mut self, name: &LoginName, sid: SessionId) -> Result<(), Failure> {
        let user = self.user(name).await?;
        let unknown = || Failure::NoSession { name: name.clone(), sid };
        let session = self.store.session(user.id, sid).await?.ok_or_else(unknown)?;
        let device = session.device.as_deref().unwrap_or("no device named");
        self.confirm(&format!("End session {sid} of \"{}\" ({device})?", name.as_str()))?;
        let now = now();
        let end = End { cause: EndCause::Revoked, at: now };
        let (ended, sentence) = match self.store.end_session(session.user_id, session.id, &end, now).await? {
            Ending::Done => (1, "ended"),
            Ending::Refused(Some(_)) => (0, "had ended already"),
            Ending::Refused(None) => return Err(unknown()),
        };
        self.output.done(&format!("session {sid} of \"{}\" {sentence}", name.as_str()), &json!({"ended": ended}))
    }

    pub(crate) async fn end_all(&mut self, name: &LoginName) -> Result<(), Failure> {
        let user = self.user(name).await?;
        self.confirm(&format!("End all sessions of \"{}\"?", name.as_str()))?;
        done(self.store.end_all_sessions(&user, now()).await?, name)?;
        self.output.done(&format!("all sessions of \"{}\" ended", name.as_str()), &json!({"ended": "all"}))
    }
}

/// A session, without its tokens' nonces.
#[derive(Serialize)]
struct Shown {
    sid: SessionId,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    client_id: String,
    scope: String,
    /// The session under which a client has this one, and with which it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_sid: Option<SessionId>,
    device: Option<String>,
    network: Option<String>,
    created_at: String,
    last_used_at: String,
    idle_expires_at: String,
    expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
}

impl Shown {
    fn new(session: &Session, user: &User, now: UnixTime) -> Self {
        let (state, cause) = state(session, user, now);
        Self {
            sid: session.id,
            state,
            cause,
            client_id: session.client_id.clone(),
            scope: session.scope.to_string(),
            parent_sid: session.parent,
            device: session.device.clone(),
            network: session.network.map(|network| network.to_string()),
            created_at: rfc3339(session.created_at),
            last_used_at: rfc3339(session.newest.made_at),
            idle_expires_at: rfc3339(session.idle_expires_at),
            expires_at: rfc3339(session.expires_at),
            ended_at: session.ended.as_ref().map(|end| rfc3339(end.at)),
        }
    }
}

/// Whether the next refresh can succeed, and why not.
fn state(session: &Session, user: &User, now: UnixTime) -> (&'static str, Option<&'static str>) {
    match &session.ended {
        Some(end) => ("ended", Some(cause(end.cause))),
        // What ends all sessions leaves their items alone.
        None if user.admits(session.ver) == Err(Denial::BelowFloor) => ("ended", Some(cause(EndCause::Revoked))),
        // As long as the session above it lives, which a page of a list may not show.
        None if session.is_alive(now) && session.parent.is_some() => ("delegated", None),
        None if session.is_alive(now) => ("alive", None),
        None => ("expired", None),
    }
}

const fn cause(cause: EndCause) -> &'static str {
    match cause {
        EndCause::Logout => "logout",
        EndCause::Replay => "replay",
        EndCause::Revoked => "revoked",
        EndCause::Displaced => "displaced",
    }
}

impl Row for Shown {
    const COLUMNS: &[&str] = &["SID", "STATE", "CREATED", "LAST USED", "EXPIRES", "CLIENT", "SCOPE", "DEVICE"];

    fn cells(&self) -> Vec<String> {
        let above = self.parent_sid.map(|parent| format!(" under {parent}")).unwrap_or_default();
        let state = self.cause.map_or_else(|| self.state.to_owned(), |cause| format!("{}: {cause}", self.state));
        // Both are of one form, so the earlier one is the lesser text.
        let expires = (&self.idle_expires_at).min(&self.expires_at);
        vec![
            self.sid.to_string(),
            state + &above,
            self.created_at.clone(),
            self.last_used_at.clone(),
            expires.clone(),
            self.client_id.clone(),
            self.scope.clone(),
            self.device.clone().unwrap_or_default(),
        ]
    }
}
