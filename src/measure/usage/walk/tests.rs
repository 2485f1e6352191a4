use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use super::*;

fn finish(walk: &mut Walk, max: usize) -> Result<Totals, WalkError> {
    loop {
        let progress = walk.advance(max);
        assert_eq!(walk.open_descriptors(), 0);
        match progress {
            Progress::More => {}
            Progress::Done(totals) => return Ok(totals),
            Progress::Failed(error) => return Err(error),
        }
    }
}

fn total(root: &Path, extra: &[PathBuf], skip: &[PathBuf]) -> Result<Totals, WalkError> {
    finish(&mut Walk::new(root, extra, skip), 1_000_000)
}

/// `root` with `wide` files, a chain of `deep` directories with a file each.
fn tree(wide: usize, deep: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("temporary directory");
    for i in 0..wide {
        fs::write(dir.path().join(format!("file {i}")), vec![0; i * 100]).expect("written");
    }
    let mut path = dir.path().to_path_buf();
    for i in 0..deep {
        path.push(format!("level {i}"));
        fs::create_dir(&path).expect("made");
        fs::create_dir(path.join("empty")).expect("made");
        fs::write(path.join("file"), "x").expect("written");
    }
    dir
}

#[test]
fn one_inode_at_a_time_gives_the_same() {
    let dir = tree(100, 100);
    let whole = total(dir.path(), &[], &[]).expect("whole");
    assert_eq!(whole.files, 1 + 100 + 300);
    for max in [1, 2, 7, 64] {
        let totals = finish(&mut Walk::new(dir.path(), &[], &[]), max).expect("whole");
        assert_eq!(totals, whole);
    }
    let old = finish(&mut Walk::new(dir.path(), &[], &[]).without_mount_ids(), 5).expect("whole");
    assert_eq!(old, whole);
}

#[test]
fn numbers_of_a_small_tree() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("file");
    fs::write(&file, vec![1; 10_000]).expect("written");
    fs::hard_link(&file, dir.path().join("link")).expect("linked");
    symlink("/etc", dir.path().join("away")).expect("linked");
    let meta = |path: &Path| fs::symlink_metadata(path).expect("is there");
    let (root, data, away) = (meta(dir.path()), meta(&file), meta(&dir.path().join("away")));
    let totals = total(dir.path(), &[], &[]).expect("whole");
    assert_eq!(totals.files, 3);
    assert_eq!(totals.used_bytes, (root.blocks() + data.blocks() + away.blocks()) * 512);
    assert_eq!(totals.apparent_bytes, root.len() + 10_000 + 4);
    let newest = [root, data, away].iter().map(MetadataExt::mtime).max().expect("three");
    assert_eq!(totals.newest_mtime.map(|newest| newest.change as i64), Some(newest));
}

#[test]
fn extra_roots_join_once_and_may_be_gone() {
    let (dir, other) = (tree(3, 1), tree(2, 0));
    let inner = dir.path().join("level 0");
    let extra = [other.path().to_path_buf(), inner.clone(), "/nonexistent/upper".into()];
    assert_eq!(total(dir.path(), &extra, &[]).expect("whole").files, 7 + 3);
    // The other way about: the extra root holds the main one.
    assert_eq!(total(&inner, &[dir.path().into()], &[]).expect("whole").files, 7);
    // Hard links across roots count once.
    fs::hard_link(other.path().join("file 1"), dir.path().join("shared")).expect("linked");
    assert_eq!(total(dir.path(), &extra, &[]).expect("whole").files, 7 + 3);
}

#[test]
fn skipped_paths_are_not_counted() {
    let dir = tree(3, 3);
    let skip = [dir.path().join("level 0/level 1"), dir.path().join("file 2"), "/".into()];
    assert_eq!(total(dir.path(), &[], &skip).expect("whole").files, 1 + 2 + 3);
}

