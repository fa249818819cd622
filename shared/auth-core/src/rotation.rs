//! The rotation of a refresh token, as a dialogue with the store.
//!
//! The store knows three conditional writes and what to answer when one is refused; all that is decided is decided
//! here. Nothing waits: whoever drives a [`Rotation`] carries each [`Write`] to the store and brings the answer back.
//!
//! ```text
//! first write: presented = newest, rested, alive
//!   written ───────────────────────────────────────────▶ granted
//!   refused, no item ──────────────────────────────────▶ unknown
//!   refused, item ─▶ judge ─▶ rest, repeat ────────────▶ granted, nothing written
//!                          ─▶ rotate, fork, adopt ─▶ write on the very item that was judged
//!                          │                           written ─▶ granted
//!                          │                           refused ─▶ judge again, once
//!                          ─▶ replayed ─▶ end ─────────▶ replayed
//!                          ─▶ ended, expired ──────────▶ refused
//! ```

use crate::policy::SessionPolicy;
use crate::refresh_token::{Nonce, Presented};
use crate::session::{Child, EARLIER_CHILDREN, End, EndCause, Judgement, Session};
use crate::time::UnixTime;

/// A conditional write to one session item. It touches the attributes that it names, never makes an item, and is refused
/// whole when its condition does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Use a token up: it becomes `previous`, `child` is the only child.
    Rotate {
        /// The condition.
        guard: Guard,
        /// The nonce of the token that was used.
        previous: Nonce,
        /// The new child.
        child: Child,
        /// The new idle expiry.
        idle_expires_at: UnixTime,
    },
    /// Add a child; `previous` stays.
    Fork {
        /// The condition.
        guard: Guard,
        /// The unused children that stay, oldest first.
        earlier: Vec<Child>,
        /// The new child.
        child: Child,
        /// The new idle expiry.
        idle_expires_at: UnixTime,
    },
    /// End the session. Its only condition: not already ended.
    End(End),
}

/// What must hold of a session for a write that goes on with it. Besides: it has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The nonce of its newest child.
    pub newest: Nonce,
    /// That child was made at or before this instant, if one is named.
    pub made_by: Option<UnixTime>,
    /// Neither expiry has come at this instant.
    pub alive_at: UnixTime,
}

/// What became of a [`Write`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// Done; the session as it is now.
    Done(Session),
    /// Done: the session has ended.
    Ended,
    /// Not done; the session as it was found, if there is one.
    Refused(Option<Session>),
}

/// What the driver does next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Carry this to the store, and its answer to [`Rotation::resume`].
    Write(Write),
    /// The rotation is over.
    Over(Outcome),
}

/// How a rotation ends.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one per request, and nearly always the large one")]
pub enum Outcome {
    /// The presented token is good: answer with `child`.
    Granted {
        /// Which row of the table it was.
        decision: Decision,
        /// The session as last seen.
        session: Session,
        /// The refresh token to hand out.
        child: Child,
    },
    /// The presented token is not good any more.
    Refused(Refusal),
    /// Others kept changing the session, or one more child would drop one that may still be on its way: nothing is decided,
    /// the same request may be sent again.
    Busy,
}

/// Which way a token was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Too young to be used up.
    Rest,
    /// Used up, one child.
    Rotate,
    /// Sent twice at the same moment.
    Repeat,
    /// Sent again, later.
    Fork,
    /// Ahead of a restored table: worth an event.
    Adopt,
}

impl Decision {
    /// What log and metrics call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Rotate => "rotate",
            Self::Repeat => "repeat",
            Self::Fork => "fork",
            Self::Adopt => "adopt",
        }
    }
}

/// Why a token was refused. The caller is told none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such session.
    Unknown,
    /// The session was ended before.
    Ended(EndCause),
    /// The session's time is over.
    Expired,
    /// The token was used before its successor was: the session has ended by this. Worth an alarm.
    Replayed {
        /// How many generations it is behind the newest.
        behind: u32,
    },
}

/// Whether a refresh with `presented` would be granted at `now`: asks, and changes nothing.
///
/// In which way it would be granted is all that the durations of a policy decide, so any policy will do.
///
/// # Errors
///
/// Why it would be refused.
pub fn check(session: &Session, presented: &Presented, now: UnixTime) -> Result<(), Refusal> {
    match session.judge(presented, &SessionPolicy::default(), now) {
        Judgement::Rest(_) | Judgement::Rotate | Judgement::Repeat(_) | Judgement::Fork | Judgement::Adopt => Ok(()),
        Judgement::Replayed { behind } => Err(Refusal::Replayed { behind }),
        Judgement::Ended(cause) => Err(Refusal::Ended(cause)),
        Judgement::Expired => Err(Refusal::Expired),
        Judgement::Delegated => Err(Refusal::Unknown),
    }
}

impl Refusal {
    /// What log and metrics call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ended(_) => "ended",
            Self::Expired => "expired",
            Self::Replayed { .. } => "replayed",
        }
    }
}

/// One presented token on its way to an [`Outcome`].
#[derive(Debug)]
pub struct Rotation<'a> {
    presented: &'a Presented,
    policy: &'a SessionPolicy,
    now: UnixTime,
    nonce: Nonce,
    pending: Pending,
    judged: u8,
}

