//! The kernel's NFS server without the programs that usually drive it: NFSv4 alone, one export for
//! 127.0.0.1, told to the kernel through `/proc/fs/nfsd` and its caches.

use std::fs;
use std::path::Path;

use crate::disks;

const CONTROL: &str = "/proc/fs/nfsd";
/// `NFSEXP_INSECURE_PORT`, `NOSUBTREECHECK`, `FSID`: a client's root stays root.
const FLAGS: u32 = 0x2 | 0x400 | 0x2000;

/// The server of one directory; stopped when dropped.
pub struct Server {
    exported: String,
}

impl Server {
    /// Serves `directory` as the root of all exports.
    pub fn start(directory: &Path) -> Self {
        if !Path::new(CONTROL).join("threads").exists() {
            disks::run(&format!("mount -t nfsd nfsd {CONTROL}"));
        }
        let server = Self { exported: directory.display().to_string() };
        for (file, text) in [
            ("versions", "-2 -3 +4 +4.1 +4.2"),
            // For so long after a start clients may only take up again what they had; 10 is the
            // least.
            ("nfsv4gracetime", "10"),
            ("nfsv4leasetime", "10"),
        ] {
            control(file, text);
        }
        server.again();
        server
    }

    /// After [`Server::stop`]: a stopped server forgets what it exports.
    pub fn again(&self) {
        let forever = "2000000000";
        let directory = &self.exported;
        cache("auth.unix.ip", &format!("nfsd 127.0.0.1 {forever} *"));
        cache("nfsd.export", &format!("* {directory} {forever} {FLAGS} 65534 65534 0"));
        cache("nfsd.fh", &format!("* 1 \\x00000000 {forever} {directory}"));
        control("portlist", "tcp 2049");
        control("threads", "2");
    }

    /// Nobody answers any more.
    pub fn stop(&self) {
        control("threads", "0");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        // The caches hold the directory.
        for name in ["nfsd.fh", "nfsd.export", "auth.unix.ip"] {
            let path = Path::new("/proc/net/rpc").join(name).join("flush");
            fs::write(&path, "2000000000\n").expect("root");
        }
    }
}

fn control(file: &str, text: &str) {
    let path = Path::new(CONTROL).join(file);
    fs::write(&path, format!("{text}\n")).unwrap_or_else(|e| panic!("{text} to {file}: {e}"));
}

/// What `rpc.mountd` would answer.
fn cache(name: &str, line: &str) {
    let path = Path::new("/proc/net/rpc").join(name).join("channel");
    fs::write(&path, format!("{line}\n")).unwrap_or_else(|e| panic!("{line} to {name}: {e}"));
}
