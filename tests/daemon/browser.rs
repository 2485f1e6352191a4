//! The status page in a real browser: it works without JavaScript and asks no other host.

use std::process::Command;

use crate::scene;

/// Loads a page in headless Chromium. Returns the DOM it built and every address it asked.
fn load(url: &str) -> (String, Vec<String>) {
    let profile = tempfile::tempdir().expect("a directory");
    let log = profile.path().join("net.json");
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1")
        .arg(format!("--log-net-log={}", log.display()))
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--dump-dom", url])
        .output()
        .expect("chromium is installed by scripts/test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let asked = std::fs::read_to_string(&log).expect("the net log");
    let asked = asked
        .split("\"url\":\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|url| url.starts_with("http"))
        .map(str::to_string)
        .collect();
    (String::from_utf8(output.stdout).expect("UTF-8"), asked)
}

#[test]
fn status_page_says_what_is_wrong_without_javascript() {
    let scene = scene::quiet();
    let daemon = scene.serve();
    daemon.wait_ready();
    daemon.wait_measured();
    let (page, asked) = load(&daemon.url);
    for expected in ["wh-0001", "shared-0005", "orphan-0099", "eng/storage", "/metrics"] {
        assert!(page.contains(expected), "{expected} is not on the page:\n{page}");
    }
    assert!(!page.contains("<script"), "no script is needed");
    // Chromium itself tries to reach its maker; whatever else it asked, the page made it ask.
    let makers = ["google.com", "googleapis.com", "gstatic.com", "gvt1.com"];
    let others: Vec<&String> = asked
        .iter()
        .filter(|url| !url.starts_with(&daemon.url))
        .filter(|url| !makers.iter().any(|maker| url.contains(maker)))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(asked.iter().any(|url| url.starts_with(&daemon.url)), "the log has the page itself");

    // Nothing on the page points to another host, and the policy would forbid it.
    let raw = daemon.get("/");
    assert!(raw.headers.contains("content-security-policy: default-src 'none'"), "{}", raw.headers);
    for attribute in ["src=\"http", "src='http", "@import", "url(http"] {
        assert!(!raw.body.contains(attribute), "{attribute}");
    }
}
