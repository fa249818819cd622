//! Which events are heard: ours from a level on, others' from `WARN` on, and those that count something in any case.

use tracing::subscriber::Interest;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Filter};

use crate::metric;

/// The crates that say something, by the beginning of their names.
const OURS: [&str; 15] = [
    "auth_core",
    "auth_dynamodb",
    "auth_http",
    "auth_issuers",
    "auth_keys",
    "auth_password",
    "authorizer",
    "discovery",
    "introspect",
    "local",
    "login",
    "refresh",
    "revoke",
    "rotate_keys",
    "sessions",
];

/// The filter of the log.
pub(crate) struct Hearing {
    told: Targets,
    /// Without metrics, empty.
    counted: Targets,
}

impl Hearing {
    pub(crate) fn new(level: Level, metrics: bool) -> Self {
        let ours = OURS.map(|target| (target, LevelFilter::from_level(level)));
        let told = Targets::new()
            .with_default(LevelFilter::WARN)
            // The embedded engine warns of every refused condition, which is an everyday answer.
            .with_target("dynoxide", LevelFilter::ERROR)
            // Says each 401 of the authorizer's again, as an error. Panics are told on standard error in any case.
            .with_target("lambda_runtime::layers::panic", LevelFilter::OFF)
            .with_targets(ours);
        let counting = OURS.into_iter().filter(|_| metrics).map(|target| (target, LevelFilter::TRACE));
        Self { told, counted: Targets::new().with_targets(counting) }
    }

    /// Whether the whole line is wanted, and not only what it counts.
    pub(crate) fn tells(&self, metadata: &Metadata<'_>) -> bool {
        self.told.would_enable(metadata.target(), metadata.level())
    }

    fn hears(&self, metadata: &Metadata<'_>) -> bool {
        self.tells(metadata)
            || (self.counted.would_enable(metadata.target(), metadata.level()) && metric::is_counting(metadata))
    }
}

impl<S> Filter<S> for Hearing {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.hears(metadata)
    }

    /// It depends on the callsite alone, so each is looked at once.
    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.hears(metadata) { Interest::always() } else { Interest::never() }
    }
}
