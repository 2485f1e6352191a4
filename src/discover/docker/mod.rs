//! A Docker engine (or Podman's compatible API): its containers and volumes.
//!
//! The engine itself is the source of truth, asked over its Unix socket (`ask`) whenever its
//! events (`events`) say that something changed, and now and then. While it does not answer the
//! last lists stay, without proving anything; where it never answered its data root and the mount
//! table say what lies there (`data_root`).

mod answers;
mod ask;
mod client;
mod data_root;
mod error;
mod events;
mod facts;
mod inventory;
mod options;
mod places;
mod podman_store;
mod process;
mod report;
mod socket;
mod tasks;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::config::{DockerConfig, Enabled};
use crate::host::{Guard, MountTable, Roots};

use super::Round;
use ask::{Answer, Question, ask};
use client::Client;
use error::{EngineError, Failure};
use events::Events;
use facts::{ContainerFacts, Details, Engine, VolumeFacts};

// For the fuzz targets.
#[doc(hidden)]
pub use {
    ask::read_lists, events::Changed, events::note, facts::MountSource,
    process::parse as parse_began,
};

/// Where Docker and Podman keep their data unless told otherwise; the first that holds something is
/// read.
pub const DEFAULT_DATA_ROOTS: [&str; 2] = [data_root::DEFAULT, podman_store::DEFAULT];

pub use events::Wake;
pub use tasks::join_tasks;

/// What the engine said last.
struct Lists {
    engine: Engine,
    volumes: Vec<VolumeFacts>,
    containers: Vec<ContainerFacts>,
}

/// An engine as a source of the inventory.
pub struct DockerSource {
    config: DockerConfig,
    roots: Roots,
    guard: Arc<Guard>,
    handle: Handle,
    wake: Option<Wake>,
    client: Option<Client>,
    /// It answers, and may be asked with what is known of it.
    engine: Option<Engine>,
    events: Option<Events>,
    last: Option<Lists>,
    /// It hung, and is not asked again before.
    rest_until: Option<Instant>,
    asking: Option<Asking>,
}

/// A round that began.
struct Asking {
    started: Instant,
    outcome: Outcome,
}

enum Outcome {
    /// No socket.
    Absent,
    /// Known before anything was asked.
    Failed(EngineError),
    Asked(JoinHandle<Result<Answer, EngineError>>),
}

impl DockerSource {
    /// Reads nothing yet. With `wake` the engine's events are listened to, and it is called for
    /// each; without it the source serves one round.
    pub fn new(
        config: DockerConfig,
        roots: Roots,
        guard: Arc<Guard>,
        handle: Handle,
        wake: Option<Wake>,
    ) -> Self {
        Self {
            config,
            roots,
            guard,
            handle,
            wake,
            client: None,
            engine: None,
            events: None,
            last: None,
            rest_until: None,
            asking: None,
        }
    }

    /// Sends the questions of a round; [`finish`](Self::finish) waits for the answers. What is done
    /// in between costs no time.
    pub fn begin(&mut self) {
        if self.config.enabled == Enabled::False {
            return;
        }
        let outcome = self.start();
        self.asking = Some(Asking { started: Instant::now(), outcome });
    }

    fn start(&mut self) -> Outcome {
        self.rest_until = self.rest_until.filter(|until| Instant::now() < *until);
        if self.rest_until.is_some() {
            let failure = Failure::Timeout(self.config.timeout);
            let shown = self.client.as_ref().map_or("", |client| &client.shown);
            let what = format!("GET of {shown} (not asked again yet)");
            return Outcome::Failed(EngineError { what, failure });
        }
        let client = match socket::find(&self.config, &self.guard, &self.roots) {
            Ok(Some(client)) => client,
            Ok(None) => return Outcome::Absent,
            Err(error) => return Outcome::Failed(error),
        };
        if self.client.as_ref() != Some(&client) {
            (self.engine, self.events) = (None, None);
            self.client = Some(client.clone());
        }
        let question = Question {
            client,
            engine: self.engine.clone(),
            details: self.known_details(),
            labels: self.config.labels.clone(),
            procfs: self.roots.procfs.clone(),
        };
        Outcome::Asked(self.handle.spawn(ask(question)))
    }

