use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use super::*;
use crate::discover::mesos::facts::{RunDir, VolumeDir};

/// A host of its own, with a work directory at `/agent`.
struct Host {
    dir: tempfile::TempDir,
    roots: Roots,
    path_disks: Vec<PathBuf>,
    mount_disks: Vec<PathBuf>,
    look_for_links: bool,
}

impl Host {
    fn new(directories: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots { rootfs: dir.path().to_owned(), ..Roots::default() };
        let host =
            Self { dir, roots, path_disks: vec![], mount_disks: vec![], look_for_links: true };
        host.make("agent");
        directories.iter().for_each(|path| host.make(path));
        host
    }

    fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(path)
    }

    fn make(&self, path: impl AsRef<Path>) {
        fs::create_dir_all(self.at(path)).unwrap();
    }

    fn link(&self, target: &str, path: &str) {
        symlink(target, self.at(path)).unwrap();
    }

    fn list_from(&self, work_dir: &str) -> LayoutFacts {
        list(&LayoutOptions {
            roots: &self.roots,
            work_dir: Path::new(work_dir),
            path_disks: &self.path_disks,
            mount_disks: &self.mount_disks,
            look_for_links: self.look_for_links,
            avoid: Default::default(),
        })
    }

    fn list(&self) -> LayoutFacts {
        self.list_from("/agent")
    }
}

const RUNS: &str = "agent/slaves/S0/frameworks/F/executors/E/runs";

fn volume(volume: &VolumeDir) -> (Option<&Path>, &str, &str, &Path) {
    (volume.disk_root.as_deref(), &volume.role, &volume.id, &volume.dir.path)
}

fn run(run: &RunDir) -> [&str; 5] {
    [&run.agent_id, &run.framework, &run.executor, &run.container, run.dir.path.to_str().unwrap()]
}

#[test]
fn an_agent_that_never_ran_anything_has_whole_empty_lists() {
    let facts = Host::new(&[]).list();
    assert_eq!(facts.errors, []);
    assert_eq!(facts.work_dir.as_deref(), Some(Path::new("/agent")));
    assert_eq!(facts.agent_ids, Some(vec![]));
    assert_eq!((facts.runs, facts.standalone), (Some(vec![]), Some(vec![])));
    assert_eq!(facts.listed_disks, [None]);
    assert!(facts.volumes.is_empty() && facts.upper_dirs.is_empty() && !facts.runs_partial);
}

#[test]
fn a_work_directory_that_is_not_there_is_one_error_and_no_list() {
    let facts = Host::new(&[]).list_from("/nowhere");
    assert_eq!((facts.agent_ids, facts.runs, facts.standalone), (None, None, None));
    assert_eq!(facts.listed_disks, []);
    assert_eq!(facts.errors.len(), 1);
    assert_eq!(facts.errors[0].reason, "missing");
    assert_eq!(
        facts.errors[0].message,
        "resolve \"/nowhere\": No such file or directory (os error 2)"
    );
}

