//! New sandboxes and volumes are noticed by the watch, and what goes away goes away.

use std::time::{Duration, Instant};

use crate::scene;

#[test]
fn a_new_volume_and_a_new_sandbox_are_seen_long_before_the_next_round() {
    let scene = scene::quiet();
    // Only the watch can be this quick: the periodic round is far away.
    scene.configure("discovery:\n  interval: 10m\n");
    let text = std::fs::read_to_string(&scene.config).expect("read");
    std::fs::write(&scene.config, text.replace("poll_interval: 1s", "poll_interval: 10m"))
        .expect("write");
    let daemon = scene.serve();
    daemon.wait_ready();
    std::thread::sleep(Duration::from_secs(1));

    let seen = |what: &str, path: std::path::PathBuf, series: &str| {
        assert!(!daemon.get("/metrics").body.contains(series), "{what} is there already");
        std::fs::create_dir_all(&path).expect("make");
        let start = Instant::now();
        daemon.wait_for(what, Duration::from_secs(30), |daemon| {
            daemon.get("/metrics").body.contains(series).then_some(())
        });
        start.elapsed()
    };
    let volume = seen(
        "a new volume directory",
        scene.volume("analytics", "new-0100"),
        "volume=\"new-0100\"",
    );
    let role = seen(
        "a volume of a new role",
        scene.volume("brand/new", "new-0101"),
        "volume=\"new-0101\"",
    );
    let slaves = scene.work("slaves");
    let agent = std::fs::read_dir(slaves).expect("slaves").next().expect("one").expect("agent");
    let run = agent.path().join("frameworks/fresh-0009/executors/exec/runs/c0ffee");
    let sandbox = seen("a sandbox of a new framework", run, "framework=\"fresh-0009\"");
    // Without a wake-up each takes ten minutes, which fails above. How quick it is depends on what
    // else the machine does: the quickest of three says that nothing waits for long on purpose.
    let quickest = volume.min(role).min(sandbox);
    assert!(quickest < Duration::from_secs(10), "{volume:?} {role:?} {sandbox:?}");

    std::fs::remove_dir(scene.volume("analytics", "new-0100")).expect("remove");
    daemon.wait_for("the volume goes away", Duration::from_secs(10), |daemon| {
        (!daemon.get("/metrics").body.contains("volume=\"new-0100\"")).then_some(())
    });
}
