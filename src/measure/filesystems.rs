//! The filesystems that hold subjects: size, free space, inodes, whether they answer.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::io::{Errno, retry_on_intr};

use crate::host::errno::{self, Outcome};
use crate::host::{Guard, GuardError, MountEntry, MountTable, Roots, Ticket, source};
use crate::model::{ClockStep, FilesystemSample, FilesystemUsage, Timestamp};

/// What one round found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FilesystemReport {
    /// One for each filesystem, sorted by mount point. Mount points are paths of the host.
    pub samples: Vec<FilesystemSample>,
    /// Mount point of each path that was asked for, a key into `samples`. A path that leads
    /// nowhere is absent.
    pub mount_points: HashMap<PathBuf, PathBuf>,
    /// What could not be read, one line each. A filesystem that does not answer is not among
    /// them: its sample says so.
    pub errors: Vec<String>,
}

/// Measures filesystems and remembers their last numbers, for those that stop to answer.
#[derive(Debug, Default)]
pub struct FilesystemMeter {
    /// Id of the mount that holds each path, as long as this mount table is in force: following the
    /// links of ten thousand paths each round would cost more than all else here.
    placed: HashMap<PathBuf, u64>,
    table: Arc<MountTable>,
    last: HashMap<((u32, u32), PathBuf), (FilesystemUsage, Instant)>,
}

impl FilesystemMeter {
    /// Measures the filesystems that hold `paths` (as this process sees them). Waits no longer than
    /// the guard's limit for those that do not answer, all at once.
    pub fn measure(&mut self, guard: &Guard, paths: &[PathBuf]) -> FilesystemReport {
        let table = guard.table();
        let mut report = FilesystemReport::default();
        let held = self.place(guard, &table, paths, &mut report.errors);
        let mut found: BTreeMap<(u32, u32), (&MountEntry, bool)> = BTreeMap::new();
        for (path, entry, answers) in held {
            let (shown, all_answer) =
                found.entry(entry.device).or_insert_with(|| (canonical(&table, entry), true));
            *all_answer &= answers;
            report.mount_points.insert(path.clone(), shown.mount_point.clone());
        }
        let asked: Vec<_> = found
            .into_values()
            .map(|(entry, answers)| (entry, answers.then(|| ask(guard, entry))))
            .collect();
        let mut host = HostsView::new(guard.roots());
        for (entry, ticket) in asked {
            let key = (entry.device, entry.mount_point.clone());
            let mut responsive = true;
            match ticket.map(|ticket| ticket.and_then(Ticket::wait)) {
                Some(Ok(Ok(mut usage))) => {
                    usage.readonly = usage.readonly && host.readonly(entry);
                    self.last.insert(key.clone(), (usage, Instant::now()));
                }
                Some(Ok(Err(error))) => {
                    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
                    responsive = !(entry.remote() && errno.is_some_and(means_no_answer));
                    report.errors.push(format!("statfs {}: {error}", entry.mount_point.display()));
                }
                None | Some(Err(GuardError::Unresponsive { .. })) => responsive = false,
                Some(Err(error)) => report.errors.push(error.to_string()),
            }
            report.samples.push(FilesystemSample {
                mount_point: entry.mount_point.clone(),
                device: source::shown(&entry.fstype, &entry.source, entry.remote()),
                fstype: entry.fstype.clone(),
                device_number: entry.device,
                remote: entry.remote(),
                responsive,
                usage: self.last.get(&key).copied().map(|(usage, at)| by_the_clock_now(usage, at)),
                unattributed_bytes: None,
                growth: None,
                promised_bytes: None,
            });
        }
        report.samples.sort_by(|a, b| a.mount_point.cmp(&b.mount_point));
        // Unmounted ones are forgotten: their numbers are nobody's.
        self.last.retain(|(device, point), _| table.at(point).is_some_and(|e| e.device == *device));
        report
    }

