//! The mount table, `/proc/PID/mountinfo` (kernel: `Documentation/filesystems/proc.rst`, 3.5).
//!
//! Parsed from bytes: a mount point may hold any byte but NUL, and a task can choose it. (The
//! `procfs` crate reads the table as UTF-8 text and fails as a whole on one odd name.)

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::Roots;

/// One line of the mount table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountEntry {
    /// Mount id; the kernel gives it again once the mount is gone.
    pub id: u64,
    /// Id of the mount it sits on; that one may lie outside what this table shows.
    pub parent: u64,
    /// Major and minor device number of the filesystem.
    pub device: (u32, u32),
    /// Directory within the filesystem that is mounted, `/` for all of it.
    pub root: PathBuf,
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// Options of this mount (`rw,nosuid,…`).
    pub options: String,
    /// Type, with subtype (`ext4`, `fuse.sshfs`).
    pub fstype: String,
    /// Device, export or whatever the filesystem names itself.
    pub source: String,
    /// Options of the filesystem.
    pub super_options: String,
}

impl MountEntry {
    /// The mount or its filesystem is read-only.
    pub fn readonly(&self) -> bool {
        let ro = |options: &str| options.split(',').any(|option| option == "ro");
        ro(&self.options) || ro(&self.super_options)
    }

    /// On the network or served by a process: may hang, is never walked by default. (`fuseblk`
    /// is a process too, but one that serves a local disk.)
    pub fn remote(&self) -> bool {
        Self::is_remote(&self.fstype)
    }

    /// The same of a type.
    pub fn is_remote(fstype: &str) -> bool {
        matches!(
            fstype,
            "nfs"
                | "nfs4"
                | "cifs"
                | "smb3"
                | "smbfs"
                | "ncpfs"
                | "ceph"
                | "glusterfs"
                | "9p"
                | "lustre"
                | "afs"
                | "coda"
                | "beegfs"
                | "gpfs"
                | "orangefs"
                | "pvfs2"
                | "panfs"
                | "fuse"
        ) || fstype.starts_with("fuse.")
    }

    /// Made up by the kernel: no data of tasks, nothing to measure.
    pub fn pseudo(&self) -> bool {
        matches!(
            self.fstype.as_str(),
            "proc"
                | "sysfs"
                | "cgroup"
                | "cgroup2"
                | "devpts"
                | "devtmpfs"
                | "mqueue"
                | "debugfs"
                | "tracefs"
                | "securityfs"
                | "configfs"
                | "fusectl"
                | "pstore"
                | "bpf"
                | "binfmt_misc"
                | "hugetlbfs"
                | "autofs"
                | "efivarfs"
                | "selinuxfs"
                | "rpc_pipefs"
                | "nfsd"
                | "nsfs"
        )
    }
}

/// The mounts on one point, indexed so that a look-up climbs a stack of thousands (a driver that
/// mounts at each start and never unmounts) without a search at each step.
#[derive(Clone, Debug, Default)]
struct Stack {
    mounts: HashSet<usize>,
    /// The last mount of the file on each parent.
    on: HashMap<u64, usize>,
    /// The last whose parent is outside the table (the root's, or a malformed line).
    adrift: Option<usize>,
}

/// A mount table with its indexes: look-ups stay quick with 10,000 entries.
#[derive(Clone, Debug, Default)]
pub struct MountTable {
    /// Every mount, in the order of the file.
    pub entries: Vec<MountEntry>,
    /// Lines that could not be understood, and were left out.
    pub malformed: usize,
    by_point: HashMap<PathBuf, Stack>,
    by_id: HashMap<u64, usize>,
    /// What is seen at each mount point that can be reached, by mount point.
    visible: Vec<usize>,
}

