//! The two exposition formats of Prometheus, written straight into one buffer.
//!
//! Text format 0.0.4: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
//! OpenMetrics 1.0.0: <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>.
//! Why not the `prometheus` crate's encoder: `docs/decisions/0002-own-exposition-encoder.md`.

mod gathered;
mod labels;
mod number;

pub use gathered::write_gathered;
pub use labels::{Arena, push_label};

use super::catalogue::{Family, Kind};

/// A format that `/metrics` speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    /// Value of the `Content-Type` header.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// What ends a page.
    pub fn end(self) -> &'static str {
        match self {
            Self::Text => "",
            Self::OpenMetrics => "# EOF\n",
        }
    }
}

/// Writes families and their samples into one buffer.
///
/// A family's header is written with its first sample, so that a family without samples leaves no
/// trace. The samples of a family must follow each other: call [`Encoder::family`], then the
/// samples, then the next family.
#[derive(Debug)]
pub struct Encoder {
    out: String,
    format: Format,
    family: Option<&'static Family>,
    header_due: bool,
    series: usize,
}

impl Encoder {
    /// An encoder whose buffer has room for `capacity` bytes.
    pub fn new(format: Format, capacity: usize) -> Self {
        Self {
            out: String::with_capacity(capacity),
            format,
            family: None,
            header_due: false,
            series: 0,
        }
    }

    /// The page, and how many series it has.
    pub fn finish(self) -> (String, usize) {
        (self.out, self.series)
    }

    /// Begins a family.
    pub fn family(&mut self, family: &'static Family) {
        self.family = Some(family);
        self.header_due = true;
    }

    /// A sample with a whole number. `labels` is what [`push_label`] made.
    pub fn u64(&mut self, labels: &str, value: u64) {
        self.name_and_labels(labels);
        number::push_u64(&mut self.out, value);
        self.out.push('\n');
    }

    /// A sample with any number.
    pub fn f64(&mut self, labels: &str, value: f64) {
        self.name_and_labels(labels);
        number::push_f64(&mut self.out, value);
        self.out.push('\n');
    }

    /// A sample with a signed whole number.
    pub fn i64(&mut self, labels: &str, value: i64) {
        self.name_and_labels(labels);
        number::push_i64(&mut self.out, value);
        self.out.push('\n');
    }

    /// A sample that is 1 or 0.
    pub fn bool(&mut self, labels: &str, value: bool) {
        self.name_and_labels(labels);
        self.out.push_str(if value { "1\n" } else { "0\n" });
    }

