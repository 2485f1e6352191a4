//! One round of discovery of an agent: read every witness under the hang guard, then join.
//!
//! The order matters. Directories are listed *before* the API is asked: whatever exists on disk
//! existed when the API answered, so what the API does not know then is truly unknown to it. Where
//! the API knows something that was not on disk yet, the directories are listed once more.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::config::{Enabled, MesosConfig};
use crate::discover::{Inode, Round, dirs};
use crate::host::Roots;
use crate::host::guard::{Guard, GuardError};
use crate::host::mounts::MountTable;
use crate::model::{Agent, DiskSource, Presence, SourceError, Volume, VolumeKey, Witness};

use super::facts::{ApiFacts, CheckpointFacts, LayoutFacts, RuntimeFacts};
use super::join::{self, ExternalPlaces, Joined, Witnesses};
use super::layout::LayoutOptions;
use super::locate::Locator;
use super::settings::{Resolved, api_config};
use super::{api, checkpoint, containers, external_places, layout, report, runtime, watched};

/// An agent as a source of the inventory.
pub struct MesosSource {
    config: MesosConfig,
    roots: Roots,
    guard: Arc<Guard>,
    handle: Handle,
    locator: Option<Locator>,
    resolved: Option<(Resolved, Instant)>,
    client: Option<(String, api::Client)>,
    disks: Option<Vec<DiskSource>>,
    links: bool,
}

/// How long what was found of the running agent (its flags, its port) is trusted.
const LOCATE_AGAIN: Duration = Duration::from_secs(60);

impl MesosSource {
    /// Reads nothing yet. `handle` runs the API's requests; [`refresh`](Self::refresh) must not be
    /// called on one of its threads.
    pub fn new(config: MesosConfig, roots: Roots, guard: Arc<Guard>, handle: Handle) -> Self {
        Self {
            config,
            roots,
            guard,
            handle,
            locator: None,
            resolved: None,
            client: None,
            disks: None,
            links: false,
        }
    }

    /// Has the agent looked for by somebody else.
    pub fn with_locator(self, locator: Option<Locator>) -> Self {
        Self { locator, ..self }
    }

    /// What was found of where the agent is, for `check`.
    pub fn resolved(&mut self) -> Option<Resolved> {
        if self.config.enabled == Enabled::False {
            return None;
        }
        if let Some((resolved, at)) = &self.resolved
            && at.elapsed() < LOCATE_AGAIN
        {
            return Some(resolved.clone());
        }
        // `/proc/PID/exe` and the package's files are on mounts that may hang like any other.
        let (config, roots) = (self.config.clone(), self.roots.clone());
        let located = self.locator.as_ref().map(|locate| locate());
        let find = move || match located {
            Some(located) => Resolved::merge(&config, &roots, located),
            None => Resolved::find(&config, &roots),
        };
        let found = self.guard.run(&self.roots.rootfs, "look for an agent", find).ok().flatten()?;
        self.resolved = Some((found.clone(), Instant::now()));
        Some(found)
    }

