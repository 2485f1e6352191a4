//! Fake hosts in temporary directories, and one real process.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::*;

struct Host {
    directory: tempfile::TempDir,
    roots: Roots,
}

fn host() -> Host {
    let directory = tempfile::tempdir().unwrap();
    let roots = Roots {
        procfs: directory.path().join("proc"),
        sysfs: directory.path().join("sys"),
        rootfs: directory.path().join("root"),
    };
    std::fs::create_dir_all(&roots.procfs).unwrap();
    std::fs::create_dir_all(&roots.rootfs).unwrap();
    Host { directory, roots }
}

impl Host {
    fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn process(&self, pid: u32, parent: u32, command: &str, environment: Option<&str>) {
        let nul = |text: &str| text.split(' ').map(|word| format!("{word}\0")).collect::<String>();
        self.put(&format!("proc/{pid}/cmdline"), nul(command));
        self.put(&format!("proc/{pid}/comm"), "any\n");
        self.put(&format!("proc/{pid}/stat"), format!("{pid} (x) S {parent} 1 1"));
        if let Some(environment) = environment {
            self.put(&format!("proc/{pid}/environ"), nul(environment));
        }
    }

    fn listen(&self, pid: u32, address: &str, inode: u64) {
        let line = format!("  0: {address} 00000000:0000 0A 0:0 00:0 0 0 0 {inode} 1\n");
        self.put(&format!("proc/{pid}/net/tcp"), format!("sl local\n{line}"));
    }

    fn socket(&self, pid: u32, inode: u64) {
        let directory = self.roots.procfs.join(pid.to_string()).join("fd");
        std::fs::create_dir_all(&directory).unwrap();
        std::os::unix::fs::symlink(format!("socket:[{inode}]"), directory.join("7")).unwrap();
        std::os::unix::fs::symlink("/dev/null", directory.join("0")).unwrap();
    }
}

fn found<T>(value: T, origin: &str) -> Option<Found<T>> {
    Some(Found { value, origin: origin.to_owned() })
}

#[test]
fn an_empty_host_has_no_agent() {
    let located = locate(&host().roots);
    assert!(located.is_absent());
    assert_eq!(located, Located::default());
}

#[test]
fn a_missing_procfs_is_told() {
    let mut host = host();
    host.roots.procfs = host.directory.path().join("nowhere");
    let located = locate(&host.roots);
    assert!(located.is_absent());
    assert_eq!(located.errors[0].reason, "missing");
}

#[test]
fn the_command_line_before_the_environment_and_no_files() {
    let host = host();
    host.process(1, 0, "/sbin/init", None);
    host.process(77, 1, "vim mesos-agent", None);
    host.process(
        812,
        1,
        "/usr/sbin/mesos-agent --work_dir=/srv/mesos --no-strict --master=zk://u:pw@zk:2181/m",
        Some("MESOS_WORK_DIR=/other MESOS_PORT=5052 MESOS_IP=10.1.2.3 PATH=/bin"),
    );
    host.process(813, 812, "/usr/sbin/mesos-agent --work_dir=/srv/mesos", None); // just forked
    host.put("root/etc/mesos-slave/runtime_dir", "/stale\n");
    let located = locate(&host.roots);
    assert_eq!(located.errors, []);
    assert_eq!(located.pid, Some(812));
    let origin = "command line of mesos-agent (pid 812)";
    assert_eq!(located.work_dir, found("/srv/mesos".into(), origin));
    assert_eq!(located.runtime_dir, found("/var/run/mesos".into(), "default"));
    let origin = "environment of mesos-agent (pid 812)";
    assert_eq!(located.url, found("http://10.1.2.3:5052".to_owned(), origin));
    assert_eq!(located.flags["strict"], "false");
    assert_eq!(located.flags["master"], "zk://<hidden>@zk:2181/m");
    assert_eq!(located.flags.len(), 5);
}

