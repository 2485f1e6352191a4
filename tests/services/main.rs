//! Real stateful services beside no cluster manager, their data named by one pattern: a Galera
//! cluster, PostgreSQL and RabbitMQ from Debian's packages; and a node of the cluster in a Docker
//! container.
//!
//! Needs root, to start each as its own user and to look into their processes.

mod container;
mod servers;
#[path = "../support/mod.rs"]
mod support;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use container::Node;
use plimsoll::pipeline::state_file::{FINDINGS, decode, encode};
use serde_json::Value;
use servers::{Galera, PATIENCE, Place, RabbitMq, fill_postgres, postgres};
use support::daemon::{Daemon, value};
use support::engine::Engine;
use support::process::runs_among_its_own;

const MIB: u64 = 1 << 20;

/// du of what may change under it; what vanished meanwhile it complains of.
fn du(path: &Path) -> Option<u64> {
    let mut command = Command::new("du");
    let output = command.args(["-s", "-B1"]).arg(path).stderr(Stdio::null()).output().expect("du");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().next()?.parse().ok()
}

/// What a daemon that was off for so long finds: `told` holds since `seconds` longer.
fn off_for(storage: &Path, condition: &str, directory: &Path, seconds: f64) {
    let file = storage.join("state");
    let mut sections = decode(&std::fs::read(&file).expect("the state")).expect("whole");
    let mut findings: Value = serde_json::from_slice(&sections[FINDINGS]).expect("JSON");
    let directory = directory.display().to_string();
    let entries = findings["entries"].as_object_mut().expect("findings");
    let (_, held) = entries
        .iter_mut()
        .find(|(id, _)| id.contains(condition) && id.contains(&directory))
        .unwrap_or_else(|| panic!("{condition} does not hold of {directory}"));
    held["since"] = (held["since"].as_f64().expect("a time") - seconds).into();
    sections.insert(FINDINGS.to_owned(), serde_json::to_vec(&findings).expect("plain data"));
    std::fs::write(file, encode(&sections)).expect("write");
}

/// This process has CAP_SYS_PTRACE, which looking into processes of other users takes.
fn looks_into_others() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").expect("a proc filesystem");
    let caps = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let caps = caps.and_then(|caps| u64::from_str_radix(caps.trim(), 16).ok());
    caps.is_some_and(|caps| caps & (1 << 19) != 0)
}

/// What Plimsoll says of the directories, and everything it ever said was wrong with them.
struct Watch<'a> {
    place: &'a Place,
    daemon: Daemon,
    /// Directory, and the state or the finding.
    seen: RefCell<BTreeSet<(String, String)>>,
}

impl Watch<'_> {
    fn name(&self, path: &str) -> Option<String> {
        let data = self.place.path().join("data");
        Some(Path::new(path).strip_prefix(data).ok()?.to_str()?.to_owned())
    }

    /// Waits until the row of this directory is as it should be.
    fn wait(&self, what: &str, name: &str, check: impl Fn(&Value) -> bool) -> Value {
        self.daemon.wait_for(&format!("{name}: {what}"), PATIENCE, |daemon| {
            self.note(daemon);
            let rows = daemon.json("/api/v1/volumes");
            let path = self.place.data(name).display().to_string();
            let row = rows.as_array()?.iter().find(|row| row["path"] == path.as_str())?.clone();
            check(&row).then_some(row)
        })
    }

    fn note(&self, daemon: &Daemon) {
        let mut seen = self.seen.borrow_mut();
        for row in daemon.json("/api/v1/volumes").as_array().into_iter().flatten() {
            if let Some(name) = row["path"].as_str().and_then(|path| self.name(path)) {
                seen.insert((name, format!("state {}", row["state"].as_str().unwrap_or_default())));
            }
        }
        for row in daemon.json("/api/v1/findings").as_array().into_iter().flatten() {
            if let Some(name) = row["labels"]["volume"].as_str().and_then(|path| self.name(path)) {
                let what = row["kind"].as_str().unwrap_or_default();
                seen.insert((name, format!("finding {what}")));
            }
        }
    }

    /// The bytes at a moment at which they are those of du.
    fn exact(&self, name: &str) -> u64 {
        let path = self.place.data(name);
        let row = self.wait("bytes as du has them", name, |row| {
            row["used_bytes"].is_u64() && row["used_bytes"].as_u64() == du(&path)
        });
        row["used_bytes"].as_u64().expect("a number")
    }

    fn grown(&self, name: &str, from: u64, least: u64) {
        self.wait("growth", name, |row| row["used_bytes"].as_u64() >= Some(from + least));
        self.exact(name);
    }

    /// Waits until this is known to use it. `pid`: only where one process alone does.
    fn used_by(&self, name: &str, command: &str, pid: Option<u32>) {
        let who = match pid {
            Some(pid) => format!("used by {command} (pid {pid}, "),
            None => format!("used by {command} (pid "),
        };
        self.wait(&who, name, |row| {
            let reason = row["reason"].as_str().unwrap_or_default();
            row["state"] == "in_use" && reason.starts_with(&who)
        });
    }

    /// The row of a Docker volume once it is as it should be.
    fn docker_volume(&self, what: &str, name: &str, check: impl Fn(&Value) -> bool) -> Value {
        self.daemon.wait_for(&format!("volume {name}: {what}"), PATIENCE, |daemon| {
            self.note(daemon);
            let rows = daemon.json("/api/v1/volumes");
            let row = rows.as_array()?.iter().find(|row| row["volume"] == name)?.clone();
            check(&row).then_some(row)
        })
    }

    fn finding(&self, kind: &str, name: &str) -> bool {
        self.note(&self.daemon);
        let path = self.place.data(name).display().to_string();
        let findings = self.daemon.json("/api/v1/findings");
        findings.as_array().is_some_and(|rows| {
            rows.iter().any(|row| row["kind"] == kind && row["labels"]["volume"] == path.as_str())
        })
    }
}

