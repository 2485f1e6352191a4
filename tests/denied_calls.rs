//! Older kernels and stricter containers: the calls that Plimsoll can do without are taken away by
//! seccomp, on a real tree. What it needs `quotactl_fd` for is in the guest (`guest_projects`).
#![allow(missing_docs)]

mod support;

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use plimsoll::host::sys;
use plimsoll::host::{Guard, Roots};
use plimsoll::measure::usage::hot::{Recorder, Refreshed, WINDOW};
use plimsoll::measure::usage::{How, Progress, Target, Totals, Walk, measure_once};
use plimsoll::model::{SandboxKey, SourceKind, Subject};
use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use support::denied;
use support::du::{Du, du};
use support::mounts::Mounted;

fn numbers(totals: Totals) -> Du {
    Du { used: totals.used_bytes, apparent: totals.apparent_bytes, inodes: totals.files }
}

fn fill(root: &Path) {
    for n in 0..20 {
        fs::create_dir_all(root.join(format!("dir-{n}"))).unwrap();
        fs::write(root.join(format!("dir-{n}/file")), vec![1; 5000 * n]).unwrap();
    }
}

fn walk(root: &Path, skip: &[std::path::PathBuf]) -> Totals {
    let mut walk = Walk::new(root, &[], skip);
    loop {
        match walk.advance(7) {
            Progress::More => {}
            Progress::Done(totals) => return totals,
            Progress::Failed(error) => panic!("{error}"),
        }
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn without_mount_ids_the_device_and_the_mount_table_tell() {
    let dir = tempfile::tempdir().unwrap();
    let (root, other) = (dir.path().join("box"), dir.path().join("other"));
    fs::create_dir_all(root.join("volume")).unwrap();
    fs::create_dir_all(root.join("tmp")).unwrap();
    fill(&root);
    fill(&other);
    let alone = du(&root);
    // One of the same device, which only the mount table tells, and one of another.
    let _bind = Mounted::bind(&other, &root.join("volume"));
    let _tmpfs = Mounted::tmpfs(&root.join("tmp"), "1m");
    fs::write(root.join("tmp/file"), vec![1; 100_000]).unwrap();
    let table = plimsoll::host::MountTable::read(&Roots::default()).unwrap();
    let skip: Vec<_> = table.below(&root).map(|mount| mount.mount_point.clone()).collect();
    assert_eq!(skip.len(), 2);
    let without = denied::without_mount_ids(|| {
        let stat = statx(CWD, &root, AtFlags::empty(), StatxFlags::MNT_ID).unwrap();
        assert_eq!(stat.stx_mask & StatxFlags::MNT_ID.bits(), 0, "the bit is gone");
        let tree = {
            let recorder = Recorder::new(&skip, WINDOW, 1 << 20);
            let mut walk = Walk::new(&root, &[], &skip).recorded(recorder);
            assert!(matches!(walk.advance(1_000_000), Progress::Done(_)));
            walk.take_recorder().unwrap().finish()
        };
        fs::write(root.join("dir-3/more"), vec![1; 70_000]).unwrap();
        let refreshed = match tree.expect("remembered").refresh(1_000_000) {
            Refreshed::Done { totals, .. } => totals,
            other => panic!("{other:?}"),
        };
        (refreshed, walk(&root, &skip))
    });
    // What lies at the mount points themselves is not seen: two directories.
    let hidden = |found: Totals| {
        let mut found = numbers(found);
        found.inodes += 2;
        found
    };
    let grown = du(&root.join("dir-3/more"));
    for found in [without.0, without.1] {
        let found = hidden(found);
        assert_eq!(found.inodes, alone.inodes + 1);
        let directories = du(&other.join("dir-0")).used - du(&other.join("dir-0/file")).used;
        assert_eq!(found.used + 2 * directories, alone.used + grown.used);
    }
    // Where the kernel does tell, the mount table is not needed.
    assert_eq!(walk(&root, &[]), without.1);
}

#[test]
fn without_openat2_every_step_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("box");
    fill(&root);
    let subject = Subject::Sandbox(SandboxKey {
        source: SourceKind::Mesos,
        framework: "f".into(),
        executor: "e".into(),
        container: "c".into(),
    });
    let target = Target {
        subject,
        path: root.clone(),
        extra: Vec::new(),
        skip: Vec::new(),
        how: How::Walk,
        remote: false,
    };
    for errno in [libc::ENOSYS, libc::EPERM] {
        let measured = denied::without(&[libc::SYS_openat2], errno, || {
            let how = rustix::fs::ResolveFlags::NO_SYMLINKS;
            let flags = rustix::fs::OFlags::PATH;
            let mode = rustix::fs::Mode::empty();
            assert!(rustix::fs::openat2(CWD, "/", flags, mode, how).is_err(), "it is denied");
            let guard = Guard::new(Roots::default(), Duration::from_secs(5));
            measure_once(&guard, std::slice::from_ref(&target), |_| {}).remove(0).1
        });
        let sample = measured.sample.expect("measured");
        assert_eq!((sample.used_bytes, sample.files), (du(&root).used, Some(du(&root).inodes)));
    }
}

#[test]
fn quotactl_fd_says_why_it_is_missing() {
    for errno in [libc::ENOSYS, libc::EPERM] {
        let root = File::open("/").unwrap();
        let error = denied::without(&[libc::SYS_quotactl_fd], errno, || {
            sys::project_quota(root.as_fd(), 5).expect_err("denied")
        });
        assert_eq!(error.raw_os_error(), Some(errno));
    }
}
