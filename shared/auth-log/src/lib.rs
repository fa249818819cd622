//! The log: one JSON object per line on standard output, with the keys that serverless tools look for. A line that counts
//! something says so in the embedded metric format, too, whatever the level.
//!
//! Only our own crates are heard below `WARN`: at `TRACE` the runtime writes whole events, and those hold passwords.

pub mod invocation;
pub mod metric;
pub mod settings;

mod hearing;
mod line;

use auth_core::config::{ConfigError, Variables};
use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::line::JsonLines;
use crate::settings::Settings;

/// Starts the log of a function on `writer`, as its [`Settings`] say.
///
/// # Errors
///
/// [`ConfigError`] when a variable is wrong; the log has started then, too, to say so.
pub fn start<W>(service: &'static str, variables: &Variables<'_>, writer: W) -> Result<(), ConfigError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let asked = Settings::from_variables(service, variables);
    let (settings, result) = match asked {
        Ok(settings) => (settings, Ok(())),
        Err(error) => (Settings::new(service), Err(error)),
    };
    // Fails only when a log has started before: that one stays.
    let _ = tracing::subscriber::set_global_default(subscriber(settings, writer));
    result
}

/// A log that writes to `writer`.
pub fn subscriber<W>(settings: Settings, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::registry().with(JsonLines::layer(settings, writer))
}

#[cfg(test)]
mod tests;