    /// What is known of containers that nothing happened to since.
    fn known_details(&self) -> HashMap<String, Arc<Details>> {
        let changed = self.events.as_ref().map(Events::take);
        let Some(changed) = changed.filter(|changed| !changed.all) else { return HashMap::new() };
        let known = self.last.iter().flat_map(|last| &last.containers);
        known
            .filter(|container| !changed.containers.contains(&container.id))
            .filter_map(|container| Some((container.id.clone(), container.details.clone()?)))
            .collect()
    }

    /// The rest of the round. Never fails: what could not be read is in the report.
    pub fn finish(&mut self) -> Round {
        let Some(Asking { started, outcome }) = self.asking.take() else { return Round::default() };
        let (asked, missing) = match outcome {
            Outcome::Absent => (None, true),
            Outcome::Failed(error) => (Some(Err(error)), false),
            Outcome::Asked(task) => (Some(self.wait(task)), false),
        };
        let mounts = self.guard.table();
        let mut report = report::Report::new(self.client.as_ref());
        let mut round = match asked {
            Some(Ok(answer)) => self.answered(answer, &mounts, &mut report),
            other => {
                (self.engine, report.failed) = (None, true);
                if let Some(Err(error)) = other {
                    if matches!(error.failure, Failure::Timeout(_)) {
                        let rest = self.config.timeout.saturating_mul(2);
                        self.rest_until.get_or_insert_with(|| Instant::now() + rest);
                    }
                    report.errors.push(error.to_source_error());
                }
                self.unanswered(&mounts, &mut report)
            }
        };
        let nothing = round.volumes.is_empty() && round.sandboxes.is_empty();
        let asked_for = self.config.enabled == Enabled::True || self.config.socket.is_some();
        let absent = missing && nothing && !asked_for;
        if missing && !asked_for && report.podman {
            // Podman's socket is off unless somebody wants it: that is no fault of the host.
            report.failed = false;
        } else if missing && !absent {
            report.errors.push(socket::missing(&self.config).to_source_error());
        }
        round.sources.push(report.close(absent, nothing, started.elapsed()));
        round
    }

    fn wait(&self, task: JoinHandle<Result<Answer, EngineError>>) -> Result<Answer, EngineError> {
        let limit = self.config.timeout.saturating_mul(4);
        let shown = self.client.as_ref().map_or("", |client| &client.shown);
        let failed = |failure| Err(EngineError { what: format!("ask {shown}"), failure });
        let abort = task.abort_handle();
        match self.handle.block_on(async { tokio::time::timeout(limit, task).await }) {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => failed(Failure::Io(error.to_string())),
            Err(_) => {
                abort.abort();
                failed(Failure::Timeout(limit))
            }
        }
    }

    fn answered(
        &mut self,
        answer: Answer,
        mounts: &MountTable,
        report: &mut report::Report,
    ) -> Round {
        let Answer { engine, mut volumes, warnings, containers, errors, unfinished } = answer;
        self.rest_until = None;
        report.engine = Some(engine.clone());
        report.errors.extend(errors.iter().map(EngineError::to_source_error));
        report.warnings(&warnings);
        if unfinished > 0 {
            report.unfinished(unfinished);
            if let Some(wake) = &self.wake {
                wake();
            }
        }
        // The volumes of a driver that could not be asked are not gone.
        let silent = if warnings.is_empty() { Vec::new() } else { self.not_listed(&volumes) };
        if self.events.is_none()
            && let (Some(wake), Some(client)) = (&self.wake, &self.client)
        {
            let wake = Arc::clone(wake);
            self.events = Some(Events::listen(&self.handle, client.clone(), &engine.prefix, wake));
        }
        let known = inventory::Known {
            program: engine.program,
            root: &engine.root,
            volumes: &volumes,
            containers: &containers,
            whole: true,
            mounts,
        };
        let mut round = inventory::build(&known, &self.guard, &self.roots);
        if !silent.is_empty() {
            let known =
                inventory::Known { volumes: &silent, containers: &[], whole: false, ..known };
            let mut rest = inventory::build(&known, &self.guard, &self.roots);
            round.volumes.append(&mut rest.volumes);
            round.inodes.extend(rest.inodes);
            volumes.extend(silent);
        }
        self.engine = Some(engine.clone());
        self.last = Some(Lists { engine, volumes, containers });
        round
    }

