//! A real NFS mount: bytes match what was written and read; the server is stopped and comes back, and
//! meanwhile the mount is told as unresponsive within the time-out and nothing else waits for it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::daemon::Daemon;
use crate::disks;
use crate::files::{MIB, write};
use crate::host::{Host, eventually, series, volume};
use crate::nfs_server::Server;
use crate::report::Report;

const MOUNT: &str = "/mnt/nfs";
/// A directory of the configuration that lies on it.
const SHARE: &str = "/mnt/nfs/share";
/// A volume elsewhere.
const ELSEWHERE: &str = "archive-2025";
const BYTES: u64 = 24 * MIB;
/// `filesystems.timeout`, and the pauses between rounds.
const TIMEOUT: f64 = 1.0;
const INTERVAL: f64 = 1.0;

/// The scenario.
pub fn run(report: &mut Report) {
    let (work, exported) = (Path::new("/mnt/work"), Path::new("/mnt/exported"));
    disks::fresh("ext4", disks::EXT4, work, "rw");
    disks::fresh("ext4", disks::SCRATCH, exported, "rw");
    let server = Server::start(exported);
    let options = "addr=127.0.0.1,clientaddr=127.0.0.1,vers=4.2,sec=sys,timeo=20,retrans=1";
    disks::mount("nfs4", "127.0.0.1:/", Path::new(MOUNT), options);
    fs::create_dir(SHARE).expect("the share is writable");
    let config = format!(
        "directories: [{SHARE}]\nfilesystems:\n  timeout: 1s\n  interval: 1s\n\
         network:\n  interval: 1s\nusage:\n  cpu_budget: 0.3\n  max_age: 2s\n"
    );
    let host = Host::create(work, &config);
    let daemon = host.serve();
    report.name = "bytes".to_owned();
    counted(report, &daemon);
    report.name = "stopped".to_owned();
    let writer = stopped(report, &daemon, &server);
    report.name = "again".to_owned();
    again(report, &daemon, &server, writer);
    drop(daemon);
    drop(host);
    report.equal("unmounted", disks::unmount(Path::new(MOUNT)), Ok(()));
    drop(server);
    let unmounted = eventually(5, || disks::unmount(exported).is_ok());
    report.equal("export unmounted", unmounted, true);
    report.equal("work unmounted", disks::unmount(work), Ok(()));
}

/// A counter or gauge of the mount.
fn of_mount(daemon: &Daemon, name: &str) -> Option<f64> {
    let family = format!("plimsoll_network_filesystem_{name}");
    series(daemon, &family, &[("mount_point", MOUNT)])
}

/// What is written and read arrives in the counters to the byte, and the share is tied to them.
fn counted(report: &mut Report, daemon: &Daemon) {
    write(&Path::new(SHARE).join("file"), BYTES).expect("the server answers");
    let written = || of_mount(daemon, "written_bytes_total");
    eventually(20, || written() == Some(BYTES as f64));
    report.equal("written", written(), Some(BYTES as f64));
    disks::forget_caches();
    let read = fs::read(Path::new(SHARE).join("file")).expect("read back").len();
    report.equal("read back", read as u64, BYTES);
    let read = || of_mount(daemon, "read_bytes_total");
    eventually(20, || read() == Some(BYTES as f64));
    report.equal("read", read(), Some(BYTES as f64));
    report.equal("responsive", of_mount(daemon, "responsive"), Some(1.0));
    let tied = [("mount_point", MOUNT), ("volume", SHARE)];
    let tied = series(daemon, "plimsoll_network_filesystem_volume_info", &tied);
    report.equal("tied to the volume on it", tied, Some(1.0));
    let row = volume(daemon, SHARE);
    report.holds("not walked", row["used_bytes"].is_null(), || row.to_string());
}

