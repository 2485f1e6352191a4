//! One time through all rooms, for the one-shot commands: they judge from what they can see now.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::config::Config;
use crate::discover::Sources;
use crate::discover::mesos::settings::Resolved;
use crate::host::{Guard, Roots};
use crate::judge::findings::{Facts, at_once};
use crate::judge::growth::Histories;
use crate::judge::{Evidence, Memory, assemble};
use crate::measure::targets;
use crate::measure::usage::{OnceProgress, measure_once_with, usual_threads};
use crate::model::{CollectorRun, Inventory, Measured, Snapshot, Subject};

use super::filesystems::{Filesystems, Round};
use super::{collector_runs, now};

/// What is there, without measuring its use.
pub struct Discovered {
    /// The inventory.
    pub inventory: Arc<Inventory>,
    /// Where the agent was found.
    pub resolved: Option<Resolved>,
}

/// One round of discovery.
pub fn discover(config: &Config, roots: &Roots, guard: &Arc<Guard>, handle: &Handle) -> Discovered {
    let mut sources = Sources::new(roots.clone(), Arc::clone(guard), handle.clone());
    let round = sources.refresh(config);
    let inventory = Inventory {
        taken_at: now(),
        agent: round.agent,
        volumes: round.volumes,
        sandboxes: round.sandboxes,
        containers: round.containers,
        sources: round.sources,
        disagreements: round.disagreements,
    };
    Discovered { inventory: Arc::new(inventory), resolved: sources.resolved() }
}

/// Discovers, measures every subject without a budget by the [usual](usual_threads) number of
/// threads, and judges.
pub fn snapshot(
    config: &Config,
    roots: &Roots,
    handle: &Handle,
    progress: impl FnMut(OnceProgress),
) -> Snapshot {
    snapshot_with(config, roots, handle, usual_threads(), progress)
}

/// The same by `threads` threads on each filesystem.
pub fn snapshot_with(
    config: &Config,
    roots: &Roots,
    handle: &Handle,
    threads: usize,
    progress: impl FnMut(OnceProgress),
) -> Snapshot {
    let guard = Arc::new(Guard::new(roots.clone(), config.filesystems.timeout));
    let inventory = discover(config, roots, &guard, handle).inventory;
    let filesystems = Filesystems::default().measure(&inventory, &guard, roots);
    let plan = targets::plan(&inventory, &guard.table(), roots);
    let usage = measure_once_with(&guard, &plan, threads, progress).into_iter().collect();
    let collectors = collector_runs(&inventory.sources).collect();
    judge(config, inventory, usage, filesystems, collectors)
}

/// Judges what was discovered without measuring any tree: states, filesystems and findings, but no
/// bytes of subjects.
pub fn judge_unmeasured(
    config: &Config,
    roots: &Roots,
    guard: &Guard,
    inventory: &Arc<Inventory>,
) -> Snapshot {
    let filesystems = Filesystems::default().measure(inventory, guard, roots);
    let collectors = collector_runs(&inventory.sources).collect();
    judge(config, Arc::clone(inventory), HashMap::new(), filesystems, collectors)
}

fn judge(
    config: &Config,
    inventory: Arc<Inventory>,
    usage: HashMap<Subject, Measured>,
    filesystems: Round,
    mut collectors: Vec<CollectorRun>,
) -> Snapshot {
    collectors.push(filesystems.run);
    let mut snapshot = assemble(Evidence {
        inventory,
        memory: &Memory::default(),
        owners: None,
        usage: &usage,
        histories: &Histories::default(),
        filesystems: filesystems.samples,
        filesystem_of: &filesystems.of_path,
        io: Arc::default(),
        collectors,
        now: now(),
        grace: config.orphans.grace.as_secs_f64(),
        sequence: 1,
    });
    snapshot.findings = at_once(&Facts {
        snapshot: &snapshot,
        thresholds: &config.conditions,
        series_dropped: 0,
        debt_seconds: 0.0,
        now: snapshot.taken_at,
    });
    snapshot
}
