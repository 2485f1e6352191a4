//! Every captured scene, discovered and judged, against its written-out expectation.

#[path = "support/replay/mod.rs"]
mod replay;

use std::sync::Arc;
use std::time::Duration;

use plimsoll::config::MesosConfig;
use plimsoll::discover::mesos::MesosSource;
use plimsoll::host::Guard;
use plimsoll::judge::{Evidence, Memory, assemble};
use plimsoll::model::{Inventory, Snapshot, SourceHealth};

use replay::api::Mode;
use replay::expected::{ActualHolder, ActualSandbox, ActualVolume, compare};

const SCENES: [&str; 10] = [
    "01-empty",
    "02-live-quota-off",
    "03-orphan-volumes",
    "04-agent-restarted",
    "05-quota-enforced",
    "06-volumes-destroyed",
    "07-after-gc",
    "10-cgroup2-xfs",
    "12-posix-isolation",
    "13-image-task",
];

/// One round of discovery on a scene, judged without a grace period.
fn discover(scene: &replay::Scene, mode: Mode, config: MesosConfig) -> Snapshot {
    let api = scene.api(mode);
    let config =
        MesosConfig { agent_url: Some(api.url()), timeout: Duration::from_secs(2), ..config };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let guard = Arc::new(Guard::new(scene.roots(), Duration::from_secs(5)));
    let mut source = MesosSource::new(config, scene.roots(), guard, runtime.handle().clone());
    let round = source.refresh();
    let inventory = Inventory {
        taken_at: 1.0,
        agent: round.agent,
        volumes: round.volumes,
        sandboxes: round.sandboxes,
        containers: Vec::new(),
        sources: round.sources,
        disagreements: round.disagreements,
    };
    assemble(Evidence {
        io: Default::default(),
        inventory: Arc::new(inventory),
        memory: &Memory::default(),
        owners: None,
        usage: &Default::default(),
        histories: &Default::default(),
        filesystems: Vec::new(),
        filesystem_of: &Default::default(),
        collectors: Vec::new(),
        now: 4e9,
        grace: 0.0,
        sequence: 1,
    })
}

fn whole(scene: &replay::Scene) -> MesosConfig {
    MesosConfig {
        work_dir: Some(scene.work_dir().into()),
        runtime_dir: Some(scene.runtime_dir().into()),
        ..MesosConfig::default()
    }
}

fn actual(snapshot: &Snapshot) -> (Vec<ActualVolume>, Vec<ActualSandbox>) {
    let volumes = snapshot
        .volumes
        .iter()
        .map(|view| {
            let volume = &view.volume;
            ActualVolume {
                role: volume.key.role.clone(),
                volume: volume.key.volume.clone(),
                disk: volume.key.disk.clone(),
                disk_type: volume.disk_type.as_str().into(),
                path: volume.path.as_ref().map(|path| path.display().to_string()),
                state: view.state.as_str().into(),
                orphan_reason: view.orphan_reason.map(|reason| reason.as_str().into()),
                quota_bytes: volume.quota_bytes,
                shared: volume.shared,
                principal: volume.principal.clone(),
                reservation: volume.reservation.map(|kind| kind.as_str().into()),
                holders: volume
                    .holders
                    .iter()
                    .map(|holder| ActualHolder {
                        executor: holder.executor.clone(),
                        task: holder.task.clone(),
                        container: holder.container.clone(),
                        container_path: holder.container_path.clone(),
                    })
                    .collect(),
            }
        })
        .collect();
    let sandboxes = snapshot
        .sandboxes
        .iter()
        .map(|view| {
            let sandbox = &view.sandbox;
            ActualSandbox {
                framework: sandbox.key.framework.clone(),
                executor: sandbox.key.executor.clone(),
                container: sandbox.key.container.clone(),
                kind: sandbox.kind.as_str().into(),
                path: sandbox.path.display().to_string(),
                state: view.state.as_str().into(),
                quota_bytes: sandbox.quota_bytes,
                role: sandbox.role.clone(),
                tasks: sandbox.tasks.iter().map(|task| task.id.clone()).collect(),
                containerizer: sandbox.containerizer.map(|by| by.as_str().into()),
            }
        })
        .collect();
    (volumes, sandboxes)
}

