//! Sandboxes: runs of executors, the containers nested in them, and standalone containers.

use std::ffi::{OsStr, OsString};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::{LayoutOptions, MAX_DEPTH, nested_folder, subfolders, take, too_deep};
use crate::discover::dirs::{Cause, DirError, Folder, Kind};
use crate::discover::mesos::facts::{LayoutFacts, RunDir};
use crate::host::names::escape_name;
use crate::model::SourceError;

/// Nested containers, links or tasks kept of one sandbox. Its owner can make as many as it
/// likes, and must not fill our memory with them. (Fewer in tests, which have to make them.)
const MAX_KEPT: usize = if cfg!(test) { 100 } else { 10_000 };

/// Lists every sandbox of a work directory.
pub(super) fn list(
    work: &Folder,
    real: &Path,
    options: &LayoutOptions<'_>,
    facts: &mut LayoutFacts,
) {
    let mut walk = Walk { options, real_work: real, facts, partial: false, kept: 0, full: false };
    let agents = walk.agents(work);
    let runs = agents.as_ref().map(|names| {
        let mut runs = Vec::new();
        walk.runs(work, names, &mut runs);
        runs
    });
    let standalone = walk.standalone(work);
    let partial = walk.partial;
    facts.agent_ids = agents.map(|names| names.iter().map(|name| escape_name(name)).collect());
    facts.runs = runs;
    facts.standalone = standalone;
    facts.runs_partial |= partial;
}

struct Walk<'a> {
    options: &'a LayoutOptions<'a>,
    real_work: &'a Path,
    facts: &'a mut LayoutFacts,
    partial: bool,
    /// Nested containers of the present run.
    kept: usize,
    /// It has more of them than are kept.
    full: bool,
}