#[test]
fn the_files_stand_in_for_an_environment_that_cannot_be_read() {
    let host = host();
    host.process(9, 1, "/usr/sbin/mesos-slave --ip=0.0.0.0", None);
    host.put("root/etc/mesos-agent/work_dir", "/var/lib/mesos\n");
    host.put("root/etc/mesos-slave/work_dir", "/old\n");
    host.put("root/etc/mesos-slave/port", "5055");
    host.put("root/etc/mesos-slave/port.rpmnew", "1");
    host.put("root/etc/mesos-slave/?no-switch_user", "");
    host.put("root/etc/mesos-slave/attributes/rack", "r7");
    host.put("root/etc/default/mesos", "MESOS_RUNTIME_DIR='/run/common'\nIP=10.0.0.9\n");
    host.put("root/etc/default/mesos-slave", "export MESOS_RUNTIME_DIR=\"/run/slave\"\n");
    host.put("root/etc/default/mesos-master", "MESOS_WORK_DIR=/master\n");
    let located = locate(&host.roots);
    assert_eq!(located.errors, []);
    assert_eq!(located.work_dir, found("/var/lib/mesos".into(), "/etc/mesos-agent/work_dir"));
    assert_eq!(located.runtime_dir, found("/run/slave".into(), "/etc/default/mesos-slave"));
    // --ip=0.0.0.0 of the process comes before IP= of the file, and means every address.
    assert_eq!(located.url, found("http://127.0.0.1:5055".to_owned(), "/etc/mesos-slave/port"));
    assert_eq!(located.flags["switch_user"], "false");
}

#[test]
fn files_alone() {
    let host = host();
    host.put("root/etc/default/clusterd", "MESOS_WORK_DIR=/c\nLIBPROCESS_SSL_ENABLED=1\n");
    let located = locate(&host.roots);
    assert_eq!((located.pid, located.is_absent()), (None, false));
    assert_eq!(located.work_dir, found("/c".into(), "/etc/default/clusterd"));
    assert_eq!(located.url, found("https://127.0.0.1:5051".to_owned(), "default"));
}

#[test]
#[cfg(target_endian = "little")]
fn the_listening_socket_before_every_flag() {
    let host = host();
    host.process(5, 1, "/opt/clusterd-agent --work_dir=/w --port=5051", Some("A=b"));
    // 10.0.0.7:5051, held by another process.
    host.listen(5, "0700000A:13BB", 1000);
    let origin = "command line of clusterd-agent (pid 5)";
    host.socket(5, 2000);
    assert_eq!(locate(&host.roots).url, found("http://127.0.0.1:5051".to_owned(), origin));
    std::fs::remove_dir_all(host.roots.procfs.join("5/fd")).unwrap();
    // Open files hidden: the port is what tells.
    let origin = "listening socket of clusterd-agent (pid 5)";
    assert_eq!(locate(&host.roots).url, found("http://10.0.0.7:5051".to_owned(), origin));
    // A table of a host with very many connections.
    let line = "  0: 0700000A:13BB 00000000:0000 0A 0:0 00:0 0 0 0 1000 1\n".to_owned();
    host.put("proc/5/net/tcp", line + &"  1: 0700000A:0001 0:0 01\n".repeat(100_000));
    assert_eq!(locate(&host.roots).url, found("http://10.0.0.7:5051".to_owned(), origin));
    // Its only socket, on another port than it was told (a port of 0 is chosen by the kernel).
    host.listen(5, "00000000:2710", 2000);
    host.socket(5, 2000);
    assert_eq!(locate(&host.roots).url, found("http://127.0.0.1:10000".to_owned(), origin));
}

#[test]
fn values_in_files_and_relative_ones() {
    let host = host();
    host.put("root/etc/wd", "/from/file\n");
    host.process(3, 1, "mesos-agent --work_dir=file:///etc/wd --runtime_dir=run", Some(""));
    let cwd = host.roots.procfs.join("3/cwd");
    let located = locate(&host.roots);
    let origin = "command line of mesos-agent (pid 3)";
    let from_file = format!("/etc/wd, named by {origin}");
    assert_eq!(located.work_dir, found("/from/file".into(), &from_file));
    assert_eq!(located.runtime_dir, found("/var/run/mesos".into(), "default"));
    assert_eq!(located.errors[0].reason, "ambiguous");
    std::os::unix::fs::symlink("/home/mesos", cwd).unwrap();
    let located = locate(&host.roots);
    assert_eq!(located.runtime_dir, found("/home/mesos/run".into(), origin));
    assert_eq!(located.errors, []);
    std::fs::remove_file(host.roots.rootfs.join("etc/wd")).unwrap();
    let located = locate(&host.roots);
    assert_eq!((located.work_dir, located.errors[0].reason), (None, "missing"));
}

