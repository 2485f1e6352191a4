//! Real stateful services beside no cluster manager, their data named by one pattern: a Galera
//! cluster of two nodes, PostgreSQL and RabbitMQ from Debian's packages.
//!
//! Needs root, to start each as its own user and to look into their processes.

mod servers;
#[path = "../support/mod.rs"]
mod support;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use servers::{Galera, PATIENCE, Place, RabbitMq, fill_postgres, postgres};
use support::daemon::{Daemon, value};

const MIB: u64 = 1 << 20;

/// du of what may change under it; what vanished meanwhile it complains of.
fn du(path: &Path) -> Option<u64> {
    let mut command = Command::new("du");
    let output = command.args(["-s", "-B1"]).arg(path).stderr(Stdio::null()).output().expect("du");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().next()?.parse().ok()
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
fn databases_and_queues_in_plain_directories_come_grow_leave_and_come_back() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: starting services as their own users needs root");
        return;
    }
    if !looks_into_others() {
        println!("SKIPPED: who uses their data cannot be known here, without CAP_SYS_PTRACE");
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

    let config = place.path().join("plimsoll.yml");
    let text = format!(
        "mesos: {{enabled: false}}\ndocker: {{enabled: false}}\nstorage: {{enabled: false}}\n\
         usage: {{cpu_budget: 0.5, max_age: 1s}}\ndiscovery: {{interval: 1s}}\n\
         orphans: {{grace: 0s, open_files_interval: 5s}}\n\
         directories: [{{path: {}/data/*, role: db, owner: team-data, unused_after: 10s}}]\n",
        place.path().display()
    );
    std::fs::write(&config, text).expect("write");
    let daemon = Daemon::serve(&config, &[]);
    daemon.wait_ready();
    let watch = Watch { place: &place, daemon, seen: RefCell::default() };

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
    let known = "who uses it is not known: ";
    let idle = watch.wait("nobody uses it", "galera-2", |row| {
        row["state"] == "idle" || row["reason"].as_str().is_some_and(|why| why.starts_with(known))
    });
    // Where some process may not be looked into, nobody found is not nobody there.
    let sees_all = idle["state"] == "idle";
    if !sees_all {
        println!("SKIPPED: that it is unused cannot be known here: {}", idle["reason"]);
    }
    watch.daemon.wait_for("that it is unused is told", PATIENCE, |_| {
        (watch.finding("volume_unused", "galera-2") || !sees_all).then_some(())
    });
    let page = watch.daemon.get("/metrics").body;
    let labels = format!(
        "{{source=\"directories\",role=\"db\",volume=\"{}\",disk=\"DIRECTORY\"}}",
        place.data("galera-2").display()
    );
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

    // Nothing else was ever said of any of them.
    let mut seen = watch.seen.take();
    let mut allowed: Vec<(String, String)> = Vec::new();
    for name in all {
        // Before the first look through the processes who uses it is not known.
        allowed.extend(["in_use", "unknown"].map(|s| (name.to_owned(), format!("state {s}"))));
    }
    for what in ["state idle", "finding volume_unused"].into_iter().filter(|_| sees_all) {
        let entry = ("galera-2".to_owned(), what.to_owned());
        assert!(seen.remove(&entry), "{what} was not seen: {seen:?}");
    }
    seen.retain(|entry| !allowed.contains(entry));
    assert!(seen.is_empty(), "{seen:?}");
    drop((first_server, second_server, postgres, rabbit));
    assert_eq!(watch.daemon.stop(), Some(0));
}
