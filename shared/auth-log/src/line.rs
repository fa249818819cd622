//! One event, one line.

use std::io::Write as _;

use auth_core::time::{Clock as _, SystemClock, UnixTime};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::hearing::Hearing;
use crate::metric;
use crate::settings::Settings;

/// The members of a line, by name.
pub(crate) type Line = Map<String, Value>;

/// Writes each event as one JSON object.
pub(crate) struct JsonLines<W> {
    settings: Settings,
    hearing: Hearing,
    writer: W,
}

impl<W> JsonLines<W> {
    /// The layer, which hears what [`Hearing`] says.
    pub(crate) fn layer<S>(settings: Settings, writer: W) -> impl Layer<S> + Send + Sync
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
        W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    {
        let hearing = || Hearing::new(settings.level, settings.deployment.is_some());
        let (filter, hearing) = (hearing(), hearing());
        Self { settings, hearing, writer }.with_filter(filter)
    }
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
        let now = SystemClock.now();
        let mut line = Fields::default();
        line.0.insert("timestamp".to_owned(), timestamp(now).into());
        line.0.insert("level".to_owned(), event.metadata().level().as_str().into());
        line.0.insert("service".to_owned(), self.settings.service.into());
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<Fields>() {
                line.0.extend(fields.0.clone());
            }
        }
        event.record(&mut line);
        let Fields(line) = line;
        if let Some(text) = self.text(line, self.hearing.tells(event.metadata()), now) {
            // One write, so that lines of several threads do not mix. A log that cannot be written has no one to tell.
            let _ = self.writer.make_writer().write_all(text.as_bytes());
        }
    }
}

impl<W> JsonLines<W> {
    /// The line, if there is anything in it that is wanted.
    fn text(&self, mut line: Line, tells: bool, now: UnixTime) -> Option<String> {
        let Some(deployment) = &self.settings.deployment else {
            metric::strip(&mut line);
            return Some(format!("{}\n", Value::Object(line)));
        };
        let metadata = metric::embed(&mut line, deployment, now, tells);
        let line = Value::Object(line).to_string();
        match metadata {
            // Every line has members, so one more is one more after its brace.
            Some(metadata) => Some(format!("{{\"_aws\":{metadata},{}\n", line.strip_prefix('{')?)),
            None => tells.then(|| line + "\n"),
        }
    }
}

/// Milliseconds precision, UTC (RFC 3339).
fn timestamp(now: UnixTime) -> String {
    let millis = i64::try_from(now.millis()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).map(|at| format!("{at:.3}")).unwrap_or_default()
}

#[derive(Clone, Default)]
struct Fields(Line);

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

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}
