//! Changes of a user. Each raises `ver`, and is refused if the user is not as it was read.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure, Update};

use auth_core::id::SessionId;
use auth_core::journal::Revocation;
use auth_core::scope::{Roles, Scope};
use auth_core::time::UnixTime;
use auth_core::user::{Status, User};

use crate::error::StoreError;
use crate::item::{self, Item, Key};
use crate::journal::Sent;
use crate::store::Store;
use crate::transaction::{self, is_refused};
use crate::user::{self, StatusRecord};

/// What is to be changed of a user.
#[derive(Clone, Debug)]
pub enum Change {
    /// Whether the user may have tokens at all.
    Status(Status),
    /// The claim `roles`.
    Roles(Roles),
    /// The widest scope.
    Scope(Scope),
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// Done; the user as it is now.
    Done(User),
    /// Not done: the user was changed since it was read.
    Meanwhile,
    /// Not done: there is no such user any more.
    Gone,
}

/// What became of the end of all sessions but one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Others {
    /// As of every change.
    Changed(Changed),
    /// Not done: the session that was to stay has ended, or there is none.
    NotKept,
}

impl Store {
    /// Changes a user that is still as `user`: one transaction with its entry in the journal.
    ///
    /// Sessions go on, and their next refresh hands out what the user has then. Access tokens of before are refused by every
    /// authorizer as soon as it has read the journal.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn change_user(&self, user: &User, change: Change, now: UnixTime) -> Result<Changed, StoreError> {
        let (name, value) = match &change {
            Change::Status(status) => ("status", item::value(StatusRecord::new(*status))?),
            Change::Roles(roles) => ("roles", AttributeValue::S(roles.to_string())),
            Change::Scope(scope) => ("scope", AttributeValue::S(scope.to_string())),
        };
        let changed = change.made_to(User { ver: user.next_ver(now), ..user.clone() });
        let update = Update::builder()
            .set_key(Some(Key::user(user.id).item()))
            .update_expression("SET #changed = :changed, ver = :ver")
            .condition_expression("ver = :read")
            .expression_attribute_names("#changed", name)
            .expression_attribute_values(":changed", value)
            .expression_attribute_values(":read", item::number(user.ver))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = self.raise_ver([update], &changed, now).await? else { return Ok(Changed::Done(changed)) };
        match transaction::reasons(error.as_service_error()) {
            [user, ..] if is_refused(user) => refusal(changed, user.item().cloned()),
            _ => Err(StoreError::from_sdk("TransactWriteItems", &error)),
        }
    }

    /// Sets the password of a user that is still as `user`, and ends all that began with the one before: one transaction,
    /// as [`Self::end_all_sessions`]. Failures to sign in are forgotten.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn set_password(&self, user: &User, password_hash: &str, now: UnixTime) -> Result<Changed, StoreError> {
        let login = Update::builder()
            .update_expression("SET ver = :ver, password_hash = :hash, attempts = :none")
            .expression_attribute_values(":hash", AttributeValue::S(password_hash.to_owned()))
            .expression_attribute_values(":none", item::number(0));
        self.raise_floor(user, login, now).await
    }

    /// Ends all sessions of a user that is still as `user`, and every login under way: one transaction, however many
    /// there are.
    ///
    /// The new `ver` is the user's `floor`, so that no older session refreshes, and stands beside the hash, so that new
    /// ones begin with it. The sessions' own items are left as they are.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn end_all_sessions(&self, user: &User, now: UnixTime) -> Result<Changed, StoreError> {
        self.raise_floor(user, ver_only(), now).await
    }

    /// Ends all sessions of a user that is still as `user` but one, and every login under way: one transaction, as
    /// [`Self::end_all_sessions`], which lifts the `ver` of the session that stays.
    ///
    /// Access tokens of that session are refused, too, until its next refresh.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn end_other_sessions(&self, user: &User, keep: SessionId, now: UnixTime) -> Result<Others, StoreError> {
        let (changed, updates) = raised_floor(user, ver_only(), now)?;
        let kept = ver_only()
            .set_key(Some(Key::session(user.id, keep).item()))
            // Invariant: what the floor has ended is not lifted above it again.
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(ended) AND ver >= :floor")
            .expression_attribute_values(":floor", item::number(user.floor));
        let sent = self.raise_ver(updates.into_iter().chain([kept]), &changed, now).await?;
        let reasons = transaction::reasons(sent.as_ref().err().and_then(SdkError::as_service_error));
        match reasons {
            [login, user, kept, ..] if is_refused(kept) && !is_refused(login) && !is_refused(user) => {
                Ok(Others::NotKept)
            }
            _ => floor_raised(changed, sent).map(Others::Changed),
        }
    }

    /// Gives the user a new `ver` and `floor`, and the login item the same `ver` by `login`; both or neither.
    async fn raise_floor(&self, user: &User, login: UpdateBuilder, now: UnixTime) -> Result<Changed, StoreError> {
        let (changed, updates) = raised_floor(user, login, now)?;
        let sent = self.raise_ver(updates, &changed, now).await?;
        floor_raised(changed, sent)
    }

    /// Carries out updates that know the user's new `ver` as `:ver`, and writes into the journal that it is the least one which
    /// is still good: all or nothing.
    async fn raise_ver(
        &self,
        updates: impl IntoIterator<Item = UpdateBuilder>,
        changed: &User,
        now: UnixTime,
    ) -> Result<Sent, StoreError> {
        let ver = item::number(changed.ver);
        let mut sent = self.client.transact_write_items();
        for update in updates {
            let update = update.table_name(&self.table).expression_attribute_values(":ver", ver.clone());
            sent = sent.transact_items(transaction::update(update)?);
        }
        self.send_journalled(sent, &Revocation::user(changed.id, changed.ver), now).await
    }
}

