//! What is counted of the sending. An address is named by host, port and path, never with what
//! could be a secret.

use prometheus::{
    CounterVec, GaugeVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, core::Collector,
};

use crate::expose::catalogue::{Family, alerting};

/// Counters of every address.
#[derive(Clone, Debug)]
pub struct Counters {
    firing: IntGauge,
    dropped: IntGauge,
    sent: IntCounterVec,
    requests: IntCounterVec,
    request_seconds: CounterVec,
    failures: IntCounterVec,
    pending: IntGaugeVec,
    last_success: GaugeVec,
}

impl Counters {
    /// Registers all of them.
    ///
    /// # Errors
    /// When a name is taken or none.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let of = |family: &'static Family| Opts::new(family.name, family.help);
        let counters = Self {
            firing: IntGauge::with_opts(of(&alerting::FIRING))?,
            dropped: IntGauge::with_opts(of(&alerting::DROPPED))?,
            sent: IntCounterVec::new(of(&alerting::SENT), alerting::SENT.labels)?,
            requests: IntCounterVec::new(of(&alerting::REQUESTS), alerting::REQUESTS.labels)?,
            request_seconds: CounterVec::new(
                of(&alerting::REQUEST_SECONDS),
                alerting::REQUEST_SECONDS.labels,
            )?,
            failures: IntCounterVec::new(of(&alerting::FAILURES), alerting::FAILURES.labels)?,
            pending: IntGaugeVec::new(of(&alerting::PENDING), alerting::PENDING.labels)?,
            last_success: GaugeVec::new(
                of(&alerting::LAST_SUCCESS),
                alerting::LAST_SUCCESS.labels,
            )?,
        };
        let all: [Box<dyn Collector>; 8] = [
            Box::new(counters.firing.clone()),
            Box::new(counters.dropped.clone()),
            Box::new(counters.sent.clone()),
            Box::new(counters.requests.clone()),
            Box::new(counters.request_seconds.clone()),
            Box::new(counters.failures.clone()),
            Box::new(counters.pending.clone()),
            Box::new(counters.last_success.clone()),
        ];
        all.into_iter().try_for_each(|one| registry.register(one))?;
        Ok(counters)
    }

    /// What fires, and what of it is left out.
    pub fn alerts(&self, firing: usize, dropped: usize) {
        self.firing.set(number(firing));
        self.dropped.set(number(dropped));
    }

    /// An address is there from now on: its counters begin at 0.
    pub fn begin(&self, address: &str) {
        self.sent.with_label_values(&[address]);
        self.requests.with_label_values(&[address]);
        self.request_seconds.with_label_values(&[address]);
        self.pending.with_label_values(&[address]);
    }

    /// An address is not configured any more.
    pub fn end(&self, address: &str) {
        // What was never counted cannot be removed, which is as well.
        let _ = self.sent.remove_label_values(&[address]);
        let _ = self.requests.remove_label_values(&[address]);
        let _ = self.request_seconds.remove_label_values(&[address]);
        let _ = self.pending.remove_label_values(&[address]);
        let _ = self.last_success.remove_label_values(&[address]);
        for reason in REASONS {
            let _ = self.failures.remove_label_values(&[address, reason]);
        }
    }

    /// A request is over, after so many seconds.
    pub fn request(&self, address: &str, seconds: f64) {
        self.requests.with_label_values(&[address]).inc();
        self.request_seconds.with_label_values(&[address]).inc_by(seconds.max(0.0));
    }

    /// It was accepted at that time with so many alerts.
    pub fn accepted(&self, address: &str, alerts: usize, now: f64) {
        self.sent.with_label_values(&[address]).inc_by(alerts as u64);
        self.last_success.with_label_values(&[address]).set(now);
    }

    /// It failed; `reason` is one of [`REASONS`].
    pub fn failed(&self, address: &str, reason: &str) {
        self.failures.with_label_values(&[address, reason]).inc();
    }

    /// So many alerts wait for it.
    pub fn pending(&self, address: &str, alerts: usize) {
        self.pending.with_label_values(&[address]).set(number(alerts));
    }
}

/// Every reason of [`Failure`](crate::discover::http::Failure).
pub const REASONS: [&str; 13] = [
    "forbidden",
    "io",
    "malformed",
    "missing",
    "permission",
    "refused",
    "rejected",
    "status",
    "timeout",
    "tls",
    "too_large",
    "unauthorized",
    "unavailable",
];

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
