//! A host scene made on the spot, for `plimsoll demo` on a host without an agent.
//!
//! [`Scene::create`] makes a work directory in the real layout with real checkpoint files, a
//! runtime directory, an agent API on 127.0.0.1 and tasks that write. Discovery meets it exactly
//! as it would meet a real agent with posix isolators: no mounts, volumes are symbolic links in
//! the sandboxes, so that it runs without privileges.
//!
//! Everything lies below one directory of its own, holds at most [`MAX_BYTES`], and is removed
//! when the scene is stopped or dropped.

mod answers;
mod api;
mod cast;
mod checkpoint;
mod resources;
mod script;
mod tree;
mod writers;

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most bytes the scene ever holds, its own overhead included.
pub const MAX_BYTES: u64 = 256 << 20;

// 8 MiB for checkpoints, directories and half-used blocks.
const _: () = assert!(tree::INITIAL_BYTES + writers::MAX_BYTES + (8 << 20) <= MAX_BYTES);

/// Why the scene could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file or directory of the scene.
    #[error("cannot {operation} {}", path.display())]
    File {
        /// `create`, `write`, `link`, …
        operation: &'static str,
        /// What it was about.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The agent's port on 127.0.0.1.
    #[error("cannot serve the demo's agent API on 127.0.0.1")]
    Listen(#[source] io::Error),
    /// A thread.
    #[error("cannot start a thread of the demo")]
    Thread(#[source] io::Error),
}

impl DemoError {
    /// Attaches operation and path to what the system said.
    fn file(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { operation, path, source }
    }
}

/// A running scene.
pub struct Scene {
    work_dir: PathBuf,
    runtime_dir: PathBuf,
    // Dropped in this order: first nothing writes, then nothing answers, then the files go.
    writers: writers::Writers,
    api: api::Api,
    home: Home,
}

impl Scene {
    /// Makes a scene in a new directory below `dir` (`/tmp`), `plimsoll-demo-<pid>-<n>`, and
    /// starts its tasks and its agent.
    ///
    /// # Errors
    /// When files, the port or the threads cannot be made; what was made is removed again.
    pub fn create(dir: &Path) -> Result<Self, DemoError> {
        let home = Home::create(dir)?;
        let cast = script::cast(&home.path);
        tree::build(&cast)?;
        checkpoint::write_all(&cast)?;
        let cast = Arc::new(cast);
        let api = api::Api::start(cast.clone())?;
        let writers = writers::Writers::start(&cast)?;
        Ok(Self {
            work_dir: cast.work_dir.clone(),
            runtime_dir: cast.runtime_dir.clone(),
            writers,
            api,
            home,
        })
    }

    /// The agent's `--work_dir`.
    pub fn work_dir(&self) -> &Path {
        &self.work_dir
    }

    /// The agent's `--runtime_dir`.
    pub fn runtime_dir(&self) -> &Path {
        &self.runtime_dir
    }

    /// Base URL of the agent's API, `http://127.0.0.1:PORT`.
    pub fn agent_url(&self) -> String {
        self.api.url()
    }

    /// The directory that holds all of it.
    pub fn home(&self) -> &Path {
        &self.home.path
    }

    /// Stops the tasks and the agent and removes the files. Dropping the scene does the same.
    pub fn stop(self) {
        let Self { writers, api, home, .. } = self;
        drop(writers);
        drop(api);
        drop(home);
    }
}

/// The directory of the scene. Only ever removes the directory it made itself: its device and
/// inode are remembered, and whatever has taken its place meanwhile is left alone.
struct Home {
    path: PathBuf,
    inode: (u64, u64),
}

impl Home {
    fn create(parent: &Path) -> Result<Self, DemoError> {
        // Absolute, as every path an agent reports; not resolved further.
        let parent = std::path::absolute(parent).map_err(DemoError::file("find", parent))?;
        let mut builder = fs::DirBuilder::new();
        builder.mode(0o755);
        let mut attempt = 0;
        let path = loop {
            let path = parent.join(format!("plimsoll-demo-{}-{attempt}", std::process::id()));
            match builder.create(&path) {
                Ok(()) => break path,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 1000 => {
                    attempt += 1;
                }
                Err(error) => return Err(DemoError::file("create", &path)(error)),
            }
        };
        let meta = fs::symlink_metadata(&path).map_err(DemoError::file("look at", &path))?;
        Ok(Self { path, inode: (meta.dev(), meta.ino()) })
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|meta| (meta.dev(), meta.ino()) == self.inode);
        if !ours {
            return;
        }
        // Does not follow symbolic links, and the scene's links lead nowhere else anyway.
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "demo: cannot remove the scene");
        }
    }
}

#[cfg(test)]
mod tests;
