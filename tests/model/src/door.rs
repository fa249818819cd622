//! Authorizers: the production handler with its watch, each with a clock of its own, over the gate.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use auth_core::config::{ConfigError, Variables};
use authorizer::answer::Answer;
use authorizer::config::Config;
use authorizer::watch::{Freshness, Watch};
use authorizer::{App, Refusal};
use serde_json::json;

use crate::gate::Gate;
use crate::rig::{Rig, SKEWS, Skewed, look_up};

/// How old what an authorizer decides by may be.
pub(crate) const FRESHNESS: Freshness =
    Freshness { soft: Duration::from_secs(2), max_staleness: Duration::from_secs(15), fails_open: false };

type Decision = Pin<Box<dyn Future<Output = Result<Answer, Refusal>>>>;

/// One instance of the authorizer. Lambda gives it one event at a time; between them it is frozen.
pub(crate) struct Door {
    app: Arc<App<Gate>>,
    gate: Gate,
    owner: usize,
    /// The event under way: which token, since when.
    asked: Option<(usize, u64, Decision)>,
}

/// What an authorizer says of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Allowed,
    /// 401.
    Unauthorized(&'static str),
    /// A fault: 503.
    Unavailable,
}

impl Door {
    /// A cold start of the `number`-th instance.
    pub(crate) fn new(number: usize, rig: &Rig) -> Result<Self, ConfigError> {
        let variables = |name: &str| if name == "JWKS" { Some(rig.jwks.clone()) } else { look_up(name, 0) };
        let config = Config::from_variables(&Variables::new(&variables))?;
        let skew = SKEWS.iter().copied().cycle().nth(number + 1).unwrap_or_default();
        let clock = Arc::new(Skewed(Arc::clone(&rig.time), skew));
        let seed = u64::try_from(number).unwrap_or_default();
        let watch = Watch::new(rig.gate.clone(), FRESHNESS, Arc::clone(&clock) as _, seed);
        let app = Arc::new(App::new(config, Some(watch), clock));
        Ok(Self { app, gate: rig.gate.clone(), owner: Gate::DOORS + number, asked: None })
    }

    /// Hands it an event with a token; nothing if it has one.
    pub(crate) fn ask(&mut self, token: usize, text: &str, now: u64) -> bool {
        if self.asked.is_some() {
            return false;
        }
        let arn = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod/GET/";
        let event = json!({"type": "TOKEN", "methodArn": arn, "authorizationToken": format!("Bearer {text}")});
        let app = Arc::clone(&self.app);
        self.asked = Some((token, now, Box::pin(async move { app.authorize(&event).await })));
        true
    }

    /// Lets it go on until it waits for the journal, or has decided.
    pub(crate) fn run(&mut self) -> Option<(usize, Said)> {
        let (token, _, decision) = self.asked.as_mut()?;
        self.gate.run(self.owner);
        let Poll::Ready(decided) = decision.as_mut().poll(&mut Context::from_waker(Waker::noop())) else { return None };
        let token = *token;
        self.asked = None;
        let said = match decided {
            Ok(_) => Said::Allowed,
            Err(refusal) if refusal.text() == authorizer::UNAUTHORIZED => Said::Unauthorized(refusal.reason()),
            Err(_) => Said::Unavailable,
        };
        Some((token, said))
    }

    /// Gives up on an event that it was handed before `instant`; what it has begun to read stays as it is.
    pub(crate) fn time_out(&mut self, instant: u64) {
        self.asked.take_if(|(_, since, _)| *since < instant);
    }
}
