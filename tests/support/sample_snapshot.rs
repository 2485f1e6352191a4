//! Snapshots to show and to measure: shared by tests, the benchmark and the sample server.
#![allow(dead_code)] // each of them uses a part
use plimsoll::model::*;
use std::sync::Arc;

#[path = "sample_snapshot/host.rs"]
mod host;
#[path = "sample_snapshot/subjects.rs"]
mod subjects;

use host::*;
use subjects::*;
pub use subjects::{sandbox, volume};

pub const GIB: u64 = 1 << 30;

pub const MIB: u64 = 1 << 20;

/// When the samples were taken: 2025-11-22 20:32:30 UTC.
pub const NOW: Timestamp = 1_763_843_550.25;

/// A host on which everything is well: two volumes, one sandbox.
pub fn well() -> Snapshot {
    let mut snapshot = Snapshot {
        taken_at: NOW,
        sequence: 1,
        volumes: vec![
            volume("cassandra", "data-0", DiskType::Mount, "/mnt/ssd0", 120 * GIB, Some(200 * GIB)),
            volume("eng/storage", "journal", DiskType::Root, "ROOT", 3 * GIB, Some(10 * GIB)),
        ],
        sandboxes: vec![sandbox(
            "cassandra",
            "node-0",
            SandboxState::Live,
            800 * MIB,
            Some(2 * GIB),
        )],
        filesystems: vec![
            filesystem("/mnt/ssd0", 400 * GIB, 270 * GIB),
            filesystem("/var/lib/mesos", 500 * GIB, 210 * GIB),
        ],
        collectors: vec![run("filesystems", true), run("mesos_api", true), run("usage", true)],
        ready: true,
        ..Snapshot::default()
    };
    snapshot.inventory = Arc::new(Inventory {
        taken_at: NOW,
        agent: Some(agent()),
        sources: vec![source("mesos_api", SourceHealth::Ok, "http://10.0.0.7:5051", &[])],
        ..Inventory::default()
    });
    snapshot
}

/// A host with every sort of trouble, every kind of subject and hostile names.
pub fn troubled() -> Snapshot {
    let mut snapshot = well();
    snapshot.volumes = volumes();
    snapshot.sandboxes = sandboxes();
    let limit = KernelLimit {
        project: 5003,
        bytes_hard: Some(10 * GIB),
        files_hard: Some(100_000),
        enforced: true,
        ..KernelLimit::default()
    };
    snapshot.volumes[0].measured.kernel_limit = Some(limit);
    snapshot.sandboxes[0].measured.kernel_limit = Some(limit);
    snapshot.filesystems = filesystems();
    snapshot.io = Arc::new(io(&snapshot.sandboxes));
    snapshot.devices = devices();
    snapshot.network = network();
    snapshot.transports = vec![NetworkTransport {
        address: "10.0.0.5".into(),
        protocol: "tcp".into(),
        sockets: 2,
        connects: Some(4),
        sends: 7428,
        receives: 7427,
        bad_replies: 2,
    }];
    snapshot.collectors.insert(1, run("mesos_checkpoint", false));
    let mut agent = agent();
    agent.gc_path_removals_pending = Some(14);
    snapshot.inventory = Arc::new(Inventory {
        taken_at: NOW,
        agent: Some(agent),
        sources: vec![
            source("mesos_api", SourceHealth::Ok, "http://10.0.0.7:5051", &[]),
            source(
                "mesos_checkpoint",
                SourceHealth::Partial,
                "/var/lib/mesos/meta",
                &[SourceError {
                    reason: "malformed",
                    message: "/var/lib/mesos/meta/resources/resources.info: record 3 ends after 17 of 214 bytes".into(),
                    hint: "The agent writes it anew with the next change of its volumes; until then the API alone is believed.".into(),
                }],
            ),
            source("mesos_layout", SourceHealth::Ok, "/var/lib/mesos", &[]),
            source(
                "mesos_runtime",
                SourceHealth::Failed,
                "/var/run/mesos",
                &[SourceError {
                    reason: "permission",
                    message: "reading /var/run/mesos/containers: permission denied".into(),
                    hint: "Give the service CAP_DAC_READ_SEARCH.".into(),
                }],
            ),
            source("docker", SourceHealth::Absent, "/run/docker.sock", &[]),
        ],
        disagreements: vec![Disagreement {
            subject: "mysql / binlog".into(),
            message: "The API lists the volume with 20 GiB, the checkpoint with 10 GiB.".into(),
        }],
        ..Inventory::default()
    });
    snapshot.gc = Some(GcView {
        delay_seconds: 86_400.0,
        pending: 37,
        pending_bytes: 37 * 300 * MIB,
        next_removal: Some(NOW + 3600.0),
    });
    with_findings(snapshot)
}

/// `volumes` volumes and as many live sandboxes, all with every value known.
pub fn scaled(volumes: usize) -> Snapshot {
    let mut snapshot = well();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut uuid = move || {
        let (a, b) = (random(), random());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            a >> 32,
            a & 0xffff,
            (a >> 16) & 0xfff,
            b & 0xfff,
            b >> 16
        )
    };
    snapshot.volumes = (0..volumes)
        .map(|n| {
            let mut view = volume(
                &format!("team-{}/service", n % 40),
                &uuid(),
                DiskType::Root,
                "ROOT",
                4096 * (n as u64 + 77_777),
                Some(10 * GIB),
            );
            view.volume.holders[0].container = uuid();
            view
        })
        .collect();
    snapshot.sandboxes = (0..volumes)
        .map(|n| {
            let executor = format!("service.{}", uuid());
            let mut view = sandbox(
                &format!("team-{}", n % 40),
                &executor,
                SandboxState::Live,
                4096 * (n as u64 + 55_555),
                Some(GIB),
            );
            view.sandbox.key.container = uuid();
            view
        })
        .collect();
    snapshot.volumes.sort_by(|a, b| a.volume.key.cmp(&b.volume.key));
    snapshot.sandboxes.sort_by(|a, b| a.sandbox.key.cmp(&b.sandbox.key));
    snapshot
}

/// The findings a daemon would make of this snapshot at one look.
pub fn with_findings(mut snapshot: Snapshot) -> Snapshot {
    use plimsoll::judge::conditions::Thresholds;
    use plimsoll::judge::findings::{Facts, at_once};
    snapshot.findings = at_once(&Facts {
        snapshot: &snapshot,
        thresholds: &Thresholds::default(),
        series_dropped: 0,
        debt_seconds: 0.0,
        now: NOW,
    });
    snapshot
}
