//! Login names: the password hash, and how often the wrong one was tried.

use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use serde::{Deserialize, Serialize};

use auth_core::id::UserId;
use auth_core::login::{Credentials, LoginName};
use auth_core::policy::FUTURE_TOLERANCE;
use auth_core::throttle;
use auth_core::time::UnixTime;

use crate::error::StoreError;
use crate::item::{self, Key, TTL};
use crate::store::Store;

/// How long failures count after the last of them.
const COUNT_LIFE: Duration = Duration::from_hours(24);

/// What became of an attempt to sign in.
#[derive(Debug)]
pub enum Attempt {
    /// It counts as a failure until it is forgotten.
    Counted {
        /// Attempts in a row that count, this one among them.
        attempts: u32,
        /// What is kept under the name, if somebody has it.
        credentials: Option<Credentials>,
    },
    /// The name is closed; nothing was counted.
    Closed {
        /// When it opens.
        until: UnixTime,
    },
}

impl Store {
    /// Counts an attempt and brings back what is kept under the name: one write, for names that nobody has as well.
    ///
    /// A count that is a day old starts anew, which takes a second write. It does so here, for every name, and not when
    /// time-to-live happens to sweep those that nobody has.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn count_attempt(&self, name: &LoginName, now: UnixTime) -> Result<Attempt, StoreError> {
        let one_more = open_at(self.update_login(name), now)
            .update_expression("SET attempted_at = :now ADD attempts :one")
            .expression_attribute_values(":forgotten", item::instant(now.before(COUNT_LIFE)));
        match self.attempt(one_more, now).await? {
            Counted::Done(record) => record.counted(),
            Counted::Refused(record) if record.is_forgotten(now) => self.count_afresh(name, &record, now).await,
            Counted::Refused(record) => Ok(record.closed()),
        }
    }

    async fn count_afresh(&self, name: &LoginName, found: &LoginRecord, now: UnixTime) -> Result<Attempt, StoreError> {
        let afresh = self
            .update_login(name)
            .update_expression("SET attempted_at = :now, attempts = :one")
            .condition_expression("attempted_at = :found")
            .expression_attribute_values(":found", item::number(found.attempted_at));
        match self.attempt(afresh, now).await? {
            Counted::Done(record) => record.counted(),
            // Another attempt was faster at the same moment: this one waits its turn.
            Counted::Refused(_) => Ok(Attempt::Closed { until: now + Duration::from_secs(1) }),
        }
    }

    async fn attempt(&self, update: UpdateItemFluentBuilder, now: UnixTime) -> Result<Counted, StoreError> {
        let sent = update
            .expression_attribute_values(":now", item::instant(now))
            .expression_attribute_values(":one", item::number(1))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match sent {
            Ok(output) => item::read("login", output.attributes.unwrap_or_default()).map(Counted::Done),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    item::read("login", refused.item.clone().unwrap_or_default()).map(Counted::Refused)
                }
                _ => Err(StoreError::from_sdk("UpdateItem", &error)),
            },
        }
    }

    /// Reads what is kept under a name, strongly consistent, counting nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn credentials(&self, name: &LoginName) -> Result<Option<Credentials>, StoreError> {
        let found = self.item(Key::login(name)).await?;
        let record: Option<LoginRecord> = found.map(|item| item::read("login", item)).transpose()?;
        record.map_or(Ok(None), LoginRecord::credentials)
    }

    /// Takes back `attempts` attempts after a success: those that this login saw, none that came after.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn forget_attempts(&self, name: &LoginName, attempts: u32) -> Result<(), StoreError> {
        let update = self
            .update_login(name)
            .update_expression("SET attempts = attempts - :seen")
            .condition_expression("attempts >= :seen")
            .expression_attribute_values(":seen", item::number(attempts.into()));
        unless_refused(update).await
    }

    /// Lets the count of a name that nobody has be swept up.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn expire_unclaimed(&self, name: &LoginName, now: UnixTime) -> Result<(), StoreError> {
        let update = self
            .update_login(name)
            .update_expression("SET #ttl = :ttl")
            .condition_expression("attribute_not_exists(user_id)")
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":ttl", item::number((now + COUNT_LIFE).seconds()));
        unless_refused(update).await
    }

    /// Replaces a password hash by one with newer parameters, unless it was changed meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn rehash(&self, name: &LoginName, old: &str, new: &str) -> Result<(), StoreError> {
        let update = self
            .update_login(name)
            .update_expression("SET password_hash = :new")
            .condition_expression("password_hash = :old")
            .expression_attribute_values(":new", AttributeValue::S(new.to_owned()))
            .expression_attribute_values(":old", AttributeValue::S(old.to_owned()));
        unless_refused(update).await
    }

    fn update_login(&self, name: &LoginName) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.table).set_key(Some(Key::login(name).item()))
    }
}

