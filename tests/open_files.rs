//! Who holds files open, on the real kernel with real processes.
#![allow(missing_docs)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use plimsoll::host::{MountTable, Roots};
use plimsoll::measure::open_files::{Answer, Held, Place, ProcessUse, Request, look, own_pid};
use support::mounts::Mounted;
use support::process::Process;

fn request(dirs: &[&Path]) -> Request {
    let table = MountTable::read(&Roots::default()).expect("a mount table");
    let place = |dir: &&Path| {
        let real = fs::canonicalize(dir).expect("it is there");
        Place::find(&table, &real).expect("it lies on a mount")
    };
    Request {
        procfs: "/proc".into(),
        mountinfo: "/proc/self/mountinfo".into(),
        places: dirs.iter().map(place).collect(),
        ignore: vec![],
    }
}

fn held(dir: &Path) -> Held {
    let answer = look(&request(&[dir]));
    assert_eq!((answer.error, answer.cut_short), (None, false));
    assert!(answer.processes > 0);
    answer.places[0].clone()
}

fn of(held: &Held, process: &Process) -> ProcessUse {
    let by = held.by.iter().find(|by| by.pid == process.pid());
    by.unwrap_or_else(|| panic!("{} is not in {held:#?}", process.pid())).clone()
}

fn directory() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let volume = dir.path().join("volume");
    fs::create_dir(&volume).expect("make");
    (dir, volume)
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn open_removed_and_inherited_files_are_counted_once_each() {
    let (dir, volume) = directory();
    assert_eq!(held(&volume), Held::default());
    // A neighbour whose name begins the same.
    let neighbour = dir.path().join("volume-2");
    fs::create_dir(&neighbour).expect("make");
    let other = Process::shell("exec 3>x; echo ready; exec sleep 600", &neighbour);
    let script = "exec 3>'volume/a b'; exec 4>volume/gone; exec 5<'volume/a b'; \
                  rm volume/gone; echo ready; exec sleep 600";
    let process = Process::shell(script, dir.path());
    let now = held(&volume);
    let by = of(&now, &process);
    assert_eq!((by.files, by.deleted, by.command.as_str()), (2, 1, "sleep"));
    assert!(!by.working_directory && !by.root_directory && by.mounted_at.is_none());
    assert_eq!((now.processes, now.files), (1, 2));
    assert_eq!(of(&held(&neighbour), &other).files, 1);
    assert!(of(&held(&neighbour), &other).working_directory);
    drop(process);
    assert_eq!(held(&volume), Held::default());
}

#[test]
fn a_mapped_file_without_a_descriptor_is_found() {
    let (_dir, volume) = directory();
    let program = volume.join("store\nd");
    fs::copy("/bin/sleep", &program).expect("copy");
    let mut child = Command::new(&program).arg("600").spawn().expect("a process");
    // Mapped once its new program runs.
    let start = Instant::now();
    while held(&volume).by.is_empty() && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let process = Process(child);
    let by = of(&held(&volume), &process);
    assert_eq!((by.files, by.deleted), (1, 0));
    fs::remove_file(&program).expect("remove");
    let by = of(&held(&volume), &process);
    assert_eq!((by.files, by.deleted), (1, 1));
    child = Command::new("true").spawn().expect("a process");
    child.wait().expect("it ends");
}

#[test]
fn names_are_told_by_the_mount_and_not_by_the_path() {
    if !is_root() {
        eprintln!("SKIPPED: mounting needs root");
        return;
    }
    let (dir, volume) = directory();
    let elsewhere = dir.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("make");
    // Another filesystem lies over the volume's own path: what is open there is not the volume's.
    fs::write(volume.join("below"), "x").expect("write");
    let before = request(&[&volume]);
    let over = Mounted::tmpfs(&volume, "1m");
    let stranger = Process::shell("exec 3>f; echo ready; exec sleep 600", &volume);
    let seen = |request: &Request| look(request).places[0].clone();
    assert_eq!(seen(&before), Held::default());
    assert_eq!(of(&seen(&request(&[&volume])), &stranger).files, 1);
    drop(stranger);
    assert!(over.umount());
    // Through a bind mount, in a namespace of its own that ours does not see.
    let script = format!(
        "mount --make-rprivate / && mount --bind '{}' '{}' && cd / && exec 3<'{}/below' && \
         echo ready && exec sleep 600",
        volume.display(),
        elsewhere.display(),
        elsewhere.display()
    );
    let mut unshare = Command::new("unshare");
    let hidden = Process::started(unshare.args(["--mount", "sh", "-c", &script]));
    let by = of(&held(&volume), &hidden);
    assert_eq!((by.files, by.working_directory), (1, false));
    assert_eq!(by.mounted_at.as_deref(), Some(elsewhere.as_os_str()));
    assert!(fs::read_dir(&elsewhere).expect("read").next().is_none(), "not mounted for us");
    drop(hidden);
    // A process that only has it mounted holds it as well.
    let script = script.replace("&& exec 3<", "|| exec 3<");
    let mut unshare = Command::new("unshare");
    let script = script.split(" || ").next().expect("the mounts").to_owned()
        + " && echo ready && exec sleep 600";
    let idle = Process::started(unshare.args(["--mount", "sh", "-c", &script]));
    let by = of(&held(&volume), &idle);
    assert_eq!((by.files, by.mounted_at.is_some()), (0, true));
}

