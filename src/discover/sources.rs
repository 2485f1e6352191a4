//! Every source of this host, as the configuration wants them.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::config::{Config, DirectoryConfig, DockerConfig, MesosConfig};
use crate::host::{Guard, Roots};

use super::directories::DirectoriesSource;
use super::docker::{DockerSource, Wake, join_tasks};
use super::mesos::MesosSource;
use super::mesos::locate::Locator;
use super::mesos::settings::Resolved;
use super::{Round, unite};

/// The sources, with what each keeps between rounds.
pub struct Sources {
    roots: Roots,
    guard: Arc<Guard>,
    handle: Handle,
    wake: Option<Wake>,
    locator: Option<Locator>,
    mesos: Option<(MesosConfig, MesosSource)>,
    docker: Option<(DockerConfig, DockerSource)>,
    directories: Option<(Vec<DirectoryConfig>, DirectoriesSource)>,
}

impl Sources {
    /// Reads nothing yet. `handle` runs requests; [`refresh`](Self::refresh) must not be called on
    /// one of its threads.
    pub fn new(roots: Roots, guard: Arc<Guard>, handle: Handle) -> Self {
        Self {
            roots,
            guard,
            handle,
            wake: None,
            locator: None,
            mesos: None,
            docker: None,
            directories: None,
        }
    }

    /// Lets sources that hear of changes call `wake`, on another thread, for each.
    pub fn with_wake(self, wake: Wake) -> Self {
        Self { wake: Some(wake), ..self }
    }

    /// Has the agent looked for by somebody else, who may see more.
    pub fn with_locator(self, locator: Option<Locator>) -> Self {
        Self { locator, ..self }
    }

    /// One round of every source. A source whose configuration changed starts anew.
    pub fn refresh(&mut self, config: &Config) -> Round {
        // The engine answers while the others read.
        self.docker(&config.docker).begin();
        let mut mesos = self.mesos(&config.mesos).refresh();
        let directories = self.directories(&config.directories).refresh();
        let mut docker = self.docker(&config.docker).finish();
        join_tasks(&mut mesos, &mut docker);
        unite([mesos, docker, directories])
    }

    /// Where the agent was found, for `check`.
    pub fn resolved(&mut self) -> Option<Resolved> {
        self.mesos.as_mut().and_then(|(_, source)| source.resolved())
    }

    fn mesos(&mut self, config: &MesosConfig) -> &mut MesosSource {
        let (guard, handle) = (Arc::clone(&self.guard), self.handle.clone());
        let (roots, wanted, locator) = (self.roots.clone(), config.clone(), self.locator.clone());
        kept(&mut self.mesos, config, || {
            MesosSource::new(wanted, roots, guard, handle).with_locator(locator)
        })
    }

    fn docker(&mut self, config: &DockerConfig) -> &mut DockerSource {
        let (guard, handle) = (Arc::clone(&self.guard), self.handle.clone());
        let (roots, wanted, wake) = (self.roots.clone(), config.clone(), self.wake.clone());
        kept(&mut self.docker, config, || DockerSource::new(wanted, roots, guard, handle, wake))
    }

    fn directories(&mut self, config: &Vec<DirectoryConfig>) -> &mut DirectoriesSource {
        let (guard, wanted) = (Arc::clone(&self.guard), config.clone());
        kept(&mut self.directories, config, || DirectoriesSource::new(wanted, guard))
    }
}

/// The source in `slot` if it is of this configuration, else a new one.
fn kept<'a, C: Clone + PartialEq, S>(
    slot: &'a mut Option<(C, S)>,
    config: &C,
    make: impl FnOnce() -> S,
) -> &'a mut S {
    let current = slot.take().filter(|(of, _)| of == config);
    &mut slot.insert(current.unwrap_or_else(|| (config.clone(), make()))).1
}