#[test]
fn a_root_that_is_gone_or_no_directory() {
    let dir = tree(1, 1);
    let error = total(&dir.path().join("none"), &[], &[]).expect_err("is not there");
    assert_eq!((error.reason, error.path.as_str()), ("missing", "."));
    let link = dir.path().join("link");
    symlink(dir.path().join("level 0"), &link).expect("linked");
    assert_eq!(total(&link, &[], &[]).expect_err("a link").reason, "replaced");
    let file = dir.path().join("file 0");
    assert_eq!(total(&file, &[], &[]).expect_err("a file").reason, "replaced");
}

#[test]
fn a_directory_swapped_between_slices_disturbs_the_pass() {
    let dir = tree(0, 50);
    let mut walk = Walk::new(dir.path(), &[], &[]);
    while walk.frames.len() < 3 {
        assert!(matches!(walk.advance(1), Progress::More));
    }
    fs::rename(dir.path().join("level 0"), dir.path().join("elsewhere")).expect("renamed");
    let error = finish(&mut walk, 1).expect_err("the way back is lost");
    assert_eq!((error.reason, error.path.as_str()), ("disturbed", "level 0"));
    symlink("elsewhere", dir.path().join("level 0")).expect("linked");
    let mut walk = Walk::new(dir.path(), &[], &[]);
    assert_eq!(finish(&mut walk, 1).expect("whole").files, 1 + 150 + 1);
}

#[test]
fn a_finished_directory_may_go() {
    let dir = tempfile::tempdir().expect("temporary directory");
    for i in 0..3 {
        fs::create_dir(dir.path().join(format!("d{i}"))).expect("made");
        fs::write(dir.path().join(format!("d{i}/file")), "x").expect("written");
    }
    let mut walk = Walk::new(dir.path(), &[], &[]);
    // Stop inside a subdirectory that was read to its end.
    while walk.frames.last().is_none_or(|top| walk.frames.len() < 2 || !top.read_done) {
        assert!(matches!(walk.advance(1), Progress::More));
    }
    let name = walk.frames[1].name.to_str().expect("plain").to_owned();
    fs::remove_dir_all(dir.path().join(name)).expect("removed");
    assert_eq!(finish(&mut walk, 1).expect("whole").files, 7);
}

#[test]
fn many_pending_directories_are_read_in_steps() {
    let dir = tempfile::tempdir().expect("temporary directory");
    for i in 0..200 {
        fs::create_dir(dir.path().join(i.to_string())).expect("made");
    }
    let mut walk = Walk::new(dir.path(), &[], &[]);
    walk.pending = MANY_PENDING;
    let mut most = 0;
    loop {
        let progress = walk.advance(1);
        most = most.max(walk.frames.iter().map(|frame| frame.pending.len()).max().unwrap_or(0));
        match progress {
            Progress::More => {}
            Progress::Done(totals) => {
                assert_eq!(totals.files, 201);
                break;
            }
            Progress::Failed(error) => panic!("{error}"),
        }
    }
    assert!(most <= PENDING[1], "{most}");
}

#[test]
fn the_parts_of_a_split_walk_add_up() {
    let dir = tree(50, 60);
    let linked = dir.path().join("level 0/linked");
    fs::hard_link(dir.path().join("file 7"), linked).expect("linked");
    let whole = total(dir.path(), &[], &[]).expect("whole");
    let (mut sum, mut parts, mut splits) =
        (Totals::default(), vec![Walk::new(dir.path(), &[], &[])], 0);
    while let Some(mut walk) = parts.pop() {
        loop {
            match walk.advance_open(1, None) {
                Progress::More => {}
                Progress::Done(totals) => break sum.merge(&totals),
                Progress::Failed(error) => panic!("{error}"),
            }
            if let Some(part) = walk.split() {
                assert_eq!(part.open_descriptors(), 0);
                splits += 1;
                parts.push(part);
            }
        }
        assert_eq!(walk.open_descriptors(), 0);
    }
    assert_eq!(sum, whole);
    assert_eq!(splits, 10);
}
