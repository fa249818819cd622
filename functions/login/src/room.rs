//! The limit of sessions per user: a new one displaces those that were idle for longest.

use auth_core::policy::SESSIONS_PER_USER_BOUNDS;
use auth_core::rotation::Write;
use auth_core::session::{End, EndCause, Session};
use auth_dynamodb::error::StoreError;

use crate::App;

/// How many sessions one login ends at most. More are too many only after the limit was lowered, and the next logins go on.
const MOST_AT_ONCE: usize = 10;

/// How many sessions one login looks at, at most: more than any limit.
const MOST_LOOKED_AT: usize = 2 * SESSIONS_PER_USER_BOUNDS.1 as usize;

impl App {
    /// Ends sessions until the user has no more than may be, `newest` among them. Logins at the same moment do not see
    /// each other's, so each of them may leave one too many, until the next.
    pub(crate) async fn make_room(&self, newest: &Session) {
        if let Some(limit) = self.config.sessions_per_user
            && let Err(error) = self.displace(newest, limit.get().into()).await
        {
            tracing::warn!(%error, "room was not made for a session");
        }
    }

    async fn displace(&self, newest: &Session, limit: usize) -> Result<(), StoreError> {
        let now = newest.created_at;
        let living = self.store.living_sessions(newest.user_id, now, MOST_LOOKED_AT).await?;
        let mut others: Vec<Session> = living.sessions.into_iter().filter(|session| session.id != newest.id).collect();
        others.sort_by_key(|session| session.newest.made_at);
        let too_many = (others.len() + 1).saturating_sub(limit).min(MOST_AT_ONCE);
        for session in others.iter().take(too_many) {
            let end = Write::End(End { cause: EndCause::Displaced, at: now });
            self.store.write_session(session.user_id, session.id, &end).await?;
            tracing::info!(event = "session_displaced", sub = %session.user_id, sid = %session.id);
        }
        Ok(())
    }
}
