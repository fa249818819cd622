//! The connection to `DynamoDB`.

use std::num::NonZeroU16;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::InterceptorContext;
use aws_sdk_dynamodb::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Credentials, ProvideCredentials as _, Region};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::scan::ScanOutput;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;

use auth_core::journal::JournalPolicy;

use crate::endpoint::Endpoint;
use crate::error::StoreError;
use crate::item::{Item, Key};
use crate::page::Cursor;
use crate::patience::{self, Patience};
use crate::transaction;

/// How long one call may take, with its repetitions: a refresh makes four in a row at most, in the ten seconds that a
/// request lives.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(2);

/// The table, reached over one kept connection pool.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) client: Client,
    pub(crate) table: String,
    pub(crate) journal: JournalPolicy,
    /// How long a transaction with an entry of the journal may take, if that is less than any other call.
    pub(crate) journal_timeouts: Option<TimeoutConfig>,
    page_size: Option<NonZeroU16>,
}

impl Store {
    /// The table as the environment finds it: region, credentials and endpoint come from the SDK's own variables and
    /// profiles (`AWS_REGION`, `AWS_PROFILE`, `AWS_ENDPOINT_URL_DYNAMODB` …).
    ///
    /// Connects with the first call.
    pub async fn from_environment(table: String) -> Self {
        let shared = aws_config::defaults(BehaviorVersion::latest()).load().await;
        Self::with_timeouts(Builder::from(&shared), table, REQUEST.timeouts())
    }

    /// The same, for whoever reads the journal and rather decides by what is known than waits.
    pub async fn for_journal(table: String) -> Self {
        let shared = aws_config::defaults(BehaviorVersion::latest()).load().await;
        Self::with_timeouts(Builder::from(&shared), table, JOURNAL.timeouts())
    }

    /// The table at another endpoint: as [`Self::on_loopback`] there, with the credentials and the region of the
    /// environment elsewhere.
    pub async fn at(endpoint: &Endpoint, table: String) -> Self {
        if endpoint.is_on_loopback() {
            return Self::on_loopback(endpoint.as_str(), table);
        }
        let shared = aws_config::defaults(BehaviorVersion::latest()).endpoint_url(endpoint.as_str()).load().await;
        Self::with_timeouts(Builder::from(&shared), table, REQUEST.timeouts())
    }

    /// The table as [`Self::from_environment`] or [`Self::at`] finds it, for a person who waits longer than a request may,
    /// and who is told at once if the environment names no account. What is revoked goes into every copy of the journal that
    /// there can be.
    ///
    /// # Errors
    ///
    /// [`NoAccount`] when the environment names no region or no credentials.
    pub async fn for_operator(endpoint: Option<&Endpoint>, table: String) -> Result<Self, NoAccount> {
        let mut shared = aws_config::defaults(BehaviorVersion::latest());
        match endpoint {
            Some(endpoint) if endpoint.is_on_loopback() => {
                return Ok(Self::on_loopback(endpoint.as_str(), table).with_journal(JournalPolicy::EVERY_COPY));
            }
            Some(endpoint) => shared = shared.endpoint_url(endpoint.as_str()),
            None => {}
        }
        let shared = shared.load().await;
        shared.region().ok_or(NoAccount::Region)?;
        let credentials = shared.credentials_provider().ok_or(NoAccount::Credentials)?;
        credentials.provide_credentials().await.map_err(|_| NoAccount::Credentials)?;
        let store = Self::with_timeouts(Builder::from(&shared), table, OPERATOR.timeouts());
        let journal_timeouts = Some(JOURNALLED.timeouts());
        Ok(Self { journal_timeouts, ..store.with_journal(JournalPolicy::EVERY_COPY) })
    }

