//! The daemon within the bounds that it sets itself, on the real kernel: what it reaches, what it
//! does not, and that whatever lies outside is told. Without Landlock there is only the fallback to
//! test, which is said aloud.
#![allow(missing_docs)]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use plimsoll::host::landlock::{self, Access, Bounds, Place};
use serde_json::Value;
use support::daemon::{Daemon, value};
use support::denied;
use support::du::used_bytes;
use support::mounts::Mounted;
use support::process::Process;

const SOON: Duration = Duration::from_secs(60);

/// Whether this kernel has it; says so where not.
fn is_there() -> bool {
    let abi = landlock::abi();
    if let Err(error) = &abi {
        eprintln!("SKIPPED: no Landlock: {}", landlock::why_not(error));
    }
    abi.is_ok()
}

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED: this part needs root");
    }
    root
}

/// A host with a configuration in a directory of its own, and whatever else beside it.
struct Host {
    dir: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        let host = Self { dir: tempfile::tempdir().expect("a directory") };
        for name in ["etc", "data/one", "state", "outside"] {
            fs::create_dir_all(host.at(name)).expect("make");
        }
        fs::write(host.at("data/one/file"), vec![7; 300_000]).expect("write");
        host
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().expect("it is there").join(name)
    }

    fn text(&self, more: &str) -> String {
        format!(
            "mesos: {{enabled: false}}\ndocker: {{enabled: false}}\nusage: {{cpu_budget: 0.5, max_age: 1s}}\n\
             discovery: {{interval: 1s}}\norphans: {{open_files_interval: 1s}}\n\
             storage: {{path: {}}}\n{more}",
            self.at("state").display()
        )
    }

    fn configure(&self, more: &str) -> PathBuf {
        let path = self.at("etc/plimsoll.yml");
        fs::write(&path, self.text(more)).expect("write");
        path
    }

    fn serve(&self, more: &str) -> Daemon {
        let daemon = Daemon::serve(&self.configure(more), &["--web.enable-lifecycle"]);
        daemon.wait_ready();
        daemon
    }
}

/// What is known of a directory that the configuration names.
fn row(daemon: &Daemon, path: &Path) -> Option<Value> {
    let rows = daemon.json("/api/v1/volumes");
    let wanted = path.to_str().expect("text");
    rows.as_array()?.iter().find(|row| row["path"] == wanted).cloned()
}

fn wait_used(daemon: &Daemon, path: &Path) {
    let expected = used_bytes(path);
    daemon.wait_for("the bytes of du", SOON, |daemon| {
        (row(daemon, path)?["used_bytes"] == expected).then_some(())
    });
}

/// Errors of the daemon's own bounds.
fn told(daemon: &Daemon) -> Option<String> {
    let sources = daemon.json("/api/v1/sources");
    let of = sources.as_array()?.iter().find(|row| row["collector"] == "landlock")?;
    Some(of["errors"].to_string())
}

fn in_force(daemon: &Daemon) {
    assert!(daemon.log().contains("Landlock is in force"), "{}", daemon.log());
    assert_eq!(value(&daemon.get("/metrics").body, SUCCESS), Some(1.0), "{:?}", told(daemon));
}

const SUCCESS: &str = "plimsoll_collector_success{collector=\"landlock\"}";