#[test]
fn databases_and_queues_come_grow_leave_and_come_back() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: starting services as their own users needs root");
        return;
    }
    if !looks_into_others() {
        println!("SKIPPED: who uses their data cannot be known here, without CAP_SYS_PTRACE");
        return;
    }
    // Where somebody's process may not be looked into, nobody found is not nobody there.
    if runs_among_its_own("databases_and_queues_come_grow_leave_and_come_back") {
        return;
    }
    for program in ["mariadbd", "rabbitmq-server", "amqp-publish", "rsync"] {
        let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
        if !found.expect("sh").status.success() {
            println!("SKIPPED: {program} is not installed");
            return;
        }
    }
    let place = Place::new();
    let (first, second) = (Galera::new("galera-1"), Galera::new("galera-2"));
    first.prepare(&place);
    let first_server = first.start(&place, None);
    let second_server = second.start(&place, Some(&first));
    let postgres = postgres(&place);
    let rabbit = RabbitMq::start(&place);

    let engine = Engine::start("services");
    if let Some(engine) = &engine {
        engine.import();
    }
    let docker = match &engine {
        Some(engine) => {
            let (socket, root) = (engine.socket(), engine.root());
            let (socket, root) = (socket.display(), root.display());
            format!("{{socket: 'unix://{socket}', data_root: {root}, timeout: 10s}}")
        }
        None => "{enabled: false}".to_owned(),
    };
    let config = place.path().join("plimsoll.yml");
    let storage = place.path().join("storage");
    std::fs::create_dir(&storage).expect("make");
    let text = format!(
        "mesos: {{enabled: false}}\ndocker: {docker}\nstorage: {{path: {storage}}}\n\
         usage: {{cpu_budget: 0.5, max_age: 1s}}\ndiscovery: {{interval: 1s}}\n\
         orphans: {{grace: 3s, open_files_interval: 5s}}\n\
         directories: [{{path: {place}/data/*, role: db, owner: team-data, unused_after: 10s}}]\n",
        storage = storage.display(),
        place = place.path().display()
    );
    std::fs::write(&config, text).expect("write");
    let daemon = Daemon::serve(&config, &[]);
    daemon.wait_ready();
    let mut watch = Watch { place: &place, daemon, seen: RefCell::default() };

    // Each directory is a subject, with its bytes and with whom it belongs to.
    let all = ["galera-1", "galera-2", "postgresql", "rabbitmq"];
    let before = all.map(|name| watch.exact(name));
    let rows = watch.daemon.json("/api/v1/volumes");
    assert_eq!(rows.as_array().map(Vec::len), Some(all.len()), "{rows}");
    watch.used_by("galera-1", "mariadbd", Some(first_server.pid()));
    watch.used_by("galera-2", "mariadbd", Some(second_server.pid()));
    // Its workers have files open as well: whoever has most is named.
    watch.used_by("postgresql", "postgres", None);
    watch.used_by("rabbitmq", "beam.smp", Some(RabbitMq::pid(&place)));

    // Growth under writes: what one node is told, the other keeps too.
    first.ask(
        &place,
        "CREATE DATABASE plimsoll; CREATE TABLE plimsoll.t (id BIGINT AUTO_INCREMENT PRIMARY KEY, \
         v VARBINARY(800)) ENGINE=InnoDB",
    );
    let insert = "INSERT INTO plimsoll.t (v) SELECT RANDOM_BYTES(700) FROM seq_1_to_15000";
    first.ask(&place, &format!("USE plimsoll; {insert}"));
    fill_postgres(&place);
    rabbit.fill(&place);
    for (name, before) in all.iter().zip(before) {
        watch.grown(name, before, 7 * MIB);
    }

    // A node leaves: nobody uses its data, which stays; after the time that was configured that is
    // told, with its bytes.
    second_server.stop();
    let left = watch.exact("galera-2");
    watch.wait("nobody uses it", "galera-2", |row| row["state"] == "idle");
    let labels = format!(
        "{{source=\"directories\",role=\"db\",volume=\"{}\",disk=\"DIRECTORY\"}}",
        place.data("galera-2").display()
    );
    // As the rule reckons it.
    watch.daemon.wait_for("it is unused for long enough", PATIENCE, |daemon| {
        let page = daemon.get("/metrics").body;
        let of = |family: &str| value(&page, &format!("{family}{labels}"));
        let since = of("plimsoll_volume_unused_since_timestamp_seconds")?;
        let after = of("plimsoll_volume_unused_after_seconds")?;
        (now() - since > after + 5.0).then_some(())
    });
    // That has to hold for five minutes: they pass while Plimsoll is off.
    assert!(!watch.finding("volume_unused", "galera-2"), "told at once");
    let seen = watch.seen.take();
    assert_eq!(watch.daemon.stop(), Some(0));
    off_for(&storage, "volume_unused", &place.data("galera-2"), 300.0);
    let daemon = Daemon::serve(&config, &[]);
    daemon.wait_ready();
    watch = Watch { place: &place, daemon, seen: RefCell::new(seen) };
    watch.daemon.wait_for("that it is unused is told", PATIENCE, |_| {
        watch.finding("volume_unused", "galera-2").then_some(())
    });
    assert_eq!(watch.exact("galera-2"), left);
    let page = watch.daemon.get("/metrics").body;
    let of = |family: &str| value(&page, &format!("{family}{labels}"));
    assert_eq!(of("plimsoll_volume_used_bytes"), Some(left as f64));
    assert_eq!(of("plimsoll_volume_unused_after_seconds"), Some(10.0));

    // It joins anew: its directory is emptied, and everything is copied into it. That is growth.
    for entry in std::fs::read_dir(place.data("galera-2")).expect("list") {
        let path = entry.expect("an entry").path();
        let directory = path.is_dir() && !path.is_symlink();
        let removed =
            if directory { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        removed.expect("remove");
    }
    watch.wait("it is empty", "galera-2", |row| row["used_bytes"].as_u64() < Some(MIB));
    let second_server = second.start(&place, Some(&first));
    assert!(second.copied(&place), "the node that joined copied nothing");
    watch.grown("galera-2", 0, 7 * MIB);
    watch.used_by("galera-2", "mariadbd", Some(second_server.pid()));
    assert_eq!(second.ask(&place, "SELECT COUNT(*) FROM plimsoll.t"), "15000");
    watch.daemon.wait_for("it counts as used again", PATIENCE, |_| {
        (!watch.finding("volume_unused", "galera-2")).then_some(())
    });

    if let Some(engine) = &engine {
        in_a_container(&watch, engine, &first);
    }

    // Nothing else was ever said of any of them.
    let mut seen = watch.seen.take();
    let mut allowed: Vec<(String, String)> = Vec::new();
    for name in all {
        // Before the first look through the processes who uses it is not known.
        allowed.extend(["in_use", "unknown"].map(|s| (name.to_owned(), format!("state {s}"))));
    }
    for what in ["state idle", "finding volume_unused"] {
        let entry = ("galera-2".to_owned(), what.to_owned());
        assert!(seen.remove(&entry), "{what} was not seen: {seen:?}");
    }
    seen.retain(|entry| !allowed.contains(entry));
    assert!(seen.is_empty(), "{seen:?}");
    drop((first_server, second_server, postgres, rabbit));
    assert_eq!(watch.daemon.stop(), Some(0));
}

