//! The two exposition formats of Prometheus, written straight into memory.
//!
//! Text format 0.0.4: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
//! OpenMetrics 1.0.0: <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>.
//! Why not the `prometheus` crate's encoder: `docs/decisions/0002-own-exposition-encoder.md`.

mod gathered;
mod labels;
mod number;

pub use gathered::write_gathered;
pub use labels::{Arena, Labels, MAX_VALUE, label_value, push_label};

use bytes::Bytes;

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

/// Capacity of a chunk. Pages are made of such blocks so that a new page can be written into the
/// memory of an old one: page faults on fresh memory cost more than the writing does.
const CHUNK: usize = 64 * 1024;
/// Room for one more sample at the end of a chunk; a longer one makes its chunk grow.
const MARGIN: usize = 2 * 1024;

/// Writes families and their samples.
///
/// A family's header is written with its first sample, so that a family without samples leaves no
/// trace. The samples of a family must follow each other: call [`Encoder::family`], then the
/// samples, then the next family.
#[derive(Debug)]
pub struct Encoder {
    done: Vec<Bytes>,
    spare: Vec<Vec<u8>>,
    out: Vec<u8>,
    format: Format,
    family: &'static Family,
    header_due: bool,
    /// Name of the family and an opening brace.
    prefix: Vec<u8>,
    series: usize,
}

impl Encoder {
    /// An encoder that begins with this family and writes into what [`recycle`] gave.
    pub fn new(format: Format, family: &'static Family, spare: Vec<Vec<u8>>) -> Self {
        let mut encoder = Self {
            done: Vec::new(),
            spare,
            out: Vec::new(),
            format,
            family,
            header_due: true,
            prefix: Vec::new(),
            series: 0,
        };
        encoder.family(family);
        encoder
    }

    /// The page in chunks that follow each other, and how many series it has.
    pub fn finish(mut self) -> (Vec<Bytes>, usize) {
        self.done.push(self.out.into());
        (self.done, self.series)
    }

    /// Begins a family.
    pub fn family(&mut self, family: &'static Family) {
        self.family = family;
        self.header_due = true;
        self.prefix.clear();
        self.prefix.extend_from_slice(family.name.as_bytes());
        self.prefix.push(b'{');
    }

    /// A sample with a whole number.
    pub fn u64(&mut self, labels: Labels<'_>, value: u64) {
        self.start(labels);
        number::push_u64(&mut self.out, value);
        self.out.push(b'\n');
    }

    /// A sample with a whole number, and one label more than its subject's.
    pub fn u64_with(&mut self, labels: Labels<'_>, name: &str, label: &str, value: u64) {
        self.start_with(labels, name, label);
        number::push_u64(&mut self.out, value);
        self.out.push(b'\n');
    }

    /// A sample with any number, and one label more than its subject's.
    pub fn f64_with(&mut self, labels: Labels<'_>, name: &str, label: &str, value: f64) {
        self.start_with(labels, name, label);
        number::push_f64(&mut self.out, value);
        self.out.push(b'\n');
    }

    /// A sample with any number.
    pub fn f64(&mut self, labels: Labels<'_>, value: f64) {
        self.start(labels);
        number::push_f64(&mut self.out, value);
        self.out.push(b'\n');
    }

    /// A sample with a time in seconds, to the millisecond: Prometheus' own resolution.
    pub fn timestamp(&mut self, labels: Labels<'_>, seconds: f64) {
        self.f64(labels, (seconds * 1000.0).round() / 1000.0);
    }

    /// A sample with a signed whole number.
    pub fn i64(&mut self, labels: Labels<'_>, value: i64) {
        self.start(labels);
        number::push_i64(&mut self.out, value);
        self.out.push(b'\n');
    }

    /// A sample that is 1 or 0.
    pub fn bool(&mut self, labels: Labels<'_>, value: bool) {
        self.start(labels);
        self.out.extend_from_slice(if value { b"1\n" } else { b"0\n" });
    }

    /// One series per state, 1 for the one that holds. The words need no escaping.
    pub fn states(
        &mut self,
        labels: Labels<'_>,
        states: impl Iterator<Item = (&'static str, bool)>,
    ) {
        for (state, holds) in states {
            self.open(labels);
            self.out.extend_from_slice(if labels.0.is_empty() {
                b"state=\""
            } else {
                b",state=\""
            });
            self.out.extend_from_slice(state.as_bytes());
            self.out.extend_from_slice(if holds { b"\"} 1\n" } else { b"\"} 0\n" });
        }
    }

    /// An info metric: the labels of its subject, then `facts`; the value is 1.
    pub fn info(&mut self, labels: Labels<'_>, facts: &[(&str, &str)]) {
        self.open(labels);
        let mut empty = labels.0.is_empty();
        for (name, value) in facts {
            if !empty {
                self.out.push(b',');
            }
            empty = false;
            labels::push_pair(&mut self.out, name, value);
        }
        self.out.extend_from_slice(b"} 1\n");
    }

    /// Name, labels and the space before the value.
    fn start(&mut self, labels: Labels<'_>) {
        self.open(labels);
        if labels.0.is_empty() {
            // Without labels there are no braces.
            self.out.pop();
            self.out.push(b' ');
        } else {
            self.out.extend_from_slice(b"} ");
        }
    }

    /// The same with one label more.
    fn start_with(&mut self, labels: Labels<'_>, name: &str, label: &str) {
        self.open(labels);
        if !labels.0.is_empty() {
            self.out.push(b',');
        }
        labels::push_pair(&mut self.out, name, label);
        self.out.extend_from_slice(b"} ");
    }

    /// Name, opening brace, labels.
    fn open(&mut self, labels: Labels<'_>) {
        if self.out.len() + MARGIN > self.out.capacity() {
            self.next_chunk();
        }
        if self.header_due {
            self.header_due = false;
            let Family { name, kind, unit, help, .. } = *self.family;
            push_header(&mut self.out, self.format, name, kind, unit, help);
        }
        self.series += 1;
        self.out.extend_from_slice(&self.prefix);
        self.out.extend_from_slice(labels.0);
    }

    #[cold]
    fn next_chunk(&mut self) {
        let fresh = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(CHUNK));
        let full = std::mem::replace(&mut self.out, fresh);
        if !full.is_empty() {
            self.done.push(full.into());
        }
    }
}

