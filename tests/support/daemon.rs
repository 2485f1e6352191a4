//! The real binary, started on a scene and asked over HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long anything may take on a machine that is busy with other things. Not a promise of the
/// daemon's: what it must be quick about is asserted where it is tested.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `plimsoll`, ended when dropped.
pub struct Daemon {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    address: String,
    log: Arc<Mutex<String>>,
}

/// An answer.
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Header lines, lower case.
    pub headers: String,
    /// Body, as text.
    pub body: String,
}

impl Daemon {
    /// Starts `plimsoll ARGS… --web.listen-address 127.0.0.1:0` and waits until it listens.
    pub fn start(args: &[&str]) -> Self {
        Self::start_in(args, &[])
    }

    /// The same with these environment variables.
    pub fn start_in(args: &[&str], environment: &[(&str, &str)]) -> Self {
        // The guest's program is built as an example, and finds the binary in its PATH.
        let mut child = Command::new(option_env!("CARGO_BIN_EXE_plimsoll").unwrap_or("plimsoll"))
            .args(args)
            .envs(environment.iter().copied())
            .args(["--web.listen-address", "127.0.0.1:0", "--log.level", "debug"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start plimsoll");
        let log = Arc::new(Mutex::new(String::new()));
        let (sender, receiver) = std::sync::mpsc::channel();
        let lines = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                if let Some(address) = field(&line, "address") {
                    let _ = sender.send(address);
                }
                let mut log = kept.lock().expect("log");
                log.push_str(&line);
                log.push('\n');
            }
        });
        let address = receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            let _ = child.kill();
            panic!("plimsoll did not say where it listens:\n{}", log.lock().expect("log"))
        });
        Self { child, url: format!("http://{address}"), address, log }
    }

    /// The same with a configuration file.
    pub fn serve(config: &Path, more: &[&str]) -> Self {
        let config = config.to_str().expect("a UTF-8 path");
        let mut args = vec!["serve", "--config.file", config];
        args.extend_from_slice(more);
        Self::start(&args)
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("log").clone()
    }

    /// GET without special headers.
    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, "")
    }

    /// Any request; `headers` are whole lines, each ended by CRLF.
    pub fn request(&self, method: &str, path: &str, headers: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("time-out");
        let length = if method == "POST" { "Content-Length: 0\r\n" } else { "" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{length}{headers}\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).expect("send");
        let mut raw = Vec::new();
        stream.read_to_end(&mut raw).expect("receive");
        let raw = String::from_utf8_lossy(&raw);
        let (head, body) = raw.split_once("\r\n\r\n").expect("a header");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        let body = if chunked { unchunk(body) } else { body.to_string() };
        Answer { status, headers: head.to_ascii_lowercase(), body }
    }

    /// JSON of an API path.
    pub fn json(&self, path: &str) -> serde_json::Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        serde_json::from_str(&answer.body).expect("JSON")
    }

    /// Waits until `check` is content with the answer, or fails with the log: after `limit`, or after
    /// a minute where that is longer.
    pub fn wait_for<T>(
        &self,
        what: &str,
        limit: Duration,
        check: impl Fn(&Self) -> Option<T>,
    ) -> T {
        let (start, limit) = (Instant::now(), limit.max(PATIENCE));
        loop {
            if let Some(value) = check(self) {
                return value;
            }
            assert!(start.elapsed() < limit, "{what} did not happen in {limit:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Of twenty scrapes, what half of them took at most: one that waits for a hung filesystem takes
    /// the time-out, and a busy machine slows only some of them.
    pub fn middle_scrape(&self) -> Duration {
        let mut took: Vec<Duration> = (0..20)
            .map(|_| {
                let start = Instant::now();
                assert_eq!(self.get("/metrics").status, 200);
                start.elapsed()
            })
            .collect();
        took.sort();
        took[10]
    }

    /// Waits for `/-/ready`.
    pub fn wait_ready(&self) {
        self.wait_for("ready", PATIENCE, |daemon| {
            (daemon.get("/-/ready").status == 200).then_some(())
        });
    }

    /// Waits until every subject that can be measured was measured.
    pub fn wait_measured(&self) {
        self.wait_for("first measurements", PATIENCE, |daemon| {
            let body = daemon.get("/metrics").body;
            let measured = |row: &serde_json::Value| {
                row["used_bytes"].is_u64() || row["measure_failed"] == true
            };
            let all = |path: &str| {
                daemon.json(path).as_array().is_some_and(|rows| {
                    rows.iter().filter(|row| row["state"] != "missing").all(measured)
                })
            };
            let placed = body.contains("plimsoll_filesystem_info{");
            let pending = value(&body, "plimsoll_usage_pending_subjects");
            let whole = all("/api/v1/volumes") && all("/api/v1/sandboxes");
            (pending == Some(0.0) && placed && whole).then_some(())
        });
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([format!("-{name}"), self.pid().to_string()])
            .status()
            .expect("kill");
        assert!(status.success());
    }

    /// Asks it to end, and returns its exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.signal("TERM");
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().expect("wait") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("plimsoll did not end within {PATIENCE:?} of SIGTERM:\n{}", self.log());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Value of the only sample whose line starts with `series`.
pub fn value(exposition: &str, series: &str) -> Option<f64> {
    exposition.lines().find_map(|line| {
        let rest = line.strip_prefix(series)?;
        rest.strip_prefix(' ')?.trim().parse().ok()
    })
}

fn field(line: &str, name: &str) -> Option<String> {
    let rest = line.split_once(&format!("{name}="))?.1;
    Some(rest.split([' ', '"']).find(|part| !part.is_empty())?.to_string())
}

fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 || rest.len() < size {
            break;
        }
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}
