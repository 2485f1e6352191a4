//! Answers that are made to burst whoever reads them: of the agent, a Docker engine, the master and
//! an Alertmanager. Each is one clear error, memory stays bounded, and all else goes on.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::scene::{self, Prepared};
use crate::support::daemon::{Daemon, value};
use crate::support::replay::api::Mode;

/// Largest answer in these tests: an eighth of the default.
const MAX_BODY: usize = 8 << 20;
/// What the daemon may take, in megabytes. It has 60 MB of this scene in an unoptimised build.
const MEMORY: f64 = 250.0;
const PATIENCE: Duration = Duration::from_secs(60);
/// The engine's, below the root of the scene.
const SOCKET: &str = "docker.sock";

type Send = fn(&mut dyn Write) -> io::Result<()>;

struct Bomb {
    name: &'static str,
    /// What the error is counted as, and words of it.
    reason: &'static str,
    words: &'static str,
    send: Send,
}

const fn bomb(name: &'static str, reason: &'static str, words: &'static str, send: Send) -> Bomb {
    Bomb { name, reason, words, send }
}

/// Those that end by themselves or are too much.
const BOMBS: [Bomb; 15] = [
    bomb("a gigabyte of zeros in gzip", "malformed", "compressed, which was not asked for", |to| {
        whole(to, "Content-Encoding: gzip\r\n", &gigabyte())
    }),
    bomb("gzip behind identity", "malformed", "compressed, which was not asked for", |to| {
        whole(to, "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n", &gigabyte())
    }),
    bomb("gzip of the transfer", "malformed", "compressed, which was not asked for", |to| {
        head(to, "Transfer-Encoding: gzip, chunked\r\n")?;
        chunk(to, &gigabyte())
    }),
    bomb("gzip that is not announced", "malformed", "expected value at line 1", |to| {
        whole(to, "", &gigabyte())
    }),
    bomb("an answer without an end", "too_large", "longer than 8388608 bytes", |to| {
        endless(to, "[", "0,")
    }),
    bomb("a string of two gigabytes", "too_large", "longer than 8388608 bytes", |to| {
        head(to, "Content-Length: 2147483648\r\n")?;
        repeat(to, "{\"id\":\"", "x")
    }),
    bomb("the same without its length", "too_large", "longer than 8388608 bytes", |to| {
        endless(to, "{\"id\":\"", "x")
    }),
    bomb("a hundred million objects", "too_large", "longer than 8388608 bytes", |to| {
        endless(to, "{\"frameworks\":[", "{},")
    }),
    bomb("as many objects as fit", "too_large", "more than 262144 values", |to| {
        let objects = dense(MAX_BODY - 1000);
        whole(to, "", objects.as_bytes())
    }),
    bomb("a million brackets", "too_large", "more than 262144 values", |to| {
        whole(to, "", "[".repeat(1_000_000).as_bytes())
    }),
    bomb("two hundred thousand brackets", "malformed", "", |to| {
        let open = "[".repeat(200_000);
        whole(to, "", format!("{{\"id\":\"\",\"attributes\":{{\"a\":{open}").as_bytes())
    }),
    // All of them are made: it is the last that is wrong.
    bomb("as many objects as may be", "malformed", "", |to| {
        let objects = dense(87_000 * DENSE.len());
        whole(to, "", objects.as_bytes())
    }),
    bomb("less than its length says", "io", "", |to| {
        head(to, "Content-Length: 5000\r\n")?;
        to.write_all(b"{\"id\":")
    }),
    bomb("a hundred thousand headers", "malformed", "not HTTP", |to| {
        to.write_all(b"HTTP/1.1 200 OK\r\n")?;
        repeat_times(to, "X-Header: y\r\n", 100_000)?;
        to.write_all(b"\r\n{}")
    }),
    bomb("a header of fifty megabytes", "malformed", "not HTTP", |to| {
        to.write_all(b"HTTP/1.1 200 OK\r\nX-Header: ")?;
        repeat_times(to, "y", 50 << 20)?;
        to.write_all(b"\r\n\r\n{}")
    }),
];

