//! What is not told of, or no more: lost events, open files, mappings, overlays.

use std::fs::{self, File, OpenOptions};
use std::process::Command;
use std::time::{Duration, Instant};

use plimsoll::measure::usage::hot::{WINDOW, untold};

use crate::support::du::du;
use crate::support::{mmap, mounts};
use crate::{append, make, open, quiet, recorded, refresh, settle, told, watcher, watcher_within};

#[test]
fn lost_events_end_it_until_the_next_full_pass() {
    // The reader spends its budget at once, and rests: the kernel's queue of 16384 runs over.
    let Some(watcher) = watcher_within(1e-6) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (busy, still) = (dir.path().join("busy"), dir.path().join("still"));
    make(&busy, 3, 3);
    make(&still, 3, 3);
    settle();
    let watch = watcher.watch();
    let (mut tree, mut other) =
        (told(&busy, Duration::ZERO, &watch), told(&still, Duration::ZERO, &watch));
    fs::write(busy.join("dir-0/wakes"), "the reader").unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    // Events of others may be read on the way; what counts is that the reader has spent something.
    while watch.stats().reader_cpu_seconds == 0.0 {
        assert!(Instant::now() < until, "the reader never wakes up");
        std::thread::sleep(Duration::from_millis(5));
    }
    let limit: usize = fs::read_to_string("/proc/sys/fs/fanotify/max_queued_events")
        .map_or(16_384, |text| text.trim().parse().unwrap());
    for n in 0..limit + 500 {
        File::create(busy.join(format!("dir-1/{n}"))).unwrap();
    }
    let (ours, expected) = quiet(&busy, &mut tree, 1_000_000);
    assert_eq!(ours, expected, "nothing is missed all the same");
    assert!(!tree.is_told());
    assert!(watch.stats().overflows_total > 0);
    // Every subject of that filesystem: its events may be among those lost.
    refresh(&mut other, 1_000_000);
    assert!(!other.is_told());
    assert_eq!(other.looked_at(), 4);
    let mut again = told(&still, Duration::ZERO, &watch);
    refresh(&mut again, 1_000_000);
    assert!(again.is_told());
    assert_eq!(again.looked_at(), 1);
    assert!(watch.stats().directories < 40_000);
}

#[test]
fn a_full_pass_that_finds_what_was_not_told_ends_the_trust() {
    let Some(watcher) = watcher() else { return };
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), 3, 3);
    settle();
    let watch = watcher.watch();
    let mut old = told(dir.path(), WINDOW, &watch);
    fs::write(dir.path().join("dir-1/new"), vec![1; 50_000]).unwrap();
    settle();
    let mut new = told(dir.path(), WINDOW, &watch);
    // Before it asked, the old tree was told of nothing: as if the kernel had not said it.
    assert!(untold(&old, &new));
    assert!(old.catch_up());
    assert!(!untold(&old, &new), "what was told is no reason");
    let stats = watch.stats();
    assert_eq!((stats.trusted, stats.untrusted, stats.listeners), (1, 0, 2));
    assert!(stats.events_total > 0);

    old.distrust();
    assert_eq!((watch.stats().trusted, watch.stats().untrusted), (0, 1));
    fs::write(dir.path().join("dir-2/new"), vec![1; 50_000]).unwrap();
    for tree in [&mut old, &mut new] {
        assert_eq!(quiet(dir.path(), tree, 1000).0, du(dir.path()));
        assert!(!tree.is_told(), "refreshed as without");
    }
    assert!(!told(dir.path(), WINDOW, &watch).is_told(), "until the next start");
}

#[test]
fn a_writer_that_never_closes_is_not_told_of_and_stays_hot() {
    let Some(watcher) = watcher() else { return };
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), 5, 5);
    let path = dir.path().join("dir-2/file-2");
    settle();
    let watch = watcher.watch();
    let mut cold = told(dir.path(), Duration::ZERO, &watch);
    let mut hot = told(dir.path(), WINDOW, &watch);
    let mut file = open(&path);
    append(&mut file, 300_000);
    let before = du(dir.path()).used - 300_000;
    assert!(refresh(&mut cold, 1000).used_bytes <= before + 8192, "the blind spot");
    assert_eq!(quiet(dir.path(), &mut hot, 1000).0, du(dir.path()), "hot files are looked at");
    append(&mut file, 300_000);
    assert_eq!(quiet(dir.path(), &mut hot, 1000).0, du(dir.path()));
    drop(file);
    assert_eq!(quiet(dir.path(), &mut cold, 1000).0, du(dir.path()), "closed: told of");
    assert!(cold.is_told() && hot.is_told());
}

