//! The limit of sessions per user: a new one displaces those that were idle for longest.

use std::time::Duration;

use auth_core::id::SessionId;
use auth_core::policy::REQUEST_LIFE;
use auth_core::session::{End, EndCause, Session};
use auth_core::time::UnixTime;
use auth_dynamodb::error::StoreError;
use auth_dynamodb::store::CALL_TIMEOUT;

use crate::App;

/// How many sessions one login ends at most. More are too many only after the limit was lowered, and the next logins go on.
const MOST_AT_ONCE: usize = 10;

/// How long a login that is done waits for it: as for one call, however many it takes.
const LONGEST: Duration = CALL_TIMEOUT;

/// A login that has taken longer leaves it to the next one.
const LATEST: Duration = REQUEST_LIFE.saturating_sub(LONGEST);

impl App {
    /// Ends sessions until the user has no more than may be, `newest` among them.
    ///
    /// All are in one order, by last use and then by id, and a login ends only what comes before its own: of logins at the
    /// same moment none ends the last one's. Where they do not see each other's yet, each leaves one too many, until the next.
    pub(crate) async fn make_room(&self, newest: &Session) {
        let Some(limit) = self.config.sessions_per_user else { return };
        if self.clock.now().since(newest.created_at) > LATEST {
            return tracing::warn!(event = "room_not_made", error = "the request is old");
        }
        match tokio::time::timeout(LONGEST, self.displace(newest, limit.get().into())).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(event = "room_not_made", %error),
            Err(late) => tracing::warn!(event = "room_not_made", error = %late),
        }
    }

    async fn displace(&self, newest: &Session, limit: usize) -> Result<(), StoreError> {
        let now = newest.created_at;
        let mut living = self.store.living_sessions(newest.user_id, now).await?.sessions;
        // What clients have under others is no sign-in, and goes with the session above it.
        living.retain(|session| session.parent.is_none());
        living.sort_by_key(order);
        let too_many = living.len().saturating_sub(limit).min(MOST_AT_ONCE);
        for session in living.iter().take(too_many).take_while(|session| order(session) < order(newest)) {
            let end = End { cause: EndCause::Displaced, at: now };
            self.store.end_session(session.user_id, session.id, &end, self.clock.now()).await?;
            tracing::info!(event = "session_displaced", sub = %session.user_id, sid = %session.id);
        }
        Ok(())
    }
}

fn order(session: &Session) -> (UnixTime, SessionId) {
    (session.newest.made_at, session.id)
}
