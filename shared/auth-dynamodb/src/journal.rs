//! The journal of revocations: written with what it tells of, in one transaction; read by every authorizer.
//!
//! An entry's key begins with its writer's stamp in seconds, so that a reader asks for what is new. What revokes the same
//! thing in the same second is one entry.

use std::time::Duration;

use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::transact_write_items::builders::TransactWriteItemsFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use serde::{Deserialize, Serialize};

use auth_core::journal::{Entry, Kind, LONGEST_KEEP, Revocation};
use auth_core::time::UnixTime;

use crate::client::RevokedRecord;
use crate::error::StoreError;
use crate::item::{self, Item, Key, SK};
use crate::page::{Cursor, Page};
use crate::store::Store;
use crate::transaction::{self, is_refused};

/// How long the mark of a revoked token stays after the token's end.
const SPARE: Duration = Duration::from_hours(1);

/// What became of a transaction.
pub(crate) type Sent = Result<(), TransactionError>;

/// Why it was not done.
pub(crate) type TransactionError = SdkError<TransactWriteItemsError>;

impl Store {
    /// Reads a page of the journal from a stamp on, strongly consistent: one call; a read unit for each 4 KB of the page. An
    /// entry of a kind that this version does not know is left out.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn journal(&self, copy: u8, from: UnixTime, after: Option<Cursor>) -> Result<Page<Entry>, StoreError> {
        let found = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk >= :from")
            .expression_attribute_values(":pk", AttributeValue::S(Key::journal(copy, String::new()).pk().to_owned()))
            .expression_attribute_values(":from", AttributeValue::S(stamp(from)))
            .consistent_read(true)
            .set_limit(self.page_size())
            .set_exclusive_start_key(after.map(Cursor::into_key))
            .send()
            .await
            .map_err(|error| StoreError::from_sdk("Query", &error))?;
        let page = Page::read(found.items.unwrap_or_default(), found.last_evaluated_key, read)?;
        Ok(Page { items: page.items.into_iter().flatten().collect(), next: page.next })
    }

    /// Writes a revocation that is of no item: of a client, or of a key. That of a client is marked beside the client, too, for
    /// those who do not read the journal.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn revoke(&self, revocation: &Revocation, at: UnixTime) -> Result<(), StoreError> {
        let mut sent = self.client.transact_write_items();
        if revocation.kind == Kind::Client {
            let mark = RevokedRecord { bound: revocation.bound, ttl: (at + LONGEST_KEEP).seconds() };
            let mark = item::write("revoked client", Key::client_revoked(&revocation.id), &mark)?;
            sent = sent.transact_items(self.put_always(mark)?);
        }
        let sent = self.send_journalled(sent, revocation, at).await?;
        sent.map_err(|error| StoreError::from_sdk("TransactWriteItems", &error))
    }

    /// Revokes one access token, once: one transaction. `false`: it was revoked before.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn revoke_token(&self, jti: &str, exp: UnixTime, at: UnixTime) -> Result<bool, StoreError> {
        let mark = item::write("token", Key::token(jti), &TokenRecord { ttl: (exp + SPARE).seconds() })?;
        let sent = self.client.transact_write_items().transact_items(self.put(mark, "attribute_not_exists(pk)")?);
        let Err(error) = self.send_journalled(sent, &Revocation::token(jti), at).await? else { return Ok(true) };
        match transaction::reasons(error.as_service_error()) {
            [token, ..] if is_refused(token) => Ok(false),
            _ => Err(StoreError::from_sdk("TransactWriteItems", &error)),
        }
    }

    /// Whether an access token was revoked by itself, strongly consistent.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn is_token_revoked(&self, jti: &str) -> Result<bool, StoreError> {
        Ok(self.item(Key::token(jti)).await?.is_some())
    }

    /// Sends a transaction together with what the journal is to say of it.
    pub(crate) async fn send_journalled(
        &self,
        sent: TransactWriteItemsFluentBuilder,
        revocation: &Revocation,
        at: UnixTime,
    ) -> Result<Sent, StoreError> {
        let sent = self.journalled(sent, revocation, at)?;
        let sent = match &self.journal_timeouts {
            Some(timeouts) => {
                let hurried = Builder::new().timeout_config(timeouts.clone());
                sent.customize().config_override(hurried).send().await
            }
            None => sent.send().await,
        };
        Ok(sent.map(|_| ()))
    }

    /// Adds to a transaction what the journal is to say of it, in each copy.
    fn journalled(
        &self,
        sent: TransactWriteItemsFluentBuilder,
        revocation: &Revocation,
        at: UnixTime,
    ) -> Result<TransactWriteItemsFluentBuilder, StoreError> {
        let Revocation { kind, id, bound } = revocation;
        let record = EntryRecord { bound: *bound, ttl: (at + self.journal.keep).seconds() };
        (0..self.journal.copies.get()).try_fold(sent, |sent, copy| {
            let key = Key::journal(copy, format!("{}#{}#{id}", stamp(at), kind.name()));
            let entry = item::write("journal entry", key, &record)?;
            Ok(sent.transact_items(self.put_always(entry)?))
        })
    }

    /// A put of a transaction, over whatever is there.
    fn put_always(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item)).build();
        Ok(TransactWriteItem::builder().put(put.map_err(|_| StoreError::Corrupt("put"))?).build())
    }
}

#[derive(Deserialize, Serialize)]
struct EntryRecord {
    bound: u64,
    ttl: u64,
}

#[derive(Serialize)]
struct TokenRecord {
    ttl: u64,
}

/// Of one width, so that they sort as instants do.
fn stamp(at: UnixTime) -> String {
    format!("{:010}", at.seconds())
}

fn read(item: Item) -> Result<Option<Entry>, StoreError> {
    let corrupt = StoreError::Corrupt("journal entry");
    let key = item.get(SK).and_then(|sk| sk.as_s().ok()).ok_or(StoreError::Corrupt("journal entry"))?;
    let mut parts = key.splitn(3, '#');
    let (Some(stamp), Some(kind), Some(id)) = (parts.next(), parts.next(), parts.next()) else { return Err(corrupt) };
    let at = UnixTime::from_seconds(stamp.parse().map_err(|_| corrupt)?);
    let Some(kind) = Kind::from_name(kind) else { return Ok(None) };
    let id = id.to_owned();
    let EntryRecord { bound, ttl } = item::read("journal entry", item)?;
    Ok(Some(Entry { revocation: Revocation { kind, id, bound }, at, until: UnixTime::from_seconds(ttl) }))
}
