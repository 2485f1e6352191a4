use plimsoll::expose::status::page;
use plimsoll::model::Snapshot;

use crate::{build, sample_snapshot};

const NOW: f64 = sample_snapshot::NOW + 4.0;

#[test]
fn all_well_says_so_and_lists_nothing() {
    let html = page(&sample_snapshot::well(), &build(), NOW);
    assert!(
        html.contains("<div class=\"headline good\"><h1><span class=\"dot\"></span>All well</h1>")
    );
    assert!(html.contains(
        "2 volumes · 1 running sandbox · 2 filesystems · as of 2025-11-22 20:32:30 UTC, 4 s ago"
    ));
    assert!(!html.contains("class=\"attention\""));
}

#[test]
fn trouble_is_counted_and_the_gravest_comes_first() {
    let html = page(&sample_snapshot::troubled(), &build(), NOW);
    assert!(html.contains("<div class=\"headline bad\">"));
    assert!(html.contains("15 things need attention"));
    let list = html
        .split("<ul class=\"attention\">")
        .nth(1)
        .expect("a list")
        .split("</ul>")
        .next()
        .expect("its end");
    let kinds: Vec<(&str, &str)> = list
        .split("<li class=\"")
        .skip(1)
        .map(|item| {
            let tone = item.split('"').next().expect("a class");
            let kind =
                item.split("<span class=\"kind\">").nth(1).expect("a kind").split('<').next();
            (tone, kind.expect("a word"))
        })
        .collect();
    assert_eq!(
        kinds,
        [
            ("bad", "network storage unresponsive"),
            ("bad", "sandbox over quota"),
            ("bad", "volume missing"),
            ("bad", "volume over quota"),
            ("warn", "filesystem filling"),
            ("warn", "filesystem readonly"),
            ("warn", "sandbox near quota"),
            ("warn", "sandboxes leaked"),
            ("warn", "source unreadable"),
            ("warn", "source unreadable"),
            ("warn", "sources disagree"),
            ("warn", "volume near quota"),
            ("warn", "volume orphaned"),
            ("warn", "volume unmeasured"),
            ("quiet", "sandboxes abandoned"),
        ]
    );
}

#[test]
fn nothing_from_the_host_becomes_markup() {
    let html = page(&sample_snapshot::troubled(), &build(), NOW);
    assert!(!html.contains("<script"));
    assert!(!html.contains("<img"));
    assert!(!html.contains('\u{202e}'));
    assert!(
        html.contains("&lt;script&gt;alert(1)&lt;/script&gt; / evil&quot;\\\\nname\\u{202e}txt")
    );
    assert!(html.contains("/srv/\\xff\\xfe&lt;img src=x&gt;/a\\nb"));
    assert!(
        !html.contains("style=\""),
        "the policy allows no style attributes beside the one style sheet"
    );
    assert!(!html.contains("http-equiv") && !html.contains("src=\""));
}

#[test]
fn before_the_first_inventory_nothing_is_claimed() {
    let html = page(&Snapshot::default(), &build(), NOW);
    assert!(html.contains("Looking around"));
    assert!(!html.contains("No volume on this host"));
}

#[test]
fn an_old_snapshot_is_trouble() {
    let html = page(&sample_snapshot::well(), &build(), sample_snapshot::NOW + 7_200.0);
    assert!(html.contains("1 thing needs attention"));
    assert!(html.contains("The newest snapshot is 2 h old."));
}

#[test]
fn long_tables_are_cut_and_say_so() {
    let html = page(&sample_snapshot::scaled(1_000), &build(), NOW);
    assert!(html.contains("800 more: <a href=\"/api/v1/volumes\">"));
    assert!(html.contains("950 more: <a href=\"/api/v1/sandboxes\">"));
    assert!(html.len() < 400_000, "{}", html.len());
}

#[test]
fn io_network_storage_and_disks_have_their_places() {
    let html = page(&sample_snapshot::troubled(), &build(), NOW);
    let section = |id: &str| {
        let from = html.split(&format!("<section id=\"{id}\">")).nth(1).expect("a section");
        from.split("</section>").next().expect("its end").replace(['\u{a0}', '\u{202f}'], " ")
    };
    let io = section("io");
    assert!(io.contains("<b>debug-shell-5c0e-4d3a</b>"), "{io}");
    assert!(io.contains("sda <small>8:0</small>"));
    assert!(io.contains("3.00 GiB<small>786 432 ops</small>"));
    assert!(io.contains("writes 50.0 MiB/s <small>97 %</small>"));
    assert!(io.contains("writes 62 s <span class=\"chip warn\">10 %</span>"));
    assert_eq!(io.matches("<tr>").count(), 2, "the nested one is part of its parent");
    let network = section("network");
    assert!(network.contains("<b>filer:/export/home</b> <span class=\"tag\">nfs4</span>"));
    let [first, ..] =
        network.split("<tbody>").nth(1).expect("rows").split("</tr>").collect::<Vec<_>>()[..]
    else {
        panic!("no row")
    };
    assert!(first.contains("not responding") && first.contains("40.0 GiB"), "{first}");
    assert!(section("filesystems").contains("nvme0n1 <span class=\"tag\">crypt</span>"));
    for link in ["/api/v1/io", "/api/v1/devices", "/api/v1/network_filesystems"] {
        assert!(html.contains(&format!("<a href=\"{link}\">")), "{link}");
    }
    let well = page(&Snapshot { ready: true, ..Snapshot::default() }, &build(), NOW);
    assert!(!well.contains("id=\"io\"") && !well.contains("id=\"network\""));
}
