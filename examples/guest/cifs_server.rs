//! A CIFS server on 127.0.0.1: Samba's, with one share and one user.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::disks;
use crate::host::eventually;

/// Name of the share.
pub const SHARE: &str = "data";
const DIRECTORY: &str = "/run/samba";
const SETTINGS: &str = "/run/samba/smb.conf";
/// The user's password; MD4 of it in UTF-16, as the server keeps it.
const PASSWORD: (&str, &str) = ("password", "8846F7EAEE8FB117AD06BDD830B7586C");

/// The server of one directory; killed when dropped.
pub struct Server {
    process: Option<Child>,
}

impl Server {
    /// Shares `directory`.
    pub fn start(directory: &Path) -> Self {
        fs::create_dir_all(DIRECTORY).expect("room");
        let users = format!("{DIRECTORY}/smbpasswd");
        let mut settings = format!("[global]\npassdb backend = smbpasswd:{users}\n");
        for kind in ["private dir", "state directory", "cache directory", "lock directory"] {
            settings += &format!("{kind} = {DIRECTORY}\n");
        }
        settings += &format!(
            "pid directory = {DIRECTORY}\nbinddns dir = {DIRECTORY}\nncalrpc dir = {DIRECTORY}/rpc\n\
             log file = {DIRECTORY}/log\ninterfaces = lo\nbind interfaces only = yes\nsmb ports = 445\n\
             disable netbios = yes\ndisable spoolss = yes\nload printers = no\n\
             rpc start on demand helpers = no\nserver role = standalone server\n\
             [{SHARE}]\npath = {}\nread only = no\n",
            directory.display()
        );
        let user =
            format!("root:0:{}:{}:[U          ]:LCT-5A000000:\n", "X".repeat(32), PASSWORD.1);
        for (file, text) in [
            (SETTINGS, settings.as_str()),
            (&users, &user),
            ("/etc/passwd", "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"),
            ("/etc/group", "root:x:0:\nnogroup:x:65534:\n"),
        ] {
            fs::write(file, text).expect("room");
        }
        let mut server = Self { process: None };
        server.again();
        server
    }

    /// Mounts the share.
    pub fn mount(&self, top: &Path) {
        let options = format!("vers=3.1.1,username=root,password={},ip=127.0.0.1", PASSWORD.0);
        disks::mount("cifs", &format!("//127.0.0.1/{SHARE}"), top, &options);
    }

    /// After [`Server::kill`], too.
    pub fn again(&mut self) {
        let process = Command::new("smbd")
            .args(["--foreground", "--no-process-group", "--configfile", SETTINGS])
            .args(["--log-basename", DIRECTORY])
            .process_group(0)
            .stdin(Stdio::null())
            .spawn();
        self.process = Some(process.expect("Samba is in the guest"));
        // Listens to port 445.
        let listens = || {
            let table = fs::read_to_string("/proc/net/tcp").expect("there");
            table.lines().any(|line| line.contains(":01BD 00000000:0000 0A "))
        };
        assert!(eventually(60, listens), "the server does not listen");
    }

    /// Nobody answers any more; its connections are closed.
    pub fn kill(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        // SAFETY: kill takes two numbers; the group is this server's own, for each connection one
        // process.
        unsafe { libc::kill(-(process.id() as i32), libc::SIGKILL) };
        let _ = process.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
