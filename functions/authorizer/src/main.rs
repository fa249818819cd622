//! The Lambda function `authorizer`.

use std::process::ExitCode;
use std::sync::Arc;

use auth_core::config::{Variables, environment};
use auth_core::time::SystemClock;
use authorizer::App;
use authorizer::config::Config;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let variables = Variables::new(&environment);
    let started = auth_log::start("authorizer", &variables, std::io::stdout);
    match started.and_then(|()| Config::from_variables(&variables)) {
        Ok(config) => {
            serve(&App::new(config, Arc::new(SystemClock))).await.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
        }
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(app: &App) -> Result<(), Error> {
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let _invocation = auth_log::invocation(&event.context.request_id).entered();
        app.authorize(&event.payload)
    }))
    .await
}