#[test]
fn sandboxes_of_every_kind() {
    let host = Host::new(&[
        &format!("{RUNS}/c1/containers/n1/containers/check-7"),
        &format!("{RUNS}/c1/containers/n2"),
        &format!("{RUNS}/c1/tasks"),
        &format!("{RUNS}/c2/deep/down/containers/none"),
        "agent/slaves/S1",
        "agent/containers/maint/containers/inner",
    ]);
    host.link("/agent/whatever/c2", &format!("{RUNS}/latest"));
    host.link("/x/containers/n1", &format!("{RUNS}/c1/tasks/db 1"));
    host.link("/x/containers/n2", &format!("{RUNS}/c1/tasks/side"));
    let facts = host.list();
    assert_eq!(facts.errors, []);
    assert_eq!(facts.agent_ids, Some(vec!["S0".into(), "S1".into()]));
    let runs = facts.runs.unwrap();
    let base = "/agent/slaves/S0/frameworks/F/executors/E/runs";
    let path = |tail: &str| format!("{base}/{tail}");
    let expected = [
        ("c1", path("c1")),
        ("c1.n1", path("c1/containers/n1")),
        ("c1.n1.check-7", path("c1/containers/n1/containers/check-7")),
        ("c1.n2", path("c1/containers/n2")),
        ("c2", path("c2")),
    ];
    let found: Vec<_> = runs.iter().map(run).collect();
    let expected: Vec<_> =
        expected.iter().map(|(id, path)| ["S0", "F", "E", id, path.as_str()]).collect();
    assert_eq!(found, expected);
    assert_eq!(runs[0].tasks, [("db 1".into(), "n1".into()), ("side".into(), "n2".into())]);
    let standalone = facts.standalone.unwrap();
    let found: Vec<_> = standalone.iter().map(run).collect();
    assert_eq!(
        found,
        [
            ["", "", "", "maint", "/agent/containers/maint"],
            ["", "", "", "maint.inner", "/agent/containers/maint/containers/inner"],
        ]
    );
    // The inode is the real one.
    let metadata = fs::metadata(host.at(format!("{RUNS}/c2"))).unwrap();
    let seen = &runs[4].dir;
    assert_eq!(seen.inode.2, metadata.ino());
    assert_eq!(
        u64::from(seen.inode.0) << 32 | u64::from(seen.inode.1),
        u64::from(rustix::fs::major(metadata.dev())) << 32
            | u64::from(rustix::fs::minor(metadata.dev()))
    );
    assert_eq!(seen.modified.floor(), metadata.mtime() as f64);
}

#[test]
fn volumes_of_the_work_directory_and_of_path_disks() {
    let mut host = Host::new(&[
        "agent/volumes/roles/analytics/wh-1/data",
        "agent/volumes/roles/ops db eu",
        "agent/volumes/roles/eng storage/s-1",
        "mnt/d0/volumes/roles/eng storage/p-1",
        "agent/relative/volumes/roles/r/q",
        "mnt/empty",
    ]);
    fs::write(host.at("agent/volumes/roles/analytics/a-file"), "x").unwrap();
    host.path_disks = ["/mnt/d0", "relative", "/mnt/empty", "/mnt/gone"].map(PathBuf::from).into();
    let facts = host.list();
    let found: Vec<_> = facts.volumes.iter().map(volume).collect();
    let expected = [
        (None, "analytics", "wh-1", "/agent/volumes/roles/analytics/wh-1"),
        (None, "eng/storage", "s-1", "/agent/volumes/roles/eng storage/s-1"),
        (Some("/mnt/d0"), "eng/storage", "p-1", "/mnt/d0/volumes/roles/eng storage/p-1"),
        (Some("relative"), "r", "q", "/agent/relative/volumes/roles/r/q"),
    ];
    let expected =
        expected.map(|(root, role, id, path)| (root.map(Path::new), role, id, Path::new(path)));
    assert_eq!(found, expected);
    let listed = [None, Some("/mnt/d0"), Some("relative"), Some("/mnt/empty")];
    assert_eq!(facts.listed_disks, listed.map(|root| root.map(PathBuf::from)));
    let reasons: Vec<_> = facts.errors.iter().map(|error| error.reason).collect();
    assert_eq!(reasons, ["missing"]);
    assert!(facts.errors[0].message.contains("/mnt/gone"));
}

#[test]
fn roots_of_mount_disks() {
    let mut host = Host::new(&["mnt/full/data", "mnt/fresh/lost+found", "mnt/bare"]);
    host.mount_disks =
        ["/mnt/full", "/mnt/fresh", "/mnt/bare", "/mnt/gone"].map(PathBuf::from).into();
    let facts = host.list();
    let found: Vec<_> = facts
        .mount_roots
        .iter()
        .map(|root| {
            (root.root.to_str().unwrap(), root.dir.is_some(), root.has_content, root.mounted)
        })
        .collect();
    assert_eq!(
        found,
        [
            ("/mnt/full", true, Some(true), false),
            ("/mnt/fresh", true, Some(false), false),
            ("/mnt/bare", true, Some(false), false),
            ("/mnt/gone", false, None, false),
        ]
    );
    assert_eq!(facts.errors.len(), 1);

    // A real mount point is told.
    let root = Roots::default();
    let options = LayoutOptions {
        roots: &root,
        work_dir: Path::new("/"),
        path_disks: &[],
        mount_disks: &[],
        look_for_links: false,
        avoid: Default::default(),
    };
    let facts = look_at_mount_disk(&options, Path::new("/proc"));
    assert!(facts.mount_roots[0].mounted);
    assert_eq!(facts.mount_roots[0].has_content, Some(true));
}

