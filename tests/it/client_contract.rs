//! What the store promises of clients: one for each identifier, one secret for each, and no secret in the table.

use std::num::NonZeroU16;
use std::time::Duration;

use auth_core::client::{Client, ClientId, ClientSecret, Grant, Grants};
use auth_core::entropy::OsEntropy;
use auth_core::journal::Revocation;
use auth_core::scope::Scope;
use auth_dynamodb::client::{Creation, Replacement};
use auth_dynamodb::error::StoreError;
use auth_dynamodb::store::Store;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::contract::session;
use crate::harness::{SECOND, START, engine, table, table_name};
use crate::wire::{Fault, Wire, dynamodb};

fn client(id: &str) -> Client {
    let (id, digest) = (ClientId::parse(id).unwrap(), ClientSecret::random(&OsEntropy).unwrap().digest());
    Client { description: Some("a partner's API".to_owned()), ..Client::new(id, digest, START) }
}

async fn create(store: &Store, id: &str) -> Client {
    let client = client(id);
    assert_eq!(store.create_client(&client).await.unwrap(), Creation::Created);
    client
}

#[tokio::test]
async fn an_identifier_is_one_clients() {
    let store = table().await;
    let first = create(&store, "gateway").await;
    for other in [client("gateway"), Client { created_at: START + SECOND, ..first.clone() }] {
        assert_eq!(store.create_client(&other).await.unwrap(), Creation::IdTaken);
    }
    assert_eq!(store.client(&first.id).await.unwrap(), Some(first));
    for unknown in ["Gateway", "gateway2", "gatewa"] {
        assert_eq!(store.client(&ClientId::parse(unknown).unwrap()).await.unwrap(), None, "{unknown}");
    }
}

#[tokio::test]
async fn clients_come_page_by_page_and_nothing_else_does() {
    let store = table().await;
    let mut created = Vec::new();
    for id in ["a", "b", "c"] {
        created.push(create(&store, id).await);
        store.create_session(&session()).await.unwrap();
    }
    let undescribed = Client { description: None, ..client("d") };
    store.create_client(&undescribed).await.unwrap();
    created.push(undescribed);
    for size in [None, NonZeroU16::new(1), NonZeroU16::new(3)] {
        let store = size.map_or_else(|| store.clone(), |size| store.clone().with_page_size(size));
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store.clients(after).await.unwrap();
            found.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        found.sort_by_key(|client| client.id.to_string());
        assert_eq!(found, created, "{size:?}");
    }
}

#[tokio::test]
async fn a_secret_is_replaced_once_and_in_one_client() {
    let store = table().await;
    let (read, other) = (create(&store, "gateway").await, create(&store, "other").await);
    let (one, two) = (client("x").digest, client("x").digest);
    assert_eq!(store.replace_secret(&read, one).await.unwrap(), Replacement::Done);
    let replaced = Client { digest: one, ..read.clone() };
    assert_eq!(store.client(&read.id).await.unwrap(), Some(replaced.clone()));
    assert_eq!(store.replace_secret(&read, two).await.unwrap(), Replacement::Meanwhile);
    assert_eq!(store.client(&read.id).await.unwrap(), Some(replaced));
    assert_eq!(store.client(&other.id).await.unwrap(), Some(other));
    for _ in 0..2 {
        store.delete_client(&read.id).await.unwrap();
    }
    assert_eq!(store.replace_secret(&read, two).await.unwrap(), Replacement::Gone);
    assert_eq!(store.client(&read.id).await.unwrap(), None, "the write makes no item");
}

#[tokio::test]
async fn what_a_client_may_do_is_changed_with_the_secret_that_was_read() {
    let store = table().await;
    let grants = |text: &str| Grants::parse(text).unwrap();
    let scope = |text: &str| Scope::parse(text).unwrap();
    let life = Some(Duration::from_secs(120));
    let wide = Client { grants: grants("token_exchange"), scope: scope("a b"), token_life: life, ..client("agent") };
    assert_eq!(store.create_client(&wide).await.unwrap(), Creation::Created);
    assert_eq!(store.client(&wide.id).await.unwrap(), Some(wide.clone()));
    assert_eq!(store.allow_client(&wide, grants(""), scope("a")).await.unwrap(), Replacement::Done);
    let changed = Client { grants: grants(""), scope: scope("a"), ..wide.clone() };
    assert_eq!(store.client(&wide.id).await.unwrap(), Some(changed.clone()));
    store.replace_secret(&changed, client("x").digest).await.unwrap();
    assert_eq!(store.allow_client(&changed, grants("introspect"), scope("a")).await.unwrap(), Replacement::Meanwhile);
    store.delete_client(&wide.id).await.unwrap();
    assert_eq!(store.allow_client(&changed, grants("introspect"), scope("a")).await.unwrap(), Replacement::Gone);
    assert_eq!(store.client(&wide.id).await.unwrap(), None, "the write makes no item");
}

