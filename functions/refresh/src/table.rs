//! What this function asks of the table.

use auth_core::id::{SessionId, UserId};
use auth_core::rotation::{Write, Written};
use auth_core::session::Session;
use auth_core::time::UnixTime;
use auth_core::user::User;
use auth_dynamodb::error::StoreError;
use auth_dynamodb::store::Store;

/// Sessions and users, as [`Store`] keeps them.
pub trait Table: Send + Sync {
    /// Carries out one step of a rotation: [`Store::write_session`].
    fn write_session(
        &self,
        user_id: UserId,
        id: SessionId,
        write: &Write,
        at: UnixTime,
    ) -> impl Future<Output = Result<Written, StoreError>> + Send;

    /// Reads a user, strongly consistent: [`Store::user`].
    fn user(&self, id: UserId) -> impl Future<Output = Result<Option<User>, StoreError>> + Send;

    /// Reads a session, strongly consistent: [`Store::session`].
    fn session(
        &self,
        user_id: UserId,
        id: SessionId,
    ) -> impl Future<Output = Result<Option<Session>, StoreError>> + Send;
}

impl Table for Store {
    async fn write_session(
        &self,
        user_id: UserId,
        id: SessionId,
        write: &Write,
        at: UnixTime,
    ) -> Result<Written, StoreError> {
        Self::write_session(self, user_id, id, write, at).await
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Self::user(self, id).await
    }

    async fn session(&self, user_id: UserId, id: SessionId) -> Result<Option<Session>, StoreError> {
        Self::session(self, user_id, id).await
    }
}
