//! Log lines: one a message, each complete by itself.

use std::{error::Error, fmt};

use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormattedFields,
        format::{JsonFields, Writer},
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

use crate::LogFormat;

/// What a line of text names before anything else.
const FIRST: [&str; 2] = ["job.id", "job.attempt"];
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// Writes an event with the fields of every span around it beside its own, so that `job.id` is found at one place
/// whatever the depth. Where names meet, the inner one stands.
pub(crate) struct Lines {
    pub(crate) service: &'static str,
    pub(crate) format: LogFormat,
}

impl<S> FormatEvent<S, JsonFields> for Lines
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Map::new();
        let mut innermost = None;
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let extensions = span.extensions();
            let of_span = extensions.get::<FormattedFields<JsonFields>>();
            if let Some(Ok(of_span)) = of_span.map(|text| serde_json::from_str::<Map<String, Value>>(text)) {
                fields.extend(of_span);
            }
            innermost = Some(span.name());
        }
        event.record(&mut Fields(&mut fields));
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        match self.format {
            LogFormat::Json => self.write_json(writer, event, fields, innermost, timestamp),
            LogFormat::Text => write_text(writer, event, fields, &timestamp),
        }
    }
}

impl Lines {
    fn write_json(
        &self,
        mut writer: Writer<'_>,
        event: &Event<'_>,
        mut line: Map<String, Value>,
        span: Option<&str>,
        timestamp: String,
    ) -> fmt::Result {
        if let Some(span) = span {
            line.insert("span".into(), span.into());
        }
        line.insert("timestamp".into(), timestamp.into());
        line.insert("level".into(), event.metadata().level().as_str().into());
        line.insert("target".into(), event.metadata().target().into());
        line.insert("service".into(), self.service.into());
        writeln!(writer, "{}", Value::Object(line))
    }
}

fn write_text(
    mut writer: Writer<'_>,
    event: &Event<'_>,
    mut fields: Map<String, Value>,
    timestamp: &str,
) -> fmt::Result {
    let (level, target) = (event.metadata().level(), event.metadata().target());
    let message = fields.remove("message");
    let message = message.as_ref().and_then(Value::as_str).unwrap_or_default();
    if writer.has_ansi_escapes() {
        let colour = colour_of(*level);
        write!(writer, "{DIM}{timestamp}{PLAIN} {colour}{level:>5}{PLAIN} {DIM}{target}:{PLAIN} ")?;
    } else {
        write!(writer, "{timestamp} {level:>5} {target}: ")?;
    }
    // However many lines a message has, it takes one here.
    for letter in message.chars() {
        if letter.is_control() {
            write!(writer, "{}", letter.escape_default())?;
        } else {
            writer.write_char(letter)?;
        }
    }
    let first: Vec<_> = FIRST.iter().filter_map(|name| Some((*name, fields.remove(*name)?))).collect();
    for (name, value) in &first {
        write_field(&mut writer, name, value)?;
    }
    for (name, value) in &fields {
        write_field(&mut writer, name, value)?;
    }
    writeln!(writer)
}

/// Text that could be taken for more than one word stands in quotes.
fn write_field(writer: &mut Writer<'_>, name: &str, value: &Value) -> fmt::Result {
    match value {
        Value::String(text) if is_one_word(text) => write!(writer, " {name}={text}"),
        Value::String(text) => write!(writer, " {name}={text:?}"),
        other => write!(writer, " {name}={other}"),
    }
}

fn is_one_word(text: &str) -> bool {
    let parts =
        |letter: char| letter.is_whitespace() || letter.is_control() || letter == '"' || letter == '=';
    !text.is_empty() && !text.contains(parts)
}

fn colour_of(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}

/// Collects an event's fields.
struct Fields<'line>(&'line mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().into(), value.into());
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    /// An error with everything that led to it.
    fn record_error(&mut self, field: &Field, error: &(dyn Error + 'static)) {
        let mut chain = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            chain.push_str(": ");
            chain.push_str(&error.to_string());
            source = error.source();
        }
        self.put(field, chain);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}