/// Those that never end: only time ends them.
const SLOW: [Bomb; 3] = [
    bomb("less than its length says, and no end", "timeout", "no whole answer within 1 s", |to| {
        head(to, "Content-Length: 5000\r\n")?;
        to.write_all(b"{\"id\":")?;
        trickle(to, "")
    }),
    bomb("a byte now and then", "timeout", "no whole answer within 1 s", |to| {
        head(to, "Content-Length: 5000\r\n")?;
        trickle(to, "x")
    }),
    bomb("wait, wait", "timeout", "no whole answer within 1 s", |to| {
        trickle(to, "HTTP/1.1 100 Continue\r\n\r\n")
    }),
];

const DENSE: &str = "{\"name\":\"\",\"type\":\"\"},";

/// Resources of the agent, or volumes and containers of an engine, that say next to nothing.
fn dense(bytes: usize) -> String {
    let objects = DENSE.repeat(bytes / DENSE.len());
    let last = "{\"name\":\"\",\"type\":\"\"}";
    format!(
        "{{\"id\":\"\",\"frameworks\":[],\"unreserved_resources_full\":[{objects}{last}],\"Volumes\":[{{}}]"
    ) + ",\"reserved_resources_full\":{}}"
}

/// A gigabyte in a megabyte: members of a gzip file that follow each other are one text.
fn gigabyte() -> Vec<u8> {
    let mut one = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    one.write_all(&vec![0; 16 << 20]).expect("to memory");
    one.finish().expect("to memory").repeat(64)
}

