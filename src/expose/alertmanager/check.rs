//! Whether an Alertmanager can be reached, for `plimsoll check`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::Method;
use hyper::header::DATE;

use super::sender::connect;
use super::{Labels, Reached, client_config, name, origin};
use crate::config::AlertingConfig;
use crate::discover::http::{Answer, Failure};
use crate::model::{SourceError, SourceHealth, SourceReport};

/// A clock that differs by more makes alerts lapse or linger at the wrong time, in seconds.
const MAX_SKEW: f64 = 30.0;

/// What a check found.
#[derive(Debug)]
pub struct Checked {
    /// Labels of every alert, beside those of its condition and subject.
    pub labels: Labels,
    /// One report for each address.
    pub sources: Vec<SourceReport>,
}

/// Asks every configured Alertmanager for its status. Nothing is sent that changes anything.
pub async fn check(config: &AlertingConfig, reached: &Reached) -> Checked {
    let mut sources = Vec::new();
    for url in &config.alertmanagers {
        sources.push(ask(config, url).await);
    }
    Checked { labels: origin(config, reached).target, sources }
}

async fn ask(config: &AlertingConfig, url: &str) -> SourceReport {
    let asked = SystemTime::now();
    let answer = async {
        let client = connect(client_config(config, url)).await?;
        client.send(Method::GET, "/api/v2/status", None).await
    };
    let error = match answer.await {
        Ok(answer) => understood(&answer, asked),
        Err(failure) => {
            let message = format!("GET {}/api/v2/status: {failure}", url.trim_end_matches('/'));
            Some(error(failure.reason(), message, hint(&failure)))
        }
    };
    SourceReport {
        name: "alertmanager",
        health: if error.is_some() { SourceHealth::Failed } else { SourceHealth::Ok },
        target: name(url),
        errors: error.into_iter().collect(),
        duration_seconds: asked.elapsed().unwrap_or_default().as_secs_f64(),
    }
}

fn error(reason: &'static str, message: String, hint: &str) -> SourceError {
    SourceError { reason, message, hint: hint.to_owned() }
}

/// What is wrong with a 200.
fn understood(answer: &Answer, asked: SystemTime) -> Option<SourceError> {
    let status: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
    if !status.is_some_and(|status| status["versionInfo"].is_object()) {
        let message = "it answers, but not as Alertmanager's API v2 does".to_owned();
        let hint = "set alerting.alertmanagers to the base URL of an Alertmanager 0.16 or newer, \
                    with the prefix of its --web.external-url if it has one";
        return Some(error("malformed", message, hint));
    }
    let date = answer.headers.get(DATE)?.to_str().ok()?;
    let theirs = seconds(httpdate::parse_http_date(date).ok()?);
    // Its clock was read between asking and now; the header has whole seconds.
    let (least, most) = (seconds(asked) - 1.0, seconds(SystemTime::now()));
    let skew = theirs - theirs.clamp(least, most);
    (skew.abs() > MAX_SKEW).then(|| {
        let message = format!("its clock differs from this host's by {:.0} s", skew);
        let hint = "let both keep their time by NTP: alerts lapse by the clock of Alertmanager";
        error("clock", message, hint)
    })
}

fn seconds(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}

fn hint(failure: &Failure) -> &'static str {
    match failure {
        Failure::Refused => "start Alertmanager, or correct the address in alerting.alertmanagers",
        Failure::Timeout(_) => "look whether it is hung or cut off, or raise alerting.timeout",
        Failure::Io(_) => "check alerting.alertmanagers and the network between here and there",
        Failure::Tls(_) => {
            "check that it speaks TLS there, and set alerting.tls.ca_file to the authority that \
             signed its certificate, alerting.tls.server_name to the name in it, and \
             alerting.tls.cert_file and key_file if it demands a certificate"
        }
        Failure::Unauthorized(_) => {
            "set alerting.basic_auth or alerting.bearer_token_file to what it, or the proxy before \
             it, accepts"
        }
        Failure::Forbidden => "let the user of alerting.basic_auth in at the proxy before it",
        Failure::Unavailable => "wait until it is ready",
        Failure::Redirect { .. } => "set alerting.alertmanagers to the address it redirects to",
        Failure::Status { .. } => {
            "set alerting.alertmanagers to its base URL, with the prefix of its --web.external-url \
             if it has one"
        }
        Failure::Malformed(_)
        | Failure::TooLarge(_)
        | Failure::TooMuch(_)
        | Failure::TooMany(_) => {
            "check that alerting.alertmanagers is an Alertmanager, and whether it wants https"
        }
        Failure::SecretFile { .. } => "make the file readable for the user of this service",
        Failure::BadSecret(_) => "correct alerting.basic_auth or alerting.bearer_token",
        Failure::Url(_) => "set alerting.alertmanagers to http://HOST:PORT or https://HOST:PORT",
    }
}
