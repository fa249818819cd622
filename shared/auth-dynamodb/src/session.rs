//! Sessions: made by a login, changed by the writes of [`auth_core::rotation`].

use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure, Update};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use auth_core::id::{SessionId, UserId};
use auth_core::journal::Revocation;
use auth_core::network::Network;
use auth_core::refresh_token::Nonce;
use auth_core::rotation::{Guard, Write, Written};
use auth_core::scope::Scope;
use auth_core::session::{Child, End, EndCause, Session};
use auth_core::time::UnixTime;

use crate::error::StoreError;
use crate::item::{self, Item, Key, SESSION_PREFIX, TTL};
use crate::page::{Cursor, Page};
use crate::store::Store;
use crate::transaction::{self, is_refused};

/// How long the item of a session that has ended stays. Without it, its tokens are as good as with it: not at all.
const ENDED_LIFE: Duration = Duration::from_hours(24);

/// How many sessions that live are brought back at most, and how many pages of 1 MB are read for them: some 10,000 items.
/// Nobody has so many; whoever holds a password can make them.
const MOST_LIVING: usize = 2000;
const MOST_PAGES: usize = 4;

/// A user's sessions that live.
#[derive(Debug)]
pub struct Living {
    /// In no order.
    pub sessions: Vec<Session>,
    /// Whether there may be others.
    pub more: bool,
}

/// What became of the end of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one per request, and dropped at once")]
pub enum Ending {
    /// The session has ended by it.
    Done,
    /// It had ended before: the session as it was found, if there is one.
    Refused(Option<Session>),
}

impl From<Ending> for Written {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Done => Self::Ended,
            Ending::Refused(found) => Self::Refused(found),
        }
    }
}

impl Store {
    /// Keeps a new session: one write, which never touches one that is there.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn create_session(&self, session: &Session) -> Result<(), StoreError> {
        let key = Key::session(session.user_id, session.id);
        let created = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item::write("session", key, &SessionRecord::new(session))?))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = created else { return Ok(()) };
        match error.as_service_error() {
            // The SDK repeats a put whose answer was lost, and then finds our own session.
            Some(PutItemError::ConditionalCheckFailedException(found))
                if is_same(session, found.item.clone().unwrap_or_default())? =>
            {
                Ok(())
            }
            _ => Err(StoreError::from_sdk("PutItem", &error)),
        }
    }

    /// Reads a session, strongly consistent.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn session(&self, user_id: UserId, id: SessionId) -> Result<Option<Session>, StoreError> {
        let found = self.item(Key::session(user_id, id)).await?;
        found.map(|item| read(user_id, id, item)).transpose()
    }

    /// Reads a page of a user's sessions, strongly consistent: all of them, those that have ended or expired and were not
    /// swept up yet among them. One call; a read unit for each 4 KB of the page.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn sessions(&self, user_id: UserId, after: Option<Cursor>) -> Result<Page<Session>, StoreError> {
        let found = self.query_sessions(user_id, after).send().await;
        let found = found.map_err(|error| StoreError::from_sdk("Query", &error))?;
        let session = |item| read(user_id, Key::session_id(&item)?, item);
        Page::read(found.items.unwrap_or_default(), found.last_evaluated_key, session)
    }

    /// Reads those of a user's sessions that live at `now`, up to a bound: one call for each 1 MB.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn living_sessions(&self, user_id: UserId, now: UnixTime) -> Result<Living, StoreError> {
        let mut living = Living { sessions: Vec::new(), more: true };
        let mut after = None;
        for _ in 0..MOST_PAGES {
            let page = self.sessions(user_id, after).await?;
            living.sessions.extend(page.items.into_iter().filter(|session| session.is_alive(now)));
            if living.sessions.len() > MOST_LIVING {
                living.sessions.truncate(MOST_LIVING);
                break;
            }
            after = page.next;
            if after.is_none() {
                living.more = false;
                break;
            }
        }
        Ok(living)
    }

    pub(crate) fn query_sessions(&self, user_id: UserId, after: Option<Cursor>) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :sk)")
            .expression_attribute_values(":pk", AttributeValue::S(Key::user(user_id).pk().to_owned()))
            .expression_attribute_values(":sk", AttributeValue::S(SESSION_PREFIX.to_owned()))
            .consistent_read(true)
            .set_limit(self.page_size())
            .set_exclusive_start_key(after.map(Cursor::into_key))
    }

    /// Carries out one step of a rotation: one conditional write, which brings the item back if it is refused, or
    /// [`Self::end_session`] at `at`.
    ///
    /// # Errors
    ///
    /// [`StoreError`]. It is then unknown whether the write was done.
    pub async fn write_session(
        &self,
        user_id: UserId,
        id: SessionId,
        write: &Write,
        at: UnixTime,
    ) -> Result<Written, StoreError> {
        match write {
            Write::End(end) => Ok(self.end_session(user_id, id, end, at).await?.into()),
            Write::Rotate { guard, previous, child, idle_expires_at } => {
                let update = go_on(self.update_session(user_id, id), guard, child, *idle_expires_at)?
                    .update_expression(
                        "SET #previous = :previous, newest = :child, idle_expires_at = :idle, #ttl = :ttl REMOVE earlier",
                    )
                    .expression_attribute_names("#previous", "previous")
                    .expression_attribute_values(":previous", nonce_value(previous));
                written(user_id, id, update).await
            }
            Write::Fork { guard, earlier, child, idle_expires_at } => {
                let update = go_on(self.update_session(user_id, id), guard, child, *idle_expires_at)?
                    .update_expression("SET earlier = :earlier, newest = :child, idle_expires_at = :idle, #ttl = :ttl")
                    .expression_attribute_values(":earlier", item::value(children(earlier))?);
                written(user_id, id, update).await
            }
        }
    }

    fn update_session(&self, user_id: UserId, id: SessionId) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.table).set_key(Some(Key::session(user_id, id).item()))
    }

    /// Ends a session that has not ended, and writes it into the journal: one transaction. Its one condition: not ended yet.
    ///
    /// `at` stamps the entry: the instant of this very call, since an entry has to land within seconds of its stamp.
    ///
    /// # Errors
    ///
    /// [`StoreError`]. It is then unknown whether the session has ended.
    pub async fn end_session(
        &self,
        user_id: UserId,
        id: SessionId,
        end: &End,
        at: UnixTime,
    ) -> Result<Ending, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(Key::session(user_id, id).item()))
            .update_expression("SET ended = :end, #ttl = if_not_exists(keep_until, :ttl)")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(ended)")
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":ttl", item::number((end.at + ENDED_LIFE).seconds()))
            .expression_attribute_values(":end", item::value(EndRecord::new(end))?)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let sent = self.client.transact_write_items().transact_items(transaction::update(update)?);
        let Err(error) = self.send_journalled(sent, &Revocation::session(id), at).await? else {
            return Ok(Ending::Done);
        };
        match transaction::reasons(error.as_service_error()) {
            [session, ..] if is_refused(session) => Ok(Ending::Refused(found(user_id, id, session.item())?)),
            _ => Err(StoreError::from_sdk("TransactWriteItems", &error)),
        }
    }
}

