//! `/metrics` of the real binary on a captured scene, against a file a reviewer can read.
//!
//! `UPDATE_GOLDEN=1 cargo test --test daemon golden` writes the file anew.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::scene;

/// Values that differ from run to run or from one filesystem to the next. Their series are
/// compared, their numbers are not: exactness has its own tests, against `du` and `df`.
const VOLATILE: [&str; 12] = [
    "plimsoll_gc_",
    "process_",
    "plimsoll_usage_",
    "plimsoll_filesystem_",
    "plimsoll_collector_duration_seconds",
    "plimsoll_build_info",
    "plimsoll_http_",
    "_timestamp_seconds",
    "_available_bytes",
    "_used_bytes",
    "_peak_bytes",
    "_apparent_bytes",
];

fn settled(exposition: &str, scene: &scene::Prepared) -> String {
    let rootfs = scene.replay.roots().rootfs.display().to_string();
    let mut lines: Vec<String> = Vec::new();
    // Docker containers of the machine that runs the test are no part of the scene, and its kernel
    // may have no Landlock.
    let foreign = ["plimsoll_container_io_", "collector=\"landlock\""];
    let own = |line: &&str| !foreign.iter().any(|part| line.contains(part));
    for line in exposition.lines().filter(own) {
        let line = line.replace(&rootfs, "ROOTFS").replace(&scene.api.url(), "AGENT_URL");
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        // Which filesystem the temporary directory lies on is the machine's own affair.
        if line.starts_with('#') {
            lines.push(line);
        } else if name.starts_with("plimsoll_filesystem_") || name == "plimsoll_build_info" {
            lines.push(format!("{name}{{…}} …"));
        } else if VOLATILE.iter().any(|part| name.contains(part)) {
            let series = line.rsplit_once(' ').map_or(line.as_str(), |(series, _)| series);
            lines.push(format!("{series} …"));
        } else {
            lines.push(line);
        }
    }
    lines.dedup();
    lines.join("\n") + "\n"
}

#[test]
fn metrics_of_a_captured_scene_are_the_golden_ones() {
    let scene = scene::quiet();
    let daemon = scene.serve();
    daemon.wait_ready();
    daemon.wait_measured();
    let exposition = daemon.get("/metrics").body;

    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed by scripts/test");
    let mut input = promtool.stdin.take().expect("stdin is piped");
    input.write_all(exposition.as_bytes()).expect("write");
    drop(input);
    let said = promtool.wait_with_output().expect("promtool");
    let words = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.status.success() && words.is_empty() && said.stdout.is_empty(), "{words}");

    let actual = settled(&exposition, &scene);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/daemon/golden.prom");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &actual).expect("write");
    }
    let golden = std::fs::read_to_string(path).expect("the golden file");
    for (number, (expected, found)) in golden.lines().zip(actual.lines()).enumerate() {
        assert_eq!(found, expected, "line {} of {path}", number + 1);
    }
    assert_eq!(actual.lines().count(), golden.lines().count());
}
