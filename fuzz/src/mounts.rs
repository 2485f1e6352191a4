//! The mount table.

use std::path::Path;

use plimsoll::host::MountTable;

/// Mounts that are looked at one by one.
const MOST: usize = 64;

pub fn run(data: &[u8]) {
    let table = MountTable::parse(data);
    let lines = data.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).count();
    assert_eq!(table.entries.len() + table.malformed, lines);
    for entry in table.entries.iter().take(MOST) {
        let point = &entry.mount_point;
        assert!(point.is_absolute());
        assert!(table.by_id(entry.id).is_some_and(|found| found.id == entry.id));
        let _ = (entry.readonly(), entry.pseudo(), entry.remote());
        for path in [point.clone(), point.join("below")] {
            let chain = table.chain(&path);
            // Whatever holds a path is mounted above it, and what the chain passes gets no shorter.
            assert!(chain.iter().all(|mount| path.starts_with(&mount.mount_point)));
            assert!(chain.is_sorted_by_key(|mount| mount.mount_point.components().count()));
            assert_eq!(table.containing(&path), chain.last().copied());
        }
        if let Some(at) = table.at(point) {
            assert_eq!(at.mount_point, *point);
        }
        let below: Vec<_> = table.below(point).collect();
        for mount in &below {
            assert!(mount.mount_point.starts_with(point) && mount.mount_point != *point);
            assert_eq!(table.at(&mount.mount_point), Some(*mount), "only what can be reached");
        }
    }
    assert!(table.below(Path::new("/")).count() <= table.entries.len());
}
