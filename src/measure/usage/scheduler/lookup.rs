//! Where a target really lies, found out without standing still.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::pass::Real;
use super::super::target::Target;
use crate::host::{Guard, GuardError, Resolution};

/// Follows the links of a target's paths, one after the other. The last component of each is left as
/// it is: a subject that is a symbolic link is refused, not followed.
pub(super) struct Lookup {
    /// Paths to be followed, the next one last.
    todo: Vec<PathBuf>,
    done: Vec<PathBuf>,
    under_way: Option<Resolution>,
}

impl Lookup {
    pub(super) fn new(target: &Target) -> Self {
        let todo = target.extra.iter().rev().chain([&target.path]).cloned().collect();
        Self { todo, done: Vec::new(), under_way: None }
    }

    /// The path whose filesystem is being asked.
    pub(super) fn place(&self) -> Option<&Path> {
        self.under_way.as_ref().map(Resolution::place)
    }

    /// Goes on, waiting at most `patience` for each filesystem on the way; `None`: not there yet.
    pub(super) fn poll(
        &mut self,
        guard: &Guard,
        patience: Duration,
    ) -> Option<Result<Real, GuardError>> {
        while let Some(path) = self.todo.last() {
            let real = match (path.parent(), path.file_name()) {
                (Some(parent), Some(name)) => {
                    let way = self.under_way.get_or_insert_with(|| guard.resolution(parent));
                    way.poll(guard, patience)?.map(|parent| parent.join(name))
                }
                _ => Ok(path.clone()),
            };
            let real = match real {
                Ok(real) => real,
                Err(error) if self.done.is_empty() => return Some(Err(error)),
                // One that belongs to it elsewhere is looked at by its own name, and fails there.
                Err(_) => path.clone(),
            };
            (self.under_way, _) = (None, self.todo.pop());
            self.done.push(real);
        }
        let root = self.done.first()?.clone();
        Some(Ok(Real { root, extra: self.done.split_off(1) }))
    }
}
