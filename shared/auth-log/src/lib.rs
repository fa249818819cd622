//! The log: one JSON object per line on standard output, with the keys that serverless tools look for.
//!
//! Only our own crates are heard below `WARN`: at `TRACE` the runtime writes whole events, and those hold passwords.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

use auth_core::config::{ConfigError, Variables};
use auth_core::time::{Clock as _, SystemClock};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Span, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

/// The crates that say something, by the beginning of their names.
const OURS: [&str; 14] = [
    "auth_core",
    "auth_dynamodb",
    "auth_http",
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

/// Starts the log of a function on `writer`, at the level that `LOG_LEVEL` or, from Lambda's own settings,
/// `AWS_LAMBDA_LOG_LEVEL` names (`TRACE` to `ERROR`); `INFO` if neither does.
///
/// # Errors
///
/// [`ConfigError`] when `LOG_LEVEL` names none; the log has started then, too, to say so.
pub fn start<W>(service: &'static str, variables: &Variables<'_>, writer: W) -> Result<(), ConfigError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let asked = variables.parsed("LOG_LEVEL", "TRACE, DEBUG, INFO, WARN or ERROR", |level| level.parse().ok());
    let lambdas = || variables.optional("AWS_LAMBDA_LOG_LEVEL").and_then(|level| level.parse().ok());
    let level = asked.as_ref().ok().copied().flatten().or_else(lambdas).unwrap_or(Level::INFO);
    // Fails only when a log has started before: that one stays.
    let _ = tracing::subscriber::set_global_default(subscriber(service, level, writer));
    asked.map(drop)
}

/// A log that writes to `writer`.
pub fn subscriber<W>(service: &'static str, level: Level, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let ours = OURS.map(|target| (target, LevelFilter::from_level(level)));
    let filter = Targets::new()
        .with_default(LevelFilter::WARN)
        // The embedded engine warns of every refused condition, which is an everyday answer.
        .with_target("dynoxide", LevelFilter::ERROR)
        .with_targets(ours);
    tracing_subscriber::registry().with(JsonLines { service, writer }.with_filter(filter))
}

/// The span of one invocation: all lines within carry its request id, and whether it is the first of its process.
pub fn invocation(request_id: &str) -> Span {
    static WARM: AtomicBool = AtomicBool::new(false);
    let cold_start = !WARM.swap(true, Ordering::Relaxed);
    tracing::error_span!(target: "auth_core", "invocation", function_request_id = request_id, cold_start)
}

struct JsonLines<W> {
    service: &'static str,
    writer: W,
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Fields::default();
        line.0.insert("timestamp".to_owned(), timestamp().into());
        line.0.insert("level".to_owned(), event.metadata().level().as_str().into());
        line.0.insert("service".to_owned(), self.service.into());
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<Fields>() {
                line.0.extend(fields.0.clone());
            }
        }
        event.record(&mut line);
        // One write, so that lines of several threads do not mix. A log that cannot be written has no one to tell.
        let line = format!("{}\n", Value::Object(line.0));
        let _ = self.writer.make_writer().write_all(line.as_bytes());
    }
}

/// Milliseconds precision, UTC (RFC 3339).
fn timestamp() -> String {
    let millis = i64::try_from(SystemClock.now().millis()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).map(|at| format!("{at:.3}")).unwrap_or_default()
}

#[derive(Clone, Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn lines(level: Level, act: impl FnOnce()) -> Vec<Value> {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        tracing::subscriber::with_default(subscriber("login", level, move || writer.clone()), act);
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_is_one_object_with_the_usual_keys() {
        let lines = lines(Level::INFO, || {
            let _span = invocation("id-1").entered();
            tracing::info!(target: "login", event = "login_ok", attempts = 2, "signed\nin \u{1b}[31m");
        });
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["service"], "login");
        assert_eq!(line["message"], "signed\nin \u{1b}[31m");
        assert_eq!(line["function_request_id"], "id-1");
        assert_eq!(line["event"], "login_ok");
        assert_eq!(line["attempts"], 2);
        assert!(line["cold_start"].is_boolean());
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn others_are_heard_from_warn_on_at_any_level() {
        let lines = lines(Level::TRACE, || {
            tracing::trace!(target: "lambda_runtime", body = "a password", "raw event");
            tracing::debug!(target: "aws_smithy_runtime", "request");
            tracing::warn!(target: "aws_smithy_runtime", "heard");
            tracing::trace!(target: "refresh", "heard");
        });
        assert_eq!(lines.iter().map(|line| line["message"].as_str().unwrap()).collect::<Vec<_>>(), ["heard", "heard"]);
    }
}