#[test]
fn what_is_not_named_cannot_be_opened_and_what_is_mounted_below_can() {
    if !is_there() {
        return;
    }
    let host = Host::new();
    fs::write(host.at("outside/secret"), "x").expect("write");
    fs::create_dir(host.at("data/disk")).expect("make");
    let (data, state, outside) = (host.at("data"), host.at("state"), host.at("outside"));
    let open = |path: &Path| Place::open(path).expect("it is there");
    let places = vec![(open(&data), Access::List), (open(&state), Access::Write)];
    // The bounds are those of this thread and end with it.
    let (ready, go) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
    std::thread::scope(|scope| {
        let (data, state, outside) = (data.clone(), state.clone(), outside.clone());
        let bounded = scope.spawn(move || {
            let bounds = Bounds { places, ..Bounds::default() };
            landlock::restrict(bounds).expect("Landlock is there");
            let denied = |result: std::io::Result<()>, what: &str| {
                let error = result.expect_err(what);
                assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{what}: {error}");
            };
            let list = |path: &Path| fs::read_dir(path).map(|entries| entries.count());
            let read = |path: &Path| fs::read(path).map(drop);
            assert_eq!(list(&data).expect("named"), 2);
            assert!(data.join("one/file").metadata().expect("looking is free").len() > 0);
            denied(read(&data.join("one/file")), "a listed directory's file is not read");
            denied(fs::write(data.join("new"), "x"), "nor is one made");
            denied(list(&outside).map(drop), "another directory");
            denied(read(&outside.join("secret")), "another file");
            denied(read(Path::new("/etc/passwd")), "the system's files");
            denied(fs::remove_file(outside.join("secret")), "nothing is removed");
            fs::write(state.join("a"), "x").expect("its own state is written,");
            fs::rename(state.join("a"), state.join("b")).expect("renamed,");
            assert_eq!(fs::read(state.join("b")).expect("read"), b"x");
            fs::remove_file(state.join("b")).expect("and removed");
            denied(fs::create_dir(state.join("dir")), "no directory is made");
            denied(symlink("/", state.join("link")), "and no link");
            // A filesystem that is mounted later, below and elsewhere.
            ready.0.send(()).expect("the test waits");
            let mounted: bool = go.1.recv().expect("the test goes on");
            if mounted {
                assert_eq!(list(&data.join("disk")).expect("below a rule"), 1);
                denied(list(&outside).map(drop), "mounted elsewhere");
            }
        });
        ready.1.recv().expect("it gets there");
        let mounts = is_root().then(|| {
            let below = Mounted::tmpfs(&host.at("data/disk"), "1m");
            fs::write(host.at("data/disk/file"), "x").expect("write");
            (below, Mounted::tmpfs(&host.at("outside"), "1m"))
        });
        go.0.send(mounts.is_some()).expect("it waits");
        bounded.join().expect("as said");
    });
    assert_eq!(fs::read(host.at("state/none")).unwrap_err().kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn a_bounded_daemon_measures_what_appears_anywhere_and_reads_no_file_elsewhere() {
    if !is_there() {
        return;
    }
    let host = Host::new();
    let one = format!("directories: ['{0}/data/*']\n", host.dir.path().display());
    let daemon = host.serve(&one);
    in_force(&daemon);
    wait_used(&daemon, &host.at("data/one"));
    // A disk that is mounted while it runs, and another that a reload names.
    let mount = is_root().then(|| {
        fs::create_dir(host.at("data/disk")).expect("make");
        let mount = Mounted::tmpfs(&host.at("data/disk"), "2m");
        fs::write(host.at("data/disk/file"), vec![1; 500_000]).expect("write");
        wait_used(&daemon, &host.at("data/disk"));
        mount
    });
    fs::write(host.at("outside/file"), vec![1; 70_000]).expect("write");
    let two = format!("directories: ['{0}/data/*', '{0}/outside']\n", host.dir.path().display());
    host.configure(&two);
    let answer = daemon.request("POST", "/-/reload", "");
    assert_eq!((answer.status, answer.body.as_str()), (200, "Configuration reloaded.\n"));
    wait_used(&daemon, &host.at("outside"));

    // An editor that replaces the file is no obstacle; a link to a file elsewhere is.
    fs::write(host.at("etc/new"), host.text(&one)).expect("write");
    fs::rename(host.at("etc/new"), host.at("etc/plimsoll.yml")).expect("replace");
    assert_eq!(daemon.request("POST", "/-/reload", "").status, 200);
    fs::write(host.at("outside/plimsoll.yml"), host.text(&one)).expect("write");
    fs::remove_file(host.at("etc/plimsoll.yml")).expect("remove");
    symlink(host.at("outside/plimsoll.yml"), host.at("etc/plimsoll.yml")).expect("link");
    let refused = daemon.request("POST", "/-/reload", "");
    assert!(
        refused.status >= 400 && refused.body.contains("Permission denied"),
        "{}",
        refused.body
    );
    assert!(refused.body.contains("restart Plimsoll: Landlock"), "{}", refused.body);
    drop(mount);
    assert_eq!(daemon.stop(), Some(0));
    assert!(host.at("state/state").exists(), "its state is written");

    // The same link without bounds: it was Landlock that kept the file closed.
    let daemon = host.serve(&format!("{one}security: {{landlock: false}}\n"));
    assert!(daemon.log().contains("Landlock is off"), "{}", daemon.log());
    assert_eq!(daemon.request("POST", "/-/reload", "").status, 200);
    assert_eq!(told(&daemon), None);
}

#[test]
fn a_reload_that_needs_more_than_is_open_is_refused_with_the_path() {
    if !is_there() {
        return;
    }
    let host = Host::new();
    let root = host.dir.path().display().to_string();
    let strict = "security: {landlock: strict}\n";
    let one = format!("directories: ['{root}/data/one']\n{strict}");
    let daemon = host.serve(&one);
    in_force(&daemon);
    wait_used(&daemon, &host.at("data/one"));
    let refused = |more: &str, path: &str| {
        host.configure(more);
        let answer = daemon.request("POST", "/-/reload", "");
        assert!(answer.status >= 400, "{}", answer.body);
        assert!(answer.body.contains("restart needed"), "{}", answer.body);
        assert!(answer.body.contains(path), "{path}: {}", answer.body);
        assert!(row(&daemon, &host.at("outside")).is_none(), "the old configuration stays");
        assert!(row(&daemon, &host.at("data/one")).is_some(), "the old configuration stays");
    };
    let two = format!("directories: ['{root}/data/one', '{root}/outside']\n{strict}");
    refused(&two, &format!("directories: {root}/outside"));
    refused("security: {landlock: false}\n", "security.landlock");
    // By signal it is the log that says it.
    host.configure(&two);
    let before = daemon.log().matches("the old one stays in force").count();
    daemon.signal("HUP");
    daemon.wait_for("the refusal", SOON, |daemon| {
        (daemon.log().matches("the old one stays in force").count() > before).then_some(())
    });
    // A change within the bounds is taken.
    host.configure(&format!("conditions: {{filesystem_filling: 0.5}}\n{one}"));
    assert_eq!(daemon.request("POST", "/-/reload", "").status, 200);
    assert_eq!(daemon.stop(), Some(0));

    // By default listing is open everywhere, reading is not.
    let daemon = host.serve("");
    fs::create_dir_all(host.at("outside/mesos/meta")).expect("make");
    let work_dir = host.at("outside/mesos");
    let mesos = format!("mesos: {{enabled: true, work_dir: {}}}\n", work_dir.display());
    let text = host.text("").replace("mesos: {enabled: false}\n", &mesos);
    fs::write(host.at("etc/plimsoll.yml"), text).expect("write");
    let answer = daemon.request("POST", "/-/reload", "");
    let expected = format!("mesos.work_dir: {}/meta", work_dir.display());
    assert!(answer.status >= 400 && answer.body.contains("restart needed"), "{}", answer.body);
    assert!(answer.body.contains(&expected), "{}", answer.body);
}

#[test]
fn a_strict_daemon_tells_what_it_may_not_list_and_gives_it_no_bytes() {
    if !is_there() {
        return;
    }
    let host = Host::new();
    let root = host.dir.path().display().to_string();
    let text = format!("directories: ['{root}/data/one']\nsecurity: {{landlock: strict}}\n");
    let daemon = host.serve(&text);
    wait_used(&daemon, &host.at("data/one"));
    // Made anew it is another directory, which no rule knows.
    fs::rename(host.at("data/one"), host.at("data/old")).expect("move away");
    fs::create_dir(host.at("data/one")).expect("make");
    fs::write(host.at("data/one/file"), vec![1; 90_000]).expect("write");
    let errors = daemon.wait_for("it is told", Duration::from_secs(120), |daemon| {
        told(daemon).filter(|errors| errors.contains("was replaced since the start"))
    });
    assert!(errors.contains("data/one (directories)"), "{errors}");
    assert!(errors.contains("restart Plimsoll"), "{errors}");
    let found = daemon.wait_for("no bytes", SOON, |daemon| {
        row(daemon, &host.at("data/one")).filter(|row| row["measure_failed"] == true)
    });
    assert!(
        !found["used_bytes"].is_u64() || found["used_bytes"] != used_bytes(&host.at("data/one"))
    );
    assert_eq!(value(&daemon.get("/metrics").body, SUCCESS), Some(0.0));
    assert_eq!(daemon.stop(), Some(0));
    // Restarted, it is measured.
    let daemon = host.serve(&text);
    wait_used(&daemon, &host.at("data/one"));
    in_force(&daemon);
}

/// The process beside a daemon.
fn helper(daemon: &Daemon) -> Option<u32> {
    let children = format!("/proc/{0}/task/{0}/children", daemon.pid());
    let children = fs::read_to_string(children).expect("CONFIG_PROC_CHILDREN");
    let of_name = |pid: &&str| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm"));
        name.is_ok_and(|name| name == "plimsoll-helper\n")
    };
    children.split_whitespace().find(of_name).and_then(|pid| pid.parse().ok())
}

fn wait_gone(pid: u32) {
    let start = Instant::now();
    let gone = || match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.contains(") Z "),
        Err(_) => true,
    };
    while !gone() {
        assert!(start.elapsed() < SOON, "{pid} is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid as i32).expect("a process id");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("kill");
}

#[test]
fn holders_of_other_processes_are_found_as_long_as_the_helper_lives() {
    if !is_there() || !is_root() {
        return;
    }
    let host = Host::new();
    let text = format!("directories: ['{}/data/one']\n", host.dir.path().display());
    let holder = Process::shell("exec 3>held; echo ready; exec sleep 600", &host.at("data/one"));
    let daemon = host.serve(&text);
    in_force(&daemon);
    let reason = |daemon: &Daemon| {
        let row = row(daemon, &host.at("data/one"))?;
        row["reason"].as_str().map(str::to_owned)
    };
    let who = format!("sleep (pid {}", holder.pid());
    daemon.wait_for("the holder", SOON, |daemon| reason(daemon).filter(|why| why.contains(&who)));
    let pid = helper(&daemon).expect("it is a child of the daemon");
    // It keeps nothing but what it needs.
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    assert_eq!(field("NoNewPrivs:"), Some("1"));
    let held = u64::from_str_radix(field("CapEff:").expect("capabilities"), 16).expect("a mask");
    let needed = 1 << 1 | 1 << 2 | 1 << 19;
    assert!(held & (1 << 19) == 0 || held & !needed == 0, "{held:x}");
    assert!(fs::read(format!("/proc/{pid}/environ")).expect("root may").is_empty());

    kill(pid);
    let ended = |daemon: &Daemon| reason(daemon).filter(|why| why.contains("has ended"));
    let why = daemon.wait_for("its end", SOON, ended);
    assert!(why.contains("restart Plimsoll"), "{why}");
    assert_eq!(daemon.get("/-/healthy").status, 200);
    let again = fs::write(host.at("data/one/more"), vec![1; 50_000]);
    again.expect("write");
    wait_used(&daemon, &host.at("data/one"));
    assert_eq!(daemon.log().matches("looks into other processes has ended").count(), 1);
    assert_eq!(daemon.stop(), Some(0));

    // It ends with the daemon, however that ends.
    let daemon = host.serve(&text);
    let pid = helper(&daemon).expect("a new one");
    kill(daemon.pid());
    wait_gone(pid);
    let daemon = host.serve(&text);
    let pid = helper(&daemon).expect("a new one");
    assert_eq!(daemon.stop(), Some(0));
    wait_gone(pid);
}

#[test]
fn without_landlock_everything_works_and_is_said_to_be_open() {
    /// `asm-generic/unistd.h`.
    const LANDLOCK_CREATE_RULESET: libc::c_long = 444;
    let host = Host::new();
    let text = format!("directories: ['{}/data/one']\n", host.dir.path().display());
    let holder = Process::shell("exec 3>held; echo ready; exec sleep 600", &host.at("data/one"));
    for (errno, why) in [(libc::ENOSYS, "Linux 5.13"), (libc::EPERM, "a filter of system calls")] {
        let daemon = denied::without(&[LANDLOCK_CREATE_RULESET], errno, || host.serve(&text));
        wait_used(&daemon, &host.at("data/one"));
        assert!(daemon.log().contains("No Landlock"), "{}", daemon.log());
        assert!(told(&daemon).is_some_and(|errors| errors.contains(why)), "{:?}", told(&daemon));
        assert_eq!(value(&daemon.get("/metrics").body, SUCCESS), None, "it is no failure");
        assert_eq!(helper(&daemon), None);
        let who = format!("sleep (pid {}", holder.pid());
        daemon.wait_for("the holder", SOON, |daemon| {
            let row = row(daemon, &host.at("data/one"))?;
            row["reason"].as_str().filter(|why| why.contains(&who)).map(drop)
        });
        // A configuration that would need more is no concern.
        host.configure(&format!("{text}security: {{landlock: strict}}\n"));
        assert_eq!(daemon.request("POST", "/-/reload", "").status, 200);
        assert_eq!(daemon.stop(), Some(0));
    }
}

#[test]
fn check_says_what_is_in_force() {
    let host = Host::new();
    let check = |more: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_plimsoll"))
            .args(["check", "--output", "json", "--config.file"])
            .arg(host.configure(more))
            .output()
            .expect("plimsoll");
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let facts = report["host"].as_array().expect("facts").clone();
        let fact = facts.into_iter().find(|fact| fact["name"] == "landlock").expect("a row");
        fact["value"].as_str().expect("text").to_owned()
    };
    let expected = |mode: &str| match landlock::abi() {
        Ok(abi) => format!("ABI {abi}, {mode}"),
        Err(_) => "not in force".into(),
    };
    assert_eq!(check(""), expected("auto"));
    assert_eq!(check("security: {landlock: strict}\n"), expected("strict"));
    assert_eq!(check("security: {landlock: false}\n"), "off");
    let without = || denied::without(&[444], libc::ENOSYS, || check(""));
    assert_eq!(without(), "not in force");
}
