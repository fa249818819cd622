//! The journal as an authorizer holds it: 21 bytes for each entry, looked up beside every signature check.
//!
//! Between two requests other work has the processor's caches, so a look-up costs what it touches: a place in the list of
//! buckets, and the few entries of one bucket.

use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;
use std::time::Duration;

use crate::claims::AccessClaims;
use crate::journal::{Entry, Kind, Revocation};
use crate::time::UnixTime;

/// More entries are not held: 42 MB. It takes over 500 revocations a second, for as long as the longest token lives.
pub const MOST_ENTRIES: usize = 2_000_000;

/// The revocations that are known.
#[derive(Debug, Default)]
pub struct Snapshot {
    digests: Digests,
    /// Sorted by digest, each digest once.
    marks: Vec<Mark>,
    buckets: Buckets,
    /// When what is over is next forgotten.
    sweep_at: UnixTime,
}

/// How often what is over is forgotten, if nothing new comes.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// So many marks share a bucket, on average, or up to twice as many.
const BUCKET: usize = 4;

/// Where the marks begin whose digests begin with the same bits.
#[derive(Debug, Default)]
struct Buckets {
    bits: u32,
    starts: Vec<u32>,
}

/// One entry of the journal, by a digest of its kind and id.
///
/// Two different ids have one digest once in 2^64 pairs; then a good token is refused, and its owner refreshes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, packed(4))] // 20 bytes instead of 24
pub struct Mark {
    digest: u64,
    bound: u64,
    /// In seconds since the epoch.
    until: u32,
}

/// Makes marks, under a key of this process's.
#[derive(Clone, Debug, Default)]
pub struct Digests(RandomState);

/// Why a token that was minted rightly is good no more. For the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Revoked {
    /// The token itself was revoked.
    #[error("the token is revoked")]
    Token,
    /// Its session has ended.
    #[error("the session has ended")]
    Session,
    /// The user was changed, or revoked, since it was minted.
    #[error("below the user's version")]
    Version,
    /// All of the client's tokens of that time were revoked.
    #[error("the client's tokens are revoked")]
    Client,
    /// The key was killed.
    #[error("the key is revoked")]
    Key,
}

impl Revoked {
    /// What logs and metrics call it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Token => "token_revoked",
            Self::Session => "session_ended",
            Self::Version => "below_version",
            Self::Client => "client_revoked",
            Self::Key => "key_revoked",
        }
    }
}

impl From<Kind> for Revoked {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Token => Self::Token,
            Kind::Session => Self::Session,
            Kind::User => Self::Version,
            Kind::Client => Self::Client,
            Kind::Key => Self::Key,
        }
    }
}

impl Digests {
    /// An entry as a snapshot keeps it.
    pub fn mark(&self, entry: &Entry) -> Mark {
        let Revocation { kind, id, bound } = &entry.revocation;
        let until = u32::try_from(entry.until.seconds()).unwrap_or(u32::MAX);
        Mark { digest: self.digest(*kind, id), bound: *bound, until }
    }

    fn digest(&self, kind: Kind, id: &str) -> u64 {
        self.0.hash_one((kind, id))
    }
}

impl Snapshot {
    /// What makes marks for this snapshot.
    pub fn digests(&self) -> Digests {
        self.digests.clone()
    }

    /// How many entries are held.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether nothing is revoked.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// How many bytes all of it takes.
    pub fn bytes(&self) -> usize {
        self.marks.capacity() * size_of::<Mark>() + self.buckets.starts.capacity() * size_of::<u32>()
    }

    /// Takes what was read of the journal, and forgets what is over at `now`. Of two entries for one thing, the greater bound
    /// and the later end count, in whichever order they come.
    pub fn absorb(&mut self, mut read: Vec<Mark>, now: UnixTime) {
        read.retain(|mark| !self.covers(mark));
        if read.is_empty() && now < self.sweep_at {
            return;
        }
        self.sweep_at = now + SWEEP_EVERY;
        read.sort_unstable_by_key(|mark| mark.digest);
        self.marks.retain(|mark| mark.outlives(now));
        self.marks.reserve_exact(read.len());
        self.marks.append(&mut read);
        self.marks.sort_by_key(|mark| mark.digest); // two sorted runs: they are merged
        self.marks.dedup_by(|later, kept| {
            let same = later.digest == kept.digest;
            if same {
                *kept =
                    Mark { bound: { kept.bound }.max(later.bound), until: { kept.until }.max(later.until), ..*kept };
            }
            same
        });
        self.marks.shrink_to_fit();
        self.buckets = Buckets::over(&self.marks);
    }

