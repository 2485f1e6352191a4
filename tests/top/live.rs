//! What is on the screen.

use std::process::Command;

use crate::sample_snapshot::{troubled, well};
use crate::scene;
use crate::server::Server;
use crate::support::daemon::Daemon;
use crate::tmux::Tmux;

const PLIMSOLL: &str = env!("CARGO_BIN_EXE_plimsoll");

#[test]
fn a_daemon_on_the_demo_scene_is_watched_with_keys() {
    let home = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start(&["demo", "--directory", home.path().to_str().expect("UTF-8")]);
    daemon.wait_ready();
    daemon.wait_measured();
    let tmux = Tmux::start(160, 40);
    tmux.line(&format!("{PLIMSOLL} top --interval 500ms --url {}", daemon.url));
    let screen = tmux.wait("the findings", |screen| screen.contains("volume_orphaned"));
    let head = format!("s old: daemon at {} on demo.plimsoll.example\n", daemon.url);
    assert!(screen.starts_with("plimsoll top, data ") && screen.contains(&head), "{screen}");
    assert!(screen.contains("[1 Findings"), "{screen}");
    // The story of the row under the cursor.
    assert!(screen.contains("Next: "), "{screen}");

    tmux.keys(&["Tab"]);
    let screen = tmux.wait("the volumes", |screen| screen.contains("[2 Volumes 8]"));
    for expected in ["cassandra-0", "mysql-primary", "in_use", "orphaned", "HOLDERS", "16.0 MiB"] {
        assert!(screen.contains(expected), "{expected} in\n{screen}");
    }
    tmux.keys(&["n", "Down"]);
    let under = tmux.wait("the cursor", |screen| {
        screen.lines().any(|line| line.starts_with('>') && line.contains("lost-0001"))
    });
    assert!(under.contains("by name"), "{under}");
    // A live writer makes it grow: the number on the screen is not the first one for ever.
    let used = |screen: &str| {
        let line = screen.lines().find(|line| line.contains("mysql-0")).map(str::to_owned);
        line.and_then(|line| line.split('%').nth(1).map(str::to_owned))
    };
    let before = used(&under).expect("mysql-0");
    tmux.wait("growth", |screen| used(screen).is_some_and(|now| now != before));

    tmux.keys(&["/"]);
    tmux.write("events");
    tmux.wait("the filter", |screen| screen.contains("filter: events_"));
    tmux.keys(&["Enter"]);
    let screen = tmux.wait("the filtered rows", |screen| screen.contains("1 of 8"));
    assert!(screen.contains("events-reader") && !screen.contains("mysql-0"), "{screen}");
    tmux.keys(&["Escape", "3", "u"]);
    tmux.wait("the sandboxes", |screen| {
        screen.contains("by use %") && screen.contains("[3 Sandboxes") && screen.contains(" live ")
    });
    tmux.keys(&["?"]);
    tmux.wait("the help", |screen| screen.contains("Any key goes back."));
    tmux.keys(&["x", "4"]);
    tmux.wait("the filesystems", |screen| screen.contains("MOUNT POINT"));

    // Narrow and low, then wide again: what is there fits, and nothing of before stays.
    tmux.resize(44, 10);
    tmux.wait("the low screen", |screen| {
        let shown = screen.contains("MOUNT POINT") && screen.contains("q quit");
        shown && screen.lines().count() <= 10 && !screen.contains("UNEXPLAINED")
    });
    tmux.resize(200, 40);
    tmux.wait("the wide screen", |screen| {
        screen.contains("UNEXPLAINED") && screen.matches("q quit").count() == 1
    });
    tmux.keys(&["q"]);
    tmux.wait("the shell", |screen| !screen.contains("[4 Filesystems"));
}

#[test]
fn a_daemon_that_goes_is_waited_for() {
    let server = Server::on(0, well());
    let (port, url) = (server.address.port(), server.url());
    let tmux = Tmux::start(120, 30);
    tmux.line(&format!("{PLIMSOLL} top --interval 200ms --url {url}"));
    tmux.wait("the picture", |screen| screen.contains("nothing needs attention"));
    drop(server);
    let waiting = format!(": {url}: connection refused");
    let screen = tmux.wait("the wait", |screen| screen.contains(&waiting));
    assert!(screen.contains("WAITING for "), "{screen}");
    assert!(screen.contains("2 volumes (2 in use, 0 orphaned)"), "the last picture:\n{screen}");
    let _server = Server::on(port, troubled());
    let screen = tmux.wait("the new picture", |screen| screen.contains("volume_over_quota"));
    assert!(!screen.contains("WAITING"), "{screen}");
}

#[test]
fn a_daemon_that_was_asked_for_and_is_not_there_is_waited_for_or_an_error() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let output = Command::new(PLIMSOLL).args(["top", "--url", &url]).output().expect("plimsoll");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(error, format!("plimsoll: {url}: connection refused\n"));
    let tmux = Tmux::start(100, 20);
    tmux.line(&format!("{PLIMSOLL} top --interval 200ms --url {url}"));
    tmux.wait("the wait", |screen| screen.contains("WAITING for "));
    let _server = Server::on(port, well());
    tmux.wait("the picture", |screen| screen.contains("nothing needs attention"));
}

