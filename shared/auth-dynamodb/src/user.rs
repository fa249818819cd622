//! Users.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use serde::{Deserialize, Serialize};

use auth_core::id::UserId;
use auth_core::login::LoginName;
use auth_core::scope::{Roles, Scope};
use auth_core::user::{Status, User};

use crate::error::StoreError;
use crate::item::{self, Item, Key};
use crate::login::LoginRecord;
use crate::store::Store;

/// What became of a new user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// There it is.
    Created,
    /// Somebody has the login name.
    NameTaken,
}

impl Store {
    /// Reads a user, strongly consistent: one call, one read unit.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let found = self.item(Key::user(id)).await?;
        found.map(|item| read(id, item)).transpose()
    }

    /// Creates a user under the login name, whose password hash begins with the user's `ver`; both or neither: one
    /// transaction.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn create_user(&self, user: &User, password_hash: &str) -> Result<Creation, StoreError> {
        let login = LoginRecord::new(user.id, password_hash, user.ver);
        let login = item::write("login", Key::login(&user.login_name), &login)?;
        let record = item::write("user", Key::user(user.id), &UserRecord::new(user))?;
        let created = self
            .client
            .transact_write_items()
            // A name that was only tried, by whomever, is free.
            .transact_items(self.put(login, "attribute_not_exists(user_id)")?)
            .transact_items(self.put(record, "attribute_not_exists(pk)")?)
            .send()
            .await;
        match created {
            Ok(_) => Ok(Creation::Created),
            Err(error) if error.as_service_error().is_some_and(first_condition_failed) => Ok(Creation::NameTaken),
            Err(error) => Err(StoreError::from_sdk("TransactWriteItems", &error)),
        }
    }

    fn put(&self, item: Item, condition: &str) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item)).condition_expression(condition).build();
        Ok(TransactWriteItem::builder().put(put.map_err(|_| StoreError::Corrupt("put"))?).build())
    }
}

fn first_condition_failed(error: &TransactWriteItemsError) -> bool {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else { return false };
    let first = cancelled.cancellation_reasons().first().and_then(|reason| reason.code());
    first == Some("ConditionalCheckFailed")
}

#[derive(Deserialize, Serialize)]
struct UserRecord {
    login_name: String,
    status: StatusRecord,
    ver: u64,
    floor: u64,
    roles: String,
    scope: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum StatusRecord {
    Active,
    Disabled,
}

impl UserRecord {
    fn new(user: &User) -> Self {
        Self {
            login_name: user.login_name.as_str().to_owned(),
            status: match user.status {
                Status::Active => StatusRecord::Active,
                Status::Disabled => StatusRecord::Disabled,
            },
            ver: user.ver,
            floor: user.floor,
            roles: user.roles.to_string(),
            scope: user.scope.to_string(),
        }
    }
}

fn read(id: UserId, item: Item) -> Result<User, StoreError> {
    let record: UserRecord = item::read("user", item)?;
    Ok(User {
        id,
        login_name: LoginName::from_canonical(record.login_name),
        status: match record.status {
            StatusRecord::Active => Status::Active,
            StatusRecord::Disabled => Status::Disabled,
        },
        ver: record.ver,
        floor: record.floor,
        roles: Roles::parse(&record.roles).map_err(|_| StoreError::Corrupt("user"))?,
        scope: Scope::parse(&record.scope).map_err(|_| StoreError::Corrupt("user"))?,
    })
}
