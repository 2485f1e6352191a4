//! The play: which frameworks, tasks, volumes and left-overs the scene has.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::cast::{Cast, Executor, Framework, Task};
use super::resources::{Make, ports, scalar};
use crate::model::{DiskSource, Resource};

/// Role of the stateful services.
const STORAGE: &str = "eng/storage";
/// Role of the batch jobs; it has a static reservation.
const ANALYTICS: &str = "analytics";
/// Who makes the reservations and volumes of each.
const STORAGE_PRINCIPAL: &str = "storage-service";
const ANALYTICS_PRINCIPAL: &str = "batch-service";

/// Size of the volume that fills, in mebibytes.
pub const MYSQL_MIB: u64 = 64;

/// Everything the scene is made from, with its files below `home`.
pub fn cast(home: &Path) -> Cast {
    let disk_b = DiskSource::Path { root: home.join("disks/b").to_string_lossy().into_owned() };
    let master = id("master");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
    Cast {
        work_dir: home.join("var/lib/mesos"),
        runtime_dir: home.join("var/run/mesos"),
        agent_id: format!("{master}-S4"),
        former_agent_id: format!("{master}-S1"),
        started: now,
        agent_resources: vec![
            scalar("cpus", 8.0),
            scalar("mem", 16384.0),
            ports(31000, 31999),
            scalar("disk", 4096.0),
            scalar("disk", 512.0).reserved(ANALYTICS, None),
            scalar("disk", 1024.0).on(disk_b.clone()),
        ],
        unreserved: vec![
            scalar("cpus", 6.0),
            scalar("mem", 14336.0),
            ports(31010, 31999),
            // 4096, without 128 reserved, the volumes of `eng/storage` and the refined one.
            scalar("disk", 4096.0 - 128.0 - 96.0 - MYSQL_MIB as f64 - 32.0 - 24.0),
            // 1024, without 36 reserved and the search index.
            scalar("disk", 1024.0 - 36.0 - 64.0).on(disk_b.clone()),
        ],
        reserved: reserved(&disk_b),
        frameworks: vec![storage(&master, &disk_b), analytics(&master)],
        leaked: leaked(&master),
        former: former(&master),
        standalone: "maint-scrub-1".to_owned(),
        orphans: vec![("eng/old".to_owned(), "galera-2".to_owned())],
        missing: vec!["lost-0001".to_owned()],
    }
}

fn reserved(disk_b: &DiskSource) -> Vec<Resource> {
    let dynamic = |resource: Resource| resource.reserved(STORAGE, Some(STORAGE_PRINCIPAL));
    vec![
        dynamic(scalar("cpus", 2.0)),
        dynamic(scalar("mem", 2048.0)),
        dynamic(ports(31000, 31009)),
        dynamic(scalar("disk", 128.0)),
        dynamic(scalar("disk", 36.0).on(disk_b.clone())),
        storage_volume("cassandra-0", 96, "data"),
        storage_volume("mysql-0", MYSQL_MIB, "mysql"),
        storage_volume("orders-db-0", 32, "pv"),
        search_index(disk_b),
        // A reservation refined for a role below: two layers, the last one counts.
        dynamic(scalar("disk", 24.0))
            .reserved("eng/storage/archive", Some(STORAGE_PRINCIPAL))
            .volume("archive-2025", STORAGE_PRINCIPAL, "archive"),
        scalar("disk", 512.0 - 48.0 - 16.0).reserved(ANALYTICS, None),
        events(),
        analytics_volume("lost-0001", 16, "lost"),
    ]
}

fn storage_volume(name: &str, mib: u64, container_path: &str) -> Resource {
    scalar("disk", mib as f64).reserved(STORAGE, Some(STORAGE_PRINCIPAL)).volume(
        name,
        STORAGE_PRINCIPAL,
        container_path,
    )
}

fn search_index(disk_b: &DiskSource) -> Resource {
    scalar("disk", 64.0).on(disk_b.clone()).reserved(STORAGE, Some(STORAGE_PRINCIPAL)).volume(
        "search-index-0",
        STORAGE_PRINCIPAL,
        "index",
    )
}

