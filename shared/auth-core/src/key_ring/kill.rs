//! The end of a key that may be in other hands.

use crate::key_ring::{KeyRing, PUBLISH_WAIT, RingKey};
use crate::time::UnixTime;

/// What a kill changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kill {
    /// The keys as they are from then on.
    pub changed: Vec<RingKey>,
    /// What signs from then on.
    pub successor: Successor,
}

/// What signs after a kill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Successor {
    /// What signed before: the killed key did not.
    Unchanged,
    /// Another one.
    Key {
        /// Its name.
        kid: String,
        /// Whether it has only just been published: verifiers of others have to fetch it first.
        is_new: bool,
    },
    /// Nothing, until a key is made.
    Nobody,
}

impl KeyRing {
    /// Whether nothing would sign after a kill of this key at `at`.
    pub fn lacks_successor(&self, kid: &str, at: UnixTime) -> bool {
        self.signer(at).is_none_or(|signer| signer.kid() == kid) && self.next(at).is_none()
    }

    /// The kill of `key` at `at`. If it signed, the next one's turn has come; without a next one, that of `spare`, which was made
    /// for it.
    pub fn kill(&self, key: &RingKey, spare: Option<RingKey>, at: UnixTime) -> Kill {
        let mut dead = key.clone();
        dead.killed_at = Some(dead.killed_at.unwrap_or(at));
        if self.signer(at).is_some_and(|signer| signer.kid() != key.kid()) {
            return Kill { changed: vec![dead], successor: Successor::Unchanged };
        }
        let Some(mut next) = self.next(at).cloned().or(spare) else {
            return Kill { changed: vec![dead], successor: Successor::Nobody };
        };
        next.signs_from = next.signs_from.min(self.takeover(at));
        let successor = Successor::Key { kid: next.kid().to_owned(), is_new: at.since(next.made_at) < PUBLISH_WAIT };
        Kill { changed: vec![dead, next], successor }
    }
}
