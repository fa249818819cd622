//! The Lambda function `sessions`.

use std::process::ExitCode;

use sessions::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    auth_http::function::run("sessions", async |variables| App::from_variables(variables)).await
}