fn analytics_volume(name: &str, mib: u64, container_path: &str) -> Resource {
    scalar("disk", mib as f64).reserved(ANALYTICS, None).volume(
        name,
        ANALYTICS_PRINCIPAL,
        container_path,
    )
}

fn events() -> Resource {
    Resource { shared: true, ..analytics_volume("events", 48, "events") }
}

fn storage(master: &str, disk_b: &DiskSource) -> Framework {
    let database = storage_volume("orders-db-0", 32, "pv");
    let pod = Executor {
        id: "orders-pod".to_owned(),
        container: id("orders-pod"),
        default: true,
        completed: false,
        resources: own(STORAGE, Some(16)),
        tasks: vec![
            Task {
                child: Some(id("orders-db")),
                ..task(STORAGE, "orders-db-1", 8, Some(database))
            },
            Task { child: Some(id("orders-backup")), ..task(STORAGE, "orders-backup-1", 8, None) },
        ],
    };
    let cassandra = storage_volume("cassandra-0", 96, "data");
    let mysql = storage_volume("mysql-0", MYSQL_MIB, "mysql");
    Framework {
        id: format!("{master}-0000"),
        name: "storage".to_owned(),
        principal: STORAGE_PRINCIPAL.to_owned(),
        role: STORAGE.to_owned(),
        checkpoint: true,
        executors: vec![
            command(STORAGE, "cassandra-node-0", 16, Some(cassandra)),
            command(STORAGE, "mysql-primary", 16, Some(mysql)),
            command(STORAGE, "search-0", 16, Some(search_index(disk_b))),
            pod,
        ],
    }
}

fn analytics(master: &str) -> Framework {
    Framework {
        id: format!("{master}-0001"),
        name: "batch".to_owned(),
        principal: ANALYTICS_PRINCIPAL.to_owned(),
        role: ANALYTICS.to_owned(),
        checkpoint: true,
        executors: vec![
            command(ANALYTICS, "events-writer", 8, Some(events())),
            command(ANALYTICS, "events-reader", 8, Some(events())),
            command(ANALYTICS, "web-logs", 64, None),
            command(ANALYTICS, "report-42", 8, None),
            Executor { completed: true, ..command(ANALYTICS, "nightly-etl", 16, None) },
        ],
    }
}

fn leaked(master: &str) -> Framework {
    Framework {
        id: format!("{master}-0002"),
        name: "mesos-execute instance".to_owned(),
        principal: String::new(),
        role: "*".to_owned(),
        checkpoint: false,
        executors: vec![command("*", "adhoc-import", 8, None)],
    }
}

fn former(master: &str) -> Framework {
    Framework {
        executors: vec![command(ANALYTICS, "backfill-2024", 32, None)],
        ..analytics(master)
    }
}

fn command(role: &str, name: &str, disk: u64, volume: Option<Resource>) -> Executor {
    Executor {
        id: name.to_owned(),
        container: id(name),
        default: false,
        completed: false,
        resources: own(role, None),
        tasks: vec![task(role, name, disk, volume)],
    }
}

fn task(role: &str, name: &str, disk: u64, volume: Option<Resource>) -> Task {
    let mut resources =
        vec![scalar("cpus", 0.2), scalar("mem", 128.0), scalar("disk", disk as f64)];
    resources.extend(volume);
    Task {
        id: name.to_owned(),
        name: name.trim_end_matches("-1").to_owned(),
        resources: resources.into_iter().map(|resource| resource.allocated(role)).collect(),
        child: None,
    }
}

/// Resources of the executor itself; the agent gives 0.1 cpus and 32 MB to command executors.
fn own(role: &str, disk: Option<u64>) -> Vec<Resource> {
    let mut resources = vec![scalar("cpus", 0.1), scalar("mem", 32.0)];
    resources.extend(disk.map(|mib| scalar("disk", mib as f64)));
    resources.into_iter().map(|resource| resource.allocated(role)).collect()
}

/// An id in the form of a UUID, always the same for a name, so that a demo started again
/// continues the same series.
fn id(name: &str) -> String {
    let hash = |seed: u64| {
        name.bytes()
            .fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
    };
    let (high, low) = (hash(0xcbf2_9ce4_8422_2325), hash(0x9e37_79b9_7f4a_7c15));
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}
