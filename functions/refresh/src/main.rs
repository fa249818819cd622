//! The Lambda function `refresh`.

use std::process::ExitCode;
use std::sync::Arc;

use auth_core::entropy::OsEntropy;
use auth_core::time::{Clock, SystemClock};
use auth_dynamodb::store::Store;
use refresh::App;
use refresh::config::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    auth_http::function::run("refresh", async |variables| {
        let config = Config::from_variables(variables)?;
        let store = Store::from_environment(variables.table_name()?).await.with_journal(variables.journal_policy()?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Ok(App::new(config.bind(&store, &clock).await?, store, clock, Arc::new(OsEntropy)))
    })
    .await
}
