//! Instances that live on while the keys of their secret change.

use auth_core::entropy::OsEntropy;
use auth_core::generate;
use auth_core::id::{SessionId, UserId};
use auth_core::refresh_token::Nonce;
use auth_core::time::{ManualClock, UnixTime};
use auth_watch::key_watch::NoKeys;

use super::*;
use crate::material::Material;
use crate::secret::server::Server;
use crate::test_server::Answer;
use crate::vault::VAULT_TIMEOUT;

const START: UnixTime = UnixTime::from_seconds(1_800_000_000);
const SECOND: Duration = Duration::from_secs(1);
/// So long, what a bug would wait for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A secret, the keys that were ever in it, and a clock.
struct World {
    server: Server,
    keys: Vec<String>,
    clock: Arc<ManualClock>,
}

impl World {
    /// Keys with the ids 0, 1 and 2, of which the secret has this one.
    async fn start(first: usize) -> Self {
        let keys = (0..3).map(|id| generate::refresh_key(id, &OsEntropy).unwrap()).collect();
        let server = Server::start(None).await;
        let world = Self { server, keys, clock: Arc::new(ManualClock::new(START)) };
        world.put(&[first]);
        world
    }

    /// The secret has these keys from now on.
    fn put(&self, keys: &[usize]) {
        let text = keys.iter().map(|&key| self.keys[key].as_str()).collect::<Vec<_>>().join(",");
        self.server.put(&Material::default().with_refresh_keys(text).json().unwrap());
    }

    async fn instance(&self) -> HeldRefreshKeys {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let watch = watch(Vault::Secret(self.server.vault()), clock).await.unwrap();
        self.server.calls();
        HeldRefreshKeys::Watched(Box::new(watch))
    }

    /// A token under one of the keys.
    fn token(&self, key: usize) -> String {
        seal(&RefreshKeys::parse(&self.keys[key]).unwrap())
    }
}

fn seal(keys: &RefreshKeys) -> String {
    let (user, session) = (UserId::from_bytes([7; 16]), SessionId::from_bytes([8; 16]));
    keys.seal(user, session, 1, &Nonce::from_bytes([9; 16])).to_string()
}

/// What becomes of a token: its refusal, if it is refused.
async fn refusal(keys: &HeldRefreshKeys, token: &str) -> Result<Option<NotOurs>, NoKeys> {
    Ok(keys.open(token).await?.err())
}

async fn ids(keys: &HeldRefreshKeys) -> Vec<u8> {
    keys.known().await.unwrap().ids().collect()
}

#[tokio::test]
async fn a_key_may_be_put_first_at_once() {
    let world = World::start(1).await;
    let (one, other) = (world.instance().await, world.instance().await);
    world.put(&[2, 1]);
    let young = world.instance().await;
    let token = seal(&young.known().await.unwrap());
    assert_eq!(token, world.token(2), "who starts makes tokens with it");
    for (name, instance) in [("one", one), ("the other", other)] {
        assert_eq!(ids(&instance).await, [1], "{name}");
        assert_eq!(refusal(&instance, &token).await, Ok(None), "{name}");
        assert_eq!(refusal(&instance, &world.token(1)).await, Ok(None), "{name}");
        assert_eq!((ids(&instance).await, world.server.calls()), (vec![2, 1], 1), "{name}: one call");
    }
}

#[tokio::test]
async fn a_storm_of_unknown_ids_costs_a_read_in_ten_seconds_and_a_forgery_none() {
    let world = World::start(1).await;
    let keys = world.instance().await;
    let (unknown, good) = (world.token(0), world.token(1));
    let forged = format!("{}AAAA", &good[..good.len() - 4]);
    for number in 0..1000 {
        assert_eq!(refusal(&keys, &forged).await, Ok(Some(NotOurs::Forged)), "{number}");
    }
    assert_eq!(world.server.calls(), 0, "a wrong MAC under a known key");
    for second in 0..20 {
        for number in 0..100 {
            assert_eq!(refusal(&keys, &unknown).await, Ok(Some(NotOurs::UnknownKey)), "{second}: {number}");
        }
        assert_eq!(refusal(&keys, &good).await, Ok(None));
        assert_eq!(world.server.calls(), usize::from(second % 10 == 0), "second {second}");
        world.clock.advance(SECOND);
    }
}

#[tokio::test]
async fn a_key_that_was_dropped_is_unknown_when_the_copy_is_overdue() {
    let world = World::start(1).await;
    world.put(&[2, 1]);
    let (keys, other) = (world.instance().await, world.instance().await);
    let (dropped, kept) = (world.token(1), world.token(2));
    world.put(&[2]);
    assert_eq!(refusal(&keys, &dropped).await, Ok(None), "nobody knows yet");
    world.clock.advance(PACE.firm);
    assert_eq!(refusal(&keys, &dropped).await, Ok(Some(NotOurs::UnknownKey)));
    assert_eq!(world.server.calls(), 1, "who has waited for the keys looks nothing up");
    assert_eq!(refusal(&keys, &kept).await, Ok(None));
    assert_eq!(ids(&other).await, [2], "who makes tokens waits, too");
}

