use super::*;
use crate::entropy::OsEntropy;
use crate::generate;
use crate::journal::LONGEST_KEEP;
use crate::key::SigningKey;
use crate::key_ring::kill::Successor;

mod turns;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);
const MONTH: Duration = Duration::from_hours(30 * 24);
const POLICY: RotationPolicy =
    RotationPolicy { algorithm: Algorithm::EdDSA, custody: CustodyKind::Secret, every: MONTH };

fn signing_key(algorithm: Algorithm) -> SigningKey {
    let text = generate::signing_key(&format!("{algorithm:?}"), &OsEntropy).unwrap();
    SigningKey::parse(algorithm, &text).unwrap()
}

/// A key that was made long before its turn.
fn key(signs_from: UnixTime) -> RingKey {
    let jwk = signing_key(Algorithm::EdDSA).jwk().clone();
    RingKey::new(jwk, Custody::Secret, signs_from.before(MONTH), signs_from).unwrap()
}

fn killed(signs_from: UnixTime, killed_at: UnixTime) -> RingKey {
    RingKey { killed_at: Some(killed_at), ..key(signs_from) }
}

fn states(ring: &KeyRing, now: UnixTime) -> Vec<&'static str> {
    ring.keys().iter().map(|key| ring.state(key, now).name()).collect()
}

#[test]
fn what_a_key_is_follows_from_the_ring_and_the_instant() {
    let ring = KeyRing::new(1, vec![key(NOW + MONTH), key(NOW), key(NOW + 2 * MONTH)]);
    let turn = NOW + MONTH;
    let cases = [
        ("before the first turn", NOW.before(SECOND), ["active", "next", "next"]),
        ("the first turn", NOW, ["active", "next", "next"]),
        ("a moment before the second", turn.before(Duration::from_millis(1)), ["active", "next", "next"]),
        ("the second turn", turn, ["retiring", "active", "next"]),
        ("the last moment", turn + RETIRE_AFTER.saturating_sub(SECOND), ["retiring", "active", "next"]),
        ("all of its tokens have expired", turn + RETIRE_AFTER, ["retired", "active", "next"]),
        ("the third turn", turn + MONTH, ["retired", "retiring", "active"]),
        ("for ever", turn + 12 * MONTH, ["retired", "retired", "active"]),
    ];
    for (name, now, expected) in cases {
        assert_eq!(states(&ring, now), expected, "{name}");
        let published: Vec<_> = ring.jwks(now).keys.into_iter().map(|jwk| jwk.common.key_id.unwrap()).collect();
        let expected = ring.keys().iter().zip(expected).filter(|(_, state)| *state != "retired");
        assert_eq!(published, expected.map(|(key, _)| key.kid().to_owned()).collect::<Vec<_>>(), "{name}");
    }
}

/// What the table keeps of a key, and what a line of the log may show of it.
#[test]
fn the_public_half_is_a_jwk_and_a_shared_key_has_none() {
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA, Algorithm::HS256] {
        let jwk = signing_key(algorithm).jwk().clone();
        let key = RingKey::new(jwk, Custody::Secret, NOW, NOW).unwrap();
        let public = key.public_jwk();
        let read = public.map(|jwk| RingKey::parse(&jwk, Custody::Secret, NOW, NOW).unwrap());
        assert_eq!(
            read.map(|read| read.kid().to_owned()),
            (algorithm != Algorithm::HS256).then(|| key.kid().to_owned())
        );
        let shown = format!("{key:?}");
        assert!(shown.contains(key.kid()) && !shown.contains("jwk"), "{shown}");
    }
}