#[test]
fn names_of_any_bytes() {
    let host = Host::new(&[]);
    let strange = OsStr::from_bytes(b"a\n\xff");
    host.make(Path::new("agent/volumes/roles").join(strange).join(strange));
    host.make(Path::new(RUNS).join(strange));
    let facts = host.list();
    assert_eq!(facts.errors, []);
    let found = &facts.volumes[0];
    assert_eq!((found.role.as_str(), found.id.as_str()), ("a\n\\xff", "a\n\\xff"));
    // The path keeps its bytes, so that it can be opened.
    let real = Path::new("/agent/volumes/roles").join(strange).join(strange);
    assert_eq!(found.dir.path, real);
    assert!(host.roots.inside(&real).is_dir());
    assert_eq!(facts.runs.unwrap()[0].container, "a\n\\xff");
}

#[test]
fn the_operators_links_are_followed_and_no_other() {
    let host = Host::new(&[
        "data/mesos/volumes/roles/analytics/wh-1",
        "data/mesos/slaves/S0/frameworks/F/executors/E/runs/c1",
        "elsewhere/gone-1",
        "elsewhere/runs/c9",
    ]);
    host.make("var/lib");
    host.link("/data/mesos", "var/lib/mesos");
    host.link("/elsewhere", "data/mesos/volumes/roles/linked");
    host.link("/elsewhere/gone-1", "data/mesos/volumes/roles/analytics/linked");
    host.link("/elsewhere", "data/mesos/slaves/S0/frameworks/F/executors/linked");
    let facts = host.list_from("/var/lib/mesos");
    assert_eq!(facts.work_dir.as_deref(), Some(Path::new("/data/mesos")));
    let found: Vec<_> = facts.volumes.iter().map(volume).collect();
    let path = Path::new("/data/mesos/volumes/roles/analytics/wh-1");
    assert_eq!(found, [(None, "analytics", "wh-1", path)]);
    // What may lie behind the links makes both lists partial.
    assert_eq!(facts.listed_disks, []);
    assert!(facts.runs_partial);
    assert_eq!(facts.runs.unwrap().len(), 1);
    let messages: Vec<_> = facts.errors.iter().map(|error| &error.message).collect();
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert!(messages.iter().all(|text| text.contains("\"linked\" is a symbolic link")));
}

#[test]
fn a_link_where_the_agent_has_a_directory_is_an_error() {
    let host = Host::new(&["elsewhere/roles/r/v"]);
    host.link("/elsewhere", "agent/volumes");
    host.link("/elsewhere", "agent/slaves");
    host.link("/elsewhere", "agent/containers");
    let facts = host.list();
    assert_eq!((facts.agent_ids, facts.runs, facts.standalone), (None, None, None));
    assert_eq!((facts.volumes.len(), facts.listed_disks.len()), (0, 0));
    let reasons: Vec<_> = facts.errors.iter().map(|error| error.reason).collect();
    assert_eq!(reasons, ["malformed"; 3]);
}

