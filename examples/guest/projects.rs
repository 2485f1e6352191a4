//! Project ids that Plimsoll gives itself (`usage.assign_project_ids`), by the real daemon on real XFS
//! and ext4; and quotas read where the system call for it is denied.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use plimsoll::host::sys::{ProjectAttributes, project_attributes};
use plimsoll::host::{Guard, Roots};
use plimsoll::measure::usage::quota::assign::{Assigned, IdRules, NotAssigned, Place};

use crate::denied::without;
use crate::disks;
use crate::files::{MIB, du, limit, made, once, set_project, settle, tag, words, write};
use crate::host::{Host, eventually, volume};
use crate::report::Report;

/// A volume of the scene that nobody writes to, on the filesystem of the work directory.
const NEW: &str = "archive-2025";
const FIRST: u32 = 1_900_000_000;

/// The scenario.
pub fn run(report: &mut Report) {
    for (fstype, disk) in [("xfs", disks::XFS), ("ext4", disks::EXT4)] {
        let top = Path::new("/mnt/projects");
        disks::fresh(fstype, disk, top, "prjquota");
        report.name = fstype.to_owned();
        without_the_call(report, top);
        given_by_hand(report, top);
        given_by_the_daemon(report, top);
        report.equal("unmounted", disks::unmount(top), Ok(()));
    }
    // Where nothing counts projects nothing is written.
    let top = Path::new("/mnt/uncounted");
    disks::fresh("ext4", disks::EXT4, top, "rw");
    report.name = "ext4 without prjquota".to_owned();
    let dir = made(top, "empty");
    let guard = Guard::new(Roots::default(), Duration::from_secs(5));
    report.equal("no place", place(&guard, &dir).is_none(), true);
    report.equal("unmounted", disks::unmount(top), Ok(()));
}

/// `quotactl_fd(2)` denied as an old kernel or a filter does: the block device tells the same.
fn without_the_call(report: &mut Report, top: &Path) {
    let dir = made(top, "denied");
    tag(&dir, 1100);
    write(&dir.join("file"), 3 * MIB).expect("room");
    settle();
    let measured = || words(&once(&dir));
    let expected = measured();
    report.holds("by quotactl_fd", expected.starts_with("project_quota "), || expected.clone());
    let (fd, device) = (libc::SYS_quotactl_fd, libc::SYS_quotactl);
    for errno in [libc::ENOSYS, libc::EPERM] {
        report.equal("by the device", without(&[fd], errno, measured), expected.clone());
        let (bytes, files) = du(&dir);
        // Neither: without a limit there is nothing to be seen by statfs, with one there is.
        let walked = format!("walk {bytes} {files}");
        report.equal("neither", without(&[fd, device], errno, measured), walked);
    }
    limit(top, 1100, [0, 64 * MIB, 0, 0]);
    let (bytes, files) = du(&dir);
    let expected = format!("project_quota_statfs {bytes} {files}");
    report.equal("by statfs", without(&[fd, device], libc::EPERM, measured), expected);
}

/// Every reason to leave a directory alone, and the ids that are chosen.
fn given_by_hand(report: &mut Report, top: &Path) {
    let guard = Guard::new(Roots::default(), Duration::from_secs(5));
    let rules = IdRules { range: (7000, 7010), reserved: vec![(7000, 7001)] };
    let assign =
        |dir: &Path, rules: &IdRules| place(&guard, dir).expect("a counted place").assign(rules, 0);
    // An id that is in use elsewhere on the filesystem.
    let other = made(top, "other");
    tag(&other, 7002);
    let empty = made(top, "empty");
    report.equal("the first free id", assign(&empty, &rules).ok(), Some(Assigned::Given(7003)));
    let given = ProjectAttributes { id: 7003, inherit: true };
    report.equal("on the directory", attributes(&empty), given);
    report.equal("once only", assign(&empty, &rules).ok(), Some(Assigned::Tagged(7003)));
    let next = made(top, "next");
    report.equal("the next", assign(&next, &rules).ok(), Some(Assigned::Given(7004)));
    // Without the newer call the same.
    let third = made(top, "third");
    let found = without(&[libc::SYS_quotactl_fd], libc::ENOSYS, || assign(&third, &rules).ok());
    report.equal("by the device", found, Some(Assigned::Given(7005)));

    let full = made(top, "full");
    File::create(full.join("file")).expect("made");
    report.equal("not an empty one", assign(&full, &rules).ok(), Some(Assigned::NotEmpty));
    report.equal("nothing written", attributes(&full), ProjectAttributes { id: 0, inherit: false });
    let one = IdRules { range: (7003, 7004), reserved: Vec::new() };
    let late = made(top, "late");
    let found = assign(&late, &one);
    let none = matches!(found, Err(NotAssigned::NoneFree { .. }));
    report.holds("no id is free", none, || format!("{found:?}"));
    // Without a quotactl nothing is known of other ids, and nothing is given.
    let calls = [libc::SYS_quotactl_fd, libc::SYS_quotactl];
    let found = without(&calls, libc::EPERM, || assign(&late, &rules));
    report.equal("no capability", found.err().and_then(|e| e.errno()), Some(libc::EPERM));
    report.equal("late is as it was", attributes(&late).id, 0);
    // Where a filesystem is mounted there is nothing to tag.
    report.equal("not a mount point", place(&guard, top).is_none(), true);
    // A link in the place of a volume leads nowhere.
    let link = top.join("link");
    std::os::unix::fs::symlink(&late, &link).expect("a link");
    let found = assign(&link, &rules);
    report.holds("not through a link", found.is_err(), || format!("{found:?}"));
    report.equal("late is still as it was", attributes(&late).id, 0);
    // No limit came with the id.
    let limits = once(&empty).kernel_limit;
    report.equal("no limit", limits, None);
    // The id is free again when its directory is gone.
    fs::remove_dir(&next).expect("removed");
    settle();
    // XFS takes a removed directory off its project some time later (`xfs_inodegc`); while no id of
    // the range is free, nothing is written.
    let freed = IdRules { range: (7004, 7004), reserved: Vec::new() };
    let mut found = None;
    eventually(30, || {
        found = assign(&late, &freed).ok();
        found.is_some()
    });
    report.equal("used again", found, Some(Assigned::Given(7004)));
    set_project(&late, 0, false);
}

