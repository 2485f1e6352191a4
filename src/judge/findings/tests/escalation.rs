//! What gets worse is told at every moment.

use super::*;

/// A subject that gets worse is told at every moment, once: what was told stays until the
/// hold time of what comes after it is over, and comes back when that is taken back.
#[test]
fn a_finding_stays_until_the_one_it_gives_way_to_is_told() {
    let fills = |hours: f64| {
        Host::default()
            .volume(claimed("v"), Some(5 * GIB))
            .sandbox(sandbox("a"), 5 * GIB)
            .with(|host| host.subjects_full = Some((hours, FullBy::Quota)))
    };
    let filesystem = |available: u64| {
        Host::default().with(|host| {
            host.filesystem.size_bytes = 100 * GIB;
            host.filesystem.free_bytes = available;
            host.filesystem.available_bytes = available;
        })
    };
    let unenforced = |bytes: u64| {
        Host::default()
            .volume(claimed("v"), Some(bytes))
            .with(|host| host.flags = vec![("isolation", "cgroups/cpu")])
    };
    type Story = (Host, Host, &'static [&'static str], &'static [&'static str]);
    let stories: [Story; 3] = [
        (
            fills(20.0),
            fills(3.0),
            &["sandbox_fills_soon", "volume_fills_soon"],
            &["sandbox_fills_now", "volume_fills_now"],
        ),
        (filesystem(8 * GIB), filesystem(GIB), &["filesystem_filling"], &["filesystem_full"]),
        (
            unenforced(95 * GIB / 10),
            unenforced(11 * GIB),
            &["volume_near_quota"],
            &["volume_over_quota_unenforced"],
        ),
    ];
    for (bad, worse, before, after) in stories {
        let hold = conditions::find(after[0]).expect(after[0]).hold_seconds;
        assert!(hold > 1.0, "{after:?}");
        let mut memory = FindingMemory::default();
        bad.look(&mut memory, NOW);
        assert_eq!(kinds(&bad.look(&mut memory, NOW + 900.0)), before);
        let then = NOW + 1_000.0;
        for second in [0.0, 1.0, hold - 1.0] {
            assert_eq!(kinds(&worse.look(&mut memory, then + second)), before, "{second}");
        }
        let told = worse.look(&mut memory, then + hold);
        assert_eq!(kinds(&told), after);
        assert_eq!(told[0].since, then);
        // What it takes to take it back is below every margin; the warning holds since long.
        let told = bad.look(&mut memory, then + hold + 1.0);
        assert_eq!(kinds(&told), before);
        assert_eq!(told[0].since, NOW);
        // One look knows no hold times.
        let facts = Facts {
            snapshot: &worse.snapshot(NOW),
            thresholds: &Thresholds::default(),
            series_dropped: 0,
            debt_seconds: 0.0,
            now: NOW,
        };
        assert_eq!(kinds(&at_once(&facts)), after);
    }
}