async fn written(user_id: UserId, id: SessionId, update: UpdateItemFluentBuilder) -> Result<Written, StoreError> {
    let update = update
        .return_values(ReturnValue::AllNew)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    match update.send().await {
        Ok(output) => Ok(Written::Done(read(user_id, id, output.attributes.unwrap_or_default())?)),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                Ok(Written::Refused(found(user_id, id, refused.item())?))
            }
            _ => Err(StoreError::from_sdk("UpdateItem", &error)),
        },
    }
}

/// The session that a refused write brought back.
fn found(user_id: UserId, id: SessionId, item: Option<&Item>) -> Result<Option<Session>, StoreError> {
    item.map(|item| read(user_id, id, item.clone())).transpose()
}

/// What [`Write::Rotate`] and [`Write::Fork`] share: the guard, the new child and the new expiry.
fn go_on(
    update: UpdateItemFluentBuilder,
    guard: &Guard,
    child: &Child,
    idle_expires_at: UnixTime,
) -> Result<UpdateItemFluentBuilder, StoreError> {
    let mut condition = "newest.nonce = :newest AND attribute_not_exists(ended) \
                         AND idle_expires_at > :now AND expires_at > :now"
        .to_owned();
    let mut update = update
        .expression_attribute_names("#ttl", TTL)
        .expression_attribute_values(":newest", nonce_value(&guard.newest))
        .expression_attribute_values(":now", item::instant(guard.alive_at))
        .expression_attribute_values(":child", item::value(ChildRecord::new(child))?)
        .expression_attribute_values(":idle", item::instant(idle_expires_at))
        .expression_attribute_values(":ttl", item::number(idle_expires_at.seconds()));
    if let Some(made_by) = guard.made_by {
        condition.push_str(" AND newest.made_at <= :made_by");
        update = update.expression_attribute_values(":made_by", item::instant(made_by));
    }
    Ok(update.condition_expression(condition))
}

fn nonce_value(nonce: &Nonce) -> AttributeValue {
    AttributeValue::B(nonce.as_bytes().to_vec().into())
}

fn children(children: &[Child]) -> Vec<ChildRecord> {
    children.iter().map(ChildRecord::new).collect()
}