/// Memory of the chunks of a page that nobody holds any more.
pub fn recycle(chunks: Vec<Bytes>) -> Vec<Vec<u8>> {
    chunks
        .into_iter()
        // Taking the memory of a chunk that someone still sends would copy it.
        .filter(Bytes::is_unique)
        .map(Vec::from)
        .filter(|block| block.capacity() >= CHUNK)
        .map(|mut block| {
            block.clear();
            block
        })
        .collect()
}

/// `# HELP`, `# TYPE` and, in OpenMetrics, `# UNIT`. There a counter's family is named without
/// the `_total` of its samples.
fn push_header(
    out: &mut Vec<u8>,
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
        for part in ["# ", word, " ", name, " "] {
            out.extend_from_slice(part.as_bytes());
        }
        labels::push_escaped(out, rest, format == Format::OpenMetrics);
        out.push(b'\n');
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

    fn text(chunks: &[Bytes]) -> String {
        String::from_utf8(chunks.concat()).expect("UTF-8")
    }

    fn page(format: Format) -> String {
        let mut encoder = Encoder::new(format, &volume::USED_BYTES, Vec::new());
        let mut arena = Arena::default();
        arena.push(&[("role", "a\"b\\c\nd")]);
        let labels = arena.get(0);
        encoder.u64(labels, 4096);
        encoder.family(&volume::FILES);
        encoder.family(&own::USAGE_CPU_SECONDS);
        encoder.f64(Labels::NONE, 0.25);
        encoder.family(&volume::STATE);
        encoder.states(labels, [("idle", true), ("missing", false)].into_iter());
        encoder.family(&own::BUILD_INFO);
        encoder.info(Labels::NONE, &[("version", "1"), ("revision", "\n")]);
        let (chunks, series) = encoder.finish();
        assert_eq!(series, 5);
        text(&chunks)
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
        let mut text = Vec::new();
        push_header(&mut text, Format::Text, "n", Kind::Gauge, None, help);
        assert_eq!(text, "# HELP n say \"x\" \\\\ y\\nz\n# TYPE n gauge\n".as_bytes());
        let mut open = Vec::new();
        push_header(&mut open, Format::OpenMetrics, "n", Kind::Gauge, None, help);
        assert_eq!(open, "# HELP n say \\\"x\\\" \\\\ y\\nz\n# TYPE n gauge\n".as_bytes());
    }

    #[test]
    fn long_pages_are_whole_over_their_chunks() {
        let mut encoder = Encoder::new(Format::Text, &volume::FILES, Vec::new());
        let mut arena = Arena::default();
        let long = "x".repeat(3 * CHUNK);
        arena.push(&[("role", "short")]);
        arena.push(&[("role", &long)]);
        for number in 0..9_000 {
            encoder.u64(arena.get(usize::from(number == 4_000)), number);
        }
        let (chunks, series) = encoder.finish();
        assert_eq!(series, 9_000);
        assert!(chunks.len() > 2);
        let text = text(&chunks);
        let values: Vec<u64> = text
            .lines()
            .skip(2)
            .map(|line| {
                line.rsplit_once("\"} ")
                    .and_then(|(_, value)| value.parse().ok())
                    .expect("a sample")
            })
            .collect();
        assert_eq!(values, (0..9_000).collect::<Vec<u64>>());
    }

    #[test]
    fn memory_of_old_pages_is_used_again_once_nobody_holds_it() {
        let write = |spare| {
            let mut encoder = Encoder::new(Format::Text, &volume::FILES, spare);
            (0..9_000).for_each(|number| encoder.u64(Labels::literal("role=\"x\""), number));
            encoder.finish().0
        };
        let first = write(Vec::new());
        let addresses: Vec<_> = first.iter().map(|chunk| chunk.as_ptr()).collect();
        let content = first.concat();
        let held = first[0].clone();
        let spare = recycle(first);
        assert_eq!(spare.len(), addresses.len() - 1);
        let second = write(spare);
        assert_eq!(second.concat(), content);
        assert!(second.iter().all(|chunk| chunk.as_ptr() != held.as_ptr()));
        assert!(second.iter().any(|chunk| chunk.as_ptr() == addresses[1]));
    }
}
