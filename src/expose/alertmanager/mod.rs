//! The alerting sidecar: findings, sent to Alertmanagers as alerts.
//!
//! Alerts have the names and the whole label sets of the rules, so that Alertmanager takes what
//! Prometheus sends and what comes from here for one alert. Each address is told on its own the set
//! that should be known ([`Book`]): what fires is repeated and lapses if it is not, what ended is
//! repeated for a while. There is no queue of events, so that nothing old is ever sent: after an
//! outage, of an address or of this daemon, it is what holds then.
//!
//! Beside a Prometheus that sends the same alerts nothing is told to be over, for Alertmanager would
//! end the alert while Prometheus still sends it; it lapses once both are silent.

mod alert;
mod book;
mod check;
mod counters;
mod peer;
mod sender;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use alert::{Alert, Labels, Origin};
pub use book::{Book, Desired, Fired, MAX_ALERTS, StoredBook};
pub use check::{Checked, check};
pub use counters::{Counters, REASONS};
pub use peer::{Clock, LAPSE_INTERVALS, MAX_BATCH, Message, Peer};

use crate::config::AlertingConfig;
use crate::discover::http::{Auth, ClientConfig, TlsConfig};
use crate::expose::rules::RuleOptions;
use crate::expose::rules::labels::in_maintenance;
use crate::judge::findings;
use crate::model::{ClockStep, Snapshot, Timestamp};

/// Largest answer that is read, in bytes: only its status counts.
const MAX_ANSWER: u64 = 1 << 20;

/// What is to be told, and when it was found to hold.
#[derive(Clone, Debug)]
struct Board {
    desired: Desired,
    seen: Instant,
}

/// One Alertmanager of the configuration.
#[derive(Clone, Debug)]
struct Address {
    /// Host, port and path.
    name: String,
    client: ClientConfig,
    /// Seconds between two repetitions.
    interval: f64,
    status_url: String,
}

/// How this daemon is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Name of the host.
    pub host: String,
    /// Port of the status page.
    pub port: u16,
    /// Its port speaks TLS.
    pub tls: bool,
}

/// Sends what fires to every configured address. Ends its sending when dropped.
pub struct Sidecar {
    handle: Handle,
    counters: Counters,
    reached: Reached,
    board: watch::Sender<Arc<Board>>,
    state: Mutex<State>,
}

struct State {
    config: AlertingConfig,
    origin: Origin,
    book: Book,
    sending: Vec<(String, JoinHandle<()>)>,
}

impl Sidecar {
    /// Sends nothing before the first [`Sidecar::observe`].
    pub fn new(
        handle: Handle,
        counters: Counters,
        reached: Reached,
        config: &AlertingConfig,
    ) -> Self {
        let board = Board { desired: Desired::default(), seen: Instant::now() };
        let sidecar = Self {
            handle,
            counters,
            board: watch::Sender::new(Arc::new(board)),
            state: Mutex::new(State {
                config: AlertingConfig::default(),
                origin: origin(config, &reached),
                book: Book::default(),
                sending: Vec::new(),
            }),
            reached,
        };
        sidecar.configure(config);
        sidecar
    }

    /// Takes a new configuration into force: when it differs, every address is told all anew.
    pub fn configure(&self, config: &AlertingConfig) {
        let mut state = self.state();
        if state.config == *config {
            return;
        }
        for (name, sending) in state.sending.drain(..) {
            sending.abort();
            self.counters.end(&name);
        }
        state.config = config.clone();
        state.origin = origin(config, &self.reached);
        if config.alertmanagers.is_empty() {
            state.book = Book::default();
            self.board.send_modify(|board| {
                *board = Arc::new(Board { desired: Desired::default(), seen: Instant::now() });
            });
            self.counters.alerts(0, 0);
        }
        for address in addresses(config, &state.origin) {
            self.counters.begin(&address.name);
            let name = address.name.clone();
            let sender = sender::run(address, self.board.subscribe(), self.counters.clone());
            state.sending.push((name, self.handle.spawn(sender)));
        }
    }

    /// Takes up the findings of a snapshot. `awaited` holds the identities of an earlier run's
    /// findings about subjects that are not measured yet.
    pub fn observe(&self, snapshot: &Snapshot, awaited: &HashSet<String>) {
        let mut state = self.state();
        if state.config.alertmanagers.is_empty() || !snapshot.ready {
            return;
        }
        let State { config, origin, book, .. } = &mut *state;
        let quiet = in_maintenance(&origin.target);
        let fired = snapshot.findings.iter().filter(|_| !quiet).map(|finding| Fired {
            finding: findings::identity(finding.kind, &finding.subject.values),
            severity: finding.severity,
            alert: Alert::new(finding, origin),
        });
        book.observe(fired.collect(), awaited, !config.beside_prometheus, snapshot.taken_at);
        let desired = book.desired();
        drop(state);
        self.counters.alerts(desired.firing.len(), desired.dropped);
        self.board.send_modify(|board| {
            *board = Arc::new(Board { desired, seen: Instant::now() });
        });
    }

    /// The wall clock was set.
    pub fn clock_stepped(&self, step: &ClockStep) {
        self.state().book.clock_stepped(step);
    }

    /// What is worth keeping beyond this run.
    pub fn stored(&self, now: Timestamp) -> StoredBook {
        self.state().book.stored(now)
    }

    /// Takes up what an earlier run kept.
    pub fn restore(&self, stored: StoredBook, now: Timestamp) {
        let mut state = self.state();
        if !state.config.alertmanagers.is_empty() {
            let horizon = state.config.resend_interval.as_secs_f64() * LAPSE_INTERVALS;
            state.book.restore(stored, horizon, now);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        for (_, sending) in self.state().sending.drain(..) {
            sending.abort();
        }
    }
}

/// Labels, runbook and status page of every alert.
pub fn origin(config: &AlertingConfig, reached: &Reached) -> Origin {
    let Reached { host, port, tls } = reached;
    let scheme = if *tls { "https" } else { "http" };
    let mut target = Labels::new();
    target.insert("job".into(), RuleOptions::default().job);
    target.insert("instance".into(), format!("{host}:{port}"));
    target.extend(config.labels.clone().unwrap_or_default());
    target.retain(|_, value| !value.is_empty());
    let runbook = config.runbook_url.clone();
    let status_url = config.status_url.clone();
    Origin {
        target,
        runbook: runbook.unwrap_or_else(|| RuleOptions::default().runbook),
        status_url: status_url.unwrap_or_else(|| format!("{scheme}://{host}:{port}/")),
    }
}

fn addresses(config: &AlertingConfig, origin: &Origin) -> Vec<Address> {
    let address = |url: &String| Address {
        name: name(url),
        client: client_config(config, url),
        interval: config.resend_interval.as_secs_f64(),
        status_url: origin.status_url.clone(),
    };
    config.alertmanagers.iter().map(address).collect()
}

fn client_config(config: &AlertingConfig, url: &str) -> ClientConfig {
    let tls = &config.tls;
    ClientConfig {
        url: url.to_owned(),
        timeout: config.timeout,
        max_body_bytes: MAX_ANSWER,
        auth: Auth::configured(&config.basic_auth, &config.bearer_token, &config.bearer_token_file),
        tls: TlsConfig {
            ca_file: tls.ca_file.clone(),
            identity: tls.cert_file.clone().zip(tls.key_file.clone()),
            insecure_skip_verify: tls.insecure_skip_verify,
            server_name: tls.server_name.clone(),
        },
    }
}

/// Host, port and path of a URL that was checked to hold no credentials.
fn name(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.trim_end_matches('/').to_owned()
}
