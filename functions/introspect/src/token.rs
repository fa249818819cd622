//! Whether a token is good: first by itself, then by what the store knows of its session and its user.

use auth_core::claims::AccessClaims;
use auth_core::client::{Client, ClientId, Grant};
use auth_core::id::{SessionId, UserId};
use auth_core::jwt::Rejection;
use auth_core::refresh_token::{NotOurs, Presented};
use auth_core::rotation;
use auth_core::session::{EndCause, Session};
use auth_core::time::UnixTime;
use auth_core::user::{Denial, User};

use crate::answer::Active;

/// A token that we have made, by its signature or its MAC.
#[derive(Debug)]
pub(crate) enum Genuine {
    /// Of a user, in a session.
    OfUser(UsersToken),
    /// A client's own access token.
    OfClient(ClientId, AccessClaims),
}

/// A user's token, perhaps in the hands of a client that acts for the user.
#[derive(Debug)]
pub(crate) struct UsersToken {
    pub(crate) user_id: UserId,
    pub(crate) session_id: SessionId,
    /// The user's own session, if this is a client's under it.
    pub(crate) parent_id: Option<SessionId>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Access(AccessClaims),
    Refresh(Presented),
}

/// What the store knows of the session and the user of a token, at one moment.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) session: Option<Session>,
    pub(crate) parent: Option<Session>,
    pub(crate) user: Option<User>,
    /// Whether the access token itself was revoked, or all of its client.
    pub(crate) revoked: bool,
}

/// Why a token is not good. For the log: the caller is told none of it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Inactive {
    #[error("access token: {0}")]
    Rejected(Rejection),
    #[error(transparent)]
    NotOurs(#[from] NotOurs),
    /// Of another issuer under our name and keys: its `sub` or `sid` is no identifier of ours.
    #[error("not of a session of ours")]
    Foreign,
    #[error("the session is gone")]
    NoSession,
    #[error("the session has ended: {}", .0.name())]
    Ended(EndCause),
    #[error("the session has expired")]
    Expired,
    #[error("the session above it is over")]
    ParentOver,
    #[error("the session went on without it, by {behind} generations")]
    Replayed { behind: u32 },
    #[error("the user is gone")]
    NoUser,
    #[error("{0}")]
    Denied(Denial),
    #[error("the user has changed since")]
    Outdated,
    #[error("the access token was revoked")]
    Revoked,
    #[error("the client is gone, or may have no tokens of its own")]
    NoClient,
}

impl From<rotation::Refusal> for Inactive {
    fn from(refusal: rotation::Refusal) -> Self {
        match refusal {
            rotation::Refusal::Unknown => Self::NoSession,
            rotation::Refusal::Ended(cause) => Self::Ended(cause),
            rotation::Refusal::Expired => Self::Expired,
            rotation::Refusal::Replayed { behind } => Self::Replayed { behind },
        }
    }
}

impl Inactive {
    /// What the log calls it.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::Rejected(rejection) => rejection.reason(),
            Self::NotOurs(not_ours) => not_ours.reason(),
            Self::Foreign => "foreign",
            Self::NoSession => "session_unknown",
            Self::Ended(_) => "session_ended",
            Self::Expired => "session_expired",
            Self::ParentOver => "parent_session_over",
            Self::Replayed { .. } => "replayed",
            Self::NoUser => "user_unknown",
            Self::Denied(denial) => denial.reason(),
            Self::Outdated => "user_changed",
            Self::Revoked => "token_revoked",
            Self::NoClient => "client_unknown",
        }
    }
}

impl Genuine {
    pub(crate) fn of_refresh_token(opened: Result<Presented, NotOurs>) -> Result<Self, Inactive> {
        let presented = opened?;
        let (user_id, session_id) = (presented.user_id(), presented.session_id());
        Ok(Self::OfUser(UsersToken { user_id, session_id, parent_id: None, kind: Kind::Refresh(presented) }))
    }

    pub(crate) fn of_access_token(verified: Result<AccessClaims, Rejection>) -> Result<Self, Inactive> {
        let claims = verified.map_err(Inactive::Rejected)?;
        let Some(session) = &claims.session else {
            let client_id = ClientId::parse(&claims.client_id).map_err(|_| Inactive::Foreign)?;
            return Ok(Self::OfClient(client_id, claims));
        };
        let id = |text: &str| SessionId::parse(text).map_err(|_| Inactive::Foreign);
        let user_id = UserId::parse(&claims.sub).map_err(|_| Inactive::Foreign)?;
        let session_id = id(&session.sid)?;
        let parent_id = claims.delegation().map(|delegation| id(&delegation.parent_sid)).transpose()?;
        Ok(Self::OfUser(UsersToken { user_id, session_id, parent_id, kind: Kind::Access(claims) }))
    }
}

/// Judges a client's own token by the client that the store has, if it has it, and by whether it was revoked.
pub(crate) fn judge_own(claims: AccessClaims, client: Option<Client>, revoked: bool) -> Result<Active, Inactive> {
    if revoked {
        return Err(Inactive::Revoked);
    }
    let has_own = client.is_some_and(|client| client.may(Grant::ClientCredentials));
    if has_own { Ok(Active::Access(claims)) } else { Err(Inactive::NoClient) }
}

impl UsersToken {
    /// The claims of an access token.
    pub(crate) const fn claims(&self) -> Option<&AccessClaims> {
        match &self.kind {
            Kind::Access(claims) => Some(claims),
            Kind::Refresh(_) => None,
        }
    }

    /// Judges the token, changing nothing: a replay that is only asked about ends no session.
    pub(crate) fn judge(self, standing: Standing, now: UnixTime) -> Result<Active, Inactive> {
        if standing.revoked {
            return Err(Inactive::Revoked);
        }
        let session = standing.session.ok_or(Inactive::NoSession)?;
        match self.kind {
            Kind::Access(claims) => {
                check_life(&session, now)?;
                let user = admitting(standing.user, &session)?;
                if self.parent_id.is_some() {
                    let parent = standing.parent.filter(|parent| parent.is_alive(now)).ok_or(Inactive::ParentOver)?;
                    user.admits(parent.ver).map_err(Inactive::Denied)?;
                }
                let is_outdated = claims.session.as_ref().is_none_or(|session| session.ver < user.ver);
                if is_outdated { Err(Inactive::Outdated) } else { Ok(Active::Access(claims)) }
            }
            Kind::Refresh(presented) => {
                rotation::check(&session, &presented, now)?;
                let user = admitting(standing.user, &session)?;
                Ok(Active::Refresh { scope: user.scope_in(&session), session })
            }
        }
    }
}

fn check_life(session: &Session, now: UnixTime) -> Result<(), Inactive> {
    match &session.ended {
        Some(end) => Err(Inactive::Ended(end.cause)),
        None if session.is_alive(now) => Ok(()),
        None => Err(Inactive::Expired),
    }
}

/// The session's user, who lets it have tokens.
fn admitting(user: Option<User>, session: &Session) -> Result<User, Inactive> {
    let user = user.ok_or(Inactive::NoUser)?;
    user.admits(session.ver).map_err(Inactive::Denied)?;
    Ok(user)
}

#[cfg(test)]
#[expect(clippy::unchecked_time_subtraction, reason = "between constants")]
mod tests;
