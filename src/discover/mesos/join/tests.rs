use std::path::{Path, PathBuf};

use super::super::facts::*;
use super::*;
use crate::model::*;

const WORK: &str = "/w";

#[derive(Default)]
struct Host {
    api: ApiFacts,
    checkpoint: CheckpointFacts,
    layout: LayoutFacts,
    runtime: RuntimeFacts,
    mounts: MountTable,
    external: ExternalPlaces,
    rebooted: bool,
}

impl Host {
    fn join(&self) -> Joined {
        join(&Witnesses {
            work_dir: Path::new(WORK),
            runtime_dir: Path::new("/r"),
            api: &self.api,
            checkpoint: &self.checkpoint,
            layout: &self.layout,
            runtime: &self.runtime,
            mounts: &self.mounts,
            rebooted: self.rebooted,
            external: &self.external,
        })
    }
}

fn seen(path: impl Into<PathBuf>) -> SeenDir {
    SeenDir { path: path.into(), born: Some(5.0), modified: 6.0, inode: (8, 1, 2) }
}

fn run(container: &str) -> RunDir {
    RunDir {
        agent_id: "S0".into(),
        framework: "F".into(),
        executor: "E".into(),
        container: container.into(),
        dir: seen(format!("/w/slaves/S0/frameworks/F/executors/E/runs/{container}")),
        links: vec![],
        tasks: vec![],
    }
}

fn disk(id: &str, source: DiskSource) -> Resource {
    Resource {
        name: "disk".into(),
        quantity: Quantity::Scalar(64.0),
        reservations: vec![Reservation { dynamic: true, role: "r".into(), principal: None }],
        allocated_to: None,
        disk: Some(DiskInfo {
            persistence: Some(Persistence { id: id.into(), principal: None }),
            volume: Some(VolumeSpec { container_path: "data".into(), read_only: false }),
            source,
        }),
        shared: false,
        revocable: false,
        provider_id: None,
    }
}

fn task(run: &str, resources: Vec<Resource>) -> TaskFacts {
    TaskFacts {
        framework: "F".into(),
        executor: "E".into(),
        run: Some(run.into()),
        id: "T".into(),
        resources,
        ..TaskFacts::default()
    }
}

fn executor(run: &str) -> ExecutorFacts {
    ExecutorFacts {
        framework: "F".into(),
        executor: "E".into(),
        container: Some(run.into()),
        agent_id: Some("S0".into()),
        ..ExecutorFacts::default()
    }
}

/// A host whose API is down and whose checkpoint knows one running task with a volume.
fn one_task() -> Host {
    let volume = disk("v1", DiskSource::Root);
    Host {
        checkpoint: CheckpointFacts {
            agent_id: Some("S0".into()),
            resources: Some(vec![volume.clone()]),
            executors: Some(vec![executor("c1")]),
            tasks: Some(vec![task("c1", vec![volume])]),
            ..CheckpointFacts::default()
        },
        layout: LayoutFacts {
            runs: Some(vec![run("c1")]),
            volumes: vec![VolumeDir {
                disk_root: None,
                role: "r".into(),
                id: "v1".into(),
                dir: seen("/w/volumes/roles/r/v1"),
            }],
            listed_disks: vec![None],
            ..LayoutFacts::default()
        },
        ..Host::default()
    }
}