    /// The mount that holds each path, and whether the way there answered.
    fn place<'a>(
        &mut self,
        guard: &Guard,
        table: &'a Arc<MountTable>,
        paths: &'a [PathBuf],
        errors: &mut Vec<String>,
    ) -> Vec<(&'a PathBuf, &'a MountEntry, bool)> {
        let mut known = std::mem::take(&mut self.placed);
        if !Arc::ptr_eq(table, &self.table) {
            known.clear();
            self.table = Arc::clone(table);
        }
        let mut held = Vec::with_capacity(paths.len());
        for path in paths {
            let (entry, answers) = match known.remove(path) {
                Some(id) => (table.by_id(id), true),
                None => match guard.resolve(path) {
                    Ok(real) => (table.containing(&guard.on_host(&real)), true),
                    // Where the look-up got stuck is as far as this path can be placed.
                    Err(GuardError::Unresponsive { mount_point, .. }) => {
                        (table.at(&mount_point), false)
                    }
                    // Not there (yet): the place where it would be.
                    Err(GuardError::Io { source, .. })
                        if errno::outcome_of(&source) == Outcome::Gone =>
                    {
                        (table.containing(&guard.on_host(path)), true)
                    }
                    Err(error) => {
                        errors.push(error.to_string());
                        continue;
                    }
                },
            };
            let Some(entry) = entry else { continue };
            if answers {
                self.placed.insert(path.clone(), entry.id);
            }
            held.push((path, entry, answers));
        }
        held
    }
}

/// Of all the mounts of one filesystem the one to name it by: the shortest that shows its whole
/// tree, else the shortest. Only those that can be reached count.
fn canonical<'a>(table: &'a MountTable, entry: &'a MountEntry) -> &'a MountEntry {
    let same = table.entries.iter().filter(|other| other.device == entry.device);
    shortest(table, same).unwrap_or(entry)
}

/// The same for mounts known to be of one filesystem; absent when none can be reached.
pub(super) fn shortest<'a>(
    table: &MountTable,
    mounts: impl Iterator<Item = &'a MountEntry>,
) -> Option<&'a MountEntry> {
    let reached =
        |other: &&MountEntry| table.at(&other.mount_point).is_some_and(|top| top.id == other.id);
    let order = |other: &&MountEntry| {
        let point = other.mount_point.as_os_str();
        (other.root != Path::new("/"), point.len(), point.to_owned())
    };
    mounts.filter(reached).min_by_key(order)
}

/// An error with which a network filesystem says that its server, or the process that serves it,
/// is not there.
pub(super) fn means_no_answer(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::IO
            | Errno::NOTCONN
            | Errno::STALE
            | Errno::TIMEDOUT
            | Errno::CONNREFUSED
            | Errno::CONNABORTED
            | Errno::CONNRESET
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
            | Errno::NETUNREACH
            | Errno::SHUTDOWN
    )
}

/// Numbers that stay while their filesystem does not answer, taken `at`: as old as they are, should
/// somebody have set the clock meanwhile.
fn by_the_clock_now(mut usage: FilesystemUsage, at: Instant) -> FilesystemUsage {
    if let Some(step) = ClockStep::between(usage.measured_at, now(), at.elapsed().as_secs_f64()) {
        step.shift(&mut usage.measured_at);
    }
    usage
}

/// Whether the host may write where this process may not: a service that is shut in
/// (`ProtectSystem=strict`), or a container that has the host's root mounted read-only, sees every
/// filesystem read-only. Process 1 lives in the host's mount namespace, and tells of its own mounts.
struct HostsView<'a> {
    roots: &'a Roots,
    /// Read once a round, and only if something is read-only here. Not from the guard: it knows no
    /// change of the filesystem's own options, such as ext4's remount after an error.
    table: Option<Option<MountTable>>,
}

impl<'a> HostsView<'a> {
    fn new(roots: &'a Roots) -> Self {
        Self { roots, table: None }
    }

    /// Where process 1 does not show this mount, what was seen here stands.
    fn readonly(&mut self, entry: &MountEntry) -> bool {
        let table = self.table.get_or_insert_with(|| {
            let text = std::fs::read(self.roots.procfs.join("1/mountinfo")).ok()?;
            Some(MountTable::parse(&text))
        });
        let same = table.as_ref().and_then(|table| table.at(&entry.mount_point));
        same.filter(|same| same.device == entry.device).is_none_or(MountEntry::readonly)
    }
}

type Asked = Result<Ticket<io::Result<FilesystemUsage>>, GuardError>;

fn ask(guard: &Guard, entry: &MountEntry) -> Asked {
    let path = guard.roots().inside(&entry.mount_point);
    let place = path.clone();
    guard.start(&path, "statfs", guard.limit(), move || usage(&place))
}

