//! The status page in a real browser: it works without JavaScript and asks no other host.

use std::process::Command;

use crate::scene;

/// Loads a page in headless Chromium and returns the DOM it built. Every host but loopback is
/// mapped to nowhere, so an outside request would show as a broken asset, and JavaScript is off.
fn dom(url: &str) -> String {
    let profile = tempfile::tempdir().expect("a directory");
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--blink-settings=scriptEnabled=false", "--virtual-time-budget=2000"])
        .arg("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1")
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--dump-dom", url])
        .output()
        .expect("chromium is installed by scripts/test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn status_page_says_what_is_wrong_without_javascript() {
    let scene = scene::quiet();
    let daemon = scene.serve();
    daemon.wait_ready();
    daemon.wait_measured();
    let page = dom(&daemon.url);
    for expected in ["wh-0001", "shared-0005", "orphan-0099", "eng/storage", "/metrics"] {
        assert!(page.contains(expected), "{expected} is not on the page:\n{page}");
    }
    assert!(!page.contains("<script"), "no script is needed");

    // Nothing on the page points to another host, and the policy would forbid it.
    let raw = daemon.get("/");
    assert!(raw.headers.contains("content-security-policy: default-src 'none'"), "{}", raw.headers);
    for attribute in ["src=\"http", "src='http", "@import", "url(http"] {
        assert!(!raw.body.contains(attribute), "{attribute}");
    }
}
