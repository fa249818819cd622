//! A session and the judgement of a refresh token that is presented to it (RFC 9700 §4.14).

use std::time::Duration;

use crate::id::{SessionId, UserId};
use crate::network::Network;
use crate::policy::{FUTURE_TOLERANCE, SETTLED, SessionPolicy};
use crate::refresh_token::{Nonce, Presented};
use crate::scope::Scope;
use crate::time::UnixTime;

/// The earlier children that stay usable beside the newest.
pub const EARLIER_CHILDREN: usize = 3;

/// A refresh token that the session has handed out and that was not used yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// Greater than that of every token before it.
    pub generation: u32,
    /// What the store keeps of the token.
    pub nonce: Nonce,
    /// When it was made.
    pub made_at: UnixTime,
}

impl Child {
    /// The time since the child was made. An instant a little ahead is another instance's clock and counts as now; one
    /// far ahead was never right and counts as long ago.
    pub fn age(&self, now: UnixTime) -> Duration {
        if self.made_at.since(now) > FUTURE_TOLERANCE { Duration::MAX } else { now.since(self.made_at) }
    }
}

/// What a login starts and what refreshing continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose session it is.
    pub user_id: UserId,
    /// The claim `sid`.
    pub id: SessionId,
    /// The claim `client_id` of its access tokens.
    pub client_id: String,
    /// What the login was granted; never widens.
    pub scope: Scope,
    /// What the client calls the device it runs on.
    pub device: Option<String>,
    /// The network that the login came from, if the gateway named one.
    pub network: Option<Network>,
    /// The `ver` of the password hash that the login was checked against.
    pub ver: u64,
    /// When the login happened.
    pub created_at: UnixTime,
    /// The nonce of the token that was used last; `None` until one is used.
    pub previous: Option<Nonce>,
    /// The child made last.
    pub newest: Child,
    /// Unused siblings of `newest`, oldest first, at most [`EARLIER_CHILDREN`].
    pub earlier: Vec<Child>,
    /// When the session ends if no token is used before.
    pub idle_expires_at: UnixTime,
    /// When the session ends in any case; set by the login and never moved.
    pub expires_at: UnixTime,
    /// What ended the session, if anything did.
    pub ended: Option<End>,
    /// The session under which a client has this one (RFC 8693), whose end is its end, too; `None` for what a login started.
    pub parent: Option<SessionId>,
}

/// What ended a session, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The cause.
    pub cause: EndCause,
    /// The instant.
    pub at: UnixTime,
}

/// What can end a session before it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndCause {
    /// Its owner signed out.
    Logout,
    /// A token came back after its successor had been used: somebody else holds a copy.
    Replay,
    /// It was revoked, by its owner elsewhere or by an operator.
    Revoked,
    /// It made room for a newer one: its user may have so many and no more.
    Displaced,
}

impl EndCause {
    /// What the log calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Replay => "replay",
            Self::Revoked => "revoked",
            Self::Displaced => "displaced",
        }
    }
}

/// What a genuine refresh token leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// A child too young to be used up: the same token again, nothing written.
    Rest(Child),
    /// A child: it becomes `previous`, its siblings die.
    Rotate,
    /// The token used last, again at once: its newest child, nothing written.
    Repeat(Child),
    /// The token used last, later: one more child, the others stay.
    Fork,
    /// A token from the future of a restored table: it becomes `previous`.
    Adopt,
    /// An older token: the session must end.
    Replayed {
        /// How many generations it is behind the newest.
        behind: u32,
    },
    /// The session was ended before.
    Ended(EndCause),
    /// The session's time is over.
    Expired,
    /// A client's session under another one: no refresh token was ever made for it.
    Delegated,
}

impl Session {
    /// A session as a login starts it: one token, unused. Whose client's it is, and what it was granted, the caller fills in.
    pub fn begin(user_id: UserId, id: SessionId, nonce: Nonce, policy: &SessionPolicy, now: UnixTime) -> Self {
        Self {
            user_id,
            id,
            client_id: String::new(),
            scope: Scope::default(),
            device: None,
            network: None,
            ver: 0,
            created_at: now,
            previous: None,
            newest: Child { generation: 0, nonce, made_at: now },
            earlier: Vec::new(),
            idle_expires_at: now + policy.idle(),
            expires_at: now + policy.absolute(),
            ended: None,
            parent: None,
        }
    }