#[test]
fn who_makes_a_file_and_keeps_it_open_is_followed_until_it_is_closed() {
    let Some(watcher) = watcher() else { return };
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), 5, 5);
    // Those are told of as closed before the tree is there, and hot by their age alone.
    settle();
    let mut tree = told(dir.path(), WINDOW, &watcher.watch());
    let mut file = File::create(dir.path().join("dir-2/segment")).unwrap();
    assert_eq!(quiet(dir.path(), &mut tree, 1000).0, du(dir.path()));
    let hot = tree.hot_files();
    for _ in 0..2 {
        append(&mut file, 300_000);
        assert_eq!(
            quiet(dir.path(), &mut tree, 1000).0,
            du(dir.path()),
            "of which nothing is told"
        );
    }
    append(&mut file, 100_000);
    drop(file);
    assert_eq!(quiet(dir.path(), &mut tree, 1000).0, du(dir.path()));
    assert_eq!(tree.hot_files(), hot - 1, "the next change will be told of");
    append(&mut open(&dir.path().join("dir-2/segment")), 100_000);
    assert_eq!(quiet(dir.path(), &mut tree, 1000).0, du(dir.path()));
    assert_eq!(tree.hot_files(), hot - 1);
    assert!(tree.is_told());
}

#[test]
fn a_mapping_is_told_of_when_it_ends() {
    let Some(watcher) = watcher() else { return };
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), 2, 2);
    let path = dir.path().join("dir-1/holes");
    File::create(&path).unwrap().set_len(1 << 20).unwrap();
    settle();
    let watch = watcher.watch();
    let mut cold = told(dir.path(), Duration::ZERO, &watch);
    let mut hot = told(dir.path(), WINDOW, &watch);
    let before = refresh(&mut cold, 1000).used_bytes;
    let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    for page in 0..20 {
        mmap::write_page(&file, page * 8192, 1);
    }
    file.sync_all().unwrap();
    assert_eq!(refresh(&mut cold, 1000).used_bytes, before, "the blind spot");
    assert_eq!(quiet(dir.path(), &mut hot, 1000).0, du(dir.path()), "hot files are looked at");
    drop(file);
    assert_eq!(quiet(dir.path(), &mut cold, 1000).0, du(dir.path()));
    assert!(du(dir.path()).used >= before + 20 * 4096);
}

#[test]
fn what_is_written_through_an_overlay() {
    let Some(watcher) = watcher() else { return };
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for name in ["box", "lower", "upper", "work", "merged"] {
        fs::create_dir(at(name)).unwrap();
    }
    make(&at("lower"), 2, 2);
    fs::write(at("upper").join("own"), "x").unwrap();
    settle();
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        at("lower").display(),
        at("upper").display(),
        at("work").display()
    );
    let mounted = Command::new("mount")
        .args(["-t", "overlay", "-o", &options, "overlay"])
        .arg(at("merged"))
        .status()
        .unwrap();
    assert!(mounted.success());
    let watch = watcher.watch();
    let mut tree = recorded(&at("box"), &[at("upper")], Duration::ZERO, &watch);
    // Whatever the test at the start found is what happens.
    let proven = watch.proof().overlay.expect("an overlay can be made here");
    assert_eq!(tree.is_told(), proven);
    let both = || {
        let (one, two) = (du(&at("box")), du(&at("upper")));
        one.used + two.used
    };
    append(&mut open(&at("merged").join("own")), 200_000);
    let found = refresh(&mut tree, 1000).used_bytes;
    if proven {
        assert_eq!(found, both(), "written in place through the overlay");
    } else {
        assert!(found < both(), "not told of, and rightly not believed");
    }
    // Copied up, made, removed: the upper directory changes, and either way that is seen.
    append(&mut open(&at("merged").join("dir-1/file-1")), 100_000);
    fs::write(at("merged").join("dir-0/new"), vec![1; 50_000]).unwrap();
    fs::remove_file(at("merged").join("dir-0/file-0")).unwrap();
    settle();
    let found = refresh(&mut tree, 1000).used_bytes;
    if proven {
        assert_eq!(found, both());
    } else {
        let own = du(&at("upper").join("own")).used;
        assert_eq!(found + own - 4096, both());
    }
    mounts::lazy_umount(&at("merged"));
}
