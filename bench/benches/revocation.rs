//! What it costs to know of revocations: memory and time of a look-up beside the signature check, a cold start's first load,
//! and the queries of the journal at several rates and numbers of instances.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures and prints")]

use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use auth_core::claims::{AccessClaims, SessionClaims};
use auth_core::entropy::OsEntropy;
use auth_core::generate::signing_key;
use auth_core::id::{SessionId, TokenId, UserId};
use auth_core::issuer::Issuer;
use auth_core::journal::{Entry, Revocation};
use auth_core::jwt::{Signer, Verifier};
use auth_core::key::{KeySet, SigningKey};
use auth_core::login::LoginName;
use auth_core::policy::SessionPolicy;
use auth_core::refresh_token::Nonce;
use auth_core::scope::{Roles, Scope};
use auth_core::session::Session;
use auth_core::snapshot::Snapshot;
use auth_core::time::UnixTime;
use auth_core::user::{Status, User};
use auth_dynamodb::store::Store;
use authorizer::journal::TableJournal;
use authorizer::watch::{Journal as _, OVERLAP};
use dynoxide::Database;
use dynoxide::actions::batch_write_item::{BatchWriteItemRequest, PutRequest, WriteRequest};
use dynoxide::types::AttributeValue;
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::JwkSet;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const SIZES: [u32; 3] = [100, 10_000, 1_000_000];
const TURNS: u32 = 2_000;

/// The default of `SOFT_STALENESS_SECONDS`.
const SOFT: Duration = Duration::from_secs(2);

/// What one partition of a table reads, in units of 4 KB a second.
const PARTITION: f64 = 3_000.0;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // Cargo gives `--bench` when it measures, and nothing when it tests.
    let measures = std::env::args().any(|argument| argument == "--bench");
    let sizes = if measures { &SIZES[..] } else { &SIZES[..1] };
    print_look_ups(sizes);
    print_loads(sizes).await;
    print_deltas();
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
fn now() -> Instant {
    Instant::now()
}

fn session_id(number: u32) -> SessionId {
    SessionId::from_bytes(u128::from(number).to_be_bytes())
}

fn entry(number: u32) -> Entry {
    Entry { revocation: Revocation::session(session_id(number)), at: NOW, until: NOW + Duration::from_mins(12) }
}

fn snapshot(size: u32) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let digests = snapshot.digests();
    snapshot.absorb((0..size).map(|number| digests.mark(&entry(number))).collect(), NOW);
    snapshot
}

/// A verifier, and a token that it believes and nobody has revoked.
fn party() -> (Verifier, String) {
    let key = SigningKey::parse(Algorithm::RS256, &signing_key("RS256", &OsEntropy).unwrap()).unwrap();
    let keys = KeySet::from_jwks(&JwkSet { keys: vec![key.jwk().clone()] }).unwrap();
    let (iss, aud) = ("https://auth.example.com".to_owned(), "api".to_owned());
    let issuer = Issuer { iss: iss.clone(), aud: aud.clone(), ttl: Duration::from_mins(10) };
    let signer = Signer::new(key);
    let id = UserId::from_bytes([1; 16]);
    let (nonce, policy) = (Nonce::from_bytes([0; 16]), SessionPolicy::default());
    let session =
        Session { client_id: "app".to_owned(), ..Session::begin(id, session_id(u32::MAX), nonce, &policy, NOW) };
    let user = User {
        id,
        login_name: LoginName::parse("alice").unwrap(),
        status: Status::Active,
        ver: 1,
        floor: 0,
        roles: Roles::default(),
        scope: Scope::default(),
    };
    let jti = TokenId::from_bytes([3; 16]);
    let token = issuer.mint(&signer, &user, &session, &Scope::default(), jti, NOW).unwrap();
    (Verifier::new(iss, aud, keys), token.text)
}

