//! Other issuers, good and bad, over loopback.

mod idp;

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use auth_core::config::Variables;
use auth_core::foreign::ForeignClaims;
use auth_core::jwt::Rejection;
use auth_core::time::{Clock, ManualClock, UnixTime};
use auth_watch::key_watch::NoKeys;
use auth_watch::pace::RETRY;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use self::idp::{Idp, Key, Page, ok, set, with_status};
use crate::fetch::MAX_LENGTH;
use crate::issuers::{Issuers, Named};
use crate::trusted::PACE;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const SECOND: Duration = Duration::from_secs(1);
const ISS: &str = "https://idp.example/";
const OWN: &str = "https://auth.example";

/// What becomes of a token.
type Judged = Result<Result<ForeignClaims, Rejection>, NoKeys>;

fn terms(iss: &str, uri: &str) -> Value {
    json!({"issuer": iss, "audience": "api", "algorithms": ["EdDSA", "ES256", "RS256"], "jwks_uri": uri})
}

fn issuers(list: &Value, clock: &Arc<ManualClock>) -> Issuers {
    let list = list.to_string();
    let look_up = |name: &str| match name {
        "ISSUER" => Some(OWN.to_owned()),
        "TRUSTED_ISSUERS" => Some(list.clone()),
        _ => None,
    };
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    Issuers::from_variables(&Variables::new(&look_up)).unwrap().bind(&clock).unwrap()
}

/// An issuer whom we trust.
struct World {
    idp: Idp,
    issuers: Issuers,
    clock: Arc<ManualClock>,
}

async fn world() -> World {
    let idp = Idp::start().await;
    let clock = Arc::new(ManualClock::new(NOW));
    let issuers = issuers(&json!([terms(ISS, &idp.uri)]), &clock);
    World { idp, issuers, clock }
}

impl World {
    async fn judge(&self, token: &str) -> Judged {
        judge(&self.issuers, token, self.clock.now()).await
    }

    fn claims(&self) -> Value {
        claims(ISS, self.clock.now())
    }

    async fn judge_from(&self, key: &Key) -> Judged {
        self.judge(&key.sign(&self.claims())).await
    }
}

fn claims(iss: &str, now: UnixTime) -> Value {
    json!({"iss": iss, "aud": "api", "sub": "alice", "iat": now.seconds(), "exp": now.seconds() + 600})
}

async fn judge(issuers: &Issuers, token: &str, now: UnixTime) -> Judged {
    match issuers.named_by(token) {
        Ok(Named::Other(issuer)) => issuer.verify(token, now).await,
        Ok(Named::Own) => panic!("for us to judge"),
        Err(rejection) => Ok(Err(rejection)),
    }
}

fn is_good(judged: &Judged) -> bool {
    matches!(judged, Ok(Ok(_)))
}

#[tokio::test]
async fn keys_of_each_algorithm_are_fetched_once() {
    let world = world().await;
    let keys = ["RS256", "ES256", "EdDSA"].map(|alg| Key::new(alg, alg));
    world.idp.publishes(&keys.each_ref());
    world.issuers.load().await;
    for key in &keys {
        let claims = world.judge_from(key).await.unwrap().unwrap();
        assert_eq!((claims.iss.as_str(), claims.sub.as_str()), (ISS, "alice"), "{}", key.kid);
    }
    assert_eq!(world.idp.fetches(), 1);
    let stranger = Key::new("EdDSA", "EdDSA");
    assert_eq!(world.judge_from(&stranger).await, Ok(Err(Rejection::Signature)), "the same name, another key");
    assert_eq!(world.idp.fetches(), 0);
}