fn head(to: &mut dyn Write, more: &str) -> io::Result<()> {
    write!(to, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{more}\r\n")
}

fn whole(to: &mut dyn Write, more: &str, body: &[u8]) -> io::Result<()> {
    head(to, &format!("{more}Content-Length: {}\r\n", body.len()))?;
    to.write_all(body)
}

fn chunk(to: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    write!(to, "{:x}\r\n", bytes.len())?;
    to.write_all(bytes)?;
    to.write_all(b"\r\n")
}

fn endless(to: &mut dyn Write, start: &str, more: &str) -> io::Result<()> {
    head(to, "Transfer-Encoding: chunked\r\n")?;
    chunk(to, start.as_bytes())?;
    let more = more.repeat((64 << 10) / more.len());
    loop {
        chunk(to, more.as_bytes())?;
    }
}

fn repeat(to: &mut dyn Write, start: &str, more: &str) -> io::Result<()> {
    to.write_all(start.as_bytes())?;
    let more = more.repeat((64 << 10) / more.len());
    loop {
        to.write_all(more.as_bytes())?;
    }
}

fn repeat_times(to: &mut dyn Write, more: &str, times: usize) -> io::Result<()> {
    let some = more.repeat(1000);
    for _ in 0..times / 1000 {
        to.write_all(some.as_bytes())?;
    }
    Ok(())
}

fn trickle(to: &mut dyn Write, more: &str) -> io::Result<()> {
    for _ in 0..600 {
        to.write_all(more.as_bytes())?;
        to.flush()?;
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Throws one of its bombs at whoever asks, over TCP and a Unix socket.
struct Thrower {
    url: String,
    chosen: Arc<AtomicUsize>,
    /// Questions since the bomb was chosen that begin a round: of the agent, of an engine.
    rounds: Arc<[AtomicUsize; 2]>,
}

impl Thrower {
    fn start(bombs: &'static [Bomb], socket: &Path) -> Self {
        let (tcp, unix) = (TcpListener::bind("127.0.0.1:0"), UnixListener::bind(socket));
        let (tcp, unix) = (tcp.expect("a port"), unix.expect("a socket"));
        let url = format!("http://{}", tcp.local_addr().expect("an address"));
        let chosen = Arc::new(AtomicUsize::new(0));
        let rounds: Arc<[AtomicUsize; 2]> = Arc::default();
        let throw = {
            let (chosen, rounds) = (Arc::clone(&chosen), Arc::clone(&rounds));
            move |reader: Box<dyn Read + std::marker::Send>,
                  mut to: Box<dyn Write + std::marker::Send>| {
                let (chosen, rounds) = (Arc::clone(&chosen), Arc::clone(&rounds));
                std::thread::spawn(move || {
                    let bomb = chosen.load(Ordering::SeqCst);
                    let Some(path) = asked(reader) else { return };
                    // The engine is met properly, so that its lists are asked for.
                    let polite = match path.rsplit('/').next() {
                        Some("version") => Some("{\"ApiVersion\":\"1.44\"}"),
                        Some("info") => Some("{\"DockerRootDir\":\"/nowhere\"}"),
                        _ => None,
                    };
                    if bomb == chosen.load(Ordering::SeqCst) {
                        match path.as_str() {
                            "/state" => rounds[0].fetch_add(1, Ordering::SeqCst),
                            path if path.ends_with("/volumes") => {
                                rounds[1].fetch_add(1, Ordering::SeqCst)
                            }
                            _ => 0,
                        };
                    }
                    // Whoever hangs up is right.
                    let _ = match polite {
                        Some(text) => whole(&mut to, "Connection: close\r\n", text.as_bytes()),
                        None => (bombs[bomb].send)(&mut to),
                    };
                });
            }
        };
        let also = throw.clone();
        std::thread::spawn(move || {
            for stream in tcp.incoming().flatten() {
                also(Box::new(stream.try_clone().expect("clone")), Box::new(stream));
            }
        });
        std::thread::spawn(move || {
            for stream in unix.incoming().flatten() {
                throw(Box::new(stream.try_clone().expect("clone")), Box::new(stream));
            }
        });
        Self { url, chosen, rounds }
    }

    fn choose(&self, bomb: usize) {
        self.chosen.store(bomb, Ordering::SeqCst);
        for rounds in self.rounds.iter() {
            rounds.store(0, Ordering::SeqCst);
        }
    }

    /// So many bombs of this kind went off in a round of the agent's and of the engine's.
    fn thrown(&self) -> (usize, usize) {
        let count = |index: usize| self.rounds[index].load(Ordering::SeqCst);
        (count(0), count(1))
    }
}

/// Path of a request, once all of it has come; absent when nobody asked.
fn asked(from: impl Read) -> Option<String> {
    let mut reader = BufReader::new(from);
    let (mut first, mut length) = (String::new(), 0_usize);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim_end().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if first.is_empty() {
            first = line;
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    let path = first.split(' ').nth(1)?;
    Some(path.split('?').next()?.to_owned())
}

fn configure(scene: &Prepared, thrower: &Thrower, timeout: &str) {
    let text = format!(
        "mesos: {{work_dir: {}, runtime_dir: {}, agent_url: '{url}', timeout: {timeout}, \
         poll_interval: 1s, max_body: 8MiB}}\n\
         docker: {{enabled: true, socket: /{SOCKET}, timeout: {timeout}, max_body: 8MiB}}\n\
         orphans: {{grace: 0s}}\nusage: {{cpu_budget: 0.5}}\n\
         alerting: {{alertmanagers: ['{url}'], timeout: {timeout}, resend_interval: 1s}}\n",
        scene.replay.work_dir().display(),
        scene.replay.runtime_dir().display(),
        url = thrower.url,
    );
    std::fs::write(&scene.config, text).expect("write");
}

/// Highest resident memory so far, in megabytes.
fn highest(daemon: &Daemon) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("there");
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kibibytes * 1024.0 / 1e6
}

/// Asks for the page until it is told to stop; every answer is a good one.
fn scrape(daemon: &Daemon, stop: &AtomicBool) -> usize {
    let mut scrapes = 0;
    while !stop.load(Ordering::SeqCst) {
        let answer = daemon.get("/metrics");
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("plimsoll_build_info{"));
        scrapes += 1;
        std::thread::sleep(Duration::from_millis(50));
    }
    scrapes
}

/// The error that a collector has now.
fn error(daemon: &Daemon, collector: &str, bomb: &Bomb) -> Option<String> {
    let sources = daemon.json("/api/v1/sources");
    let of = |source: &&serde_json::Value| source["collector"] == collector;
    let errors = sources.as_array()?.iter().find(of)?["errors"].as_array()?.clone();
    let error = errors.iter().find(|error| error["reason"] == bomb.reason)?;
    let message = error["message"].as_str()?;
    assert!(message.len() < 2000, "{message}");
    assert!(!error["hint"].as_str()?.is_empty());
    message.contains(bomb.words).then(|| message.to_owned())
}

fn throw_all(bombs: &'static [Bomb], timeout: &str) {
    let scene = scene::load("03-orphan-volumes", Mode::Down);
    let thrower = Thrower::start(bombs, &scene.replay.rootfs().join(SOCKET));
    configure(&scene, &thrower, timeout);
    let daemon = scene.serve();
    daemon.wait_ready();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let scraper = scope.spawn(|| scrape(&daemon, &stop));
        // Also when something below panics: else the scope would wait for ever.
        struct Stop<'a>(&'a AtomicBool);
        impl Drop for Stop<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let stopping = Stop(&stop);
        for (index, bomb) in bombs.iter().enumerate() {
            thrower.choose(index);
            // With the second of them the round of the first is over.
            daemon.wait_for(bomb.name, PATIENCE, |_| {
                let (agent, engine) = thrower.thrown();
                (agent >= 2 && engine >= 2).then_some(())
            });
            for collector in ["mesos_api", "docker"] {
                daemon.wait_for(&format!("{collector}: {}", bomb.name), PATIENCE, |daemon| {
                    error(daemon, collector, bomb)
                });
            }
            // The checkpoint is read on.
            let volumes = daemon.json("/api/v1/volumes");
            let idle = volumes.as_array().expect("an array").iter();
            let idle = idle.filter(|row| row["volume"] == "idle-0004").count();
            assert_eq!(idle, 1, "{}", bomb.name);
            let memory = highest(&daemon);
            println!("{}: {memory:.0} MB", bomb.name);
            assert!(memory < MEMORY, "{memory} MB after {}", bomb.name);
        }
        drop(stopping);
        assert!(scraper.join().expect("every scrape was answered") > bombs.len());
    });
    let page = daemon.get("/metrics").body;
    let failed =
        page.lines().filter(|line| line.starts_with("plimsoll_alertmanager_failures_total"));
    let failed: f64 = failed.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
    assert!(failed >= 1.0, "no Alertmanager failed:\n{page}");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn bombs_are_errors_and_all_else_goes_on() {
    throw_all(&BOMBS, "20s");
}

