//! Who signs out, and whether they may speak for more than the session of their token.

use auth_core::claims::AccessClaims;
use auth_core::id::{SessionId, UserId};
use auth_core::jwt::Rejection;
use auth_core::refresh_token::Presented;
use auth_core::rotation::{self, Refusal};
use auth_core::session::Session;
use auth_core::time::UnixTime;
use auth_core::user::{Denial, User};
use auth_dynamodb::error::StoreError;
use auth_dynamodb::store::Store;
use auth_http::bearer::NotBearer;

/// A token of a session that is genuine, whatever has become of the session.
pub(crate) struct Holder {
    pub(crate) user_id: UserId,
    pub(crate) session_id: SessionId,
    proof: Proof,
}

enum Proof {
    RefreshToken(Presented),
    AccessToken(AccessClaims),
}

/// Why an access token says nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAccess {
    #[error(transparent)]
    NotBearer(#[from] NotBearer),
    #[error(transparent)]
    Rejected(#[from] Rejection),
    #[error("not of a session of ours")]
    Foreign,
    /// A client's own: nobody is signed in with it.
    #[error("of no user")]
    NoUser,
    /// Of a client that acts for the user: it speaks for its own session alone.
    #[error("of a client that acts for the user")]
    Delegated,
    #[error("of a {0}")]
    Stale(Unfit),
}

/// Why a genuine token speaks for no other session than its own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("user that is gone")]
    UnknownUser,
    #[error("session that is over")]
    Over,
    #[error("session that went on without it")]
    Replayed,
    #[error("user who changed since")]
    Stale,
    #[error("token that was revoked")]
    Revoked,
    #[error("user who may not: {0}")]
    Denied(#[from] Denial),
}

impl From<Refusal> for Unfit {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown | Refusal::Ended(_) | Refusal::Expired => Self::Over,
            Refusal::Replayed { .. } => Self::Replayed,
        }
    }
}

impl NoAccess {
    /// What the log calls it.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::NotBearer(_) => "malformed",
            Self::Rejected(rejection) => rejection.reason(),
            Self::Foreign => "foreign",
            Self::NoUser => "no_user",
            Self::Delegated => "delegated",
            Self::Stale(unfit) => unfit.reason(),
        }
    }
}

impl Unfit {
    /// What the log calls it.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::UnknownUser => "user_unknown",
            Self::Over => "session_over",
            Self::Replayed => "replayed",
            Self::Stale => "user_changed",
            Self::Revoked => "token_revoked",
            Self::Denied(denial) => denial.reason(),
        }
    }
}

impl Holder {
    pub(crate) fn of_refresh_token(presented: Presented) -> Self {
        let (user_id, session_id) = (presented.user_id(), presented.session_id());
        Self { user_id, session_id, proof: Proof::RefreshToken(presented) }
    }

    pub(crate) fn of_access_token(claims: AccessClaims) -> Result<Self, NoAccess> {
        let sid = claims.sid().ok_or(NoAccess::NoUser)?;
        let user_id = UserId::parse(&claims.sub).map_err(|_| NoAccess::Foreign)?;
        let session_id = SessionId::parse(sid).map_err(|_| NoAccess::Foreign)?;
        Ok(Self { user_id, session_id, proof: Proof::AccessToken(claims) })
    }

    /// Whether it is a client that acts for the user.
    pub(crate) fn is_delegated(&self) -> bool {
        matches!(&self.proof, Proof::AccessToken(claims) if claims.delegation().is_some())
    }

    pub(crate) const fn has_access_token(&self) -> bool {
        matches!(self.proof, Proof::AccessToken(_))
    }

    /// The user, if the token is still one that its session goes on with, or one that an authorizer lets in.
    ///
    /// The user is read before the session: the other way round, a session that was lifted above a new floor meanwhile would
    /// seem to be below it.
    pub(crate) async fn user(&self, store: &Store, now: UnixTime) -> Result<Result<User, Unfit>, StoreError> {
        let Some(user) = store.user(self.user_id).await? else { return Ok(Err(Unfit::UnknownUser)) };
        let Some(session) = store.session(self.user_id, self.session_id).await? else { return Ok(Err(Unfit::Over)) };
        if let Proof::AccessToken(claims) = &self.proof
            && store.is_token_revoked(&claims.jti).await?
        {
            return Ok(Err(Unfit::Revoked));
        }
        Ok(self.judge(&user, &session, now).map(|()| user))
    }

    fn judge(&self, user: &User, session: &Session, now: UnixTime) -> Result<(), Unfit> {
        match &self.proof {
            Proof::RefreshToken(presented) => rotation::check(session, presented, now)?,
            Proof::AccessToken(_) if !session.is_alive(now) => return Err(Unfit::Over),
            Proof::AccessToken(claims) if claims.session.as_ref().is_none_or(|session| session.ver < user.ver) => {
                return Err(Unfit::Stale);
            }
            Proof::AccessToken(_) => {}
        }
        Ok(user.admits(session.ver)?)
    }
}
