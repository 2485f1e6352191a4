//! One question to a master, wherever the leader is.

use bytes::Bytes;
use hyper::Uri;

use super::super::api::{ApiConfig, ApiError, Client, Failure};

/// GETs `path` from the master of `config`, or from the leader that it sends to. Returns the base
/// URL that answered, and the body.
///
/// # Errors
/// What the client met; a leader that sends elsewhere is none.
pub(super) async fn ask(config: &ApiConfig, path: &str) -> Result<(String, Bytes), ApiError> {
    let client = Client::new(config.clone())?;
    match client.get(path).await {
        Err(ApiError { failure: Failure::Redirect { status, location }, method, url }) => {
            let scheme = if config.url.starts_with("https") { "https" } else { "http" };
            let Some(leader) = location.as_deref().and_then(|to| leader(scheme, to)) else {
                let failure = Failure::Redirect { status, location };
                return Err(ApiError { method, url, failure });
            };
            let client = Client::new(ApiConfig { url: leader, ..config.clone() })?;
            Ok((client.url().to_owned(), client.get(path).await?))
        }
        answer => Ok((client.url().to_owned(), answer?)),
    }
}

/// Base URL a standby master sends to: `//HOST:PORT/master/roles` or a whole URL. Only from
/// `scheme` to the same scheme, so that no credential leaves TLS.
fn leader(scheme: &str, location: &str) -> Option<String> {
    let whole = match location.strip_prefix("//") {
        Some(rest) => format!("{scheme}://{rest}"),
        None => location.to_owned(),
    };
    let uri: Uri = whole.parse().ok()?;
    let authority = uri.authority()?;
    let same = uri.scheme_str() == Some(scheme) && !authority.as_str().contains('@');
    same.then(|| format!("{scheme}://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_leads_to_the_same_scheme_only() {
        let to = |location| leader("https", location);
        assert_eq!(to("//m2:5050/master/roles").as_deref(), Some("https://m2:5050"));
        assert_eq!(to("https://m2:5050/roles").as_deref(), Some("https://m2:5050"));
        assert_eq!(to("http://m2:5050/roles"), None);
        assert_eq!(to("https://user@m2:5050/roles"), None);
        assert_eq!(to("/roles"), None);
        assert_eq!(to(""), None);
    }
}