/// Both take turns, so that the ratio holds on a noisy machine.
fn print_look_ups(sizes: &[u32]) {
    let (verifier, token) = party();
    let mut claims: AccessClaims = verifier.verify(&token, NOW).unwrap();
    println!("| entries | bytes each | five look-ups | RS256 check | a look-up of the check |");
    println!("|---|---|---|---|---|");
    for &size in sizes {
        let snapshot = snapshot(size);
        let (mut looking, mut checking) = (Duration::ZERO, Duration::ZERO);
        for turn in 0..TURNS {
            // Another session each time, so that no cache knows where it stands.
            let sid = session_id(turn.wrapping_mul(2_654_435_761)).to_string();
            claims.session = claims.session.map(|session| SessionClaims { sid, ..session });
            let started = now();
            let _ = black_box(snapshot.admits(black_box(&claims)));
            looking += started.elapsed();
            let started = now();
            black_box(verifier.verify(black_box(&token), NOW).unwrap());
            checking += started.elapsed();
        }
        let ratio = looking.as_secs_f64() / 5.0 / checking.as_secs_f64() * 100.0;
        let bytes = snapshot.bytes() / snapshot.len();
        println!("| {size} | {bytes} | {:?} | {:?} | {ratio:.2} % |", looking / TURNS, checking / TURNS);
    }
}

fn item(number: u32) -> HashMap<String, AttributeValue> {
    let sk = format!("{:010}#sid#{}", NOW.seconds(), session_id(number));
    let ttl = (NOW + Duration::from_mins(12)).seconds().to_string();
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S("JOURNAL#0".to_owned())),
        ("sk".to_owned(), AttributeValue::S(sk)),
        ("bound".to_owned(), AttributeValue::N("0".to_owned())),
        ("ttl".to_owned(), AttributeValue::N(ttl)),
    ])
}

/// As DynamoDB counts: names and texts by their bytes, a number by half its digits and one.
fn item_bytes() -> f64 {
    let (pk, sk) = ("pk".len() + "JOURNAL#0".len(), "sk".len() + 10 + "#sid#".len() + session_id(0).to_string().len());
    let numbers = "bound".len() + 1 + 1 + "ttl".len() + 10_usize.div_ceil(2) + 1;
    f64::from(u32::try_from(pk + sk + numbers).unwrap())
}

fn units(entries: f64) -> f64 {
    (entries * item_bytes() / 4096.0).ceil().max(1.0)
}

async fn print_loads(sizes: &[u32]) {
    println!("\n| entries | pages | read units | loaded in, from the embedded engine |");
    println!("|---|---|---|---|");
    for &size in sizes {
        let engine = Database::memory().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(dynoxide::server::serve_on(listener, engine.clone()));
        let store = Store::on_loopback(&endpoint, "bench".to_owned());
        store.create_table().await.unwrap();
        fill(&engine, size);
        let mut snapshot = Snapshot::default();
        let digests = snapshot.digests();
        let mut marks = Vec::new();
        let started = now();
        let journal = TableJournal::new(store, 0);
        let pages = journal.read(NOW, |entry| marks.push(digests.mark(&entry))).await.unwrap();
        snapshot.absorb(marks, NOW);
        let took = started.elapsed();
        assert_eq!(snapshot.len(), usize::try_from(size).unwrap());
        println!("| {size} | {pages} | {} | {took:.1?} |", units(f64::from(size)));
    }
}

fn fill(engine: &Database, size: u32) {
    let numbers: Vec<u32> = (0..size).collect();
    for batch in numbers.chunks(25) {
        let put = |number: &u32| WriteRequest {
            put_request: Some(PutRequest { item: item(*number) }),
            ..WriteRequest::default()
        };
        let request_items = HashMap::from([("bench".to_owned(), batch.iter().map(put).collect())]);
        engine.batch_write_item(BatchWriteItemRequest { request_items, ..BatchWriteItemRequest::default() }).unwrap();
    }
}

/// Arithmetic: what every instance reads, each time, is what came in within the overlap and the time since.
fn print_deltas() {
    println!("\n| revocations a second | entries a delta | units a delta | instances | units a second | copies |");
    println!("|---|---|---|---|---|---|");
    for rate in [10.0, 100.0, 1_000.0] {
        let entries = rate * (OVERLAP + SOFT).as_secs_f64();
        for instances in [10.0, 1_000.0] {
            let each = units(entries);
            let all = each * instances / SOFT.as_secs_f64();
            let copies = (all / PARTITION).ceil();
            println!("| {rate} | {entries} | {each} | {instances} | {all} | {copies} |");
        }
    }
    println!("\n{} bytes an entry; a partition reads {PARTITION} units a second", item_bytes());
}
