//! Where a daemon answers, written as a URL.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;

/// Where a daemon is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonUrl {
    /// Name or address, without the brackets of IPv6.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Of the path, without a slash at its end.
    pub prefix: String,
    text: String,
}

impl FromStr for DaemonUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri: Uri = text.trim().parse().map_err(|_| "not a URL such as http://HOST:10061")?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err("https is not spoken here: name its http address".into()),
            _ => return Err("it must start with http://".into()),
        }
        let authority = uri.authority().ok_or("it names no host")?;
        if authority.as_str().contains('@') {
            return Err("user and password do not belong in it".into());
        }
        if uri.query().is_some() {
            return Err("a query does not belong in it".into());
        }
        let prefix = uri.path().trim_end_matches('/');
        Ok(Self {
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(80),
            prefix: prefix.to_owned(),
            text: format!("http://{authority}{prefix}"),
        })
    }
}

impl fmt::Display for DaemonUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::DaemonUrl;

    #[test]
    fn urls() {
        let url: DaemonUrl = "http://agent1:10061/plimsoll/".parse().unwrap();
        assert_eq!(
            (url.host.as_str(), url.port, url.prefix.as_str()),
            ("agent1", 10061, "/plimsoll")
        );
        assert_eq!(url.to_string(), "http://agent1:10061/plimsoll");
        let url: DaemonUrl = "http://[::1]".parse().unwrap();
        assert_eq!((url.host.as_str(), url.port), ("::1", 80));
        for (bad, why) in [
            ("agent1:10061", "it must start with http://"),
            ("", "not a URL such as http://HOST:10061"),
            ("https://a", "https is not spoken here: name its http address"),
            ("http://u:p@a", "user and password do not belong in it"),
            ("http://a/?x=1", "a query does not belong in it"),
        ] {
            assert_eq!(bad.parse::<DaemonUrl>(), Err(why.to_owned()), "{bad}");
        }
    }
}
