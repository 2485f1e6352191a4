//! One time through all rooms, for the one-shot commands: they judge from what they can see now, and
//! from what the daemon of this host remembers, where its state file can be read.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::config::Config;
use crate::discover::Sources;
use crate::discover::mesos::master::MasterSource;
use crate::discover::mesos::settings::Resolved;
use crate::host::{Guard, Roots};
use crate::judge::findings::{Facts, at_once_since};
use crate::judge::storage::{self, Below};
use crate::judge::{Evidence, assemble, open_files};
use crate::measure::network::{NetworkMeter, NetworkReport};
use crate::measure::usage::{OnceProgress, measure_once_with, usual_threads};
use crate::measure::{targets, tmpfs};
use crate::model::{CollectorRun, Inventory, Measured, RoleOwners, Snapshot, Subject};

use super::filesystems::{Filesystems, Round};
use super::open_files::Looker;
use super::state_file::{Recalled, recall};
use super::{collector_runs, now};

/// What is there, without measuring its use.
pub struct Discovered {
    /// The inventory.
    pub inventory: Arc<Inventory>,
    /// Where the agent was found.
    pub resolved: Option<Resolved>,
    /// What the daemon of this host remembers.
    pub recalled: Recalled,
    /// What the master says of roles, where one is configured and answered.
    pub owners: Option<RoleOwners>,
}

/// One round of discovery, the master and the daemon's state file included.
pub fn discover(config: &Config, roots: &Roots, guard: &Arc<Guard>, handle: &Handle) -> Discovered {
    let mut sources = Sources::new(roots.clone(), Arc::clone(guard), handle.clone());
    let round = sources.refresh(config);
    let mut reports = round.sources;
    let recalled = recall(&config.storage, guard);
    reports.extend(recalled.report.clone());
    let mut owners = None;
    if let Some(url) = &config.mesos.master_url {
        let (answer, report) = handle.block_on(MasterSource::new(&config.mesos, url).ask());
        owners = answer;
        reports.push(report);
    }
    let inventory = Inventory {
        taken_at: now(),
        agent: round.agent,
        volumes: round.volumes,
        sandboxes: round.sandboxes,
        containers: round.containers,
        sources: reports,
        disagreements: round.disagreements,
    };
    let (inventory, resolved) = (Arc::new(inventory), sources.resolved());
    Discovered { inventory, resolved, recalled, owners }
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
    let discovered = discover(config, roots, &guard, handle);
    let inventory = &discovered.inventory;
    let filesystems = Filesystems::default().measure(inventory, &guard, roots);
    let network = network(inventory, &guard, &filesystems);
    let plan = targets::plan(inventory, &guard.table(), roots, config.network.walk);
    let mut usage: HashMap<Subject, Measured> =
        measure_once_with(&guard, &plan, threads, progress).into_iter().collect();
    let places = tmpfs::places(inventory).into_iter();
    usage.extend(places.map(|place| {
        let looked = tmpfs::look(&roots.procfs, &place, now);
        (place.subject, looked)
    }));
    judge(config, discovered, usage, filesystems, network, |snapshot| {
        let held = match config.orphans.open_files {
            true => Looker::default().look(snapshot, &guard, roots),
            false => HashMap::new(),
        };
        open_files::attach(snapshot, &held);
    })
}

/// Judges what was discovered without measuring any tree: states, filesystems and findings, but no
/// bytes of subjects.
pub fn judge_unmeasured(
    config: &Config,
    roots: &Roots,
    guard: &Guard,
    discovered: Discovered,
) -> Snapshot {
    let filesystems = Filesystems::default().measure(&discovered.inventory, guard, roots);
    let network = network(&discovered.inventory, guard, &filesystems);
    judge(config, discovered, HashMap::new(), filesystems, network, |snapshot| {
        open_files::attach(snapshot, &HashMap::new());
    })
}

/// One look at the network filesystems.
fn network(inventory: &Inventory, guard: &Guard, filesystems: &Round) -> NetworkReport {
    let remote = filesystems.samples.iter().filter(|sample| sample.remote);
    let answered = remote.map(|sample| (sample.device_number, sample.responsive)).collect();
    NetworkMeter::default().measure(guard, inventory, &answered)
}

fn judge(
    config: &Config,
    discovered: Discovered,
    usage: HashMap<Subject, Measured>,
    filesystems: Round,
    network: NetworkReport,
    attend: impl FnOnce(&mut Snapshot),
) -> Snapshot {
    let Discovered { inventory, recalled, owners, .. } = discovered;
    let mut collectors: Vec<CollectorRun> = collector_runs(&inventory.sources).collect();
    collectors.push(filesystems.run);
    collectors.extend(collector_runs(&network.sources));
    let mut inventory = inventory;
    Arc::make_mut(&mut inventory).sources.extend(network.sources);
    let Recalled { mut memory, findings, mut histories, .. } = recalled;
    let now = now();
    // As the daemon does in each of its rounds.
    memory.observe(&inventory, now);
    if let Some(owners) = &owners {
        memory.observe_owners(owners, now);
    }
    histories.observe(&inventory, &usage, &filesystems.samples);
    memory.observe_usage(&usage, now);
    let mut snapshot = assemble(Evidence {
        inventory,
        memory: &memory,
        owners: owners.as_ref(),
        usage: &usage,
        histories: &histories,
        filesystems: filesystems.samples,
        filesystem_of: &filesystems.of_path,
        io: Arc::default(),
        collectors,
        now,
        grace: config.orphans.grace.as_secs_f64(),
        sequence: 1,
    });
    let below = Below {
        devices: filesystems.devices,
        network: network.filesystems,
        transports: network.transports,
    };
    attend(&mut snapshot);
    storage::attach(&mut snapshot, below);
    memory.observe_states(&snapshot);
    for view in &mut snapshot.volumes {
        view.history = memory.volume(&view.volume.key);
    }
    for view in &mut snapshot.sandboxes {
        view.history = memory.sandbox(&view.sandbox.key);
    }
    snapshot.findings = at_once_since(
        &Facts {
            snapshot: &snapshot,
            thresholds: &config.conditions,
            series_dropped: 0,
            debt_seconds: 0.0,
            now: snapshot.taken_at,
        },
        &findings,
    );
    snapshot
}