fn usage(path: &Path) -> io::Result<FilesystemUsage> {
    let fs = retry_on_intr(|| statvfs(path))?;
    let bytes = |blocks: u64| blocks.saturating_mul(fs.f_frsize);
    let counts_files = fs.f_files != 0;
    Ok(FilesystemUsage {
        size_bytes: bytes(fs.f_blocks),
        free_bytes: bytes(fs.f_bfree),
        available_bytes: bytes(fs.f_bavail),
        files: counts_files.then_some(fs.f_files),
        files_free: counts_files.then_some(fs.f_ffree),
        readonly: fs.f_flag.contains(StatVfsMountFlags::RDONLY),
        measured_at: now(),
    })
}

/// The wall clock, read at the edge.
fn now() -> Timestamp {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_only_is_what_the_host_says() {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots { procfs: dir.path().into(), ..Roots::default() };
        let seen = MountTable::parse(
            b"1 0 8:0 / / ro - ext4 root rw\n\
              2 1 8:1 / /data ro - ext4 d rw\n\
              3 1 8:2 / /failed ro - ext4 e rw\n\
              4 1 8:3 / /bound ro - ext4 f rw\n\
              5 1 8:4 / /moved ro - ext4 g rw\n",
        );
        let readonly = |point: &str| {
            HostsView::new(&roots).readonly(seen.at(Path::new(point)).expect("a mount"))
        };
        assert!(readonly("/"), "nobody says otherwise");
        std::fs::create_dir(dir.path().join("1")).unwrap();
        std::fs::write(
            dir.path().join("1/mountinfo"),
            "11 0 8:0 / / rw - ext4 root rw\n\
             12 11 8:1 / /data rw - ext4 d rw\n\
             13 11 8:2 / /failed rw - ext4 e ro,errors=remount-ro\n\
             14 11 8:3 / /bound ro - ext4 f rw\n\
             15 11 8:9 / /moved rw - ext4 other rw\n",
        )
        .unwrap();
        assert!(!readonly("/") && !readonly("/data"), "only this process is shut in");
        assert!(readonly("/failed"), "the filesystem is");
        assert!(readonly("/bound"), "the host's mount is");
        assert!(readonly("/moved"), "another filesystem at that place says nothing");
    }

    #[test]
    fn named_by_the_shortest_mount_of_the_whole() {
        let table = MountTable::parse(
            b"1 0 8:0 / / rw - ext4 root rw\n\
              2 1 8:1 /sub /a rw - ext4 d rw\n\
              3 1 8:1 / /long/name rw - ext4 d rw\n\
              4 1 8:1 / /long/name/more rw - ext4 d rw\n\
              5 1 8:2 /x /b/long rw - ext4 e rw\n\
              6 1 8:2 /y /b/c rw - ext4 e rw\n\
              7 1 8:1 / /s rw - ext4 d rw\n\
              8 7 8:3 / /s rw - tmpfs t rw\n",
        );
        let name = |id: u64| {
            let entry = table.entries.iter().find(|e| e.id == id).expect("in the table");
            canonical(&table, entry).id
        };
        // 7 is shorter, but covered by 8.
        assert_eq!((name(2), name(4), name(5), name(1)), (3, 3, 6, 1));
    }

    #[test]
    fn the_real_root_and_a_path_that_leads_nowhere() {
        let guard = Guard::new(crate::host::Roots::default(), std::time::Duration::from_secs(10));
        let mut meter = FilesystemMeter::default();
        let paths = ["/proc/self".into(), "/".into(), "/nonexistent/a/b".into()];
        let report = meter.measure(&guard, &paths);
        assert_eq!(report.errors, Vec::<String>::new());
        assert_eq!(report.mount_points[Path::new("/")], Path::new("/"));
        assert_eq!(report.mount_points[Path::new("/proc/self")], Path::new("/proc"));
        assert_eq!(report.mount_points[Path::new("/nonexistent/a/b")], Path::new("/"));
        assert_eq!(report.samples.len(), 2);
        let root = &report.samples[0];
        let usage = root.usage.expect("it answers");
        assert!(root.responsive && usage.size_bytes >= usage.free_bytes && usage.size_bytes > 0);
        // proc has neither blocks nor inodes.
        let proc = report.samples[1].usage.expect("it answers");
        assert_eq!((proc.files, proc.files_free), (None, None));
    }
}