    /// One series per state, 1 for the one that holds. The words need no escaping.
    pub fn states(&mut self, labels: &str, states: impl Iterator<Item = (&'static str, bool)>) {
        for (state, holds) in states {
            self.name(labels.len() + state.len() + 16);
            self.out.push('{');
            self.out.push_str(labels);
            self.out.push_str(if labels.is_empty() { "state=\"" } else { ",state=\"" });
            self.out.push_str(state);
            self.out.push_str(if holds { "\"} 1\n" } else { "\"} 0\n" });
        }
    }

    /// An info metric: the labels of its subject, then `facts`, written in place; the value is 1.
    pub fn info(&mut self, labels: &str, facts: &[(&str, &str)]) {
        self.name(labels.len() + 16);
        self.out.push('{');
        self.out.push_str(labels);
        let mut empty = labels.is_empty();
        for (name, value) in facts {
            if !empty {
                self.out.push(',');
            }
            empty = false;
            labels::push_pair(&mut self.out, name, value);
        }
        self.out.push_str("} 1\n");
    }

    fn name_and_labels(&mut self, labels: &str) {
        self.name(labels.len() + 32);
        if labels.is_empty() {
            self.out.push(' ');
        } else {
            self.out.push('{');
            self.out.push_str(labels);
            self.out.push_str("} ");
        }
    }

    fn name(&mut self, more: usize) {
        let Some(family) = self.family else { return };
        if self.header_due {
            self.header_due = false;
            push_header(
                &mut self.out,
                self.format,
                family.name,
                family.kind,
                family.unit,
                family.help,
            );
        }
        self.series += 1;
        self.out.reserve(family.name.len() + more);
        self.out.push_str(family.name);
    }
}

/// `# HELP`, `# TYPE` and, in OpenMetrics, `# UNIT`. There a counter's family is named without
/// the `_total` of its samples.
fn push_header(
    out: &mut String,
    format: Format,
    name: &str,
    kind: Kind,
    unit: Option<&str>,
    help: &str,
) {
    let name = match (format, kind) {
        (Format::OpenMetrics, Kind::Counter) => name.strip_suffix("_total").unwrap_or(name),
        _ => name,
    };
    let mut line = |word: &str, rest: &str| {
        out.push_str("# ");
        out.push_str(word);
        out.push(' ');
        out.push_str(name);
        out.push(' ');
        labels::push_escaped(out, rest, format == Format::OpenMetrics);
        out.push('\n');
    };
    line("HELP", help);
    line("TYPE", kind.as_str());
    if let (Format::OpenMetrics, Some(unit)) = (format, unit) {
        line("UNIT", unit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expose::catalogue::{own, volume};

    fn page(format: Format) -> String {
        let mut encoder = Encoder::new(format, 0);
        let mut labels = String::new();
        push_label(&mut labels, "role", "a\"b\\c\nd");
        encoder.family(&volume::USED_BYTES);
        encoder.u64(&labels, 4096);
        encoder.family(&volume::FILES);
        encoder.family(&own::USAGE_CPU_SECONDS);
        encoder.f64("", 0.25);
        encoder.family(&volume::STATE);
        encoder.states(&labels, [("idle", true), ("missing", false)].into_iter());
        encoder.family(&own::BUILD_INFO);
        encoder.info("", &[("version", "1"), ("revision", "\n")]);
        let (text, series) = encoder.finish();
        assert_eq!(series, 5);
        text
    }

    #[test]
    fn text_format() {
        let text = page(Format::Text);
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("# HELP")).collect();
        assert_eq!(
            lines,
            [
                "# TYPE plimsoll_volume_used_bytes gauge",
                r#"plimsoll_volume_used_bytes{role="a\"b\\c\nd"} 4096"#,
                "# TYPE plimsoll_usage_cpu_seconds_total counter",
                "plimsoll_usage_cpu_seconds_total 0.25",
                "# TYPE plimsoll_volume_state gauge",
                r#"plimsoll_volume_state{role="a\"b\\c\nd",state="idle"} 1"#,
                r#"plimsoll_volume_state{role="a\"b\\c\nd",state="missing"} 0"#,
                "# TYPE plimsoll_build_info gauge",
                r#"plimsoll_build_info{version="1",revision="\n"} 1"#,
            ]
        );
        assert!(
            !text.contains("plimsoll_volume_files"),
            "a family without samples leaves no trace"
        );
    }

    #[test]
    fn openmetrics_names_counters_without_total_and_gives_units() {
        let text = page(Format::OpenMetrics);
        assert!(text.contains(
            "# HELP plimsoll_usage_cpu_seconds CPU time spent measuring usage.\n\
             # TYPE plimsoll_usage_cpu_seconds counter\n\
             # UNIT plimsoll_usage_cpu_seconds seconds\n\
             plimsoll_usage_cpu_seconds_total 0.25\n"
        ));
        assert!(text.contains("# UNIT plimsoll_volume_used_bytes bytes\n"));
        assert!(!text.contains("# UNIT plimsoll_volume_state"));
    }

    #[test]
    fn help_is_escaped_as_each_format_demands() {
        let help = "say \"x\" \\ y\nz";
        let mut text = String::new();
        push_header(&mut text, Format::Text, "n", Kind::Gauge, None, help);
        assert_eq!(text, "# HELP n say \"x\" \\\\ y\\nz\n# TYPE n gauge\n");
        let mut open = String::new();
        push_header(&mut open, Format::OpenMetrics, "n", Kind::Gauge, None, help);
        assert_eq!(open, "# HELP n say \\\"x\\\" \\\\ y\\nz\n# TYPE n gauge\n");
    }
}
