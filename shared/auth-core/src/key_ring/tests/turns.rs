//! A thousand turns under load: instances whose copies of the ring are as old as they may be, clocks that differ, kills.

use std::collections::VecDeque;

use super::*;
use crate::id::{SessionId, TokenId, UserId};
use crate::issuer::Issuer;
use crate::journal::{Entry, Revocation};
use crate::jwt::{Rejection, Signer, Verifier};
use crate::key::ALGORITHMS;
use crate::key_ring::kill::Successor;
use crate::login::LoginName;
use crate::policy::SessionPolicy;
use crate::refresh_token::Nonce;
use crate::scope::{Roles, Scope};
use crate::session::Session;
use crate::snapshot::Snapshot;
use crate::user::{Status, User};

const TURNS: usize = 1000;
const POOL: usize = 10;
const STEP: Duration = Duration::from_mins(30);
/// The default of `MAX_STALENESS_SECONDS`.
const BOUND: Duration = Duration::from_secs(15);
const CLOCK_ERROR: Duration = Duration::from_secs(5);

/// Chance that repeats itself.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % bound
    }

    fn up_to(&mut self, longest: Duration) -> Duration {
        Duration::from_millis(self.below(u64::try_from(longest.as_millis()).unwrap() + 1))
    }

    /// The same instant by somebody's clock.
    fn skewed(&mut self, now: UnixTime) -> UnixTime {
        now.before(CLOCK_ERROR) + self.up_to(2 * CLOCK_ERROR)
    }
}

struct Token {
    text: String,
    kid: String,
    exp: UnixTime,
}

/// What was counted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    turns: usize,
    kills: usize,
    checks: usize,
    false_401: usize,
    accepted_of_killed: usize,
}

struct World {
    algorithm: Algorithm,
    pool: Vec<Signer>,
    issuer: Issuer,
    user: User,
    now: UnixTime,
    /// The ring as it was since these instants: a copy is one of them.
    history: VecDeque<(UnixTime, KeyRing)>,
    journal: Vec<Entry>,
    tokens: Vec<Token>,
    dice: Dice,
    count: Count,
}

impl World {
    fn begin(algorithm: Algorithm) -> Self {
        let pool = (0..POOL).map(|_| Signer::new(signing_key(algorithm))).collect();
        let user = User {
            id: UserId::from_bytes([1; 16]),
            login_name: LoginName::parse("alice").unwrap(),
            status: Status::Active,
            ver: 1,
            floor: 0,
            roles: Roles::default(),
            scope: Scope::default(),
        };
        let mut world = Self {
            algorithm,
            pool,
            issuer: Issuer { iss: "https://i".to_owned(), aud: "api".to_owned(), ttl: ACCESS_TTL_BOUNDS.1 },
            user,
            now: NOW,
            history: VecDeque::from([(UnixTime::default(), KeyRing::default())]),
            journal: Vec::new(),
            tokens: Vec::new(),
            dice: Dice(7),
            count: Count::default(),
        };
        world.keep_up();
        world
    }

    fn ring(&self) -> &KeyRing {
        &self.history.back().unwrap().1
    }

    fn change(&mut self, change: impl FnOnce(&mut Vec<RingKey>)) {
        let mut keys = self.ring().keys().to_vec();
        change(&mut keys);
        let ring = KeyRing::new(self.ring().version() + 1, keys);
        self.history.push_back((self.now, ring));
        while self.history.len() > 16 {
            self.history.pop_front();
        }
    }

    /// What the scheduled function does.
    fn keep_up(&mut self) {
        let policy = RotationPolicy { algorithm: self.algorithm, custody: CustodyKind::Secret, every: DAY };
        while let Some(upkeep) = self.ring().upkeep(policy, self.now) {
            match upkeep {
                Upkeep::Forget { kid } => self.change(|keys| keys.retain(|key| key.kid() != kid)),
                Upkeep::Make { signs_from } => {
                    let free = self.pool.iter().find(|key| self.ring().find(key.key().kid()).is_none());
                    let jwk = free.unwrap().key().jwk().clone();
                    let made = RingKey::new(jwk, Custody::Secret, self.now, signs_from).unwrap();
                    self.change(|keys| keys.push(made));
                }
            }
        }
    }

    /// What an operator does: the next key's turn has come with it.
    fn kill(&mut self) {
        let (now, ring) = (self.now, self.ring());
        let signer = ring.signer(now).unwrap();
        let (kid, kill) = (signer.kid().to_owned(), ring.kill(signer, None, now));
        assert!(matches!(kill.successor, Successor::Key { .. }), "{kill:?}");
        self.change(|keys| {
            keys.retain(|key| kill.changed.iter().all(|changed| changed.kid() != key.kid()));
            keys.extend(kill.changed);
        });
        self.journal.retain(|entry| entry.until > now);
        self.journal.push(Entry { revocation: Revocation::key(&kid), at: now, until: now + LONGEST_KEEP });
        self.count.kills += 1;
    }

