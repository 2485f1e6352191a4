use std::io::Write;
use std::process::{Command, Stdio};

use plimsoll::expose::exposition::Format;
use plimsoll::expose::render::render;
use plimsoll::model::{Measured, Snapshot};

use crate::{page, sample_snapshot, text};

#[test]
fn promtool_has_nothing_to_say() {
    for snapshot in [sample_snapshot::troubled(), sample_snapshot::well(), Snapshot::default()] {
        let text = page(&snapshot, Format::Text);
        let mut promtool = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("promtool, of the package prometheus, is needed for this test: {error}")
            });
        let mut input = promtool.stdin.take().expect("stdin is piped");
        input.write_all(text.as_bytes()).expect("promtool reads its input");
        drop(input);
        let output = promtool.wait_with_output().expect("promtool ends");
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn series_of_one_volume() {
    let mut snapshot = sample_snapshot::well();
    snapshot.volumes.truncate(1);
    let text = text(&render(&snapshot, Format::Text, 1000).chunks);
    let labels = r#"source="mesos",role="cassandra",volume="data-0",disk="/mnt/ssd0""#;
    let found: Vec<&str> =
        text.lines().filter(|line| line.starts_with("plimsoll_volume_")).collect();
    let expected = [
        format!("plimsoll_volume_used_bytes{{{labels}}} 128849018880"),
        format!("plimsoll_volume_apparent_bytes{{{labels}}} 147256021577"),
        format!("plimsoll_volume_quota_bytes{{{labels}}} 214748364800"),
        format!("plimsoll_volume_available_bytes{{{labels}}} 85899345920"),
        format!("plimsoll_volume_files{{{labels}}} 1966081"),
        format!("plimsoll_volume_peak_bytes{{{labels}}} 128850067456"),
        format!("plimsoll_volume_over_quota_bytes{{{labels}}} 0"),
        format!("plimsoll_volume_last_used_timestamp_seconds{{{labels}}} 1763843545.25"),
        format!("plimsoll_volume_state{{{labels},state=\"in_use\"}} 1"),
        format!("plimsoll_volume_state{{{labels},state=\"idle\"}} 0"),
        format!("plimsoll_volume_state{{{labels},state=\"unowned\"}} 0"),
        format!("plimsoll_volume_state{{{labels},state=\"orphaned\"}} 0"),
        format!("plimsoll_volume_state{{{labels},state=\"missing\"}} 0"),
        format!("plimsoll_volume_state{{{labels},state=\"unknown\"}} 0"),
        format!("plimsoll_volume_holders{{{labels}}} 1"),
        format!("plimsoll_volume_mounts{{{labels}}} 1"),
        format!("plimsoll_volume_created_timestamp_seconds{{{labels}}} 1761251550.375"),
        format!("plimsoll_volume_newest_change_timestamp_seconds{{{labels}}} 1763842950.25"),
        format!("plimsoll_volume_error_bound_bytes{{{labels}}} 0"),
        format!("plimsoll_volume_measured_timestamp_seconds{{{labels}}} 1763843460.125"),
        format!("plimsoll_volume_measure_failed{{{labels}}} 0"),
        format!("plimsoll_volume_growth_bytes_per_second{{{labels}}} 2097152"),
        format!("plimsoll_volume_full_timestamp_seconds{{{labels}}} 1764102750.25"),
        format!("plimsoll_volume_quota_full_timestamp_seconds{{{labels}}} 1764102750.25"),
        format!(
            "plimsoll_volume_info{{{labels},path=\"/mnt/ssd0\",principal=\"cassandra-principal\",disk_type=\"MOUNT\",\
             kind=\"persistent\",reservation=\"dynamic\",shared=\"false\",enforcement=\"soft_kill\",method=\"walk\",\
             driver=\"\",filesystem=\"/mnt/ssd0\",remote=\"\"}} 1"
        ),
        format!(
            "plimsoll_volume_holder_info{{{labels},framework=\"3d1f2c66-cassandra-0001\",framework_name=\"cassandra\",\
             executor=\"node-0\",task=\"node-0\",container=\"c-node-0\",container_path=\"data\",read_only=\"false\"}} 1"
        ),
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_is_not_known_has_no_series() {
    let mut snapshot = sample_snapshot::well();
    snapshot.volumes.truncate(1);
    snapshot.volumes[0].measured = Measured::default();
    snapshot.volumes[0].volume.quota_bytes = None;
    snapshot.volumes[0].volume.created = None;
    let text = text(&render(&snapshot, Format::Text, 1000).chunks);
    for name in
        ["used_bytes", "apparent_bytes", "quota_bytes", "files", "created", "measured_timestamp"]
    {
        assert!(!text.contains(&format!("plimsoll_volume_{name}")), "{name}");
    }
    assert!(text.contains("\nplimsoll_volume_measure_failed{"));
    assert!(!text.contains("plimsoll_agent_gc_path_removals_pending{"));
}

#[test]
fn hostile_names_stay_on_one_line() {
    let text = page(&sample_snapshot::troubled(), Format::Text);
    let used = text
        .lines()
        .find(|line| line.starts_with("plimsoll_volume_used_bytes") && line.contains("evil"))
        .expect("the hostile volume is there");
    assert_eq!(
        used,
        "plimsoll_volume_used_bytes{source=\"mesos\",role=\"<script>alert(1)</script>\",\
         volume=\"evil\\\"\\\\\\nname\u{202e}txt\",disk=\"HOST_PATH\"} 5242880"
    );
    // Bytes that are not UTF-8 are written as \xNN, whose backslash is then escaped.
    assert!(text.contains("path=\"/srv/\\\\xff\\\\xfe<img src=x>/a\\nb\""));
}

#[test]
fn finished_sandboxes_are_sums_and_nested_ones_apart() {
    let text = page(&sample_snapshot::troubled(), Format::Text);
    let jenkins = r#"{source="mesos",framework="3d1f2c66-jenkins-0001",state="awaiting_gc"}"#;
    let spark = r#"{source="mesos",framework="3d1f2c66-spark-0001",state="leaked"}"#;
    for line in [
        format!("plimsoll_finished_sandboxes{jenkins} 37"),
        format!(
            "plimsoll_finished_sandbox_used_bytes{jenkins} {}",
            37 * 300 * sample_snapshot::MIB
        ),
        format!("plimsoll_finished_sandboxes_unmeasured{jenkins} 0"),
        format!("plimsoll_finished_sandboxes{spark} 7"),
        format!("plimsoll_finished_sandbox_used_bytes{spark} {}", 12 * sample_snapshot::GIB),
        format!("plimsoll_finished_sandboxes_unmeasured{spark} 1"),
        format!(
            "plimsoll_nested_sandbox_used_bytes{{source=\"mesos\",framework=\"3d1f2c66-mongo-0001\",executor=\"pod-1\",\
             container=\"pod-1-5c0e-4d3a\",nested=\"db\"}} {}",
            400 * sample_snapshot::MIB
        ),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}");
    }
    assert!(!text.contains("plimsoll_sandbox_used_bytes{source=\"mesos\",framework=\"3d1f2c66-mongo-0001\",executor=\"pod-1\",container=\"pod-1-5c0e-4d3a.db\""));
    assert!(!text.contains("executor=\"build-0\""), "a finished sandbox has series of its own");
}