/// The server is gone while a task writes.
fn stopped(report: &mut Report, daemon: &Daemon, server: &Server) -> Child {
    let threads =
        || fs::read_dir(format!("/proc/{}/task", daemon.pid())).map_or(0, Iterator::count);
    let before = threads();
    let (well, _) = scrapes(report, daemon);
    server.stop();
    let began = Instant::now();
    let writer = Command::new(std::env::current_exe().expect("its own path"))
        .args(["write", &format!("{SHARE}/more"), &MIB.to_string()])
        .stdout(Stdio::null())
        .spawn()
        .expect("started");
    let told = eventually(30, || of_mount(daemon, "responsive") == Some(0.0));
    let took = began.elapsed().as_secs_f64();
    report.holds("told as unresponsive", told, || format!("not within {took:.1} s"));
    println!("unresponsive after {took:.1} s, time-out {TIMEOUT} s");
    // Asked once a second, given up after another; twice that for a busy host.
    let most = 2.0 * (TIMEOUT + INTERVAL) + 1.0;
    report.holds("within the time-out", took < most, || format!("{took:.1} s"));

    let measured = || volume(daemon, ELSEWHERE)["measured_timestamp_seconds"].as_f64();
    let first = measured();
    let (usual, slowest) = scrapes(report, daemon);
    println!("20 scrapes: {usual:.3} s in the middle, {slowest:.3} s at most, {well:.3} s before");
    // One that waits for the mount takes longer by the time-out.
    let fast = usual - well < TIMEOUT / 2.0 && slowest - well < 5.0;
    report.holds("scrapes stay fast", fast, || format!("{usual:.3} s, {well:.3} s before"));
    report.holds("the rest is measured", measured() > first, || format!("{first:?}"));
    let now = threads();
    // One that waits for the mount, and one that took its place.
    report.holds("threads", now <= before + 2, || format!("{now}, {before} before"));
    // Long enough for a request to be sent again, and to be timed out (`timeo` is two seconds).
    std::thread::sleep(Duration::from_secs(12).saturating_sub(began.elapsed()));
    writer
}

/// Seconds of twenty scrapes: the middle one and the slowest.
fn scrapes(report: &mut Report, daemon: &Daemon) -> (f64, f64) {
    let mut took: Vec<f64> = Vec::new();
    for _ in 0..20 {
        let began = Instant::now();
        report.equal("a scrape", daemon.get("/metrics").status, 200);
        took.push(began.elapsed().as_secs_f64());
        std::thread::sleep(Duration::from_millis(100));
    }
    took.sort_unstable_by(f64::total_cmp);
    (took[10], took[19])
}

/// It comes back: the task goes on, and so do the counters.
fn again(report: &mut Report, daemon: &Daemon, server: &Server, mut writer: Child) {
    server.again();
    let began = Instant::now();
    let back = eventually(60, || of_mount(daemon, "responsive") == Some(1.0));
    println!("responsive again after {:.1} s", began.elapsed().as_secs_f64());
    report.equal("responsive again", back, true);
    let ended = writer.wait().is_ok_and(|status| status.success());
    report.equal("the task ends", ended, true);
    let all = (BYTES + MIB) as f64;
    let written = || of_mount(daemon, "written_bytes_total");
    eventually(20, || written() == Some(all));
    report.equal("written in all", written(), Some(all));
    let sent_again = || of_mount(daemon, "retransmissions_total").unwrap_or(0.0);
    let waited = || of_mount(daemon, "timeouts_total").unwrap_or(0.0);
    let (kernel_again, kernel_waited) = kernel();
    println!("the kernel counted {kernel_again} retransmissions and {kernel_waited} time-outs");
    let counted = eventually(10, || (sent_again(), waited()) == kernel());
    report.holds("sent again", counted && kernel_again + kernel_waited > 0.0, || {
        format!("{} and {}, the kernel says {:?}", sent_again(), waited(), kernel())
    });
}

/// Retransmissions and major time-outs of all requests but those that keep up the session, from
/// `mountstats`: `NAME: operations transmissions timeouts …`.
fn kernel() -> (f64, f64) {
    const SESSION: [&str; 18] = [
        "BIND_CONN_TO_SESSION",
        "CREATE_SESSION",
        "DESTROY_CLIENTID",
        "DESTROY_SESSION",
        "EXCHANGE_ID",
        "FREE_STATEID",
        "FSID_PRESENT",
        "FS_LOCATIONS",
        "GET_LEASE_TIME",
        "NULL",
        "RECLAIM_COMPLETE",
        "RENEW",
        "SECINFO",
        "SECINFO_NO_NAME",
        "SEQUENCE",
        "SETCLIENTID",
        "SETCLIENTID_CONFIRM",
        "TEST_STATEID",
    ];
    let text = fs::read_to_string("/proc/self/mountstats").expect("mountstats");
    let operations = text.split("per-op statistics").nth(1).expect("one NFS mount");
    let mut sums = (0.0, 0.0);
    for line in operations.lines() {
        let Some((name, numbers)) = line.trim().split_once(": ") else { continue };
        let numbers: Vec<f64> = numbers.split(' ').filter_map(|word| word.parse().ok()).collect();
        if let ([operations, sent, timeouts, ..], false) =
            (numbers.as_slice(), SESSION.contains(&name))
        {
            sums.0 += (sent - operations).max(0.0);
            sums.1 += timeouts;
        }
    }
    sums
}
