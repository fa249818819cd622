//! Keys and attribute values.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use auth_core::client::ClientId;
use auth_core::id::{SessionId, UserId};
use auth_core::login::LoginName;
use auth_core::time::UnixTime;

use crate::error::StoreError;

pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) const PK: &str = "pk";
pub(crate) const SK: &str = "sk";
/// The `sk` of each user.
pub(crate) const USER: &str = "USER";
/// The `sk` of each client.
pub(crate) const CLIENT: &str = "CLIENT";
/// What the `sk` of each session begins with.
pub(crate) const SESSION_PREFIX: &str = "SESSION#";
/// The `sk` of what counts the changes of the keys; before that of any key.
pub(crate) const RING: &str = "#ring";
/// When the item may be swept up, in seconds since the epoch. Never compared.
pub(crate) const TTL: &str = "ttl";

/// The key of an item.
#[derive(Clone, Debug, Serialize, serde::Deserialize)]
pub(crate) struct Key {
    pk: String,
    sk: String,
}

impl Key {
    pub(crate) fn login(name: &LoginName) -> Self {
        Self { pk: format!("LOGIN#{}", name.as_str()), sk: "LOGIN".to_owned() }
    }

    pub(crate) fn user(id: UserId) -> Self {
        Self { pk: format!("USER#{id}"), sk: USER.to_owned() }
    }

    /// Whose item of the sort key [`USER`] it is.
    pub(crate) fn user_id(item: &Item) -> Result<UserId, StoreError> {
        identifier(item, PK, "USER#").and_then(|id| UserId::parse(id).ok()).ok_or(StoreError::Corrupt("user"))
    }

    pub(crate) fn client(id: &ClientId) -> Self {
        Self { pk: format!("CLIENT#{id}"), sk: CLIENT.to_owned() }
    }

    /// The instant up to which the access tokens of a client were revoked, by their claim `client_id`.
    pub(crate) fn client_revoked(id: &str) -> Self {
        Self { pk: format!("CLIENT#{id}"), sk: "REVOKED".to_owned() }
    }

    /// Which client the item of the sort key [`CLIENT`] is.
    pub(crate) fn client_id(item: &Item) -> Result<ClientId, StoreError> {
        identifier(item, PK, "CLIENT#").and_then(|id| ClientId::parse(id).ok()).ok_or(StoreError::Corrupt("client"))
    }

    pub(crate) fn session(user_id: UserId, id: SessionId) -> Self {
        Self { pk: format!("USER#{user_id}"), sk: format!("{SESSION_PREFIX}{id}") }
    }

    /// The session that an item of [`SESSION_PREFIX`] is.
    pub(crate) fn session_id(item: &Item) -> Result<SessionId, StoreError> {
        let id = identifier(item, SK, SESSION_PREFIX).and_then(|id| SessionId::parse(id).ok());
        id.ok_or(StoreError::Corrupt("session"))
    }

    pub(crate) fn journal(copy: u8, sk: String) -> Self {
        Self { pk: format!("JOURNAL#{copy}"), sk }
    }

    /// What counts the changes of the keys.
    pub(crate) fn ring() -> Self {
        Self { pk: "KEYS".to_owned(), sk: RING.to_owned() }
    }

    /// A key of access tokens.
    pub(crate) fn signing_key(kid: &str) -> Self {
        Self { pk: "KEYS".to_owned(), sk: kid.to_owned() }
    }

    /// The mark of an access token that was revoked by itself.
    pub(crate) fn token(jti: &str) -> Self {
        Self { pk: format!("TOKEN#{jti}"), sk: "TOKEN".to_owned() }
    }

    /// The mark of a one-time token that was used.
    pub(crate) fn one_time(jti: &str) -> Self {
        Self { pk: format!("ONCE#{jti}"), sk: "ONCE".to_owned() }
    }

    pub(crate) fn pk(&self) -> &str {
        &self.pk
    }

    pub(crate) fn item(self) -> Item {
        Item::from([(PK.to_owned(), AttributeValue::S(self.pk)), (SK.to_owned(), AttributeValue::S(self.sk))])
    }
}

/// What follows the prefix in an attribute of the key.
fn identifier<'a>(item: &'a Item, attribute: &str, prefix: &str) -> Option<&'a str> {
    item.get(attribute)?.as_s().ok()?.strip_prefix(prefix)
}

pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn instant(at: UnixTime) -> AttributeValue {
    number(at.millis())
}

/// The attribute value of something that cannot fail to have one.
pub(crate) fn value(value: impl Serialize) -> Result<AttributeValue, StoreError> {
    serde_dynamo::to_attribute_value(value).map_err(|_| StoreError::Corrupt("value"))
}

pub(crate) fn write<T: Serialize>(kind: &'static str, key: Key, record: &T) -> Result<Item, StoreError> {
    let mut item: Item = serde_dynamo::to_item(record).map_err(|_| StoreError::Corrupt(kind))?;
    item.extend(key.item());
    Ok(item)
}

pub(crate) fn read<T: DeserializeOwned>(kind: &'static str, item: Item) -> Result<T, StoreError> {
    serde_dynamo::from_item(item).map_err(|_| StoreError::Corrupt(kind))
}
