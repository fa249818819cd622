//! The Lambda function `sessions`.

use std::process::ExitCode;

use sessions::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    auth_http::function::run("sessions", async |_| Ok(App)).await
}
