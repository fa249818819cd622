//! `GET /me`: what the authorizer says of the caller.

use auth_core::config::{ConfigError, Variables};
use auth_http::body::Unreadable;
use auth_http::browser::Browsers;
use auth_http::function::Function;
use auth_http::request::{Context, Request};
use auth_http::response::{self, Response};
use lambda_http::http::Method;
use serde_json::{Value, json};

/// The function.
#[derive(Clone, Debug)]
pub struct App {
    browsers: Browsers,
}

impl App {
    /// Sets the function up.
    ///
    /// # Errors
    ///
    /// The first [`ConfigError`].
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        Ok(Self { browsers: Browsers::without_cookies(variables)? })
    }
}

impl Function for App {
    fn browsers(&self) -> &Browsers {
        &self.browsers
    }

    async fn answer(&self, request: Request) -> Response {
        match (request.route.as_str(), &request.method) {
            ("/me", &Method::GET) => me(&request.context),
            ("/me", _) => response::problem_unreadable(Unreadable::Method("GET")),
            _ => response::not_found(),
        }
    }
}

/// The caller, as the authorizer handed it on. API Gateway turns every value into a string; roles are an array again.
fn me(context: &Context) -> Response {
    let text = |name: &str| context.authorizer.get(name).and_then(Value::as_str);
    let (Some(sub), Some(sid)) = (text("sub"), text("sid")) else {
        // Nobody comes here past the authorizer: the route was deployed without one.
        tracing::error!(event = "fault", "the request has not passed the authorizer");
        return response::unauthorized();
    };
    let roles: Vec<&str> = text("roles").unwrap_or_default().split(' ').filter(|role| !role.is_empty()).collect();
    response::document(&json!({
        "sub": sub,
        "sid": sid,
        "client_id": text("client_id"),
        "scope": text("scope").unwrap_or_default(),
        "roles": roles,
        "exp": text("exp").and_then(|exp| exp.parse::<u64>().ok()),
    }))
}
