//! What a mount comes from: server and export, without the credentials some clients leave in the
//! source of their mount.
//!
//! The source is whatever the client wrote: `filer:/vol/a` (NFS), `//nas/share` (CIFS),
//! `10.0.0.1:6789,10.0.0.2:6789:/` and `admin@FSID.cephfs=/` (CephFS), `ann@host:/srv` (sshfs),
//! `https://user:secret@host/dav` (davfs2), `:s3,secret_access_key=…:bucket` (rclone).

use std::borrow::Cow;

/// Longest server or export, in bytes: a source may be a whole page long.
const MAX_BYTES: usize = 200;

/// Server and export of a network filesystem.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// Host, address or monitors; empty where the source names none.
    pub server: String,
    /// What is exported there: a path, a share, a bucket.
    pub export: String,
}

/// Splits the source of a mount of this type. Credentials are left out; both parts are at most
/// 200 bytes long and end with `…` where they were cut.
pub fn endpoint(fstype: &str, source: &str) -> Endpoint {
    let source = without_credentials(fstype, source);
    let (server, export) = split(fstype, &source);
    Endpoint { server: bounded(server), export: bounded(export) }
}

/// The source without user names, passwords, keys and queries, and at most as long as
/// [`endpoint`]'s parts. Sources of local filesystems come back as they are.
pub fn shown(fstype: &str, source: &str, remote: bool) -> String {
    if !remote {
        return source.to_owned();
    }
    bounded(&without_credentials(fstype, source))
}

fn split<'a>(fstype: &str, source: &'a str) -> (&'a str, &'a str) {
    if let Some(at) = after_scheme(source) {
        let rest = &source[at..];
        return match rest.find('/') {
            Some(slash) => (&rest[..slash], &rest[slash..]),
            None => (rest, "/"),
        };
    }
    if matches!(fstype, "cifs" | "smb3" | "smbfs") {
        let rest = source.trim_start_matches(['/', '\\']);
        return match rest.find(['/', '\\']) {
            Some(slash) => (&rest[..slash], rest[slash..].trim_start_matches(['/', '\\'])),
            None => (rest, ""),
        };
    }
    // `user@FSID.FSNAME=/path`, the user gone already.
    if fstype == "ceph"
        && let Some((server, path)) = source.split_once('=')
    {
        return (server, path);
    }
    // The colon before the path; an IPv6 address in brackets and a list of monitors have others.
    match source.find(":/") {
        Some(colon) => (&source[..colon], &source[colon + 1..]),
        None => match source.split_once(':') {
            Some((server, export)) if !server.is_empty() && fstype.starts_with("fuse") => {
                (server, export)
            }
            _ => ("", source),
        },
    }
}

fn without_credentials<'a>(fstype: &str, source: &'a str) -> Cow<'a, str> {
    // Lustre's `10.0.0.1@tcp:/fsname` is an address with its network.
    if fstype == "lustre" {
        return Cow::Borrowed(source);
    }
    // rclone's remote made on the spot: `:backend,key=value,…:path`.
    if let Some(rest) = source.strip_prefix(':')
        && let Some(comma) = rest.find(',')
    {
        let backend = &rest[..comma];
        // A quoted value may hold colons: what follows the last one is the path.
        let path = rest.rsplit_once(':').map_or("", |(_, path)| path);
        return Cow::Owned(format!("{backend}:{path}"));
    }
    let (scheme, rest) = source.split_at(after_scheme(source).unwrap_or(0));
    let lead = rest.len() - rest.trim_start_matches(['/', '\\']).len();
    let (slashes, rest) = rest.split_at(lead);
    // What follows `?` or `#` of a URL may be a signature.
    let rest = match scheme {
        "" => rest,
        _ => rest.split(['?', '#']).next().unwrap_or_default(),
    };
    // User and password end at the last `@` before the path. A password may hold `/` and `@` that
    // nobody escaped: then the last `@` of all is taken. Too much may go, never too little.
    let head = &rest[..rest.find(['/', '\\']).unwrap_or(rest.len())];
    let names_server_first = !scheme.is_empty() || !slashes.is_empty();
    let has_password = head.contains([':', '%']) && (names_server_first || !head.ends_with(':'));
    let end = if has_password { rest.rfind('@') } else { head.rfind('@') };
    let rest = end.map_or(rest, |at| &rest[at + 1..]);
    if rest.len() + scheme.len() + slashes.len() == source.len() {
        return Cow::Borrowed(source);
    }
    Cow::Owned(format!("{scheme}{slashes}{rest}"))
}

/// Where a URL goes on after `scheme://`.
fn after_scheme(source: &str) -> Option<usize> {
    let colon = source.find("://")?;
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    (colon > 0 && source[..colon].chars().all(letter)).then_some(colon + 3)
}

