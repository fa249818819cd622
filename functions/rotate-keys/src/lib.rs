//! Makes keys, lets them take turns, and forgets them: once a day, and at the first deployment. And looks whether the table is as
//! everybody needs it, so that this is not found out by a login.

use std::sync::Arc;
use std::time::Duration;

use auth_core::entropy::Entropy;
use auth_core::time::Clock;
use auth_dynamodb::check::{Finding, Verdict};
use auth_dynamodb::error::StoreError;
use auth_dynamodb::store::Store;
use auth_keys::keeper::{Deed, KeepError, Keeper};
use auth_log::metric::millis;
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};

/// The function and what it holds.
pub struct App {
    keeper: Keeper,
    store: Store,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// Not all was done, or not all is well. The next run goes on.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeepError),
    /// The table could not be asked how it is.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The table is not as the code needs it: what it lacks, and the remedy.
    #[error("the table's {} is {}: {remedy}", .finding.property, .finding.found)]
    Table {
        /// What was found.
        finding: Finding,
        /// What is needed.
        remedy: &'static str,
    },
}

/// What Lambda reports of it: an error, so that whoever invoked it tries again.
impl From<Fault> for Diagnostic {
    fn from(fault: Fault) -> Self {
        Self { error_type: "Unavailable".to_owned(), error_message: fault.to_string() }
    }
}

impl App {
    /// Sets the function up. `store` has the table of `keeper`.
    pub fn new(keeper: Keeper, store: Store, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { keeper, store, clock, entropy }
    }

    /// Does what is to be done, looks how the table is, and says what was done.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn keep(&self) -> Result<Value, Fault> {
        let began = self.clock.steady();
        let kept = self.keep_and_check().await;
        log(&kept, self.clock.steady().saturating_sub(began));
        Ok(json!({ "done": kept?.iter().map(told).collect::<Vec<_>>() }))
    }

    /// Keys come first: whatever the table lacks, somebody may sign in.
    async fn keep_and_check(&self) -> Result<Vec<Deed>, Fault> {
        let deeds = self.keeper.keep(self.entropy.as_ref(), self.clock.now()).await?;
        deeds.iter().for_each(log_deed);
        match self.store.check_table().await?.into_iter().find_map(wrong) {
            Some(fault) => Err(fault),
            None => Ok(deeds),
        }
    }
}

fn wrong(finding: Finding) -> Option<Fault> {
    let Verdict::Wrong(remedy) = finding.verdict else { return None };
    Some(Fault::Table { finding, remedy })
}

/// The line that ends the run, which is the metrics, too.
fn log(kept: &Result<Vec<Deed>, Fault>, latency: Duration) {
    let latency = millis(latency);
    match kept {
        Ok(deeds) => tracing::info!(event = "keys_kept", deeds = deeds.len(), Latency = latency),
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
