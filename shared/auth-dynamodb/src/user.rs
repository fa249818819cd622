//! Users.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use serde::{Deserialize, Serialize};

use auth_core::id::UserId;
use auth_core::login::LoginName;
use auth_core::scope::{Roles, Scope};
use auth_core::user::{Status, User};

use crate::error::StoreError;
use crate::item::{self, Item, Key, USER};
use crate::login::LoginRecord;
use crate::page::{Cursor, Page};
use crate::store::Store;
use crate::transaction::{self, is_refused};

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

    /// Reads a page of all users, strongly consistent, in no order.
    ///
    /// It is one call that looks at up to 1 MB of the table, sessions and all, and pays a read unit for each 4 KB of that:
    /// the whole list costs a read of the whole table. Nothing that answers requests may call it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn users(&self, after: Option<Cursor>) -> Result<Page<User>, StoreError> {
        let found = self.scan(USER, after).await?;
        let user = |item| read(Key::user_id(&item)?, item);
        Page::read(found.items.unwrap_or_default(), found.last_evaluated_key, user)
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
        let Err(error) = created else { return Ok(Creation::Created) };
        match transaction::reasons(error.as_service_error()) {
            [login, _] if is_refused(login) => Ok(Creation::NameTaken),
            _ => Err(StoreError::from_sdk("TransactWriteItems", &error)),
        }
    }

    /// A put of a transaction.
    pub(crate) fn put(&self, item: Item, condition: &str) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item)).condition_expression(condition).build();
        Ok(TransactWriteItem::builder().put(put.map_err(|_| StoreError::Corrupt("put"))?).build())
    }
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
pub(crate) enum StatusRecord {
    Active,
    Disabled,
}

impl StatusRecord {
    pub(crate) const fn new(status: Status) -> Self {
        match status {
            Status::Active => Self::Active,
            Status::Disabled => Self::Disabled,
        }
    }
}

impl UserRecord {
    fn new(user: &User) -> Self {
        Self {
            login_name: user.login_name.as_str().to_owned(),
            status: StatusRecord::new(user.status),
            ver: user.ver,
            floor: user.floor,
            roles: user.roles.to_string(),
            scope: user.scope.to_string(),
        }
    }
}

pub(crate) fn read(id: UserId, item: Item) -> Result<User, StoreError> {
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
