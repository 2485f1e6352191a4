//! Conditions provoked for real on the real daemon, each told to a person by the real Alertmanager.
//!
//! Hold times are minutes to a week. So a daemon watches the scene until each condition is noticed,
//! and stops; in its state file all that holds is then made to hold for a month; and the next daemon
//! tells it at once.

mod agent;
mod budget;
mod growth;
mod hung;
mod io;
mod network;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use plimsoll::demo::Scene;
use plimsoll::judge::conditions::{all, find};
use plimsoll::pipeline::state_file::{FINDINGS, StateDir};
use serde_json::Value;

use crate::alertmanager::Alertmanager;
use crate::alone::alerting;
use crate::host::wait_for;
use crate::scene;
use crate::support::daemon::Daemon;
use crate::support::hungfs::{HungFs, Mood};
use crate::support::mounts::Mounted;
use crate::support::process::runs_among_its_own;
use crate::support::replay::api::Mode;
use crate::webhook::Webhook;

const MONTH: f64 = 30.0 * 86_400.0;

/// On a host with the demo scene, a few configured directories, and filesystems of their own.
const HOST: [&str; 15] = [
    "volume_unused",
    "volume_unmeasured",
    "volume_near_quota",
    "volume_over_quota_unenforced",
    "volume_orphaned",
    "volume_missing",
    "volume_mounted_elsewhere",
    "sandboxes_leaked",
    "filesystem_filling",
    "filesystem_full",
    "filesystem_inodes_low",
    "filesystem_inodes_exhausted",
    "filesystem_readonly",
    "network_storage_unresponsive",
    "series_dropped",
];
/// On a captured host whose agent is down, recovers, or was started anew.
const DOWN: [&str; 2] = ["agent_down", "source_unreadable"];
const RECOVERING: [&str; 1] = ["agent_recovering"];
const RESTARTED: [&str; 2] = ["reservation_idle", "sandboxes_leaked"];

/// Conditions that are not provoked here, with the reason. None at the moment.
const NOT_PROVOKED: [&str; 0] = [];

#[test]
fn every_condition_is_provoked_or_listed() {
    let tasks = agent::TASKS.iter().chain(&agent::UNENFORCED);
    let agents = tasks.chain(&agent::LEFT).chain(&agent::CREATED_AGAIN);
    let grown = growth::HOST.iter().chain(&growth::SANDBOXES);
    let slow = budget::LATE.iter().chain(&hung::HUNG).chain(&io::IO).chain(&network::NETWORK);
    let provoked = HOST.iter().chain(&DOWN).chain(&RECOVERING).chain(&RESTARTED);
    let provoked = provoked.chain(agents).chain(grown).chain(slow);
    let provoked: BTreeSet<&str> = provoked.copied().collect();
    let listed: BTreeSet<&str> = NOT_PROVOKED.into();
    let known: BTreeSet<&str> = all().map(|condition| condition.id).collect();
    assert_eq!(provoked.intersection(&listed).collect::<Vec<_>>(), [&""; 0]);
    assert_eq!(provoked.union(&listed).copied().collect::<BTreeSet<_>>(), known);
}

/// Runs `serve` until every expected condition is remembered, then until it is told.
fn tell(config: &Path, flags: &[String], expected: &[&str]) {
    let state = tempfile::tempdir().expect("a directory");
    notice(config, flags, state.path(), expected);
    told(config, flags, state.path(), expected);
}

/// Runs `serve` with that state until every expected condition is remembered, and makes it old.
fn notice(config: &Path, flags: &[String], state: &Path, expected: &[&str]) {
    let with_state = with_state(config, state);
    // Not all is measured at once: it may take more than one run.
    wait_for("every condition is noticed", || {
        let daemon = serve(&with_state, flags);
        std::thread::sleep(std::time::Duration::from_secs(8));
        assert_eq!(daemon.stop(), Some(0));
        let found = make_older(state);
        let missing: Vec<_> = expected.iter().filter(|kind| !found.contains(**kind)).collect();
        eprintln!("not noticed yet: {missing:?}");
        missing.is_empty().then_some(())
    });
}

/// Runs `serve` with that state until Alertmanager has told of every expected condition.
fn told(config: &Path, flags: &[String], state: &Path, expected: &[&str]) -> Telling {
    let telling = Telling::begin(config, flags, state);
    telling.tells(expected);
    telling
}

