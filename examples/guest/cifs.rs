//! A real CIFS mount of a share of Samba: bytes and requests as the client counted them; the
//! server is killed and comes back.

use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::cifs_server::{SHARE, Server};
use crate::daemon::Daemon;
use crate::disks;
use crate::files::{MIB, write};
use crate::host::{Host, eventually, series, volume};
use crate::report::Report;

const MOUNT: &str = "/mnt/cifs";
/// A directory of the configuration that lies on it.
const DIRECTORY: &str = "/mnt/cifs/directory";
/// A volume elsewhere.
const ELSEWHERE: &str = "archive-2025";
const BYTES: u64 = 24 * MIB;
/// What the client counts.
const STATS: &str = "/proc/fs/cifs/Stats";

/// The scenario.
pub fn run(report: &mut Report) {
    let (work, exported) = (Path::new("/mnt/work"), Path::new("/mnt/exported"));
    disks::fresh("ext4", disks::EXT4, work, "rw");
    disks::fresh("ext4", disks::SCRATCH, exported, "rw");
    let mut server = Server::start(exported);
    server.mount(Path::new(MOUNT));
    fs::create_dir(DIRECTORY).expect("the share is writable");
    let config = format!(
        "directories: [{DIRECTORY}]\nfilesystems:\n  timeout: 1s\n  interval: 1s\n\
         network:\n  interval: 1s\nusage:\n  cpu_budget: 0.3\n  max_age: 2s\n"
    );
    let host = Host::create(work, &config);
    let daemon = host.serve();
    report.name = "bytes".to_owned();
    counted(report, &daemon);
    report.name = "killed".to_owned();
    killed(report, &daemon, &mut server);
    report.name = "again".to_owned();
    again(report, &daemon, &mut server);
    drop(daemon);
    drop(host);
    report.equal("unmounted", disks::unmount(Path::new(MOUNT)), Ok(()));
    drop(server);
    // Connections that end hold the directory.
    let unmounted = eventually(30, || disks::unmount(exported).is_ok());
    report.equal("export unmounted", unmounted, true);
    report.equal("work unmounted", disks::unmount(work), Ok(()));
}

/// A counter or gauge of the mount.
fn of_mount(daemon: &Daemon, name: &str) -> Option<f64> {
    let family = format!("plimsoll_network_filesystem_{name}");
    series(daemon, &family, &[("server", "127.0.0.1"), ("export", SHARE), ("mount_point", MOUNT)])
}

fn requests(daemon: &Daemon, operation: &str) -> Option<f64> {
    let family = "plimsoll_network_filesystem_operations_total";
    series(daemon, family, &[("mount_point", MOUNT), ("operation", operation)])
}

/// Number after a word of [`STATS`], which has one share, once the heading has been passed: what is
/// before it counts for all shares together.
fn kernel(word: &str) -> Option<f64> {
    let text = fs::read_to_string(STATS).expect("the client is loaded");
    let of_share = text.split(&format!("\\\\127.0.0.1\\{SHARE}")).nth(1)?;
    let (_, after) = of_share.split_once(word)?;
    after.split_whitespace().next()?.parse().ok()
}

/// What is written and read arrives in the counters to the byte, requests as the kernel has them.
fn counted(report: &mut Report, daemon: &Daemon) {
    let file = Path::new(DIRECTORY).join("file");
    write(&file, BYTES).expect("the server answers");
    let written = || of_mount(daemon, "written_bytes_total");
    eventually(20, || written() == Some(BYTES as f64));
    report.equal("written", written(), Some(BYTES as f64));
    disks::forget_caches();
    report.equal("read back", fs::read(&file).expect("read").len() as u64, BYTES);
    let read = || of_mount(daemon, "read_bytes_total");
    eventually(20, || read() == Some(BYTES as f64));
    report.equal("read", read(), Some(BYTES as f64));
    report.equal("the kernel's word", kernel("Bytes written:"), Some(BYTES as f64));
    for (operation, word) in [("READ", "Reads:"), ("WRITE", "Writes:"), ("CREATE", "Creates:")] {
        // Whether the server answers is asked with a CREATE, too: the count goes on while it is read.
        let before = kernel(word);
        let told = eventually(20, || {
            let told = requests(daemon, operation);
            before > Some(0.0) && before <= told && told <= kernel(word)
        });
        report.holds(operation, told, || {
            format!("{:?}, the kernel says {:?}", requests(daemon, operation), kernel(word))
        });
    }
    seconds_are_the_kernels(report, daemon);
    report.equal("responsive", of_mount(daemon, "responsive"), Some(1.0));
    report.equal("connected", of_mount(daemon, "connected"), Some(1.0));
    let tied = [("mount_point", MOUNT), ("volume", DIRECTORY)];
    let tied = series(daemon, "plimsoll_network_filesystem_volume_info", &tied);
    report.equal("tied to the volume on it", tied, Some(1.0));
    let row = volume(daemon, DIRECTORY);
    report.holds("not walked", row["used_bytes"].is_null(), || row.to_string());
}

/// The connection is this share's alone, so its times are too: `9 REQUESTS TICKS FASTEST SLOWEST`.
fn seconds_are_the_kernels(report: &mut Report, daemon: &Daemon) {
    let text = fs::read_to_string(STATS).expect("the client is loaded");
    let (_, ticks) = text.split_once("units are jiffies (").expect("CONFIG_CIFS_STATS2");
    let ticks: f64 = ticks.split(' ').next().and_then(|word| word.parse().ok()).expect("a number");
    let row = text.lines().find(|line| line.starts_with("  9\t")).expect("writes");
    let numbers: Vec<f64> = row.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let family = "plimsoll_network_filesystem_operation_execute_seconds_total";
    let told = || series(daemon, family, &[("mount_point", MOUNT), ("operation", "WRITE")]);
    println!("{} writes took {} ticks, {ticks} a second", numbers[1], numbers[2]);
    let same = eventually(20, || told() == Some(numbers[2] / ticks));
    report.holds("seconds of writes", same && numbers[2] > 0.0, || {
        format!("{:?}, the kernel says {row}", told())
    });
}

/// The server is gone: that is told, and nothing else waits.
fn killed(report: &mut Report, daemon: &Daemon, server: &mut Server) {
    server.kill();
    let began = Instant::now();
    let told = eventually(60, || of_mount(daemon, "responsive") == Some(0.0));
    println!("unresponsive after {:.1} s", began.elapsed().as_secs_f64());
    report.equal("told as unresponsive", told, true);
    let told = eventually(60, || of_mount(daemon, "connected") == Some(0.0));
    report.equal("told as not connected", told, true);
    let measured = || volume(daemon, ELSEWHERE)["measured_timestamp_seconds"].as_f64();
    let first = measured();
    let goes_on = eventually(30, || measured() > first);
    report.equal("the rest is measured", goes_on, true);
}

/// It comes back: so does the mount, and the counters go on.
fn again(report: &mut Report, daemon: &Daemon, server: &mut Server) {
    server.again();
    let began = Instant::now();
    let back = || (of_mount(daemon, "responsive"), of_mount(daemon, "connected"));
    let is_back = eventually(90, || back() == (Some(1.0), Some(1.0)));
    println!("back after {:.1} s", began.elapsed().as_secs_f64());
    report.holds("responsive and connected", is_back, || format!("{:?}", back()));
    write(&Path::new(DIRECTORY).join("more"), MIB).expect("the server answers");
    let written = || of_mount(daemon, "written_bytes_total");
    let all = (BYTES + MIB) as f64;
    eventually(20, || written() == Some(all));
    report.equal("written in all", written(), Some(all));
}