#[tokio::test]
async fn the_issuer_that_is_named_decides_who_judges() {
    let (first, second) = (Idp::start().await, Idp::start().await);
    let (one, two) = (Key::new("EdDSA", "k"), Key::new("EdDSA", "k"));
    first.publishes(&[&one]);
    second.publishes(&[&two]);
    let clock = Arc::new(ManualClock::new(NOW));
    let (a, b) = ("https://a.example", "https://b.example");
    let issuers = issuers(&json!([terms(a, &first.uri), terms(b, &second.uri)]), &clock);
    let judge = async |key: &Key, iss: &str| judge(&issuers, &key.sign(&claims(iss, NOW)), NOW).await;
    assert_eq!(judge(&one, "https://c.example").await, Ok(Err(Rejection::WrongIssuer)));
    assert_eq!(judge(&one, "https://a.example/").await, Ok(Err(Rejection::WrongIssuer)));
    assert_eq!((first.fetches(), second.fetches()), (0, 0), "nobody is asked of strangers");
    assert!(is_good(&judge(&one, a).await));
    assert_eq!((first.fetches(), second.fetches()), (1, 0), "only who is named");
    assert!(is_good(&judge(&two, b).await));
    assert_eq!(judge(&one, b).await, Ok(Err(Rejection::Signature)), "not by another one's key of that name");
    assert_eq!(judge(&two, a).await, Ok(Err(Rejection::Signature)));
    assert!(matches!(issuers.named_by(&one.sign(&claims(OWN, NOW))), Ok(Named::Own)));
}

#[tokio::test]
async fn without_others_no_token_is_looked_at() {
    let issuers = issuers(&json!([]), &Arc::new(ManualClock::new(NOW)));
    issuers.load().await;
    for token in ["", "garbage", &Key::new("EdDSA", "k").sign(&claims(ISS, NOW))] {
        assert!(matches!(issuers.named_by(token), Ok(Named::Own)), "{token}");
    }
}

#[tokio::test]
async fn inline_keys_are_asked_of_nobody() {
    let key = Key::new("ES256", "k");
    let mut terms = terms(ISS, "");
    terms["jwks"] = json!({"keys": [key.jwk()]});
    terms.as_object_mut().unwrap().remove("jwks_uri");
    let issuers = issuers(&json!([terms]), &Arc::new(ManualClock::new(NOW)));
    assert!(is_good(&judge(&issuers, &key.sign(&claims(ISS, NOW)), NOW).await));
    let other = Key::new("ES256", "other").sign(&claims(ISS, NOW));
    assert_eq!(judge(&issuers, &other, NOW).await, Ok(Err(Rejection::UnknownKey)));
}

