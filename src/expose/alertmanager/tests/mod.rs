//! What is told to whom and when.

mod book;
mod model;
mod peer;
mod properties;

use std::sync::Arc;

use super::{Alert, Fired, Labels};
use crate::model::{Severity, Timestamp};

/// An alert of that name.
fn alert(name: &str, starts_at: Timestamp) -> Alert {
    let labels: Labels = [("alertname".to_owned(), name.to_owned())].into();
    Alert { labels: Arc::new(labels), annotations: Labels::new(), starts_at }
}

/// The same as it comes from a finding.
fn fired(name: &str, severity: Severity, starts_at: Timestamp) -> Fired {
    Fired { finding: name.to_owned(), severity, alert: alert(name, starts_at) }
}

fn name(alert: &Alert) -> String {
    alert.labels["alertname"].clone()
}