    /// The ring as it was a while ago.
    fn copy(&mut self, oldest: Duration) -> KeyRing {
        let read_at = self.now.before(self.dice.up_to(oldest));
        self.history.iter().rev().find(|(since, _)| *since <= read_at).unwrap().1.clone()
    }

    fn mint(&mut self) {
        let (ring, now) = (self.copy(RING_MAX_AGE), self.dice.skewed(self.now));
        let kid = ring.signer(now).unwrap().kid();
        let signer = self.pool.iter().find(|key| key.key().kid() == kid).unwrap();
        let (id, nonce) = (SessionId::from_bytes([2; 16]), Nonce::from_bytes([0; 16]));
        let session = Session {
            client_id: "app".to_owned(),
            ..Session::begin(self.user.id, id, nonce, &SessionPolicy::default(), now)
        };
        let jti = TokenId::from_bytes([3; 16]);
        let minted = self.issuer.mint(signer, &self.user, &session, &Scope::default(), jti, now).unwrap();
        self.tokens.push(Token { text: minted.text, kid: kid.to_owned(), exp: now + minted.expires_in });
    }

    fn verifier(&self, ring: &KeyRing, at: UnixTime) -> Verifier {
        let keys = KeySet::from_jwks(&ring.jwks(at)).unwrap();
        Verifier::new(self.issuer.iss.clone(), self.issuer.aud.clone(), keys)
    }

    /// All tokens that live, at one authorizer of ours and at one verifier that knows nothing but a JWK Set.
    fn check(&mut self) {
        let now = self.dice.skewed(self.now);
        self.tokens.retain(|token| token.exp > now);
        let (copy, read_at) = (self.copy(RING_MAX_AGE), self.now.before(self.dice.up_to(RING_MAX_AGE)));
        let ours = self.verifier(&copy, read_at);
        let fresh = self.verifier(self.ring(), now);
        let foreign = self.copy(RING_MAX_AGE + DOCUMENT_MAX_AGE + VERIFIER_CACHE);
        let foreign = self.verifier(&foreign, read_at);
        let (mut snapshot, known_until) = (Snapshot::default(), self.now.before(self.dice.up_to(BOUND)));
        let known = self.journal.iter().filter(|entry| entry.at <= known_until && entry.until > self.now);
        let marks = known.map(|entry| snapshot.digests().mark(entry)).collect();
        snapshot.absorb(marks, self.now);
        for token in &self.tokens {
            // A name that is not known is looked up.
            let believed = match ours.verify(&token.text, now) {
                Err(Rejection::UnknownKey) => fresh.verify(&token.text, now),
                believed => believed,
            };
            let accepted = believed.is_ok_and(|claims| snapshot.admits(&claims).is_ok());
            let killed_at = self.ring().find(&token.kid).and_then(|key| key.killed_at);
            self.count.checks += 1;
            match killed_at {
                None if !accepted => self.count.false_401 += 1,
                None if foreign.verify(&token.text, now).is_err() => self.count.false_401 += 1,
                Some(killed_at) if accepted && killed_at + BOUND < self.now => self.count.accepted_of_killed += 1,
                _ => {}
            }
        }
    }

    /// From a little before the next key's turn until the last token of the one before it has expired.
    fn turn(&mut self) {
        let turn = self.ring().next(self.now).unwrap().signs_from;
        self.now = self.now.max(turn.before(DAY / 2));
        self.keep_up();
        self.now = self.now.max(turn.before(3 * STEP));
        let end = turn + RETIRE_AFTER + 2 * STEP;
        let kill = (self.dice.below(4) == 0).then(|| turn + self.dice.up_to(2 * RETIRE_AFTER / 3));
        let mut killed = false;
        while self.now < end {
            self.keep_up();
            if !killed && kill.is_some_and(|at| at <= self.now) {
                self.kill();
                killed = true;
                self.check();
                self.now = self.now + BOUND + Duration::from_millis(1);
            }
            self.mint();
            self.check();
            self.now = self.now + STEP / 2 + self.dice.up_to(STEP);
        }
        self.count.turns += 1;
    }
}

fn run(algorithm: Algorithm) {
    let mut world = World::begin(algorithm);
    for _ in 0..TURNS {
        world.turn();
    }
    let Count { turns, kills, checks, false_401, accepted_of_killed } = &world.count;
    println!(
        "{algorithm:?}: {turns} rotations, {kills} kills, {checks} checks: {false_401} false 401, \
         {accepted_of_killed} tokens of a killed key accepted after the bound"
    );
    assert!(*kills > TURNS / 8 && *checks > 5 * TURNS, "{:?}", world.count);
    assert_eq!((*false_401, *accepted_of_killed), (0, 0), "{algorithm:?}");
}

#[test]
fn a_thousand_turns_cost_nobody_a_401_and_a_killed_key_is_dead() {
    std::thread::scope(|scope| {
        ALGORITHMS.map(|algorithm| scope.spawn(move || run(algorithm))).map(|run| run.join().unwrap())
    });
}
