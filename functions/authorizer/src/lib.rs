//! The API Gateway authorizer: one signature check, no database call, one answer that is right for every route.

pub mod answer;
pub mod config;
pub mod policy;

mod event;

use std::sync::Arc;

use auth_core::jwt::Rejection;
use auth_core::time::{Clock, UnixTime};
use lambda_runtime::Diagnostic;
use serde_json::Value;

use crate::answer::Answer;
use crate::config::Config;
use crate::event::{TokenRequest, bearer};
use crate::policy::Route;

/// The function and what it holds.
pub struct App {
    config: Config,
    clock: Arc<dyn Clock>,
}

/// Why nobody was let in. For the log: the gateway is told one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthorized {
    /// The event is none of a TOKEN authorizer, or its ARN is none.
    #[error("unknown event")]
    UnknownEvent,
    /// The header field does not hold one bearer token.
    #[error("no bearer token")]
    NoBearerToken,
    /// The token is not believed.
    #[error(transparent)]
    Rejected(#[from] Rejection),
}

impl App {
    /// Sets the function up.
    pub fn new(config: Config, clock: Arc<dyn Clock>) -> Self {
        Self { config, clock }
    }

    /// Answers one event.
    ///
    /// # Errors
    ///
    /// [`Unauthorized`]: the gateway makes it a 401. A caller who is known but may not make this request gets an answer
    /// that denies it, of which the gateway makes a 403.
    pub fn authorize(&self, event: &Value) -> Result<Answer, Unauthorized> {
        self.answer(event, self.clock.now()).inspect_err(|reason| tracing::info!(event = "unauthorized", %reason))
    }

    fn answer(&self, event: &Value, now: UnixTime) -> Result<Answer, Unauthorized> {
        let request = TokenRequest::read(event).ok_or(Unauthorized::UnknownEvent)?;
        let token = bearer(request.authorization).ok_or(Unauthorized::NoBearerToken)?;
        let claims = self.config.verifier.verify(token, now)?;
        let closed: Vec<&Route> = self.config.policy.closed_to(&claims).collect();
        if closed.iter().any(|route| route.matches(request.arn.method, request.arn.path)) {
            tracing::info!(event = "forbidden", sub = claims.sub, sid = claims.sid);
        }
        Ok(Answer::new(&claims, request.arn.stage, &closed))
    }
}

/// What Lambda reports of an error. API Gateway makes a 401 of exactly this message, and a 500 of every other.
impl From<Unauthorized> for Diagnostic {
    fn from(_: Unauthorized) -> Self {
        Self { error_type: "Unauthorized".to_owned(), error_message: "Unauthorized".to_owned() }
    }
}
