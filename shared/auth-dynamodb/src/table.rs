//! The table itself: for engines that start empty. On AWS the template makes it.

use std::time::Duration;

use aws_sdk_dynamodb::client::Waiters as _;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TimeToLiveDescription,
    TimeToLiveSpecification, TimeToLiveStatus,
};

use crate::error::{Reason, StoreError};
use crate::item::{PK, SK, TTL};
use crate::store::Store;

/// The table of a stack on this machine, unless it is named otherwise.
pub const LOCAL_NAME: &str = "countersign";

/// AWS takes seconds.
const LONGEST_CREATION: Duration = Duration::from_mins(1);

/// What became of a new table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// There it is.
    Created,
    /// It was there before.
    Existed,
}

impl Store {
    /// Creates the table, on demand and with time-to-live, unless it is there already; one that is there gets its
    /// time-to-live.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn create_table(&self) -> Result<Creation, StoreError> {
        let created = self
            .client
            .create_table()
            .table_name(&self.table)
            .billing_mode(BillingMode::PayPerRequest)
            .set_attribute_definitions(Some(vec![text_attribute(PK)?, text_attribute(SK)?]))
            .set_key_schema(Some(vec![key(PK, KeyType::Hash)?, key(SK, KeyType::Range)?]))
            .send()
            .await;
        let creation = match created {
            Ok(_) => Creation::Created,
            Err(error) if error.as_service_error().is_some_and(CreateTableError::is_resource_in_use_exception) => {
                Creation::Existed
            }
            Err(error) => return Err(StoreError::from_sdk("CreateTable", &error)),
        };
        let waiting = self.client.wait_until_table_exists().table_name(&self.table).wait(LONGEST_CREATION).await;
        waiting.map_err(|_| StoreError::Unavailable { operation: "CreateTable", reason: Reason::TimedOut })?;
        if !self.has_ttl().await? {
            self.expire_by_ttl().await?;
        }
        Ok(creation)
    }

    async fn has_ttl(&self) -> Result<bool, StoreError> {
        let described = self.client.describe_time_to_live().table_name(&self.table).send().await;
        let described = described.map_err(|error| StoreError::from_sdk("DescribeTimeToLive", &error))?;
        Ok(described.time_to_live_description.as_ref().is_some_and(is_on))
    }

    async fn expire_by_ttl(&self) -> Result<(), StoreError> {
        let specification = TimeToLiveSpecification::builder().attribute_name(TTL).enabled(true).build();
        self.client
            .update_time_to_live()
            .table_name(&self.table)
            .time_to_live_specification(specification.map_err(|_| StoreError::Corrupt("table"))?)
            .send()
            .await
            .map(drop)
            .map_err(|error| StoreError::from_sdk("UpdateTimeToLive", &error))
    }
}

/// Whether time-to-live is on, or being turned on.
pub(crate) fn is_on(ttl: &TimeToLiveDescription) -> bool {
    matches!(ttl.time_to_live_status(), Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling))
}

fn text_attribute(name: &str) -> Result<AttributeDefinition, StoreError> {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(ScalarAttributeType::S)
        .build()
        .map_err(|_| StoreError::Corrupt("table"))
}

fn key(name: &str, key_type: KeyType) -> Result<KeySchemaElement, StoreError> {
    KeySchemaElement::builder()
        .attribute_name(name)
        .key_type(key_type)
        .build()
        .map_err(|_| StoreError::Corrupt("table"))
}
