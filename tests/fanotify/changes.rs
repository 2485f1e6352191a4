//! What is told of is found, and nothing else is looked at.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use plimsoll::measure::usage::hot::{Recorder, WINDOW};
use plimsoll::measure::usage::{Progress, Walk};
use proptest::prelude::*;

use crate::support::changes::{change, ops};
use crate::support::du::du;
use crate::{MEMORY, append, make, open, quiet, refresh, settle, told, watcher};

#[test]
fn only_what_was_told_of_is_looked_at() {
    let Some(watcher) = watcher() else { return };
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), 40, 50);
    settle();
    let mut tree = told(dir.path(), Duration::ZERO, &watcher.watch());
    assert!(tree.is_told(), "{:?}", watcher.watch().stats());
    refresh(&mut tree, 1_000_000);
    assert_eq!(tree.looked_at(), 1, "a still tree: its root");
    // A file that was still for long, written to and closed: no directory's time tells of it.
    append(&mut open(&dir.path().join("dir-7/file-3")), 100_000);
    let (ours, du) = quiet(dir.path(), &mut tree, 1_000_000);
    assert_eq!(ours, du);
    settle();
    append(&mut open(&dir.path().join("dir-7/file-3")), 100_000);
    fs::create_dir_all(dir.path().join("dir-9/new/deeper")).unwrap();
    fs::write(dir.path().join("dir-9/new/deeper/file"), vec![1; 9000]).unwrap();
    let totals = refresh(&mut tree, 1_000_000);
    // The root; a directory and its file; one with a few of its fifty files and an entry more; the
    // new ones.
    assert!((12..=24).contains(&tree.looked_at()), "{}", tree.looked_at());
    assert_eq!(totals.used_bytes, crate::du(dir.path()).used);
    // An ordinary program.
    settle();
    let mut truncate = Command::new("truncate");
    truncate.args(["-s", "0"]).arg(dir.path().join("dir-3/file-1"));
    assert!(truncate.status().unwrap().success());
    let (ours, du) = quiet(dir.path(), &mut tree, 1);
    assert_eq!(ours, du);
    // Without being told, the same stays unseen.
    drop(watcher);
}

#[test]
fn without_it_the_same_is_not_seen() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), 3, 3);
    settle();
    let mut walk =
        Walk::new(dir.path(), &[], &[]).recorded(Recorder::new(&[], Duration::ZERO, MEMORY));
    assert!(matches!(walk.advance(1_000_000), Progress::Done(_)));
    let mut tree = *walk.take_recorder().unwrap().finish().unwrap();
    append(&mut open(&dir.path().join("dir-1/file-1")), 100_000);
    assert!(refresh(&mut tree, 1_000_000).used_bytes < du(dir.path()).used);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 60, ..ProptestConfig::default() })]

    /// Whatever happened: equal to the byte, with hot files and, once all are closed, without.
    #[test]
    fn random_changes(
        first in ops(60),
        rounds in prop::collection::vec((ops(12), any::<bool>()), 1..5),
        slice in prop_oneof![Just(1_usize), 2..20_usize, Just(1_000_000)],
        hot: bool,
        beside in prop_oneof![Just(0), Just(60)],
    ) {
        let Some(watcher) = watcher() else { return Ok(()) };
        let dir = tempfile::tempdir().unwrap();
        let (root, outside) = (dir.path().join("box"), dir.path().join("beside"));
        fs::create_dir(&root).unwrap();
        fs::create_dir(&outside).unwrap();
        for n in 0..beside {
            fs::write(root.join(format!("beside-{n}")), vec![1; 100 * n]).unwrap();
        }
        first.iter().for_each(|op| change(&root, &outside, op));
        let window = if hot { WINDOW } else { Duration::ZERO };
        let mut tree = told(&root, window, &watcher.watch());
        for (ops, rest) in rounds {
            if rest {
                settle();
            }
            let mut linked_outside = links_outside(&root, &outside);
            for op in &ops {
                change(&root, &outside, op);
                linked_outside |= links_outside(&root, &outside);
            }
            let (ours, du) = quiet(&root, &mut tree, slice);
            prop_assert!(tree.is_told());
            // A file with a name outside may be written to by that name: nothing in the subject
            // is told of then.
            if linked_outside && (!hot || beside > 0) {
                break;
            }
            prop_assert_eq!(ours, du);
        }
    }
}

fn links_outside(root: &Path, outside: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let inodes = |top: &Path| -> std::collections::HashSet<u64> {
        let entries = walkdir::WalkDir::new(top).into_iter().map(Result::unwrap);
        entries.filter(|e| !e.file_type().is_dir()).map(|e| e.metadata().unwrap().ino()).collect()
    };
    inodes(root).intersection(&inodes(outside)).next().is_some()
}

#[test]
fn renames_across_subjects_are_told_to_both() {
    let Some(watcher) = watcher() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    make(&one, 10, 10);
    make(&two, 10, 10);
    fs::write(one.join("dir-3/large"), vec![1; 500_000]).unwrap();
    settle();
    let watch = watcher.watch();
    let mut trees = [&one, &two].map(|root| (root, told(root, Duration::ZERO, &watch)));
    fs::rename(one.join("dir-3/large"), two.join("dir-5/large")).unwrap();
    fs::rename(two.join("dir-8"), one.join("dir-1/moved")).unwrap();
    for (root, tree) in &mut trees {
        let (ours, du) = quiet(root, tree, 3);
        assert_eq!(ours, du, "{}", root.display());
        assert!(tree.is_told());
    }
    // What moved is told of where it is now.
    settle();
    append(&mut open(&two.join("dir-5/large")), 100_000);
    append(&mut open(&one.join("dir-1/moved/file-4")), 100_000);
    for (root, tree) in &mut trees {
        let (ours, du) = quiet(root, tree, 1_000_000);
        assert_eq!(ours, du, "{}", root.display());
        assert!(tree.looked_at() < 40, "{}", tree.looked_at());
    }
    // Another directory in the place of one that is gone, perhaps with its inode.
    fs::remove_dir_all(one.join("dir-2")).unwrap();
    fs::create_dir(one.join("dir-2")).unwrap();
    let (root, tree) = &mut trees[0];
    assert_eq!(quiet(root, tree, 5).0, du(root));
    settle();
    fs::write(one.join("dir-2/fresh"), vec![1; 50_000]).unwrap();
    settle();
    append(&mut open(&one.join("dir-2/fresh")), 100_000);
    assert_eq!(quiet(root, tree, 5).0, du(root));
}
