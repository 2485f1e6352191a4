//! What driver options, storage options and tmpfs options say. They may hold passwords: nothing of
//! them is kept but what is named here.

use std::path::PathBuf;

use super::answers::Words;

/// What the options of a volume of the `local` driver mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meaning {
    /// Server and export of a network filesystem, without credentials.
    pub remote: Option<String>,
    /// Directory of the host that is mounted there (`o=bind`).
    pub bind: Option<PathBuf>,
    /// It is memory.
    pub tmpfs: bool,
    /// Bytes it may hold: a tmpfs' `size=`, or the driver's own project quota.
    pub size: Option<u64>,
}

/// Reads the options of a volume of the `local` driver (`type`, `device`, `o`, `size`).
///
/// Source: moby `volume/local/local_unix.go`.
pub fn local(options: &Words) -> Meaning {
    let get = |key: &str| options.get(key).map(String::as_str).unwrap_or_default();
    of_mount(get("type"), get("device"), get("o"), size(get("size")))
}

/// The same from the four parts, as `opts.json` beside a volume has them.
pub fn of_mount(fstype: &str, device: &str, flags: &str, size: Option<u64>) -> Meaning {
    let flag = |name: &str| {
        flags.split(',').find_map(|flag| flag.trim().strip_prefix(name)?.strip_prefix('='))
    };
    if fstype == "tmpfs" {
        let limit = flag("size").and_then(self::size);
        return Meaning { tmpfs: true, size: limit.or(size), ..Meaning::default() };
    }
    if flags.split(',').any(|flag| matches!(flag.trim(), "bind" | "rbind")) {
        let bind = Some(PathBuf::from(device)).filter(|path| path.is_absolute());
        return Meaning { bind, size, ..Meaning::default() };
    }
    let network = matches!(
        fstype,
        "nfs" | "nfs4" | "cifs" | "smb3" | "smbfs" | "ceph" | "glusterfs" | "9p" | "lustre"
    ) || fstype.starts_with("fuse");
    if !network {
        return Meaning { size, ..Meaning::default() };
    }
    // NFS volumes name the server in `o=addr=` and leave it out of the device.
    let remote = match (device.strip_prefix(':'), flag("addr")) {
        (Some(export), Some(server)) => format!("{server}:{export}"),
        _ => device.to_owned(),
    };
    Meaning { remote: Some(without_credentials(fstype, &remote)), size, ..Meaning::default() }
}

/// What names a network filesystem, without the user and password that some put into it.
pub fn without_credentials(fstype: &str, device: &str) -> String {
    let device = device.split(['?', '#']).next().unwrap_or_default();
    if matches!(fstype, "nfs" | "nfs4") {
        return device.to_owned();
    }
    // A password may hold a slash: whatever stands before the last @ goes.
    let Some((before, after)) = device.rsplit_once('@') else { return device.to_owned() };
    let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
    match (scheme, before.starts_with("//")) {
        ("", true) => format!("//{after}"),
        ("", false) => after.to_owned(),
        (scheme, _) => format!("{scheme}://{after}"),
    }
}

/// `size=` of tmpfs options; absent where there is none, or it is a part of the memory.
pub fn tmpfs_size(options: &str) -> Option<u64> {
    options.split(',').find_map(|option| size(option.trim().strip_prefix("size=")?))
}

/// Bytes after which the oldest of a container's log is thrown away. Absent: it is kept for ever.
///
/// Source: moby `daemon/logger/jsonfilelog` and `daemon/logger/local`.
pub fn log_limit(driver: &str, options: &Words) -> Option<u64> {
    let (bytes, files) = match driver {
        "local" => (Some(20 << 20), 5),
        _ => (None, 1),
    };
    let option = |name: &str| options.get(name).map(|text| text.trim());
    let bytes = match option("max-size") {
        Some(text) => size(text),
        None => bytes,
    };
    let files = option("max-file").and_then(|text| text.parse::<u64>().ok()).unwrap_or(files);
    bytes.map(|bytes| bytes.saturating_mul(files.max(1)))
}