fn is_same(session: &Session, found: Item) -> Result<bool, StoreError> {
    Ok(read(session.user_id, session.id, found)? == *session)
}

#[derive(Deserialize, Serialize)]
pub(crate) struct SessionRecord {
    client_id: String,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    ver: u64,
    created_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<NonceRecord>,
    newest: ChildRecord,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<ChildRecord>,
    idle_expires_at: u64,
    expires_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<EndRecord>,
    ttl: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    /// In seconds: the `ttl` that an end leaves as it is, because an exchange must find it ended for as long as the session above
    /// may live.
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_until: Option<u64>,
}

#[derive(Deserialize, Serialize)]
struct ChildRecord {
    generation: u32,
    nonce: NonceRecord,
    made_at: u64,
}

#[derive(Deserialize, Serialize)]
struct EndRecord {
    cause: CauseRecord,
    at: u64,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum CauseRecord {
    Logout,
    Replay,
    Revoked,
    Displaced,
}

impl SessionRecord {
    pub(crate) fn new(session: &Session) -> Self {
        let keep_until = session.parent.map(|_| session.expires_at.seconds());
        Self {
            client_id: session.client_id.clone(),
            scope: session.scope.to_string(),
            device: session.device.clone(),
            network: session.network.map(|network| network.to_string()),
            ver: session.ver,
            created_at: session.created_at.millis(),
            previous: session.previous.clone().map(NonceRecord),
            newest: ChildRecord::new(&session.newest),
            earlier: children(&session.earlier),
            idle_expires_at: session.idle_expires_at.millis(),
            expires_at: session.expires_at.millis(),
            ended: session.ended.as_ref().map(EndRecord::new),
            ttl: keep_until.unwrap_or(session.idle_expires_at.seconds()),
            parent: session.parent.map(|parent| parent.to_string()),
            keep_until,
        }
    }
}

fn read(user_id: UserId, id: SessionId, item: Item) -> Result<Session, StoreError> {
    let record: SessionRecord = item::read("session", item)?;
    Ok(Session {
        user_id,
        id,
        client_id: record.client_id,
        scope: Scope::parse(&record.scope).map_err(|_| StoreError::Corrupt("session"))?,
        device: record.device,
        network: record.network.map(|text| Network::parse(&text).ok_or(StoreError::Corrupt("session"))).transpose()?,
        ver: record.ver,
        created_at: UnixTime::from_millis(record.created_at),
        previous: record.previous.map(|record| record.0),
        newest: record.newest.child(),
        earlier: record.earlier.into_iter().map(ChildRecord::child).collect(),
        idle_expires_at: UnixTime::from_millis(record.idle_expires_at),
        expires_at: UnixTime::from_millis(record.expires_at),
        ended: record.ended.map(EndRecord::end),
        parent: record
            .parent
            .map(|text| SessionId::parse(&text).map_err(|_| StoreError::Corrupt("session")))
            .transpose()?,
    })
}

impl ChildRecord {
    fn new(child: &Child) -> Self {
        Self { generation: child.generation, nonce: NonceRecord(child.nonce.clone()), made_at: child.made_at.millis() }
    }

    fn child(self) -> Child {
        Child { generation: self.generation, nonce: self.nonce.0, made_at: UnixTime::from_millis(self.made_at) }
    }
}

impl EndRecord {
    fn new(end: &End) -> Self {
        let cause = match end.cause {
            EndCause::Logout => CauseRecord::Logout,
            EndCause::Replay => CauseRecord::Replay,
            EndCause::Revoked => CauseRecord::Revoked,
            EndCause::Displaced => CauseRecord::Displaced,
        };
        Self { cause, at: end.at.millis() }
    }

    fn end(self) -> End {
        let cause = match self.cause {
            CauseRecord::Logout => EndCause::Logout,
            CauseRecord::Replay => EndCause::Replay,
            CauseRecord::Revoked => EndCause::Revoked,
            CauseRecord::Displaced => EndCause::Displaced,
        };
        End { cause, at: UnixTime::from_millis(self.at) }
    }
}

/// A nonce as a binary attribute.
struct NonceRecord(Nonce);

impl Serialize for NonceRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0.as_bytes())
    }
}

impl<'de> Deserialize<'de> for NonceRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BytesVisitor;

        impl serde::de::Visitor<'_> for BytesVisitor {
            type Value = NonceRecord;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("16 bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                let bytes = bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))?;
                Ok(NonceRecord(Nonce::from_bytes(bytes)))
            }

            fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Self::Value, E> {
                self.visit_bytes(&bytes)
            }
        }

        deserializer.deserialize_bytes(BytesVisitor)
    }
}
