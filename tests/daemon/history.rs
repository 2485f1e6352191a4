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

#[test]
fn a_restart_keeps_since_when_a_finding_holds_and_the_growth_seen() {
    let scene = scene::quiet();
    let storage = tempfile::tempdir().expect("a directory");
    let path = storage.path().display();
    scene.configure(&format!("storage:\n  enabled: true\n  path: {path}\n"));
    let findings = |daemon: &crate::support::daemon::Daemon| {
        let findings = daemon.json("/api/v1/findings");
        let list = findings["data"].as_array().or(findings.as_array()).expect("a list").clone();
        let row = |row: &serde_json::Value| {
            let since = row["since_timestamp_seconds"].as_f64().expect("since");
            (row["kind"].to_string(), row["subject"].to_string(), (since * 1_000.0).round())
        };
        list.iter().map(row).collect::<Vec<_>>()
    };
    let growth = || {
        let file = std::fs::read(storage.path().join("state")).expect("the state file");
        let sections = plimsoll::pipeline::state_file::decode(&file).expect("it reads");
        let growth: serde_json::Value = serde_json::from_slice(&sections["growth"]).expect("JSON");
        let volumes = growth["volumes"].as_array().expect("volumes").clone();
        let of =
            |pair: &serde_json::Value| (pair[0]["volume"] == "wh-0001").then(|| pair[1].clone());
        volumes.iter().find_map(of).expect("its history").as_str().expect("a text").to_owned()
    };
    // First bucket of the first rung: when it was first seen.
    let oldest = |history: &str| {
        let rung = history.split('|').nth(1).expect("a rung");
        rung.split(',').next().expect("a time").to_owned()
    };

    let first = scene.serve();
    first.wait_ready();
    first.wait_measured();
    let before = first.wait_for("a finding", Duration::from_secs(20), |daemon| {
        Some(findings(daemon)).filter(|found| !found.is_empty())
    });
    assert_eq!(first.stop(), Some(0));
    let (first_seen, first_saved) = (oldest(&growth()), growth());

    std::thread::sleep(Duration::from_secs(1));
    let second = scene.serve();
    second.wait_ready();
    second.wait_measured();
    second.wait_for("the same findings", Duration::from_secs(20), |daemon| {
        let now = findings(daemon);
        before.iter().all(|of| now.contains(of)).then_some(())
    });
    assert_eq!(second.stop(), Some(0));
    assert_eq!(oldest(&growth()), first_seen);
    assert_ne!(growth(), first_saved, "it went on");

    // Sections that do not read are told, and the daemon goes on without them.
    let state = storage.path().join("state");
    let mut sections = plimsoll::pipeline::state_file::decode(&std::fs::read(&state).expect("it"))
        .expect("it reads");
    sections.insert("growth".into(), b"[3]".to_vec());
    sections.insert("findings".into(), b"{".to_vec());
    std::fs::write(&state, plimsoll::pipeline::state_file::encode(&sections)).expect("write");
    let third = scene.serve();
    third.wait_ready();
    let error = third.wait_for("the error", Duration::from_secs(20), |daemon| {
        let sources = daemon.get("/api/v1/sources").body;
        sources.contains("section growth").then_some(sources)
    });
    assert!(error.contains("section findings") && !error.contains("section memory"), "{error}");
}
