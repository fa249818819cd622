//! The Lambda function `rotate-keys`.

use std::process::ExitCode;
use std::sync::Arc;

use auth_core::config::{ConfigError, Variables, environment};
use auth_core::entropy::OsEntropy;
use auth_core::time::SystemClock;
use auth_dynamodb::store::Store;
use auth_keys::keeper::Keeper;
use auth_log::invocation;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use rotate_keys::App;
use serde_json::Value;
use tracing::Instrument as _;

const SERVICE: &str = "rotate-keys";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match start(&Variables::new(&environment)).await {
        Ok(app) => serve(&app).await.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
        Err(error) => {
            tracing::error!(event = "not_started", "{error}");
            ExitCode::FAILURE
        }
    }
}

async fn start(variables: &Variables<'_>) -> Result<App, ConfigError> {
    auth_log::start(SERVICE, variables, std::io::stdout)?;
    let store = Store::from_environment(variables.table_name()?).await;
    let keeper = Keeper::from_variables(variables, store.clone()).await?;
    Ok(App::new(keeper, store, Arc::new(SystemClock), Arc::new(OsEntropy)))
}

/// Whatever the event is: there is one thing to do.
async fn serve(app: &App) -> Result<(), Error> {
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let context = event.context;
        let span = invocation::span(SERVICE, &context.request_id, context.xray_trace_id.as_deref());
        // Boxed: a future of the SDK's depth within one of the runtime's is more than the compiler lays out.
        Box::pin(app.keep()).instrument(span).await
    }))
    .await
}