/// For those who do not read the journal: whose tokens were revoked, up to when.
#[tokio::test]
async fn the_revocation_of_a_client_is_marked_beside_it() {
    let store = table().await;
    assert_eq!(store.client_revoked("default").await.unwrap(), None);
    for later in [START, START + SECOND] {
        store.revoke(&Revocation::client("default", later), later).await.unwrap();
        assert_eq!(store.client_revoked("default").await.unwrap(), Some(later.millis()));
    }
    assert_eq!(store.client_revoked("other").await.unwrap(), None);
    assert_eq!(store.clients(None).await.unwrap().items, [], "it is no client");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_was_lost_is_done() {
    let wire = Wire::to(engine().await).await;
    let store = Store::on_loopback(&wire.endpoint, table_name());
    store.create_table().await.unwrap();
    wire.plan("PutItem", [Fault::LostAnswer]);
    let client = create(&store, "gateway").await;
    wire.plan("UpdateItem", [Fault::LostAnswer]);
    let digest = ClientSecret::random(&OsEntropy).unwrap().digest();
    assert_eq!(store.replace_secret(&client, digest).await.unwrap(), Replacement::Done);
    wire.plan("DeleteItem", [Fault::LostAnswer]);
    store.delete_client(&client.id).await.unwrap();
    assert_eq!(store.client(&client.id).await.unwrap(), None);
}

/// The table holds the digest, which is no secret that anybody could present.
#[tokio::test]
async fn the_item_holds_no_secret() {
    let (engine, table) = (engine().await, table_name());
    let store = Store::on_loopback(&engine, table.clone());
    store.create_table().await.unwrap();
    let secret = ClientSecret::random(&OsEntropy).unwrap();
    let client = Client { digest: secret.digest(), ..client("gateway") };
    store.create_client(&client).await.unwrap();
    let key = json!({"pk": {"S": "CLIENT#gateway"}, "sk": {"S": "CLIENT"}});
    let found = dynamodb(&engine, "GetItem", &json!({"TableName": table, "Key": key})).await;
    let expected = json!({
        "pk": {"S": "CLIENT#gateway"},
        "sk": {"S": "CLIENT"},
        "digest": {"B": BASE64_STANDARD.encode(client.digest.as_bytes())},
        "created_at": {"N": START.millis().to_string()},
        "description": {"S": "a partner's API"},
        "grants": {"S": "introspect"},
        "scope": {"S": ""},
    });
    assert_eq!(found["Item"], expected);

    // Of before there were grants: it may do what it could do then, and nothing more.
    let older = json!({
        "pk": {"S": "CLIENT#older"},
        "sk": {"S": "CLIENT"},
        "digest": {"B": BASE64_STANDARD.encode(client.digest.as_bytes())},
        "created_at": {"N": START.millis().to_string()},
    });
    dynamodb(&engine, "PutItem", &json!({"TableName": table, "Item": older})).await;
    let id = ClientId::parse("older").unwrap();
    let read = store.client(&id).await.unwrap().unwrap();
    assert_eq!(read, Client::new(id, client.digest, START));
    assert_eq!(Grant::ALL.map(|grant| read.may(grant)), [true, false, false]);

    let broken =
        json!({"pk": {"S": "CLIENT#broken"}, "sk": {"S": "CLIENT"}, "created_at": {"N": "1"}, "digest": {"B": "AAAA"}});
    dynamodb(&engine, "PutItem", &json!({"TableName": table, "Item": broken})).await;
    let read = store.client(&ClientId::parse("broken").unwrap()).await;
    assert!(matches!(read, Err(StoreError::Corrupt("client"))), "{read:?}");
}
