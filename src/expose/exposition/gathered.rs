//! Families gathered from a `prometheus::Registry`, in our two formats.

use prometheus::proto::{MetricFamily, MetricType};

use super::labels::push_label;
use super::number::push_f64;
use super::{Format, push_header};
use crate::expose::catalogue::{self, Kind};

/// Appends counters and gauges; help and unit come from the catalogue where it has the name.
/// Histograms and summaries are not written: the catalogue has none.
pub fn write_gathered(out: &mut Vec<u8>, format: Format, families: &[MetricFamily]) {
    let mut labels = Vec::new();
    for family in families {
        let kind = match family.get_field_type() {
            MetricType::COUNTER => Kind::Counter,
            MetricType::GAUGE | MetricType::UNTYPED => Kind::Gauge,
            MetricType::HISTOGRAM | MetricType::SUMMARY => continue,
        };
        let declared = catalogue::find(family.name());
        let help = declared.map_or(family.help(), |declared| declared.help);
        push_header(
            out,
            format,
            family.name(),
            kind,
            declared.and_then(|declared| declared.unit),
            help,
        );
        for metric in family.get_metric() {
            labels.clear();
            for pair in metric.get_label() {
                push_label(&mut labels, pair.name(), pair.value());
            }
            out.extend_from_slice(family.name().as_bytes());
            if !labels.is_empty() {
                out.push(b'{');
                out.extend_from_slice(&labels);
                out.push(b'}');
            }
            out.push(b' ');
            push_f64(
                out,
                match kind {
                    Kind::Counter => metric.get_counter().get_value(),
                    Kind::Gauge | Kind::Info => metric.get_gauge().get_value(),
                },
            );
            out.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{IntCounterVec, Opts, Registry};

    use super::*;

    #[test]
    fn counters_keep_total_in_samples_only() {
        let counter = IntCounterVec::new(
            Opts::new("plimsoll_source_errors_total", "help of the crate"),
            &["collector", "reason"],
        )
        .expect("valid name");
        counter.with_label_values(&["mesos_api", "a\"b"]).inc_by(3);
        let registry = Registry::new();
        registry.register(Box::new(counter)).expect("first registration");

        let mut open = Vec::new();
        write_gathered(&mut open, Format::OpenMetrics, &registry.gather());
        assert_eq!(
            open,
            "# HELP plimsoll_source_errors Things a collector could not read, by reason.\n\
             # TYPE plimsoll_source_errors counter\n\
             plimsoll_source_errors_total{collector=\"mesos_api\",reason=\"a\\\"b\"} 3\n"
                .as_bytes()
        );
        let mut text = Vec::new();
        write_gathered(&mut text, Format::Text, &registry.gather());
        let text = String::from_utf8(text).expect("UTF-8");
        assert!(text.contains("# TYPE plimsoll_source_errors_total counter\n"));
    }
}
