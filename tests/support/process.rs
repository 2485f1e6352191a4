//! Processes that hold things, ended with the test.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A process that is ended when the test is.
pub struct Process(pub Child);

impl Process {
    /// Runs a shell script that writes the line `ready` and ends with an `exec`; returns once
    /// that was done.
    pub fn shell(script: &str, dir: &Path) -> Self {
        Self::started(Command::new("sh").args(["-c", script]).current_dir(dir))
    }

    /// The same for a command that runs such a script somewhere else.
    pub fn started(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("a process");
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        lines.read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n");
        let process = Self(child);
        let start = Instant::now();
        while process.command() == "sh" && start.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(5));
        }
        process
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    fn command(&self) -> String {
        let comm = std::fs::read_to_string(format!("/proc/{}/comm", self.pid()));
        comm.expect("it runs").trim_end().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether this test goes on elsewhere: where even root may not look into every process (a machine
/// within a machine), it runs again among its own processes only.
pub fn runs_among_its_own(test: &str) -> bool {
    let denied = |entry: std::fs::DirEntry| {
        std::fs::read_link(entry.path().join("root"))
            .is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
    };
    let processes = std::fs::read_dir("/proc").expect("read").filter_map(Result::ok);
    let numbered =
        |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().parse::<u32>().is_ok();
    if !processes.filter(numbered).any(denied) {
        return false;
    }
    let status = Command::new("unshare")
        .args(["--pid", "--fork", "--mount-proc", "--kill-child"])
        .arg(std::env::current_exe().expect("itself"))
        .args(["--exact", test, "--nocapture"])
        .status()
        .expect("unshare(1) is installed");
    assert!(status.success(), "among its own processes");
    true
}
