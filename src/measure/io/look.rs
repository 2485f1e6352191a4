//! The look: which groups there are, what limits they have, what their threads waited.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::host::MountTable;
use crate::model::{CgroupVersion, ContainerRef, SandboxKey};

use super::IoMeter;
use super::cgroup::{Found, GroupFiles, Hierarchies, KeptFile, LimitFiles, Lost, Scope, settings};
use super::delay::{Accounting, DelayMeter, MOST_THREADS, of_thread, threads, ticks_since_boot};
use super::entry::Entry;
use super::history::History;
use super::points::LimitPoint;

/// What seldom changes is read with each so many looks.
const SELDOM: u64 = 4;

impl IoMeter {
    /// Finds the groups of these containers and of Docker's, and reads what changes seldom. Tells
    /// whether a group was there whose owner could not be told yet.
    pub fn look(&mut self, containers: &[ContainerRef], table: &MountTable) -> bool {
        let hierarchies = Hierarchies::find(table, &self.roots);
        if hierarchies != self.hierarchies {
            self.hierarchies = hierarchies;
            self.entries.clear();
            self.points.clear();
            self.limit_files.clear();
        }
        let known = |key: &SandboxKey| self.entries.get(key).map(|entry| entry.found.clone());
        let found = self.finder.find(containers, known, &self.hierarchies, &self.roots);
        self.take(found);
        self.read_limits();
        self.accounting = Accounting::of(&self.roots);
        if self.accounting != Accounting::Off {
            self.read_delays();
        }
        if self.looks.is_multiple_of(SELDOM) {
            self.names.clear();
        }
        self.looks += 1;
        self.finder.unresolved
    }

    fn take(&mut self, found: Vec<(ContainerRef, Found)>) {
        let unified_counts = self.hierarchies.unified_counts();
        let seldom = self.looks.is_multiple_of(SELDOM);
        let keys: HashSet<_> = found.iter().map(|(container, _)| container.key.clone()).collect();
        self.entries.retain(|key, _| keys.contains(key));
        for (container, found) in found {
            let place = match (&found.blkio, &found.unified) {
                (Some(group), _) if self.hierarchies.blkio.is_some() => {
                    Some((CgroupVersion::V1, group.clone()))
                }
                (_, Some(group)) if unified_counts => Some((CgroupVersion::V2, group.clone())),
                _ => None,
            };
            let Some((version, group)) = place else {
                self.entries.remove(&container.key);
                continue;
            };
            let known = self.entries.get_mut(&container.key);
            let made = match known {
                Some(entry) if entry.group == group && entry.version == version => {
                    entry.found = found;
                    if seldom {
                        entry.files.look_for_scheduler();
                        if let Ok(settings) = settings(version, entry.files.directory()) {
                            entry.settings = settings;
                        }
                    }
                    continue;
                }
                _ => self.open(container.clone(), found, version, group),
            };
            match made {
                Ok(entry) => {
                    self.entries.insert(container.key, entry);
                }
                Err(lost) => {
                    self.entries.remove(&container.key);
                    if let Lost::Failed(error) = lost {
                        self.errors.push(error);
                    }
                }
            }
        }
    }

    fn open(
        &self,
        container: ContainerRef,
        found: Found,
        version: CgroupVersion,
        group: PathBuf,
    ) -> Result<Entry, Lost> {
        let directory = self.directory(version, &group).ok_or(Lost::Gone)?;
        let files = GroupFiles::open(version, &directory, Scope::Whole, &self.room)?;
        let pressure = found
            .unified
            .as_deref()
            .and_then(|group| self.directory(CgroupVersion::V2, group))
            .map(|directory| KeptFile::new(directory.join("io.pressure")));
        let chain = match version {
            CgroupVersion::V1 => vec![group.clone()],
            CgroupVersion::V2 => group
                .ancestors()
                .filter(|ancestor| ancestor.parent().is_some())
                .map(Path::to_path_buf)
                .collect(),
        };
        Ok(Entry {
            container,
            found,
            version,
            settings: settings(version, &directory).unwrap_or_default(),
            group_name: crate::host::names::escape_name(group.as_os_str()),
            group,
            files,
            pressure,
            chain,
            throttled: BTreeMap::new(),
            shared: BTreeMap::new(),
            delay: DelayMeter::default(),
            delay_known: false,
            history: History::default(),
        })
    }

    fn directory(&self, version: CgroupVersion, group: &Path) -> Option<PathBuf> {
        let hierarchy = match version {
            CgroupVersion::V1 => self.hierarchies.blkio.as_ref()?,
            CgroupVersion::V2 => self.hierarchies.unified.as_ref()?,
        };
        hierarchy.directory(group)
    }

    /// Reads the limits of every group in a chain, each once, and keeps a point for those that
    /// have one.
    fn read_limits(&mut self) {
        let mut groups: HashMap<PathBuf, CgroupVersion> = HashMap::new();
        for entry in self.entries.values() {
            for group in &entry.chain {
                groups.insert(group.clone(), entry.version);
            }
        }
        self.limit_files.retain(|group, _| groups.contains_key(group));
        self.points.retain(|group, _| groups.contains_key(group));
        for (group, version) in groups {
            let Some(directory) = self.directory(version, &group) else { continue };
            let files = self
                .limit_files
                .entry(group.clone())
                .or_insert_with(|| LimitFiles::new(version, &directory, &self.room));
            let limits = match files.read(&mut self.buffer) {
                Ok(limits) => limits,
                Err(Lost::Gone) => continue,
                Err(Lost::Failed(error)) => {
                    self.errors.push(error);
                    continue;
                }
            };
            if limits.is_empty() {
                self.points.remove(&group);
                continue;
            }
            if let Some(point) = self.points.get_mut(&group) {
                point.limits = limits;
                continue;
            }
            match GroupFiles::open(version, &directory, Scope::Own, &self.room) {
                Ok(files) => {
                    self.points.insert(group, LimitPoint::new(files, limits));
                }
                Err(Lost::Gone) => {}
                Err(Lost::Failed(error)) => self.errors.push(error),
            }
        }
    }

    fn read_delays(&mut self) {
        let mut left = MOST_THREADS;
        for entry in self.entries.values_mut() {
            let file = match entry.version {
                CgroupVersion::V1 => "tasks",
                CgroupVersion::V2 => "cgroup.threads",
            };
            let listed = threads(entry.files.directory(), file, left);
            entry.delay_known = listed.is_some();
            let Some(listed) = listed else { continue };
            left = left.saturating_sub(listed.len());
            let procfs = &self.roots.procfs;
            let read: Vec<_> = listed
                .into_iter()
                .filter_map(|thread| Some((thread, of_thread(procfs, thread)?)))
                .collect();
            entry.delay.observe(read, ticks_since_boot());
            self.delays_seen |= entry.delay.ticks() > 0;
        }
    }
}
