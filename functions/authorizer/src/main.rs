//! The Lambda function `authorizer`.

use std::process::ExitCode;
use std::sync::Arc;

use auth_core::config::{ConfigError, Variables, environment};
use auth_core::entropy::{Entropy, OsEntropy};
use auth_core::time::{Clock, SystemClock};
use auth_dynamodb::store::Store;
use auth_log::invocation;
use authorizer::App;
use authorizer::config::{Config, KEYS_SOFT, Revocation};
use authorizer::journal::TableJournal;
use authorizer::watch::Watch;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use tracing::Instrument as _;

const SERVICE: &str = "authorizer";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let variables = Variables::new(&environment);
    match start(&variables).await {
        Ok(app) => serve(&app).await.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
        Err(error) => {
            tracing::error!(event = "not_started", "{error}");
            ExitCode::FAILURE
        }
    }
}

async fn start(variables: &Variables<'_>) -> Result<App, ConfigError> {
    auth_log::start(SERVICE, variables, std::io::stdout)?;
    let mut config = Config::from_variables(variables)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    config.issuers = config.issuers.bind(&clock)?;
    let store = match &config.revocation {
        Some(revocation) => Some(Store::for_journal(revocation.table.clone()).await),
        None => None,
    };
    if let Some(store) = &store {
        config.verifier = config.verifier.bind(store, &clock, KEYS_SOFT);
    }
    let watched = config.revocation.as_ref().zip(store);
    let (watch, (), ()) = tokio::join!(watch(watched), config.verifier.load(), config.issuers.load());
    Ok(App::new(config, watch, clock))
}

/// A watch that has read the journal, or has tried to: the first invocation tries again.
async fn watch(watched: Option<(&Revocation, Store)>) -> Option<Watch<TableJournal>> {
    let (revocation, store) = watched?;
    // Without chance, instances are merely more alike than they should be.
    let seed = u64::from_le_bytes((&OsEntropy as &dyn Entropy).draw().unwrap_or_default());
    let journal = TableJournal::new(store, revocation.copy(seed));
    let watch = Watch::new(journal, revocation.freshness, Arc::new(SystemClock), seed);
    let _ = watch.load().await;
    Some(watch)
}

async fn serve(app: &App) -> Result<(), Error> {
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let LambdaEvent { payload, context } = event;
        let span = invocation::span(SERVICE, &context.request_id, context.xray_trace_id.as_deref());
        // After a freeze: lets what came in meanwhile be received before time-outs are looked at.
        tokio::task::yield_now().await;
        app.authorize(&payload).instrument(span).await
    }))
    .await
}