    /// Judges a token that opened under a server key of ours.
    pub fn judge(&self, presented: &Presented, policy: &SessionPolicy, now: UnixTime) -> Judgement {
        if self.parent.is_some() {
            return Judgement::Delegated;
        }
        if let Some(end) = &self.ended {
            return Judgement::Ended(end.cause);
        }
        if !self.is_alive(now) {
            return Judgement::Expired;
        }
        if let Some(child) = self.children().find(|child| child.nonce == *presented.nonce()) {
            return if child.age(now) < policy.rest() { Judgement::Rest(child.clone()) } else { Judgement::Rotate };
        }
        if self.previous.as_ref() == Some(presented.nonce()) {
            let young = self.newest.age(now) < policy.window();
            return if young { Judgement::Repeat(self.newest.clone()) } else { Judgement::Fork };
        }
        match self.newest.generation.checked_sub(presented.generation()) {
            None => Judgement::Adopt,
            Some(behind) => Judgement::Replayed { behind },
        }
    }

    /// Whether the session goes on at `now`: nothing has ended it, and neither expiry has come.
    pub fn is_alive(&self, now: UnixTime) -> bool {
        self.ended.is_none() && now < self.idle_expires_at && now < self.expires_at
    }

    /// Whether one more child drops none that may still be on its way to the client.
    pub fn has_room(&self, now: UnixTime) -> bool {
        let dropped = self.children().nth(EARLIER_CHILDREN);
        dropped.is_none_or(|oldest| oldest.age(now) >= SETTLED)
    }

    /// The unused children, newest first.
    pub fn children(&self) -> impl Iterator<Item = &Child> {
        std::iter::once(&self.newest).chain(self.earlier.iter().rev())
    }
}

