//! What is deleted. (All else is changed, or swept up by time-to-live.)

use std::time::Duration;

use aws_sdk_dynamodb::config::AsyncSleep as _;
use aws_sdk_dynamodb::types::{Delete, DeleteRequest, TransactWriteItem, WriteRequest};

use auth_core::id::UserId;
use auth_core::journal::Revocation;
use auth_core::time::UnixTime;
use auth_core::user::User;

use crate::error::{Reason, StoreError};
use crate::item::{self, Item, Key};
use crate::page::Page;
use crate::store::Store;
use crate::transaction::{self, is_refused};

/// The most writes of one `BatchWriteItem`.
const BATCH: usize = 25;

/// What a batch put off is sent again, after twice the time each time: 6 s in all.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_millis(3200);

/// What became of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// There is no such user any more.
    Deleted,
    /// The login name leads to another user by now, or to none.
    Gone,
}

impl Store {
    /// Deletes a user, frees the login name and writes it into the journal: one transaction. No refresh of the user's that begins
    /// afterwards succeeds.
    ///
    /// The sessions' items are left to [`Store::delete_sessions`].
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn delete_user(&self, user: &User, now: UnixTime) -> Result<Deletion, StoreError> {
        let login = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(Key::login(&user.login_name).item()))
            .condition_expression("user_id = :user")
            .expression_attribute_values(":user", item::value(user.id)?);
        let record = Delete::builder().table_name(&self.table).set_key(Some(Key::user(user.id).item()));
        let mut sent = self.client.transact_write_items();
        for delete in [login, record] {
            let delete = delete.build().map_err(|_| StoreError::Corrupt("delete"))?;
            sent = sent.transact_items(TransactWriteItem::builder().delete(delete).build());
        }
        let gone = Revocation::user(user.id, user.next_ver(now));
        let Err(error) = self.send_journalled(sent, &gone, now).await? else { return Ok(Deletion::Deleted) };
        match transaction::reasons(error.as_service_error()) {
            [login, ..] if is_refused(login) => Ok(Deletion::Gone),
            _ => Err(StoreError::from_sdk("TransactWriteItems", &error)),
        }
    }

    /// Deletes the sessions of a user, whatever their state, and says how many there were.
    ///
    /// A write unit for each; what was done stays done if an error comes.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn delete_sessions(&self, user_id: UserId) -> Result<usize, StoreError> {
        let (mut deleted, mut after) = (0, None);
        loop {
            let found = self.query_sessions(user_id, after).projection_expression("pk, sk").send().await;
            let found = found.map_err(|error| StoreError::from_sdk("Query", &error))?;
            let page = Page::read(found.items.unwrap_or_default(), found.last_evaluated_key, delete_request)?;
            for batch in page.items.chunks(BATCH) {
                self.write_batch(batch.to_vec()).await?;
            }
            deleted += page.items.len();
            after = page.next;
            if after.is_none() {
                return Ok(deleted);
            }
        }
    }

    async fn write_batch(&self, mut writes: Vec<WriteRequest>) -> Result<(), StoreError> {
        let mut wait = FIRST_WAIT;
        loop {
            let sent = self.client.batch_write_item().request_items(&self.table, writes).send().await;
            let sent = sent.map_err(|error| StoreError::from_sdk("BatchWriteItem", &error))?;
            writes = sent.unprocessed_items.and_then(|mut put_off| put_off.remove(&self.table)).unwrap_or_default();
            if writes.is_empty() {
                return Ok(());
            }
            if wait > LONGEST_WAIT {
                return Err(StoreError::Unavailable { operation: "BatchWriteItem", reason: Reason::Unprocessed });
            }
            if let Some(sleep) = self.client.config().sleep_impl() {
                sleep.sleep(wait).await;
            }
            wait *= 2;
        }
    }
}

fn delete_request(key: Item) -> Result<WriteRequest, StoreError> {
    let delete = DeleteRequest::builder().set_key(Some(key)).build().map_err(|_| StoreError::Corrupt("delete"))?;
    Ok(WriteRequest::builder().delete_request(delete).build())
}