    fn not_listed(&self, listed: &[VolumeFacts]) -> Vec<VolumeFacts> {
        let names: std::collections::HashSet<&str> =
            listed.iter().map(|volume| volume.name.as_str()).collect();
        let known = self.last.iter().flat_map(|last| &last.volumes);
        known
            .filter(|volume| volume.driver != "local" && !names.contains(volume.name.as_str()))
            .cloned()
            .collect()
    }

    /// The engine does not answer: its last lists, or what its data root shows.
    fn unanswered(&mut self, mounts: &MountTable, report: &mut report::Report) -> Round {
        if let Some(last) = &self.last {
            report.last_known = true;
            let containers: Vec<ContainerFacts> =
                last.containers.iter().map(|container| self.without_word(container)).collect();
            let known = inventory::Known {
                program: last.engine.program,
                root: &last.engine.root,
                volumes: &last.volumes,
                containers: &containers,
                whole: false,
                mounts,
            };
            return inventory::build(&known, &self.guard, &self.roots);
        }
        let candidates = match &self.config.data_root {
            Some(root) => vec![root.clone()],
            None => DEFAULT_DATA_ROOTS.map(PathBuf::from).to_vec(),
        };
        let watch =
            candidates.iter().map(|root| self.roots.inside(&root.join("volumes"))).collect();
        let Some((root, found)) = self.read_data_root(candidates, report) else {
            return Round { watch, ..Round::default() };
        };
        report.errors.extend(found.errors.iter().map(|error| error.to_source_error()));
        report.data_root = found.there.then(|| root.clone());
        report.podman = found.podman;
        let known = inventory::Known {
            program: if found.podman { "podman" } else { "docker" },
            root: &root,
            volumes: &found.volumes,
            containers: &found.containers,
            whole: false,
            mounts,
        };
        Round { watch, ..inventory::build(&known, &self.guard, &self.roots) }
    }

    /// The first data root that holds something, else one that is there; absent where there is none,
    /// or it cannot be read, which is then in the report.
    fn read_data_root(
        &self,
        candidates: Vec<PathBuf>,
        report: &mut report::Report,
    ) -> Option<(PathBuf, data_root::Found)> {
        let mut bare = None;
        for root in candidates {
            let (roots, table) = (self.roots.clone(), self.guard.table());
            let (inside, of) = (self.roots.inside(&root), root.clone());
            let read = self.guard.run(&inside, "read the engine's data root", move || {
                data_root::read(&roots, &of, &table)
            });
            match read {
                Ok(found) if found.holds_something() => return Some((root, found)),
                Ok(found) if found.there => bare = bare.or(Some((root, found))),
                Ok(_) => {}
                Err(error) => report.unreadable(error.reason(), error.to_string()),
            }
        }
        bare
    }

    /// Containers outlive an engine that was killed, or that hangs: their process tells.
    fn without_word(&self, container: &ContainerFacts) -> ContainerFacts {
        let process = container.details.as_ref().and_then(|details| details.process);
        let alive = process
            .is_some_and(|(pid, began)| process::began(&self.roots.procfs, pid) == Some(began));
        let running = match container.running {
            Some(true) if !alive => None,
            other => other,
        };
        ContainerFacts { running, ..container.clone() }
    }
}