/// Puts the condition that the name is open: one row of the throttle for each number of failures that closes it.
fn open_at(mut update: UpdateItemFluentBuilder, now: UnixTime) -> UpdateItemFluentBuilder {
    let first = throttle::FREE_FAILURES + 1;
    let last = throttle::failures_at_longest();
    let mut open = vec!["attempts < :first".to_owned(), "attempted_at > :never".to_owned()];
    for failures in first..=last {
        let comparison = if failures == last { ">=" } else { "=" };
        open.push(format!("(attempts {comparison} :n{failures} AND attempted_at <= :t{failures})"));
        update = update
            .expression_attribute_values(format!(":n{failures}"), item::number(failures.into()))
            .expression_attribute_values(
                format!(":t{failures}"),
                item::instant(now.before(throttle::delay_after(failures))),
            );
    }
    update
        .condition_expression(format!(
            "attribute_not_exists(attempts) OR attempts = :none OR (attempted_at > :forgotten AND ({}))",
            open.join(" OR ")
        ))
        .expression_attribute_values(":none", item::number(0))
        .expression_attribute_values(":first", item::number(first.into()))
        // An attempt far in the future was written under a clock that was never right.
        .expression_attribute_values(":never", item::instant(now + FUTURE_TOLERANCE))
}

/// What became of one write.
enum Counted {
    Done(LoginRecord),
    Refused(LoginRecord),
}

/// A refused condition is as good as done: the item has moved on.
async fn unless_refused(update: UpdateItemFluentBuilder) -> Result<(), StoreError> {
    match update.send().await {
        Ok(_) => Ok(()),
        Err(error) if error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) => {
            Ok(())
        }
        Err(error) => Err(StoreError::from_sdk("UpdateItem", &error)),
    }
}

/// What stands under a login name. One that was only tried has no user.
#[derive(Deserialize, Serialize)]
pub(crate) struct LoginRecord {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_hash: Option<String>,
    #[serde(default)]
    ver: u64,
    #[serde(default)]
    attempts: u32,
    #[serde(default)]
    attempted_at: u64,
}

impl LoginRecord {
    pub(crate) fn new(user_id: UserId, password_hash: &str, ver: u64) -> Self {
        Self {
            user_id: Some(user_id.to_string()),
            password_hash: Some(password_hash.to_owned()),
            ver,
            attempts: 0,
            attempted_at: 0,
        }
    }

    fn is_forgotten(&self, now: UnixTime) -> bool {
        UnixTime::from_millis(self.attempted_at) <= now.before(COUNT_LIFE)
    }

    fn counted(self) -> Result<Attempt, StoreError> {
        Ok(Attempt::Counted { attempts: self.attempts, credentials: self.credentials()? })
    }

    fn closed(&self) -> Attempt {
        let last = UnixTime::from_millis(self.attempted_at);
        Attempt::Closed { until: last + throttle::delay_after(self.attempts) }
    }

    fn credentials(self) -> Result<Option<Credentials>, StoreError> {
        let Some(user_id) = self.user_id else { return Ok(None) };
        let corrupt = StoreError::Corrupt("login");
        let Some(password_hash) = self.password_hash else { return Err(corrupt) };
        let user_id = UserId::parse(&user_id).map_err(|_| corrupt)?;
        Ok(Some(Credentials { user_id, password_hash, ver: self.ver }))
    }
}
