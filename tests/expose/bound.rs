use std::collections::BTreeSet;

use plimsoll::expose::exposition::Format;
use plimsoll::expose::render::render;
use plimsoll::model::{SandboxState, VolumeState};

use crate::{sample_snapshot, text};

fn value(text: &str, series: &str) -> u64 {
    let line = text
        .lines()
        .find(|line| line.starts_with(series))
        .unwrap_or_else(|| panic!("{series} is absent"));
    line.rsplit_once(' ').expect("a value").1.parse().expect("a whole number")
}

/// Sum of a family over all its series.
fn sum(text: &str, family: &str) -> u64 {
    let prefix = format!("{family}{{");
    text.lines()
        .filter(|line| line.starts_with(&prefix))
        .map(|line| {
            line.rsplit_once(' ').expect("a value").1.parse::<u64>().expect("a whole number")
        })
        .sum()
}

#[test]
fn past_the_bound_the_smaller_ones_are_summed() {
    let mut snapshot = sample_snapshot::scaled(200);
    // The smallest volume of all, but an orphan.
    let orphan = &mut snapshot.volumes[100];
    orphan.state = VolumeState::Orphaned;
    orphan.measured.sample.as_mut().expect("measured").used_bytes = 4096;
    let orphan = orphan.volume.key.volume.clone();

    let whole = render(&snapshot, Format::Text, 100_000);
    let bounded = render(&snapshot, Format::Text, 2_000);
    assert_eq!(whole.dropped, 0);
    assert!(bounded.series <= 2_000, "{}", bounded.series);
    assert!(bounded.series > 1_900, "room is used: {}", bounded.series);
    assert!(bounded.dropped > 0);
    assert_eq!(value(&text(&whole.chunks), "plimsoll_series_dropped "), 0);
    assert_eq!(value(&text(&bounded.chunks), "plimsoll_series_dropped "), bounded.dropped as u64);

    for family in ["used_bytes", "apparent_bytes", "quota_bytes", "files"] {
        for subject in ["volume", "sandbox"] {
            let family = format!("plimsoll_{subject}_{family}");
            assert_eq!(
                sum(&text(&whole.chunks), &family),
                sum(&text(&bounded.chunks), &family),
                "{family}"
            );
        }
    }
    for family in ["plimsoll_volume_holders", "plimsoll_volume_mounts"] {
        assert_eq!(
            sum(&text(&whole.chunks), family),
            sum(&text(&bounded.chunks), family),
            "{family}"
        );
    }
    assert!(
        text(&bounded.chunks).contains(&format!("volume=\"{orphan}\"")),
        "trouble keeps its series"
    );
    assert!(!text(&bounded.chunks).contains("plimsoll_volume_state{source=\"other\""));
}

#[test]
fn a_subject_does_not_come_and_go_with_every_byte() {
    let kept = |text: &str| -> BTreeSet<String> {
        text.lines()
            .filter(|line| line.starts_with("plimsoll_volume_used_bytes{source=\"mesos\""))
            .map(|line| line.rsplit_once(' ').expect("a value").0.to_owned())
            .collect()
    };
    let mut snapshot = sample_snapshot::scaled(200);
    for view in &mut snapshot.volumes {
        view.measured.sample.as_mut().expect("measured").used_bytes = 600 << 20;
    }
    let before = kept(&text(&render(&snapshot, Format::Text, 2_000).chunks));
    for (n, view) in snapshot.volumes.iter_mut().enumerate() {
        view.measured.sample.as_mut().expect("measured").used_bytes =
            (550 << 20) + (n as u64 * 77_777) % (300 << 20);
    }
    let after = kept(&text(&render(&snapshot, Format::Text, 2_000).chunks));
    assert!(before.len() > 50);
    assert_eq!(before, after);
}

#[test]
fn a_framework_per_job_does_not_become_series() {
    let mut snapshot = sample_snapshot::well();
    snapshot.sandboxes = (0..5_000)
        .map(|n| {
            sample_snapshot::sandbox(
                &format!("job-{n:04}"),
                "run",
                SandboxState::AwaitingGc,
                4096,
                None,
            )
        })
        .collect();
    let page = render(&snapshot, Format::Text, 1_200);
    assert!(page.series <= 1_200, "{}", page.series);
    assert_eq!(sum(&text(&page.chunks), "plimsoll_finished_sandboxes"), 5_000);
    assert_eq!(sum(&text(&page.chunks), "plimsoll_finished_sandbox_used_bytes"), 5_000 * 4096);
    assert_eq!(page.dropped, (5_000 - 100) * 3);
}

#[test]
fn subjects_listed_twice_are_written_once() {
    let mut snapshot = sample_snapshot::well();
    snapshot.volumes.push(snapshot.volumes[1].clone());
    let twice = render(&snapshot, Format::Text, 1_000);
    snapshot.volumes.pop();
    assert_eq!(twice, render(&snapshot, Format::Text, 1_000));
}
