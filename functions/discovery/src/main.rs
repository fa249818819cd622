//! The Lambda function `discovery`.

use std::process::ExitCode;

use discovery::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    auth_http::function::run("discovery", async |variables| App::from_variables(variables)).await
}
