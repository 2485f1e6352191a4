//! Which volumes are worth a look at open files, and what such a look means.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::measure::open_files::{Answer, Held, ProcessUse};
use crate::model::{
    FileUser, HeldOpen, OpenFiles, Presence, Sandbox, Snapshot, Timestamp, VolumeKey, VolumeKind,
    VolumeState, VolumeView,
};

/// Volumes of which it matters who holds them open: those that are, or may become, orphans, and
/// configured directories, whose users nothing else tells.
pub fn candidates(snapshot: &Snapshot) -> impl Iterator<Item = &VolumeView> {
    snapshot.volumes.iter().filter(|view| match view.state {
        _ if is_directory(view) => true,
        VolumeState::Orphaned => true,
        VolumeState::Unknown => {
            !view.volume.claims.claimed()
                && matches!(view.volume.kind, VolumeKind::Persistent | VolumeKind::Disk)
        }
        _ => false,
    })
}

/// Puts what is known of open files beside the volumes that are still worth it.
pub fn attach(snapshot: &mut Snapshot, known: &HashMap<VolumeKey, OpenFiles>) {
    let wanted: Vec<VolumeKey> = candidates(snapshot).map(|view| view.volume.key.clone()).collect();
    let mut wanted = wanted.into_iter().peekable();
    // Both are in the order of the snapshot.
    for view in &mut snapshot.volumes {
        if wanted.next_if_eq(&view.volume.key).is_some() {
            view.open_files = known.get(&view.volume.key).cloned();
            if is_directory(view) {
                settle(view);
            }
        }
    }
}

fn is_directory(view: &VolumeView) -> bool {
    view.volume.kind == VolumeKind::Directory && view.volume.presence == Presence::Present
}

/// The state of a configured directory that no container is known to use, by who holds it open.
fn settle(view: &mut VolumeView) {
    if view.state == VolumeState::InUse {
        return;
    }
    let (state, reason) = match &view.open_files {
        None => (
            VolumeState::Unknown,
            "who uses it was not looked up (orphans.open_files is off, or the first look is not \
             over)"
                .to_owned(),
        ),
        Some(open) if open.is_held() => (VolumeState::InUse, used_by(open)),
        Some(open) => match open.unknown() {
            Some(why) => (VolumeState::Unknown, format!("who uses it is not known: {why}")),
            None => return,
        },
    };
    (view.state, view.reason) = (state, reason);
}

fn used_by(open: &OpenFiles) -> String {
    let who = spoken(open).unwrap_or_else(|| "something is mounted in it".to_owned());
    format!("used by {who}")
}

/// What an answer says of the place with this number.
pub fn of_place(
    answer: &Answer,
    place: usize,
    sandboxes: &[Sandbox],
    looked_at: Timestamp,
) -> OpenFiles {
    if let Some(error) = &answer.error {
        return OpenFiles::NotLookedUp { reason: error.clone() };
    }
    let held = answer.places.get(place).cloned().unwrap_or_default();
    let not_whole = not_whole(answer);
    if answer.processes == 0 && held == Held::default() {
        let none = || "the proc filesystem shows no process but ours".to_string();
        return OpenFiles::NotLookedUp { reason: not_whole.unwrap_or_else(none) };
    }
    OpenFiles::LookedUp(HeldOpen {
        by: held.by.into_iter().map(|by| user(by, sandboxes)).collect(),
        processes: held.processes,
        files: held.files,
        mounted_below: held.mounted_below.into_iter().map(PathBuf::from).collect(),
        not_whole,
        looked_at,
    })
}

fn not_whole(answer: &Answer) -> Option<String> {
    if answer.denied > 0 {
        return Some(format!(
            "{} of {} processes could not be looked into, which takes CAP_SYS_PTRACE and \
             CAP_DAC_READ_SEARCH",
            answer.denied,
            answer.denied + answer.processes
        ));
    }
    answer.cut_short.then(|| "more files are open on this host than one look reads".to_string())
}

