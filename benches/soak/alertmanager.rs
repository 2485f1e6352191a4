//! A real Alertmanager that is away now and then.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// It is stopped once in so long…
const EVERY: Duration = Duration::from_secs(150);
/// …for so long.
const AWAY: Duration = Duration::from_secs(40);

pub struct Alertmanager {
    address: SocketAddr,
    dir: PathBuf,
}

impl Alertmanager {
    /// Not started yet.
    pub fn new(dir: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let dir = dir.join("alertmanager");
        std::fs::create_dir(&dir).expect("made");
        let config = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n";
        std::fs::write(dir.join("alertmanager.yml"), config).expect("written");
        Self { address: listener.local_addr().expect("an address"), dir }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn start(&self) -> Running {
        let child = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", self.dir.join("alertmanager.yml").display()))
            .arg(format!("--storage.path={}", self.dir.display()))
            .arg(format!("--web.listen-address={}", self.address))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus-alertmanager is installed by scripts/test");
        Running(child)
    }

    /// Returns how often it was away.
    pub fn come_and_go(&self, stopped: impl Fn() -> bool) -> usize {
        let (mut outages, mut since) = (0, Instant::now());
        let mut running = Some(self.start());
        while !stopped() {
            let limit = if running.is_some() { EVERY } else { AWAY };
            if since.elapsed() >= limit {
                since = Instant::now();
                running = if running.is_some() {
                    outages += 1;
                    None
                } else {
                    Some(self.start())
                };
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        outages
    }
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
