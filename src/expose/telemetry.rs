//! What Plimsoll counts about itself while it runs.

use std::sync::OnceLock;

use prometheus::proto::MetricFamily;
use prometheus::{
    Counter, Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use super::alertmanager::Counters;
use super::catalogue::{Family, own};
use super::exposition::{Format, write_gathered};
use super::process::Process;
use crate::model::Timestamp;

/// What this build is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildInfo {
    /// Version of the package.
    pub version: String,
    /// Commit it was built from, `unknown` outside a repository.
    pub revision: String,
    /// Version of the compiler.
    pub rustversion: String,
}

/// Counters and gauges that live as long as the process. Everything about subjects is written
/// from the snapshot instead, so that nothing here remembers what is gone.
#[derive(Debug)]
pub struct Telemetry {
    registry: Registry,
    source_errors: IntCounterVec,
    usage_cpu_seconds: Counter,
    usage_inodes: IntCounter,
    usage_passes: IntCounterVec,
    usage_debt_seconds: Gauge,
    usage_pending_subjects: IntGauge,
    usage_throttled: IntGauge,
    usage_remembered_bytes: IntGauge,
    usage_remembered_subjects: IntGauge,
    usage_unremembered_subjects: IntGauge,
    usage_bound_exceeded: IntCounter,
    usage_bound_checked: IntCounter,
    usage_fanotify: OnceLock<Fanotify>,
    reload_successful: IntGauge,
    reload_timestamp: Gauge,
    alerting: Counters,
}

/// Where the kernel is asked what changed.
#[derive(Debug)]
struct Fanotify {
    filesystems: IntGaugeVec,
    subjects: IntGauge,
    events: IntCounter,
    overflows: IntCounter,
    directories: IntGauge,
}

/// What the kernel told of changes, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Filesystems that are found to tell everything, and that are not.
    pub filesystems: (usize, usize),
    /// Subjects that rely on it.
    pub subjects: usize,
    /// Events.
    pub events: u64,
    /// Times that events were lost.
    pub overflows: u64,
    /// Directories that are remembered as changed.
    pub directories: usize,
}

