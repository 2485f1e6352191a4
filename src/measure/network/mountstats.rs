//! `/proc/PID/mountstats`: what the NFS client counts of each mount.
//!
//! Source: `fs/nfs/super.c` (`nfs_show_stats`) and `net/sunrpc/{stats,xprtsock}.c` of the kernel.
//! Statvers 1.0 and 1.1 differ in the number of fields of the `xprt` line only; a ninth field of an
//! operation, its errors, came with Linux 5.3, and several `xprt` lines with `nconnect` (5.3).

use std::path::PathBuf;

use crate::host::mounts;

/// Most operations of one mount that are read: NFS 4.2 has 72.
const MAX_OPERATIONS: usize = 200;

/// One NFS mount.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NfsMount {
    /// Export, as the mount names it (`server:/path`).
    pub source: String,
    /// Mount point, as the process whose file this is sees it.
    pub mount_point: PathBuf,
    /// `nfs` or `nfs4`.
    pub fstype: String,
    /// Options of the mount.
    pub options: String,
    /// Seconds since it was mounted.
    pub age_seconds: Option<u64>,
    /// Bytes: read and written by `read(2)`/`write(2)` through the cache, read and written with
    /// O_DIRECT, read from and written to the server.
    pub bytes: Option<[u64; 6]>,
    /// Connections.
    pub transports: Vec<Transport>,
    /// Operations that occurred, in the order of the file.
    pub operations: Vec<Operation>,
}

impl NfsMount {
    /// The value of an option (`vers=4.2`).
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.split(',').find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
    }
}

/// One connection of a mount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transport {
    /// `tcp`, `udp`, `rdma` or `local`.
    pub protocol: String,
    /// Port of this end; 0 with RDMA.
    pub port: u64,
    /// Times it was connected; absent with UDP.
    pub connects: Option<u64>,
    /// Requests sent.
    pub sends: u64,
    /// Answers received.
    pub receives: u64,
    /// Answers to no known request.
    pub bad_replies: u64,
}

/// One line of the per-operation statistics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operation {
    /// Name (`READ`), or its number where the client has no name for it.
    pub name: String,
    /// Requests that are over.
    pub requests: u64,
    /// Times they were sent, the first included.
    pub transmissions: u64,
    /// Major time-outs.
    pub timeouts: u64,
    /// Milliseconds waited to be sent.
    pub queue_millis: u64,
    /// Milliseconds from sending to the answer.
    pub response_millis: u64,
    /// Milliseconds from beginning to end.
    pub execute_millis: u64,
    /// Requests that ended with an error; absent before Linux 5.3.
    pub errors: Option<u64>,
}

/// The NFS mounts of one mount namespace, in the order of its mount table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MountStats {
    /// NFS mounts.
    pub mounts: Vec<NfsMount>,
    /// Lines of NFS mounts that could not be understood, and were left out.
    pub malformed: usize,
}

/// Reads a whole file. Mounts of other filesystems are passed over.
pub fn parse(text: &[u8]) -> MountStats {
    let mut stats = MountStats::default();
    let mut inside = false;
    for line in text.split(|&byte| byte == b'\n') {
        // The name of a device may begin with anything; lines of a mount begin with a tab.
        if line.first().is_some_and(|byte| !byte.is_ascii_whitespace()) {
            inside = match header(line) {
                Some(mount) => {
                    stats.mounts.push(mount);
                    true
                }
                None => false,
            };
        } else if inside
            && let Some(mount) = stats.mounts.last_mut()
            && detail(mount, line).is_none()
        {
            stats.malformed += 1;
        }
    }
    stats
}

/// `device filer:/vol mounted on /mnt with fstype nfs4 statvers=1.1`
fn header(line: &[u8]) -> Option<NfsMount> {
    let mut words = line.split(|&byte| byte == b' ');
    let mut next = || words.next();
    if next()? != b"device" {
        return None;
    }
    let source = String::from_utf8_lossy(&mounts::unescape(next()?)).into_owned();
    if (next()?, next()?) != (b"mounted".as_slice(), b"on".as_slice()) {
        return None;
    }
    let mount_point = mounts::path(next()?);
    if (next()?, next()?) != (b"with".as_slice(), b"fstype".as_slice()) {
        return None;
    }
    let fstype = next()?;
    if !matches!(fstype, b"nfs" | b"nfs4") || !next()?.starts_with(b"statvers=1.") {
        return None;
    }
    let fstype = String::from_utf8_lossy(fstype).into_owned();
    Some(NfsMount { source, mount_point, fstype, ..NfsMount::default() })
}

