//! `POST /logout`: the end of this session, of all, or of all others.

use auth_core::policy::REQUEST_LIFE;
use auth_core::session::EndCause;
use auth_core::time::UnixTime;
use auth_core::user::User;
use auth_dynamodb::change::{Changed, Others};
use auth_dynamodb::error::StoreError;
use auth_http::request::Request;
use auth_http::response::{self, Response};

use crate::holder::{Holder, NoAccess, Unfit};
use crate::request::{Credential, LogoutRequest, Sessions};
use crate::{App, Refusal};

/// How often a user who changes meanwhile is read and tried again.
const ATTEMPTS: u8 = 3;

impl App {
    /// Whoever signs out with a refresh token that is unknown, expired or of an ended session has what they want (RFC 7009
    /// §2.2): 204, so that a repeated request is as good as the first.
    pub(crate) async fn logout(&self, request: &Request) -> Result<Response, Refusal> {
        let now = self.clock.now();
        let asked = LogoutRequest::parse(request, &self.config.browsers)?;
        if let Some(holder) = self.holder(&asked.credential, now).await? {
            let deadline = request.context.received_at.unwrap_or(now) + REQUEST_LIFE;
            match asked.sessions {
                Sessions::This => self.end(holder.user_id, holder.session_id, EndCause::Logout, now).await?,
                Sessions::All | Sessions::Others if holder.is_delegated() => return Err(NoAccess::Delegated.into()),
                Sessions::All | Sessions::Others => self.end_several(&holder, asked.sessions, now, deadline).await?,
            }
        }
        Ok(match asked.sessions {
            Sessions::This | Sessions::All => asked.caller.signed_out(),
            Sessions::Others => response::no_content(), // a browser stays signed in, with its cookie
        })
    }

    /// What proves itself without a call of the table. A refresh token that is none of ours is nobody's.
    async fn holder(&self, credential: &Credential<'_>, now: UnixTime) -> Result<Option<Holder>, Refusal> {
        match credential {
            Credential::RefreshToken(text) => {
                Ok(self.config.refresh_keys.open(text).await?.ok().map(Holder::of_refresh_token))
            }
            Credential::AccessToken(text) => {
                let verified = self.config.verifier.verify_fresh(text, now).await?;
                Ok(Some(Holder::of_access_token(verified.map_err(NoAccess::from)?)?))
            }
            Credential::Nothing => Ok(None),
        }
    }

    async fn end_several(
        &self,
        holder: &Holder,
        sessions: Sessions,
        now: UnixTime,
        deadline: UnixTime,
    ) -> Result<(), Refusal> {
        for _ in 0..ATTEMPTS {
            let user = match holder.user(&self.store, now).await? {
                Ok(user) => user,
                Err(unfit) => return self.end_at_most_its_own(holder, sessions, unfit, now).await,
            };
            let at = self.clock.now();
            if at > deadline {
                return Err(Refusal::Late); // given up by its sender, who may have signed in anew
            }
            match self.try_to_end_several(holder, sessions, &user, at).await? {
                Others::Changed(Changed::Done(_)) => {
                    let (sub, sid) = (user.id, holder.session_id);
                    tracing::info!(event = "logout_several", sessions = sessions.name(), %sub, %sid);
                    return Ok(());
                }
                Others::Changed(Changed::Meanwhile | Changed::Gone) | Others::NotKept => {} // look again
            }
        }
        Err(Refusal::Busy)
    }

    async fn try_to_end_several(
        &self,
        holder: &Holder,
        sessions: Sessions,
        user: &User,
        at: UnixTime,
    ) -> Result<Others, StoreError> {
        match sessions {
            Sessions::Others => self.store.end_other_sessions(user, holder.session_id, at).await,
            Sessions::This | Sessions::All => self.store.end_all_sessions(user, at).await.map(Others::Changed),
        }
    }

    /// A token that no refresh would take, and no authorizer, ends no other session: whoever kept a copy for a year cannot
    /// sign its owner out everywhere. An old refresh token ends its own, as ever; one that was to go on is a replay.
    async fn end_at_most_its_own(
        &self,
        holder: &Holder,
        sessions: Sessions,
        unfit: Unfit,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        if holder.has_access_token() {
            return Err(NoAccess::Stale(unfit).into());
        }
        let (sub, sid) = (holder.user_id, holder.session_id);
        tracing::warn!(event = "logout_refused", sessions = sessions.name(), reason = unfit.reason(), %sub, %sid);
        let cause = match (sessions, unfit) {
            (Sessions::Others, Unfit::Replayed) => EndCause::Replay,
            (Sessions::Others, _) => return Ok(()),
            (Sessions::This | Sessions::All, _) => EndCause::Logout,
        };
        Ok(self.end(sub, sid, cause, now).await?)
    }
}