    /// The table in an engine on this machine, which asks for no account. Only a busy machine delays it, and then there is
    /// no instance to go to instead: it gets all the time it wants.
    pub fn on_loopback(endpoint: &str, table: String) -> Self {
        let config = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "loopback"));
        Self::with_timeouts(config, table, TimeoutConfig::disabled())
    }

    /// The same table, asked for at most `items` items at a time where answers come in pages: their answers are of 1 MB
    /// otherwise.
    #[must_use]
    pub fn with_page_size(self, items: NonZeroU16) -> Self {
        Self { page_size: Some(items), ..self }
    }

    /// The same table, whose journal is written by `policy`.
    #[must_use]
    pub fn with_journal(self, policy: JournalPolicy) -> Self {
        Self { journal: policy, ..self }
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.table
    }

    pub(crate) fn page_size(&self) -> Option<i32> {
        self.page_size.map(|items| items.get().into())
    }

    /// Reads an item, strongly consistent: one call.
    pub(crate) async fn item(&self, key: Key) -> Result<Option<Item>, StoreError> {
        let found = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key.item()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| StoreError::from_sdk("GetItem", &error))?;
        Ok(found.item)
    }

    /// Reads a page of all items with this sort key, strongly consistent, in no order; it looks at the whole table.
    pub(crate) async fn scan(&self, sk: &str, after: Option<Cursor>) -> Result<ScanOutput, StoreError> {
        self.client
            .scan()
            .table_name(&self.table)
            .filter_expression("sk = :sk")
            .expression_attribute_values(":sk", AttributeValue::S(sk.to_owned()))
            .consistent_read(true)
            .set_limit(self.page_size())
            .set_exclusive_start_key(after.map(Cursor::into_key))
            .send()
            .await
            .map_err(|error| StoreError::from_sdk("Scan", &error))
    }

    fn with_timeouts(config: Builder, table: String, timeouts: TimeoutConfig) -> Self {
        let config =
            config.timeout_config(timeouts).retry_config(patience::retries()).retry_classifier(ConflictIsTransient);
        Self {
            client: Client::from_conf(config.build()),
            table,
            journal: JournalPolicy::default(),
            journal_timeouts: None,
            page_size: None,
        }
    }
}

/// The environment does not say whose `DynamoDB`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAccount {
    /// No region.
    #[error("no AWS region is set")]
    Region,
    /// No credentials, or none that can be used.
    #[error("there are no AWS credentials that can be used")]
    Credentials,
}

const REQUEST: Patience =
    Patience { connect: Duration::from_millis(500), attempt: Duration::from_millis(700), call: CALL_TIMEOUT };

/// One attempt.
const JOURNAL: Patience = Patience {
    connect: Duration::from_millis(500),
    attempt: Duration::from_millis(500),
    call: Duration::from_millis(500),
};

/// For a page of 1 MB over a slow line.
const OPERATOR: Patience =
    Patience { connect: Duration::from_secs(5), attempt: Duration::from_secs(20), call: Duration::from_mins(1) };

/// For what an operator revokes: readers look for an entry around its stamp, so it lands within seconds of it, or the
/// operator is told to say it again.
const JOURNALLED: Patience =
    Patience { connect: Duration::from_secs(2), attempt: Duration::from_secs(2), call: Duration::from_secs(5) };

/// A write that meets a transaction on the same item, and a transaction that meets any write, say nothing about the item:
/// they are sent again. The SDK by itself would give up.
#[derive(Debug)]
struct ConflictIsTransient;

impl ClassifyRetry for ConflictIsTransient {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err).and_then(|error| error.as_operation_error());
        let Some(error) = error else { return RetryAction::NoActionIndicated };
        let update = error.downcast_ref::<UpdateItemError>().and_then(ProvideErrorMetadata::code);
        let code = update.or_else(|| error.downcast_ref::<PutItemError>().and_then(ProvideErrorMetadata::code));
        let is_conflict = code == Some("TransactionConflictException")
            || error.downcast_ref::<TransactWriteItemsError>().is_some_and(transaction::is_conflict);
        if is_conflict { RetryAction::transient_error() } else { RetryAction::NoActionIndicated }
    }

    fn name(&self) -> &'static str {
        "a transaction conflict is transient"
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use auth_core::journal::Revocation;
    use auth_core::time::UnixTime;

    use super::*;
    use crate::error::Reason;

    #[test]
    fn whoever_writes_the_journal_gives_up_within_five_seconds_of_the_stamp() {
        for patience in [REQUEST, JOURNALLED] {
            assert!(patience.call <= Duration::from_secs(5));
        }
    }

    /// An engine that takes every call and never answers: with the patience for pages alone, the test would take a minute.
    #[tokio::test]
    async fn a_revocation_is_given_up_sooner_than_a_page() {
        let engine = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", engine.local_addr().unwrap());
        let moment = Duration::from_millis(20);
        let hurried = Patience { connect: moment, attempt: moment, call: moment };
        let store = Store::on_loopback(&endpoint, "table".to_owned());
        let store = Store { journal_timeouts: Some(hurried.timeouts()), ..store };
        let revoked = store.revoke(&Revocation::key("kid"), UnixTime::from_seconds(1)).await;
        assert!(matches!(revoked, Err(StoreError::Unavailable { reason: Reason::TimedOut, .. })), "{revoked:?}");
    }
}
