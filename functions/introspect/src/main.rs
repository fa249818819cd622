//! The Lambda function `introspect`.

use std::process::ExitCode;
use std::sync::Arc;

use auth_core::time::{Clock, SystemClock};
use auth_dynamodb::store::Store;
use introspect::App;
use introspect::config::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    auth_http::function::run("introspect", async |variables| {
        let config = Config::from_variables(variables)?;
        let store = Store::from_environment(variables.table_name()?).await;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Ok(App::new(config.bind(&store, &clock).await?, store, clock))
    })
    .await
}