    /// Whether a token that is verified was revoked.
    ///
    /// # Errors
    ///
    /// The first reason, [`Revoked`].
    pub fn admits(&self, claims: &AccessClaims) -> Result<(), Revoked> {
        let revokes = |kind: &Kind| {
            kind.ids_in(claims).any(|id| {
                let mark = self.find(self.digests.digest(*kind, id));
                mark.is_some_and(|mark| kind.revokes(mark.bound, claims))
            })
        };
        if self.marks.is_empty() {
            return Ok(());
        }
        Kind::ALL.into_iter().find(revokes).map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn covers(&self, mark: &Mark) -> bool {
        self.find(mark.digest).is_some_and(|known| known.bound >= mark.bound && known.until >= mark.until)
    }

    fn find(&self, digest: u64) -> Option<&Mark> {
        let bucket = self.buckets.of(digest);
        self.marks.get(bucket)?.iter().find(|mark| mark.digest == digest)
    }
}

impl Buckets {
    /// Over marks that are sorted.
    fn over(marks: &[Mark]) -> Self {
        let bits = (marks.len() / BUCKET).checked_ilog2().unwrap_or_default();
        let begins = |bucket: u64| marks.partition_point(|mark| bucket_of(mark.digest, bits) < bucket);
        let starts = (0..=1 << bits).map(|bucket| u32::try_from(begins(bucket)).unwrap_or(u32::MAX)).collect();
        Self { bits, starts }
    }

