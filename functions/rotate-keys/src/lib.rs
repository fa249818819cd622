//! Makes keys, lets them take turns, and forgets them: once a day, and at the first deployment.

use std::sync::Arc;
use std::time::Duration;

use auth_core::entropy::Entropy;
use auth_core::time::Clock;
use auth_keys::keeper::{Deed, KeepError, Keeper};
use auth_log::metric::millis;
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};

/// The function and what it holds.
pub struct App {
    keeper: Keeper,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// Not all was done. The next run goes on.
#[derive(Debug)]
pub struct Fault(pub KeepError);

/// What Lambda reports of it: an error, so that whoever invoked it tries again.
impl From<Fault> for Diagnostic {
    fn from(Fault(error): Fault) -> Self {
        Self { error_type: "Unavailable".to_owned(), error_message: error.to_string() }
    }
}

impl App {
    /// Sets the function up.
    pub fn new(keeper: Keeper, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { keeper, clock, entropy }
    }

    /// Does what is to be done, and says what that was.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn keep(&self) -> Result<Value, Fault> {
        let began = self.clock.steady();
        let kept = self.keeper.keep(self.entropy.as_ref(), self.clock.now()).await;
        log(&kept, self.clock.steady().saturating_sub(began));
        let deeds = kept.map_err(Fault)?;
        Ok(json!({ "done": deeds.iter().map(told).collect::<Vec<_>>() }))
    }
}

/// A line for each deed, and one that ends the run, which is the metrics, too.
fn log(kept: &Result<Vec<Deed>, KeepError>, latency: Duration) {
    let latency = millis(latency);
    match kept {
        Ok(deeds) => {
            deeds.iter().for_each(log_deed);
            tracing::info!(event = "keys_kept", deeds = deeds.len(), Latency = latency);
        }
        Err(error) => tracing::error!(event = "fault", %error, Latency = latency, Faults = 1),
    }
}

fn log_deed(deed: &Deed) {
    match deed {
        Deed::RefreshKeysMade => tracing::info!(event = "refresh_keys_made"),
        Deed::Made { kid, signs_from } => {
            tracing::info!(event = "key_made", kid, signs_from = signs_from.seconds());
        }
        Deed::Forgotten { kid } => tracing::info!(event = "key_forgotten", kid),
    }
}

fn told(deed: &Deed) -> Value {
    match deed {
        Deed::RefreshKeysMade => json!({"event": "refresh_keys_made"}),
        Deed::Made { kid, signs_from } => json!({"event": "key_made", "kid": kid, "signs_from": signs_from.seconds()}),
        Deed::Forgotten { kid } => json!({"event": "key_forgotten", "kid": kid}),
    }
}
