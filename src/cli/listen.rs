//! Where to listen, written as the exporters write it.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// `:10061` (every address of the host), `127.0.0.1:10061`, `[::1]:10061` or `host:10061`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    host: Host,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Any,
    Address(IpAddr),
    Name(String),
}

impl ListenAddress {
    /// Port unless `--web.listen-address` names another.
    pub const DEFAULT_PORT: u16 = 10_061;

    /// The addresses to try, in order; the first that can be bound is the one. `:PORT` stands
    /// for `[::]:PORT`, which takes IPv4 too, and for `0.0.0.0:PORT` on a host without IPv6.
    ///
    /// # Errors
    /// A host name that does not resolve; the name is in the message.
    pub fn candidates(&self) -> io::Result<Vec<SocketAddr>> {
        let port = self.port;
        match &self.host {
            Host::Any => Ok(vec![
                SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port),
                SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port),
            ]),
            Host::Address(address) => Ok(vec![SocketAddr::new(*address, port)]),
            Host::Name(name) => {
                let found: Vec<SocketAddr> = (name.as_str(), port)
                    .to_socket_addrs()
                    .map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?
                    .collect();
                if found.is_empty() {
                    let message = format!("{name}: has no address");
                    return Err(io::Error::new(io::ErrorKind::NotFound, message));
                }
                Ok(found)
            }
        }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl ListenAddress {
    /// What to type into a browser on this host.
    pub fn browsable(&self) -> String {
        match &self.host {
            Host::Any => format!("127.0.0.1:{}", self.port),
            Host::Address(address) if address.is_unspecified() => {
                format!("127.0.0.1:{}", self.port)
            }
            _ => self.to_string(),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "expected :PORT, ADDRESS:PORT, [IPV6]:PORT or HOST:PORT".to_owned();
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self { host: Host::Address(address.ip()), port: address.port() });
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
        if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad());
        }
        let port = port.parse().map_err(|_| format!("port {port} is above 65535"))?;
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let host = match host {
            "" => Host::Any,
            name if name.chars().all(named) => Host::Name(name.to_owned()),
            _ => return Err(bad()),
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Any => write!(f, ":{}", self.port),
            Host::Address(address) => SocketAddr::new(*address, self.port).fmt(f),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(text: &str) -> Vec<String> {
        let address: ListenAddress = text.parse().unwrap();
        assert_eq!(address.to_string(), text);
        address.candidates().unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_port_alone_means_every_address() {
        assert_eq!(candidates(":10061"), ["[::]:10061", "0.0.0.0:10061"]);
    }

    #[test]
    fn addresses_are_taken_as_they_are() {
        assert_eq!(candidates("127.0.0.1:0"), ["127.0.0.1:0"]);
        assert_eq!(candidates("[::1]:10061"), ["[::1]:10061"]);
        assert_eq!(candidates("[::]:10061"), ["[::]:10061"]);
    }

    #[test]
    fn names_are_resolved() {
        let found = candidates("localhost:10061");
        assert!(found.iter().any(|at| at == "127.0.0.1:10061" || at == "[::1]:10061"), "{found:?}");
        let unknown: ListenAddress = "no-such-host.invalid:1".parse().unwrap();
        let error = unknown.candidates().unwrap_err().to_string();
        assert!(error.starts_with("no-such-host.invalid: "), "{error}");
    }

    #[test]
    fn the_rest_is_refused() {
        for bad in
            ["", "10061", "host", ":", "host:", "::1:10061", "a b:1", ":http", ":-1", "[::1]"]
        {
            let error = bad.parse::<ListenAddress>().unwrap_err();
            assert_eq!(error, "expected :PORT, ADDRESS:PORT, [IPV6]:PORT or HOST:PORT", "{bad}");
        }
        assert_eq!(":65536".parse::<ListenAddress>(), Err("port 65536 is above 65535".to_owned()));
    }
}