fn bounded(text: &str) -> String {
    if text.len() <= MAX_BYTES {
        return text.to_owned();
    }
    let mut cut = MAX_BYTES - '…'.len_utf8();
    while !text.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}…", &text[..cut])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fstype: &str, source: &str) -> (String, String) {
        let found = endpoint(fstype, source);
        (found.server, found.export)
    }

    fn pair(server: &str, export: &str) -> (String, String) {
        (server.into(), export.into())
    }

    #[test]
    fn servers_and_exports() {
        assert_eq!(of("nfs4", "filer:/vol/a b"), pair("filer", "/vol/a b"));
        assert_eq!(of("nfs", "[fe80::1%eth0]:/"), pair("[fe80::1%eth0]", "/"));
        assert_eq!(of("nfs", "10.0.0.1:/a:/b"), pair("10.0.0.1", "/a:/b"));
        assert_eq!(of("cifs", "//nas.example/share/sub"), pair("nas.example", "share/sub"));
        assert_eq!(of("cifs", "\\\\nas\\share"), pair("nas", "share"));
        assert_eq!(of("cifs", "//nas"), pair("nas", ""));
        assert_eq!(
            of("ceph", "10.0.0.1:6789,10.0.0.2:6789:/data"),
            pair("10.0.0.1:6789,10.0.0.2:6789", "/data")
        );
        assert_eq!(
            of("ceph", "admin@0c93a60d-5645-4c46-8568-4c8f63db4c7f.cephfs=/x"),
            pair("0c93a60d-5645-4c46-8568-4c8f63db4c7f.cephfs", "/x")
        );
        assert_eq!(of("fuse.glusterfs", "g1:/gv0"), pair("g1", "/gv0"));
        assert_eq!(of("fuse.glusterfs", "g1:gv0"), pair("g1", "gv0"));
        assert_eq!(of("fuse.sshfs", "ann@host:/srv"), pair("host", "/srv"));
        assert_eq!(of("fuse.sshfs", "ann@host:"), pair("host", ""));
        assert_eq!(of("fuse.s3fs", "s3fs"), pair("", "s3fs"));
        assert_eq!(of("fuse.fuse_dfs", "dfs://nn:8020"), pair("nn:8020", "/"));
        assert_eq!(of("lustre", "10.0.0.1@tcp:/fs"), pair("10.0.0.1@tcp", "/fs"));
        assert_eq!(of("9p", "hostshare"), pair("", "hostshare"));
        assert_eq!(of("nfs", ""), pair("", ""));
    }

    #[test]
    fn credentials_never_come_through() {
        for (fstype, source) in [
            ("cifs", "//ann:hunter2@nas/share"),
            ("cifs", "//DOM;ann:hunter2@nas/share"),
            ("cifs", "//ann%hunter2@nas/share"),
            ("cifs", "//ann:pa/hunter2/ss@nas/share"),
            ("fuse.sshfs", "ann:hunter2@nas:/share"),
            ("fuse.davfs", "https://ann:hunter2@nas/share"),
            ("fuse.davfs", "https://ann:hun@ter2:hunter2@nas/share"),
            ("fuse", "https://nas/share?sig=hunter2"),
            ("fuse.rclone", ":s3,access_key_id=A,secret_access_key=hunter2:share"),
            ("fuse.rclone", ":sftp,host=nas,pass=\"hun:hunter2\":share"),
            ("fuse.curlftpfs", "ftp://ann:hunter2@nas/"),
        ] {
            let found = endpoint(fstype, source);
            for text in [&found.server, &found.export, &shown(fstype, source, true)] {
                assert!(!text.contains("hunter2") && !text.contains("ann"), "{source}: {text}");
            }
        }
        assert_eq!(shown("cifs", "//ann:x@nas/share", true), "//nas/share");
        assert_eq!(shown("fuse.rclone", ":s3,key=x:bucket/a", true), "s3:bucket/a");
        assert_eq!(shown("nfs4", "filer:/home/a@b", true), "filer:/home/a@b");
        assert_eq!(shown("ext4", "/dev/disk/by-id/x@y", false), "/dev/disk/by-id/x@y");
    }

    #[test]
    fn parts_are_bounded() {
        let long = format!("filer:/{}", "ä".repeat(4096));
        let found = endpoint("nfs", &long);
        assert_eq!(found.server, "filer");
        assert!(found.export.len() <= MAX_BYTES && found.export.ends_with('…'));
    }

    proptest::proptest! {
        #[test]
        fn no_source_panics(fstype in "cifs|nfs|ceph|fuse.x|lustre|9p", source in ".*") {
            let found = endpoint(&fstype, &source);
            proptest::prop_assert!(found.server.len() <= MAX_BYTES);
            proptest::prop_assert!(found.export.len() <= MAX_BYTES);
            let _ = shown(&fstype, &source, true);
        }

        #[test]
        fn a_password_before_the_server_is_gone(
            user in "[a-z]{1,8}",
            secret in "[A-Z0-9/@:;%]{4,20}",
        ) {
            let source = format!("//{user}:{secret}@nas/share");
            let shown = shown("cifs", &source, true);
            proptest::prop_assert_eq!(shown, "//nas/share");
        }
    }
}