impl Telemetry {
    /// A registry with every family of this struct, and the `process_` ones. `configured_at`: when
    /// the configuration that is in force at first was read.
    pub fn new(build: &BuildInfo, configured_at: Timestamp) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let telemetry = Self {
            alerting: Counters::new(&registry)?,
            registry,
            source_errors: IntCounterVec::new(
                opts(&own::SOURCE_ERRORS),
                own::SOURCE_ERRORS.labels,
            )?,
            usage_cpu_seconds: Counter::with_opts(opts(&own::USAGE_CPU_SECONDS))?,
            usage_inodes: IntCounter::with_opts(opts(&own::USAGE_INODES))?,
            usage_passes: IntCounterVec::new(opts(&own::USAGE_PASSES), own::USAGE_PASSES.labels)?,
            usage_debt_seconds: Gauge::with_opts(opts(&own::USAGE_DEBT_SECONDS))?,
            usage_pending_subjects: IntGauge::with_opts(opts(&own::USAGE_PENDING_SUBJECTS))?,
            usage_throttled: IntGauge::with_opts(opts(&own::USAGE_THROTTLED))?,
            usage_remembered_bytes: IntGauge::with_opts(opts(&own::USAGE_REMEMBERED_BYTES))?,
            usage_remembered_subjects: IntGauge::with_opts(opts(&own::USAGE_REMEMBERED_SUBJECTS))?,
            usage_unremembered_subjects: IntGauge::with_opts(opts(
                &own::USAGE_UNREMEMBERED_SUBJECTS,
            ))?,
            usage_bound_exceeded: IntCounter::with_opts(opts(&own::USAGE_BOUND_EXCEEDED))?,
            usage_bound_checked: IntCounter::with_opts(opts(&own::USAGE_BOUND_CHECKED))?,
            usage_fanotify: OnceLock::new(),
            reload_successful: IntGauge::with_opts(opts(&own::RELOAD_SUCCESSFUL))?,
            reload_timestamp: Gauge::with_opts(opts(&own::RELOAD_TIMESTAMP))?,
        };
        telemetry.reloaded(Some(configured_at));
        let build_info = IntGaugeVec::new(opts(&own::BUILD_INFO), own::BUILD_INFO.labels)?;
        build_info.with_label_values(&[&build.version, &build.revision, &build.rustversion]).set(1);
        // Present from the start, so that its rate is known from the first pass on.
        telemetry.usage_passes.with_label_values(&["complete"]);
        let registry = &telemetry.registry;
        registry.register(Box::new(telemetry.source_errors.clone()))?;
        registry.register(Box::new(telemetry.usage_cpu_seconds.clone()))?;
        registry.register(Box::new(telemetry.usage_inodes.clone()))?;
        registry.register(Box::new(telemetry.usage_passes.clone()))?;
        registry.register(Box::new(telemetry.usage_debt_seconds.clone()))?;
        registry.register(Box::new(telemetry.usage_pending_subjects.clone()))?;
        registry.register(Box::new(telemetry.usage_throttled.clone()))?;
        registry.register(Box::new(telemetry.usage_remembered_bytes.clone()))?;
        registry.register(Box::new(telemetry.usage_remembered_subjects.clone()))?;
        registry.register(Box::new(telemetry.usage_unremembered_subjects.clone()))?;
        registry.register(Box::new(telemetry.usage_bound_exceeded.clone()))?;
        registry.register(Box::new(telemetry.usage_bound_checked.clone()))?;
        registry.register(Box::new(telemetry.reload_successful.clone()))?;
        registry.register(Box::new(telemetry.reload_timestamp.clone()))?;
        registry.register(Box::new(build_info))?;
        registry.register(Box::new(Process::of_self()))?;
        Ok(telemetry)
    }

    /// Says how the last attempt to take up a configuration ended: when, or `None` for a refusal.
    pub fn reloaded(&self, at: Option<Timestamp>) {
        self.reload_successful.set(i64::from(at.is_some()));
        if let Some(at) = at {
            self.reload_timestamp.set(at);
        }
    }

    /// Counts one thing that a collector could not read.
    pub fn source_error(&self, collector: &str, reason: &str) {
        self.source_errors.with_label_values(&[collector, reason]).inc();
    }

    /// Adds CPU time spent measuring, in seconds; what is negative or no number is not added.
    pub fn usage_cpu(&self, seconds: f64) {
        if seconds > 0.0 && seconds.is_finite() {
            self.usage_cpu_seconds.inc_by(seconds);
        }
    }

    /// Adds inodes looked at.
    pub fn usage_inodes(&self, inodes: u64) {
        self.usage_inodes.inc_by(inodes);
    }

    /// Counts measurements of one outcome: `complete`, or the reason of the failure.
    pub fn usage_passes(&self, outcome: &str, passes: u64) {
        self.usage_passes.with_label_values(&[outcome]).inc_by(passes);
    }

    /// Says how far measuring is behind: seconds past the greatest age, and subjects waiting.
    pub fn usage_backlog(&self, debt_seconds: f64, pending_subjects: usize) {
        self.usage_debt_seconds.set(debt_seconds);
        self.usage_pending_subjects.set(i64::try_from(pending_subjects).unwrap_or(i64::MAX));
    }

    /// Counts full passes that found how much was missed, and those that found more than the
    /// published bound said.
    pub fn usage_bound(&self, checked: u64, exceeded: u64) {
        self.usage_bound_checked.inc_by(checked);
        self.usage_bound_exceeded.inc_by(exceeded);
    }

    /// Says what is remembered between full passes: bytes, subjects, and subjects without room.
    pub fn usage_remembered(&self, bytes: usize, subjects: usize, unremembered: usize) {
        let gauge = |gauge: &IntGauge, value| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        gauge(&self.usage_remembered_bytes, bytes);
        gauge(&self.usage_remembered_subjects, subjects);
        gauge(&self.usage_unremembered_subjects, unremembered);
    }

    /// Says what the kernel told of changes; its families are there from the first time on.
    pub fn usage_fanotify(&self, told: &Told) -> Result<(), prometheus::Error> {
        let known = match self.usage_fanotify.get() {
            Some(known) => known,
            None => {
                let new = Fanotify::new(&self.registry)?;
                self.usage_fanotify.get_or_init(|| new)
            }
        };
        let gauge = |gauge: &IntGauge, value| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        gauge(&known.filesystems.with_label_values(&["trusted"]), told.filesystems.0);
        gauge(&known.filesystems.with_label_values(&["untrusted"]), told.filesystems.1);
        gauge(&known.subjects, told.subjects);
        gauge(&known.directories, told.directories);
        known.events.inc_by(told.events.saturating_sub(known.events.get()));
        known.overflows.inc_by(told.overflows.saturating_sub(known.overflows.get()));
        Ok(())
    }

    /// Says whether measuring steps aside for I/O.
    pub fn usage_throttled(&self, throttled: bool) {
        self.usage_throttled.set(i64::from(throttled));
    }

    /// What is counted of the alerts that are sent.
    pub fn alerting(&self) -> &Counters {
        &self.alerting
    }

    /// Everything as it is now. Reads `/proc/self` and nothing else.
    pub fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }

    /// The last part of a page: these families and the format's end.
    pub fn render(&self, format: Format) -> Vec<u8> {
        let mut out = Vec::with_capacity(4096);
        write_gathered(&mut out, format, &self.gather());
        out.extend_from_slice(format.end().as_bytes());
        out
    }
}

