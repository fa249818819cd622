//! The Lambda function `discovery`.

use std::process::ExitCode;
use std::sync::Arc;

use auth_core::time::SystemClock;
use auth_dynamodb::store::Store;
use discovery::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    auth_http::function::run("discovery", async |variables| {
        let app = App::from_variables(variables)?;
        if !app.needs_table() {
            return Ok(app);
        }
        let store = Store::from_environment(variables.table_name()?).await;
        Ok(app.bind(store, Arc::new(SystemClock)).await)
    })
    .await
}
