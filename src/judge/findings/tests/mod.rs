//! Every condition fires, stays silent where it must, and comes and goes as its time says.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::judge::growth::Histories;
use crate::judge::{Evidence, Memory, assemble};
use crate::model::*;

pub(crate) mod cases;
mod escalation;
mod io;
mod orphans;
mod restart;
pub(crate) mod silence;
mod thresholds;

pub(crate) const NOW: f64 = 1e9;
const GIB: u64 = 1 << 30;

fn volume(id: &str, claims: Claims) -> Volume {
    Volume {
        key: VolumeKey {
            source: SourceKind::Mesos,
            role: "db".into(),
            volume: id.into(),
            disk: "ROOT".into(),
        },
        kind: VolumeKind::Persistent,
        disk_type: DiskType::Root,
        path: Some(format!("/w/volumes/roles/db/{id}").into()),
        presence: Presence::Present,
        own_filesystem: false,
        principal: None,
        reservation: None,
        shared: false,
        container_path: None,
        driver: None,
        quota_bytes: Some(10 * GIB),
        claims,
        holders: vec![],
        mounts: vec![],
        created: Some(NOW - 1e6),
        unused_after: None,
        remote: None,
        engine: None,
    }
}

fn claims(api: Witness, checkpoint: Witness) -> Claims {
    Claims { api, checkpoint }
}

fn claimed(id: &str) -> Volume {
    volume(id, claims(Witness::Claims, Witness::Claims))
}

fn holder(executor: &str, container: &str) -> Holder {
    Holder {
        framework: "F".into(),
        framework_name: String::new(),
        executor: executor.into(),
        task: executor.into(),
        container: container.into(),
        container_path: "data".into(),
        read_only: false,
        sees: Default::default(),
    }
}

fn mount(at: &str, container: &str) -> MountUse {
    MountUse { mount_point: at.into(), container: container.into() }
}

fn sandbox(executor: &str) -> Sandbox {
    Sandbox {
        key: SandboxKey {
            source: SourceKind::Mesos,
            framework: "F".into(),
            executor: executor.into(),
            container: format!("c-{executor}"),
        },
        kind: SandboxKind::Executor(Some(ExecutorKind::Command)),
        containerizer: Some(Containerizer::Mesos),
        path: format!("/w/slaves/S/frameworks/F/executors/{executor}/runs/c-{executor}").into(),
        presence: Presence::Present,
        agent_id: "S".into(),
        current_agent: Some(true),
        framework_name: "web".into(),
        role: "*".into(),
        tasks: vec![],
        quota_bytes: Some(10 * GIB),
        running: Some(true),
        api: Witness::Claims,
        checkpoint: Witness::Claims,
        completed: false,
        extra_paths: vec![],
        modified: Some(NOW - 1e6),
        engine: None,
    }
}

fn used(bytes: u64) -> Measured {
    Measured {
        sample: Some(UsageSample {
            used_bytes: bytes,
            apparent_bytes: None,
            files: Some(1),
            method: Method::Walk,
            measured_at: NOW,
            duration_seconds: 0.0,
            error_bound_bytes: Some(0),
        }),
        ..Measured::default()
    }
}

/// A host: what a case changes, and the rest well.
pub(crate) struct Host {
    volumes: Vec<Volume>,
    sandboxes: Vec<Sandbox>,
    usage: HashMap<Subject, Measured>,
    filesystem: FilesystemUsage,
    fstype: &'static str,
    remote: bool,
    responsive: bool,
    disk_mebibytes: f64,
    flags: Vec<(&'static str, &'static str)>,
    up: bool,
    recovering: bool,
    reserved: bool,
    pub(crate) sources: Vec<SourceReport>,
    disagreements: Vec<Disagreement>,
    io: Vec<ContainerIo>,
    pub(crate) dropped: usize,
    pub(crate) debt: f64,
    /// Hours until each subject is full, and by what.
    subjects_full: Option<(f64, FullBy)>,
    /// Hours until the filesystem is full.
    filesystem_full: Option<f64>,
    unowned: bool,
    network: Vec<NetworkFilesystem>,
}

fn network(responsive: bool, recent: Recent) -> NetworkFilesystem {
    NetworkFilesystem {
        key: NetworkKey {
            server: "filer".into(),
            export: "/vol".into(),
            mount_point: "/srv".into(),
        },
        responsive: Some(responsive),
        recent: Some(recent),
        ..NetworkFilesystem::default()
    }
}

fn mounted_at(mount_point: &str, mut network: NetworkFilesystem) -> NetworkFilesystem {
    network.key.mount_point = mount_point.into();
    network
}

/// A thousand requests in five minutes, well.
fn busy() -> Recent {
    Recent {
        window_seconds: 300.0,
        requests: 1000,
        mean_execute_seconds: Some(0.02),
        retransmissions: 1,
        timeouts: 0,
    }
}

impl Default for Host {
    fn default() -> Self {
        Self {
            volumes: vec![],
            sandboxes: vec![],
            usage: HashMap::new(),
            filesystem: FilesystemUsage {
                size_bytes: 100 * GIB,
                free_bytes: 80 * GIB,
                available_bytes: 80 * GIB,
                files: Some(1000),
                files_free: Some(900),
                readonly: false,
                measured_at: NOW,
            },
            fstype: "ext4",
            remote: false,
            responsive: true,
            disk_mebibytes: 1024.0,
            flags: vec![
                ("isolation", "disk/du"),
                ("enforce_container_disk_quota", "true"),
                ("gc_delay", "1weeks"),
            ],
            up: true,
            recovering: false,
            reserved: false,
            sources: vec![],
            io: vec![],
            disagreements: vec![],
            dropped: 0,
            debt: 0.0,
            subjects_full: None,
            filesystem_full: None,
            unowned: false,
            network: vec![],
        }
    }
}