impl Change {
    fn made_to(self, user: User) -> User {
        match self {
            Self::Status(status) => User { status, ..user },
            Self::Roles(roles) => User { roles, ..user },
            Self::Scope(scope) => User { scope, ..user },
        }
    }
}

/// Gives an item the new `ver`, and nothing else.
fn ver_only() -> UpdateBuilder {
    Update::builder().update_expression("SET ver = :ver")
}

/// The user with a new `ver` and `floor`, and what makes it so: `login`, of the login item, and an update of the user's.
fn raised_floor(user: &User, login: UpdateBuilder, now: UnixTime) -> Result<(User, [UpdateBuilder; 2]), StoreError> {
    let ver = user.next_ver(now);
    let login = login
        .set_key(Some(Key::login(&user.login_name).item()))
        .condition_expression("user_id = :user")
        .expression_attribute_values(":user", item::value(user.id)?);
    let record = Update::builder()
        .set_key(Some(Key::user(user.id).item()))
        .update_expression("SET ver = :ver, floor = :ver")
        .condition_expression("ver = :read")
        .expression_attribute_values(":read", item::number(user.ver))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    Ok((User { ver, floor: ver, ..user.clone() }, [login, record]))
}

/// What became of a transaction that begins with the updates of [`raised_floor`].
fn floor_raised(changed: User, sent: Sent) -> Result<Changed, StoreError> {
    let Err(error) = sent else { return Ok(Changed::Done(changed)) };
    match transaction::reasons(error.as_service_error()) {
        [_, user, ..] if is_refused(user) => refusal(changed, user.item().cloned()),
        // The name leads to another user, or to none.
        [login, ..] if is_refused(login) => Ok(Changed::Gone),
        _ => Err(StoreError::from_sdk("TransactWriteItems", &error)),
    }
}

/// What a refused condition means, by the item that it found.
fn refusal(changed: User, found: Option<Item>) -> Result<Changed, StoreError> {
    let Some(found) = found else { return Ok(Changed::Gone) };
    // The SDK repeats a write whose answer was lost, and then finds our own.
    let is_ours = user::read(changed.id, found)? == changed;
    Ok(if is_ours { Changed::Done(changed) } else { Changed::Meanwhile })
}
