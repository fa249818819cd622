//! The public halves of the keys of access tokens, and their turns: one partition, changed as a whole or not at all.
//!
//! An item beside them counts the changes. It is read before the keys and written with them, so a change is only ever made to
//! the ring that was read.

use aws_sdk_dynamodb::operation::transact_write_items::builders::TransactWriteItemsFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use serde::{Deserialize, Serialize};

use auth_core::journal::Revocation;
use auth_core::key_ring::{Custody, KeyRing, RingKey};
use auth_core::time::UnixTime;

use crate::error::StoreError;
use crate::item::{self, Item, Key, RING, SK};
use crate::journal::TransactionError;
use crate::page::Cursor;
use crate::store::Store;
use crate::transaction::{self, is_refused};

const KIND: &str = "key";
const KMS: &str = "kms:";
const SECRET: &str = "secret";

/// A part of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RingChange {
    /// A key is from now on as it is here.
    Put(Box<RingKey>),
    /// A key is listed no more.
    Forget(String),
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingChanged {
    /// All of it is done.
    Done,
    /// Nothing is done: the ring is another one than was read.
    Meanwhile,
}

impl Store {
    /// Reads all keys, strongly consistent: one call, and a read unit for each 4 KB.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn key_ring(&self) -> Result<KeyRing, StoreError> {
        let (mut version, mut keys, mut after) = (0, Vec::new(), None);
        loop {
            let found = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", AttributeValue::S(Key::ring().pk().to_owned()))
                .consistent_read(true)
                .set_limit(self.page_size())
                .set_exclusive_start_key(after.map(Cursor::into_key))
                .send()
                .await
                .map_err(|error| StoreError::from_sdk("Query", &error))?;
            for item in found.items.unwrap_or_default() {
                match name(&item)? {
                    RING => version = item::read::<RingRecord>("key ring", item)?.version,
                    _ => keys.push(read(item)?),
                }
            }
            after = found.last_evaluated_key.map(Cursor::new);
            if after.is_none() {
                return Ok(KeyRing::new(version, keys));
            }
        }
    }

    /// Changes the ring that was read: one transaction.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; [`StoreError::Corrupt`] for a shared key, which has no public half.
    pub async fn change_ring(&self, read: &KeyRing, changes: &[RingChange]) -> Result<RingChanged, StoreError> {
        let sent = self.ring_change(read, changes)?.send().await;
        changed(sent.map(drop).err().as_ref())
    }

    /// The same, and tells the journal in that transaction that a key was killed.
    ///
    /// # Errors
    ///
    /// As [`Self::change_ring`].
    pub async fn kill_in_ring(
        &self,
        read: &KeyRing,
        changes: &[RingChange],
        kid: &str,
        at: UnixTime,
    ) -> Result<RingChanged, StoreError> {
        let sent = self.ring_change(read, changes)?;
        let sent = self.send_journalled(sent, &Revocation::key(kid), at).await?;
        changed(sent.err().as_ref())
    }

    fn ring_change(
        &self,
        read: &KeyRing,
        changes: &[RingChange],
    ) -> Result<TransactWriteItemsFluentBuilder, StoreError> {
        let sent = self.client.transact_write_items().transact_items(self.next_version(read.version())?);
        changes.iter().try_fold(sent, |sent, change| Ok(sent.transact_items(self.change_item(change)?)))
    }

    fn next_version(&self, read: u64) -> Result<TransactWriteItem, StoreError> {
        let item = item::write("key ring", Key::ring(), &RingRecord { version: read.saturating_add(1) })?;
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = match read {
            0 => put.condition_expression("attribute_not_exists(pk)"),
            read => {
                put.condition_expression("version = :read").expression_attribute_values(":read", item::number(read))
            }
        };
        Ok(TransactWriteItem::builder().put(put.build().map_err(|_| StoreError::Corrupt("put"))?).build())
    }

    fn change_item(&self, change: &RingChange) -> Result<TransactWriteItem, StoreError> {
        let write = TransactWriteItem::builder();
        Ok(match change {
            RingChange::Put(key) => {
                let item = item::write(KIND, Key::signing_key(key.kid()), &KeyRecord::new(key)?)?;
                let put = Put::builder().table_name(&self.table).set_item(Some(item));
                // Whatever is made of a killed key, it stays one.
                let put = match key.killed_at {
                    Some(_) => put.build(),
                    None => put.condition_expression("attribute_not_exists(killed_at)").build(),
                };
                write.put(put.map_err(|_| StoreError::Corrupt("put"))?).build()
            }
            RingChange::Forget(kid) => {
                let key = Key::signing_key(kid).item();
                let delete = Delete::builder().table_name(&self.table).set_key(Some(key)).build();
                write.delete(delete.map_err(|_| StoreError::Corrupt("delete"))?).build()
            }
        })
    }
}

fn changed(error: Option<&TransactionError>) -> Result<RingChanged, StoreError> {
    let Some(error) = error else { return Ok(RingChanged::Done) };
    if transaction::reasons(error.as_service_error()).iter().any(is_refused) {
        return Ok(RingChanged::Meanwhile);
    }
    Err(StoreError::from_sdk("TransactWriteItems", error))
}

#[derive(Deserialize, Serialize)]
struct RingRecord {
    version: u64,
}

#[derive(Deserialize, Serialize)]
struct KeyRecord {
    /// JSON (RFC 7517 §4).
    jwk: String,
    /// `secret`, or `kms:` and an ARN.
    custody: String,
    made_at: u64,
    signs_from: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    killed_at: Option<u64>,
}

impl KeyRecord {
    fn new(key: &RingKey) -> Result<Self, StoreError> {
        let jwk = key.public_jwk().ok_or(StoreError::Corrupt(KIND))?;
        let custody = match &key.custody {
            Custody::Secret => SECRET.to_owned(),
            Custody::Kms(arn) => format!("{KMS}{arn}"),
        };
        let RingKey { made_at, signs_from, killed_at, .. } = key;
        let killed_at = killed_at.map(UnixTime::millis);
        Ok(Self { jwk, custody, made_at: made_at.millis(), signs_from: signs_from.millis(), killed_at })
    }

    fn into_key(self) -> Option<RingKey> {
        let custody = match self.custody.strip_prefix(KMS) {
            Some(arn) => Custody::Kms(arn.to_owned()),
            None => (self.custody == SECRET).then_some(Custody::Secret)?,
        };
        let [made_at, signs_from] = [self.made_at, self.signs_from].map(UnixTime::from_millis);
        let mut key = RingKey::parse(&self.jwk, custody, made_at, signs_from).ok()?;
        key.killed_at = self.killed_at.map(UnixTime::from_millis);
        Some(key)
    }
}

fn name(item: &Item) -> Result<&str, StoreError> {
    item.get(SK).and_then(|sk| sk.as_s().ok()).map(String::as_str).ok_or(StoreError::Corrupt(KIND))
}

fn read(item: Item) -> Result<RingKey, StoreError> {
    let kid = name(&item)?.to_owned();
    let key = item::read::<KeyRecord>(KIND, item)?.into_key();
    key.filter(|key| key.kid() == kid).ok_or(StoreError::Corrupt(KIND))
}