fn user(by: ProcessUse, sandboxes: &[Sandbox]) -> FileUser {
    let container = container(&by.cgroups);
    let top = container.split('.').next().unwrap_or_default();
    let task = sandboxes
        .iter()
        .find(|sandbox| !top.is_empty() && sandbox.key.container == top)
        .and_then(|sandbox| {
            let exact = sandbox.tasks.iter().find(|task| task.container == container);
            exact.or(sandbox.tasks.first().filter(|_| sandbox.tasks.len() == 1))
        })
        .map(|task| task.id.clone())
        .unwrap_or_default();
    FileUser {
        pid: by.pid,
        command: by.command,
        container,
        task,
        files: by.files,
        deleted: by.deleted,
        working_directory: by.working_directory,
        root_directory: by.root_directory,
        mounted_at: by.mounted_at.map(PathBuf::from),
    }
}

/// The container that cgroup paths name: `…/mesos/<id>` with further `/mesos/<nested id>` below it
/// (the freezer's is the deepest), `…/docker/<id>` or `…docker-<id>.scope`.
pub fn container(cgroups: &[String]) -> String {
    let mesos = cgroups.iter().map(|path| {
        let mut ids = Vec::new();
        let mut parts = path.split('/');
        while parts.any(|part| part == "mesos") {
            match parts.next() {
                // `agent` is the agent itself under cgroup v2.
                Some("" | "agent") | None => break,
                Some(id) => ids.push(id),
            }
        }
        ids
    });
    let deepest = mesos.max_by_key(Vec::len).filter(|ids| !ids.is_empty());
    if let Some(ids) = deepest {
        return ids.join(".");
    }
    let docker = cgroups.iter().flat_map(|path| path.split('/')).find_map(|part| {
        let id = part.strip_suffix(".scope").unwrap_or(part);
        let id = id.rsplit('-').next().unwrap_or(id);
        let hexadecimal = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        hexadecimal.then(|| id.to_string())
    });
    docker.unwrap_or_default()
}

/// Who holds it, in a few words: `postgres (pid 12, task db-1, 3 files)` and how many more.
pub fn spoken(open: &OpenFiles) -> Option<String> {
    let OpenFiles::LookedUp(held) = open else { return None };
    let Some(first) = held.by.first() else {
        let below = held.mounted_below.first()?;
        return Some(format!("a mount of a part of it at {}", below.display()));
    };
    let mut facts = vec![format!("pid {}", first.pid)];
    match (first.task.as_str(), first.container.as_str()) {
        ("", "") => {}
        ("", container) => facts.push(format!("container {}", short(container))),
        (task, _) => facts.push(format!("task {task}")),
    }
    match (first.files, first.deleted) {
        (0, _) => {}
        (1, 0) => facts.push("1 file".into()),
        (files, 0) => facts.push(format!("{files} files")),
        (1, _) => facts.push("1 removed file".into()),
        (files, deleted) => facts.push(format!("{files} files, {deleted} of them removed")),
    }
    if first.working_directory {
        facts.push("working directory".into());
    }
    if first.root_directory {
        facts.push("root directory".into());
    }
    if let Some(at) = &first.mounted_at {
        facts.push(format!("mounted at {} in its namespace", at.display()));
    }
    let more = match held.processes.saturating_sub(1) {
        0 => String::new(),
        1 => " and 1 other process".into(),
        n => format!(" and {n} other processes"),
    };
    Some(format!("{} ({}){more}", first.command, facts.join(", ")))
}

