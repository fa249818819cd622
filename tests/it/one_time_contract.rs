//! What the store promises of one-time tokens: each is used once, whoever else tries at the same moment.

use std::time::Duration;

use auth_core::entropy::OsEntropy;
use auth_core::id::TokenId;
use auth_core::issuer::Issuer;
use auth_core::jwt::one_time::{OneTimeClaims, Purpose};
use auth_core::jwt::{Signer, Verifier};
use auth_core::key::KeySet;
use auth_core::{config::Variables, generate};
use auth_dynamodb::one_time::Use;
use auth_dynamodb::store::Store;
use serde_json::json;

use crate::harness::{SECOND, START, engine, table, table_name};
use crate::wire::{Fault, Wire, dynamodb};

const LIFE: Duration = Duration::from_mins(30);

/// Tokens as they go round: minted, sent, verified.
fn tokens<const N: usize>() -> [OneTimeClaims; N] {
    let key = generate::signing_key("EdDSA", &OsEntropy).unwrap();
    let look_up = |name: &str| match name {
        "SIGNING_ALGORITHM" => Some("EdDSA".to_owned()),
        "SIGNING_KEY" => Some(key.clone()),
        _ => None,
    };
    let signer = Signer::new(Variables::new(&look_up).signing_key().unwrap());
    let (iss, aud) = ("https://auth.example".to_owned(), "api".to_owned());
    let keys = KeySet::parse(&json!({"keys": [signer.key().jwk()]}).to_string()).unwrap();
    let verifier = Verifier::new(iss.clone(), aud.clone(), keys);
    let (issuer, purpose) = (Issuer { iss, aud, ttl: LIFE }, Purpose::parse("sign-in-link").unwrap());
    [(); N].map(|()| {
        let token = issuer.mint_one_time(&signer, &purpose, "alice", LIFE, id(), START).unwrap();
        verifier.verify_one_time(&token, &purpose, START + SECOND).unwrap()
    })
}

fn id() -> TokenId {
    TokenId::random(&OsEntropy).unwrap()
}

#[tokio::test]
async fn a_token_is_used_once() {
    let (store, [one, other]) = (table().await, tokens());
    assert_eq!(store.use_up(&one, id()).await.unwrap(), Use::First);
    for _ in 0..2 {
        assert_eq!(store.use_up(&one, id()).await.unwrap(), Use::Spent);
    }
    assert_eq!(store.use_up(&other, id()).await.unwrap(), Use::First, "another is another");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_the_same_moment_one_uses_it() {
    let (store, [token]) = (table().await, tokens());
    let uses: tokio::task::JoinSet<_> = (0..20)
        .map(|_| {
            let (store, token) = (store.clone(), token.clone());
            async move { store.use_up(&token, id()).await.unwrap() }
        })
        .collect();
    let uses = uses.join_all().await;
    assert_eq!(uses.iter().filter(|it| **it == Use::First).count(), 1, "{uses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_use_whose_answer_was_lost_is_the_first() {
    let wire = Wire::to(engine().await).await;
    let store = Store::on_loopback(&wire.endpoint, table_name());
    store.create_table().await.unwrap();
    let [token] = tokens();
    wire.plan("PutItem", [Fault::LostAnswer]);
    let by = id();
    assert_eq!(store.use_up(&token, by).await.unwrap(), Use::First, "the SDK's repetition finds its own");
    assert_eq!(store.use_up(&token, by).await.unwrap(), Use::First, "as does the request's");
    assert_eq!(store.use_up(&token, id()).await.unwrap(), Use::Spent);
    wire.calls();
    store.use_up(&token, id()).await.unwrap();
    assert_eq!(wire.operations(), ["PutItem"], "one call");
}

/// The mark outlives the token: by then it is refused for its age, whether time-to-live has swept the mark or not.
#[tokio::test]
async fn the_mark_outlives_the_token() {
    let (engine, table) = (engine().await, table_name());
    let store = Store::on_loopback(&engine, table.clone());
    store.create_table().await.unwrap();
    let ([token], by) = (tokens(), id());
    store.use_up(&token, by).await.unwrap();
    let key = json!({"pk": {"S": format!("ONCE#{}", token.jti)}, "sk": {"S": "ONCE"}});
    let found = dynamodb(&engine, "GetItem", &json!({"TableName": table, "Key": key})).await;
    let mut expected = key;
    expected["by"] = json!({"S": by.to_string()});
    expected["ttl"] = json!({"N": (token.exp + Duration::from_hours(1)).seconds().to_string()});
    assert_eq!(found["Item"], expected);
}
