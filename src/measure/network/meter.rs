//! One round over all network filesystems.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Instant;

use rustix::fs::statvfs;
use rustix::io::{Errno, retry_on_intr};

use crate::host::{Guard, GuardError, MountEntry, MountTable, Ticket};
use crate::measure::filesystems::{self, shortest};
use crate::model::{Inventory, NetworkFilesystem, NetworkTransport, SourceReport};
use crate::text;

use super::mountstats::{self, NfsMount};
use super::namespaces::Namespaces;
use super::readers::{self, is_nfs};
use super::report::Reading;

/// What one round found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkReport {
    /// One for each superblock, sorted by key.
    pub filesystems: Vec<NetworkFilesystem>,
    /// Connections, sorted by address and protocol.
    pub transports: Vec<NetworkTransport>,
    /// What could be read: one for each client that has a mount.
    pub sources: Vec<SourceReport>,
}

/// Measures network filesystems round by round.
#[derive(Default)]
pub struct NetworkMeter {
    namespaces: Namespaces,
    /// Requests and their seconds of CephFS, which tells only means: a sum made of a rounded mean
    /// must not be seen to fall.
    sums: HashMap<((u32, u32), String), (u64, f64)>,
}

impl NetworkMeter {
    /// Measures every network filesystem of the host, and those of its containers.
    ///
    /// `answered` tells of filesystems, by device number, that were asked already. All others of
    /// the host are asked here, at once; those that do not answer cost the guard's limit together.
    pub fn measure(
        &mut self,
        guard: &Guard,
        inventory: &Inventory,
        answered: &HashMap<(u32, u32), bool>,
    ) -> NetworkReport {
        let table = guard.table();
        let mut of_host: BTreeMap<(u32, u32), Vec<&MountEntry>> = BTreeMap::new();
        let storage = |entry: &&MountEntry| entry.remote() && readers::is_storage(&entry.fstype);
        for entry in table.entries.iter().filter(storage) {
            of_host.entry(entry.device).or_default().push(entry);
        }
        let mut found = Vec::new();
        let mut asked = Vec::new();
        for (device, entries) in &of_host {
            // Hidden below later mounts: nobody can reach it.
            let Some(shown) = shortest(&table, entries.iter().copied()) else { continue };
            let mut one = readers::described(shown, text::path_value(&shown.mount_point).into());
            one.mounts = entries.len();
            one.responsive = answered.get(device).copied();
            if one.responsive.is_none() && !automounted(&table, shown) {
                asked.push((found.len(), shown));
            }
            found.push(one);
        }
        self.namespaces.refresh(&guard.roots().procfs, inventory, &table);
        for (container, _, entry) in self.namespaces.found.private.values() {
            // The host may have mounted it since the containers' tables were read.
            if !readers::is_storage(&entry.fstype) || of_host.contains_key(&entry.device) {
                continue;
            }
            let place = format!("{container}:{}", text::path_value(&entry.mount_point));
            found.push(readers::described(entry, place));
        }
        let mut report = self.counters(guard, &table, &mut found);
        // After the counters, among which the question itself would be.
        let asked: Vec<_> =
            asked.into_iter().map(|(index, shown)| (index, ask(guard, shown))).collect();
        for one in &mut found {
            if let Some(users) = self.namespaces.found.users.get(&one.device_number) {
                one.users.clone_from(users);
            }
        }
        for (index, ticket) in asked {
            found[index].responsive = answer(ticket);
        }
        found.sort_by(|a, b| a.key.cmp(&b.key));
        report.filesystems = found;
        report
    }

