//! The production handler, three instances of it whose clocks differ, over a gate instead of a table.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auth_core::config::{ConfigError, Variables};
use auth_core::entropy::{Entropy, NoEntropy, SeededEntropy};
use auth_core::policy::SessionPolicy;
use auth_core::refresh_token::RefreshKeys;
use auth_core::time::{Clock, UnixTime};
use refresh::App;
use refresh::config::Config;
use serde_json::json;

use crate::event::Lives;
use crate::gate::Gate;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

const FOREIGN_KEY: &str = "HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// By how much the clocks of the instances are ahead, in milliseconds.
pub(crate) const SKEWS: [i64; 3] = [0, 5_000, -5_000];

/// Sessions live shorter than in production, so that histories see their ends.
pub(crate) const IDLE: Duration = Duration::from_hours(2);
pub(crate) const ABSOLUTE: Duration = Duration::from_hours(3);
pub(crate) const ACCESS: Duration = Duration::from_mins(10);

/// What histories run on; set back before each.
pub struct Rig {
    pub(crate) apps: [App<Gate>; 3],
    pub(crate) keys: RefreshKeys,
    /// What a stranger would make tokens with: the same id, another key.
    pub(crate) foreign_keys: RefreshKeys,
    pub(crate) gate: Gate,
    pub(crate) time: Arc<AtomicU64>,
    pub(crate) entropy: Arc<Restartable>,
    pub(crate) policy: SessionPolicy,
    /// What access tokens are checked with.
    pub(crate) jwks: String,
    pub(crate) lives: Lives,
}

/// The truth, and how far a clock is off it.
pub(crate) struct Skewed(pub(crate) Arc<AtomicU64>, pub(crate) i64);

impl Clock for Skewed {
    fn now(&self) -> UnixTime {
        UnixTime::from_millis(self.0.load(Ordering::Relaxed).saturating_add_signed(self.1))
    }
}

/// Entropy that begins anew with each history.
#[derive(Default)]
pub(crate) struct Restartable(std::sync::Mutex<Option<SeededEntropy>>);

impl Restartable {
    pub(crate) fn restart(&self, seed: u64) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(SeededEntropy::new(seed));
    }
}

impl Entropy for Restartable {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        let source = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        source.as_ref().ok_or(NoEntropy)?.fill(bytes)
    }
}

/// The least that goes with a window, or the default; in seconds.
const fn rest(window: u64) -> u64 {
    if window > 30 { window + 60 } else { 90 }
}

/// The variables of all functions but `JWKS`, for a window in seconds.
pub(crate) fn look_up(name: &str, window: u64) -> Option<String> {
    Some(match name {
        "ISSUER" => "https://issuer.example".to_owned(),
        "AUDIENCE" => "api".to_owned(),
        "SIGNING_ALGORITHM" => "HS256".to_owned(),
        "SIGNING_KEY" => KEY.to_owned(),
        "TABLE_NAME" => "model".to_owned(),
        "REFRESH_KEYS" => format!("1:{KEY}"),
        "ACCESS_TOKEN_TTL_SECONDS" => ACCESS.as_secs().to_string(),
        "REFRESH_WINDOW_SECONDS" => window.to_string(),
        "REFRESH_REST_SECONDS" => rest(window).to_string(),
        "REFRESH_IDLE_TTL_SECONDS" => IDLE.as_secs().to_string(),
        "REFRESH_ABSOLUTE_TTL_SECONDS" => ABSOLUTE.as_secs().to_string(),
        _ => return None,
    })
}

impl Rig {
    /// A rig for a `window`; `rest` is the least that goes with it, or the default.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a window over 60 s.
    pub fn new(window: Duration) -> Result<Self, ConfigError> {
        let rest = Duration::from_secs(rest(window.as_secs()));
        let (time, gate, entropy) = (Arc::default(), Gate::default(), Arc::new(Restartable::default()));
        let look_up = |name: &str| look_up(name, window.as_secs());
        let variables = Variables::new(&look_up);
        let app = |skew| -> Result<App<Gate>, ConfigError> {
            let clock = Arc::new(Skewed(Arc::clone(&time), skew));
            Ok(App::new(Config::from_variables(&variables)?, gate.clone(), clock, Arc::clone(&entropy) as _))
        };
        let [exact, ahead, behind] = SKEWS;
        let apps = [app(exact)?, app(ahead)?, app(behind)?];
        let [window, rest, idle, absolute] =
            [window, rest, IDLE, ABSOLUTE].map(|life| u64::try_from(life.as_millis()).unwrap_or(u64::MAX));
        let lives = Lives { window, rest, idle, absolute };
        let foreign_keys = Variables::new(&|_| Some(format!("1:{FOREIGN_KEY}"))).refresh_keys()?;
        let (keys, policy) = (variables.refresh_keys()?, variables.session_policy()?);
        let jwks = json!({"keys": [variables.signing_key()?.jwk()]}).to_string();
        Ok(Self { apps, keys, foreign_keys, gate, time, entropy, policy, jwks, lives })
    }
}