/// What the write under way is for.
#[derive(Clone, Copy, Debug)]
enum Pending {
    Grant(Decision),
    End { behind: u32 },
}

/// How often a refused write is judged.
const JUDGEMENTS: u8 = 2;

impl<'a> Rotation<'a> {
    /// Begins with the write that nearly always decides: the presented token is the newest and rested.
    ///
    /// `nonce` is fresh; it becomes the nonce of the child that this rotation makes, if it makes one.
    pub fn begin(presented: &'a Presented, nonce: Nonce, policy: &'a SessionPolicy, now: UnixTime) -> (Self, Write) {
        let rotation = Self { presented, policy, now, nonce, pending: Pending::Grant(Decision::Rotate), judged: 0 };
        let guard =
            Guard { newest: presented.nonce().clone(), made_by: Some(now.before(policy.rest())), alive_at: now };
        let write = rotation.rotate(guard, presented.generation());
        (rotation, write)
    }

    /// Takes the store's answer to the last write.
    pub fn resume(&mut self, answer: Written) -> Step {
        match answer {
            Written::Refused(None) => refused(Refusal::Unknown),
            Written::Ended => match self.pending {
                Pending::End { behind } => refused(Refusal::Replayed { behind }),
                // No grant ends a session: a store that says so is not believed.
                Pending::Grant(_) => Step::Over(Outcome::Busy),
            },
            Written::Done(session) | Written::Refused(Some(session)) => {
                match (self.pending, self.own_child(&session)) {
                    (Pending::Grant(decision), Some(child)) => granted(decision, session, child),
                    (Pending::End { behind }, _) if session.ended.as_ref() == Some(&self.end()) => {
                        refused(Refusal::Replayed { behind })
                    }
                    _ => self.judge(session),
                }
            }
        }
    }

    /// The child that this rotation made. A refused write may find it too: the SDK's repetition of one whose answer was
    /// lost, with others' forks since.
    fn own_child(&self, session: &Session) -> Option<Child> {
        session.children().find(|child| session.ended.is_none() && child.nonce == self.nonce).cloned()
    }

    fn judge(&mut self, session: Session) -> Step {
        self.judged += 1;
        match session.judge(self.presented, self.policy, self.now) {
            Judgement::Rest(child) => granted(Decision::Rest, session, child),
            Judgement::Repeat(child) => granted(Decision::Repeat, session, child),
            Judgement::Ended(cause) => refused(Refusal::Ended(cause)),
            Judgement::Expired => refused(Refusal::Expired),
            // Its one condition cannot fail on a session that has not ended: a store that says so is not believed twice.
            Judgement::Replayed { .. } if self.judged > JUDGEMENTS + 1 => Step::Over(Outcome::Busy),
            Judgement::Replayed { behind } => {
                self.pending = Pending::End { behind };
                Step::Write(Write::End(self.end()))
            }
            Judgement::Rotate | Judgement::Fork | Judgement::Adopt if self.judged > JUDGEMENTS => {
                Step::Over(Outcome::Busy)
            }
            Judgement::Fork if !session.has_room(self.now) => Step::Over(Outcome::Busy),
            Judgement::Rotate => self.write(Decision::Rotate, &session),
            Judgement::Fork => self.write(Decision::Fork, &session),
            Judgement::Adopt => self.write(Decision::Adopt, &session),
            Judgement::Delegated => refused(Refusal::Unknown),
        }
    }

    /// A write on the item that was just judged: each change of it draws a new nonce for its newest child, so that nonce
    /// stands for the whole.
    fn write(&mut self, decision: Decision, session: &Session) -> Step {
        self.pending = Pending::Grant(decision);
        let guard = Guard { newest: session.newest.nonce.clone(), made_by: None, alive_at: self.now };
        // Generations only grow: in the item, and beyond one that the item has forgotten.
        let generation = session.newest.generation.max(self.presented.generation());
        Step::Write(match decision {
            Decision::Fork => Write::Fork {
                guard,
                earlier: staying(session),
                child: self.child(generation),
                idle_expires_at: self.idle_expires_at(),
            },
            _ => self.rotate(guard, generation),
        })
    }

    fn rotate(&self, guard: Guard, generation: u32) -> Write {
        Write::Rotate {
            guard,
            previous: self.presented.nonce().clone(),
            child: self.child(generation),
            idle_expires_at: self.idle_expires_at(),
        }
    }

    fn child(&self, generation: u32) -> Child {
        Child { generation: generation.saturating_add(1), nonce: self.nonce.clone(), made_at: self.now }
    }

    fn idle_expires_at(&self) -> UnixTime {
        self.now + self.policy.idle()
    }

    fn end(&self) -> End {
        End { cause: EndCause::Replay, at: self.now }
    }
}

/// The children that stay beside one more, oldest first. Beyond the bound the oldest goes.
fn staying(session: &Session) -> Vec<Child> {
    let mut staying: Vec<Child> = session.children().take(EARLIER_CHILDREN).cloned().collect();
    staying.reverse();
    staying
}

