//! `/proc/fs/cifs/Stats`: what the SMB client counts of each share.
//!
//! Source: `fs/smb/client/cifs_debug.c` (`cifs_stats_proc_show`), `smb1ops.c` and `smb2ops.c`
//! (`print_stats`) of the kernel. Times are kept by server only, and only where the kernel was built
//! with `CONFIG_CIFS_STATS2`: they are not read.

/// One share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Server, as the client names it.
    pub server: String,
    /// Share.
    pub share: String,
    /// The client lost its connection.
    pub disconnected: bool,
    /// Bytes read from it.
    pub read_bytes: Option<u64>,
    /// Bytes written to it.
    pub written_bytes: Option<u64>,
    /// Requests by name, those that occurred: how many were sent, and how many failed (absent with
    /// SMB 1, which does not count them).
    pub operations: Vec<(&'static str, u64, Option<u64>)>,
}

/// Names of the counters of SMB 2 and 3, and as whose requests they count.
const SMB2: [(&[u8], &str); 13] = [
    (b"TreeConnects", "TREE_CONNECT"),
    (b"TreeDisconnects", "TREE_DISCONNECT"),
    (b"Creates", "CREATE"),
    (b"Closes", "CLOSE"),
    (b"Flushes", "FLUSH"),
    (b"Reads", "READ"),
    (b"Writes", "WRITE"),
    (b"Locks", "LOCK"),
    (b"IOCTLs", "IOCTL"),
    (b"QueryDirectories", "QUERY_DIRECTORY"),
    (b"ChangeNotifies", "CHANGE_NOTIFY"),
    (b"QueryInfos", "QUERY_INFO"),
    (b"SetInfos", "SET_INFO"),
];

/// Those of SMB 1: several on a line.
const SMB1: [(&[u8], &str); 11] = [
    (b"Reads", "READ"),
    (b"Writes", "WRITE"),
    (b"Flushes", "FLUSH"),
    (b"Locks", "LOCK"),
    (b"Opens", "CREATE"),
    (b"Closes", "CLOSE"),
    (b"Deletes", "DELETE"),
    (b"Mkdirs", "MKDIR"),
    (b"Rmdirs", "RMDIR"),
    (b"Renames", "RENAME"),
    (b"FindFirst", "QUERY_DIRECTORY"),
];

/// Reads the whole file. What cannot be understood is left out.
pub fn parse(text: &[u8]) -> Vec<Share> {
    let mut shares: Vec<Share> = Vec::new();
    for line in text.split(|&byte| byte == b'\n') {
        if let Some(share) = heading(line) {
            shares.push(share);
        } else if let Some(share) = shares.last_mut() {
            counter(share, line);
        }
    }
    shares
}

/// `1) \\server\share`, with a word when the connection is lost.
fn heading(line: &[u8]) -> Option<Share> {
    let close = line.iter().position(|&byte| byte == b')')?;
    let (number, rest) = (&line[..close], line[close + 1..].trim_ascii());
    if number.is_empty() || !number.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let rest = String::from_utf8_lossy(rest);
    let (name, disconnected) = match rest.split_once('\t') {
        Some((name, words)) => (name, words.contains("DISCONNECTED")),
        None => (rest.as_ref(), false),
    };
    let name = name.trim_start_matches(['\\', '/']);
    let (server, share) = name.split_once(['\\', '/']).unwrap_or((name, ""));
    let (server, share) = (server.to_owned(), share.to_owned());
    Some(Share { server, share, disconnected, ..Share::default() })
}

fn counter(share: &mut Share, line: &[u8]) {
    let words: Vec<&[u8]> =
        line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty()).collect();
    match words.as_slice() {
        [b"Bytes", b"read:", read, b"Bytes", b"written:", written] => {
            share.read_bytes = number(read);
            share.written_bytes = number(written);
        }
        [name, sent, b"total", failed, b"failed"] => {
            let known = SMB2.iter().find(|(known, _)| name.strip_suffix(b":") == Some(known));
            if let (Some((_, operation)), Some(sent), Some(failed)) =
                (known, number(sent), number(failed))
                && sent > 0
            {
                share.operations.push((operation, sent, Some(failed)));
            }
        }
        words => {
            let mut bytes_of = None;
            for pair in words.windows(2) {
                let (Some(name), Some(value)) = (pair[0].strip_suffix(b":"), number(pair[1]))
                else {
                    continue;
                };
                match (name, bytes_of) {
                    (b"Bytes", Some("READ")) => share.read_bytes = Some(value),
                    (b"Bytes", Some("WRITE")) => share.written_bytes = Some(value),
                    _ => {}
                }
                // `Posix Opens:` is another counter.
                let known = SMB1.iter().find(|(known, _)| *known == name);
                if let Some((_, operation)) = known.filter(|_| words[0] != b"Posix") {
                    bytes_of = Some(*operation);
                    if value > 0 {
                        share.operations.push((operation, value, None));
                    }
                }
            }
        }
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
