//! Names and ids of the device mapper.

use crate::model::DeviceKind;

/// Volume group and logical volume of a device-mapper name: LVM joins them with a hyphen and
/// doubles the hyphens within (`dm_build_dm_name` of libdevmapper). A third part (`-real`,
/// `_tdata`'s siblings) is one of LVM's own layers and stays with the volume.
pub fn logical_volume(name: &str) -> Option<(String, String)> {
    let bytes = name.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'-' {
            at += 1;
        } else if bytes.get(at + 1) == Some(&b'-') {
            at += 2;
        } else {
            let (group, volume) = (&name[..at], &name[at + 1..]);
            if group.is_empty() || volume.is_empty() {
                return None;
            }
            return Some((group.replace("--", "-"), volume.replace("--", "-")));
        }
    }
    None
}

/// What a device-mapper device is, by the prefix of its uuid.
pub(super) fn mapper_kind(uuid: &str) -> DeviceKind {
    match uuid.split('-').next().unwrap_or_default() {
        "LVM" => DeviceKind::Lvm,
        "CRYPT" => DeviceKind::Crypt,
        "mpath" => DeviceKind::Multipath,
        // `part1-mpath-…`: kpartx on top of a multipath or another device.
        part if part.starts_with("part") => DeviceKind::Partition,
        _ => DeviceKind::Mapper,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hyphens_within_names_are_doubled() {
        let pair = |name: &str| logical_volume(name);
        let named = |group: &str, volume: &str| Some((group.to_string(), volume.to_string()));
        assert_eq!(pair("vg0-data"), named("vg0", "data"));
        assert_eq!(pair("my--vg-data--lv"), named("my-vg", "data-lv"));
        assert_eq!(pair("a----b-c"), named("a--b", "c"));
        assert_eq!(pair("vg0-data-real"), named("vg0", "data-real"));
        for bad in ["", "vg0", "-data", "vg0-", "my--vg"] {
            assert_eq!(pair(bad), None, "{bad}");
        }
    }

    #[test]
    fn kinds_by_uuid() {
        assert_eq!(mapper_kind("LVM-AbC"), DeviceKind::Lvm);
        assert_eq!(mapper_kind("CRYPT-LUKS2-0f-luks"), DeviceKind::Crypt);
        assert_eq!(mapper_kind("mpath-3600508b4000156d700012000000b0000"), DeviceKind::Multipath);
        assert_eq!(mapper_kind("part1-mpath-3600508"), DeviceKind::Partition);
        assert_eq!(mapper_kind(""), DeviceKind::Mapper);
        assert_eq!(mapper_kind("DMRAID-isw"), DeviceKind::Mapper);
    }

    proptest::proptest! {
        #[test]
        fn any_name_is_taken(name in ".*") {
            let _ = (logical_volume(&name), mapper_kind(&name));
        }
    }
}