#[test]
fn links_of_the_posix_isolators() {
    let mut host = Host::new(&[
        &format!("{RUNS}/c1/below/further"),
        &format!("{RUNS}/c1/containers/n1"),
        "agent/volumes/roles/analytics/wh-1",
    ]);
    host.mount_disks = vec!["/mnt/m0".into()];
    host.path_disks = vec!["/mnt/d0".into()];
    let sandbox = |name: &str| format!("{RUNS}/c1/{name}");
    host.link("/agent/volumes/roles/analytics/wh-1", &sandbox("warehouse"));
    host.link("/mnt/m0", &sandbox("index"));
    host.link("/mnt/d0/volumes/roles/r/v", &sandbox("below/data"));
    host.link("/agent/volumes/roles/analytics/wh-1", &sandbox("below/further/too-deep"));
    host.link("/etc/passwd", &sandbox("other"));
    host.link("stdout", &sandbox("relative"));
    host.link("/agent/volumes/roles/analytics/wh-1", &sandbox("containers/n1/nested"));
    let links = |host: &Host| -> Vec<Vec<(PathBuf, PathBuf)>> {
        let facts = host.list();
        let runs = facts.runs.unwrap();
        runs.into_iter().map(|run| run.links).collect()
    };
    let pair = |name: &str, target: &str| (PathBuf::from(name), PathBuf::from(target));
    let volume = "/agent/volumes/roles/analytics/wh-1";
    assert_eq!(
        links(&host),
        [
            vec![
                pair("index", "/mnt/m0"),
                pair("warehouse", volume),
                pair("below/data", "/mnt/d0/volumes/roles/r/v"),
            ],
            vec![pair("nested", volume)],
        ]
    );
    host.look_for_links = false;
    assert_eq!(links(&host), [vec![], vec![]]);
}

#[test]
fn what_a_task_puts_into_its_sandbox_is_no_fault_of_the_tree() {
    let host = Host::new(&[&format!("{RUNS}/c1"), &format!("{RUNS}/c2"), "secret/x"]);
    host.link("/secret", &format!("{RUNS}/c1/containers"));
    host.link("/secret", &format!("{RUNS}/c1/tasks"));
    fs::write(host.at(format!("{RUNS}/c2/containers")), "x").unwrap();
    fs::write(host.at(format!("{RUNS}/c2/tasks")), "x").unwrap();
    let facts = host.list();
    assert_eq!((facts.errors, facts.runs_partial), (vec![], false));
    assert_eq!(facts.runs.unwrap().len(), 2);
}

#[test]
fn nesting_without_end_is_bounded() {
    let host = Host::new(&[]);
    let deep = format!("{RUNS}/c/{}", "containers/n/".repeat(300));
    host.make(deep);
    let deep = format!("agent/provisioner/{}", "containers/n/".repeat(300));
    host.make(deep);
    let facts = host.list();
    assert_eq!(facts.runs.unwrap().len(), MAX_DEPTH);
    assert!(facts.runs_partial);
    let reasons: Vec<_> = facts.errors.iter().map(|error| error.reason).collect();
    assert_eq!(reasons, ["too_large"; 2]);
}

#[test]
fn nesting_without_end_in_width_is_bounded() {
    let host = Host::new(&[]);
    for number in 0..101 {
        fs::create_dir_all(host.at(format!("{RUNS}/c/containers/n{number:03}"))).unwrap();
    }
    host.make(format!("{RUNS}/d/containers/n"));
    let facts = host.list();
    let runs = facts.runs.unwrap();
    assert_eq!(runs.len(), 1 + 100 + 2);
    assert!(facts.runs_partial);
    assert_eq!(facts.errors.len(), 1);
    assert!(facts.errors[0].message.ends_with("more than 100 nested containers"));
}

#[test]
fn upper_directories_of_overlays() {
    let scratch = |place: &str, id: &str| {
        format!("agent/provisioner/containers/{place}/backends/overlay/scratch/{id}/upperdir/tmp")
    };
    let host = Host::new(&[
        &scratch("c1", "s1"),
        &scratch("c1", "s2"),
        &scratch("c1/containers/n1", "s3"),
        "agent/provisioner/containers/c2/backends/overlay/scratch/s4/workdir",
        "agent/provisioner/containers/c3/backends/copy/rootfses/r",
    ]);
    let facts = host.list();
    assert_eq!(facts.errors, []);
    let path = |place: &str, id: &str| {
        PathBuf::from(format!(
            "/agent/provisioner/containers/{place}/backends/overlay/scratch/{id}/upperdir"
        ))
    };
    let expected = [
        ("c1".to_owned(), vec![path("c1", "s1"), path("c1", "s2")]),
        ("c1.n1".to_owned(), vec![path("c1/containers/n1", "s3")]),
    ];
    assert_eq!(facts.upper_dirs.into_iter().collect::<Vec<_>>(), expected);
}
