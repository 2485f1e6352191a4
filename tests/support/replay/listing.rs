//! Rebuilds a directory tree from a `find` listing.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// One line of a listing.
#[derive(Debug, PartialEq)]
pub struct Entry {
    /// `f`, `d` or `l`.
    pub kind: char,
    /// `st_size`.
    pub size: u64,
    /// `device:inode`.
    pub inode: String,
    /// Absolute path on the captured host.
    pub path: PathBuf,
    /// Target of a symbolic link.
    pub target: Option<PathBuf>,
}

/// Parses `type mode user group size blocks links device:inode path -> target`. Paths may hold
/// spaces; only a link has a target.
pub fn parse(line: &str) -> Entry {
    let mut fields = line.splitn(9, ' ');
    let mut next = || fields.next().unwrap_or_else(|| panic!("listing line too short: {line:?}"));
    let kind = next().chars().next().expect("type of a listing line");
    let (_mode, _user, _group) = (next(), next(), next());
    let size = next().parse().unwrap_or_else(|_| panic!("size in listing line: {line:?}"));
    let (_blocks, _links) = (next(), next());
    let inode = next().to_owned();
    let rest = next();
    let (path, target) =
        rest.split_once(" -> ").unwrap_or_else(|| panic!("no arrow in listing line: {line:?}"));
    let target = (kind == 'l').then(|| PathBuf::from(target));
    Entry { kind, size, inode, path: path.into(), target }
}

/// Makes every entry below `root`, except those `skip` names. Files are sparse: size and shape are
/// replayed, blocks are not. Files of one inode become hard links of each other, as bind-mounted
/// volumes show in the captures.
pub fn rebuild(root: &Path, listing: &str, skip: impl Fn(&Path) -> bool) {
    let mut first: HashMap<String, PathBuf> = HashMap::new();
    for entry in listing.lines().filter(|line| !line.is_empty()).map(parse) {
        if skip(&entry.path) {
            continue;
        }
        let here = inside(root, &entry.path);
        match entry.kind {
            'd' => fs::create_dir_all(&here).unwrap_or_else(|e| panic!("{}: {e}", here.display())),
            'l' => {
                let target = entry.target.expect("target of a link");
                symlink(target, &here).unwrap_or_else(|e| panic!("{}: {e}", here.display()));
            }
            'f' => match first.get(&entry.inode) {
                Some(other) => fs::hard_link(other, &here)
                    .unwrap_or_else(|e| panic!("{} as a link: {e}", here.display())),
                None => {
                    let file = fs::File::create(&here)
                        .unwrap_or_else(|e| panic!("{}: {e}", here.display()));
                    file.set_len(entry.size)
                        .unwrap_or_else(|e| panic!("{} of {}: {e}", here.display(), entry.size));
                    first.insert(entry.inode, here);
                }
            },
            other => panic!("type {other:?} in a listing"),
        }
    }
}

/// Where a path of the captured host lies below the scene's root.
pub fn inside(root: &Path, host: &Path) -> PathBuf {
    root.join(host.strip_prefix("/").unwrap_or(host))
}

/// Reads a file that may be gzipped (`name` or `name.gz`); `None` when neither is there.
pub fn read_maybe_gzip(dir: &Path, name: &str) -> Option<String> {
    let plain = dir.join(name);
    if plain.exists() {
        return Some(
            fs::read_to_string(&plain).unwrap_or_else(|e| panic!("{}: {e}", plain.display())),
        );
    }
    let packed = dir.join(format!("{name}.gz"));
    let file = fs::File::open(packed).ok()?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzipped listing");
    Some(text)
}

/// Unpacks directories, files and links of a `.tar.gz` below `into`. Device nodes are left out:
/// making them needs root, and nothing looks at them.
pub fn unpack(archive: &Path, into: &Path) {
    let Ok(file) = fs::File::open(archive) else { return };
    fs::create_dir_all(into).expect("directory of an archive");
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
    for entry in tar.entries().expect("entries of an archive") {
        let mut entry = entry.expect("entry of an archive");
        let kind = entry.header().entry_type();
        if kind.is_file() || kind.is_dir() || kind.is_symlink() || kind.is_hard_link() {
            entry.unpack_in(into).unwrap_or_else(|e| panic!("{}: {e}", archive.display()));
        }
    }
}

#[test]
fn a_line_with_spaces_in_its_path() {
    let line = "d 755 root root 4096 8 2 65024:12 /var/lib/mesos/volumes/roles/eng storage/x -> ";
    assert_eq!(
        parse(line),
        Entry {
            kind: 'd',
            size: 4096,
            inode: "65024:12".into(),
            path: "/var/lib/mesos/volumes/roles/eng storage/x".into(),
            target: None
        }
    );
    let line = "l 777 root root 7 0 1 65024:13 /a b/latest -> /c d/e";
    assert_eq!(parse(line).target, Some("/c d/e".into()));
}