/// Half of the pace: nobody waits, and it is done beside what a request does.
#[tokio::test]
async fn an_old_copy_is_read_again_beside_the_work() {
    let world = World::start(1).await;
    let keys = world.instance().await;
    world.put(&[2, 1]);
    world.clock.advance(PACE.soft.saturating_sub(SECOND));
    keys.beside(tokio::task::yield_now()).await;
    assert_eq!(world.server.calls(), 0);
    world.clock.advance(SECOND);
    let work = async {
        while ids(&keys).await == [1] {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, keys.beside(work)).await.expect("it goes on beside the work");
    assert_eq!((ids(&keys).await, world.server.calls()), (vec![2, 1], 1));
}

#[tokio::test]
async fn without_the_secret_the_last_good_keys_serve_for_an_hour() {
    let world = World::start(1).await;
    let keys = world.instance().await;
    let (good, unknown) = (world.token(1), world.token(0));
    world.server.answers(Some(Answer::error(400, "AccessDeniedException")));
    for minute in 0..=60 {
        let opened = keys.beside(refusal(&keys, &good)).await;
        assert_eq!(opened, Ok(None), "minute {minute}");
        assert_eq!(refusal(&keys, &unknown).await, Err(NoKeys), "minute {minute}: nobody knows whether there is one");
        assert_eq!(refusal(&keys, &unknown).await, Err(NoKeys), "minute {minute}: nor who asks soon after");
        assert!(world.server.calls() <= 2, "minute {minute}");
        world.clock.advance(60 * SECOND);
    }
    assert_eq!(refusal(&keys, &good).await, Err(NoKeys));
    assert_eq!(keys.known().await.err(), Some(NoKeys));
    world.server.answers(None);
    world.clock.advance(RETRY);
    assert_eq!(refusal(&keys, &good).await, Ok(None));
}

#[tokio::test]
async fn keys_that_somebody_has_spoilt_are_not_taken() {
    for text in ["", "{}", "[]", r#"{"refresh_keys":""}"#, r#"{"refresh_keys":"2:AAAA"}"#] {
        let world = World::start(1).await;
        let keys = world.instance().await;
        world.server.put(text);
        assert_eq!(refusal(&keys, &world.token(2)).await, Err(NoKeys), "{text}");
        assert_eq!(refusal(&keys, &world.token(1)).await, Ok(None), "{text}");
    }
}

#[tokio::test]
async fn nobody_waits_long_for_a_secret_that_is_silent() {
    let world = World::start(1).await;
    let keys = world.instance().await;
    world.server.answers(Some(Answer::Silence));
    let unknown = world.token(2);
    let waited = tokio::time::timeout(VAULT_TIMEOUT + SECOND, refusal(&keys, &unknown)).await;
    assert_eq!(waited, Ok(Err(NoKeys)));
    let again = async { (refusal(&keys, &unknown).await, refusal(&keys, &world.token(1)).await) };
    let at_once = tokio::time::timeout(VAULT_TIMEOUT / 2, again).await;
    assert_eq!(at_once, Ok((Err(NoKeys), Ok(None))), "nobody waits again");
}

#[tokio::test]
async fn keys_of_the_environment_stay_as_they_are() {
    let world = World::start(1).await;
    let look_up = |name: &str| (name == "REFRESH_KEYS").then(|| world.keys[1].clone());
    let keys = HeldRefreshKeys::from_variables(&Variables::new(&look_up)).unwrap();
    let clock = Arc::clone(&world.clock) as Arc<dyn Clock>;
    let keys = keys.bind(&clock).await.unwrap();
    world.clock.advance(2 * PACE.hard);
    assert_eq!(keys.beside(ids(&keys)).await, [1]);
    assert_eq!(refusal(&keys, &world.token(1)).await, Ok(None));
    assert_eq!(refusal(&keys, &world.token(2)).await, Ok(Some(NotOurs::UnknownKey)));
}

#[tokio::test]
async fn a_start_without_keys_is_one_clear_line() {
    let file = std::env::temp_dir().join(format!("countersign-no-refresh-keys-{}", std::process::id()));
    let look_up = |name: &str| (name == "KEY_FILE").then(|| file.to_str().unwrap().to_owned());
    let unbound = HeldRefreshKeys::from_variables(&Variables::new(&look_up)).unwrap();
    assert_eq!(unbound.known().await.err(), Some(NoKeys));
    assert_eq!(refusal(&unbound, "csr_").await, Err(NoKeys));
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(START));
    let line = unbound.bind(&clock).await.unwrap_err().to_string();
    assert!(line.starts_with("KEY_FILE: ") && line.contains("no usable keys of refresh tokens"), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
}
