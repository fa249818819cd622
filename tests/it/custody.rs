//! Who keeps keys looks twice: whether the private halves are those of the ring, whether all is done, and when a kill is stamped.

use std::time::Duration;

use auth_core::config::Variables;
use auth_core::entropy::OsEntropy;
use auth_core::generate;
use auth_core::key_ring::kill::Successor;
use auth_core::key_ring::{Custody, KeyState, RingKey};
use auth_core::time::Clock as _;
use auth_dynamodb::key_ring::RingChange;
use auth_keys::keeper::{Deed, KeepError, Keeper};
use serde_json::{Value, json};

use crate::harness::{SECOND, START, engine};
use crate::rotating::Rotating;
use crate::wire::Wire;

const DAY: Duration = Duration::from_hours(24);

/// Keeps the ring of one world with the file of another.
async fn confused(ring: &Rotating, file: &Rotating) -> Keeper {
    let look_up = |name: &str| match name {
        "KEY_FILE" => Some(file.file.to_str().unwrap().to_owned()),
        "SIGNING_ALGORITHM" => Some("EdDSA".to_owned()),
        _ => None,
    };
    Keeper::from_variables(&Variables::new(&look_up), ring.api.store.clone()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_rings_gets_no_key_and_moves_no_turn() {
    let (world, other) = (Rotating::start("EdDSA").await, Rotating::start("EdDSA").await);
    let confused = confused(&world, &other).await;
    let (ring, kept) = (world.keeper.ring().await.unwrap(), other.kept());
    let signer = world.kid_of(KeyState::Active).await;
    let now = world.api.clock.now();
    let is_told = |done: Result<(), KeepError>| matches!(done, Err(KeepError::NotHeld(kid)) if kid == signer);
    assert!(is_told(confused.rotate(&OsEntropy, now).await.map(drop)), "a turn");
    assert!(is_told(confused.keep(&OsEntropy, now + 29 * DAY).await.map(drop)), "a key after the next one");
    assert_eq!((world.keeper.ring().await.unwrap(), other.kept()), (ring, kept));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_is_not_moved_to_a_key_that_is_lost() {
    let world = Rotating::start("EdDSA").await;
    let (next, now) = (world.kid_of(KeyState::Next).await, world.api.clock.now());
    world.change_kept(|kept| drop(kept["signing_keys"].as_object_mut().unwrap().remove(&next)));
    let rotated = world.keeper.rotate(&OsEntropy, now).await;
    assert!(matches!(&rotated, Err(KeepError::NotHeld(kid)) if *kid == next), "{rotated:?}");
}

/// Nothing keeps a key that leaked alive: neither what is named wrongly, nor what is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_is_done_without_the_vault_and_makes_no_key_where_none_of_the_ring_is() {
    let (world, other) = (Rotating::start("EdDSA").await, Rotating::start("EdDSA").await);
    let (confused, kept) = (confused(&world, &other).await, other.kept());
    let token = world.api.login().await.access;
    assert_eq!(world.api.introspect(&token).await.json()["active"], true);
    let [first, second] = [world.kid_of(KeyState::Active).await, world.kid_of(KeyState::Next).await];
    let clock = world.api.clock.as_ref();
    let killed = confused.kill(&first, &OsEntropy, clock).await.unwrap();
    assert_eq!(killed, Successor::Key { kid: second.clone(), is_new: true });
    assert_eq!(confused.kill(&second, &OsEntropy, clock).await.unwrap(), Successor::Nobody);
    assert_eq!(other.kept(), kept);
    assert_eq!(world.published().await, [first, second], "as an instance still knows it");
    world.api.wait(60 * SECOND);
    assert_eq!(world.published().await, Vec::<String>::new(), "all are dead, and that is known");
    assert_eq!(world.api.introspect(&token).await.json()["active"], false);
    assert_eq!(world.keep().await.len(), 2, "the function makes what signs, and the next one");
    assert_eq!(world.states().await, ["killed", "killed", "active", "next"]);
}

/// Neither does a vault that cannot be read.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_is_done_while_no_successor_can_be_made() {
    let world = Rotating::start("EdDSA").await;
    let clock = world.api.clock.as_ref();
    let [first, second] = [world.kid_of(KeyState::Active).await, world.kid_of(KeyState::Next).await];
    world.keeper.kill(&first, &OsEntropy, clock).await.unwrap();
    let whole = world.kept();
    std::fs::write(&world.file, "[]").unwrap();
    assert_eq!(world.keeper.kill(&second, &OsEntropy, clock).await.unwrap(), Successor::Nobody);
    assert_eq!(world.states().await, ["killed", "killed"]);
    std::fs::write(&world.file, whole.to_string()).unwrap();
    world.api.wait(SECOND);
    world.keep().await;
    assert_eq!(world.states().await, ["killed", "killed", "active", "next"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_that_were_cut_off_have_left_goes_with_the_next_key() {
    let world = Rotating::start("EdDSA").await;
    let orphan = |text: &str, made_at: u64| json!({"algorithm": "ES256", "key": text, "made_at": made_at});
    let text = generate::signing_key("ES256", &OsEntropy).unwrap();
    let later = START + 29 * DAY;
    world.change_kept(|kept| {
        kept["signing_keys"]["old"] = orphan(&text, START.millis());
        kept["signing_keys"]["young"] = orphan(&text, later.millis());
    });
    assert!(matches!(world.keeper.keep(&OsEntropy, later).await.unwrap()[..], [Deed::Made { .. }]));
    let kept = world.kept();
    let kids: Vec<&String> = kept["signing_keys"].as_object().unwrap().keys().collect();
    assert!(kids.len() == 4 && kept["signing_keys"]["old"] == Value::Null, "{kids:?}");
    assert!(kept["signing_keys"]["young"].is_object(), "its run may be under way");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_not_done_with_everything_says_so() {
    let world = Rotating::start("EdDSA").await;
    let dead = |_| {
        let text = generate::signing_key("EdDSA", &OsEntropy).unwrap();
        let look_up = |name: &str| Some(if name == "SIGNING_KEY" { text.clone() } else { "EdDSA".to_owned() });
        let jwk = Variables::new(&look_up).signing_key().unwrap().jwk().clone();
        let mut key = RingKey::new(jwk, Custody::Secret, START, START.before(DAY)).unwrap();
        key.killed_at = Some(START.before(7 * DAY));
        RingChange::Put(Box::new(key))
    };
    let changes: Vec<_> = (0..30).map(dead).collect();
    world.api.store.change_ring(&world.keeper.ring().await.unwrap(), &changes).await.unwrap();
    let first = world.keeper.keep(&OsEntropy, START).await;
    assert!(matches!(first, Err(KeepError::Busy)), "{first:?}");
    assert_eq!(world.keep().await.len(), 10, "the next one goes on");
}

/// Readers look for an entry around its stamp, so the stamp is that of the write, however long what came before it took.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_is_stamped_when_it_is_written() {
    let wire = Wire::to(engine().await).await;
    let world = Rotating::start_on(wire.endpoint.clone(), "EdDSA").await;
    let (kid, clock) = (world.kid_of(KeyState::Active).await, &world.api.clock);
    let hold = wire.hold("Query", 0);
    let slowly = async {
        hold.reached.notified().await;
        clock.advance(60 * SECOND);
        hold.let_go.notify_one();
    };
    let (killed, ()) = tokio::join!(world.keeper.kill(&kid, &OsEntropy, clock.as_ref()), slowly);
    assert!(matches!(killed, Ok(Successor::Key { .. })), "{killed:?}");
    let entries = world.api.store.journal(0, START, None).await.unwrap().items;
    assert_eq!(entries.iter().map(|entry| entry.at).collect::<Vec<_>>(), [START + 60 * SECOND]);
    assert_eq!(world.keeper.ring().await.unwrap().find(&kid).unwrap().killed_at, Some(START + 60 * SECOND));
}