    /// One round. Never fails: what could not be read is in the reports.
    pub fn refresh(&mut self) -> Round {
        let Some(mut resolved) = self.resolved() else {
            let asked_for = self.config.enabled != Enabled::False;
            let sources = if asked_for { vec![report::no_agent()] } else { Vec::new() };
            return Round { sources, ..Round::default() };
        };
        let mounts = self.guard.table();

        let mut early = None;
        if let (Some(disks), Some(work_dir)) = (&self.disks, &resolved.work_dir) {
            early = Some(self.list(&work_dir.value, disks, self.links));
        }
        let mut api = self.ask(&resolved);
        if let Some(flags) = &api.flags {
            resolved.complete(flags);
        }
        // Flags tell how quotas are enforced; without the API the command line says the same.
        if api.flags.is_none() && !resolved.flags.is_empty() {
            api.flags = Some(resolved.flags.clone());
        }
        let Some(work_dir) = resolved.work_dir.as_ref().map(|found| found.value.clone()) else {
            let agent = Agent { url: Some(api.url.clone()), up: api.up, ..Agent::default() };
            let sources = vec![report::api(&api), report::no_work_dir()];
            return Round { agent: Some(agent), sources, ..Round::default() };
        };

        let checkpoint = self.checkpoint(&work_dir);
        let runtime = self.runtime(&work_dir, &resolved, &api);
        let disks = disks(&api, &checkpoint);
        let links = links_volumes(api.flags.as_ref());
        let unchanged = self.disks.as_ref() == Some(&disks) && self.links == links;
        let layout = match early.filter(|_| unchanged) {
            Some(layout) => layout,
            None => self.list(&work_dir, &disks, links),
        };
        let external = self.external(&api, &checkpoint, &runtime, &mounts);
        let rebooted = self.rebooted(&checkpoint);
        let join = |layout: &LayoutFacts| {
            join::join(&Witnesses {
                work_dir: layout.work_dir.as_deref().unwrap_or(&work_dir),
                runtime_dir: &resolved.runtime_dir.value,
                api: &api,
                checkpoint: &checkpoint,
                layout,
                runtime: &runtime,
                mounts: &mounts,
                rebooted,
                external: &external,
            })
        };
        let (mut joined, mut layout) = (join(&layout), layout);
        if seems_to_miss(&joined) {
            layout = self.list(&work_dir, &disks, links);
            joined = join(&layout);
        }

        let watch = watched::directories(
            &self.roots,
            layout.work_dir.as_deref().unwrap_or(&work_dir),
            &resolved.runtime_dir.value,
            &disks,
            joined.agent.id.as_deref(),
            &layout,
        );
        (self.disks, self.links) = (Some(disks), links);
        let inodes = inodes(&joined.volumes, &layout, &external);
        let mut sources = vec![
            report::locate(&resolved),
            report::api(&api),
            report::checkpoint(&work_dir, &checkpoint, &api),
            report::layout(&work_dir, &layout),
            report::runtime(&resolved.runtime_dir.value, &runtime),
        ];
        sources.push(report::mount_table(&self.roots, &mounts, self.guard.table_error()));
        let containers = containers::running(&joined, &api, &runtime);
        Round {
            agent: Some(joined.agent),
            volumes: joined.volumes,
            containers,
            inodes,
            sandboxes: joined.sandboxes,
            sources,
            disagreements: joined.disagreements,
            watch,
        }
    }

    fn ask(&mut self, resolved: &Resolved) -> ApiFacts {
        let Some(url) = resolved.url.as_ref().map(|found| found.value.clone()) else {
            return ApiFacts::default();
        };
        let failed = |error: api::ApiError, url: &str| ApiFacts {
            url: url.to_string(),
            errors: vec![error.to_source_error()],
            ..ApiFacts::default()
        };
        if self.client.as_ref().is_none_or(|(known, _)| *known != url) {
            match api::Client::new(api_config(&self.config, &url)) {
                Ok(client) => self.client = Some((url.clone(), client)),
                Err(error) => return failed(error, &url),
            }
        }
        match &self.client {
            Some((_, client)) => self.handle.block_on(api::read(client)),
            None => ApiFacts::default(),
        }
    }

    fn rebooted(&self, checkpoint: &CheckpointFacts) -> bool {
        let present = self.roots.procfs.join("sys/kernel/random/boot_id");
        match (&checkpoint.boot_id, std::fs::read_to_string(present)) {
            (Some(then), Ok(now)) => then.trim() != now.trim(),
            _ => false,
        }
    }

    fn checkpoint(&self, work_dir: &Path) -> CheckpointFacts {
        let inside = self.roots.inside(work_dir);
        let (roots, work_dir) = (self.roots.clone(), work_dir.to_path_buf());
        let read = self.guarded(&inside, "read the checkpoint", move || {
            Ok(checkpoint::read(&dirs::reach(&roots, &work_dir)?))
        });
        flat(read)
            .unwrap_or_else(|error| CheckpointFacts { errors: vec![error], ..Default::default() })
    }

