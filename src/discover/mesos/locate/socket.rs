//! The agent's listening socket: `<procfs>/PID/net/tcp{,6}` and `<procfs>/PID/fd`.
//!
//! Source: `Documentation/networking/proc_net_tcp.rst`: addresses are 32-bit words in the
//! machine's byte order, written in hexadecimal; state 0A is LISTEN.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::read_start;
use crate::host::Roots;

/// One listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Address and port.
    pub address: SocketAddr,
    /// Inode of the socket.
    pub inode: u64,
}

/// Where process `pid` listens, as an address to connect to.
///
/// Its own sockets are told by its open files; where those cannot be seen, a socket on the
/// `expected` port of its network namespace is taken for its own. Of several, the one on the
/// expected port, else nothing unless there is only one. An unspecified address (`0.0.0.0`)
/// becomes the loopback's.
pub(super) fn listening(roots: &Roots, pid: u32, expected: u16) -> Option<SocketAddr> {
    let directory = roots.procfs.join(pid.to_string());
    let mut listeners = Vec::new();
    for table in ["tcp", "tcp6"] {
        // The kernel lists listening sockets first: the start of a busy host's table will do.
        let own = read_start(&directory.join("net").join(table));
        let bytes = own.or_else(|_| read_start(&roots.procfs.join("net").join(table)));
        listeners.extend(parse(&bytes.unwrap_or_default()));
    }
    let on_port = |listeners: &[Listener]| {
        listeners.iter().find(|listener| listener.address.port() == expected).copied()
    };
    let found = match socket_inodes(&directory.join("fd")) {
        Some(inodes) => {
            listeners.retain(|listener| inodes.contains(&listener.inode));
            on_port(&listeners).or(match listeners.as_slice() {
                [only] => Some(*only),
                _ => None,
            })
        }
        None => on_port(&listeners),
    }?;
    let ip = match found.address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip.to_canonical(),
    };
    Some(SocketAddr::new(ip, found.address.port()))
}

/// Inodes of the sockets a process holds; `None` when its open files cannot be seen.
fn socket_inodes(directory: &std::path::Path) -> Option<HashSet<u64>> {
    let mut inodes = HashSet::new();
    for entry in std::fs::read_dir(directory).ok()? {
        let Ok(target) = std::fs::read_link(entry.ok()?.path()) else { continue };
        let inode = target
            .to_str()
            .and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']')?.parse::<u64>().ok());
        inodes.extend(inode);
    }
    Some(inodes)
}

/// The sockets of a table that listen.
pub fn parse(table: &[u8]) -> Vec<Listener> {
    String::from_utf8_lossy(table).lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Listener> {
    let mut fields = line.split_ascii_whitespace();
    let local = fields.nth(1)?;
    if fields.nth(1)? != "0A" {
        return None;
    }
    let inode = fields.nth(5)?.parse().ok()?;
    let (ip, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(Listener { address: SocketAddr::new(parse_ip(ip)?, port), inode })
}

fn parse_ip(text: &str) -> Option<IpAddr> {
    let word = |index: usize| {
        let digits = text.get(index * 8..index * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut bytes = [0; 16];
            for index in 0..4 {
                bytes[index * 4..index * 4 + 4].copy_from_slice(&word(index)?);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_the_kernel() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
        let four = format!(
            "{head}   0: 0100007F:13BB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0\n   1: 0100007F:13BB 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4712 1\n"
        );
        let expected = Listener { address: "127.0.0.1:5051".parse().unwrap(), inode: 4711 };
        if cfg!(target_endian = "little") {
            assert_eq!(parse(four.as_bytes()), [expected]);
            let six = "0: 00000000000000000000000001000000:13BB 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 9";
            let expected = Listener { address: "[::1]:5051".parse().unwrap(), inode: 9 };
            assert_eq!(parse(six.as_bytes()), [expected]);
        }
    }

    #[test]
    fn malformed_lines_are_passed_over() {
        for line in [
            "",
            "0: zz 0 0A",
            "0: 0100007F:13BB x 0A 0 0 0 0 0 inode",
            "0: 0100007:13BB x 0A 0 0 0 0 0 1",
            "0: \u{e9}\u{e9}\u{e9}\u{e9}:13BB x 0A 0 0 0 0 0 1",
            "0: 0100007F:FFFFF x 0A 0 0 0 0 0 1",
        ] {
            assert_eq!(parse(line.as_bytes()), [], "{line}");
        }
        assert_eq!(parse(&[0xff; 64]), []);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_harmless(bytes in proptest::collection::vec(0u8.., 0..400)) {
            parse(&bytes);
        }

        #[test]
        fn any_fields_are_harmless(line in "0: [0-9A-F:é]{0,40} x 0A( [0-9a-z]{1,3}){0,8}") {
            parse(line.as_bytes());
        }
    }
}
