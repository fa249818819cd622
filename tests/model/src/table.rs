//! The table: one user and one session, with the conditions of DynamoDB's writes.

use auth_core::journal::{Entry, Revocation, keep};
use auth_core::rotation::{Guard, Write, Written};
use auth_core::session::Session;
use auth_core::time::UnixTime;
use auth_core::user::User;

use crate::rig::ACCESS;

/// What the scheduler lets operations through to.
pub trait Table {
    /// One conditional write; an end is written into the journal, stamped with `at`.
    fn write(&mut self, write: &Write, at: UnixTime) -> Written;
    /// One strongly consistent read.
    fn user(&mut self) -> Option<User>;
    /// What the journal says from a stamp on.
    fn journal(&self, from: UnixTime) -> Vec<Entry>;
    /// Writes into the journal.
    fn tell(&mut self, revocation: Revocation, at: UnixTime);
    /// Puts the user, whatever was there.
    fn put_user(&mut self, user: &User);
    /// Puts the session, whatever was there: a login, or a table restored from a backup.
    fn put_session(&mut self, session: &Session);
    /// Deletes the session.
    fn delete_session(&mut self);
    /// The session as it is, past all conditions.
    fn session(&mut self) -> Option<Session>;
    /// Where it contradicts itself, if it did so since it was asked last.
    fn disagreement(&mut self) -> Option<String> {
        None
    }
}

/// The table in memory.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    session: Option<Session>,
    user: Option<User>,
    journal: Vec<Entry>,
}

impl Table for Memory {
    fn write(&mut self, write: &Write, at: UnixTime) -> Written {
        let Some(session) = &mut self.session else { return Written::Refused(None) };
        if !holds(session, write) {
            return Written::Refused(Some(session.clone()));
        }
        match write.clone() {
            Write::Rotate { previous, child, idle_expires_at, .. } => {
                session.previous = Some(previous);
                session.newest = child;
                session.earlier = Vec::new();
                session.idle_expires_at = idle_expires_at;
            }
            Write::Fork { earlier, child, idle_expires_at, .. } => {
                session.earlier = earlier;
                session.newest = child;
                session.idle_expires_at = idle_expires_at;
            }
            Write::End(end) => {
                session.ended = Some(end);
                let id = session.id;
                self.tell(Revocation::session(id), at);
                return Written::Ended;
            }
        }
        Written::Done(session.clone())
    }

    fn user(&mut self) -> Option<User> {
        self.user.clone()
    }

    fn journal(&self, from: UnixTime) -> Vec<Entry> {
        self.journal.iter().filter(|entry| entry.at.seconds() >= from.seconds()).cloned().collect()
    }

    fn tell(&mut self, revocation: Revocation, at: UnixTime) {
        let at = UnixTime::from_seconds(at.seconds());
        self.journal.push(Entry { revocation, at, until: at + keep(ACCESS) });
    }

    fn put_user(&mut self, user: &User) {
        self.user = Some(user.clone());
    }

    fn put_session(&mut self, session: &Session) {
        self.session = Some(session.clone());
    }

    fn delete_session(&mut self) {
        self.session = None;
    }

    fn session(&mut self) -> Option<Session> {
        self.session.clone()
    }
}

fn holds(session: &Session, write: &Write) -> bool {
    let alive = |guard: &Guard| {
        session.ended.is_none()
            && session.newest.nonce == guard.newest
            && session.idle_expires_at > guard.alive_at
            && session.expires_at > guard.alive_at
            && guard.made_by.is_none_or(|made_by| session.newest.made_at <= made_by)
    };
    match write {
        Write::Rotate { guard, .. } | Write::Fork { guard, .. } => alive(guard),
        Write::End(_) => session.ended.is_none(),
    }
}