/// Bytes as people and the kernel write them: `64m`, `1.5GiB`, `4096`; units are powers of 1024.
/// Source: docker/go-units `RAMInBytes`.
pub fn size(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let power = match unit.trim() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        "p" | "pb" | "pib" => 5,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * 1024_f64.powi(power);
    // 0 is how both write "no limit".
    (bytes.is_finite() && bytes >= 1.0 && bytes < u64::MAX as f64).then_some(bytes as u64)
}

/// Bytes as Podman tells them of a log: `1MB`, `1.049MB`, in powers of 1000 and four digits.
/// Source: docker/go-units `HumanSize`.
pub fn decimal_size(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(split);
    let power = ["B", "kB", "MB", "GB", "TB", "PB"].iter().position(|name| *name == unit)?;
    let bytes = number.parse::<f64>().ok()? * 1000_f64.powi(power as i32);
    (bytes.is_finite() && bytes >= 1.0 && bytes < u64::MAX as f64).then_some(bytes.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> Words {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_log_is_bounded_where_it_is_rotated() {
        let of = |driver, pairs: &[(&str, &str)]| log_limit(driver, &options(pairs));
        assert_eq!(of("json-file", &[]), None);
        assert_eq!(of("json-file", &[("max-file", "3")]), None, "without a size nothing rotates");
        assert_eq!(of("json-file", &[("max-size", "10m"), ("max-file", "3")]), Some(30 << 20));
        assert_eq!(of("json-file", &[("max-size", "-1")]), None);
        assert_eq!(of("local", &[]), Some(100 << 20));
        assert_eq!(of("local", &[("max-size", "1m"), ("max-file", "none")]), Some(5 << 20));
    }

    #[test]
    fn an_nfs_volume_is_named_by_server_and_export() {
        let nfs = [("type", "nfs"), ("o", "rw,addr=192.0.2.7,password=x"), ("device", ":/e/pg")];
        assert_eq!(local(&options(&nfs)).remote.as_deref(), Some("192.0.2.7:/e/pg"));
        let nfs = [("type", "nfs4"), ("o", "rw"), ("device", "filer:/e@1/pg")];
        assert_eq!(local(&options(&nfs)).remote.as_deref(), Some("filer:/e@1/pg"));
    }

    #[test]
    fn no_credential_is_left() {
        for (fstype, device, shown) in [
            ("cifs", "//bob:pa/ss@filer/share", "//filer/share"),
            ("cifs", "//filer/share", "//filer/share"),
            ("fuse.sshfs", "bob@host:/path", "host:/path"),
            ("fuse.davfs", "https://bob:pw@host/dav?token=1", "https://host/dav"),
            ("ceph", "mon1,mon2:/volumes", "mon1,mon2:/volumes"),
        ] {
            assert_eq!(without_credentials(fstype, device), shown, "{device}");
        }
    }

    #[test]
    fn what_the_other_options_mean() {
        let tmpfs = local(&options(&[("type", "tmpfs"), ("o", "uid=7,size=8m")]));
        assert_eq!((tmpfs.tmpfs, tmpfs.size, tmpfs.remote), (true, Some(8 << 20), None));
        let bind = local(&options(&[("type", "none"), ("o", "bind"), ("device", "/srv/x")]));
        assert_eq!(bind.bind.as_deref(), Some(std::path::Path::new("/srv/x")));
        assert_eq!(local(&options(&[("size", "10G")])).size, Some(10 << 30));
        assert_eq!(local(&options(&[])), Meaning::default());
        assert_eq!(local(&options(&[("o", "bind"), ("device", "relative")])).bind, None);
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("4096", Some(4096)),
            ("64m", Some(64 << 20)),
            ("1.5 GiB", Some(3 << 29)),
            ("10G", Some(10 << 30)),
            ("0", None),
            ("50%", None),
            ("-1", None),
            ("", None),
            ("1e400", None),
            ("9999999999p", None),
        ] {
            assert_eq!(size(text), bytes, "{text}");
        }
        assert_eq!(tmpfs_size("rw,noexec,size=4m"), Some(4 << 20));
        assert_eq!(tmpfs_size("rw"), None);
        for (text, bytes) in [
            ("1MB", Some(1_000_000)),
            ("1.049MB", Some(1_049_000)),
            ("512kB", Some(512_000)),
            ("0B", None),
            ("-1B", None),
            ("1MiB", None),
            ("", None),
        ] {
            assert_eq!(decimal_size(text), bytes, "{text}");
        }
    }
}