    fn runtime(&self, work_dir: &Path, resolved: &Resolved, api: &ApiFacts) -> RuntimeFacts {
        let flags = api.flags.as_ref().unwrap_or(&resolved.flags);
        let docker_volumes = flags.get("docker_volume_checkpoint_dir").map_or_else(
            || resolved.runtime_dir.value.join("isolators/docker/volume"),
            PathBuf::from,
        );
        let inside = self.roots.inside(&resolved.runtime_dir.value);
        let roots = self.roots.clone();
        let (work_dir, runtime_dir) = (work_dir.to_path_buf(), resolved.runtime_dir.value.clone());
        let read = self.guarded(&inside, "read the runtime directory", move || {
            let (docker_volumes, work_dir) =
                (dirs::reach(&roots, &docker_volumes), dirs::reach(&roots, &work_dir));
            Ok(runtime::read(&runtime::RuntimeOptions {
                procfs: &roots.procfs,
                runtime_dir: &dirs::reach(&roots, &runtime_dir)?,
                docker_volume_dir: docker_volumes.as_deref().ok(),
                work_dir: work_dir.as_deref().ok(),
            }))
        });
        flat(read)
            .unwrap_or_else(|error| RuntimeFacts { errors: vec![error], ..Default::default() })
    }

    /// Lists the work directory and each disk, every one under the guard of its own mount, so
    /// that one disk that hangs hides nothing but itself.
    fn list(&self, work_dir: &Path, disks: &[DiskSource], links: bool) -> LayoutFacts {
        let avoid = self.avoid(work_dir);
        let guarded = |root: &Path, list: fn(&LayoutOptions<'_>, &Path) -> LayoutFacts| {
            let inside = self.roots.inside(&work_dir.join(root));
            let (roots, work_dir, root) =
                (self.roots.clone(), work_dir.to_path_buf(), root.to_path_buf());
            let avoid = avoid.clone();
            let listed = self.guarded(&inside, "list a disk", move || {
                let options = LayoutOptions {
                    roots: &roots,
                    work_dir: &work_dir,
                    path_disks: &[],
                    mount_disks: &[],
                    look_for_links: links,
                    avoid,
                };
                list(&options, &root)
            });
            listed.unwrap_or_else(|error| LayoutFacts { errors: vec![error], ..Default::default() })
        };
        let mut facts = guarded(Path::new(""), |options, _| layout::list_work_dir(options));
        for disk in disks {
            let part = match disk {
                DiskSource::Path { root } => guarded(Path::new(root), layout::list_path_disk),
                DiskSource::Mount { root } => guarded(Path::new(root), layout::look_at_mount_disk),
                _ => continue,
            };
            layout::merge(&mut facts, part);
        }
        facts
    }

    /// Mount points below the work directory that a listing must not touch: all that lie in
    /// sandboxes, and elsewhere those that do not answer. One call a filesystem finds out.
    fn avoid(&self, work_dir: &Path) -> dirs::Avoid {
        let table = self.guard.table();
        let own = table.containing(work_dir).map(|entry| entry.device);
        let mut answers: HashMap<(u32, u32), bool> = HashMap::new();
        let mut avoid = BTreeSet::new();
        for entry in table.below(work_dir) {
            let mount_point = self.roots.inside(&entry.mount_point);
            let below = entry.mount_point.strip_prefix(work_dir).unwrap_or(&entry.mount_point);
            let in_sandbox = below.starts_with("slaves") || below.starts_with("containers");
            let hangs = !in_sandbox
                && Some(entry.device) != own
                && !*answers.entry(entry.device).or_insert_with(|| {
                    let probe = mount_point.clone();
                    let looked = self.guard.run(&mount_point, "look at a mount point", move || {
                        std::fs::symlink_metadata(probe).is_ok()
                    });
                    !matches!(looked, Err(GuardError::Unresponsive { .. }))
                });
            if in_sandbox || hangs {
                avoid.insert(mount_point);
            }
        }
        Arc::new(avoid)
    }