/// A container's id as people write it: of a Docker id the first twelve digits.
fn short(container: &str) -> &str {
    match container.len() {
        64 => &container[..12],
        _ => container,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(list: &[&str]) -> Vec<String> {
        list.iter().map(|path| path.to_string()).collect()
    }

    #[test]
    fn containers_of_both_versions_of_cgroups_and_of_docker() {
        let id = "a".repeat(64);
        let (docker, scope) = (format!("/docker/{id}"), format!("/system.slice/docker-{id}.scope"));
        for (cgroups, expected) in [
            (vec!["/mesos/c1", "/mesos/c1/mesos/n1", "/user.slice"], "c1.n1"),
            (vec!["/mesos/c1/mesos/n1/mesos/n2/leaf"], "c1.n1.n2"),
            (vec!["/mesos/c1/leaf"], "c1"),
            (vec!["/mesos/agent/leaf"], ""),
            (vec!["/system.slice/mesos/c9"], "c9"),
            (vec!["/mesos"], ""),
            (vec!["/mesos/"], ""),
            (vec![docker.as_str()], id.as_str()),
            (vec![scope.as_str()], id.as_str()),
            (vec!["/user.slice/user-0.slice/session-1.scope"], ""),
            (vec![], ""),
        ] {
            assert_eq!(container(&paths(&cgroups)), expected, "{cgroups:?}");
        }
    }

    #[test]
    fn a_directory_is_idle_only_when_every_process_was_looked_into() {
        let user = |task: &str| FileUser {
            pid: 7,
            command: "mariadbd".into(),
            task: task.into(),
            files: 3,
            ..FileUser::default()
        };
        let looked = |by: Vec<FileUser>, not_whole: Option<&str>| {
            let (not_whole, processes) = (not_whole.map(str::to_owned), by.len() as u64);
            Some(OpenFiles::LookedUp(HeldOpen { by, processes, not_whole, ..HeldOpen::default() }))
        };
        let denied = Some("denied");
        let cases = [
            (looked(vec![], None), VolumeState::Idle, "before"),
            (looked(vec![user("")], None), VolumeState::InUse, "used by mariadbd (pid 7, 3 files)"),
            (
                looked(vec![user("db-0"), user("")], denied),
                VolumeState::InUse,
                "used by mariadbd (pid 7, task db-0, 3 files) and 1 other process",
            ),
            (looked(vec![], denied), VolumeState::Unknown, "who uses it is not known: denied"),
            (None, VolumeState::Unknown, "who uses it was not looked up"),
        ];
        for (open, state, reason) in cases {
            let mut snapshot = Snapshot { volumes: vec![directory()], ..Snapshot::default() };
            let key = snapshot.volumes[0].volume.key.clone();
            let known = open.into_iter().map(|open| (key.clone(), open)).collect();
            attach(&mut snapshot, &known);
            let view = &snapshot.volumes[0];
            assert_eq!(view.state, state, "{reason}");
            assert!(view.reason.starts_with(reason), "{}", view.reason);
        }
    }

    /// A configured directory that no container uses.
    fn directory() -> VolumeView {
        let volume = crate::model::Volume {
            kind: VolumeKind::Directory,
            ..crate::judge::memory::sample_volume("data")
        };
        VolumeView {
            volume,
            state: VolumeState::Idle,
            reason: "before".into(),
            orphan_reason: None,
            enforcement: crate::model::Enforcement::None,
            measured: Default::default(),
            growth: None,
            history: Default::default(),
            filesystem: None,
            open_files: None,
        }
    }

    #[test]
    fn nobody_found_is_not_nobody_there() {
        let mut answer =
            Answer { places: vec![Held::default()], processes: 7, ..Answer::default() };
        let looked = |answer: &Answer| of_place(answer, 0, &[], 5.0);
        assert_eq!(looked(&answer).files(), Some(0));
        answer.denied = 3;
        assert_eq!(looked(&answer).files(), None);
        let words = "3 of 10 processes could not be looked into, which takes CAP_SYS_PTRACE and \
                     CAP_DAC_READ_SEARCH";
        assert_eq!(looked(&answer).unknown(), Some(words));
        answer.processes = 0;
        assert!(matches!(looked(&answer), OpenFiles::NotLookedUp { .. }));
        answer = Answer { places: vec![Held::default()], ..Answer::default() };
        assert_eq!(looked(&answer).files(), None);
        answer = Answer { error: Some("read /proc: no".into()), ..Answer::default() };
        assert_eq!(looked(&answer).unknown(), Some("read /proc: no"));
        answer = Answer { cut_short: true, processes: 1, ..Answer::default() };
        assert_eq!((looked(&answer).files(), looked(&answer).is_held()), (None, false));
    }

    #[test]
    fn who_holds_it_is_one_phrase() {
        let held = |by: Vec<FileUser>, processes| {
            let files = by.iter().map(|by| by.files).sum();
            spoken(&OpenFiles::LookedUp(HeldOpen { by, processes, files, ..HeldOpen::default() }))
        };
        let user = FileUser { pid: 12, command: "postgres".into(), ..FileUser::default() };
        assert_eq!(held(vec![], 0), None);
        let one = FileUser { files: 3, task: "db-1".into(), container: "c".into(), ..user.clone() };
        let phrase = held(vec![one], 4).expect("somebody");
        assert_eq!(phrase, "postgres (pid 12, task db-1, 3 files) and 3 other processes");
        let gone = FileUser { files: 1, deleted: 1, working_directory: true, ..user };
        let phrase = held(vec![gone], 1).expect("somebody");
        assert_eq!(phrase, "postgres (pid 12, 1 removed file, working directory)");
    }
}
