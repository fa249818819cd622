//! What must be true of every history, said in tokens alone: what was sent, what was answered, what was acknowledged.
//!
//! It knows nothing of sessions, nonces or writes. Events are counted; instants and durations are milliseconds.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Copied, Lives, Request, Verdict, Violation, Who};

/// The clocks of two instances differ by so much: 5 s to either side of the truth.
pub const SKEW: u64 = 10_000;

/// What has happened so far, as far as promises depend on it.
#[derive(Default)]
pub struct Reference {
    lives: Lives,
    expires: u64,
    /// No refresh can have pushed the idle expiry beyond the one, and it cannot be before the other.
    pub(crate) idle_bounds: (u64, u64),
    scopes: Vec<(u64, BTreeSet<String>)>,
    event: u64,
    pub(crate) requests: BTreeMap<usize, Request>,
    pub(crate) previous: Option<String>,
    /// Whether a table was restored since a token was used: the next one may have been used before.
    pub(crate) restored: bool,
    /// Tokens that were handed out, and when.
    pub(crate) known: BTreeMap<String, u64>,
    /// Tokens that no request may be answered for, if it arrives after the event.
    pub(crate) dead: BTreeMap<String, u64>,
    pub(crate) ended: Option<u64>,
    pub(crate) promised: bool,
    pub(crate) copied: Option<Copied>,
    pub(crate) refreshed: BTreeMap<Who, u64>,
}

impl Reference {
    /// A login.
    pub fn new(lives: Lives, token: &str, scope: &str, instant: u64) -> Self {
        let (idle_bounds, scopes) = ((instant + lives.idle, instant + lives.idle), vec![(0, words(scope))]);
        let known = BTreeMap::from([(token.to_owned(), instant)]);
        let expires = instant + lives.absolute;
        Self { lives, expires, idle_bounds, scopes, known, promised: true, ..Self::default() }
    }

    /// A request is sent. A thief's, like a second holder's, ends what is promised to the owner.
    pub fn sent(&mut self, id: usize, who: Who, token: &str) {
        self.event += 1;
        let (token, sent) = (token.to_owned(), self.event);
        let request = Request { who, token, sent, arrived: 0, instant: 0, lives_until: 0, idle_by: 0 };
        self.requests.insert(id, request);
    }

    /// A request arrives at the server.
    pub fn arrived(&mut self, id: usize, instant: u64) {
        self.event += 1;
        let Some(request) = self.requests.get_mut(&id) else { return };
        (request.arrived, request.instant) = (self.event, instant);
        (request.lives_until, request.idle_by) = (self.idle_bounds.0, self.idle_bounds.1 + SKEW);
        if instant <= request.idle_by {
            self.idle_bounds.1 = self.idle_bounds.1.max(instant + SKEW + self.lives.idle);
        }
        self.promised &= request.who != Who::Thief;
    }

    /// The owner's token is copied.
    pub fn copied(&mut self) {
        self.event += 1;
        self.copied = Some(Copied { at: self.event, used: BTreeSet::new(), found_out: None });
    }

    /// An end is acknowledged: logout, revocation, a disabled user, a changed password.
    pub fn ended(&mut self) {
        self.event += 1;
        self.ended.get_or_insert(self.event);
    }

    /// A change of the user's scope is acknowledged.
    pub fn scope_is(&mut self, scope: &str) {
        self.event += 1;
        self.scopes.push((self.event, words(scope)));
    }

    /// The table is as it was before: what was dead may live and what had ended goes on, until tokens are used again.
    pub fn restored(&mut self) {
        (self.previous, self.restored, self.ended, self.idle_bounds.0) = (None, true, None, 0);
        self.dead.clear();
        self.known.values_mut().for_each(|since| *since = u64::MAX);
        if self.copied.is_some() {
            self.copied();
        }
    }

    /// From here on, somebody does what no promise covers.
    pub fn promise_nothing(&mut self) {
        self.promised = false;
    }

