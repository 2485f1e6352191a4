//! History across a restart of the real binary.

use std::time::Duration;

use crate::scene;

#[test]
fn a_restart_keeps_first_seen_and_peak() {
    let scene = scene::quiet();
    let storage = tempfile::tempdir().expect("a directory");
    let path = storage.path().display();
    scene.configure(&format!("storage:\n  enabled: true\n  path: {path}\n"));
    let data = scene.volume("analytics", "wh-0001").join("data.bin");
    let volume = |daemon: &crate::support::daemon::Daemon| {
        let volumes = daemon.json("/api/v1/volumes");
        let list = volumes["data"].as_array().or(volumes.as_array()).expect("a list").clone();
        list.into_iter().find(|row| row["volume"] == "wh-0001").expect("the volume")
    };

    let first = scene.serve();
    first.wait_ready();
    first.wait_measured();
    let before = first.wait_for("a peak", Duration::from_secs(20), |daemon| {
        Some(volume(daemon)).filter(|row| row["peak_bytes"].as_u64() >= Some(300_000))
    });
    assert_eq!(first.stop(), Some(0));
    assert!(storage.path().join("state").exists(), "written at shutdown");

    std::fs::write(&data, b"little").expect("write");
    let second = scene.serve();
    second.wait_ready();
    second.wait_measured();
    let after = second.wait_for("the smaller use", Duration::from_secs(20), |daemon| {
        Some(volume(daemon)).filter(|row| row["used_bytes"].as_u64() < Some(300_000))
    });
    assert_eq!(after["peak_bytes"], before["peak_bytes"]);
    let seen = |row: &serde_json::Value| row["first_seen_timestamp_seconds"].as_f64();
    let (before, after) = (seen(&before).expect("seen"), seen(&after).expect("seen"));
    assert!((before - after).abs() < 0.001, "{before} {after}");
}
