//! The filesystems that hold a subject.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::host::devices::{Sysfs, below};
use crate::host::{Guard, Roots};
use crate::judge::promised;
use crate::measure::filesystems::FilesystemMeter;
use crate::model::{CollectorRun, FilesystemDevice, FilesystemSample, Inventory, Presence};

/// Measures them again and again; keeps the last numbers of one that does not answer.
#[derive(Default)]
pub(super) struct Filesystems {
    meter: FilesystemMeter,
}

/// One round.
pub(super) struct Round {
    pub(super) samples: Vec<FilesystemSample>,
    /// What lies below each of them.
    pub(super) devices: Vec<FilesystemDevice>,
    /// Mount point of the filesystem of each subject's path (a path of the host).
    pub(super) of_path: HashMap<PathBuf, PathBuf>,
    pub(super) run: CollectorRun,
    pub(super) errors: Vec<String>,
}

impl Filesystems {
    pub(super) const COLLECTOR: &'static str = "filesystems";

    pub(super) fn measure(&mut self, inventory: &Inventory, guard: &Guard, roots: &Roots) -> Round {
        let started = Instant::now();
        let disks = inventory.agent.as_ref().map(promised::disk_roots).unwrap_or_default();
        let mut paths = paths(inventory);
        paths.extend(disks.iter().map(PathBuf::as_path));
        let inside: Vec<PathBuf> = paths.iter().map(|path| roots.inside(path)).collect();
        let measured = self.meter.measure(guard, &inside);
        let of_path = paths
            .into_iter()
            .zip(&inside)
            .filter_map(|(path, inside)| {
                Some((path.to_path_buf(), measured.mount_points.get(inside)?.clone()))
            })
            .collect();
        Round {
            run: CollectorRun {
                name: Self::COLLECTOR,
                success: measured.errors.is_empty(),
                duration_seconds: started.elapsed().as_secs_f64(),
            },
            devices: devices(&measured.samples, guard, roots),
            samples: measured.samples,
            of_path,
            errors: measured.errors,
        }
    }
}

/// What lies below each filesystem that is still mounted where it was found.
fn devices(samples: &[FilesystemSample], guard: &Guard, roots: &Roots) -> Vec<FilesystemDevice> {
    let sysfs = Sysfs::new(&roots.sysfs);
    let table = guard.table();
    let mounted = samples.iter().filter_map(|sample| {
        table.at(&sample.mount_point).filter(|entry| entry.device == sample.device_number)
    });
    mounted.map(|entry| below(&sysfs, &table, entry)).collect()
}

fn paths(inventory: &Inventory) -> Vec<&Path> {
    let volumes = inventory
        .volumes
        .iter()
        .filter(|volume| volume.presence != Presence::Missing)
        .filter_map(|volume| volume.path.as_deref());
    let sandboxes = inventory
        .sandboxes
        .iter()
        .filter(|sandbox| sandbox.presence != Presence::Missing)
        .map(|sandbox| sandbox.path.as_path())
        // Of a container whose layer could not be found.
        .filter(|path| path.is_absolute());
    volumes.chain(sandboxes).collect()
}
