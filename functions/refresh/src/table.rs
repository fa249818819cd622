//! What this function asks of the table.

use auth_core::client::{Client, ClientId};
use auth_core::id::{SessionId, UserId};
use auth_core::rotation::{Write, Written};
use auth_core::session::Session;
use auth_core::time::UnixTime;
use auth_core::user::User;
use auth_dynamodb::delegation::Delegated;
use auth_dynamodb::error::StoreError;
use auth_dynamodb::store::Store;

/// Sessions and users, as [`Store`] keeps them.
pub trait Table: Clients {
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

/// Clients, and what they get besides refreshed sessions, as [`Store`] keeps it. A table that has none says so by itself.
pub trait Clients: Send + Sync {
    /// Reads a client, strongly consistent: [`Store::client`].
    fn client(&self, _: &ClientId) -> impl Future<Output = Result<Option<Client>, StoreError>> + Send {
        async { Ok(None) }
    }

    /// The instant up to which the access tokens of a client were revoked: [`Store::client_revoked`].
    fn client_revoked(&self, _: &str) -> impl Future<Output = Result<Option<u64>, StoreError>> + Send {
        async { Ok(None) }
    }

    /// Whether an access token was revoked by itself: [`Store::is_token_revoked`].
    fn is_token_revoked(&self, _: &str) -> impl Future<Output = Result<bool, StoreError>> + Send {
        async { Ok(false) }
    }

    /// Begins a client's session under another one, or goes on with it: [`Store::delegate`].
    fn delegate(&self, _: &Session, _: u64) -> impl Future<Output = Result<Delegated, StoreError>> + Send {
        async { Ok(Delegated::Ended) }
    }
}

impl Clients for Store {
    async fn client(&self, id: &ClientId) -> Result<Option<Client>, StoreError> {
        Self::client(self, id).await
    }

    async fn client_revoked(&self, client_id: &str) -> Result<Option<u64>, StoreError> {
        Self::client_revoked(self, client_id).await
    }

    async fn is_token_revoked(&self, jti: &str) -> Result<bool, StoreError> {
        Self::is_token_revoked(self, jti).await
    }

    async fn delegate(&self, session: &Session, floor: u64) -> Result<Delegated, StoreError> {
        Self::delegate(self, session, floor).await
    }
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
