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
    /// Others kept changing the session: nothing is decided, the same request may be sent again.
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
            Written::Done(session) => Step::Over(self.done(session)),
            Written::Refused(None) => refused(Refusal::Unknown),
            // A repetition of ours by the SDK, after a first answer that was lost, finds its own work.
            Written::Refused(Some(session)) if self.is_own_work(&session) => Step::Over(self.done(session)),
            Written::Refused(Some(session)) => self.judge(session),
        }
    }

    fn done(&self, session: Session) -> Outcome {
        match self.pending {
            Pending::Grant(decision) => Outcome::Granted { decision, child: session.newest.clone(), session },
            Pending::End { behind } => Outcome::Refused(Refusal::Replayed { behind }),
        }
    }

    fn is_own_work(&self, session: &Session) -> bool {
        match self.pending {
            Pending::Grant(_) => session.ended.is_none() && session.newest.nonce == self.nonce,
            Pending::End { .. } => session.ended.as_ref() == Some(&self.end()),
        }
    }

    fn judge(&mut self, session: Session) -> Step {
        self.judged += 1;
        match session.judge(self.presented, self.policy, self.now) {
            Judgement::Rest(child) => granted(Decision::Rest, session, child),
            Judgement::Repeat(child) => granted(Decision::Repeat, session, child),
            Judgement::Ended(cause) => refused(Refusal::Ended(cause)),
            Judgement::Expired => refused(Refusal::Expired),
            Judgement::Replayed { behind } => {
                self.pending = Pending::End { behind };
                Step::Write(Write::End(self.end()))
            }
            Judgement::Rotate | Judgement::Fork | Judgement::Adopt if self.judged > JUDGEMENTS => {
                Step::Over(Outcome::Busy)
            }
            Judgement::Rotate => self.write(Decision::Rotate, &session),
            Judgement::Fork => self.write(Decision::Fork, &session),
            Judgement::Adopt => self.write(Decision::Adopt, &session),
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

/// The children that stay beside one more, oldest first. Beyond the bound the oldest goes: its answer is lost for
/// certain, because as many requests came after it.
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