impl Host {
    fn volume(mut self, volume: Volume, bytes: Option<u64>) -> Self {
        if let Some(bytes) = bytes {
            self.usage.insert(Subject::Volume(volume.key.clone()), used(bytes));
        }
        self.volumes.push(volume);
        self
    }

    fn sandbox(mut self, sandbox: Sandbox, bytes: u64) -> Self {
        self.usage.insert(Subject::Sandbox(sandbox.key.clone()), used(bytes));
        self.sandboxes.push(sandbox);
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(crate) fn snapshot(&self, now: f64) -> Snapshot {
        let cpus = |reserved: bool| Resource {
            name: "cpus".into(),
            quantity: Quantity::Scalar(2.0),
            reservations: reserved
                .then(|| Reservation { dynamic: true, role: "db".into(), principal: None })
                .into_iter()
                .collect(),
            allocated_to: None,
            disk: None,
            shared: false,
            revocable: false,
            provider_id: None,
        };
        let disk = Resource {
            name: "disk".into(),
            quantity: Quantity::Scalar(self.disk_mebibytes),
            ..cpus(false)
        };
        let mut resources = vec![cpus(false), disk];
        if self.reserved {
            resources.push(cpus(true));
        }
        let agent = Agent {
            id: Some("S".into()),
            up: self.up,
            recovering: self.recovering,
            work_dir: Some("/w".into()),
            flags: self.flags.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
            resources,
            allocated: Some(vec![cpus(false)]),
            ..Agent::default()
        };
        let paths = self.volumes.iter().filter_map(|volume| volume.path.clone());
        let paths = paths.chain(self.sandboxes.iter().map(|sandbox| sandbox.path.clone()));
        let filesystem_of: HashMap<PathBuf, PathBuf> =
            paths.chain([PathBuf::from("/w")]).map(|path| (path, PathBuf::from("/"))).collect();
        let mut snapshot = assemble(Evidence {
            io: Arc::new(self.io.clone()),
            inventory: Arc::new(Inventory {
                taken_at: now,
                agent: Some(agent),
                volumes: self.volumes.clone(),
                sandboxes: self.sandboxes.clone(),
                containers: Vec::new(),
                sources: self.sources.clone(),
                disagreements: self.disagreements.clone(),
            }),
            memory: &Memory::default(),
            owners: None,
            histories: &Histories::default(),
            usage: &self.usage,
            filesystems: vec![FilesystemSample {
                mount_point: "/".into(),
                device: "/dev/sda1".into(),
                fstype: self.fstype.into(),
                device_number: (8, 1),
                remote: self.remote,
                responsive: self.responsive,
                usage: Some(self.filesystem),
                unattributed_bytes: None,
                promised_bytes: None,
                growth: None,
            }],
            filesystem_of: &filesystem_of,
            collectors: vec![],
            now,
            grace: 600.0,
            sequence: 1,
        });
        let growth = |(hours, by): (f64, FullBy)| Growth {
            bytes_per_second: GIB as f64 / 86_400.0,
            window_seconds: 86_400.0,
            confidence: 1.0,
            full_at: Some(now + hours * 3_600.0),
            full_by: Some(by),
        };
        for view in &mut snapshot.volumes {
            view.growth = self.subjects_full.map(growth);
            // What is asked to be told when unused was seen for a day.
            view.history.first_seen = view.volume.unused_after.map(|_| NOW - 86_400.0);
            if self.unowned {
                view.state = VolumeState::Unowned;
                view.reason = "no registered framework uses the role db since 2h".into();
            }
        }
        for view in &mut snapshot.sandboxes {
            view.growth = self.subjects_full.map(growth);
        }
        for sample in &mut snapshot.filesystems {
            sample.growth = self.filesystem_full.map(|hours| growth((hours, FullBy::Filesystem)));
        }
        snapshot.network.clone_from(&self.network);
        snapshot
    }

    /// Takes a look, with the memory of former ones.
    pub(crate) fn look(&self, memory: &mut FindingMemory, now: f64) -> Vec<Finding> {
        memory.update(&Facts {
            snapshot: &self.snapshot(now),
            thresholds: &Thresholds::default(),
            series_dropped: self.dropped,
            debt_seconds: self.debt,
            now,
        })
    }

    /// What is found when all stays as it is for a fortnight.
    fn settled(&self) -> Vec<Finding> {
        let mut memory = FindingMemory::default();
        self.look(&mut memory, NOW);
        self.look(&mut memory, NOW + 14.0 * 86_400.0)
    }
}

fn kinds(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.kind).collect()
}

fn source(health: SourceHealth) -> SourceReport {
    SourceReport {
        name: "mesos_checkpoint",
        health,
        target: "/w/meta".into(),
        errors: vec![SourceError {
            reason: "malformed",
            message: "record 3 is torn".into(),
            hint: "It is written anew.".into(),
        }],
        duration_seconds: 0.0,
    }
}