impl Walk<'_> {
    fn take<T>(&mut self, result: Result<T, DirError>) -> Option<T> {
        take(result, self.facts, &mut self.partial)
    }

    /// Agent ids; a work directory without `slaves` has none.
    fn agents(&mut self, work: &Folder) -> Option<Vec<OsString>> {
        match work.below(&["slaves"]) {
            Ok(None) => Some(Vec::new()),
            Ok(Some(slaves)) => self.folders(&slaves),
            Err(error) => {
                self.facts.errors.push(error.to_source_error());
                None
            }
        }
    }

    fn folders(&mut self, folder: &Folder) -> Option<Vec<OsString>> {
        let listed = subfolders(folder, &mut self.facts.errors);
        let (names, whole) = self.take(listed)?;
        self.partial |= !whole;
        Some(names)
    }

    /// The directories in a fixed place below a directory, each opened.
    fn each(
        &mut self,
        above: &Folder,
        place: &str,
        mut visit: impl FnMut(&mut Self, &Folder, &OsStr),
    ) {
        let Some(Some(folder)) = self.take(above.below(&[place])) else { return };
        for name in self.folders(&folder).unwrap_or_default() {
            if let Some(child) = self.take(folder.child(&name)) {
                visit(self, &child, &name);
            }
        }
    }

    fn runs(&mut self, work: &Folder, agents: &[OsString], runs: &mut Vec<RunDir>) {
        let Some(Some(slaves)) = self.take(work.below(&["slaves"])) else { return };
        for agent in agents {
            let Some(folder) = self.take(slaves.child(agent)) else { continue };
            let path = self.real_work.join("slaves").join(agent).join("frameworks");
            self.each(&folder, "frameworks", |walk, folder, framework| {
                let path = path.join(framework).join("executors");
                walk.each(folder, "executors", |walk, folder, executor| {
                    let path = path.join(executor).join("runs");
                    let place = Place {
                        agent_id: escape_name(agent),
                        framework: escape_name(framework),
                        executor: escape_name(executor),
                    };
                    walk.containers(folder, "runs", &path, &place, runs);
                });
            });
        }
    }

    fn standalone(&mut self, work: &Folder) -> Option<Vec<RunDir>> {
        let mut found = Vec::new();
        match work.below(&["containers"]) {
            Ok(None) => {}
            Ok(Some(_)) => {
                let path = self.real_work.join("containers");
                self.containers(work, "containers", &path, &Place::default(), &mut found);
            }
            Err(error) => {
                self.facts.errors.push(error.to_source_error());
                return None;
            }
        }
        Some(found)
    }

    /// The top-level containers in `above/place`.
    fn containers(
        &mut self,
        above: &Folder,
        place: &str,
        path: &Path,
        of: &Place,
        runs: &mut Vec<RunDir>,
    ) {
        let Some(Some(folder)) = self.take(above.below(&[place])) else { return };
        for name in self.folders(&folder).unwrap_or_default() {
            (self.kept, self.full) = (0, false);
            self.container(&folder, &name, path.join(&name), "", 1, of, runs);
        }
    }

    // One step of a recursion: each argument changes or is passed on.
    #[allow(clippy::too_many_arguments)]
    fn container(
        &mut self,
        above: &Folder,
        name: &OsStr,
        path: PathBuf,
        parent: &str,
        depth: usize,
        of: &Place,
        runs: &mut Vec<RunDir>,
    ) {
        // The inode is looked at from above: that works even when the sandbox cannot be opened.
        let Some(dir) = self.take(above.look(name, path.clone())) else { return };
        let id = match parent {
            "" => escape_name(name),
            parent => format!("{parent}.{}", escape_name(name)),
        };
        let mut run = RunDir {
            agent_id: of.agent_id.clone(),
            framework: of.framework.clone(),
            executor: of.executor.clone(),
            container: id.clone(),
            dir,
            links: Vec::new(),
            tasks: Vec::new(),
        };
        let Some(folder) = self.take(above.child(name)) else {
            runs.push(run);
            return;
        };
        if self.options.look_for_links {
            self.links(&folder, &mut run);
        }
        self.tasks(&folder, &mut run);
        runs.push(run);
        self.nested(&folder, &path, &id, depth, of, runs);
    }

    fn nested(
        &mut self,
        folder: &Folder,
        path: &Path,
        id: &str,
        depth: usize,
        of: &Place,
        runs: &mut Vec<RunDir>,
    ) {
        let Some(Some(nested)) = self.take(in_sandbox(nested_folder(folder))) else { return };
        // In a sandbox any link may lie about: only directories count.
        let Some(names) = self.take(nested.names()) else { return };
        if depth >= MAX_DEPTH && !names.directories.is_empty() {
            self.partial = true;
            self.facts.errors.push(too_deep(&nested));
            return;
        }
        for name in names.directories {
            if self.full {
                return;
            }
            if self.kept == MAX_KEPT {
                self.full = true;
                self.too_many(&nested, "nested containers");
                return;
            }
            self.kept += 1;
            let path = path.join("containers").join(&name);
            self.container(&nested, &name, path, id, depth + 1, of, runs);
        }
    }

    /// `tasks/<task id>` of a task group's executor: links to the nested sandboxes.
    fn tasks(&mut self, folder: &Folder, run: &mut RunDir) {
        let Some(Some(tasks)) = self.take(in_sandbox(folder.below(&["tasks"]))) else { return };
        let Some(names) = self.take(tasks.names()) else { return };
        for name in names.links {
            if run.tasks.len() == MAX_KEPT {
                self.too_many(&tasks, "links to tasks");
                return;
            }
            let Some(target) = self.take(tasks.read_link(&name)) else { continue };
            if let Some(last) = target.file_name() {
                run.tasks.push((escape_name(&name), escape_name(last)));
            }
        }
    }

    /// Links of the posix isolators, in the sandbox and one directory deeper.
    fn links(&mut self, sandbox: &Folder, run: &mut RunDir) {
        let Some(names) = self.take(sandbox.names()) else { return };
        self.keep_links(sandbox, Path::new(""), &names.links, run);
        for name in &names.directories {
            // What is mounted there is a volume, not a part of the sandbox.
            if name == "containers" || name == "tasks" || sandbox.avoids(name) {
                continue;
            }
            let Some(folder) = self.take(sandbox.child(name)) else { continue };
            // Mounted since the mount table was read.
            if self.take(folder.is_mount_root()) != Some(false) {
                continue;
            }
            let mut links = Vec::new();
            let listed = folder.scan(|name, kind| {
                if kind == Kind::Link {
                    links.push(name.to_owned());
                }
                ControlFlow::Continue(())
            });
            self.take(listed);
            links.sort();
            self.keep_links(&folder, Path::new(name), &links, run);
        }
    }

    fn keep_links(&mut self, folder: &Folder, at: &Path, names: &[OsString], run: &mut RunDir) {
        for name in names {
            let Some(target) = self.take(folder.read_link(name)) else { continue };
            if !self.leads_to_a_disk(&target) {
                continue;
            }
            if run.links.len() == MAX_KEPT {
                self.too_many(folder, "links to volumes");
                return;
            }
            run.links.push((at.join(name), target));
        }
    }

    /// Whether a link may be one of the agent's: absolute, into the work directory or a disk.
    fn leads_to_a_disk(&self, target: &Path) -> bool {
        target.is_absolute()
            && (target.starts_with(self.options.work_dir)
                || target.starts_with(self.real_work)
                || (self.options.path_disks.iter())
                    .chain(self.options.mount_disks)
                    .any(|root| target.starts_with(self.options.disk(root))))
    }

    fn too_many(&mut self, folder: &Folder, what: &str) {
        self.partial = true;
        self.facts.errors.push(SourceError {
            reason: "too_large",
            message: format!("list directory {:?}: more than {MAX_KEPT} {what}", folder.path()),
            hint: "the owner of that sandbox made them: the rest is left out".to_owned(),
        });
    }
}

/// A task may put a file or link of any name into its sandbox: that is no fault of the agent's
/// tree, and nothing of the agent's is behind it.
fn in_sandbox(result: Result<Option<Folder>, DirError>) -> Result<Option<Folder>, DirError> {
    match result {
        Err(DirError { cause: Cause::Odd(_), .. }) => Ok(None),
        other => other,
    }
}

/// Whose runs.
#[derive(Default)]
struct Place {
    agent_id: String,
    framework: String,
    executor: String,
}
