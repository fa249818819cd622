//! The Lambda function `sessions`.

use std::process::ExitCode;
use std::sync::Arc;

use auth_core::time::SystemClock;
use auth_dynamodb::store::Store;
use auth_http::browser::Browsers;
use sessions::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    auth_http::function::run("sessions", async |variables| {
        let store = Store::from_environment(variables.table_name()?).await.with_journal(variables.journal_policy()?);
        Ok(App::new(Browsers::without_cookies(variables)?, store, Arc::new(SystemClock)))
    })
    .await
}
