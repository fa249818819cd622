//! The service: `ISSUER=http://127.0.0.1:3000 AUDIENCE=local-api cargo run -p axum-service`, beside `cargo run`.

use std::error::Error;
use std::sync::Arc;

use auth_core::config::{Variables, environment};
use auth_core::time::SystemClock;
use auth_issuers::fetch::Fetcher;
use axum_service::router;
use axum_service::tokens::Tokens;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let variables = Variables::new(&environment);
    let (issuer, audience) = (variables.issuer()?, variables.audience()?);
    let jwks = format!("{issuer}/.well-known/jwks.json").parse()?;
    let tokens = Tokens::new(&issuer, &audience, jwks, Fetcher::new()?, Arc::new(SystemClock));
    let listener = TcpListener::bind("127.0.0.1:3001").await?;
    tracing::info!("http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, router(Arc::new(tokens))).await?)
}
