//! The log of one test, by itself.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use auth_log::settings::Settings;
use serde_json::Value;
use tracing::Level;
use tracing::subscriber::DefaultGuard;

use crate::emf::{Series, points};

/// The dimension `deployment` of a test's metrics.
pub(crate) const DEPLOYMENT: &str = "a-stack";

/// Hears what is said on this thread, on which a test runs that has one thread only: its stack, too.
pub(crate) struct Listening {
    heard: Heard,
    _guard: DefaultGuard,
}

/// Lines, kept for whoever asks.
#[derive(Clone, Default)]
pub(crate) struct Heard(pub(crate) Arc<Mutex<Vec<u8>>>);

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Listening {
    pub(crate) fn at(level: Level) -> Self {
        let settings = Settings { level, deployment: Some(DEPLOYMENT.to_owned()), ..Settings::new("tests") };
        let heard = Heard::default();
        let writer = heard.clone();
        let subscriber = auth_log::subscriber(settings, move || writer.clone());
        Self { heard, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// What was said since it was last asked.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let text = std::mem::take(&mut *self.heard.0.lock().unwrap());
        str::from_utf8(&text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The metrics of it, summed up, without those of every invocation.
    pub(crate) fn sums(&self) -> BTreeMap<Series, f64> {
        let mut sums = BTreeMap::new();
        let always = |series: &Series| ["ColdStarts", "Latency"].contains(&series.name.as_str());
        for (series, value) in self.lines().iter().flat_map(points).filter(|(series, _)| !always(series)) {
            *sums.entry(series).or_default() += value;
        }
        sums
    }

    /// The same as text: `service name label=sum`, without what has no label and is split by one, too.
    pub(crate) fn told(&self) -> Vec<String> {
        let sums = self.sums();
        assert!(sums.keys().all(|series| series.dimension("deployment") == DEPLOYMENT), "{sums:?}");
        let is_split = |series: &Series| {
            sums.keys().any(|other| other.name == series.name && other.dimensions.len() > series.dimensions.len())
        };
        let label = |series: &Series| {
            let mut labels =
                series.dimensions.iter().filter(|(name, _)| !["deployment", "service"].contains(&name.as_str()));
            labels.next().map(|(_, value)| format!(" {value}")).unwrap_or_default()
        };
        let told = sums.iter().filter(|(series, _)| !is_split(series));
        told.map(|(series, sum)| format!("{} {}{}={sum}", series.dimension("service"), series.name, label(series)))
            .collect()
    }
}
