//! The log: one line an event on standard error, as logfmt or JSON, times in UTC.

use std::fmt;
use std::time::SystemTime;

use clap::ValueEnum;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;

use crate::text;

/// Least severity that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// What does not work.
    Error,
    /// What will not work for long, or works in part.
    Warn,
    /// What a person wants to know of a daemon that works.
    Info,
    /// What helps to find a fault.
    Debug,
    /// Everything.
    Trace,
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

/// Form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// `time=… level=info msg="…" key=value`
    Logfmt,
    /// One object a line.
    Json,
}

/// Starts logging to standard error.
///
/// # Errors
/// Logging was started before.
pub fn init(
    level: LogLevel,
    format: LogFormat,
) -> Result<(), tracing::dispatcher::SetGlobalDefaultError> {
    tracing::dispatcher::set_global_default(subscriber(level, format, std::io::stderr).into())
}

/// What [`init`] starts, with a writer of choice. Libraries are heard from `warn` on only: their
/// finer lines are about themselves.
pub fn subscriber<W>(level: LogLevel, format: LogFormat, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let ours = LevelFilter::from(level);
    let filter = Targets::new()
        .with_default(ours.min(LevelFilter::WARN))
        .with_target(env!("CARGO_PKG_NAME"), ours);
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Lines { format, now: SystemTime::now })
        .with_ansi(false)
        .log_internal_errors(false)
        .with_writer(writer);
    tracing_subscriber::registry().with(filter).with(lines)
}

/// Formats one event as one line.
struct Lines {
    format: LogFormat,
    now: fn() -> SystemTime,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let time = humantime::format_rfc3339_millis((self.now)()).to_string();
        let meta = event.metadata();
        let level = match *meta.level() {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut line = vec![
            ("time".to_owned(), Value::from(time)),
            ("level".to_owned(), Value::from(level)),
            ("target".to_owned(), Value::from(meta.target())),
        ];
        line.extend(fields.message.map(|message| ("msg".to_owned(), Value::from(message))));
        line.extend(fields.others);
        match self.format {
            LogFormat::Logfmt => logfmt(&mut out, &line)?,
            LogFormat::Json => {
                let object: Map<String, Value> = line.into_iter().collect();
                let json = Value::Object(object).to_string();
                out.write_str(&text::escape_hidden_json(&json))?;
            }
        }
        out.write_char('\n')
    }
}

/// The fields of an event, in their order.
#[derive(Default)]
struct Fields {
    message: Option<String>,
    others: Vec<(String, Value)>,
}

impl Fields {
    fn push(&mut self, field: &Field, value: Value) {
        self.others.push((field.name().to_owned(), value));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = Some(format!("{value:?}"));
        } else {
            self.push(field, format!("{value:?}").into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = Some(value.to_owned());
        } else {
            self.push(field, value.into());
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value.into());
    }
}

fn logfmt(out: &mut impl fmt::Write, line: &[(String, Value)]) -> fmt::Result {
    for (at, (key, value)) in line.iter().enumerate() {
        if at > 0 {
            out.write_char(' ')?;
        }
        write!(out, "{key}=")?;
        match value {
            Value::String(string) if is_bare(string) => out.write_str(string)?,
            Value::String(string) => out.write_str(&text::quote(string))?,
            other => write!(out, "{other}")?,
        }
    }
    Ok(())
}

/// Whether a value can stand without quotes.
fn is_bare(value: &str) -> bool {
    !value.is_empty()
        && value
            .chars()
            .all(|c| !c.is_whitespace() && !matches!(c, '"' | '=' | '\\') && !text::is_hidden(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, UNIX_EPOCH};

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn captured(level: LogLevel, format: LogFormat, work: impl FnOnce()) -> String {
        let sink = Captured::default();
        let writer = sink.clone();
        let subscriber = subscriber(level, format, move || writer.clone());
        tracing::subscriber::with_default(subscriber, work);
        String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
    }

    /// The line without its time, whose form is checked.
    fn timeless(line: &str) -> String {
        let (time, rest) = line.split_once(' ').unwrap();
        let time = time.strip_prefix("time=").unwrap();
        assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
        humantime::parse_rfc3339(time).unwrap();
        rest.to_owned()
    }

    #[test]
    fn logfmt_quotes_what_needs_it() {
        let line = captured(LogLevel::Info, LogFormat::Logfmt, || {
            tracing::info!(
                path = "/a b",
                plain = "/ab",
                count = 3_u64,
                ok = true,
                none = "",
                "Started now"
            );
        });
        assert_eq!(
            timeless(&line),
            "level=info target=plimsoll::cli::logging::tests msg=\"Started now\" path=\"/a b\" \
             plain=/ab count=3 ok=true none=\"\"\n"
        );
    }

    #[test]
    fn no_value_breaks_the_line() {
        let name = "x\nlevel=error msg=\"forged\"\x1b[2J\u{202e}";
        let line = captured(LogLevel::Info, LogFormat::Logfmt, || {
            tracing::warn!(name, "saw {name}");
        });
        let shown = "\"x\\nlevel=error msg=\\\"forged\\\"\\x1b[2J\\u{202e}\"";
        assert_eq!(
            timeless(&line),
            format!(
                "level=warn target=plimsoll::cli::logging::tests msg=\"saw {} name={shown}\n",
                &shown[1..]
            )
        );
        let json = captured(LogLevel::Info, LogFormat::Json, || tracing::warn!(name, "saw"));
        assert_eq!(json.lines().count(), 1);
        assert!(!json.contains(['\u{202e}', '\x1b']));
        let back: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(back["name"], name);
        assert_eq!((&back["level"], &back["msg"]), (&"warn".into(), &"saw".into()));
    }

    #[test]
    fn levels_hold_and_libraries_are_quieter() {
        let work = || {
            tracing::error!("a");
            tracing::warn!("b");
            tracing::info!("c");
            tracing::debug!("d");
            tracing::trace!("e");
            tracing::warn!(target: "hyper", "f");
            tracing::info!(target: "hyper", "g");
        };
        for (level, lines) in [
            (LogLevel::Error, 1),
            (LogLevel::Warn, 3),
            (LogLevel::Info, 4),
            (LogLevel::Debug, 5),
            (LogLevel::Trace, 6),
        ] {
            let text = captured(level, LogFormat::Logfmt, work);
            assert_eq!(text.lines().count(), lines, "{level:?}: {text}");
        }
    }

    #[test]
    fn times_are_utc_to_the_millisecond() {
        let at = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        assert_eq!(humantime::format_rfc3339_millis(at).to_string(), "2023-11-14T22:13:20.123Z");
    }
}
