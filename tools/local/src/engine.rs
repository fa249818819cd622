//! The embedded `DynamoDB` engine.

use std::net::SocketAddr;
use std::path::Path;

use dynoxide::Database;
use tokio::net::TcpListener;

use crate::stack::StartError;

/// Opens the database, in memory or in a file.
pub(crate) fn open(file: Option<&Path>) -> Result<Database, StartError> {
    let Some(file) = file else {
        return Database::memory().map_err(|error| StartError::Engine(error.to_string()));
    };
    let unusable = |reason: String| StartError::Data { file: file.to_owned(), reason };
    let path = file.to_str().ok_or_else(|| unusable("the path is not UTF-8".to_owned()))?;
    Database::new(path).map_err(|error| unusable(error.to_string()))
}

/// Serves the database on loopback, for as long as the process lives.
pub(crate) fn serve(listener: TcpListener, database: Database) -> Result<SocketAddr, StartError> {
    let address = listener.local_addr().map_err(|error| StartError::Engine(error.to_string()))?;
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    Ok(address)
}