/// A line of a mount. `None`: it should have said something, and could not be read.
fn detail(mount: &mut NfsMount, line: &[u8]) -> Option<()> {
    let line = line.trim_ascii();
    let Some(colon) = line.iter().position(|&byte| byte == b':') else {
        // An empty line, or the heading of the operations.
        return Some(());
    };
    let (name, rest) = (&line[..colon], line[colon + 1..].trim_ascii());
    match name {
        b"opts" => mount.options = String::from_utf8_lossy(rest).into_owned(),
        b"age" => mount.age_seconds = Some(number(rest)?),
        b"bytes" => {
            let mut bytes = [0; 6];
            let mut fields = words(rest);
            for field in &mut bytes {
                *field = number(fields.next()?)?;
            }
            mount.bytes = Some(bytes);
        }
        b"xprt" => mount.transports.push(transport(rest)?),
        // Known, and not of use here.
        b"caps" | b"sec" | b"events" | b"impl_id" | b"nfsv4" | b"fsc" | b"sessions"
        | b"lease_time" | b"lease_expired" => {}
        _ if name.starts_with(b"RPC iostats version") => {}
        // Of pNFS: other words than names of operations.
        _ if name.iter().any(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_') => {}
        // Most of the operations of most mounts never occurred.
        _ if rest.starts_with(b"0 ") => {}
        _ => {
            let operation = operation(name, rest)?;
            if operation.requests > 0 && mount.operations.len() < MAX_OPERATIONS {
                mount.operations.push(operation);
            }
        }
    }
    Some(())
}

/// `READ: ops trans timeouts sent received queue rtt execute [errors]`
fn operation(name: &[u8], rest: &[u8]) -> Option<Operation> {
    let mut fields = words(rest);
    let mut next = || number(fields.next()?);
    let (requests, transmissions, timeouts) = (next()?, next()?, next()?);
    let (_sent, _received) = (next()?, next()?);
    let (queue_millis, response_millis, execute_millis) = (next()?, next()?, next()?);
    let name = String::from_utf8_lossy(&name[..name.len().min(32)]).into_owned();
    let errors = match fields.next() {
        Some(field) => Some(number(field)?),
        None => None,
    };
    Some(Operation {
        name,
        requests,
        transmissions,
        timeouts,
        queue_millis,
        response_millis,
        execute_millis,
        errors,
    })
}

/// `tcp port bind connects connect_time idle sends receives bad_xids …` (10 fields, 13 with 1.1),
/// `udp port bind sends receives bad_xids …` (7 or 10), `rdma` as `tcp` and more, `local` without
/// a port.
fn transport(rest: &[u8]) -> Option<Transport> {
    let mut fields = words(rest);
    let protocol = String::from_utf8_lossy(fields.next()?).into_owned();
    let numbers: Vec<u64> = fields.map(number).collect::<Option<_>>()?;
    let (port, connects, counts) = match (protocol.as_str(), numbers.as_slice()) {
        ("tcp" | "rdma", [port, _, connects, _, _, counts @ ..]) => {
            (*port, Some(*connects), counts)
        }
        ("udp", [port, _, counts @ ..]) => (*port, None, counts),
        ("local", [_, connects, _, _, counts @ ..]) => (0, Some(*connects), counts),
        _ => return None,
    };
    let [sends, receives, bad_replies, ..] = *counts else { return None };
    Some(Transport { protocol, port, connects, sends, receives, bad_replies })
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty())
}

/// A number; one that is too large for us counts as the largest.
fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |byte: &u8| u64::from(byte - b'0');
    Some(text.iter().fold(0, |sum: u64, byte| sum.saturating_mul(10).saturating_add(digit(byte))))
}
