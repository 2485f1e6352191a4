//! `plimsoll discover`: the agents of a cluster as Prometheus targets.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow};
use arc_swap::ArcSwapOption;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method, Response, StatusCode};
use prometheus::{Gauge, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

use crate::cli::args::{DiscoverArgs, GlobalArgs, TargetAddress};
use crate::config::{MesosConfig, base_url};
use crate::discover::mesos::api::ApiError;
use crate::discover::mesos::master::agents::registered;
use crate::expose::http::{self, Chunks, Site};
use crate::expose::process::Process;
use crate::expose::service_discovery::{TargetOptions, Targets};

use super::serve::{Port, serve_until_told};
use super::{configuration, replace, runtime};

const NOT_FOUND: &str =
    "Nothing is served here. There are:\n/targets\n/metrics\n/-/healthy\n/-/ready\n";

pub(super) fn run(global: &GlobalArgs, args: &DiscoverArgs) -> anyhow::Result<ExitCode> {
    let mesos = configuration(global)?.config.mesos;
    for url in &args.masters {
        // Not shown: somebody may have put a password into it.
        base_url("mesos.master_url", url, "http://master.example.org:5050")
            .map_err(|error| anyhow!("--mesos-master {}", error.reason))?;
    }
    let runtime = runtime()?;
    let mut work = Work { mesos, args: args.clone(), targets: Targets::new(options(args)) };
    if args.once {
        let json = runtime.block_on(work.ask()).map_err(|errors| failed(&errors))?;
        match &args.file {
            Some(file) => replace(file, &json)?,
            None => std::io::stdout().write_all(json.as_bytes()).context("print the targets")?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let port = Port { listen: &args.listen, web: &args.web };
    let taken = runtime.block_on(port.take())?;
    let site = Arc::new(DiscoverySite::new().context("register our own metrics")?);
    let asking = runtime.spawn(work.for_ever(Arc::clone(&site)));
    let nothing_to_reload = Arc::new(|| Ok(()));
    runtime.block_on(serve_until_told(taken, site, nothing_to_reload))?;
    asking.abort();
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

fn options(args: &DiscoverArgs) -> TargetOptions {
    TargetOptions {
        port: args.port,
        by_address: args.address == TargetAddress::Ip,
        attributes: args.attributes.as_ref().map(|names| names.iter().cloned().collect()),
        retention: args.retention,
    }
}

fn failed(errors: &[ApiError]) -> anyhow::Error {
    let each: Vec<String> = errors.iter().map(ApiError::to_string).collect();
    anyhow!("no master answered: {}", each.join("; "))
}

/// Asks the masters, and remembers what they said.
struct Work {
    mesos: MesosConfig,
    args: DiscoverArgs,
    targets: Targets,
}

impl Work {
    /// Asks once; the targets as JSON.
    async fn ask(&mut self) -> Result<String, Vec<ApiError>> {
        let (_, agents) = registered(&self.mesos, &self.args.masters).await?;
        let now = Instant::now();
        self.targets.observe(agents, now);
        // Strings and maps of strings: this cannot fail.
        let mut json = serde_json::to_string_pretty(&self.targets.groups(now)).unwrap_or_default();
        json.push('\n');
        Ok(json)
    }

    async fn for_ever(mut self, site: Arc<DiscoverySite>) {
        let mut written = None;
        loop {
            match self.ask().await {
                Ok(json) => {
                    if let Some(file) = &self.args.file
                        && written.as_ref() != Some(&json)
                    {
                        match replace(file, &json) {
                            Ok(()) => written = Some(json.clone()),
                            Err(error) => tracing::error!("{error:#}"),
                        }
                    }
                    site.take_up(json, self.targets.len());
                }
                // What was found before stays: no answer is no news of the agents.
                Err(errors) => site.count_failure(&errors),
            }
            tokio::time::sleep(self.args.interval).await;
        }
    }
}

/// What is served.
struct DiscoverySite {
    json: ArcSwapOption<String>,
    registry: Registry,
    targets: IntGauge,
    asked: Gauge,
    failures: IntCounterVec,
}

impl DiscoverySite {
    fn new() -> Result<Self, prometheus::Error> {
        let site = Self {
            json: ArcSwapOption::empty(),
            registry: Registry::new(),
            targets: IntGauge::new(
                "plimsoll_discovery_targets",
                "Hosts that are served as targets.",
            )?,
            asked: Gauge::new(
                "plimsoll_discovery_last_success_timestamp_seconds",
                "When a master last answered; 0 when none did yet.",
            )?,
            failures: IntCounterVec::new(
                Opts::new(
                    "plimsoll_discovery_failures_total",
                    "Questions to a master that were not answered, by the reason of each.",
                ),
                &["reason"],
            )?,
        };
        site.registry.register(Box::new(site.targets.clone()))?;
        site.registry.register(Box::new(site.asked.clone()))?;
        site.registry.register(Box::new(site.failures.clone()))?;
        site.registry.register(Box::new(Process::of_self()))?;
        Ok(site)
    }

    fn take_up(&self, json: String, targets: usize) {
        self.targets.set(i64::try_from(targets).unwrap_or(i64::MAX));
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        self.asked.set(now.map_or(0.0, |since| since.as_secs_f64()));
        if self.json.swap(Some(Arc::new(json))).is_none() {
            tracing::info!(targets, "The first list of agents is in");
        }
    }

    fn count_failure(&self, errors: &[ApiError]) {
        for error in errors {
            self.failures.with_label_values(&[error.failure.reason()]).inc();
            tracing::warn!(%error, "A master did not answer; the targets stay as they are");
        }
    }

    fn targets(&self) -> Response<Chunks> {
        match self.json.load_full() {
            Some(json) => of_type("application/json", json.as_str().to_owned()),
            // Prometheus keeps its last list at anything but a 200; an empty one would drop all.
            None => http::text(
                StatusCode::SERVICE_UNAVAILABLE,
                "Not ready: no master has answered yet.\n".into(),
            ),
        }
    }

    fn metrics(&self) -> Response<Chunks> {
        match TextEncoder::new().encode_to_string(&self.registry.gather()) {
            Ok(text) => of_type(prometheus::TEXT_FORMAT, text),
            Err(error) => http::text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        }
    }
}

fn of_type(content_type: &'static str, body: String) -> Response<Chunks> {
    let mut response = http::text(StatusCode::OK, body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

impl Site for DiscoverySite {
    async fn answer(
        self: Arc<Self>,
        method: Method,
        path: String,
        _: HeaderMap,
    ) -> Response<Chunks> {
        let known =
            matches!(path.as_str(), "/" | "/targets" | "/metrics" | "/-/healthy" | "/-/ready");
        if !known {
            return http::text(StatusCode::NOT_FOUND, NOT_FOUND.into());
        }
        if !matches!(method, Method::GET | Method::HEAD) {
            return http::not_allowed("GET, HEAD", "Only GET and HEAD are answered here.\n");
        }
        match path.as_str() {
            "/metrics" => self.metrics(),
            "/-/healthy" => http::text(StatusCode::OK, "Plimsoll is healthy.\n".into()),
            "/-/ready" if self.json.load().is_some() => {
                http::text(StatusCode::OK, "Plimsoll is ready.\n".into())
            }
            _ => self.targets(),
        }
    }
}
