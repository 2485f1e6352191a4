//! Addresses and processes of a test.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::webhook::PATIENCE;

/// An address that nobody else takes, though nothing listens there yet: all of 127.0.0.0/8 is this
/// host's, and each one is handed out once.
pub fn address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = std::process::id().wrapping_mul(64) + NEXT.fetch_add(1, Ordering::Relaxed);
    let [_, a, b, c] = number.to_be_bytes();
    let ip = std::net::Ipv4Addr::new(127, a.max(1), b, c.clamp(1, 254));
    TcpListener::bind((ip, 0)).and_then(|listener| listener.local_addr()).expect("a free port")
}

/// A server that a test started, killed when dropped.
pub struct Server {
    child: Option<Child>,
}

impl Server {
    pub fn start(command: &mut Command) -> Self {
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("{:?} is installed by scripts/test: {error}", command.get_program())
        });
        Self { child: Some(child) }
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let status = Command::new("kill").arg(child.id().to_string()).status().expect("kill");
        assert!(status.success());
        let start = Instant::now();
        while child.try_wait().expect("wait").is_none() {
            if start.elapsed() > PATIENCE {
                let _ = child.kill();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| child.try_wait().expect("wait").is_some())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits until `check` has something to say.
pub fn wait_for<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = check() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "{what} did not happen in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// For so long, at every look, `check` holds.
pub fn holds_for(time: Duration, mut check: impl FnMut()) {
    let start = Instant::now();
    while start.elapsed() < time {
        check();
        std::thread::sleep(Duration::from_millis(100));
    }
}
