//! What a user is told of a session.

use std::collections::BTreeSet;

use auth_core::id::SessionId;
use auth_core::session::Session;
use auth_core::time::UnixTime;
use auth_core::user::User;
use auth_dynamodb::session::Living;
use serde::Serialize;

/// The longest list. Nobody signs in that often; what a password in wrong hands could make is bounded.
const MAX_LISTED: usize = 1000;

const HOUR: u64 = 3600;

/// `GET /sessions`: those that can be refreshed, the last used first.
#[derive(Serialize)]
pub(crate) struct Sessions {
    sessions: Vec<Described>,
    /// Whether there are more than are listed.
    more: bool,
}

/// Instants are in seconds since the epoch. No expiry is told, and the last use to the hour only: a thief with a copied
/// token reads this list, too, and must not learn when the owner refreshed.
#[derive(Serialize)]
struct Described {
    sid: String,
    client_id: String,
    device: Option<String>,
    /// The same for two sessions that were begun in one network, and no address.
    network: Option<String>,
    scope: String,
    /// The session under which a client has this one, to act for the user; none of what a login began.
    parent_sid: Option<String>,
    created_at: u64,
    last_used_at: u64,
    /// Whether the caller's access token is of this session.
    current: bool,
}

impl Sessions {
    /// Of those that live, a change of password has ended some without touching them, and a disabled user has none. The end of
    /// a session has ended those under it, likewise.
    pub(crate) fn new(living: &Living, user: Option<&User>, current: &str) -> Self {
        let admits = |session: &&Session| user.is_some_and(|user| user.admits(session.ver).is_ok());
        let admitted: Vec<&Session> = living.sessions.iter().filter(admits).collect();
        let own: BTreeSet<SessionId> = admitted.iter().filter(|it| it.parent.is_none()).map(|it| it.id).collect();
        let living_on = admitted.into_iter().filter(|session| session.parent.is_none_or(|it| own.contains(&it)));
        let mut sessions: Vec<Described> = living_on.map(|session| Described::new(session, current)).collect();
        sessions.sort_by(|one, other| other.order().cmp(&one.order()));
        let more = living.more || sessions.len() > MAX_LISTED;
        sessions.truncate(MAX_LISTED);
        Self { sessions, more }
    }
}

impl Described {
    fn new(session: &Session, current: &str) -> Self {
        let sid = session.id.to_string();
        Self {
            current: sid == current,
            sid,
            client_id: session.client_id.clone(),
            device: session.device.clone(),
            network: session.network.map(|network| network.to_string()),
            scope: session.scope.to_string(),
            parent_sid: session.parent.map(|parent| parent.to_string()),
            created_at: session.created_at.seconds(),
            last_used_at: hour(session.newest.made_at).max(session.created_at.seconds()),
        }
    }

    fn order(&self) -> (u64, u64, &str) {
        (self.last_used_at, self.created_at, &self.sid)
    }
}

fn hour(at: UnixTime) -> u64 {
    at.seconds() - at.seconds() % HOUR
}