#[test]
fn several_agents_are_told() {
    let host = host();
    host.process(30, 1, "mesos-agent --work_dir=/b", Some(""));
    host.process(20, 1, "mesos-agent --work_dir=/a", Some(""));
    let located = locate(&host.roots);
    assert_eq!((located.pid, located.errors[0].reason), (Some(20), "ambiguous"));
    assert!(located.errors[0].message.contains("(pid 30)"), "{:?}", located.errors);
}

#[test]
fn hostile_contents() {
    let host = host();
    host.put("proc/4/cmdline", b"/x/mesos-agent\0--work_dir=/\xff\xfe\0--\0=\0--=x\0\0");
    host.put("proc/4/environ", b"MESOS_=\0=\0MESOS_PORT=99999999\0\xff\xff=\xff\0MESOS_IP=x y");
    host.put("proc/4/stat", b"");
    host.put("proc/4/net/tcp", vec![b'A'; 3 << 20]);
    host.put("proc/4x/cmdline", "mesos-agent");
    host.put("proc/99999999999999999999/cmdline", "mesos-agent");
    let located = locate(&host.roots);
    assert_eq!(located.pid, Some(4));
    assert_eq!(located.url, found("http://127.0.0.1:5051".to_owned(), "default"));
    assert_eq!((located.work_dir, located.errors[0].reason), (None, "malformed"));

    let host = self::host();
    host.put("root/etc/mesos-slave/work_dir", vec![b'x'; (MAX_FILE_BYTES + 1) as usize]);
    host.put("root/etc/mesos-slave/port", b"\xff");
    let odd = host.roots.rootfs.join("etc/mesos-slave").join(OsStr::from_bytes(b"\xff\n"));
    std::fs::write(odd, "x").unwrap();
    let pipe = host.roots.rootfs.join("etc/mesos-slave/ip");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let located = locate(&host.roots);
    assert_eq!(located.work_dir, None);
    let messages: Vec<_> = located.errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "cannot read /etc/mesos-slave/ip: not a regular file",
            "cannot read /etc/mesos-slave/work_dir: longer than 1048576 bytes",
        ]
    );
}

/// A real process that bears the agent's name, in the real `/proc`.
#[test]
fn a_running_process_is_found() {
    use std::os::unix::process::CommandExt;
    let work = tempfile::tempdir().unwrap();
    let flag = format!("--work_dir={}", work.path().display());
    // A shell that waits for its input takes any arguments.
    let mut agent = std::process::Command::new("/bin/sh")
        .arg0("/usr/sbin/mesos-agent")
        .args(["-c", "read line", &flag])
        .env("MESOS_PORT", "1")
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Within an exec the arguments are empty for a moment.
    let arguments = format!("/proc/{}/cmdline", agent.id());
    while std::fs::read(&arguments).unwrap().is_empty() {
        std::thread::yield_now();
    }
    let roots = Roots::default();
    let mut errors = Vec::new();
    let process = process::find(&roots, &mut errors);
    let mut settings = Settings::default();
    // Another agent may run on the machine of whoever runs the tests: look at ours by its pid.
    let ours = process.filter(|process| process.pid == agent.id());
    let alone = errors.is_empty();
    let known = ours.as_ref().map(|ours| ours.read_settings(&roots, &mut settings, &mut errors));
    agent.kill().unwrap();
    agent.wait().unwrap();
    if alone {
        assert_eq!(known, Some(true));
        let label = ours.unwrap().label();
        assert_eq!(settings.get("work_dir").unwrap().value, work.path().to_str().unwrap());
        assert_eq!(settings.get("port").unwrap().origin, format!("environment of {label}"));
    } else {
        assert!(errors[0].message.contains(&format!("(pid {})", agent.id())), "{errors:?}");
    }
}