/// The scene's agent has a volume without anything in it: it gets an id, and nothing else does.
fn given_by_the_daemon(report: &mut Report, top: &Path) {
    let dir = top.join("host");
    let more = "usage:\n  assign_project_ids: true\n  max_age: 1s\n  cpu_budget: 0.5\n";
    let host = Host::create(&dir, more);
    let new = volume_dir(host.scene.work_dir(), NEW).expect("in the scene");
    for entry in fs::read_dir(&new).expect("a directory") {
        let path = entry.expect("an entry").path();
        let removed =
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.expect("removed");
    }
    // Claimed by nobody: left alone.
    let stray = new.with_file_name("nobodys");
    fs::create_dir(&stray).expect("made");
    let before = tagged(&dir);
    report.equal("nothing tagged yet", before.len(), 0);

    let daemon = host.serve();
    let given = eventually(30, || attributes(&new).id != 0);
    report.holds("given", given, || daemon.log());
    let expected = ProjectAttributes { id: FIRST, inherit: true };
    report.equal("the id", attributes(&new), expected);
    let said = eventually(5, || daemon.log().contains("Volume given a project id"));
    report.holds("and said so", said, || daemon.log());
    report.equal("nothing else", tagged(&dir), vec![new.clone()]);

    write(&new.join("data"), 5 * MIB).expect("room");
    settle();
    let used = du(&new).0;
    let counted = eventually(60, || {
        let row = volume(&daemon, NEW);
        row["method"] == "project_quota" && row["used_bytes"] == used
    });
    report.holds("counted by the kernel", counted, || volume(&daemon, NEW).to_string());
    daemon.stop();

    // What is on the directory is all there is to remember.
    let daemon = host.serve();
    let found = eventually(60, || volume(&daemon, NEW)["method"] == "project_quota");
    report.holds("after a restart", found, || volume(&daemon, NEW).to_string());
    report.equal("the same id", attributes(&new), expected);
    report.equal("nothing else, again", tagged(&dir), vec![new]);
    daemon.stop();

    let check = |more: &[(&str, &str)]| {
        let run = Command::new("/bin/plimsoll")
            .args(["check", "--config.file"])
            .arg(dir.join("plimsoll.yml"))
            .envs(more.iter().copied())
            .output()
            .expect("started");
        String::from_utf8_lossy(&run.stdout).into_owned()
    };
    let text = check(&[]);
    let line = text.lines().find(|line| line.contains("project_ids")).unwrap_or_default();
    let fine = line.contains(" ok ") && line.contains("1900000000-1900065535");
    report.holds("check", fine, || text.clone());
    let text = check(&[("PLIMSOLL_USAGE_PROJECT_ID_RANGE", "5000-6000")]);
    let told = text.contains("5000-6000 lies within the agent's xfs_project_range");
    report.holds("check of a range that is taken", told, || text);
    drop(host);
    let _ = fs::remove_dir_all(&dir);
}

fn place(guard: &Guard, dir: &Path) -> Option<Place> {
    Place::find(guard, dir).expect("the path can be followed")
}

fn attributes(dir: &Path) -> ProjectAttributes {
    let dir = File::open(dir).expect("a directory");
    project_attributes(dir.as_fd()).expect("project attributes")
}

/// Every directory below that has an id.
fn tagged(top: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut below = vec![top.to_path_buf()];
    while let Some(dir) = below.pop() {
        if attributes(&dir).id != 0 {
            found.push(dir.clone());
        }
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        let directory = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
        below.extend(entries.filter_map(Result::ok).filter(directory).map(|entry| entry.path()));
    }
    found
}

/// Where the scene has a volume of its work directory.
fn volume_dir(work_dir: &Path, name: &str) -> Option<PathBuf> {
    let roles = fs::read_dir(work_dir.join("volumes/roles")).ok()?;
    roles.filter_map(Result::ok).map(|role| role.path().join(name)).find(|path| path.is_dir())
}
