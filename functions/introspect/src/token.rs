//! Whether a token is good: first by itself, then by what the store knows of its session and its user.

use auth_core::claims::AccessClaims;
use auth_core::id::{SessionId, UserId};
use auth_core::jwt::Rejection;
use auth_core::refresh_token::{Presented, RefreshKeys};
use auth_core::rotation;
use auth_core::session::{EndCause, Session};
use auth_core::time::UnixTime;
use auth_core::user::{Denial, User};

use crate::answer::Active;

/// A token that we have made, by its signature or its MAC.
#[derive(Debug)]
pub(crate) struct Genuine {
    pub(crate) user_id: UserId,
    pub(crate) session_id: SessionId,
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
    pub(crate) user: Option<User>,
    /// Whether the access token itself was revoked.
    pub(crate) revoked: bool,
}

/// Why a token is not good. For the log: the caller is told none of it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Inactive {
    #[error("access token: {0}")]
    Rejected(Rejection),
    #[error("not a refresh token made by this server")]
    Forged,
    /// Of another issuer under our name and keys: its `sub` or `sid` is no identifier of ours.
    #[error("not of a session of ours")]
    Foreign,
    #[error("the session is gone")]
    NoSession,
    #[error("the session has ended: {}", .0.name())]
    Ended(EndCause),
    #[error("the session has expired")]
    Expired,
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
            Self::Forged => "forged",
            Self::Foreign => "foreign",
            Self::NoSession => "session_unknown",
            Self::Ended(_) => "session_ended",
            Self::Expired => "session_expired",
            Self::Replayed { .. } => "replayed",
            Self::NoUser => "user_unknown",
            Self::Denied(denial) => denial.reason(),
            Self::Outdated => "user_changed",
            Self::Revoked => "token_revoked",
        }
    }
}

impl Genuine {
    pub(crate) fn of_refresh_token(token: &str, keys: &RefreshKeys) -> Result<Self, Inactive> {
        let presented = keys.open(token).map_err(|_| Inactive::Forged)?;
        let (user_id, session_id) = (presented.user_id(), presented.session_id());
        Ok(Self { user_id, session_id, kind: Kind::Refresh(presented) })
    }

    pub(crate) fn of_access_token(verified: Result<AccessClaims, Rejection>) -> Result<Self, Inactive> {
        let claims = verified.map_err(Inactive::Rejected)?;
        let user_id = UserId::parse(&claims.sub).map_err(|_| Inactive::Foreign)?;
        let session_id = SessionId::parse(&claims.sid).map_err(|_| Inactive::Foreign)?;
        Ok(Self { user_id, session_id, kind: Kind::Access(claims) })
    }

    /// The claim `jti` of an access token.
    pub(crate) fn jti(&self) -> Option<&str> {
        match &self.kind {
            Kind::Access(claims) => Some(&claims.jti),
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
                if claims.ver < user.ver { Err(Inactive::Outdated) } else { Ok(Active::Access(claims)) }
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