#[test]
fn what_never_ends_is_ended() {
    throw_all(&SLOW, "1s");
}

#[test]
fn bombs_of_a_master_are_errors_in_a_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let thrower = Thrower::start(&BOMBS, &dir.path().join("unused"));
    for (index, bomb) in BOMBS.iter().enumerate() {
        thrower.choose(index);
        // 400 MB of memory, heap and all: an allocation beyond it fails.
        let output = Command::new("prlimit")
            .args(["--data=400000000", env!("CARGO_BIN_EXE_plimsoll"), "discover", "--once"])
            .args(["--mesos-master", &thrower.url])
            .output()
            .expect("prlimit");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{}: {error}", bomb.name);
        assert!(error.len() < 2000, "{}: {} bytes", bomb.name, error.len());
        assert!(error.contains(&thrower.url), "{}: {error}", bomb.name);
    }
}

/// What is taken for a name stands on many series, on the page and in alerts.
#[test]
fn a_name_of_megabytes_does_not_swell_the_page() {
    const LONG: [Bomb; 1] = [bomb("a long name", "", "", |to| {
        let name = "n".repeat(7 << 20);
        let state = format!("{{\"id\":\"S0\",\"hostname\":\"{name}\",\"frameworks\":[]}}");
        whole(to, "Connection: close\r\n", state.as_bytes())
    })];
    let scene = scene::load("03-orphan-volumes", Mode::Down);
    let thrower = Thrower::start(&LONG, &scene.replay.rootfs().join(SOCKET));
    configure(&scene, &thrower, "20s");
    let daemon = scene.serve();
    let page = daemon.wait_for("the name", PATIENCE, |daemon| {
        let page = daemon.get("/metrics").body;
        page.contains("nnnnnnnn").then_some(page)
    });
    assert!(value(&page, "plimsoll_agent_up").is_some());
    assert!(page.len() < 1 << 20, "{} bytes", page.len());
    let cut = page.split('"').filter(|value| value.contains("nnnnnnnn"));
    for value in cut {
        assert!(value.len() <= 1024 && value.contains('…'), "{} bytes", value.len());
    }
}
