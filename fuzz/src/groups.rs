//! Which control group a container is in: the mount table, then, after a zero byte, what its process
//! says. Wherever that leads, it is a place below a hierarchy.

use std::path::{Component, Path};

use plimsoll::host::{MountTable, Roots};
use plimsoll::measure::io::cgroup::{Hierarchies, own_group, parse_membership};

pub fn run(data: &[u8]) {
    let (table, membership) = match data.iter().position(|&byte| byte == 0) {
        Some(zero) => (&data[..zero], &data[zero + 1..]),
        None => (data, data),
    };
    let elsewhere = Roots { sysfs: "/host/sys".into(), rootfs: "/host".into(), ..Roots::default() };
    let table = MountTable::parse(table);
    let (here, there) =
        (Hierarchies::find(&table, &Roots::default()), Hierarchies::find(&table, &elsewhere));
    assert_eq!(here.blkio.is_some(), there.blkio.is_some());
    assert_eq!(here.unified.is_some(), there.unified.is_some());
    let found = parse_membership(membership);
    for hierarchies in [&here, &there] {
        let pairs = [(&hierarchies.blkio, &found.blkio), (&hierarchies.unified, &found.unified)];
        for (hierarchy, group) in pairs {
            let (Some(hierarchy), Some(group)) = (hierarchy, group) else { continue };
            let whole = hierarchy.directory(group);
            if let Some(directory) = &whole {
                inside(directory, &hierarchy.mount_point);
            }
            // A container's own group lies on the way to the group of its process.
            for name in group.iter().filter_map(|part| part.to_str()) {
                let Some(own) = own_group(group, name) else { continue };
                if let Some(directory) = hierarchy.directory(&own) {
                    inside(&directory, &hierarchy.mount_point);
                    assert!(whole.as_ref().is_none_or(|whole| whole.starts_with(&directory)));
                }
            }
        }
    }
}

fn inside(directory: &Path, mount_point: &Path) {
    let below = directory.strip_prefix(mount_point).expect("below the mount");
    assert!(below.components().all(|part| matches!(part, Component::Normal(_))), "{below:?}");
}
