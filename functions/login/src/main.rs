//! The Lambda function `login`.

use std::process::ExitCode;
use std::sync::Arc;

use auth_core::entropy::OsEntropy;
use auth_core::time::{Clock, SystemClock};
use auth_dynamodb::store::Store;
use login::App;
use login::config::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    auth_http::function::run("login", async |variables| {
        let mut config = Config::from_variables(variables)?;
        let store = Store::from_environment(variables.table_name()?).await.with_journal(variables.journal_policy()?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        config.keys = config.keys.bind(&store, &clock).await?;
        Ok(App::new(config, store, clock, Arc::new(OsEntropy)))
    })
    .await
}