fn granted(decision: Decision, session: Session, child: Child) -> Step {
    Step::Over(Outcome::Granted { decision, session, child })
}

fn refused(refusal: Refusal) -> Step {
    Step::Over(Outcome::Refused(refusal))
}

#[cfg(test)]
#[expect(clippy::unchecked_time_subtraction, reason = "between constants")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::id::{SessionId, UserId};

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
    const SECOND: Duration = Duration::from_secs(1);
    const MILLI: Duration = Duration::from_millis(1);
    const REST: Duration = Duration::from_secs(90);
    const WINDOW: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_hours(24);
    const ABSOLUTE: Duration = Duration::from_hours(48);

    fn policy() -> SessionPolicy {
        SessionPolicy::new(REST, WINDOW, IDLE, ABSOLUTE, Duration::from_mins(10)).unwrap()
    }

    fn nonce(byte: u8) -> Nonce {
        Nonce::from_bytes([byte; 16])
    }

    fn child(generation: u32, byte: u8, made_at: UnixTime) -> Child {
        Child { generation, nonce: nonce(byte), made_at }
    }

    /// A login at `NOW`: generation 0 with the nonce 0 is its only token.
    fn login() -> Session {
        Session::begin(UserId::from_bytes([1; 16]), SessionId::from_bytes([2; 16]), nonce(0), &policy(), NOW)
    }

    fn token(child: &Child) -> Presented {
        Presented::for_test(
            UserId::from_bytes([1; 16]),
            SessionId::from_bytes([2; 16]),
            child.generation,
            child.nonce.clone(),
        )
    }

    #[test]
    fn asking_says_what_a_refresh_would_be_told() {
        // Token 1 was used; 2 is its child.
        let session = Session { previous: Some(nonce(1)), newest: child(2, 2, NOW), ..login() };
        let ended = Session { ended: Some(End { cause: EndCause::Logout, at: NOW }), ..session.clone() };
        let cases = [
            ("a child that rests", &session, child(2, 2, NOW), NOW, Ok(())),
            ("a child", &session, child(2, 2, NOW), NOW + REST, Ok(())),
            ("previous, at once", &session, child(1, 1, NOW), NOW, Ok(())),
            ("previous, later", &session, child(1, 1, NOW), NOW + REST, Ok(())),
            ("from the future of a restored table", &session, child(3, 3, NOW), NOW, Ok(())),
            ("one before previous", &session, child(0, 0, NOW), NOW, Err(Refusal::Replayed { behind: 2 })),
            ("of a session that has ended", &ended, child(2, 2, NOW), NOW, Err(Refusal::Ended(EndCause::Logout))),
            ("too late", &session, child(2, 2, NOW), NOW + ABSOLUTE, Err(Refusal::Expired)),
        ];
        for (name, session, presented, now, expected) in cases {
            assert_eq!(check(session, &token(&presented), now), expected, "{name}");
        }
    }

    /// Operators search for them, and metrics count by them.
    #[test]
    fn the_log_tells_outcomes_by_these_names() {
        let decisions = [Decision::Rest, Decision::Rotate, Decision::Repeat, Decision::Fork, Decision::Adopt];
        assert_eq!(decisions.map(Decision::name), ["rest", "rotate", "repeat", "fork", "adopt"]);
        let ended = Refusal::Ended(EndCause::Logout);
        let refusals = [Refusal::Unknown, ended, Refusal::Expired, Refusal::Replayed { behind: 1 }];
        assert_eq!(refusals.map(Refusal::name), ["unknown", "ended", "expired", "replayed"]);
        let causes = [EndCause::Logout, EndCause::Replay, EndCause::Revoked, EndCause::Displaced];
        assert_eq!(causes.map(EndCause::name), ["logout", "replay", "revoked", "displaced"]);
    }

    /// One item under conditional writes, as the store keeps it, and how often it was written.
    struct Store {
        item: Option<Session>,
        writes: usize,
    }

    impl Store {
        fn new(session: Session) -> Self {
            Self { item: Some(session), writes: 0 }
        }

        fn apply(&mut self, write: &Write) -> Written {
            let Some(session) = &mut self.item else { return Written::Refused(None) };
            let holds = |guard: &Guard| {
                session.ended.is_none()
                    && session.newest.nonce == guard.newest
                    && guard.made_by.is_none_or(|made_by| session.newest.made_at <= made_by)
                    && guard.alive_at < session.idle_expires_at
                    && guard.alive_at < session.expires_at
            };
            match write {
                Write::Rotate { guard, previous, child, idle_expires_at } if holds(guard) => {
                    session.previous = Some(previous.clone());
                    session.newest = child.clone();
                    session.earlier = Vec::new();
                    session.idle_expires_at = *idle_expires_at;
                }
                Write::Fork { guard, earlier, child, idle_expires_at } if holds(guard) => {
                    session.newest = child.clone();
                    session.earlier.clone_from(earlier);
                    session.idle_expires_at = *idle_expires_at;
                }
                Write::End(end) if session.ended.is_none() => {
                    session.ended = Some(end.clone());
                    self.writes += 1;
                    return Written::Ended;
                }
                _ => return Written::Refused(Some(session.clone())),
            }
            self.writes += 1;
            Written::Done(session.clone())
        }

        /// Presents `child`'s token at `now`; a new child gets `fresh` for its nonce.
        fn present(&mut self, child: &Child, fresh: u8, now: UnixTime) -> Outcome {
            self.present_amid(child, fresh, now, |_, _| {})
        }

        /// The same, with something that happens before each write, which is told its number.
        fn present_amid(
            &mut self,
            child: &Child,
            fresh: u8,
            now: UnixTime,
            mut before: impl FnMut(usize, &mut Self),
        ) -> Outcome {
            let (presented, policy) = (token(child), policy());
            let (mut rotation, mut write) = Rotation::begin(&presented, nonce(fresh), &policy, now);
            for number in 1.. {
                before(number, self);
                let answer = self.apply(&write);
                match rotation.resume(answer) {
                    Step::Write(next) => write = next,
                    Step::Over(outcome) => return outcome,
                }
            }
            unreachable!()
        }

        fn session(&self) -> &Session {
            self.item.as_ref().unwrap()
        }
    }

    fn granted(outcome: Outcome) -> (Decision, Child) {
        match outcome {
            Outcome::Granted { decision, child, .. } => (decision, child),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_usual_path_is_one_write() {
        let mut store = Store::new(login());
        let mut newest = login().newest;
        for turn in 1..=5_u8 {
            let now = NOW + u32::from(turn) * REST;
            let outcome = store.present(&newest, turn, now);
            let next = child(turn.into(), turn, now);
            let Outcome::Granted { decision, session, child } = outcome else { panic!("{outcome:?}") };
            assert_eq!((decision, &child), (Decision::Rotate, &next), "turn {turn}");
            assert_eq!((&session, store.writes), (store.session(), usize::from(turn)), "turn {turn}");
            assert_eq!(session.previous.as_ref(), Some(&newest.nonce), "turn {turn}");
            assert!(session.earlier.is_empty() && session.newest == next, "turn {turn}");
            assert_eq!((session.idle_expires_at, session.expires_at), (now + IDLE, NOW + ABSOLUTE), "turn {turn}");
            newest = child;
        }
    }

    #[test]
    fn each_judgement_has_its_outcome() {
        // Token 4 was used; 5 and 6 are its children, 6 made at NOW.
        let session = || Session {
            previous: Some(nonce(4)),
            newest: child(6, 6, NOW),
            earlier: vec![child(5, 5, NOW.before(REST))],
            ..login()
        };
        let ended = |cause| Session { ended: Some(End { cause, at: NOW }), ..session() };
        let fresh = |generation, now| child(generation, 99, now);
        let made = |decision, child| Ok((decision, child));
        let cases = [
            ("rest", session(), child(6, 6, NOW), REST - MILLI, made(Decision::Rest, child(6, 6, NOW)), 0),
            ("rotate", session(), child(6, 6, NOW), REST, made(Decision::Rotate, fresh(7, NOW + REST)), 1),
            (
                "rotate an earlier child",
                session(),
                child(5, 5, NOW),
                SECOND,
                made(Decision::Rotate, fresh(7, NOW + SECOND)),
                1,
            ),
            ("repeat", session(), child(4, 4, NOW), WINDOW - MILLI, made(Decision::Repeat, child(6, 6, NOW)), 0),
            ("fork", session(), child(4, 4, NOW), WINDOW, made(Decision::Fork, fresh(7, NOW + WINDOW)), 1),
            ("adopt", session(), child(9, 9, NOW), SECOND, made(Decision::Adopt, fresh(10, NOW + SECOND)), 1),
            ("replayed", session(), child(3, 3, NOW), SECOND, Err(Refusal::Replayed { behind: 3 }), 1),
            ("replayed, a wrong nonce", session(), child(6, 66, NOW), SECOND, Err(Refusal::Replayed { behind: 0 }), 1),
            ("logged out", ended(EndCause::Logout), child(6, 6, NOW), REST, Err(Refusal::Ended(EndCause::Logout)), 0),
            ("revoked", ended(EndCause::Revoked), child(4, 4, NOW), REST, Err(Refusal::Ended(EndCause::Revoked)), 0),
            (
                "ended, an old token",
                ended(EndCause::Logout),
                child(3, 3, NOW),
                REST,
                Err(Refusal::Ended(EndCause::Logout)),
                0,
            ),
            ("idle too long", session(), child(6, 6, NOW), IDLE, Err(Refusal::Expired), 0),
            ("idle too long, an old token", session(), child(3, 3, NOW), IDLE, Err(Refusal::Expired), 0),
            (
                "the last moment before",
                session(),
                child(6, 6, NOW),
                IDLE - MILLI,
                made(Decision::Rotate, fresh(7, NOW + (IDLE - MILLI))),
                1,
            ),
        ];
        for (name, session, presented, after, expected, writes) in cases {
            let mut store = Store::new(session);
            let actual = match store.present(&presented, 99, NOW + after) {
                Outcome::Granted { decision, child, session } => {
                    assert_eq!(session, *store.session(), "{name}");
                    Ok((decision, child))
                }
                Outcome::Refused(refusal) => Err(refusal),
                Outcome::Busy => panic!("{name}"),
            };
            assert_eq!((actual, store.writes), (expected, writes), "{name}");
        }
    }

    #[test]
    fn a_session_that_is_not_there_is_not_made() {
        let mut store = Store { item: None, writes: 0 };
        assert_eq!(store.present(&login().newest, 1, NOW + REST), Outcome::Refused(Refusal::Unknown));
        assert_eq!((store.item, store.writes), (None, 0));
        // Housekeeping may take it away between two writes.
        let mut store = Store::new(Session { previous: Some(nonce(7)), ..login() });
        let outcome = store.present_amid(&child(0, 7, NOW), 1, NOW + REST, |number, store| {
            if number == 2 {
                store.item = None;
            }
        });
        assert_eq!(outcome, Outcome::Refused(Refusal::Unknown));
    }

    #[test]
    fn a_rotation_makes_the_siblings_old_and_a_fork_does_not() {
        let mut store = Store::new(login());
        let first = login().newest;
        let (_, b) = granted(store.present(&first, 1, NOW + REST));
        let (decision, c) = granted(store.present(&first, 2, NOW + REST + WINDOW));
        assert_eq!((decision, c.generation), (Decision::Fork, 2));
        assert_eq!(store.session().previous, Some(first.nonce.clone()), "previous stays");
        assert_eq!((&store.session().newest, &store.session().earlier[..]), (&c, &[b.clone()][..]));
        // The child that was not delivered may still be used; then the other one is old.
        let (decision, d) = granted(store.present(&b, 3, NOW + 3 * REST));
        assert_eq!((decision, d.generation), (Decision::Rotate, 3));
        assert_eq!((&store.session().previous, &store.session().earlier[..]), (&Some(b.nonce), &[][..]));
        let outcome = store.present(&c, 4, NOW + 3 * REST + SECOND);
        assert_eq!(outcome, Outcome::Refused(Refusal::Replayed { behind: 1 }));
    }

    #[test]
    fn the_fourth_fork_drops_the_oldest_child() {
        let mut store = Store::new(login());
        let first = login().newest;
        let mut children = vec![granted(store.present(&first, 1, NOW + REST)).1];
        for fork in 2..=6_u8 {
            let now = NOW + REST + u32::from(fork) * WINDOW;
            let (decision, child) = granted(store.present(&first, fork, now));
            assert_eq!((decision, child.generation), (Decision::Fork, fork.into()), "fork {fork}");
            let staying = &children[children.len().saturating_sub(EARLIER_CHILDREN)..];
            assert_eq!(store.session().earlier, staying, "fork {fork}: oldest first");
            assert_eq!(store.session().newest, child, "fork {fork}");
            assert_eq!(store.session().idle_expires_at, now + IDLE, "fork {fork}");
            children.push(child);
        }
        // Six children were made; the first two are forgotten, which looks like a replay, and the others are good.
        let now = NOW + 3 * REST;
        let outcomes: Vec<bool> = children
            .iter()
            .map(|child| {
                let outcome = Store::new(store.session().clone()).present(child, 99, now);
                matches!(outcome, Outcome::Granted { decision: Decision::Rotate, .. })
            })
            .collect();
        assert_eq!(outcomes, [false, false, true, true, true, true]);
    }

    #[test]
    fn no_fork_drops_a_child_that_may_be_on_its_way() {
        let now = NOW + 2 * REST;
        let full = |oldest: Duration| Session {
            previous: Some(nonce(7)),
            newest: child(11, 11, now.before(WINDOW)),
            earlier: vec![
                child(8, 8, now.before(oldest)),
                child(9, 9, now.before(WINDOW)),
                child(10, 10, now.before(WINDOW)),
            ],
            ..login()
        };
        let mut store = Store::new(full(30 * SECOND - MILLI));
        assert_eq!(store.present(&child(7, 7, NOW), 99, now), Outcome::Busy);
        assert_eq!(store.writes, 0);
        let mut store = Store::new(full(30 * SECOND));
        assert_eq!(granted(store.present(&child(7, 7, NOW), 99, now)), (Decision::Fork, child(12, 99, now)));
        assert_eq!(store.session().earlier.first().map(|child| child.generation), Some(9));
    }

    #[test]
    fn a_refused_write_is_judged_again() {
        // While this request forks, a doubled one forks first, within the same moment.
        let session = || Session { previous: Some(nonce(7)), newest: child(8, 8, NOW), ..login() };
        let now = NOW + WINDOW;
        let mut store = Store::new(session());
        let outcome = store.present_amid(&child(7, 7, NOW), 99, now, |number, store| {
            if number == 2 {
                store.present(&child(7, 7, NOW), 50, now);
            }
        });
        assert_eq!(granted(outcome), (Decision::Repeat, child(9, 50, now)), "the same child for both");
        // While it rotates an earlier child, another request of the same client uses the newest.
        let session = || Session { earlier: vec![child(6, 6, NOW.before(REST))], ..session() };
        let mut store = Store::new(session());
        let outcome = store.present_amid(&child(6, 6, NOW), 99, NOW + REST, |number, store| {
            if number == 2 {
                store.present(&child(8, 8, NOW), 50, NOW + REST);
            }
        });
        assert_eq!(outcome, Outcome::Refused(Refusal::Replayed { behind: 3 }));
        assert_eq!(store.session().ended, Some(End { cause: EndCause::Replay, at: NOW + REST }));
        // A logout comes between: no alarm, and no new token.
        let mut store = Store::new(session());
        let outcome = store.present_amid(&child(6, 6, NOW), 99, NOW + REST, |number, store| {
            if number == 2 {
                store.item.as_mut().unwrap().ended = Some(End { cause: EndCause::Logout, at: NOW });
            }
        });
        assert_eq!(outcome, Outcome::Refused(Refusal::Ended(EndCause::Logout)));
    }

    #[test]
    fn refused_twice_it_writes_once_more_and_then_gives_up() {
        // Every write of ours finds that somebody forked in the meantime, outside of the window.
        let disturb = |store: &mut Store, number: u8| {
            let session = store.item.as_mut().unwrap();
            session.earlier.push(session.newest.clone());
            session.newest = child(session.newest.generation + 1, 200 + number, NOW);
        };
        let session = Session { previous: Some(nonce(7)), newest: child(8, 8, NOW), ..login() };
        for (disturbances, expected) in [(0, 2), (1, 2), (2, 3), (3, 3)] {
            let (mut store, mut writes) = (Store::new(session.clone()), 0);
            let outcome = store.present_amid(&child(7, 7, NOW), 99, NOW + WINDOW, |number, store| {
                writes = number;
                if number <= disturbances {
                    disturb(store, u8::try_from(number).unwrap());
                }
            });
            assert_eq!(writes, expected, "{disturbances} disturbances");
            assert_eq!(store.writes, usize::from(disturbances < 3), "{disturbances} disturbances");
            if disturbances < 3 {
                let generation = 9 + u32::try_from(disturbances).unwrap();
                assert_eq!(granted(outcome), (Decision::Fork, child(generation, 99, NOW + WINDOW)), "{disturbances}");
            } else {
                assert_eq!(outcome, Outcome::Busy);
                assert_eq!(store.session().ended, None, "nothing is decided");
            }
        }
    }

    #[test]
    fn refused_twice_a_rotation_gives_up_too() {
        // An unused child, whose siblings keep changing: there is room, only never a write that holds.
        let earlier = vec![child(7, 7, NOW)];
        let session = Session { previous: Some(nonce(6)), newest: child(8, 8, NOW), earlier, ..login() };
        for (disturbances, expected) in [(2, None), (3, Some(Outcome::Busy))] {
            let (mut store, mut writes) = (Store::new(session.clone()), 0);
            let outcome = store.present_amid(&child(7, 7, NOW), 99, NOW + REST, |number, store| {
                writes = number;
                if number <= disturbances {
                    let byte = 200 + u8::try_from(number).unwrap();
                    store.item.as_mut().unwrap().newest = child(byte.into(), byte, NOW);
                }
            });
            assert_eq!(writes, 3, "{disturbances} disturbances");
            match expected {
                Some(expected) => assert_eq!(outcome, expected),
                None => assert_eq!(granted(outcome).0, Decision::Rotate),
            }
        }
    }

    #[test]
    fn a_replay_is_ended_however_busy_the_session_is() {
        // Twice refused, and then the token turns out to be an old one.
        let session = Session { previous: Some(nonce(7)), newest: child(8, 8, NOW), ..login() };
        let mut store = Store::new(session);
        let outcome = store.present_amid(&child(7, 7, NOW), 99, NOW + WINDOW, |number, store| {
            let session = store.item.as_mut().unwrap();
            if number == 2 {
                session.newest = child(9, 9, NOW);
            } else if number == 3 {
                session.previous = Some(nonce(9));
                session.newest = child(10, 10, NOW);
            }
        });
        assert_eq!(outcome, Outcome::Refused(Refusal::Replayed { behind: 3 }));
        assert_eq!(store.session().ended, Some(End { cause: EndCause::Replay, at: NOW + WINDOW }));
    }

    #[test]
    fn a_store_that_never_ends_a_session_is_not_asked_for_ever() {
        let session = Session { previous: Some(nonce(7)), newest: child(8, 8, NOW), ..login() };
        let presented = Presented::for_test(session.user_id, session.id, 1, nonce(1));
        let policy = policy();
        let (mut rotation, _) = Rotation::begin(&presented, nonce(99), &policy, NOW);
        let mut writes = 1;
        while let Step::Write(_) = rotation.resume(Written::Refused(Some(session.clone()))) {
            writes += 1;
        }
        assert_eq!(writes, 4);
    }

    #[test]
    fn own_work_is_recognised_after_a_lost_answer() {
        // The store did what was asked, its answer was lost, and the SDK asked again: a refusal that finds our own work.
        let rotated = login();
        let forked = Session { previous: Some(nonce(7)), newest: child(8, 8, NOW), ..login() };
        let cases = [
            ("rotate", rotated.clone(), child(0, 0, NOW), Some((Decision::Rotate, child(1, 99, NOW + REST)))),
            ("fork", forked.clone(), child(7, 7, NOW), Some((Decision::Fork, child(9, 99, NOW + REST)))),
            ("adopt", rotated, child(5, 5, NOW), Some((Decision::Adopt, child(6, 99, NOW + REST)))),
            ("end", forked, child(3, 3, NOW), None),
        ];
        for (name, session, presented, expected) in cases {
            let mut store = Store::new(session);
            let (presented, policy) = (token(&presented), policy());
            let (mut rotation, mut write) = Rotation::begin(&presented, nonce(99), &policy, NOW + REST);
            let outcome = loop {
                if !matches!(store.apply(&write), Written::Refused(_)) {
                    assert!(matches!(store.apply(&write), Written::Refused(_)), "{name}: the condition holds once");
                }
                let answer = Written::Refused(store.item.clone());
                match rotation.resume(answer) {
                    Step::Write(next) => write = next,
                    Step::Over(outcome) => break outcome,
                }
            };
            assert_eq!(store.writes, 1, "{name}");
            match expected {
                Some(expected) => assert_eq!(granted(outcome), expected, "{name}"),
                None => assert_eq!(outcome, Outcome::Refused(Refusal::Replayed { behind: 5 }), "{name}"),
            }
        }
    }

    #[test]
    fn own_work_is_recognised_behind_a_later_fork() {
        // Found by the search of tests/model: the fork's answer was lost, another fork came, then the SDK asked again.
        let forked = Session { previous: Some(nonce(7)), newest: child(8, 8, NOW), ..login() };
        let mut store = Store::new(forked);
        let now = NOW + REST;
        let mut meanwhile = None;
        let own = store.present_amid(&child(7, 7, NOW), 99, now, |number, store| {
            if number == 2 {
                store.apply(&Write::Fork {
                    guard: Guard { newest: nonce(8), made_by: None, alive_at: now },
                    earlier: vec![child(8, 8, NOW)],
                    child: child(9, 99, now),
                    idle_expires_at: now + IDLE,
                });
                meanwhile = Some(granted(store.present(&child(7, 7, NOW), 50, now + WINDOW)));
            }
        });
        assert_eq!(meanwhile, Some((Decision::Fork, child(10, 50, now + WINDOW))));
        assert_eq!(granted(own), (Decision::Fork, child(9, 99, now)));
        assert_eq!(store.writes, 2, "one child for each nonce");
    }

    #[test]
    fn own_work_that_was_ended_meanwhile_is_not_granted() {
        let mut store = Store::new(login());
        let (presented, policy) = (token(&login().newest), policy());
        let (mut rotation, write) = Rotation::begin(&presented, nonce(99), &policy, NOW + REST);
        store.apply(&write);
        store.apply(&Write::End(End { cause: EndCause::Logout, at: NOW + REST }));
        let step = rotation.resume(Written::Refused(store.item));
        assert_eq!(step, Step::Over(Outcome::Refused(Refusal::Ended(EndCause::Logout))));
    }

    #[test]
    fn a_replay_ends_the_session_and_a_second_one_finds_it_ended() {
        let mut store = Store::new(login());
        let first = login().newest;
        let (_, b) = granted(store.present(&first, 1, NOW + REST));
        let (_, c) = granted(store.present(&b, 2, NOW + 2 * REST));
        let outcome = store.present(&first, 3, NOW + 2 * REST + SECOND);
        assert_eq!(outcome, Outcome::Refused(Refusal::Replayed { behind: 2 }));
        assert_eq!(store.session().newest, c, "ending touches nothing else");
        for (name, presented) in [("the same replay", &first), ("the owner", &c), ("previous", &b)] {
            let outcome = store.present(presented, 4, NOW + 4 * REST);
            assert_eq!(outcome, Outcome::Refused(Refusal::Ended(EndCause::Replay)), "{name}");
        }
        assert_eq!(store.writes, 3);
    }

    #[test]
    fn generations_only_grow() {
        // An earlier child is used although the newest has a higher generation; and a restored table has forgotten some.
        let session = Session {
            previous: Some(nonce(4)),
            newest: child(9, 9, NOW),
            earlier: vec![child(5, 5, NOW.before(REST))],
            ..login()
        };
        for (name, presented, expected) in [
            ("an earlier child", child(5, 5, NOW), (Decision::Rotate, 10)),
            ("previous", child(4, 4, NOW), (Decision::Fork, 10)),
            ("ahead", child(20, 20, NOW), (Decision::Adopt, 21)),
            ("ahead by all there is", child(u32::MAX, 21, NOW), (Decision::Adopt, u32::MAX)),
        ] {
            let mut store = Store::new(session.clone());
            let (decision, child) = granted(store.present(&presented, 99, NOW + WINDOW));
            assert_eq!((decision, child.generation), expected, "{name}");
        }
    }

    #[test]
    fn an_adopted_token_becomes_previous_and_goes_on() {
        let mut store = Store::new(Session { earlier: vec![child(1, 41, NOW)], newest: child(2, 2, NOW), ..login() });
        let ahead = child(5, 5, NOW);
        let (decision, next) = granted(store.present(&ahead, 6, NOW + SECOND));
        assert_eq!((decision, next.generation), (Decision::Adopt, 6));
        assert_eq!(store.session().previous, Some(ahead.nonce.clone()));
        assert!(store.session().earlier.is_empty(), "what the backup held is older than what was adopted");
        assert_eq!(granted(store.present(&ahead, 7, NOW + 2 * SECOND)), (Decision::Repeat, next.clone()));
        assert_eq!(granted(store.present(&next, 8, NOW + SECOND + REST)).0, Decision::Rotate);
    }

    #[test]
    fn the_idle_expiry_moves_and_the_absolute_one_never_does() {
        let mut store = Store::new(login());
        let mut newest = login().newest;
        let mut now = NOW;
        for turn in 1.. {
            now = now + (IDLE - SECOND);
            let outcome = store.present(&newest, turn, now);
            assert_eq!(store.session().expires_at, NOW + ABSOLUTE, "turn {turn}");
            let Outcome::Granted { child, .. } = outcome else {
                assert_eq!(outcome, Outcome::Refused(Refusal::Expired), "turn {turn}");
                break;
            };
            assert_eq!(store.session().idle_expires_at, now + IDLE, "turn {turn}");
            newest = child;
        }
        assert!(now >= NOW + ABSOLUTE && now < store.session().idle_expires_at, "idle would have allowed it");
    }

    #[test]
    fn a_birth_in_the_far_future_does_not_block() {
        let session = Session { newest: child(0, 0, NOW + Duration::from_secs(61)), ..login() };
        let mut store = Store::new(session);
        // The first write takes it for unrested; the judgement says that it was never right.
        let (decision, next) = granted(store.present(&login().newest, 1, NOW));
        assert_eq!((decision, next), (Decision::Rotate, child(1, 1, NOW)));
    }

    /// DESIGN §5: what every change to the rotation must survive. `T1` is the login's token.
    #[test]
    fn a_first_request_that_arrives_late_harms_nobody() {
        // (a) T1 is sent, given up and sent again; T2 is used at once, and then the first T1 arrives.
        let mut store = Store::new(login());
        let t1 = login().newest;
        let (_, t2) = granted(store.present(&t1, 2, NOW + REST));
        assert_eq!(granted(store.present(&t2, 3, NOW + REST + SECOND)), (Decision::Rest, t2.clone()));
        assert_eq!(granted(store.present(&t1, 4, NOW + REST + 2 * SECOND)), (Decision::Repeat, t2.clone()));
        assert_eq!(granted(store.present(&t2, 5, NOW + 2 * REST)).0, Decision::Rotate);
        // (b) T2's answer is lost; T1 twice, of which one is answered; the other arrives after the window; T2 is used.
        let mut store = Store::new(login());
        let (_, lost) = granted(store.present(&t1, 2, NOW + REST));
        let (_, delivered) = granted(store.present(&t1, 3, NOW + REST + WINDOW));
        assert_eq!(granted(store.present(&t1, 4, NOW + REST + 2 * WINDOW)).0, Decision::Fork);
        assert_eq!(granted(store.present(&delivered, 5, NOW + 3 * REST)).0, Decision::Rotate);
        assert!(matches!(store.present(&lost, 6, NOW + 4 * REST), Outcome::Refused(Refusal::Replayed { .. })));
        // (d) A lost answer, and then a long time offline.
        let mut store = Store::new(login());
        granted(store.present(&t1, 2, NOW + REST));
        assert_eq!(granted(store.present(&t1, 3, NOW + IDLE)).0, Decision::Fork);
    }

    #[test]
    fn two_requests_at_the_same_moment_get_the_same_child() {
        // (c) in both orders: the second one is refused, and judged by what the first one did.
        let mut store = Store::new(login());
        let t1 = login().newest;
        let mut other = None;
        let outcome = store.present_amid(&t1, 2, NOW + REST, |number, store| {
            if number == 1 {
                other = Some(store.present(&t1, 3, NOW + REST));
            }
        });
        let (first, second) = (granted(other.unwrap()), granted(outcome));
        assert_eq!((first.0, second.0), (Decision::Rotate, Decision::Repeat));
        assert_eq!(first.1, second.1);
        assert_eq!(store.writes, 1);
    }

    #[test]
    fn a_thief_is_found_out_at_the_next_use() {
        let t1 = login().newest;
        for (name, first_uses, second_uses) in [("thief first", 2_u8, 3_u8), ("owner first", 3, 2)] {
            // (e) Both hold T1. The first one rotates it; the other one forks; whoever comes next wins, the other ends it.
            let mut store = Store::new(login());
            let (_, a) = granted(store.present(&t1, first_uses, NOW + REST));
            let (decision, b) = granted(store.present(&t1, second_uses, NOW + 2 * REST));
            assert_eq!(decision, Decision::Fork, "{name}");
            granted(store.present(&a, 4, NOW + 3 * REST));
            let outcome = store.present(&b, 5, NOW + 4 * REST);
            assert!(matches!(outcome, Outcome::Refused(Refusal::Replayed { .. })), "{name}: {outcome:?}");
        }
    }
}