#[test]
fn data_outside_the_resources_is_found_with_its_holders() {
    let mut host = one_task();
    let external = |source: ExternalSource, at: &str| ExternalVolume {
        source,
        mount: VolumeSpec { container_path: at.into(), read_only: at == "/ro" },
    };
    let path = ExternalSource::HostPath("/srv/shared".into());
    let socket = ExternalSource::HostPath("/var/run/docker.sock".into());
    let driver = ExternalSource::Docker { driver: "rexray".into(), name: "pg".into() };
    let csi = ExternalSource::Csi { plugin: "nfs.csi".into(), id: "vol-7".into() };
    host.checkpoint.tasks.as_mut().unwrap()[0].external =
        vec![external(path.clone(), "/ro"), external(socket.clone(), "/s")];
    host.runtime.containers = Some(vec![RuntimeContainer {
        container: "c1".into(),
        pid: Some(7),
        alive: Some(true),
        // The same mount, told a second time by the runtime directory, and one more.
        external: vec![external(path.clone(), "/ro"), external(driver.clone(), "/pg")],
        ..RuntimeContainer::default()
    }]);
    host.runtime.isolator_volumes =
        vec![IsolatorVolume { container: "c1".into(), source: csi.clone() }];

    let sources = external_sources(&host.api, &host.checkpoint, &host.runtime);
    assert_eq!(sources.len(), 4);
    let place = |path: Option<&str>| ExternalPlace {
        path: path.map(PathBuf::from),
        presence: Presence::Present,
        own_filesystem: false,
        created: None,
        inode: None,
    };
    // The socket was looked at, is no directory, and so has no place.
    host.external.insert(identity(&path), place(Some("/srv/shared")));
    host.external.insert(identity(&driver), place(Some("/mnt/pg")));
    host.external.insert(identity(&csi), place(None));

    let joined = host.join();
    type Mounted<'a> = (&'a str, &'a str, bool);
    let found: Vec<(&str, &str, &str, Vec<Mounted<'_>>)> = joined
        .volumes
        .iter()
        .filter(|volume| volume.disk_type == DiskType::External)
        .map(|volume| {
            let holders = volume
                .holders
                .iter()
                .map(|h| (h.task.as_str(), h.container_path.as_str(), h.read_only))
                .collect();
            (volume.key.disk.as_str(), volume.key.volume.as_str(), volume.kind.as_str(), holders)
        })
        .collect();
    assert_eq!(
        found,
        [
            ("HOST_PATH", "/srv/shared", "host_path", vec![("T", "/ro", true)]),
            ("DOCKER", "pg", "docker_volume", vec![("", "/pg", false)]),
            ("CSI", "vol-7", "csi", vec![("", "", false)]),
        ]
    );
    let driver = joined.volumes.iter().find(|volume| volume.key.volume == "pg").unwrap();
    assert_eq!(driver.driver.as_deref(), Some("rexray"));
    assert_eq!(driver.holders[0].framework, "F");
}

#[test]
fn a_reboot_ends_what_the_checkpoint_calls_running() {
    let mut host = one_task();
    let before = host.join();
    assert_eq!(before.volumes[0].holders.len(), 1);
    assert_eq!(before.sandboxes[0].running, None);
    host.rebooted = true;
    let after = host.join();
    assert_eq!(after.volumes[0].holders, []);
    assert_eq!(after.sandboxes[0].running, Some(false));
}

#[test]
fn a_mount_in_a_live_sandbox_is_a_holder_where_no_task_is_known() {
    let mut host = one_task();
    host.checkpoint.tasks = None;
    host.mounts = MountTable::parse(
        b"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n\
          2 1 8:1 /w/volumes/roles/r/v1 /w/slaves/S0/frameworks/F/executors/E/runs/c1/data rw - ext4 /dev/sda1 rw\n",
    );
    let joined = host.join();
    let volume = &joined.volumes[0];
    assert_eq!(volume.mounts.len(), 1);
    assert_eq!(volume.mounts[0].container, "c1");
    assert_eq!(volume.holders.len(), 1);
    assert_eq!(volume.holders[0].task, "");
    assert_eq!(volume.holders[0].executor, "E");
    assert_eq!(volume.holders[0].container_path, "data");
}

#[test]
fn a_link_of_the_posix_isolators_is_a_holder_too() {
    let mut host = one_task();
    host.checkpoint.tasks = None;
    host.layout.runs.as_mut().unwrap()[0].links =
        vec![("data".into(), "/w/volumes/roles/r/v1".into())];
    assert_eq!(host.join().volumes[0].holders[0].container, "c1");
}

#[test]
fn a_mount_disk_with_data_and_no_volume_is_told_but_lost_and_found_is_not() {
    let mut host = one_task();
    let root = |root: &str, has_content| MountRoot {
        root: root.into(),
        dir: Some(seen(root)),
        has_content: Some(has_content),
        mounted: true,
    };
    host.layout.mount_roots = vec![root("/m0", true), root("/m1", false)];
    let joined = host.join();
    let disks: Vec<&Volume> =
        joined.volumes.iter().filter(|volume| volume.kind == VolumeKind::Disk).collect();
    assert_eq!(disks.len(), 1);
    assert_eq!(disks[0].key.disk, "/m0");
    assert_eq!(disks[0].claims.checkpoint, Witness::Denies);
    assert!(disks[0].own_filesystem);
}

#[test]
fn a_name_that_leads_elsewhere_has_no_path_and_is_never_measured() {
    let mut host = one_task();
    host.checkpoint.resources = Some(vec![disk("../../../etc", DiskSource::Root)]);
    let joined = host.join();
    let hostile = joined.volumes.iter().find(|volume| volume.key.volume.contains("etc")).unwrap();
    assert_eq!((hostile.path.clone(), hostile.presence), (None, Presence::Unknown));
}

#[test]
fn the_full_list_of_completed_executors_proves_nothing_of_older_runs() {
    let mut host = one_task();
    host.checkpoint.executors = Some(vec![]);
    host.checkpoint.tasks = Some(vec![]);
    host.api = ApiFacts {
        up: true,
        authority: Authority::Whole,
        agent: Some(AgentFacts { id: Some("S0".into()), ..AgentFacts::default() }),
        resources: Some(vec![]),
        executors: Some(vec![]),
        tasks: Some(vec![]),
        flags: Some([("max_completed_executors_per_framework".into(), "1".into())].into()),
        ..ApiFacts::default()
    };
    assert_eq!(host.join().sandboxes[0].api, Witness::Denies);
    let completed = ExecutorFacts { completed: true, ..executor("c0") };
    host.api.executors = Some(vec![completed]);
    assert_eq!(host.join().sandboxes[0].api, Witness::Silent);
}
