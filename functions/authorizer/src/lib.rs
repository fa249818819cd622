//! The API Gateway authorizer: one signature check, no database call, one answer that is right for every route.

pub mod answer;
pub mod arn;
pub mod config;
pub mod event;
pub mod policy;

use std::sync::Arc;

use auth_core::jwt::Rejection;
use auth_core::time::{Clock, UnixTime};
use lambda_runtime::Diagnostic;
use serde_json::Value;

use crate::answer::Answer;
use crate::config::Config;
use crate::event::{NoToken, Question};

/// The one error text of which API Gateway makes a 401; of every other it makes a 500.
pub const UNAUTHORIZED: &str = "Unauthorized";

/// The function and what it holds.
pub struct App {
    config: Config,
    clock: Arc<dyn Clock>,
}

/// Why nobody was let in. For the log: the gateway is told one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthorized {
    /// The event is none of a Lambda authorizer, or its ARN is none.
    #[error("unknown event")]
    UnknownEvent,
    /// There is no token to check.
    #[error(transparent)]
    NoToken(#[from] NoToken),
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
        let question = Question::read(event).ok_or(Unauthorized::UnknownEvent)?;
        let token = question.token(self.config.websocket_token_parameter.as_deref())?;
        let claims = self.config.verifier.verify(token, now)?;
        let admitted = self.config.policy.admits(&claims, question.arn.target);
        if !admitted {
            tracing::info!(event = "forbidden", sub = claims.sub, sid = claims.sid);
        }
        if self.config.simple_responses && question.takes_simple_answer() {
            return Ok(Answer::simple(&claims, admitted));
        }
        Ok(Answer::policy(&claims, &question.arn, &self.config.policy.extent(&claims), admitted))
    }
}

/// What Lambda reports of an error.
impl From<Unauthorized> for Diagnostic {
    fn from(_: Unauthorized) -> Self {
        Self { error_type: UNAUTHORIZED.to_owned(), error_message: UNAUTHORIZED.to_owned() }
    }
}
