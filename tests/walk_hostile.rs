//! Trees that change, resist or attack while they are walked.
#![allow(missing_docs)]

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use plimsoll::measure::usage::{Progress, Totals, Walk, WalkError};
use rustix::fs::{CWD, RenameFlags, renameat_with};

fn finish(mut walk: Walk, slice: usize) -> Result<Totals, WalkError> {
    loop {
        match walk.advance(slice) {
            Progress::More => {}
            Progress::Done(totals) => return Ok(totals),
            Progress::Failed(error) => return Err(error),
        }
    }
}

/// Runs `disturb` again and again on another thread while `check` runs on this one.
fn while_disturbed<T>(disturb: impl Fn(usize) + Send + Sync, check: impl FnOnce() -> T) -> T {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                disturb(round);
            }
        });
        // Also when `check` panics: else the scope would wait for ever.
        struct Stop<'a>(&'a AtomicBool);
        impl Drop for Stop<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let _stop = Stop(&stop);
        check()
    })
}

#[test]
fn what_vanishes_meanwhile_is_normal() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for i in 0..20 {
        fs::create_dir_all(root.join(format!("stays/{i}"))).unwrap();
        fs::write(root.join(format!("stays/{i}/file")), "x").unwrap();
    }
    let stable = 1 + 1 + 40;
    let disturb = |round: usize| {
        let comes = root.join(format!("stays/{}/comes", round % 20));
        fs::create_dir_all(comes.join("deeper")).unwrap();
        for i in 0..5 {
            fs::write(comes.join(format!("deeper/{i}")), "y").unwrap();
        }
        fs::remove_dir_all(comes).unwrap();
    };
    let (whole, disturbed) = while_disturbed(disturb, || {
        let (mut whole, mut disturbed) = (0, 0);
        let until = Instant::now() + Duration::from_secs(2);
        for slice in [1, 3, 1000].into_iter().cycle() {
            if Instant::now() >= until {
                break;
            }
            match finish(Walk::new(root, &[], &[]), slice) {
                Ok(totals) => {
                    assert!((stable..=stable + 20).contains(&totals.files), "{totals:?}");
                    whole += 1;
                }
                // The way back led through what was removed.
                Err(error) => {
                    assert_eq!(error.reason, "disturbed", "{error}");
                    disturbed += 1;
                }
            }
        }
        (whole, disturbed)
    });
    assert!(whole > 10 && whole > disturbed, "{whole} whole, {disturbed} disturbed");
}

#[test]
fn a_directory_swapped_for_a_link_never_leads_outside() {
    let dir = tempfile::tempdir().unwrap();
    let (root, outside) = (dir.path().join("box"), dir.path().join("outside"));
    fs::create_dir_all(root.join("a/inner/x")).unwrap();
    for i in 0..30 {
        fs::write(root.join(format!("a/inner/x/{i}")), "x").unwrap();
        fs::create_dir_all(outside.join(format!("inner/x/{i}"))).unwrap();
    }
    let huge = 1_u64 << 40;
    for place in ["", "inner", "inner/x"] {
        File::create(outside.join(place).join("huge")).unwrap().set_len(huge).unwrap();
    }
    symlink(&outside, root.join("link")).unwrap();
    let inside = 1 + 1 + 1 + 1 + 30 + 1;
    let exchange = |a: &Path, b: &Path| {
        renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).unwrap();
    };
    let swap = |_| exchange(&root.join("a"), &root.join("link"));
    let (whole, disturbed) = while_disturbed(swap, || {
        let (mut whole, mut disturbed) = (0, 0);
        let until = Instant::now() + Duration::from_secs(3);
        for slice in [1, 5, 1000].into_iter().cycle() {
            if Instant::now() >= until {
                break;
            }
            match finish(Walk::new(&root, &[], &[]), slice) {
                Ok(totals) => {
                    assert!(totals.apparent_bytes < huge, "{totals:?}");
                    assert!(totals.files <= inside + 34, "{totals:?}");
                    whole += 1;
                }
                Err(error) => {
                    assert_eq!(error.reason, "disturbed", "{error}");
                    disturbed += 1;
                }
            }
        }
        (whole, disturbed)
    });
    assert!(whole > 100, "{whole} whole, {disturbed} disturbed");
}

#[test]
fn a_root_swapped_for_a_link_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (root, link) = (dir.path().join("box"), dir.path().join("link"));
    let outside = dir.path().join("outside");
    for path in [&root, &outside] {
        fs::create_dir(path).unwrap();
        fs::create_dir(path.join("inner")).unwrap();
    }
    File::create(outside.join("huge")).unwrap().set_len(1 << 40).unwrap();
    symlink(&outside, &link).unwrap();
    let swap = |_| renameat_with(CWD, &root, CWD, &link, RenameFlags::EXCHANGE).unwrap();
    let (mut whole, mut refused) = (0, 0);
    while_disturbed(swap, || {
        let until = Instant::now() + Duration::from_secs(1);
        while Instant::now() < until {
            match finish(Walk::new(&root, &[], &[]), 1) {
                Ok(totals) => {
                    assert_eq!(totals.files, 2);
                    whole += 1;
                }
                Err(error) => {
                    assert!(matches!(error.reason, "replaced" | "disturbed"), "{error}");
                    refused += 1;
                }
            }
        }
    });
    assert!(whole > 0 && refused > 0, "{whole} whole, {refused} refused");
}

#[test]
fn what_may_not_be_read_fails_the_pass() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let closed = dir.path().join("open/closed\nhere");
    fs::create_dir_all(&closed).unwrap();
    fs::write(closed.join("file"), "x").unwrap();
    assert_eq!(finish(Walk::new(dir.path(), &[], &[]), 100).unwrap().files, 4);
    let as_nobody = |expect: &'static str| {
        let root = dir.path().to_path_buf();
        // Identities belong to threads as far as the kernel is concerned.
        let thread = std::thread::spawn(move || {
            let nobody = rustix::process::Uid::from_raw(65534);
            rustix::thread::set_thread_res_uid(nobody, nobody, nobody).expect("runs as root");
            finish(Walk::new(&root, &[], &[]), 100)
        });
        let result = thread.join().unwrap();
        match expect {
            "" => assert_eq!(result.expect("readable to all, O_NOATIME or not").files, 4),
            place => {
                let error = result.expect_err("closed");
                assert_eq!((error.reason, error.path.as_str()), ("permission", place));
            }
        }
    };
    as_nobody("");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    as_nobody("open/closed\\nhere");
    // May be listed, but nothing in it looked at.
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o744)).unwrap();
    as_nobody("open/closed\\nhere/file");
}
