//! However it ends, the terminal is given back as it was.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::sample_snapshot::well;
use crate::server::Server;
use crate::tmux::Tmux;

const PLIMSOLL: &str = env!("CARGO_BIN_EXE_plimsoll");

fn kill(signal: &str, pid: u32) {
    let status = Command::new("kill").args([format!("-{signal}"), pid.to_string()]).status();
    assert!(status.expect("kill").success());
}

#[test]
fn keys_and_signals_give_the_terminal_back() {
    let server = Server::on(0, well());
    let tmux = Tmux::start(100, 30);
    let before = tmux.modes();
    assert!(before.ends_with("\n0 1 1 0\n"), "{before}");
    let command = format!("{PLIMSOLL} top --url {}; echo status $?", server.url());
    let ways: [(&str, &dyn Fn(), u32); 6] = [
        ("q", &|| tmux.keys(&["q"]), 0),
        ("Ctrl-C", &|| tmux.keys(&["C-c"]), 0),
        ("SIGTERM", &|| kill("TERM", tmux.foreground()), 143),
        ("SIGINT", &|| kill("INT", tmux.foreground()), 130),
        ("SIGHUP", &|| kill("HUP", tmux.foreground()), 129),
        ("SIGQUIT", &|| kill("QUIT", tmux.foreground()), 131),
    ];
    for (name, end, status) in ways {
        tmux.line("clear");
        tmux.line(&command);
        tmux.wait("the picture", |screen| screen.contains("nothing needs attention"));
        assert_ne!(tmux.modes(), before, "{name}: the terminal was not taken");
        end();
        let expected = format!("status {status}");
        let screen = tmux.wait(name, |screen| screen.contains(&expected));
        assert!(!screen.contains("Findings"), "{name}:\n{screen}");
        assert_eq!(tmux.modes(), before, "{name}");
    }
}

#[test]
fn it_ends_with_its_terminal() {
    let server = Server::on(0, well());
    let tmux = Tmux::start(100, 30);
    tmux.line(&format!("{PLIMSOLL} top --url {}", server.url()));
    tmux.wait("the picture", |screen| screen.contains("nothing needs attention"));
    let process = format!("/proc/{}", tmux.foreground());
    tmux.close();
    let start = Instant::now();
    while std::path::Path::new(&process).exists() {
        assert!(start.elapsed() < Duration::from_secs(30), "{process} outlives its terminal");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_shell_can_stop_it_and_go_on() {
    let server = Server::on(0, well());
    let tmux = Tmux::start(100, 30);
    let before = tmux.modes();
    // A shell without job control would be stopped with it.
    tmux.line("set -m");
    tmux.line(&format!("{PLIMSOLL} top --url {}", server.url()));
    tmux.wait("the picture", |screen| screen.contains("nothing needs attention"));
    tmux.keys(&["C-z"]);
    tmux.wait("the shell", |screen| screen.contains("Stopped") && !screen.contains("[1 Findings"));
    assert_eq!(tmux.modes(), before);
    tmux.line("fg");
    tmux.wait("the picture again", |screen| screen.contains("[1 Findings"));
    assert_ne!(tmux.modes(), before);
    tmux.keys(&["q"]);
    tmux.wait("the shell again", |screen| !screen.contains("[1 Findings"));
    assert_eq!(tmux.modes(), before);
}

#[test]
fn a_panic_gives_the_terminal_back_and_is_readable() {
    let tmux = Tmux::start(120, 30);
    let before = tmux.modes();
    let this = std::env::current_exe().expect("this test");
    for thread in ["first", "other"] {
        tmux.line("clear");
        tmux.line(&format!(
            "RUST_BACKTRACE=0 PANICS_ON={thread} {} --exact ends::panics_with_the_terminal_taken --ignored --nocapture; echo status $?",
            this.display()
        ));
        let screen = tmux.wait("the end", |screen| screen.contains("status 101"));
        assert!(screen.contains("a hull breach on purpose"), "{thread}:\n{screen}");
        assert_eq!(tmux.modes(), before, "{thread}");
    }
}

/// Run by the test above, in its terminal.
#[test]
#[ignore = "takes the terminal and panics: run by a_panic_gives_the_terminal_back_and_is_readable"]
fn panics_with_the_terminal_taken() {
    let _terminal = plimsoll::commands::top::Terminal::take(true).expect("a terminal");
    let breach = || panic!("a hull breach on purpose");
    if std::env::var("PANICS_ON").as_deref() == Ok("other") {
        let thread = std::thread::spawn(breach);
        thread.join().expect("the other thread's panic");
    } else {
        breach();
    }
}
