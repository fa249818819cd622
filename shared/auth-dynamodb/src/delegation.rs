//! Sessions that clients have under sessions of users (RFC 8693), one for each client.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;

use auth_core::session::Session;

use crate::error::StoreError;
use crate::item::{self, Item, Key, PK, SK};
use crate::session::SessionRecord;
use crate::store::Store;

/// What became of a client's session under another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delegated {
    /// It begins, or goes on.
    Done,
    /// Not done: it was ended, by itself or with all others of the user.
    Ended,
}

impl Store {
    /// Begins the session, or goes on with the one that the client has: one conditional write. Since when it is there stays as
    /// it was.
    ///
    /// One that was ended, or whose `ver` is below the user's `floor`, is never taken up again: whoever ends it alone ends it for
    /// as long as the session above it lives.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn delegate(&self, session: &Session, floor: u64) -> Result<Delegated, StoreError> {
        let key = Key::session(session.user_id, session.id);
        let mut record = item::write("session", key.clone(), &SessionRecord::new(session))?;
        record.retain(|name, _| ![PK, SK].contains(&name.as_str()));
        let set: Vec<String> = record.keys().map(|name| assignment(name)).collect();
        let names: HashMap<String, String> = record.keys().map(|name| (format!("#{name}"), name.clone())).collect();
        let values: Item = record.into_iter().map(|(name, value)| (format!(":{name}"), value)).collect();
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.item()))
            .update_expression(format!("SET {}", set.join(", ")))
            .condition_expression("attribute_not_exists(pk) OR (attribute_not_exists(ended) AND #ver >= :floor)")
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .expression_attribute_values(":floor", item::number(floor))
            .send()
            .await;
        let Err(error) = sent else { return Ok(Delegated::Done) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(Delegated::Ended),
            _ => Err(StoreError::from_sdk("UpdateItem", &error)),
        }
    }
}

fn assignment(name: &str) -> String {
    match name {
        "created_at" => format!("#{name} = if_not_exists(#{name}, :{name})"),
        _ => format!("#{name} = :{name}"),
    }
}