#[test]
fn every_scene_is_discovered_as_written_out() {
    let mut differences = Vec::new();
    for name in SCENES {
        let scene = replay::Scene::load(name);
        let snapshot = discover(&scene, Mode::Whole, whole(&scene));
        let (volumes, sandboxes) = actual(&snapshot);
        if let Err(difference) = compare(&volumes, &sandboxes, &scene.expected()) {
            differences.push(format!("scene {name}:\n{difference}"));
        }
        for source in &snapshot.inventory.sources {
            // Of scene 13 only the answers about its one container were captured.
            if source.health != SourceHealth::Ok && name != "13-image-task" {
                differences.push(format!("scene {name}: {source:?}"));
            }
        }
        for disagreement in &snapshot.inventory.disagreements {
            differences.push(format!("scene {name}: {disagreement:?}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

/// The expectation, without what the named witness alone cannot know.
fn differences(scene: &replay::Scene, snapshot: &Snapshot, known: &[&str]) -> Vec<String> {
    let (volumes, sandboxes) = actual(snapshot);
    let Err(difference) = compare(&volumes, &sandboxes, &scene.expected()) else {
        return Vec::new();
    };
    difference
        .lines()
        .filter(|line| !known.iter().any(|known| line.contains(known)))
        .map(str::to_string)
        .collect()
}

#[test]
fn the_checkpoint_alone_tells_the_same() {
    for name in SCENES {
        let scene = replay::Scene::load(name);
        let snapshot = discover(&scene, Mode::Down, whole(&scene));
        let known = [
            // Of frameworks that do not checkpoint there is only the directory: whether such a
            // run is alive or leaked nothing but the API can tell.
            "\"adhoc-sleep\"",
        ];
        let left = differences(&scene, &snapshot, &known);
        assert!(left.is_empty(), "scene {name}:\n{}", left.join("\n"));
        assert_eq!(snapshot.inventory.agent.as_ref().map(|agent| agent.up), Some(false));
    }
}

#[test]
fn the_api_alone_tells_the_same() {
    for name in SCENES {
        if name == "13-image-task" {
            continue; // only the answers about one container were captured
        }
        let scene = replay::Scene::load(name);
        std::fs::remove_dir_all(scene.host("/var/lib/mesos/meta")).expect("the checkpoint");
        // Not even the work directory is configured: the agent's /flags name it.
        let snapshot = discover(&scene, Mode::Whole, MesosConfig::default());
        let known = [
            // Nothing but the checkpoint proves that no framework will ever claim it.
            "\"adhoc-sleep\"",
        ];
        let left = differences(&scene, &snapshot, &known);
        assert!(left.is_empty(), "scene {name}:\n{}", left.join("\n"));
    }
}

#[test]
fn without_any_configuration_a_running_agent_is_found() {
    let scene = replay::Scene::load("02-live-quota-off");
    let api = scene.api(Mode::Whole);
    let port = api.url().rsplit(':').next().expect("a port").to_string();
    let process = scene.roots().procfs.join("4242");
    std::fs::create_dir_all(&process).expect("make");
    let words =
        ["/usr/sbin/mesos-agent", "--work_dir=/var/lib/mesos", "--master=zk://m:2181/mesos"];
    let port = format!("--port={port}");
    let cmdline = words.iter().copied().chain([port.as_str()]).collect::<Vec<_>>().join("\0");
    std::fs::write(process.join("cmdline"), cmdline).expect("write");
    std::fs::write(process.join("comm"), "mesos-agent\n").expect("write");
    std::fs::write(
        process.join("stat"),
        "4242 (mesos-agent) S 1 4242 4242 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 100 0 0 0\n",
    )
    .expect("write");

    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let guard = Arc::new(Guard::new(scene.roots(), Duration::from_secs(5)));
    let config = MesosConfig { timeout: Duration::from_secs(2), ..MesosConfig::default() };
    let mut source = MesosSource::new(config, scene.roots(), guard, runtime.handle().clone());
    let round = source.refresh();
    let resolved = source.resolved().expect("an agent");
    assert_eq!(resolved.pid, Some(4242));
    assert_eq!(resolved.url.expect("a URL").value, api.url());
    assert_eq!(round.volumes.len(), 10);
    assert!(round.agent.expect("an agent").up);
}

#[test]
fn scenes_before_and_after_a_restart_agree() {
    let scene = |name: &str| {
        let scene = replay::Scene::load(name);
        let snapshot = discover(&scene, Mode::Whole, whole(&scene));
        snapshot
            .volumes
            .iter()
            .map(|view| (view.volume.key.clone(), view.state, view.volume.holders.clone()))
            .collect::<Vec<_>>()
    };
    let (before, after) = (scene("03-orphan-volumes"), scene("04-agent-restarted"));
    assert_eq!(before, after);
    assert_eq!(before.len(), 13);
}

#[test]
fn an_agent_that_recovers_or_filters_makes_no_orphans_without_its_checkpoint() {
    for mode in [Mode::Recovering, Mode::Filtered, Mode::Unauthorized, Mode::Garbage] {
        let scene = replay::Scene::load("03-orphan-volumes");
        std::fs::remove_dir_all(scene.host("/var/lib/mesos/meta")).expect("the checkpoint");
        let snapshot = discover(&scene, mode, whole(&scene));
        assert!(!snapshot.volumes.is_empty());
        for view in &snapshot.volumes {
            let state = view.state.as_str();
            assert!(
                state == "unknown" || state == "in_use",
                "{mode:?}: {:?} {state}",
                view.volume.key
            );
        }
        for view in &snapshot.sandboxes {
            assert_ne!(view.state.as_str(), "leaked", "{mode:?}: {:?}", view.sandbox.key);
        }
    }
}
