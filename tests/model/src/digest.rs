//! What distinguishes two states of a history: all that what follows can depend on, under names that do not depend on how
//! the state was reached.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _};

use auth_core::session::{Child, Session};

use crate::event::{Verdict, Who};
use crate::reference::Reference;

/// Names tokens and nonces by their generations, which are given once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    tokens: BTreeMap<String, u32>,
    nonces: BTreeMap<[u8; 16], u32>,
}

impl Names {
    pub(crate) fn learn(&mut self, token: &str, generation: u32) {
        self.tokens.insert(token.to_owned(), generation);
    }

    pub(crate) fn meet(&mut self, session: &Session) {
        for child in session.children() {
            self.nonces.insert(*child.nonce.as_bytes(), child.generation);
        }
    }

    pub(crate) fn token(&self, token: &str) -> u32 {
        self.tokens.get(token).copied().unwrap_or(u32::MAX)
    }

    /// A session, by its children's generations and births.
    pub(crate) fn session(&self, session: &Session, hasher: &mut DefaultHasher) {
        let child = |child: &Child| (child.generation, child.made_at.millis());
        let previous = session.previous.as_ref().map(|nonce| self.nonces.get(nonce.as_bytes()).copied());
        let children: Vec<_> = session.children().map(child).collect();
        (previous, children, session.ended.is_some(), session.idle_expires_at.millis()).hash(hasher);
    }

    pub(crate) fn verdict(&self, verdict: &Verdict, hasher: &mut DefaultHasher) {
        match verdict {
            Verdict::Granted { token, .. } => self.token(token).hash(hasher),
            Verdict::Refused => "refused".hash(hasher),
            Verdict::Again => "again".hash(hasher),
        }
    }

    /// What is promised: of events, only their order counts.
    pub(crate) fn reference(&self, reference: &Reference, hasher: &mut DefaultHasher) {
        let mut events: Vec<u64> = reference.requests.values().flat_map(|it| [it.sent, it.arrived]).collect();
        events.extend(reference.dead.values().chain(&reference.ended));
        events.extend(reference.copied.iter().flat_map(|copied| [Some(copied.at), copied.found_out]).flatten());
        events.sort_unstable();
        events.dedup();
        let rank = |event: u64| events.partition_point(|other| *other < event);
        for (id, request) in &reference.requests {
            (id, request.who == Who::Owner, self.token(&request.token), request.instant).hash(hasher);
            (rank(request.sent), rank(request.arrived)).hash(hasher);
        }
        let mut dead: Vec<_> = reference.dead.iter().map(|(token, event)| (self.token(token), rank(*event))).collect();
        dead.sort_unstable();
        let mut known: Vec<_> = reference.known.iter().map(|(token, since)| (self.token(token), *since)).collect();
        known.sort_unstable();
        (dead, known, reference.previous.as_ref().map(|token| self.token(token))).hash(hasher);
        (reference.ended.map(rank), reference.promised, &reference.refreshed, reference.idle_bounds).hash(hasher);
        if let Some(copied) = &reference.copied {
            let mut used: Vec<_> = copied.used.iter().map(|token| self.token(token)).collect();
            used.sort_unstable();
            (rank(copied.at), used, copied.found_out.map(rank)).hash(hasher);
        }
    }
}