#[test]
fn after_a_kill_the_next_turn_has_come() {
    let hour = Duration::from_hours(1);
    let (turn, now) = (NOW + MONTH, NOW + MONTH + hour);
    let cases = [
        ("the signer", vec![key(NOW), killed(turn, now), key(now + DAY)], vec!["retiring", "killed", "active"]),
        ("the signer, and its successor's turn is now", vec![killed(NOW, now), key(now)], vec!["killed", "active"]),
        ("the same by a clock that is behind", vec![killed(NOW, now), key(now + SECOND)], vec!["killed", "active"]),
        ("all", vec![killed(NOW, now), killed(turn, now)], vec!["killed", "killed"]),
        ("the next one", vec![key(NOW), killed(now + DAY, now)], vec!["active", "killed"]),
        ("one that was next, whose turn would be now", vec![key(NOW), killed(turn, NOW)], vec!["active", "killed"]),
        ("a retiring one", vec![killed(NOW, now), key(turn)], vec!["killed", "active"]),
    ];
    for (name, keys, expected) in cases {
        assert_eq!(states(&KeyRing::new(1, keys), now), expected, "{name}");
    }
    // Who was superseded once does not sign again, or its last tokens would outlive it.
    let ring = KeyRing::new(1, vec![key(NOW), killed(turn, now)]);
    assert_eq!((states(&ring, now), ring.signer(now)), (vec!["retiring", "killed"], None));
}

#[test]
fn a_kill_lets_the_next_key_sign() {
    let now = NOW + DAY;
    let [signer, next, spare] = [key(NOW), key(NOW + MONTH), RingKey { made_at: now, ..key(now) }];
    let [retiring, young] = [key(NOW.before(MONTH)), RingKey { made_at: now.before(SECOND), ..next.clone() }];
    let after = |key: &RingKey, is_new| Successor::Key { kid: key.kid().to_owned(), is_new };
    let cases = [
        ("the signer", &signer, vec![&signer, &next], None, after(&next, false)),
        ("the signer, before the next one is known", &signer, vec![&signer, &young], None, after(&young, true)),
        ("the signer, without a next one", &signer, vec![&signer], None, Successor::Nobody),
        ("the signer, for one that was made", &signer, vec![&signer], Some(&spare), after(&spare, true)),
        ("the next one", &next, vec![&signer, &next], None, Successor::Unchanged),
        ("a retiring one", &retiring, vec![&retiring, &signer], None, Successor::Unchanged),
    ];
    for (name, victim, keys, spare, expected) in cases {
        let ring = KeyRing::new(1, keys.into_iter().cloned().collect());
        let kill = ring.kill(victim, spare.cloned(), now);
        assert_eq!(kill.successor, expected, "{name}");
        let lacks = ring.lacks_successor(victim.kid(), now);
        assert_eq!(lacks, spare.is_some() || expected == Successor::Nobody, "{name}");
        let changed = |key: &RingKey| kill.changed.iter().find(|changed| changed.kid() == key.kid()).cloned();
        let others = ring.keys().iter().map(|key| changed(key).unwrap_or_else(|| key.clone()));
        let new = spare.and_then(changed);
        let ring = KeyRing::new(2, others.chain(new).collect());
        assert_eq!(changed(victim).unwrap().killed_at, Some(now), "{name}");
        let signs = ring.signer(now).map(|key| key.kid().to_owned());
        match expected {
            Successor::Unchanged => assert_eq!(signs.as_deref(), Some(signer.kid()), "{name}"),
            Successor::Key { kid, .. } => assert_eq!(signs, Some(kid), "{name}"),
            Successor::Nobody => assert_eq!(signs, None, "{name}"),
        }
    }
    let dead = killed(NOW, NOW);
    let again = KeyRing::new(1, vec![dead.clone()]).kill(&dead, None, now);
    assert_eq!(again.changed, [dead], "killed once and for all");
}

#[test]
fn without_keys_nothing_is_checked_and_without_living_ones_nothing_is_believed() {
    assert_eq!(KeyRing::default().key_set(NOW).err(), Some(KeyError::Set));
    let count = |ring: &KeyRing| ring.key_set(NOW).map(|keys| keys.into_keys().count());
    assert_eq!(count(&KeyRing::new(1, vec![killed(NOW, NOW)])), Ok(0));
    assert_eq!(count(&KeyRing::new(1, vec![key(NOW), key(NOW + MONTH)])), Ok(2));
}

