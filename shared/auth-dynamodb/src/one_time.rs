//! One-time tokens that were used.

use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use serde::{Deserialize, Serialize};

use auth_core::id::TokenId;
use auth_core::jwt::one_time::OneTimeClaims;

use crate::error::StoreError;
use crate::item::{self, Key};
use crate::store::Store;

/// How long the mark stays after the token's end. By then it is refused for its age, wherever clocks are.
const SPARE: Duration = Duration::from_hours(1);

/// What became of the use of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// This is the one.
    First,
    /// It was used before.
    Spent,
}

impl Store {
    /// Uses a one-time token up: one conditional write, which fails for the second use. Whoever acts on a token does this first,
    /// after it was verified.
    ///
    /// `by` is drawn anew for each request: by it the repetition of a write whose answer was lost is known from a second use.
    ///
    /// # Errors
    ///
    /// [`StoreError`]. It is then unknown whether the token was used up: the request can be sent again with the same `by`, or another
    /// token be asked for.
    pub async fn use_up(&self, token: &OneTimeClaims, by: TokenId) -> Result<Use, StoreError> {
        let record = OneTimeRecord { by: by.to_string(), ttl: (token.exp + SPARE).seconds() };
        let used = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item::write("one-time token", Key::one_time(&token.jti), &record)?))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = used else { return Ok(Use::First) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(found)) => {
                let found: OneTimeRecord = item::read("one-time token", found.item.clone().unwrap_or_default())?;
                Ok(if found.by == record.by { Use::First } else { Use::Spent })
            }
            _ => Err(StoreError::from_sdk("PutItem", &error)),
        }
    }
}

#[derive(Deserialize, Serialize)]
struct OneTimeRecord {
    by: String,
    ttl: u64,
}