#[cfg(test)]
#[expect(clippy::unchecked_time_subtraction, reason = "between constants")]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
    const SECOND: Duration = Duration::from_secs(1);
    const MILLI: Duration = Duration::from_millis(1);

    fn nonce(byte: u8) -> Nonce {
        Nonce::from_bytes([byte; 16])
    }

    fn child(generation: u8, made_at: UnixTime) -> Child {
        Child { generation: generation.into(), nonce: nonce(generation), made_at }
    }

    /// Token 4 was used; 5 and 6 are its children; the session lives for another hour.
    fn session(newest_made_at: UnixTime) -> Session {
        let (user_id, id) = (UserId::from_bytes([1; 16]), SessionId::from_bytes([2; 16]));
        Session {
            previous: Some(nonce(4)),
            newest: child(6, newest_made_at),
            earlier: vec![child(5, NOW.before(Duration::from_hours(1)))],
            idle_expires_at: NOW + Duration::from_hours(1),
            expires_at: NOW + Duration::from_hours(2),
            ..Session::begin(user_id, id, nonce(0), &SessionPolicy::default(), NOW.before(Duration::from_hours(10)))
        }
    }

    fn judge(session: &Session, generation: u8, now: UnixTime) -> Judgement {
        let presented = Presented::for_test(session.user_id, session.id, generation.into(), nonce(generation));
        session.judge(&presented, &SessionPolicy::default(), now)
    }

    #[test]
    fn each_of_the_three_ends_ends_a_session() {
        let (hour, alive) = (Duration::from_hours(1), session(NOW));
        let end = Some(End { cause: EndCause::Logout, at: NOW });
        let cases = [
            ("the last instant of its idle time", alive.clone(), hour - MILLI, true),
            ("idle expiry", alive.clone(), hour, false),
            ("absolute expiry", Session { idle_expires_at: NOW + 3 * hour, ..alive.clone() }, 2 * hour, false),
            (
                "the instant before",
                Session { idle_expires_at: NOW + 3 * hour, ..alive.clone() },
                2 * hour - MILLI,
                true,
            ),
            ("ended", Session { ended: end, ..alive }, Duration::ZERO, false),
        ];
        for (name, session, after, expected) in cases {
            assert_eq!(session.is_alive(NOW + after), expected, "{name}");
        }
    }

    #[test]
    fn the_table_of_decisions() {
        let made = NOW;
        let newest = child(6, made);
        let cases = [
            ("the newest, at once", 6, Duration::ZERO, Judgement::Rest(newest.clone())),
            ("the newest, last instant of its rest", 6, 90 * SECOND - MILLI, Judgement::Rest(newest.clone())),
            ("the newest, rested", 6, 90 * SECOND, Judgement::Rotate),
            ("an earlier child, older than its own rest", 5, SECOND, Judgement::Rotate),
            ("previous, last instant of the window", 4, 10 * SECOND - MILLI, Judgement::Repeat(newest.clone())),
            ("previous, window over", 4, 10 * SECOND, Judgement::Fork),
            ("previous, much later", 4, 3599 * SECOND, Judgement::Fork),
            ("one before previous", 3, SECOND, Judgement::Replayed { behind: 3 }),
            ("the first of all", 0, SECOND, Judgement::Replayed { behind: 6 }),
            ("from the future of a restored table", 7, SECOND, Judgement::Adopt),
            ("the last instant of its idle time", 6, 3600 * SECOND - MILLI, Judgement::Rotate),
            ("idle expiry", 6, 3600 * SECOND, Judgement::Expired),
            ("idle expiry, old token: no alarm", 3, 3600 * SECOND, Judgement::Expired),
        ];
        for (name, generation, after, expected) in cases {
            assert_eq!(judge(&session(made), generation, made + after), expected, "{name}");
        }
    }

    #[test]
    fn rest_counts_from_each_childs_own_birth() {
        let session = Session { earlier: vec![child(5, NOW.before(80 * SECOND))], ..session(NOW) };
        assert_eq!(judge(&session, 5, NOW + 9 * SECOND), Judgement::Rest(session.earlier[0].clone()));
        assert_eq!(judge(&session, 5, NOW + 10 * SECOND), Judgement::Rotate);
    }

    #[test]
    fn the_nonce_decides_not_the_generation() {
        let session = session(NOW.before(Duration::from_mins(5)));
        let forgery = Presented::for_test(session.user_id, session.id, 6, nonce(99));
        assert_eq!(session.judge(&forgery, &SessionPolicy::default(), NOW), Judgement::Replayed { behind: 0 });
    }

    #[test]
    fn absolute_expiry_ends_what_idle_would_allow() {
        let session = Session { expires_at: NOW, ..session(NOW.before(SECOND)) };
        assert_eq!(judge(&session, 6, NOW.before(MILLI)), Judgement::Rest(session.newest.clone()));
        assert_eq!(judge(&session, 6, NOW), Judgement::Expired);
    }

    #[test]
    fn an_ended_session_raises_no_alarm() {
        let ended = Some(End { cause: EndCause::Logout, at: NOW });
        let session = Session { ended, ..session(NOW) };
        for generation in [3, 4, 5, 6, 7] {
            assert_eq!(judge(&session, generation, NOW), Judgement::Ended(EndCause::Logout), "{generation}");
        }
    }

    #[test]
    fn a_delegated_session_is_never_refreshed() {
        let session = Session { parent: Some(SessionId::from_bytes([3; 16])), ..session(NOW.before(90 * SECOND)) };
        for generation in [3, 4, 5, 6, 7] {
            assert_eq!(judge(&session, generation, NOW), Judgement::Delegated, "{generation}");
        }
    }

    #[test]
    fn a_birth_in_the_future_is_now_or_long_ago() {
        let ahead = |seconds| session(NOW + seconds * SECOND);
        assert_eq!(judge(&ahead(60), 6, NOW), Judgement::Rest(ahead(60).newest));
        assert_eq!(judge(&ahead(60), 4, NOW), Judgement::Repeat(ahead(60).newest));
        assert_eq!(judge(&ahead(61), 6, NOW), Judgement::Rotate);
        assert_eq!(judge(&ahead(61), 4, NOW), Judgement::Fork);
    }
}
