//! The table of production: the store's expressions, over the wire, on the embedded engine. Beside it the table in memory,
//! which must say the same each time.

use auth_core::journal::{Entry, Revocation};
use auth_core::rotation::{Write, Written};
use auth_core::session::Session;
use auth_core::time::UnixTime;
use auth_core::user::User;
use auth_dynamodb::error::StoreError;
use auth_dynamodb::store::Store;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::table::{Memory, Table};
use crate::world::{SESSION, START, USER};

/// An engine on a free port of loopback, and what is needed to wait for it.
pub struct Engine {
    runtime: Runtime,
    store: Store,
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The system gives no port or no threads.
    #[error(transparent)]
    System(#[from] std::io::Error),
    /// The engine itself.
    #[error("the embedded database: {0}")]
    Database(String),
    /// Its table.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    /// Starts one, with an empty table.
    ///
    /// # Errors
    ///
    /// [`EngineError`].
    pub fn start() -> Result<Self, EngineError> {
        let runtime = Runtime::new()?;
        let store = runtime.block_on(async {
            let database = dynoxide::Database::memory().map_err(|error| EngineError::Database(error.to_string()))?;
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let endpoint = format!("http://{}", listener.local_addr()?);
            tokio::spawn(dynoxide::server::serve_on(listener, database));
            let store = Store::on_loopback(&endpoint, "model".to_owned());
            store.create_table().await?;
            Ok::<_, EngineError>(store)
        })?;
        Ok(Self { runtime, store })
    }

    /// Its table, with nothing of what was there before.
    pub fn table(&self) -> Wire<'_> {
        Wire { engine: self, memory: Memory::default(), disagreement: None }
    }
}

/// Both tables.
pub struct Wire<'a> {
    engine: &'a Engine,
    memory: Memory,
    disagreement: Option<String>,
}

impl Wire<'_> {
    /// What the engine says, if it is what the memory says.
    fn both<T: PartialEq + std::fmt::Debug>(&mut self, engine: Result<T, StoreError>, memory: T) -> T {
        match engine {
            Ok(engine) if engine == memory => {}
            engine => self.disagreement = Some(format!("the engine: {engine:?}\nthe memory: {memory:?}")),
        }
        memory
    }
}

impl Table for Wire<'_> {
    fn write(&mut self, write: &Write, at: UnixTime) -> Written {
        let Engine { runtime, store } = self.engine;
        let engine = runtime.block_on(store.write_session(USER, SESSION, write, at));
        let memory = self.memory.write(write, at);
        self.both(engine, memory)
    }

    fn user(&mut self) -> Option<User> {
        let user = self.memory.user()?;
        let engine = self.engine.runtime.block_on(self.engine.store.user(user.id));
        self.both(engine, Some(user))
    }

    fn journal(&self, from: UnixTime) -> Vec<Entry> {
        self.memory.journal(from) // the engine's holds other histories' entries, too
    }

    fn tell(&mut self, revocation: Revocation, at: UnixTime) {
        self.memory.tell(revocation, at);
    }

    fn put_user(&mut self, user: &User) {
        let Engine { runtime, store } = self.engine;
        let put = runtime.block_on(async {
            store.delete_user(user, START).await?;
            store.create_user(user, "").await
        });
        self.disagreement = put.err().map(|error| error.to_string());
        self.memory.put_user(user);
    }

    fn put_session(&mut self, session: &Session) {
        let Engine { runtime, store } = self.engine;
        let put = runtime.block_on(async {
            store.delete_sessions(session.user_id).await?;
            store.create_session(session).await
        });
        self.disagreement = put.err().map(|error| error.to_string());
        self.memory.put_session(session);
    }

    fn delete_session(&mut self) {
        let Engine { runtime, store } = self.engine;
        let Some(session) = self.memory.session() else { return };
        self.disagreement =
            runtime.block_on(store.delete_sessions(session.user_id)).err().map(|error| error.to_string());
        self.memory.delete_session();
    }

    fn session(&mut self) -> Option<Session> {
        self.memory.session() // each write has shown that the engine's is the same
    }

    fn disagreement(&mut self) -> Option<String> {
        self.disagreement.take()
    }
}
