//! Whether the table is as the code needs it, and as an operator should want it.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::{
    BillingMode, ContinuousBackupsDescription, KeySchemaElement, PointInTimeRecoveryStatus, SseStatus, SseType,
    TableDescription, TableStatus, TimeToLiveDescription,
};

use crate::error::StoreError;
use crate::item::{PK, SK, TTL};
use crate::store::Store;
use crate::table::is_on;

/// One property of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which one it is.
    pub property: &'static str,
    /// What was found.
    pub found: String,
    /// What to think of it.
    pub verdict: Verdict,
}

/// What to think of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// The engine does not say.
    Unknown,
    /// It works; this would be better.
    Advice(&'static str),
    /// It does not work; this is needed.
    Wrong(&'static str),
}

impl Store {
    /// Asks for all that is known of the table: three calls.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], with the code `ResourceNotFoundException` when there is no such table.
    pub async fn check_table(&self) -> Result<Vec<Finding>, StoreError> {
        let table = self.client.describe_table().table_name(&self.table).send().await;
        let table = table.map_err(|error| StoreError::from_sdk("DescribeTable", &error))?.table;
        let table = table.unwrap_or_else(|| TableDescription::builder().build());
        let ttl = self.client.describe_time_to_live().table_name(&self.table).send().await;
        let ttl = ttl.map_err(|error| StoreError::from_sdk("DescribeTimeToLive", &error))?.time_to_live_description;
        let backups = self.client.describe_continuous_backups().table_name(&self.table).send().await;
        let backups = match backups {
            Ok(backups) => backups.continuous_backups_description,
            // Not every engine can answer, and not everyone who may read the table may ask.
            Err(SdkError::ServiceError(_)) => None,
            Err(error) => return Err(StoreError::from_sdk("DescribeContinuousBackups", &error)),
        };
        Ok(vec![
            status(&table),
            keys(&table),
            time_to_live(ttl.as_ref()),
            billing(&table),
            recovery(backups.as_ref()),
            deletion_protection(&table),
            encryption(&table),
        ])
    }
}

fn status(table: &TableDescription) -> Finding {
    let found = table.table_status().map_or("unknown", TableStatus::as_str);
    let verdict = match table.table_status() {
        Some(TableStatus::Active | TableStatus::Updating) => Verdict::Good,
        _ => Verdict::Wrong("wait until it is ACTIVE"),
    };
    Finding { property: "status", found: found.to_owned(), verdict }
}

fn keys(table: &TableDescription) -> Finding {
    let kind = |name: &str| {
        let definition = table.attribute_definitions().iter().find(|attribute| attribute.attribute_name() == name);
        definition.map_or("?", |attribute| attribute.attribute_type().as_str())
    };
    let key = |key: &KeySchemaElement| {
        format!("{} {} {}", key.attribute_name(), kind(key.attribute_name()), key.key_type().as_str())
    };
    let found = table.key_schema().iter().map(key).collect::<Vec<_>>().join(", ");
    let verdict = if found == format!("{PK} S HASH, {SK} S RANGE") {
        Verdict::Good
    } else {
        Verdict::Wrong("keys cannot be changed: make another table, with pk (S) as hash key and sk (S) as range key")
    };
    Finding { property: "keys", found, verdict }
}

fn time_to_live(ttl: Option<&TimeToLiveDescription>) -> Finding {
    let attribute = ttl.filter(|ttl| is_on(ttl)).and_then(TimeToLiveDescription::attribute_name);
    let verdict = match attribute {
        Some(TTL) => Verdict::Good,
        Some(_) => Verdict::Wrong("turn it off for that attribute and on for \"ttl\": old sessions are never swept up"),
        None => Verdict::Wrong("turn it on for the attribute \"ttl\": old sessions are never swept up"),
    };
    let found = attribute.map_or_else(|| "off".to_owned(), |name| format!("on \"{name}\""));
    Finding { property: "time-to-live", found, verdict }
}

fn billing(table: &TableDescription) -> Finding {
    let mode = table.billing_mode_summary().and_then(|summary| summary.billing_mode());
    // A table that never was on demand has no summary.
    let found = mode.unwrap_or(&BillingMode::Provisioned).as_str().to_owned();
    Finding { property: "billing", found, verdict: Verdict::Good }
}

fn recovery(backups: Option<&ContinuousBackupsDescription>) -> Finding {
    let recovery = backups.and_then(ContinuousBackupsDescription::point_in_time_recovery_description);
    let status = recovery.and_then(|recovery| recovery.point_in_time_recovery_status());
    let advice = Verdict::Advice("turn it on: without it, what is deleted or overwritten is lost");
    let (found, verdict) = match status {
        Some(PointInTimeRecoveryStatus::Enabled) => ("on", Verdict::Good),
        Some(_) => ("off", advice),
        None => ("unknown", Verdict::Unknown),
    };
    Finding { property: "point-in-time recovery", found: found.to_owned(), verdict }
}

fn deletion_protection(table: &TableDescription) -> Finding {
    let advice = Verdict::Advice("turn it on: one call deletes the table and all users");
    let (found, verdict) = match table.deletion_protection_enabled() {
        Some(true) => ("on", Verdict::Good),
        Some(false) => ("off", advice),
        None => ("unknown", Verdict::Unknown),
    };
    Finding { property: "deletion protection", found: found.to_owned(), verdict }
}

fn encryption(table: &TableDescription) -> Finding {
    let own = table
        .sse_description()
        .filter(|sse| matches!(sse.status(), Some(SseStatus::Enabled | SseStatus::Enabling | SseStatus::Updating)));
    // DynamoDB encrypts in any case, and says nothing of a key of its own.
    let found = own.and_then(|sse| sse.sse_type()).map_or("DynamoDB's own key", SseType::as_str).to_owned();
    Finding { property: "encryption", found, verdict: Verdict::Good }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::builders::TableDescriptionBuilder;
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, BillingModeSummary, ContinuousBackupsStatus, KeyType, PointInTimeRecoveryDescription,
        ScalarAttributeType, SseDescription, TimeToLiveStatus,
    };

    use super::*;

    fn keyed(keys: &[(&str, ScalarAttributeType, KeyType)]) -> TableDescription {
        keys.iter().fold(TableDescription::builder(), add_key).build()
    }

    fn add_key(
        table: TableDescriptionBuilder,
        (name, kind, key): &(&str, ScalarAttributeType, KeyType),
    ) -> TableDescriptionBuilder {
        let definition = AttributeDefinition::builder().attribute_name(*name).attribute_type(kind.clone());
        let key = KeySchemaElement::builder().attribute_name(*name).key_type(key.clone());
        table.attribute_definitions(definition.build().unwrap()).key_schema(key.build().unwrap())
    }

    fn is_wrong(finding: &Finding) -> bool {
        matches!(finding.verdict, Verdict::Wrong(_))
    }

    #[test]
    fn other_keys_than_ours_are_wrong() {
        use KeyType::{Hash, Range};
        use ScalarAttributeType::{B, S};
        let cases = [
            ("ours", keyed(&[("pk", S, Hash), ("sk", S, Range)]), "pk S HASH, sk S RANGE", false),
            ("no range key", keyed(&[("pk", S, Hash)]), "pk S HASH", true),
            ("other names", keyed(&[("PK", S, Hash), ("SK", S, Range)]), "PK S HASH, SK S RANGE", true),
            ("another type", keyed(&[("pk", S, Hash), ("sk", B, Range)]), "pk S HASH, sk B RANGE", true),
        ];
        for (name, table, found, wrong) in cases {
            let finding = keys(&table);
            assert_eq!((finding.found.as_str(), is_wrong(&finding)), (found, wrong), "{name}");
        }
    }

    #[test]
    fn time_to_live_is_on_and_on_our_attribute() {
        use TimeToLiveStatus::{Disabled, Disabling, Enabled, Enabling};
        let cases = [
            (Enabled, "ttl", "on \"ttl\"", false),
            (Enabling, "ttl", "on \"ttl\"", false),
            (Enabled, "expires", "on \"expires\"", true),
            (Disabled, "ttl", "off", true),
            (Disabling, "ttl", "off", true),
        ];
        for (status, attribute, found, wrong) in cases {
            let ttl = TimeToLiveDescription::builder().time_to_live_status(status.clone()).attribute_name(attribute);
            let finding = time_to_live(Some(&ttl.build()));
            assert_eq!((finding.found.as_str(), is_wrong(&finding)), (found, wrong), "{status} {attribute}");
        }
        assert!(is_wrong(&time_to_live(None)));
    }

    #[test]
    fn a_table_is_ready_or_not() {
        for (state, wrong) in
            [(TableStatus::Active, false), (TableStatus::Updating, false), (TableStatus::Creating, true)]
        {
            let finding = status(&TableDescription::builder().table_status(state.clone()).build());
            assert_eq!((finding.found.as_str(), is_wrong(&finding)), (state.as_str(), wrong));
        }
    }

    #[test]
    fn what_is_lost_for_ever_is_advised_against() {
        let backups = |status| {
            let described = PointInTimeRecoveryDescription::builder().point_in_time_recovery_status(status).build();
            let backups = ContinuousBackupsDescription::builder()
                .continuous_backups_status(ContinuousBackupsStatus::Enabled)
                .point_in_time_recovery_description(described);
            recovery(Some(&backups.build().unwrap()))
        };
        assert_eq!(backups(PointInTimeRecoveryStatus::Enabled).verdict, Verdict::Good);
        assert!(matches!(backups(PointInTimeRecoveryStatus::Disabled).verdict, Verdict::Advice(_)));
        assert_eq!(recovery(None).verdict, Verdict::Unknown);
        let protected = |on: Option<bool>| {
            deletion_protection(&TableDescription::builder().set_deletion_protection_enabled(on).build()).verdict
        };
        assert_eq!((protected(Some(true)), protected(None)), (Verdict::Good, Verdict::Unknown));
        assert!(matches!(protected(Some(false)), Verdict::Advice(_)));
    }

    #[test]
    fn billing_and_encryption_are_told() {
        let on_demand = BillingModeSummary::builder().billing_mode(BillingMode::PayPerRequest).build();
        let kms = SseDescription::builder().status(SseStatus::Enabled).sse_type(SseType::Kms).build();
        let table = TableDescription::builder().billing_mode_summary(on_demand).sse_description(kms).build();
        assert_eq!((billing(&table).found.as_str(), encryption(&table).found.as_str()), ("PAY_PER_REQUEST", "KMS"));
        let plain = TableDescription::builder().build();
        assert_eq!(
            (billing(&plain).found.as_str(), encryption(&plain).found.as_str()),
            ("PROVISIONED", "DynamoDB's own key")
        );
    }
}