impl MountTable {
    /// Reads a whole table. A malformed line is left out and counted.
    pub fn parse(text: &[u8]) -> Self {
        let mut table = Self::default();
        for line in text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            match parse_line(line) {
                Some(entry) => table.entries.push(entry),
                None => table.malformed += 1,
            }
        }
        for (index, entry) in table.entries.iter().enumerate() {
            table.by_id.insert(entry.id, index);
        }
        for (index, entry) in table.entries.iter().enumerate() {
            let stack = table.by_point.entry(entry.mount_point.clone()).or_default();
            stack.mounts.insert(index);
            if entry.parent == entry.id || !table.by_id.contains_key(&entry.parent) {
                stack.adrift = Some(index);
            }
            if entry.parent != entry.id {
                stack.on.insert(entry.parent, index);
            }
        }
        table.visible = table
            .by_point
            .keys()
            .filter_map(|point| {
                table.find(point).filter(|&top| table.entries[top].mount_point == *point)
            })
            .collect();
        table
            .visible
            .sort_by(|&a, &b| table.entries[a].mount_point.cmp(&table.entries[b].mount_point));
        table
    }

    /// Reads the host's table, [`Roots::mountinfo`]. Its paths are those of the host.
    pub fn read(roots: &Roots) -> io::Result<Self> {
        std::fs::read(roots.mountinfo()).map(|text| Self::parse(&text))
    }

    /// The mount that holds an absolute path without `..` and without symbolic links: followed
    /// from the root the way the kernel does, so that mounts hidden below a later one do not count.
    pub fn containing(&self, path: &Path) -> Option<&MountEntry> {
        self.find(path).map(|index| &self.entries[index])
    }

    /// What is mounted exactly at `path` and seen there.
    pub fn at(&self, path: &Path) -> Option<&MountEntry> {
        self.containing(path).filter(|entry| entry.mount_point == path)
    }

    /// What is mounted strictly below `path` and can be reached, sorted by mount point.
    pub fn below<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = &'a MountEntry> {
        let start =
            self.visible.partition_point(|&i| self.entries[i].mount_point.as_path() <= path);
        self.visible[start..]
            .iter()
            .map(|&index| &self.entries[index])
            .take_while(move |entry| entry.mount_point.starts_with(path))
    }

    /// The mount with this id.
    pub fn by_id(&self, id: u64) -> Option<&MountEntry> {
        self.by_id.get(&id).map(|&index| &self.entries[index])
    }

    /// The mounts a path look-up passes through, the outermost first, the one that holds `path` last.
    pub fn chain(&self, path: &Path) -> Vec<&MountEntry> {
        self.follow(path).into_iter().map(|index| &self.entries[index]).collect()
    }

    fn find(&self, path: &Path) -> Option<usize> {
        self.follow(path).pop()
    }

    fn follow(&self, path: &Path) -> Vec<usize> {
        let mut prefixes: Vec<&Path> = path.ancestors().collect();
        prefixes.reverse();
        let mut passed: Vec<usize> = Vec::new();
        for prefix in prefixes {
            let Some(stack) = self.by_point.get(prefix) else { continue };
            // Each mount stacked on one point sits on the one before; a table whose ids go in a
            // circle ends after as many steps as there are mounts.
            for _ in 0..stack.mounts.len() {
                let last = passed.last();
                let on_top = last.and_then(|&index| stack.on.get(&self.entries[index].id));
                // A parent outside the table proves nothing, but it does not follow a known one.
                let arrived = last.is_some_and(|last| stack.mounts.contains(last));
                match on_top.or(stack.adrift.as_ref().filter(|_| !arrived)) {
                    Some(&index) => passed.push(index),
                    None => break,
                }
            }
        }
        passed
    }
}

/// `36 35 98:0 /root /point rw,noatime shared:1 master:2 - ext4 /dev/sda1 rw,errors=continue`
fn parse_line(line: &[u8]) -> Option<MountEntry> {
    let mut fields = line.split(|&byte| byte == b' ');
    let number = |field: Option<&[u8]>| std::str::from_utf8(field?).ok()?.parse::<u64>().ok();
    let text = |field: &[u8]| String::from_utf8_lossy(&unescape(field)).into_owned();
    let id = number(fields.next())?;
    let parent = number(fields.next())?;
    let device = std::str::from_utf8(fields.next()?).ok()?;
    let (major, minor) = device.split_once(':')?;
    let device = (major.parse().ok()?, minor.parse().ok()?);
    let root = path(fields.next()?);
    let mount_point = path(fields.next()?);
    if !mount_point.is_absolute() {
        return None;
    }
    let options = text(fields.next()?);
    // Optional fields (propagation), as many as there are, up to a lone dash.
    fields.by_ref().find(|field| *field == b"-")?;
    let fstype = text(fields.next()?);
    let source = text(fields.next()?);
    let super_options = fields.map(text).collect::<Vec<_>>().join(" ");
    Some(MountEntry {
        id,
        parent,
        device,
        root,
        mount_point,
        options,
        fstype,
        source,
        super_options,
    })
}

/// A path of a table in `/proc`.
pub(crate) fn path(field: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(unescape(field)))
}