#[test]
fn a_process_with_another_root_directory_is_told_by_the_same_file() {
    if !is_root() {
        eprintln!("SKIPPED: chroot needs root");
        return;
    }
    let (dir, volume) = directory();
    // A root with one program and the volume in it.
    let root = dir.path().join("root");
    for path in ["bin", "data"] {
        fs::create_dir_all(root.join(path)).expect("make");
    }
    let Some(busybox) = ["/bin/busybox", "/usr/bin/busybox"].iter().find(|p| Path::new(p).exists())
    else {
        eprintln!("SKIPPED: busybox is not installed");
        return;
    };
    if !String::from_utf8_lossy(&Command::new("ldd").arg(busybox).output().expect("ldd").stdout)
        .is_empty()
        && !Command::new("ldd").arg(busybox).status().is_ok_and(|status| !status.success())
    {
        eprintln!("SKIPPED: busybox is not static");
        return;
    }
    fs::copy(busybox, root.join("bin/busybox")).expect("copy");
    let _bound = Mounted::bind(&volume, &root.join("data"));
    let mut chroot = Command::new("chroot");
    let script = "exec 3>/data/f; echo ready; exec /bin/busybox sleep 600";
    let process = Process::started(chroot.arg(&root).args(["/bin/busybox", "sh", "-c", script]));
    let by = of(&held(&volume), &process);
    assert_eq!((by.files, by.root_directory), (1, false));
    let whole = of(&held(&root), &process);
    assert!(whole.root_directory);
}

#[test]
fn what_cannot_be_looked_into_is_counted_and_never_nobody() {
    if !is_root() {
        eprintln!("SKIPPED: changing the user needs root");
        return;
    }
    let (dir, volume) = directory();
    fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("open");
    let mine = Process::shell("exec 3>volume/f; echo ready; exec sleep 600", dir.path());
    // The same look as a user without capabilities: the answer comes back as text.
    let request = serde_json::to_string(&request(&[&volume])).expect("plain data");
    let (asked, answered) = (dir.path().join("request"), dir.path().join("answer"));
    fs::write(&asked, request).expect("write");
    fs::write(&answered, "").expect("write");
    std::os::unix::fs::chown(&answered, Some(65_534), None).expect("chown");
    // Where an unprivileged user can run it.
    let program = dir.path().join("look");
    fs::copy(std::env::current_exe().expect("itself"), &program).expect("copy");
    let status = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"])
        .arg(&program)
        .args(["--exact", "helper_that_answers_a_request", "--ignored"])
        .envs([("ASKED", &asked), ("ANSWERED", &answered)])
        .stdout(Stdio::null())
        .status()
        .expect("setpriv(1) is installed");
    assert!(status.success());
    let answer: Answer =
        serde_json::from_str(&fs::read_to_string(&answered).expect("read")).expect("an answer");
    assert!(answer.denied > 0, "{answer:?}");
    assert!(answer.places[0].by.iter().all(|by| by.pid != mine.pid()));
    let open = plimsoll::judge::open_files::of_place(&answer, 0, &[], 1.0);
    assert_eq!((open.files(), open.is_held()), (None, false));
    let why = open.unknown().expect("it says why");
    assert!(why.contains("could not be looked into, which takes CAP_SYS_PTRACE"), "{why}");
    // Whole again with the capability.
    assert_eq!(of(&held(&volume), &mine).files, 1);
}

#[test]
#[ignore = "not a test: another process answers a request"]
fn helper_that_answers_a_request() {
    let (Some(asked), Some(answered)) = (std::env::var_os("ASKED"), std::env::var_os("ANSWERED"))
    else {
        return;
    };
    let request: Request =
        serde_json::from_str(&fs::read_to_string(asked).expect("a request")).expect("a request");
    let answer = serde_json::to_string(&look(&request)).expect("plain data");
    fs::write(answered, answer).expect("write");
}

#[test]
fn our_own_processes_do_not_count() {
    let (_dir, volume) = directory();
    let _open = fs::File::create(volume.join("f")).expect("make");
    let mut request = request(&[&volume]);
    assert_eq!(look(&request).places[0].files, 1);
    request.ignore = vec![own_pid(Path::new("/proc")).expect("ourselves")];
    assert_eq!(request.ignore, [std::process::id()]);
    assert_eq!(look(&request).places[0], Held::default());
}

#[test]
fn a_missing_proc_filesystem_is_an_error() {
    let (dir, volume) = directory();
    let request = Request { procfs: dir.path().join("none").into(), ..request(&[&volume]) };
    let answer = look(&request);
    assert!(answer.error.is_some_and(|error| error.contains("none")), "{:?}", answer.places);
}