#[test]
fn a_ring_gets_what_it_lacks_one_thing_at_a_time() {
    let turn = NOW + MONTH;
    let make = |signs_from| Some(Upkeep::Make { signs_from });
    let forget = |ring: &KeyRing, at: usize| Some(Upkeep::Forget { kid: ring.keys()[at].kid().to_owned() });
    let other = RotationPolicy { algorithm: Algorithm::ES256, ..POLICY };
    let ring = |keys| KeyRing::new(0, keys);
    let two = || ring(vec![key(NOW), key(turn)]);
    assert_eq!(ring(vec![]).upkeep(POLICY, NOW), make(NOW), "the first key signs at once");
    assert_eq!(ring(vec![key(NOW)]).upkeep(POLICY, NOW), make(turn), "the next one when the first has done its time");
    assert_eq!(
        ring(vec![key(NOW)]).upkeep(POLICY, turn + DAY),
        make(turn + DAY + PUBLISH_WAIT),
        "late, but not at once"
    );
    assert_eq!(two().upkeep(POLICY, turn.before(LEAD + SECOND)), None);
    assert_eq!(two().upkeep(POLICY, turn.before(LEAD)), make(turn + MONTH), "before the next one's turn");
    let three = ring(vec![key(NOW), key(turn), key(turn + MONTH)]);
    assert_eq!(three.upkeep(POLICY, turn + RETIRE_AFTER), None, "what has retired is listed for a day");
    assert_eq!(three.upkeep(POLICY, turn + RETIRE_AFTER + DAY), forget(&three, 0));
    let after_a_kill = ring(vec![killed(NOW, NOW + DAY), key(NOW + DAY), key(turn)]);
    assert_eq!(after_a_kill.upkeep(POLICY, NOW + 2 * DAY.saturating_sub(SECOND)), None);
    assert_eq!(after_a_kill.upkeep(POLICY, NOW + 2 * DAY), forget(&after_a_kill, 0));
    let dead = ring(vec![killed(NOW, NOW)]);
    assert_eq!(dead.upkeep(POLICY, NOW + SECOND), make(NOW + SECOND), "nobody signs: at once");
    assert_eq!(dead.upkeep(POLICY, NOW), make(NOW + Duration::from_millis(1)), "but after whoever did");
    let outdated = two();
    assert_eq!(outdated.upkeep(other, NOW), forget(&outdated, 1), "a next key of another algorithm");
    let moved = RotationPolicy { custody: CustodyKind::Kms, ..POLICY };
    assert_eq!(outdated.upkeep(moved, NOW), forget(&outdated, 1), "a next key in other custody");
    assert_eq!(outdated.upkeep(other, turn.before(PUBLISH_WAIT)), make(turn + MONTH), "unless its turn is near");
}

#[test]
fn a_turn_comes_early_only_for_what_everybody_knows() {
    let made = |made_at| RingKey { made_at, ..key(NOW + MONTH) };
    let turn = |made_at| KeyRing::new(0, vec![key(NOW), made(made_at)]).earliest_turn(NOW + DAY);
    assert_eq!(turn(NOW), Some(NOW + DAY));
    assert_eq!(turn(NOW + DAY), Some(NOW + DAY + PUBLISH_WAIT));
    assert_eq!(KeyRing::new(0, vec![key(NOW)]).earliest_turn(NOW), None);
}

#[test]
fn the_waits_are_those_of_whoever_holds_a_copy() {
    assert_eq!(PUBLISH_WAIT.as_secs(), 3600 + 300 + 7200 + 10);
    assert_eq!(RETIRE_AFTER.as_secs(), 3600 + 10 + 3600 + 30 + 10);
    // The journal tells of a killed key until no copy of the ring can have it.
    assert!(RING_MAX_AGE + SKEW < LONGEST_KEEP);
}
