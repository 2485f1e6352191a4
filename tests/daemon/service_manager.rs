//! What systemd is told, over a real notification socket (`sd_notify(3)`).

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use crate::scene;
use crate::support::daemon::Daemon;

/// Patience for one message.
const LIMIT: Duration = Duration::from_secs(60);

struct Manager {
    socket: UnixDatagram,
    _dir: tempfile::TempDir,
}

impl Manager {
    /// A daemon under a manager that wants a sign of life every two seconds.
    fn with_daemon(scene: &scene::Prepared) -> (Self, Daemon) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("bind");
        let path = path.to_str().expect("a UTF-8 path").to_owned();
        let environment = [("NOTIFY_SOCKET", path.as_str()), ("WATCHDOG_USEC", "2000000")];
        let daemon = scene.serve_with(&environment);
        (Self { socket, _dir: dir }, daemon)
    }

    /// The next message, unless none comes within `patience`.
    fn next(&self, patience: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(patience)).expect("a time-out");
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..length].to_vec()).expect("text"))
    }

    /// The first message that starts with `first`, whatever comes before it.
    fn wait_for(&self, first: &str) -> String {
        let end = Instant::now() + LIMIT;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|d| !d.is_zero()) {
            match self.next(left) {
                Some(message) if message.starts_with(first) => return message,
                _ => {}
            }
        }
        panic!("no message {first:?} within {LIMIT:?}")
    }
}

#[test]
fn ready_alive_reloading_and_stopping_are_told() {
    let scene = scene::quiet();
    let (manager, daemon) = Manager::with_daemon(&scene);
    let ready = manager.next(LIMIT).expect("a first message");
    assert!(ready.starts_with("READY=1\nSTATUS="), "{ready:?}");
    assert_eq!(daemon.get("/-/ready").status, 200, "told before it was true");

    for _ in 0..2 {
        let alive = manager.wait_for("WATCHDOG=1\n");
        assert!(alive.contains("STATUS=") && alive.contains(" volumes, "), "{alive:?}");
    }

    daemon.signal("HUP");
    let reloading = manager.wait_for("RELOADING=1\n");
    let time = reloading.trim_end().strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
    assert!(time.is_some_and(|time| time.parse::<u64>().is_ok()), "{reloading:?}");
    assert_eq!(manager.wait_for("READY=1\n"), "READY=1\n");

    // A configuration that is refused ends the reload as well.
    std::fs::write(&scene.config, "no_such_key: 1\n").expect("write");
    daemon.signal("HUP");
    manager.wait_for("RELOADING=1\n");
    assert_eq!(manager.wait_for("READY=1\n"), "READY=1\n");
    daemon.wait_for("the refusal in the log", LIMIT, |daemon| {
        daemon.log().contains("the old one stays in force").then_some(())
    });

    daemon.signal("TERM");
    assert_eq!(manager.wait_for("STOPPING=1"), "STOPPING=1\n");
    assert_eq!(daemon.stop(), Some(0));
}
