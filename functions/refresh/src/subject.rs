//! Whether a token may be exchanged: it is a user's own, and good at this moment by the table, not only by itself.

use auth_core::claims::AccessClaims;
use auth_core::id::{SessionId, UserId};
use auth_core::journal;
use auth_core::jwt::Rejection;
use auth_core::session::Session;
use auth_core::time::UnixTime;
use auth_core::user::{Denial, User};

use crate::table::Table;
use crate::{App, Refusal};

/// A token that we have made, of a user in a session that a login began.
pub(crate) struct Subject {
    pub(crate) claims: AccessClaims,
    user_id: UserId,
    session_id: SessionId,
    ver: u64,
}

/// Why a token is not exchanged. For the log: the caller is told none of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("access token: {0}")]
    Rejected(Rejection),
    #[error("a client's own token")]
    NoUser,
    /// Who acts would be one of several, and each end had to reach all that came of it.
    #[error("exchanged before")]
    Delegated,
    #[error("not of a session of ours")]
    Foreign,
    #[error("the user is gone")]
    UnknownUser,
    #[error("the session is over")]
    Over,
    #[error("{0}")]
    Denied(#[from] Denial),
    #[error("the user has changed since")]
    Outdated,
    #[error("the token was revoked, or all of its client")]
    Revoked,
    #[error("what the client had under this session was ended")]
    Barred,
}

impl Unfit {
    /// What the log calls it.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::Rejected(rejection) => rejection.reason(),
            Self::NoUser => "no_user",
            Self::Delegated => "delegated",
            Self::Foreign => "foreign",
            Self::UnknownUser => "user_unknown",
            Self::Over => "session_over",
            Self::Denied(denial) => denial.reason(),
            Self::Outdated => "user_changed",
            Self::Revoked => "token_revoked",
            Self::Barred => "delegation_ended",
        }
    }
}

impl Subject {
    pub(crate) fn of(verified: Result<AccessClaims, Rejection>) -> Result<Self, Unfit> {
        let claims = verified.map_err(Unfit::Rejected)?;
        let session = claims.session.as_ref().ok_or(Unfit::NoUser)?;
        if session.delegation.is_some() {
            return Err(Unfit::Delegated);
        }
        let user_id = UserId::parse(&claims.sub).map_err(|_| Unfit::Foreign)?;
        let session_id = SessionId::parse(&session.sid).map_err(|_| Unfit::Foreign)?;
        Ok(Self { user_id, session_id, ver: session.ver, claims })
    }
}

impl<T: Table> App<T> {
    /// User and session of a token that is good at `now`: as the table has them, not as the token was minted.
    ///
    /// The user is read before the session: the other way round, a session that was lifted above a new floor meanwhile would
    /// seem to be below it.
    pub(crate) async fn standing(&self, subject: &Subject, now: UnixTime) -> Result<(User, Session), Refusal> {
        let claims = &subject.claims;
        let (user, is_revoked, client_revoked) = tokio::try_join!(
            self.table.user(subject.user_id),
            self.table.is_token_revoked(&claims.jti),
            self.table.client_revoked(&claims.client_id)
        )?;
        if is_revoked || client_revoked.is_some_and(|bound| journal::is_of_revoked_client(claims, bound)) {
            return Err(Unfit::Revoked.into());
        }
        let user = user.ok_or(Unfit::UnknownUser)?;
        let session = self.table.session(subject.user_id, subject.session_id).await?;
        let session = session.filter(|session| session.is_alive(now)).ok_or(Unfit::Over)?;
        user.admits(session.ver).map_err(Unfit::Denied)?;
        if subject.ver < user.ver {
            return Err(Unfit::Outdated.into());
        }
        Ok((user, session))
    }
}
