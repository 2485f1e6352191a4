//! Families about the alerts that are sent to Alertmanagers.

use super::families;

const ONE: &str = "one";
const PER_ADDRESS: &str = "one per Alertmanager";

families! {
    "Alerts sent to Alertmanagers",
    "Whether the alerting sidecar gets its alerts out (`alerting` in the configuration). An Alertmanager is \
     named by the host, port and path of its URL.";

    FIRING = Gauge "plimsoll_alerting_firing_alerts", None, &[], [], ONE,
        "Alerts that fire and are sent; 0 while none is configured to be.";
    DROPPED = Gauge "plimsoll_alerting_dropped_alerts", None, &[], [], ONE,
        "Alerts that fire and are not sent, because the gravest 1000 are.";
    SENT = Counter "plimsoll_alertmanager_sent_alerts_total", None, &[], ["alertmanager"], PER_ADDRESS,
        "Alerts that the Alertmanager took, each repetition counted.";
    REQUESTS = Counter "plimsoll_alertmanager_requests_total", None, &[], ["alertmanager"], PER_ADDRESS,
        "Requests to the Alertmanager that are over, failed ones included.";
    REQUEST_SECONDS = Counter "plimsoll_alertmanager_request_seconds_total", Some("seconds"), &[], ["alertmanager"], PER_ADDRESS,
        "How long those requests took, together.";
    FAILURES = Counter "plimsoll_alertmanager_failures_total", None, &[], ["alertmanager", "reason"], "one per Alertmanager and reason",
        "Requests to the Alertmanager that failed, by reason.";
    PENDING = Gauge "plimsoll_alertmanager_pending_alerts", None, &[], ["alertmanager"], PER_ADDRESS,
        "Alerts, resolved ones included, that the Alertmanager should have been sent by now and was not.";
    LAST_SUCCESS = Gauge "plimsoll_alertmanager_last_success_timestamp_seconds", Some("seconds"), &[], ["alertmanager"], PER_ADDRESS,
        "When the Alertmanager last took alerts; absent until it does.";
}