    fn external(
        &self,
        api: &ApiFacts,
        checkpoint: &CheckpointFacts,
        runtime: &RuntimeFacts,
        mounts: &MountTable,
    ) -> ExternalPlaces {
        let sources = join::external_sources(api, checkpoint, runtime);
        if sources.is_empty() {
            return ExternalPlaces::new();
        }
        let from_api = api.containers.iter().flatten();
        let from_runtime = runtime.containers.iter().flatten();
        let pids: HashMap<String, u32> = from_api
            .filter_map(|container| Some((container.container.clone(), container.pid?)))
            .chain(
                from_runtime
                    .filter_map(|container| Some((container.container.clone(), container.pid?))),
            )
            .collect();
        external_places::find(&sources, &pids, mounts, &self.roots, &self.guard)
    }

    fn guarded<T: Send + 'static>(
        &self,
        path: &Path,
        operation: &'static str,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, SourceError> {
        self.guard.run(path, operation, read).map_err(|error: GuardError| SourceError {
            reason: error.reason(),
            message: error.to_string(),
            hint: "see `mount` and `dmesg` on the host; Plimsoll goes on without it and notices \
                   when it answers again"
                .into(),
        })
    }
}

/// One error, whether the mount did not answer or the directory could not be reached.
fn flat<T>(read: Result<Result<T, dirs::DirError>, SourceError>) -> Result<T, SourceError> {
    read.and_then(|read| read.map_err(|error| error.to_source_error()))
}

/// The directory behind each volume, as it was seen when the directories were listed.
fn inodes(
    volumes: &[Volume],
    layout: &LayoutFacts,
    external: &ExternalPlaces,
) -> HashMap<VolumeKey, Inode> {
    let listed = layout.volumes.iter().map(|volume| &volume.dir);
    let roots = layout.mount_roots.iter().filter_map(|disk| disk.dir.as_ref());
    let seen = listed.chain(roots).map(|dir| (dir.path.as_path(), dir.inode));
    let places = external.values().filter_map(|place| Some((place.path.as_deref()?, place.inode?)));
    let by_path: HashMap<&Path, Inode> = seen.chain(places).collect();
    let of = |volume: &Volume| by_path.get(volume.path.as_deref()?).copied();
    volumes.iter().filter_map(|volume| Some((volume.key.clone(), of(volume)?))).collect()
}

/// Every disk the agent has, each once.
fn disks(api: &ApiFacts, checkpoint: &CheckpointFacts) -> Vec<DiskSource> {
    let lists =
        [&api.agent_resources, &api.resources, &checkpoint.agent_resources, &checkpoint.resources];
    let disks: BTreeSet<DiskSource> = lists
        .into_iter()
        .flatten()
        .flatten()
        .filter(|resource| resource.name == "disk")
        .map(|resource| resource.disk_source())
        .filter(|source| matches!(source, DiskSource::Path { .. } | DiskSource::Mount { .. }))
        .collect();
    disks.into_iter().collect()
}

/// Without `filesystem/linux` the agent links volumes into sandboxes instead of mounting them.
/// Looking for links lists every sandbox, so it is done only where there are some.
fn links_volumes(flags: Option<&BTreeMap<String, String>>) -> bool {
    flags.and_then(|flags| flags.get("isolation")).is_some_and(|isolation| {
        !isolation.split(',').any(|name| name.trim() == "filesystem/linux")
    })
}

/// Something is claimed that was not on disk when the directories were listed: it may have been
/// made in between.
fn seems_to_miss(joined: &Joined) -> bool {
    joined
        .volumes
        .iter()
        .any(|volume| volume.presence == Presence::Missing && volume.claims.api == Witness::Claims)
        || joined.sandboxes.iter().any(|sandbox| sandbox.presence == Presence::Missing)
}
