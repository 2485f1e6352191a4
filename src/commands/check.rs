//! `plimsoll check`: what works, what is missing, and what to do about it.

use std::borrow::Cow;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::anyhow;
use serde::Serialize;

use crate::cli::ListenAddress;
use crate::cli::args::{CheckArgs, CheckOutput, GlobalArgs};
use crate::cli::rows::{ignore_broken_pipe, write_json};
use crate::config::{Enabled, Landlock, StorageConfig};
use crate::expose::alertmanager::{self, Checked, Reached};
use crate::expose::web::Web;
use crate::host::{Guard, Roots};
use crate::measure::io::survey::survey;
use crate::model::{SourceError, SourceHealth};
use crate::pipeline::{check_fanotify, check_project_ids, once};
use crate::text;

use super::permissions::FEATURES;
use super::{configuration, host_name, runtime};

/// Everything the check found.
#[derive(Debug, Serialize)]
struct Report {
    host: Vec<Fact>,
    /// Which features have the privileges they need.
    permissions: Vec<Fact>,
    agent: Vec<Fact>,
    /// Labels of every alert that is sent, where any is.
    alerting: Vec<Fact>,
    sources: Vec<Source>,
    unresponsive_mounts: Vec<String>,
    disagreements: Vec<String>,
    /// What is told at one look, without measuring any tree.
    findings: Vec<String>,
    /// All that is there can be read.
    ok: bool,
}

/// One value, and where it came from.
#[derive(Debug, Serialize)]
struct Fact {
    name: Cow<'static, str>,
    value: String,
    origin: String,
}

#[derive(Debug, Serialize)]
struct Source {
    collector: &'static str,
    health: SourceHealth,
    target: String,
    errors: Vec<SourceError>,
}