    fn counters(
        &mut self,
        guard: &Guard,
        table: &MountTable,
        found: &mut [NetworkFilesystem],
    ) -> NetworkReport {
        let mut report = NetworkReport::default();
        let mut readings = Vec::new();
        let roots = guard.roots();
        if found.iter().any(|one| is_nfs(&one.fstype)) {
            let (mounts, reading) = self.mountstats(guard, table);
            readings.push(reading);
            let mut used = Vec::new();
            for one in found.iter_mut().filter(|one| is_nfs(&one.fstype)) {
                let Some(mount) = mounts.get(&one.device_number) else { continue };
                readers::nfs(one, mount);
                let address = if one.address.is_empty() { &one.key.server } else { &one.address };
                used.push((address.clone(), mount));
            }
            let used = used.iter().map(|(address, mount)| (address.as_str(), *mount));
            report.transports = readers::transports(used);
        }
        let mut read = |is: fn(&str) -> bool,
                        with: fn(&mut [&mut NetworkFilesystem], &Path) -> Reading,
                        root: &Path| {
            let mut own: Vec<_> = found.iter_mut().filter(|one| is(&one.fstype)).collect();
            if !own.is_empty() {
                let began = Instant::now();
                let mut reading = with(&mut own, root);
                reading.report.duration_seconds = began.elapsed().as_secs_f64();
                readings.push(reading);
            }
        };
        read(|fstype| matches!(fstype, "cifs" | "smb3"), readers::cifs, &roots.procfs);
        read(|fstype| fstype.starts_with("fuse"), readers::fuse, &roots.sysfs);
        read(|fstype| fstype == "ceph", readers::ceph, &roots.sysfs);
        self.keep_sums_rising(found);
        report.sources = readings.into_iter().map(|reading| reading.report).collect();
        report
    }

    /// The NFS mounts of the host, and of containers that have one the host lacks.
    fn mountstats(
        &self,
        guard: &Guard,
        table: &MountTable,
    ) -> (HashMap<(u32, u32), NfsMount>, Reading) {
        let began = Instant::now();
        let path = guard.roots().mountinfo().with_file_name("mountstats");
        let (mut mounts, reading) = match std::fs::read(&path) {
            Ok(text) => {
                let stats = mountstats::parse(&text);
                let reading = Reading::good("network_nfs", &path).with_malformed(stats.malformed);
                (readers::by_superblock(stats.mounts, &table.entries), reading)
            }
            Err(error) => (HashMap::new(), Reading::failed("network_nfs", &path, "read", &error)),
        };
        for (_, pid, entry) in self.namespaces.found.private.values() {
            if !is_nfs(&entry.fstype) || mounts.contains_key(&entry.device) {
                continue;
            }
            let of_process = guard.roots().procfs.join(pid.to_string());
            // The process may be gone, or not be ours to look at: then its counters are absent.
            let (Ok(inside), Ok(text)) = (
                std::fs::read(of_process.join("mountinfo")),
                std::fs::read(of_process.join("mountstats")),
            ) else {
                continue;
            };
            let inside = MountTable::parse(&inside);
            let stats = mountstats::parse(&text);
            for (device, mount) in readers::by_superblock(stats.mounts, &inside.entries) {
                mounts.entry(device).or_insert(mount);
            }
        }
        let mut reading = reading;
        reading.report.duration_seconds = began.elapsed().as_secs_f64();
        (mounts, reading)
    }

    fn keep_sums_rising(&mut self, found: &mut [NetworkFilesystem]) {
        let mut kept = HashMap::new();
        for one in found.iter_mut().filter(|one| one.fstype == "ceph") {
            for (name, stats) in &mut one.operations {
                let Some(seconds) = &mut stats.execute_seconds else { continue };
                let key = (one.device_number, name.clone());
                if let Some((requests, sum)) = self.sums.get(&key)
                    && *requests <= stats.requests
                {
                    *seconds = seconds.max(*sum);
                }
                kept.insert(key, (stats.requests, *seconds));
            }
        }
        self.sums = kept;
    }
}

/// Reached through an automount that waits to unmount it: asking would keep it for ever.
fn automounted(table: &MountTable, entry: &MountEntry) -> bool {
    table.chain(&entry.mount_point).iter().any(|outer| outer.fstype == "autofs")
}

type Asked = Result<Ticket<Result<(), Errno>>, GuardError>;

fn ask(guard: &Guard, entry: &MountEntry) -> Asked {
    let path = guard.roots().inside(&entry.mount_point);
    let place = path.clone();
    guard.start(&path, "statfs", guard.limit(), move || retry_on_intr(|| statvfs(&place)).map(drop))
}

fn answer(asked: Asked) -> Option<bool> {
    match asked.and_then(Ticket::wait) {
        Ok(Ok(())) => Some(true),
        Ok(Err(errno)) => Some(!filesystems::means_no_answer(errno)),
        Err(GuardError::Unresponsive { .. }) => Some(false),
        // Nothing is known: the call was not made.
        Err(GuardError::Panicked { .. } | GuardError::Io { .. }) => None,
    }
}
