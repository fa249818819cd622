//! Clients with a secret.

use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use serde::{Deserialize, Serialize};

use auth_core::client::{Client, ClientId, Grants, SecretDigest};
use auth_core::scope::Scope;
use auth_core::time::UnixTime;

use crate::error::StoreError;
use crate::item::{self, CLIENT, Item, Key};
use crate::page::{Cursor, Page};
use crate::store::Store;

const DIGEST: &str = "digest";

/// What became of a new client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// There it is.
    Created,
    /// There is one of that identifier.
    IdTaken,
}

/// What became of a new secret, or of what a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// It is the client's; what was before is not any more.
    Done,
    /// Not done: the client has another secret than was read.
    Meanwhile,
    /// Not done: there is no such client any more.
    Gone,
}

impl Store {
    /// Reads a client, strongly consistent: one call, one read unit.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn client(&self, id: &ClientId) -> Result<Option<Client>, StoreError> {
        let found = self.item(Key::client(id)).await?;
        found.map(|item| read(id.clone(), item)).transpose()
    }

    /// Reads a page of all clients, as [`Store::users`] does of users: the whole list costs a read of the whole table.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn clients(&self, after: Option<Cursor>) -> Result<Page<Client>, StoreError> {
        let found = self.scan(CLIENT, after).await?;
        let client = |item| read(Key::client_id(&item)?, item);
        Page::read(found.items.unwrap_or_default(), found.last_evaluated_key, client)
    }

    /// Keeps a new client: one write, which never touches one that is there.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn create_client(&self, client: &Client) -> Result<Creation, StoreError> {
        let mut item = item::write("client", Key::client(&client.id), &ClientRecord::new(client))?;
        item.insert(DIGEST.to_owned(), digest_value(client.digest));
        let created = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = created else { return Ok(Creation::Created) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(found)) => {
                // The SDK repeats a put whose answer was lost, and then finds our own client.
                let is_ours = read(client.id.clone(), found.item.clone().unwrap_or_default())? == *client;
                Ok(if is_ours { Creation::Created } else { Creation::IdTaken })
            }
            _ => Err(StoreError::from_sdk("PutItem", &error)),
        }
    }

    /// Gives a client another secret, if it still has the one that was read: one conditional write.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn replace_secret(&self, client: &Client, digest: SecretDigest) -> Result<Replacement, StoreError> {
        let update = self.client.update_item().update_expression("SET digest = :new");
        let update = update.expression_attribute_values(":new", digest_value(digest));
        self.change_client(client, &Client { digest, ..client.clone() }, update).await
    }

    /// Lets a client do other things, if it still has the secret that was read: one conditional write.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn allow_client(&self, client: &Client, grants: Grants, scope: Scope) -> Result<Replacement, StoreError> {
        let update = self.client.update_item().update_expression("SET grants = :grants, #scope = :scope");
        let update = update
            .expression_attribute_names("#scope", "scope")
            .expression_attribute_values(":grants", AttributeValue::S(grants.to_string()))
            .expression_attribute_values(":scope", AttributeValue::S(scope.to_string()));
        self.change_client(client, &Client { grants, scope, ..client.clone() }, update).await
    }

    async fn change_client(
        &self,
        read: &Client,
        changed: &Client,
        update: UpdateItemFluentBuilder,
    ) -> Result<Replacement, StoreError> {
        let sent = update
            .table_name(&self.table)
            .set_key(Some(Key::client(&read.id).item()))
            .condition_expression("digest = :read")
            .expression_attribute_values(":read", digest_value(read.digest))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = sent else { return Ok(Replacement::Done) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refused)) => match &refused.item {
                None => Ok(Replacement::Gone),
                // As above.
                Some(found) if self::read(read.id.clone(), found.clone())? == *changed => Ok(Replacement::Done),
                Some(_) => Ok(Replacement::Meanwhile),
            },
            _ => Err(StoreError::from_sdk("UpdateItem", &error)),
        }
    }

    /// The instant up to which the access tokens of a client were revoked, in milliseconds, if they were: strongly consistent,
    /// one call. The claim `client_id` says whose.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn client_revoked(&self, client_id: &str) -> Result<Option<u64>, StoreError> {
        let found = self.item(Key::client_revoked(client_id)).await?;
        found.map(|item| item::read("revoked client", item).map(|mark: RevokedRecord| mark.bound)).transpose()
    }

    /// Deletes a client, if there is such a one: one write. Its secret is nobody's afterwards.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn delete_client(&self, id: &ClientId) -> Result<(), StoreError> {
        let sent = self.client.delete_item().table_name(&self.table).set_key(Some(Key::client(id).item())).send().await;
        sent.map(drop).map_err(|error| StoreError::from_sdk("DeleteItem", &error))
    }
}

/// A client's item, but for the digest.
#[derive(Deserialize, Serialize)]
struct ClientRecord {
    created_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Without it, the item is older than they are.
    grants: Option<String>,
    #[serde(default)]
    scope: String,
    /// In seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_life: Option<u64>,
}

/// The mark of [`Key::client_revoked`].
#[derive(Deserialize, Serialize)]
pub(crate) struct RevokedRecord {
    pub(crate) bound: u64,
    pub(crate) ttl: u64,
}

impl ClientRecord {
    fn new(client: &Client) -> Self {
        Self {
            created_at: client.created_at.millis(),
            description: client.description.clone(),
            grants: Some(client.grants.to_string()),
            scope: client.scope.to_string(),
            token_life: client.token_life.map(|life| life.as_secs()),
        }
    }
}

fn read(id: ClientId, item: Item) -> Result<Client, StoreError> {
    let digest = digest_in(&item)?;
    let record: ClientRecord = item::read("client", item)?;
    let corrupt = || StoreError::Corrupt("client");
    let grants = record.grants.map(|text| Grants::parse(&text)).transpose().map_err(|_| corrupt())?;
    Ok(Client {
        description: record.description,
        grants: grants.unwrap_or_default(),
        scope: Scope::parse(&record.scope).map_err(|_| corrupt())?,
        token_life: record.token_life.map(Duration::from_secs),
        ..Client::new(id, digest, UnixTime::from_millis(record.created_at))
    })
}

fn digest_value(digest: SecretDigest) -> AttributeValue {
    AttributeValue::B(digest.as_bytes().to_vec().into())
}

fn digest_in(item: &Item) -> Result<SecretDigest, StoreError> {
    let bytes = item.get(DIGEST).and_then(|value| value.as_b().ok());
    let bytes = bytes.and_then(|blob| blob.as_ref().try_into().ok());
    bytes.map(SecretDigest::from_bytes).ok_or(StoreError::Corrupt("client"))
}