/// Undoes the kernel's `mangle`: `\040`, `\011`, `\012`, `\043` and `\134` as octal numbers.
pub(crate) fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        let octal = match tail {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] if first == b'\\' => {
                Some((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'))
            }
            _ => None,
        };
        bytes.push(octal.unwrap_or(first));
        rest = if octal.is_some() { &tail[3..] } else { tail };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    const TABLE: &[u8] = b"\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
30 27 0:40 / /proc rw - proc proc rw
40 27 8:1 / /data rw,noatime shared:5 master:2 propagate_from:1 - xfs /dev/sda1 ro,attr2
41 40 8:1 /vol/a /data/box/v rw shared:9 - xfs /dev/sda1 rw,attr2
42 27 0:50 / /data2 ro - nfs4 host:/exp\\040ort rw,vers=4.2
43 27 0:51 / /odd\\040name\\011\\012\\043\\134\xff rw - fuse.sshfs x rw
44 27 7:0 / /mnt/usb rw - fuseblk /dev/loop0 rw
";

    fn id(table: &MountTable, path: &str) -> Option<u64> {
        table.containing(Path::new(path)).map(|entry| entry.id)
    }

    #[test]
    fn a_good_table() {
        let table = MountTable::parse(TABLE);
        assert_eq!((table.entries.len(), table.malformed), (7, 0));
        let data = table.at(Path::new("/data")).expect("is there");
        assert_eq!(
            *data,
            MountEntry {
                id: 40,
                parent: 27,
                device: (8, 1),
                root: "/".into(),
                mount_point: "/data".into(),
                options: "rw,noatime".into(),
                fstype: "xfs".into(),
                source: "/dev/sda1".into(),
                super_options: "ro,attr2".into(),
            }
        );
        assert!(data.readonly() && !data.remote() && !data.pseudo());
        assert!(table.entries[1].pseudo());
        assert!(table.entries[4].remote() && table.entries[4].readonly());
        assert_eq!(table.entries[4].source, "host:/exp ort");
        assert_eq!(table.entries[5].mount_point.as_os_str().as_bytes(), b"/odd name\t\n#\\\xff");
        assert!(table.entries[5].remote());
        assert!(!table.entries[6].remote());
        assert_eq!(table.entries[3].root, Path::new("/vol/a"));
    }

    #[test]
    fn the_deepest_mount_by_whole_components() {
        let table = MountTable::parse(TABLE);
        assert_eq!(id(&table, "/"), Some(27));
        assert_eq!(id(&table, "/data"), Some(40));
        assert_eq!(id(&table, "/data/box"), Some(40));
        assert_eq!(id(&table, "/data/box/v/x"), Some(41));
        assert_eq!(id(&table, "/data2/x"), Some(42));
        assert_eq!(id(&table, "/data23"), Some(27));
        assert_eq!(id(&table, "relative"), None);
        let below: Vec<u64> = table.below(Path::new("/data")).map(|e| e.id).collect();
        assert_eq!(below, [41]);
        assert_eq!(table.below(Path::new("/data/box/v")).count(), 0);
        assert_eq!(table.below(Path::new("/")).count(), 6);
        let chain: Vec<u64> =
            table.chain(Path::new("/data/box/v/x")).iter().map(|e| e.id).collect();
        assert_eq!(chain, [27, 40, 41]);
        assert!(table.at(Path::new("/data/box")).is_none());
    }

    #[test]
    fn stacked_and_hidden_mounts() {
        // /a, then /a/b on it, then another /a on top: the first /a and /a/b cannot be reached.
        let table = MountTable::parse(
            b"1 0 8:0 / / rw - ext4 d rw\n\
              2 1 8:1 / /a rw - ext4 d rw\n\
              3 2 8:2 / /a/b rw - ext4 d rw\n\
              4 2 8:3 / /a rw - ext4 d rw\n",
        );
        assert_eq!(id(&table, "/a/b/c"), Some(4));
        assert_eq!(table.below(Path::new("/")).map(|e| e.id).collect::<Vec<_>>(), [4]);
        // A mount slid beneath the top one comes later in the file and is still not seen.
        let table = MountTable::parse(
            b"1 0 8:0 / / rw - ext4 d rw\n\
              2 3 8:1 / /a rw - ext4 d rw\n\
              3 1 8:2 / /a rw - ext4 d rw\n",
        );
        assert_eq!(id(&table, "/a"), Some(2));
        // The root itself mounted over.
        let table =
            MountTable::parse(b"1 1 0:1 / / rw - rootfs r rw\n2 1 8:0 / / rw - ext4 d rw\n");
        assert_eq!(id(&table, "/x"), Some(2));
    }

    #[test]
    fn parents_that_are_not_shown() {
        let table =
            MountTable::parse(b"9 8 8:0 / /a rw - ext4 d rw\n10 7 8:1 / /a/b rw - xfs e rw\n");
        assert_eq!(id(&table, "/a/b/c"), Some(10));
        assert_eq!(id(&table, "/a/c"), Some(9));
        assert_eq!(id(&table, "/"), None);
        assert_eq!(id(&MountTable::parse(b""), "/"), None);
    }

    #[test]
    fn malformed_lines_are_counted_not_fatal() {
        let table = MountTable::parse(
            b"1 0 8:0 / / rw - ext4 d rw\n\
              x 0 8:0 / / rw - ext4 d rw\n\
              2 1 80 / /a rw - ext4 d rw\n\
              3 1 8:0 / /b rw ext4 d rw\n\
              4 1 8:0 / /c rw\n\
              5 1 8:0 / relative rw - ext4 d rw\n\
              \xff\xfe\n\
              6 1 8:0 / /d rw - tmpfs  rw\n",
        );
        assert_eq!((table.entries.len(), table.malformed), (2, 6));
        assert_eq!(table.entries[1].source, "");
        assert_eq!(table.entries[1].super_options, "rw");
        assert_eq!(unescape(b"\\9\\04\\"), b"\\9\\04\\");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_end_in_a_table(
            lines in proptest::collection::vec(
                "[0-9]{1,2} [0-9]{1,2} [0-9]:[0-9] / (/[ab\\\\0-4]{0,5}){1,3} rw( shared:1)? -? [a-z]{0,3} d rw",
                0..20,
            ),
            noise in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
            path in "(/[ab]{0,2}){0,4}",
        ) {
            let mut text = lines.join("\n").into_bytes();
            let count = text.split(|&b| b == b'\n').filter(|line| !line.is_empty()).count();
            let table = MountTable::parse(&text);
            proptest::prop_assert_eq!(table.entries.len() + table.malformed, count);
            let path = Path::new(&path);
            if let Some(entry) = table.containing(path) {
                proptest::prop_assert!(path.starts_with(&entry.mount_point));
            }
            for entry in table.below(path) {
                proptest::prop_assert!(entry.mount_point.starts_with(path) && entry.mount_point != path);
            }
            text.extend(noise);
            let _ = MountTable::parse(&text).containing(path);
        }
    }

    #[test]
    fn ids_in_a_circle_end() {
        let table = MountTable::parse(b"1 2 8:0 / / rw - a d rw\n2 1 8:0 / / rw - a d rw\n");
        assert_eq!(table.entries.len(), 2);
        let _ = id(&table, "/x");
    }

    #[test]
    fn ten_thousand_entries_stay_quick() {
        let mut text = b"1 0 8:0 / / rw - ext4 d rw\n".to_vec();
        for i in 2..10_002_u32 {
            text.extend(format!("{i} 1 0:{i} / /run/box/{i}/rootfs rw - overlay o rw\n").bytes());
        }
        let started = std::time::Instant::now();
        let table = MountTable::parse(&text);
        for i in 2..10_002_u64 {
            assert_eq!(id(&table, &format!("/run/box/{i}/rootfs/etc")), Some(i));
        }
        assert_eq!(table.below(Path::new("/run/box/77")).count(), 1);
        assert!(started.elapsed().as_secs_f64() < 60.0, "{:?}", started.elapsed());
    }

    /// Leaks of volume drivers: mounted anew at each start, never unmounted. Were each look-up to
    /// search the stack for each of its mounts, this would take minutes.
    #[test]
    fn thousands_of_mounts_on_one_point_are_followed_to_the_last() {
        const STACKED: u64 = 3_000;
        let mut text = String::from("1 0 8:1 / / rw - ext4 d rw\n");
        for id in 2..2 + STACKED {
            text += &format!("{id} {} 0:{id} / /leak rw - tmpfs t rw\n", id - 1);
        }
        let top = 1 + STACKED;
        for id in top + 1..=top + STACKED {
            text += &format!("{id} {top} 0:{id} / /leak/{id} rw - tmpfs t rw\n");
        }
        let table = MountTable::parse(text.as_bytes());
        assert_eq!(table.at(Path::new("/leak")).unwrap().id, top);
        assert_eq!(table.chain(Path::new("/leak/x")).len() as u64, 1 + STACKED);
        assert_eq!(table.below(Path::new("/leak")).count() as u64, STACKED);
        let last = top + STACKED;
        assert_eq!(table.containing(&PathBuf::from(format!("/leak/{last}/x"))).unwrap().id, last);
    }
}