/// A daemon that sends what it finds, and who is told of it. Ended in this order.
struct Telling {
    daemon: Daemon,
    alertmanager: Alertmanager,
    webhook: Webhook,
    /// Configuration of the daemon.
    config: PathBuf,
}

impl Telling {
    fn begin(config: &Path, flags: &[String], state: &Path) -> Self {
        let webhook = Webhook::start();
        let alertmanager = Alertmanager::start(&webhook);
        let config = with_state(config, state);
        let base = std::fs::read_to_string(&config).expect("read");
        let sending = alerting(&[&alertmanager], "  beside_prometheus: false\n");
        std::fs::write(&config, base + &sending).expect("write");
        let daemon = serve(&config, flags);
        Self { daemon, alertmanager, webhook, config }
    }

    /// Waits until it is told that a condition is over.
    fn tells_the_end_of(&self, condition: &str) {
        let alert = find(condition).expect(condition).alert;
        wait_for(&format!("{condition} is over"), || {
            let told = self.webhook.all();
            let of = |one: &&Value| one["labels"]["alertname"] == alert;
            let last = told.iter().rfind(of).expect("it was told before");
            (last["status"] == "resolved").then_some(())
        });
    }

    /// Waits until Alertmanager has told of every expected condition.
    fn tells(&self, expected: &[&str]) {
        let Self { daemon, alertmanager, webhook, .. } = self;
        let runbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbook.md");
        let runbook = std::fs::read_to_string(runbook).expect("read");
        for condition in all().filter(|condition| expected.contains(&condition.id)) {
            let notice = wait_for(condition.id, || {
                let told = webhook.all();
                let of = |alert: &&Value| {
                    alert["labels"]["alertname"] == condition.alert && alert["status"] == "firing"
                };
                told.iter().find(of).cloned()
            });
            let labels: BTreeMap<String, String> =
                serde_json::from_value(notice["labels"].clone()).expect("texts");
            let given = |name: &str| labels.get(name).map_or("", String::as_str);
            assert_eq!(given("severity"), condition.severity.as_str(), "{notice:#}");
            assert_eq!(
                (given("job"), given("instance"), given("cluster")),
                ("plimsoll", "host-a", "test")
            );
            let own = condition.subject.labels();
            let known = ["alertname", "severity", "job", "instance", "cluster"];
            for name in labels.keys().map(String::as_str) {
                assert!(own.contains(&name) || known.contains(&name), "{name}: {notice:#}");
            }
            let said = |name: &str| notice["annotations"][name].as_str().expect(name).to_owned();
            assert_eq!(said("summary"), format!("host-a: {}", condition.summary));
            assert!(said("description").len() > 20 && said("action").len() > 10, "{notice:#}");
            assert_eq!(
                said("runbook_url"),
                format!("docs/runbook.md#{}", condition.alert.to_lowercase())
            );
            assert!(runbook.contains(&format!("\n## {}\n", condition.alert)));
        }
        // What the page shows is what fires, to the last label.
        wait_for("Alertmanager has exactly the findings", || {
            let findings = daemon.json("/api/v1/findings");
            let of_row = |row: &Value| {
                let mut labels = row["labels"].as_object().expect("labels").clone();
                labels.insert("alertname".into(), row["alert"].clone());
                labels.retain(|_, value| value != "");
                Value::from(labels).to_string()
            };
            let shown: BTreeSet<String> = findings.as_array()?.iter().map(of_row).collect();
            let of_alert = |alert: &Value| {
                let mut labels = alert["labels"].as_object().expect("labels").clone();
                for name in ["severity", "job", "instance", "cluster"] {
                    labels.remove(name);
                }
                Value::from(labels).to_string()
            };
            let firing: BTreeSet<String> = alertmanager.all_firing().iter().map(of_alert).collect();
            (shown == firing).then_some(())
        });
    }
}

fn serve(config: &Path, flags: &[String]) -> Daemon {
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let daemon = Daemon::serve(config, &flags);
    daemon.wait_ready();
    daemon
}

/// The same configuration with that state, in a file beside it.
fn with_state(config: &Path, state: &Path) -> PathBuf {
    let base = std::fs::read_to_string(config).expect("read");
    let path = config.with_extension("state.yml");
    let storage = format!("storage:\n  path: {}\n", state.display());
    std::fs::write(&path, base + &storage).expect("write");
    path
}

