//! `/proc/fs/cifs/Stats`: what the SMB client counts of each share.
//!
//! Source: `fs/smb/client/cifs_debug.c` (`cifs_stats_proc_show`), `smb1ops.c` and `smb2ops.c`
//! (`print_stats`) of the kernel. Times are kept by connection only, and only where the kernel was
//! built with `CONFIG_CIFS_STATS2`: each connection is told of before the shares that use it.

/// A request of SMB 2 and 3 by its number, whose time is that of the share it is for. Requests that
/// keep up the connection, or wait for something to happen, say nothing of a share.
const TIMED: [(u64, &str); 9] = [
    (5, "CREATE"),
    (6, "CLOSE"),
    (7, "FLUSH"),
    (8, "READ"),
    (9, "WRITE"),
    (10, "LOCK"),
    (14, "QUERY_DIRECTORY"),
    (16, "QUERY_INFO"),
    (17, "SET_INFO"),
];

/// One share.
#[derive(Clone, Debug, Default, PartialEq)]
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
    /// Seconds from the beginning of requests to their ends, added up, by name: where they are
    /// counted, and no other share uses the connection.
    pub seconds: Vec<(&'static str, f64)>,
}

/// One connection to a server.
#[derive(Debug, Default)]
struct Connection {
    /// Units of time in a second.
    per_second: Option<u64>,
    /// Requests that ended and the units they took, by the name of the request.
    times: Vec<(&'static str, u64, u64)>,
    /// How many shares there were before those that use it.
    first_share: usize,
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
    let mut connections: Vec<Connection> = Vec::new();
    for line in text.split(|&byte| byte == b'\n') {
        if let Some(share) = heading(line) {
            shares.push(share);
            continue;
        }
        if line.starts_with(b"Max requests in flight:") {
            connections.push(Connection { first_share: shares.len(), ..Connection::default() });
        }
        match connections.last_mut() {
            Some(connection) if connection.first_share == shares.len() => timed(connection, line),
            _ => {
                if let Some(share) = shares.last_mut() {
                    counter(share, line);
                }
            }
        }
    }
    tell_times(&connections, &mut shares);
    shares
}

/// Gives each share that has a connection of its own the times of it.
fn tell_times(connections: &[Connection], shares: &mut [Share]) {
    let ends = connections.iter().skip(1).map(|next| next.first_share);
    let ends: Vec<usize> = ends.chain([shares.len()]).collect();
    // Further connections of a session (multichannel) stand alone: which share they serve is not
    // told.
    if connections.iter().zip(&ends).any(|(connection, end)| connection.first_share == *end) {
        return;
    }
    for (connection, end) in connections.iter().zip(ends) {
        let ([share], Some(per_second @ 1..)) =
            (&mut shares[connection.first_share..end], connection.per_second)
        else {
            continue;
        };
        for &(name, ended, units) in &connection.times {
            // More ended than this share ever sent: another one used the connection before. SMB 1,
            // which does not count failures, has other numbers.
            let all_sent_by_it = share
                .operations
                .iter()
                .any(|&(known, sent, failed)| known == name && failed.is_some() && sent >= ended);
            if all_sent_by_it {
                share.seconds.push((name, units as f64 / per_second as f64));
            }
        }
    }
}

/// `… Time units are jiffies (250 per second)`, and rows of request, number, time, fastest, slowest.
fn timed(connection: &mut Connection, line: &[u8]) {
    let words: Vec<&[u8]> = words(line).collect();
    match words.as_slice() {
        [.., b"jiffies", number_of, b"per", b"second)"] => {
            connection.per_second = number_of.strip_prefix(b"(").and_then(number);
        }
        [request, ended, units, _, _] => {
            let (Some(request), Some(ended), Some(units)) =
                (number(request), number(ended), number(units))
            else {
                return;
            };
            if let Some((_, name)) = TIMED.iter().find(|(known, _)| *known == request) {
                connection.times.push((name, ended, units));
            }
        }
        _ => {}
    }
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty())
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
    let words: Vec<&[u8]> = words(line).collect();
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
