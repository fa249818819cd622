//! The API Gateway authorizer: one signature check and one look at the revocations that are known, no database call of its own,
//! one answer that is right for every route.

pub mod answer;
pub mod arn;
pub mod caller;
pub mod config;
pub mod event;
pub mod journal;
pub mod policy;
pub mod watch;

use std::sync::Arc;
use std::time::Duration;

use auth_core::jwt::Rejection;
use auth_core::snapshot::Revoked;
use auth_core::time::Clock;
use auth_issuers::issuers::Named;
use auth_log::metric::millis;
use auth_watch::key_watch::NoKeys;
use lambda_runtime::Diagnostic;
use serde_json::Value;

use crate::answer::Answer;
use crate::caller::{Caller, Rights};
use crate::config::Config;
use crate::event::{NoToken, Question};
use crate::journal::TableJournal;
use crate::watch::{Journal, Stale, Watch};

/// The one error text of which API Gateway makes a 401; of every other it makes a 500.
pub const UNAUTHORIZED: &str = "Unauthorized";

/// The error text of a fault, of which the template's gateway responses make a 503.
pub const UNAVAILABLE: &str = "Unavailable";

/// What the log calls the age of a journal that was never read, if it decides all the same.
const LONGEST_STALENESS: Duration = Duration::from_hours(24);

/// The function and what it holds.
pub struct App<J: Journal = TableJournal> {
    config: Config,
    /// What revocations are known by; without it none are.
    watch: Option<Watch<J>>,
    clock: Arc<dyn Clock>,
}

/// Why nobody was let in. For the log: the gateway is told one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The event is none of a Lambda authorizer, or its ARN is none.
    #[error("unknown event")]
    UnknownEvent,
    /// There is no token to check.
    #[error(transparent)]
    NoToken(#[from] NoToken),
    /// The token is not believed.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The token was revoked.
    #[error(transparent)]
    Revoked(#[from] Revoked),
    /// Whether it was revoked is not known: a fault of ours.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// No key is known to check it with: a fault of ours.
    #[error(transparent)]
    NoKeys(#[from] NoKeys),
}

impl Refusal {
    /// What the gateway is told: it makes a 401 of [`UNAUTHORIZED`] and a fault of the other.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Stale(_) | Self::NoKeys(_) => UNAVAILABLE,
            Self::UnknownEvent | Self::NoToken(_) | Self::Rejected(_) | Self::Revoked(_) => UNAUTHORIZED,
        }
    }

    /// What the log calls it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::UnknownEvent => "unknown_event",
            Self::NoToken(no_token) => no_token.reason(),
            Self::Rejected(rejection) => rejection.reason(),
            Self::Revoked(revoked) => revoked.reason(),
            Self::Stale(_) => "stale",
            Self::NoKeys(_) => "no_keys",
        }
    }
}

/// A refusal, and whom the token names, if that is another issuer whom we trust.
struct Refused<'a> {
    refusal: Refusal,
    iss: Option<&'a str>,
}

impl<E: Into<Refusal>> From<E> for Refused<'_> {
    fn from(error: E) -> Self {
        Self { refusal: error.into(), iss: None }
    }
}

impl Refused<'_> {
    /// One line, which is the metrics, too.
    fn log(&self, latency: Duration) {
        let Self { refusal, iss } = self;
        let (reason, latency) = (refusal.reason(), millis(latency));
        if refusal.text() == UNAUTHORIZED {
            tracing::info!(event = "unauthorized", reason, iss, Latency = latency, Denials = 1);
        } else {
            tracing::error!(event = "fault", reason, iss, Latency = latency, Faults = 1);
        }
    }
}

/// What was decided about a caller who is known.
struct Decision {
    caller: Caller,
    admitted: bool,
    staleness: Option<Duration>,
}

impl Decision {
    /// One line, which is the metrics, too.
    fn log(&self, latency: Duration) {
        let Self { caller, .. } = self;
        let (iss, sub, sid, jti) = (caller.iss(), caller.sub(), caller.sid(), caller.jti());
        let staleness = self.staleness.map(|age| millis(age.min(LONGEST_STALENESS)));
        let latency = millis(latency);
        if self.admitted {
            tracing::info!(
                event = "allowed",
                iss,
                sub,
                sid,
                jti,
                Staleness = staleness,
                Latency = latency,
                Allowed = 1
            );
        } else {
            let reason = "forbidden";
            tracing::info!(
                event = "forbidden",
                reason,
                iss,
                sub,
                sid,
                jti,
                Staleness = staleness,
                Latency = latency,
                Denials = 1
            );
        }
    }
}

impl<J: Journal> App<J> {
    /// Sets the function up, with a watch over revocations or without one.
    pub fn new(config: Config, watch: Option<Watch<J>>, clock: Arc<dyn Clock>) -> Self {
        Self { config, watch, clock }
    }

    /// Answers one event.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: the gateway makes it a 401, or a fault. A caller who is known but may not make this request gets an answer
    /// that denies it, of which the gateway makes a 403.
    pub async fn authorize(&self, event: &Value) -> Result<Answer, Refusal> {
        let began = self.clock.steady();
        let decided = self.decide(event).await;
        let latency = self.clock.steady().saturating_sub(began);
        match &decided {
            Ok((_, decision)) => decision.log(latency),
            Err(refused) => refused.log(latency),
        }
        decided.map(|(answer, _)| answer).map_err(|refused| refused.refusal)
    }

    async fn decide(&self, event: &Value) -> Result<(Answer, Decision), Refused<'_>> {
        if let Some(watch) = &self.watch {
            watch.touch().await;
        }
        self.config.verifier.touch().await;
        let question = Question::read(event).ok_or(Refusal::UnknownEvent)?;
        let token = question.token(self.config.websocket_token_parameter.as_deref())?;
        let caller = self.believe(token).await?;
        let staleness = self.check_revocation(&caller).await?;
        let rights = Rights::from(&caller);
        let admitted = self.config.policy.admits(rights, question.arn.target);
        let answer = if self.config.simple_responses && question.takes_simple_answer() {
            Answer::simple(&caller, admitted)
        } else {
            Answer::policy(&caller, &question.arn, &self.config.policy.extent(rights), admitted)
        };
        Ok((answer, Decision { caller, admitted, staleness }))
    }

    /// Whom the token is about, by the keys of the issuer that it names, and no others.
    async fn believe(&self, token: &str) -> Result<Caller, Refused<'_>> {
        let now = self.clock.now();
        let issuer = match self.config.issuers.named_by(token)? {
            Named::Own => return Ok(Caller::Own(self.config.verifier.verify(token, now).await??)),
            Named::Other(issuer) => issuer,
        };
        let refused = |refusal| Refused { refusal, iss: Some(issuer.issuer()) };
        let believed = issuer.verify(token, now).await.map_err(|error| refused(error.into()))?;
        believed.map(Caller::Other).map_err(|rejection| refused(rejection.into()))
    }

    /// The age of what the token was compared with, if there is a watch. Of other issuers' tokens it knows nothing.
    async fn check_revocation(&self, caller: &Caller) -> Result<Option<Duration>, Refusal> {
        let (Some(watch), Caller::Own(claims)) = (&self.watch, caller) else { return Ok(None) };
        let (revoked, staleness) = watch.decide(claims).await?;
        revoked?;
        Ok(Some(staleness))
    }
}

/// What Lambda reports of an error.
impl From<Refusal> for Diagnostic {
    fn from(refusal: Refusal) -> Self {
        Self { error_type: refusal.text().to_owned(), error_message: refusal.text().to_owned() }
    }
}