pub(super) fn run(global: &GlobalArgs, args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let loaded = configuration(global)?;
    let web = args.web_config_file.as_deref().map(web).transpose()?;
    let roots = global.roots();
    let runtime = runtime()?;
    let guard = Arc::new(Guard::new(roots.clone(), loaded.config.filesystems.timeout));
    let found = once::discover(&loaded.config, &roots, &guard, runtime.handle());

    let mut report = Report {
        host: host(&roots),
        permissions: permissions(),
        agent: Vec::new(),
        alerting: Vec::new(),
        sources: Vec::new(),
        unresponsive_mounts: Vec::new(),
        disagreements: Vec::new(),
        findings: Vec::new(),
        ok: true,
    };
    report.host.push(open_files(loaded.config.orphans.open_files));
    report.host.push(state(&loaded.config.storage));
    report.host.push(landlock(loaded.config.security.landlock));
    report.host.push(Fact {
        name: "configuration".into(),
        value: loaded.path.map_or("defaults".into(), |path| path.display().to_string()),
        origin: match loaded.from_env.len() {
            0 => String::new(),
            n => format!("and {n} values from the environment"),
        },
    });
    let speaks_tls = web.as_ref().is_some_and(Web::speaks_tls);
    if let Some(path) = &args.web_config_file {
        report.host.push(Fact {
            name: "own port".into(),
            value: path.display().to_string(),
            origin: if speaks_tls { "TLS" } else { "without TLS" }.into(),
        });
    }
    if let Some(resolved) = &found.resolved {
        let mut fact = |name, value: String, origin: &str| {
            report.agent.push(Fact {
                name: Cow::Borrowed(name),
                value,
                origin: origin.to_string(),
            });
        };
        if let Some(work_dir) = &resolved.work_dir {
            fact("work_dir", work_dir.value.display().to_string(), &work_dir.origin);
        }
        let runtime_dir = &resolved.runtime_dir;
        fact("runtime_dir", runtime_dir.value.display().to_string(), &runtime_dir.origin);
        if let Some(url) = &resolved.url {
            fact("agent_url", url.value.clone(), &url.origin);
        }
    }
    let inventory = &Arc::clone(&found.inventory);
    for fact in survey(&inventory.containers, &guard.table(), &roots) {
        report.host.push(Fact { name: fact.name.into(), value: fact.value, origin: fact.hint });
    }
    if let Some(agent) = &inventory.agent {
        let known = |value: &Option<String>| value.clone().unwrap_or_else(|| "not known".into());
        let mut fact = |name, value| {
            report.agent.push(Fact { name: Cow::Borrowed(name), value, origin: String::new() });
        };
        fact("agent id", known(&agent.id));
        fact("version", known(&agent.version));
        fact("volumes", inventory.volumes.len().to_string());
        fact("sandboxes", inventory.sandboxes.len().to_string());
    }
    let project_ids = check_project_ids(&loaded.config, inventory, &guard);
    let fanotify = check_fanotify(&loaded.config, inventory, &guard);
    let judged = once::judge_unmeasured(&loaded.config, &roots, &guard, found);
    // The port is that of a daemon without --web.listen-address, for a check does not listen.
    let reached = Reached { host: host_name(), port: ListenAddress::DEFAULT_PORT, tls: speaks_tls };
    let alerting = &loaded.config.alerting;
    let Checked { labels, sources } = runtime.block_on(alertmanager::check(alerting, &reached));
    if !alerting.alertmanagers.is_empty() {
        let given = alerting.labels.clone().unwrap_or_default();
        let label = |(name, value): (String, String)| Fact {
            origin: match given.contains_key(&name) {
                true => String::new(),
                false => "not in alerting.labels: assumed; it must be what Prometheus has".into(),
            },
            name: name.into(),
            value,
        };
        report.alerting = labels.into_iter().map(label).collect();
    }
    let others = project_ids.iter().chain(&fanotify).chain(&sources);
    for source in judged.inventory.sources.iter().chain(others) {
        report.ok &= matches!(source.health, SourceHealth::Ok | SourceHealth::Absent);
        report.sources.push(Source {
            collector: source.name,
            health: source.health,
            target: source.target.clone(),
            errors: source.errors.clone(),
        });
    }
    report.unresponsive_mounts = guard
        .unresponsive()
        .iter()
        .map(|mount| format!("{} ({})", text::path(&mount.mount_point), mount.op))
        .collect();
    report.disagreements = inventory
        .disagreements
        .iter()
        .map(|disagreement| format!("{}: {}", disagreement.subject, disagreement.message))
        .collect();
    report.ok &= report.unresponsive_mounts.is_empty() && report.disagreements.is_empty();

    report.findings = judged
        .findings
        .iter()
        .filter(|finding| {
            // Those are listed above, each in full.
            !matches!(finding.kind, "source_unreadable" | "sources_disagree")
        })
        .map(|finding| {
            let (severity, name) = (finding.severity.as_str(), &finding.subject.display);
            format!("{severity}: {} {name}: {}", finding.kind, finding.reason)
        })
        .collect();

    let mut out = std::io::stdout().lock();
    ignore_broken_pipe(match args.output {
        CheckOutput::Json => write_json(&mut out, &report),
        CheckOutput::Text => write_text(&mut out, &report),
    })?;
    // A call that is stuck on a hung mount must not keep the command from ending.
    runtime.shutdown_background();
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The web configuration with everything it names, as `serve` reads it.
fn web(path: &Path) -> anyhow::Result<Web> {
    Web::open(path).map_err(|error| anyhow!("--web.config.file: {error}"))
}

fn host(roots: &Roots) -> Vec<Fact> {
    let fact = |name, value: Option<String>| Fact {
        name: Cow::Borrowed(name),
        value: value.unwrap_or_else(|| "not known".into()),
        origin: String::new(),
    };
    let mut facts = vec![
        fact("host", sysinfo::System::host_name()),
        fact("system", sysinfo::System::long_os_version()),
        fact("kernel", sysinfo::System::kernel_version()),
    ];
    let root = rustix::process::geteuid().is_root();
    facts.push(Fact {
        name: "user".into(),
        value: if root { "root".into() } else { rustix::process::geteuid().as_raw().to_string() },
        origin: match reads_everything() {
            Some(true) => "can read every directory".into(),
            _ => "without CAP_DAC_READ_SEARCH: other users' sandboxes and the checkpoint stay \
                  unread"
                .into(),
        },
    });
    if *roots != Roots::default() {
        facts.push(fact("rootfs", Some(roots.rootfs.display().to_string())));
    }
    facts
}

/// What the user that asks may; the service's are in its log.
fn permissions() -> Vec<Fact> {
    let fact = |feature: &super::permissions::Feature| {
        let lacking: Vec<_> = feature.missing().iter().map(|one| one.name()).collect();
        let (value, origin) = match lacking.as_slice() {
            [] => ("can be used".to_owned(), String::new()),
            lacking => {
                (format!("needs {}", lacking.join(" and ")), format!("without: {}", feature.lost))
            }
        };
        Fact { name: feature.name.into(), value, origin }
    };
    FEATURES.iter().map(fact).collect()
}

/// Whether it can be seen who holds files of an orphan open. Source: `proc_pid_fd(5)`.
fn open_files(wanted: bool) -> Fact {
    const SYS_PTRACE: u64 = 1 << 19;
    let traces = capabilities().is_some_and(|mask| mask & SYS_PTRACE != 0);
    let value = match (wanted, traces && reads_everything() == Some(true)) {
        (false, _) => "not looked up: orphans.open_files is false",
        (true, true) => "those of every process can be seen",
        (true, false) => {
            "only those of this user's processes can be seen: who holds files of an orphan open is not \
             known without CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
        }
    };
    Fact { name: "open files".into(), value: value.into(), origin: String::new() }
}

/// Where what must outlive a restart is kept, and whether the user that asks could write there.
fn state(storage: &StorageConfig) -> Fact {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    const UNKEPT: &str = "not kept: a restart forgets history and since when findings hold";
    let path = text::path(&storage.path);
    let writable = || {
        accessat(CWD, &storage.path, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
            .map_err(|errno| std::io::Error::from(errno).kind())
    };
    let (value, origin) = match storage.enabled {
        Enabled::False => (UNKEPT.to_owned(), "storage.enabled is false".to_owned()),
        _ => match writable() {
            Ok(()) => (format!("kept in {path}"), "this user can write there".to_owned()),
            Err(std::io::ErrorKind::NotFound) => {
                (UNKEPT.to_owned(), format!("{path} is not there: make it, or set storage.path"))
            }
            Err(why) => (
                format!("cannot be kept in {path}: {why}"),
                "for this user; the service needs a directory of its own (storage.path)".to_owned(),
            ),
        },
    };
    Fact { name: "state".into(), value, origin }
}

/// What `serve` would be held to. The check itself is not.
fn landlock(wanted: Landlock) -> Fact {
    let (value, origin) = match (wanted, crate::host::landlock::abi()) {
        (Landlock::False, _) => ("off".to_owned(), "security.landlock".to_owned()),
        (_, Err(error)) => {
            let why = crate::host::landlock::why_not(&error);
            ("not in force".to_owned(), format!("{why}; serve may open what its user may"))
        }
        (mode, Ok(abi)) => {
            let bounds = match mode {
                Landlock::Strict => "serve opens what the configuration names and nothing else",
                _ => "serve lists any directory, and opens only the files it needs",
            };
            (format!("ABI {abi}, {}", mode.as_str()), bounds.to_owned())
        }
    };
    Fact { name: "landlock".into(), value, origin }
}

/// CAP_DAC_READ_SEARCH, or CAP_DAC_OVERRIDE which implies it, is in force. Source:
/// `proc_pid_status(5)`, `capabilities(7)`.
fn reads_everything() -> Option<bool> {
    const DAC_OVERRIDE: u64 = 1 << 1;
    const DAC_READ_SEARCH: u64 = 1 << 2;
    Some(capabilities()? & (DAC_OVERRIDE | DAC_READ_SEARCH) != 0)
}

/// The capabilities in force.
fn capabilities() -> Option<u64> {
    Some(procfs::process::Process::myself().ok()?.status().ok()?.capeff)
}

fn write_text(out: &mut impl Write, report: &Report) -> std::io::Result<()> {
    let facts = |out: &mut dyn Write, title: &str, facts: &[Fact]| -> std::io::Result<()> {
        if facts.is_empty() {
            return Ok(());
        }
        writeln!(out, "{title}")?;
        let width = facts.iter().map(|fact| fact.name.len()).max().unwrap_or(0).max(14);
        for fact in facts {
            let origin = match fact.origin.as_str() {
                "" => String::new(),
                origin => format!("  ({})", text::escape(origin)),
            };
            writeln!(out, "  {:<width$} {}{origin}", fact.name, text::escape(&fact.value))?;
        }
        Ok(())
    };
    facts(out, "Host", &report.host)?;
    facts(out, "Permissions", &report.permissions)?;
    facts(out, "Agent", &report.agent)?;
    facts(out, "Labels of every alert", &report.alerting)?;
    writeln!(out, "Sources")?;
    for source in &report.sources {
        let word = match source.health {
            SourceHealth::Ok => "ok",
            SourceHealth::Partial => "partial",
            SourceHealth::Failed => "FAILED",
            SourceHealth::Absent => "absent",
        };
        writeln!(out, "  {:<17} {word:<8} {}", source.collector, text::escape(&source.target))?;
        for error in &source.errors {
            writeln!(out, "      {}: {}", error.reason, text::escape(&error.message))?;
            writeln!(out, "      → {}", text::escape(&error.hint))?;
        }
    }
    for mount in &report.unresponsive_mounts {
        writeln!(out, "  {mount} does not answer: nothing below it is measured until it does")?;
    }
    for disagreement in &report.disagreements {
        writeln!(out, "  {}", text::escape(disagreement))?;
    }
    if !report.findings.is_empty() {
        writeln!(out, "Findings (docs/runbook.md explains each; trees were not measured)")?;
    }
    for finding in &report.findings {
        writeln!(out, "  {}", text::escape(finding))?;
    }
    let verdict = if report.ok {
        "All that is there can be read."
    } else {
        "Something needs attention; everything else is served all the same."
    };
    writeln!(out, "{verdict}")
}