/// What hostile and broken issuers answer, and a good answer of each of the same kind.
#[tokio::test]
async fn a_hostile_answer_is_a_failed_fetch_and_the_last_good_set_serves() {
    let (key, twin, rsa) = (Key::new("EdDSA", "k"), Key::new("ES256", "k"), Key::new("RS256", "rsa"));
    let good = set(&[&key]);
    let padded = |length: usize| ok(&(good.clone() + &" ".repeat(length - good.len())));
    let many = json!({"keys": (0..101).map(|at| json!({"kty": "x", "kid": at.to_string()})).collect::<Value>()});
    let shared = json!({"keys": [{"kty": "oct", "alg": "HS256", "kid": "k", "k": "A".repeat(43)}]}).to_string();
    let elsewhere = Idp::start().await;
    elsewhere.publishes(&[&key]);
    let redirect = format!("HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", elsewhere.uri);
    let raw = |text: &str| Page::Bytes(text.as_bytes().to_vec());
    let mixed = json!({"keys": [shared, {"kty": "AKP"}, 1, key.jwk(), rsa.jwk(), {"kty": "EC", "use": "enc"}]});
    let cases = [
        ("good", ok(&good), true),
        ("as long as may be", padded(MAX_LENGTH), true),
        ("too long", padded(MAX_LENGTH + 1), false),
        ("endless", raw(&format!("HTTP/1.1 200 OK\r\n\r\n{}", "{".repeat(1_000_000))), false),
        ("said to be endless", raw(&format!("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{good}")), false),
        ("cut off", raw(&format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{good}", good.len() + 1)), false),
        ("mixed types", ok(&mixed.to_string()), true),
        ("a kid twice", ok(&set(&[&key, &twin])), false),
        ("a kid twice beside a good one", ok(&set(&[&key, &key, &rsa])), false),
        ("shared keys only", ok(&shared), false),
        ("no keys", ok(r#"{"keys":[]}"#), false),
        ("many keys", ok(&many.to_string()), false),
        ("members twice", ok(&good.replacen('{', r#"{"keys":[],"#, 1)), false),
        ("no JSON", ok("<html>keys</html>"), false),
        ("nothing", ok(""), false),
        ("deep JSON", ok(&"[".repeat(60_000)), false),
        ("no UTF-8", Page::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n\xff\xff".to_vec()), false),
        ("a redirect", raw(&redirect), false),
        ("an error with good keys", with_status("500 Internal Server Error", &good), false),
        ("another success with good keys", with_status("203 Non-Authoritative Information", &good), false),
        ("not found", with_status("404 Not Found", ""), false),
        ("no HTTP", raw("SSH-2.0-OpenSSH_9.9\r\n"), false),
        ("the end", raw(""), false),
    ];
    for (name, page, is_usable) in cases {
        let world = world().await;
        world.idp.answers(page.clone());
        let judged = world.judge_from(&key).await;
        let expected = match name {
            "a kid twice beside a good one" => matches!(judged, Ok(Err(Rejection::UnknownKey))),
            _ if is_usable => is_good(&judged),
            _ => judged == Err(NoKeys),
        };
        assert!(expected, "{name}: {judged:?}");

        let world = self::world().await;
        world.idp.publishes(&[&key]);
        world.issuers.load().await;
        world.idp.answers(page);
        world.clock.advance(PACE.firm);
        let judged = world.judge_from(&key).await;
        let expected = if name == "a kid twice beside a good one" { !is_good(&judged) } else { is_good(&judged) };
        assert!(expected, "{name}, after a good one: {judged:?}");
    }
    assert_eq!(elsewhere.fetches(), 0, "redirects are not followed");
}

/// Time goes by itself here, whenever nothing else does.
#[tokio::test(start_paused = true)]
async fn whoever_is_slow_is_waited_for_two_seconds() {
    for page in [Page::Silence, Page::Drip] {
        let world = world().await;
        world.idp.answers(page);
        let key = Key::new("EdDSA", "k");
        let began = tokio::time::Instant::now();
        assert_eq!(world.judge_from(&key).await, Err(NoKeys));
        assert_eq!(began.elapsed().as_secs(), 2);
        let began = tokio::time::Instant::now();
        for _ in 0..100 {
            assert_eq!(world.judge_from(&key).await, Err(NoKeys));
        }
        assert_eq!((began.elapsed().as_secs(), world.idp.fetches()), (0, 1), "the next ones are told at once");
    }
}

#[tokio::test]
async fn an_issuer_that_is_down_is_missed_after_an_hour() {
    let world = world().await;
    let key = Key::new("EdDSA", "k");
    world.idp.publishes(&[&key]);
    assert!(is_good(&world.judge_from(&key).await));
    world.idp.answers(with_status("503 Service Unavailable", ""));
    for minute in 1..=60 {
        world.clock.advance(60 * SECOND);
        assert!(is_good(&world.judge_from(&key).await), "minute {minute}");
    }
    world.clock.advance(SECOND);
    assert_eq!(world.judge_from(&key).await, Err(NoKeys));
    world.idp.publishes(&[&key]);
    world.clock.advance(RETRY);
    assert!(is_good(&world.judge_from(&key).await), "and back again");
}

#[tokio::test]
async fn nobody_listens() {
    let clock = Arc::new(ManualClock::new(NOW));
    let (good, key) = (Idp::start().await, Key::new("EdDSA", "k"));
    good.publishes(&[&key]);
    let https = good.uri.replace("http:", "https:");
    let gone = "http://127.0.0.1:9/keys"; // discard (RFC 863): nobody does
    let (a, b, c) = ("https://a.example", "https://b.example", "https://c.example");
    let issuers = issuers(&json!([terms(a, gone), terms(b, &https), terms(c, &good.uri)]), &clock);
    issuers.load().await;
    for (iss, expected) in [(a, false), (b, false), (c, true)] {
        let judged = judge(&issuers, &key.sign(&claims(iss, NOW)), NOW).await;
        assert_eq!((is_good(&judged), judged == Err(NoKeys)), (expected, !expected), "{iss}: {judged:?}");
    }
}

#[tokio::test]
async fn a_new_key_is_looked_up_and_a_removed_one_dies_with_the_next_fetch() {
    let world = world().await;
    let (old, new) = (Key::new("EdDSA", "old"), Key::new("ES256", "new"));
    world.idp.publishes(&[&old]);
    assert!(is_good(&world.judge_from(&old).await));
    world.idp.publishes(&[&old, &new]);
    assert!(is_good(&world.judge_from(&new).await), "at once");
    assert_eq!(world.idp.fetches(), 2);
    world.idp.publishes(&[&new]);
    assert!(is_good(&world.judge_from(&old).await), "not known yet");
    world.clock.advance(PACE.soft);
    let mut judged = world.judge_from(&old).await;
    for _ in 0..100_000 {
        if !is_good(&judged) {
            break;
        }
        tokio::task::yield_now().await;
        judged = world.judge_from(&old).await;
    }
    assert_eq!(judged, Ok(Err(Rejection::UnknownKey)));
    assert!(is_good(&world.judge_from(&new).await));
}

/// Where each invocation is too short for a fetch, somebody waits for it.
#[tokio::test]
async fn a_removed_key_dies_where_there_is_hardly_any_traffic() {
    let world = world().await;
    let (old, new) = (Key::new("EdDSA", "old"), Key::new("EdDSA", "new"));
    world.idp.publishes(&[&old]);
    assert!(is_good(&world.judge_from(&old).await));
    world.idp.publishes(&[&new]);
    world.clock.advance(PACE.firm);
    assert_eq!(world.judge_from(&old).await, Ok(Err(Rejection::UnknownKey)));
}

#[tokio::test]
async fn storms_of_unknown_keys_cost_a_fetch_in_ten_seconds_and_block_nobody() {
    let world = world().await;
    let (key, stranger) = (Key::new("EdDSA", "k"), Key::new("EdDSA", "x"));
    world.idp.publishes(&[&key]);
    assert!(is_good(&world.judge_from(&key).await));
    world.idp.fetches();
    for second in 0..60 {
        for at in 0..20 {
            let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": format!("{second}-{at}")});
            let unknown = stranger.sign_under(&header, &world.claims());
            assert_eq!(world.judge(&unknown).await, Ok(Err(Rejection::UnknownKey)));
        }
        assert_eq!(world.idp.fetches(), usize::from(second % 10 == 0), "second {second}");
        assert!(is_good(&world.judge_from(&key).await));
        world.clock.advance(SECOND);
    }

    // While one of them waits for its look-up, who has a known key does not.
    let permits = Arc::new(Semaphore::new(0));
    world.idp.answers(Page::Held(set(&[&key, &stranger]), Arc::clone(&permits)));
    let unknown = stranger.sign(&world.claims());
    let mut waiting = pin!(world.judge(&unknown));
    let mut at_once = async || std::future::poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context))).await;
    while world.idp.fetches() == 0 {
        assert!(at_once().await.is_pending());
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        let token = key.sign(&world.claims());
        let mut known = pin!(world.judge(&token));
        let known = std::future::poll_fn(|context| Poll::Ready(known.as_mut().poll(context))).await;
        assert!(matches!(&known, Poll::Ready(judged) if is_good(judged)), "{known:?}");
    }
    permits.add_permits(1);
    assert!(is_good(&waiting.await), "and it has its answer");
}

#[tokio::test]
async fn what_can_be_refused_without_a_key_is_not_looked_up() {
    let world = world().await;
    let key = Key::new("EdDSA", "k");
    world.idp.publishes(&[&key]);
    assert!(is_good(&world.judge_from(&key).await));
    world.idp.fetches();
    let cases = [
        (json!({"alg": "none", "typ": "JWT", "kid": "x"}), Rejection::WrongAlgorithm),
        (json!({"alg": "HS256", "typ": "JWT", "kid": "x"}), Rejection::WrongAlgorithm),
        (json!({"alg": "EdDSA", "typ": "secevent+jwt", "kid": "x"}), Rejection::WrongType),
        (json!({"alg": "EdDSA", "typ": "JWT"}), Rejection::Header),
        (json!({"alg": "EdDSA", "typ": "JWT", "kid": "x", "jku": world.idp.uri}), Rejection::Header),
    ];
    for (header, expected) in cases {
        world.clock.advance(RETRY);
        let token = key.sign_under(&header, &world.claims());
        assert_eq!(world.judge(&token).await, Ok(Err(expected)), "{header}");
    }
    assert_eq!(world.idp.fetches(), 0);
}
