//! What a host shows, in the few families that an alert looks at.

/// Labels of every sample, beside those of the host.
pub const VOLUME: &str = r#"source="mesos",role="db",volume="v",disk="ROOT""#;
pub const SANDBOX: &str = r#"source="mesos",framework="F",executor="e",container="c""#;
pub const FILESYSTEM: &str = r#"mount_point="/data""#;
pub const NETWORK: &str = r#"server="filer",export="/vol",mount_point="/data""#;

/// What one host shows: samples as (family, labels, value), constant over time.
pub type Samples = Vec<(&'static str, String, f64)>;

pub fn with(base: &str, more: &str) -> String {
    let parts: Vec<&str> = [base, more].into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(",")
}

/// Used bytes and quota of a subject, its enforcement, and when the quota is full.
pub fn quota(kind: &'static str, used: f64, enforcement: &str, full_at: Option<f64>) -> Samples {
    let (labels, families): (_, [&'static str; 4]) = match kind {
        "volume" => (
            VOLUME,
            [
                "plimsoll_volume_used_bytes",
                "plimsoll_volume_quota_bytes",
                "plimsoll_volume_info",
                "plimsoll_volume_quota_full_timestamp_seconds",
            ],
        ),
        _ => (
            SANDBOX,
            [
                "plimsoll_sandbox_used_bytes",
                "plimsoll_sandbox_quota_bytes",
                "plimsoll_sandbox_info",
                "plimsoll_sandbox_quota_full_timestamp_seconds",
            ],
        ),
    };
    let info = format!(r#"enforcement="{enforcement}",filesystem="/data""#);
    let mut samples = vec![
        (families[0], labels.to_owned(), used),
        (families[1], labels.to_owned(), 100.0),
        (families[2], with(labels, &info), 1.0),
    ];
    samples.extend(full_at.map(|at| (families[3], labels.to_owned(), at)));
    samples
}

/// A filesystem of 100 bytes.
pub fn filesystem(available: f64, responsive: f64, full_at: Option<f64>) -> Samples {
    let mut samples = vec![
        ("plimsoll_filesystem_size_bytes", FILESYSTEM.to_owned(), 100.0),
        ("plimsoll_filesystem_free_bytes", FILESYSTEM.to_owned(), available),
        ("plimsoll_filesystem_available_bytes", FILESYSTEM.to_owned(), available),
        ("plimsoll_filesystem_responsive", FILESYSTEM.to_owned(), responsive),
    ];
    samples.extend(
        full_at.map(|at| ("plimsoll_filesystem_full_timestamp_seconds", FILESYSTEM.to_owned(), at)),
    );
    samples
}

pub fn one(family: &'static str, labels: &str, value: f64) -> Samples {
    vec![(family, labels.to_owned(), value)]
}

/// A container's reads or writes that stand at a limit so many seconds of each minute.
pub fn throttled(direction: &str, seconds: f64) -> Samples {
    let device = with(SANDBOX, r#"device="sda""#);
    ["read", "write"]
        .map(|which| {
            let family = match which {
                "read" => "plimsoll_container_io_read_throttled_seconds_total",
                _ => "plimsoll_container_io_write_throttled_seconds_total",
            };
            (family, device.clone(), if which == direction { seconds } else { 0.0 })
        })
        .into()
}

/// Whether a network filesystem answers.
pub fn hung(responsive: f64) -> Samples {
    one("plimsoll_network_filesystem_responsive", NETWORK, responsive)
}

/// A network filesystem with a thousand requests a minute: the seconds they took, and how many were
/// sent again. Upkeep of the connection is slow, and does not count.
pub fn requests(seconds: f64, again: f64) -> Samples {
    let of = |name: &str| with(NETWORK, &format!(r#"operation="{name}""#));
    let requests = "plimsoll_network_filesystem_operations_total";
    let execute = "plimsoll_network_filesystem_operation_execute_seconds_total";
    vec![
        (requests, of("READ"), 600.0),
        (requests, of("WRITE"), 400.0),
        (requests, of("SESSION"), 10.0),
        (execute, of("READ"), seconds / 2.0),
        (execute, of("WRITE"), seconds / 2.0),
        (execute, of("SESSION"), 9000.0),
        ("plimsoll_network_filesystem_retransmissions_total", NETWORK.to_owned(), again),
    ]
}

/// A directory that nobody uses since a time, and after how many seconds that is told.
pub fn unused(since: f64, after: f64) -> Samples {
    vec![
        ("plimsoll_volume_unused_since_timestamp_seconds", VOLUME.to_owned(), since),
        ("plimsoll_volume_unused_after_seconds", VOLUME.to_owned(), after),
    ]
}