    /// Where a digest stands, if it is there.
    fn of(&self, digest: u64) -> Range<usize> {
        let bucket = usize::try_from(bucket_of(digest, self.bits)).unwrap_or(usize::MAX);
        let start = |bucket: usize| self.starts.get(bucket).and_then(|start| usize::try_from(*start).ok());
        start(bucket).unwrap_or_default()..start(bucket.saturating_add(1)).unwrap_or_default()
    }
}

const fn bucket_of(digest: u64, bits: u32) -> u64 {
    // Two shifts: by 64 at once would be none.
    digest >> 1 >> (63 - bits)
}

impl Mark {
    fn outlives(&self, now: UnixTime) -> bool {
        u64::from(self.until) > now.seconds()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::{DelegationClaims, SessionClaims};
    use crate::id::{SessionId, UserId};
    use crate::scope::{Roles, Scope};

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
    const MINUTE: Duration = Duration::from_mins(1);
    const USER: UserId = UserId::from_bytes([1; 16]);
    const SESSION: SessionId = SessionId::from_bytes([2; 16]);

    fn claims() -> AccessClaims {
        AccessClaims {
            sub: USER.to_string(),
            session: Some(SessionClaims { sid: SESSION.to_string(), ver: 7, delegation: None }),
            client_id: "app".to_owned(),
            scope: Scope::default(),
            roles: Roles::default(),
            jti: "token".to_owned(),
            iat: NOW,
            exp: NOW + 10 * MINUTE,
            kid: "key".to_owned(),
        }
    }

    fn in_session(session: SessionClaims) -> AccessClaims {
        AccessClaims { session: Some(session), ..claims() }
    }

    fn entry(revocation: Revocation) -> Entry {
        Entry { revocation, at: NOW, until: NOW + 10 * MINUTE }
    }

    fn snapshot(entries: &[Entry]) -> Snapshot {
        let mut snapshot = Snapshot::default();
        let marks = entries.iter().map(|entry| snapshot.digests().mark(entry)).collect();
        snapshot.absorb(marks, NOW);
        snapshot
    }

    #[test]
    fn each_kind_of_revocation_has_its_reason_and_its_bound() {
        let ten = Duration::from_secs(10);
        let milli = Duration::from_millis(1);
        let cases = [
            ("nothing", None, Ok(())),
            ("the token", Some(Revocation::token("token")), Err(Revoked::Token)),
            ("another token", Some(Revocation::token("session")), Ok(())),
            ("the session", Some(Revocation::session(SESSION)), Err(Revoked::Session)),
            ("another session", Some(Revocation::session(SessionId::from_bytes([3; 16]))), Ok(())),
            ("the user's next version", Some(Revocation::user(USER, 8)), Err(Revoked::Version)),
            ("the user's version", Some(Revocation::user(USER, 7)), Ok(())),
            ("another user", Some(Revocation::user(UserId::from_bytes([2; 16]), 8)), Ok(())),
            ("the client, now", Some(Revocation::client("app", NOW)), Err(Revoked::Client)),
            ("the client, a request's life ago", Some(Revocation::client("app", NOW.before(ten))), Ok(())),
            ("a moment less", Some(Revocation::client("app", NOW.before(ten) + milli)), Err(Revoked::Client)),
            ("the key", Some(Revocation::key("key")), Err(Revoked::Key)),
            ("an id of another kind", Some(Revocation::key("token")), Ok(())),
        ];
        for (name, revocation, expected) in cases {
            let entries: Vec<Entry> = revocation.map(entry).into_iter().collect();
            assert_eq!(snapshot(&entries).admits(&claims()), expected, "{name}");
        }
    }

    #[test]
    fn an_entry_takes_24_bytes_at_most() {
        let entries: Vec<Entry> = (0..1_000).map(|n| entry(Revocation::token(&n.to_string()))).collect();
        let snapshot = snapshot(&entries);
        assert_eq!(snapshot.bytes(), 1_000 * size_of::<Mark>() + snapshot.buckets.starts.len() * size_of::<u32>());
        assert!(snapshot.bytes() <= 24 * snapshot.len(), "{}", snapshot.bytes());
    }

    #[test]
    fn every_reason_has_its_name() {
        let names = [
            (Revoked::Token, "token_revoked"),
            (Revoked::Session, "session_ended"),
            (Revoked::Version, "below_version"),
            (Revoked::Client, "client_revoked"),
            (Revoked::Key, "key_revoked"),
        ];
        for (reason, name) in names {
            assert_eq!(reason.reason(), name, "{reason:?}");
        }
    }

    #[test]
    fn a_delegated_token_ends_with_its_session_and_with_the_owners() {
        let (own, owners) = (SESSION, SessionId::from_bytes([3; 16]));
        let delegation = DelegationClaims { actor: "app".to_owned(), parent_sid: owners.to_string() };
        let token = in_session(SessionClaims { sid: own.to_string(), ver: 7, delegation: Some(delegation) });
        let cases = [
            (Revocation::session(own), Err(Revoked::Session)),
            (Revocation::session(owners), Err(Revoked::Session)),
            (Revocation::session(SessionId::from_bytes([4; 16])), Ok(())),
            (Revocation::user(USER, 8), Err(Revoked::Version)),
            (Revocation::client("app", NOW), Err(Revoked::Client)),
        ];
        for (revocation, expected) in cases {
            assert_eq!(snapshot(&[entry(revocation.clone())]).admits(&token), expected, "{revocation:?}");
        }
    }

    #[test]
    fn a_clients_own_token_is_of_no_user_and_no_session() {
        let token = AccessClaims { sub: "app".to_owned(), session: None, ..claims() };
        let cases = [
            (Revocation::client("app", NOW), Err(Revoked::Client)),
            (Revocation::token("token"), Err(Revoked::Token)),
            (Revocation::key("key"), Err(Revoked::Key)),
            (Revocation { kind: Kind::User, id: "app".to_owned(), bound: u64::MAX }, Ok(())),
            (Revocation { kind: Kind::Session, id: "app".to_owned(), bound: 0 }, Ok(())),
        ];
        for (revocation, expected) in cases {
            assert_eq!(snapshot(&[entry(revocation.clone())]).admits(&token), expected, "{revocation:?}");
        }
    }

    #[test]
    fn of_two_entries_the_greater_bound_and_the_later_end_count() {
        let [low, high] = [8, 9].map(|ver| Revocation::user(USER, ver));
        let short = Entry { until: NOW + MINUTE, ..entry(high) };
        let long = entry(low);
        let token = in_session(SessionClaims { sid: SESSION.to_string(), ver: 8, delegation: None });
        for entries in [[short.clone(), long.clone()], [long, short]] {
            for at_once in [true, false] {
                let mut snapshot = snapshot(&entries[..if at_once { 2 } else { 1 }]);
                snapshot.absorb(entries.iter().map(|entry| snapshot.digests().mark(entry)).collect(), NOW);
                assert_eq!(snapshot.len(), 1);
                snapshot.absorb(Vec::new(), NOW + 9 * MINUTE);
                assert_eq!(snapshot.admits(&token), Err(Revoked::Version), "{at_once}");
            }
        }
    }

    #[test]
    fn what_is_over_is_forgotten_and_not_before() {
        let mut snapshot = snapshot(&[entry(Revocation::token("token"))]);
        snapshot.absorb(Vec::new(), (NOW + 10 * MINUTE).before(Duration::from_secs(1)));
        assert_eq!((snapshot.admits(&claims()), snapshot.is_empty()), (Err(Revoked::Token), false));
        snapshot.absorb(Vec::new(), NOW + 11 * MINUTE);
        assert!(snapshot.is_empty());
        let mut snapshot = self::snapshot(&[entry(Revocation::token("token"))]);
        snapshot.absorb(Vec::new(), NOW + 10 * MINUTE);
        assert!(snapshot.is_empty(), "at its end");
    }

    #[test]
    fn of_many_entries_each_is_found_and_no_other() {
        for count in [1_u128, 2, 3, 17, 1_000, 20_000] {
            let ids: Vec<SessionId> = (0..2 * count).map(|n| SessionId::from_bytes(n.to_be_bytes())).collect();
            let (revoked, others) = ids.split_at(ids.len() / 2);
            let entries: Vec<Entry> = revoked.iter().map(|id| entry(Revocation::session(*id))).collect();
            let mut snapshot = Snapshot::default();
            for part in entries.chunks(entries.len().div_ceil(3)) {
                snapshot.absorb(part.iter().map(|entry| snapshot.digests().mark(entry)).collect(), NOW);
            }
            let admits = |id: &SessionId| {
                let session = SessionClaims { sid: id.to_string(), ver: 7, delegation: None };
                snapshot.admits(&in_session(session))
            };
            assert!(revoked.iter().all(|id| admits(id) == Err(Revoked::Session)), "{count}");
            assert!(others.iter().all(|id| admits(id).is_ok()), "{count}");
            let (bytes, held) = (snapshot.bytes(), snapshot.len());
            assert!(held == ids.len() / 2 && (20 * held..=21 * held + 8).contains(&bytes), "{bytes} for {held}");
        }
    }
}