/// Makes all that holds hold for a month, and returns the kinds.
fn make_older(state: &Path) -> BTreeSet<String> {
    let (dir, loaded) = StateDir::open(state).expect("the state");
    let mut sections = loaded.sections;
    let bytes = sections.get(FINDINGS).expect("findings are kept");
    let mut findings: Value = serde_json::from_slice(bytes).expect("JSON");
    let mut kinds = BTreeSet::new();
    for (id, entry) in findings["entries"].as_object_mut().expect("entries") {
        let since = entry["since"].as_f64().expect("a time");
        if !entry["told"].as_bool().expect("told or not") {
            entry["since"] = (since - MONTH).into();
        }
        let (kind, _): (String, Value) = serde_json::from_str(id).expect("kind and values");
        kinds.insert(kind);
    }
    sections.insert(FINDINGS.to_owned(), serde_json::to_vec(&findings).expect("JSON"));
    dir.write(&sections).expect("write");
    kinds
}

fn make(path: &Path) {
    std::fs::create_dir_all(path).expect("make");
}

fn fill(path: &Path, bytes: usize) {
    make(path);
    std::fs::write(path.join("data"), vec![7; bytes]).expect("write");
}

fn run(command: &mut Command) {
    let status = command.status().expect("it is installed");
    assert!(status.success(), "{command:?}");
}

#[test]
fn what_a_host_can_suffer_is_told() {
    // Whether a directory is used takes a look into every process.
    if runs_among_its_own("conditions::what_a_host_can_suffer_is_told") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let demo = Scene::create(dir.path()).expect("the demo scene");
    let at = |name: &str| {
        let path = dir.path().join(name);
        make(&path);
        path
    };
    const MIB: usize = 1 << 20;
    fill(&at("near"), 95 * MIB / 100);
    fill(&at("over"), 2 * MIB);
    let mut mounts = Vec::new();
    for (name, size, bytes) in [("filling", "10m", 93 * MIB / 10), ("full", "10m", 99 * MIB / 10)] {
        mounts.push(Mounted::tmpfs(&at(name), size));
        fill(&at(name), bytes);
    }
    for (name, files) in [("low", 94), ("exhausted", 99)] {
        mounts.push(Mounted::tmpfs(&at(name), "10m,nr_inodes=100"));
        for number in 1..files {
            std::fs::write(at(name).join(number.to_string()), b"").expect("write");
        }
    }
    mounts.push(Mounted::tmpfs(&at("readonly"), "10m"));
    run(Command::new("mount").args(["-o", "remount,ro"]).arg(at("readonly")));
    let volume = demo.work_dir().join("volumes/roles/eng storage/cassandra-0");
    mounts.push(Mounted::bind(&volume, &at("elsewhere")));
    let remote = HungFs::mount(&at("remote"));
    // As a mount whose server, or the process that serves it, is gone.
    remote.set(Mood::Fail(rustix::io::Errno::NOTCONN.raw_os_error()));

    let config = dir.path().join("plimsoll.yml");
    let path = |name: &str| dir.path().join(name).display().to_string();
    let text = format!(
        "mesos:\n  enabled: true\n  work_dir: {}\n  runtime_dir: {}\n  agent_url: {}\ndocker:\n  \
         enabled: false\nfilesystems:\n  timeout: 1s\norphans:\n  grace: 0s\nusage:\n  cpu_budget: 0.5\n  \
         max_age: 5s\nmetrics:\n  max_series: 100\ndirectories:\n- {{path: {}, quota: 1MiB}}\n- {{path: \
         {}, quota: 1MiB, unused_after: 1s}}\n- {}\n- {}\n- {}\n- {}\n- {}\n- {}\n",
        demo.work_dir().display(),
        demo.runtime_dir().display(),
        demo.agent_url(),
        path("near"),
        path("over"),
        path("filling"),
        path("full"),
        path("low"),
        path("exhausted"),
        path("readonly"),
        path("remote"),
    );
    std::fs::write(&config, text).expect("write");
    tell(&config, &[], &HOST);
}

#[test]
fn what_an_agent_can_suffer_is_told() {
    for (name, mode, expected) in [
        ("03-orphan-volumes", Mode::Down, &DOWN[..]),
        ("03-orphan-volumes", Mode::Recovering, &RECOVERING),
        ("04-agent-restarted", Mode::Whole, &RESTARTED),
    ] {
        let scene = scene::load(name, mode);
        tell(&scene.config, &scene.path_flags(), expected);
    }
}