#[test]
fn signs_stand_for_colours_and_hostile_names_are_only_names() {
    let server = Server::on(0, troubled());
    let tmux = Tmux::start(200, 50);
    // A frame reaches the screen in pieces: its last line is the keys.
    let whole = |screen: &str| screen.contains("[2 Volumes") && screen.contains("q quit");
    tmux.line(&format!("{PLIMSOLL} top --view volumes --sort name --url {}", server.url()));
    let screen = tmux.wait("the volumes", whole);
    assert!(screen.contains("<script>alert(1)</script>"), "{screen}");
    assert!(screen.contains("evil\"\\\\\\nname\\u{202e}txt"), "{screen}");
    let critical = |text: &str| {
        let line = text.lines().find(|line| line.contains("mariadb-1-data"));
        line.expect("the volume over its quota").to_owned()
    };
    assert!(critical(&screen).starts_with(" !"), "{screen}");
    assert!(critical(&tmux.colours()).contains("\x1b[1m\x1b[38;5;1m"), "{}", tmux.colours());
    tmux.keys(&["q"]);
    tmux.wait("the shell", |screen| !screen.contains("[2 Volumes"));
    tmux.line(&format!(
        "NO_COLOR=1 {PLIMSOLL} top --view volumes --sort name --url {}",
        server.url()
    ));
    let screen = tmux.wait("the volumes", whole);
    assert!(critical(&screen).starts_with(" !"), "{screen}");
    let codes = tmux.colours();
    assert!(codes.contains("\x1b[7m") && !codes.contains("\x1b[38;"), "{codes}");
}

#[test]
fn without_a_terminal_one_screen_is_printed() {
    let server = Server::on(0, troubled());
    let run = |more: &[&str]| {
        let url = server.url();
        let args = [&["top", "--url", &url], more].concat();
        let output = Command::new(PLIMSOLL).args(args).output().expect("plimsoll");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let plain = run(&[]);
    assert!(!plain.contains('\x1b'), "{plain}");
    // The same text as the golden one but for ages, which go on.
    let golden = include_str!("../fixtures/top/once.txt");
    let titles = |text: &str| -> Vec<String> {
        let about = |line: &&str| line.contains(", by ") || line.contains(" critical, ");
        text.lines().filter(about).map(str::to_owned).collect()
    };
    assert_eq!(titles(&plain), titles(golden));
    assert_eq!(plain.lines().count(), golden.lines().count());
    let head = format!("d old: daemon at {} on node-17.rack-4.example.net\n", server.url());
    assert!(plain.starts_with("plimsoll top, data ") && plain.contains(&head), "{plain}");
    let two = run(&["--once", "--view", "volumes", "--sort", "bytes", "--count", "2"]);
    let rows: Vec<&str> = two.lines().skip(5).collect();
    assert_eq!(rows.len(), 2, "{two}");
    assert!(two.contains("Volumes: 2 of ") && two.contains(", by bytes"), "{two}");
    assert!(rows[0].contains("shared-backups") && rows[0].contains("310.0 GiB"), "{two}");
}

#[test]
fn without_a_daemon_it_looks_itself() {
    let scene = scene::quiet();
    let config = scene.config.display().to_string();
    let flags = scene.path_flags();
    let mut args = vec!["top", "--local", "--config.file", &config];
    args.extend(flags.iter().map(String::as_str));
    let output = Command::new(PLIMSOLL).args(&args).output().expect("plimsoll");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let once = String::from_utf8(output.stdout).expect("UTF-8");
    let (head, _) = once.split_once('\n').expect("lines");
    assert!(head.starts_with("plimsoll top, data "), "{once}");
    assert!(head.contains(" old: no daemon, seen by this command"), "{once}");
    assert!(once.contains("\nwithout a daemon no growth is known\n"), "{once}");
    assert!(once.contains("orphan-0099") && once.contains("wh-0001"), "{once}");

    let tmux = Tmux::start(160, 30);
    tmux.line(&format!("{PLIMSOLL} {} --view volumes --interval 200ms", args.join(" ")));
    let screen = tmux.wait("the volumes", |screen| screen.contains("wh-0001"));
    assert!(screen.contains("no daemon, seen by this command"), "{screen}");
    // What changes is seen at the next look.
    std::fs::write(scene.volume("analytics", "wh-0001").join("more.bin"), vec![7; 50 << 20])
        .expect("write");
    tmux.wait("the new bytes", |screen| {
        screen.lines().any(|line| line.contains("wh-0001") && line.contains(" 50."))
    });
    tmux.keys(&["q"]);
    tmux.wait("the shell", |screen| !screen.contains("[2 Volumes"));
}