/// A node in a container, its data in an anonymous volume, leaves for good and another takes its
/// place.
fn in_a_container(watch: &Watch<'_>, engine: &Engine, peer: &Galera) {
    let galera = Galera::new("galera-3");
    let exact = |row: &Value, path: &Path| {
        row["used_bytes"].as_u64() > Some(7 * MIB) && row["used_bytes"].as_u64() == du(path)
    };
    let held = |row: &Value| {
        let by = row["holders"].as_array().map(Vec::as_slice);
        row["state"] == "in_use" && matches!(by, Some([one]) if one["executor"] == "galera-3")
    };
    let node = Node::start(engine, watch.place, &galera, peer);
    watch.docker_volume("held", &node.volume, |row| held(row) && exact(row, &node.path));

    // Its container is removed: after the grace its data is an orphan, with its bytes.
    let (old, old_path) = node.leave();
    let orphan = |row: &Value| row["state"] == "orphaned" && exact(row, &old_path);
    let left = watch.docker_volume("orphaned", &old, orphan);
    assert_eq!(left["orphan_reason"], "dangling_anonymous");

    // Its successor copies everything: growth of its own data. The old stays what it was.
    let node = Node::start(engine, watch.place, &galera, peer);
    assert_ne!(node.volume, old);
    assert_eq!(galera.ask(watch.place, "SELECT COUNT(*) FROM plimsoll.t"), "15000");
    watch.docker_volume("held", &node.volume, |row| held(row) && exact(row, &node.path));
    let still = watch.docker_volume("still orphaned", &old, orphan);
    assert_eq!(still["used_bytes"], left["used_bytes"]);
    for row in watch.daemon.json("/api/v1/findings").as_array().expect("a list") {
        let (kind, volume) = (&row["kind"], &row["labels"]["volume"]);
        assert!(*volume != node.volume.as_str(), "{row}");
        assert!(*volume != old.as_str() || kind == "volume_orphaned", "{row}");
    }
    node.leave();
}

fn now() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_secs_f64()
}