impl Fanotify {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let fanotify = Self {
            filesystems: IntGaugeVec::new(
                opts(&own::USAGE_FANOTIFY_FILESYSTEMS),
                own::USAGE_FANOTIFY_FILESYSTEMS.labels,
            )?,
            subjects: IntGauge::with_opts(opts(&own::USAGE_FANOTIFY_SUBJECTS))?,
            events: IntCounter::with_opts(opts(&own::USAGE_FANOTIFY_EVENTS))?,
            overflows: IntCounter::with_opts(opts(&own::USAGE_FANOTIFY_OVERFLOWS))?,
            directories: IntGauge::with_opts(opts(&own::USAGE_FANOTIFY_DIRECTORIES))?,
        };
        registry.register(Box::new(fanotify.filesystems.clone()))?;
        registry.register(Box::new(fanotify.subjects.clone()))?;
        registry.register(Box::new(fanotify.events.clone()))?;
        registry.register(Box::new(fanotify.overflows.clone()))?;
        registry.register(Box::new(fanotify.directories.clone()))?;
        Ok(fanotify)
    }
}

fn opts(family: &Family) -> Opts {
    Opts::new(family.name, family.help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_ends_the_page() {
        let build = BuildInfo {
            version: "1.2.3".into(),
            revision: "abc".into(),
            rustversion: "1.88".into(),
        };
        let telemetry = Telemetry::new(&build, 1_700_000_000.0).expect("names are valid");
        telemetry.source_error("mesos_api", "timeout");
        telemetry.source_error("mesos_api", "timeout");
        telemetry.usage_cpu(1.5);
        telemetry.usage_cpu(f64::NAN);
        telemetry.usage_cpu(-1.0);
        telemetry.usage_inodes(10);
        telemetry.usage_passes("permission", 1);
        telemetry.usage_backlog(12.5, 3);
        let off = String::from_utf8(telemetry.render(Format::Text)).expect("UTF-8");
        assert!(!off.contains("fanotify"), "absent, not zero, where it is off");
        let told =
            Told { filesystems: (2, 1), subjects: 30, events: 7, overflows: 1, directories: 4 };
        for told in [told, Told { events: 9, ..told }] {
            telemetry.usage_fanotify(&told).expect("names are valid");
        }
        telemetry.reloaded(Some(1_700_000_100.0));
        telemetry.reloaded(None);
        let text = String::from_utf8(telemetry.render(Format::Text)).expect("UTF-8");
        for line in [
            "plimsoll_config_last_reload_successful 0",
            "plimsoll_config_last_reload_success_timestamp_seconds 1700000100",
            "plimsoll_source_errors_total{collector=\"mesos_api\",reason=\"timeout\"} 2",
            "plimsoll_usage_cpu_seconds_total 1.5",
            "plimsoll_usage_inodes_total 10",
            "plimsoll_usage_passes_total{outcome=\"complete\"} 0",
            "plimsoll_usage_passes_total{outcome=\"permission\"} 1",
            "plimsoll_usage_debt_seconds 12.5",
            "plimsoll_usage_pending_subjects 3",
            "plimsoll_usage_fanotify_filesystems{trust=\"trusted\"} 2",
            "plimsoll_usage_fanotify_filesystems{trust=\"untrusted\"} 1",
            "plimsoll_usage_fanotify_subjects 30",
            "plimsoll_usage_fanotify_events_total 9",
            "plimsoll_usage_fanotify_overflows_total 1",
            "plimsoll_usage_fanotify_directories 4",
            "plimsoll_build_info{revision=\"abc\",rustversion=\"1.88\",version=\"1.2.3\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("# EOF"));
        assert!(telemetry.render(Format::OpenMetrics).ends_with(b"\n# EOF\n"));
    }
}
