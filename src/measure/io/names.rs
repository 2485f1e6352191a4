//! Names of block devices.

use crate::host::Roots;
use crate::model::DeviceNumber;

/// The name of a device (`sda`, `dm-3`), from `/sys/dev/block/MAJ:MIN/uevent`; its number when it
/// has none here.
pub fn device_name(roots: &Roots, number: DeviceNumber) -> String {
    let path = roots.sysfs.join("dev/block").join(number.to_string()).join("uevent");
    let name = std::fs::read_to_string(path).ok().and_then(|text| {
        text.lines().find_map(|line| line.strip_prefix("DEVNAME=").map(str::to_owned))
    });
    name.unwrap_or_else(|| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_uevent_or_by_number() {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots { sysfs: dir.path().into(), ..Roots::default() };
        let number = DeviceNumber { major: 8, minor: 16 };
        assert_eq!(device_name(&roots, number), "8:16");
        let device = dir.path().join("dev/block/8:16");
        std::fs::create_dir_all(&device).unwrap();
        std::fs::write(device.join("uevent"), "MAJOR=8\nMINOR=16\nDEVNAME=sdb\n").unwrap();
        assert_eq!(device_name(&roots, number), "sdb");
    }
}