    /// A request is answered, whoever hears of it.
    ///
    /// # Errors
    ///
    /// The [`Violation`] that this is.
    pub fn answered(&mut self, id: usize, verdict: &Verdict, instant: u64) -> Result<(), Violation> {
        self.event += 1;
        let Some(request) = self.requests.remove(&id) else { return Ok(()) };
        match verdict {
            Verdict::Again => return Ok(()),
            Verdict::Refused => {
                // About the end of its time, a session is over for one clock and not for another.
                if instant + SKEW >= request.lives_until.min(self.expires) {
                    return Ok(());
                }
                if self.promised && request.who == Who::Owner && self.ended.is_none() {
                    return Err(Violation::FalseLogout);
                }
            }
            Verdict::Granted { token, exp, scope, .. } => {
                self.may_be_granted(&request, token, *exp, &words(scope))?;
                if *token == request.token {
                    return Ok(());
                }
                self.used(&request, token, instant);
            }
        }
        self.owner_used(&request);
        Ok(())
    }

    fn may_be_granted(
        &self,
        request: &Request,
        token: &str,
        exp: u64,
        scope: &BTreeSet<String>,
    ) -> Result<(), Violation> {
        let lenient = if token == request.token { self.lives.rest } else { self.lives.window };
        let since = self.known.get(token).map(|since| request.instant.saturating_sub(*since));
        let too_late = |event: Option<u64>| event.is_some_and(|event| event < request.arrived);
        let found_out = self.copied.as_ref().and_then(|copied| copied.found_out);
        let first = self.scopes.iter().rposition(|(since, _)| *since < request.arrived).unwrap_or_default();
        let mut had = self.scopes.iter().skip(first).map(|(_, words)| words);
        let login = self.scopes.first().map(|(_, words)| words);
        let cases = [
            (!self.known.contains_key(&request.token), Violation::ForgeryAnswered),
            (since.is_some_and(|since| since > lenient + SKEW), Violation::TooLenient),
            (too_late(self.ended), Violation::LivesAfterEnd),
            (too_late(self.dead.get(&request.token).copied()), Violation::SecondLine),
            (request.who == Who::Thief && too_late(found_out), Violation::ThiefOutlives),
            (request.instant > request.idle_by.min(self.expires + SKEW), Violation::LivesTooLong),
            (exp * 1000 > self.expires, Violation::LivesTooLong),
            (!had.any(|had| scope.is_subset(had)), Violation::ScopeWidened),
            (!login.is_some_and(|login| scope.is_subset(login)), Violation::ScopeWidened),
        ];
        cases.into_iter().find(|(is, _)| *is).map_or(Ok(()), |(_, violation)| Err(violation))
    }

    /// A token led to another: it is the last one used, and what was handed out before its successors is dead.
    fn used(&mut self, request: &Request, token: &str, instant: u64) {
        // Nothing moves when the window's answer is given again: it counts from the first time.
        let earliest = request.instant.saturating_sub(SKEW + self.lives.window) + self.lives.idle;
        self.idle_bounds.0 = self.idle_bounds.0.max(earliest);
        if self.dead.contains_key(&request.token) {
            self.dead.entry(token.to_owned()).or_insert(self.event);
        } else if self.previous.as_ref() != Some(&request.token) {
            let others = self.known.keys().filter(|known| **known != request.token && *known != token);
            let dies = |_: &&String| !self.restored;
            self.dead.extend(others.filter(dies).map(|other| (other.clone(), self.event)));
            (self.previous, self.restored) = (Some(request.token.clone()), false);
        }
        self.known.entry(token.to_owned()).or_insert(instant);
        // Whoever comes within the window of the other is given the other's successor: as good as another copy.
        let other = if request.who == Who::Owner { Who::Thief } else { Who::Owner };
        let Lives { window, .. } = self.lives;
        let near = |instant: &u64| window > 0 && instant.abs_diff(request.instant) < window + SKEW;
        if self.refreshed.get(&other).is_some_and(near) && self.copied.is_some() {
            self.copied();
        }
        self.refreshed.insert(request.who, request.instant);
    }

    fn owner_used(&mut self, request: &Request) {
        let Some(copied) = &mut self.copied else { return };
        if request.who == Who::Owner && copied.at < request.sent {
            copied.used.insert(request.token.clone());
            if copied.used.len() == 2 {
                copied.found_out.get_or_insert(self.event);
            }
        }
    }
}

fn words(scope: &str) -> BTreeSet<String> {
    scope.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
