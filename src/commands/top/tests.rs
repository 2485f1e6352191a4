//! The screen of a host with every sort of trouble, what keys do to it, and what it is made of.

#[path = "../../../tests/support/sample_snapshot.rs"]
mod sample_snapshot;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_width::UnicodeWidthStr;

use crate::cli::top::{Sort, View};
use crate::expose::api::Resource;
use crate::model::{Severity, Snapshot};
use crate::text;

use super::data::Picture;
use super::screen::{self, Known, Style};
use super::source::{News, Origin};
use super::state::{State, Wish};
use super::view;
use sample_snapshot::NOW;

fn picture(snapshot: &Snapshot) -> Picture {
    let bodies = Picture::RESOURCES.map(|one| Resource::render(one, snapshot).expect("plain data"));
    Picture::parse(snapshot.taken_at, &bodies).expect("our own answers")
}

fn known(snapshot: &Snapshot) -> Known {
    let origin = Origin::Daemon("http://127.0.0.1:10061".into());
    let mut known = Known::default();
    known.learn(News::Picture(Box::new(picture(snapshot)), origin), NOW);
    known
}

fn state(view: View) -> State {
    State::new(view, Sort::Attention, false, None)
}

fn press(state: &mut State, known: &Known, keys: &str) {
    for key in keys.chars() {
        assert_eq!(state.key(KeyEvent::from(KeyCode::Char(key)), known.picture()), Wish::None);
    }
}

fn code(state: &mut State, known: &Known, code: KeyCode) -> Wish {
    state.key(KeyEvent::from(code), known.picture())
}

fn lines(known: &Known, state: &mut State, size: (usize, usize)) -> Vec<String> {
    screen::draw(known, state, size, NOW + 3.0).into_iter().map(|line| line.text).collect()
}

/// Name of the row under the cursor: its cell in that column of words.
fn under_the_cursor(known: &Known, state: &mut State) -> String {
    let all = lines(known, state, (300, 40));
    let line = all.iter().find(|line| line.starts_with('>')).expect("a cursor");
    line[2..].split("  ").map(str::trim).filter(|word| !word.is_empty()).nth(1).unwrap().to_owned()
}

/// `UPDATE_GOLDEN=1 cargo test --lib commands::top` writes it anew.
#[test]
fn one_screen_of_a_troubled_host_is_exactly_this() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/top/once.txt");
    let known = known(&sample_snapshot::troubled());
    let state = State::new(View::Findings, Sort::Attention, false, Some(10));
    let text = screen::once(&known, &state, &View::ALL, None, NOW + 3.0);
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        std::fs::write(path, &text).expect("written");
        return;
    }
    let golden = std::fs::read_to_string(path).expect("tests/fixtures/top/once.txt");
    assert_eq!(text, golden, "UPDATE_GOLDEN=1 cargo test --lib commands::top");
}

#[test]
fn no_screen_is_too_wide_or_too_long_and_no_name_drives_it() {
    let mut pictures = [known(&sample_snapshot::troubled()), known(&sample_snapshot::well())];
    let evil = "\x1b[2J\u{202e}evil\n\u{9b}31m";
    pictures[1].learn(News::Trouble(evil.into()), NOW);
    let hostile = |snapshot: &mut Snapshot| {
        let inventory = std::sync::Arc::make_mut(&mut snapshot.inventory);
        inventory.agent.as_mut().expect("an agent").hostname = Some(evil.into());
        snapshot.volumes[0].volume.key.volume = evil.into();
        snapshot.sandboxes[0].sandbox.key.executor = evil.into();
        snapshot.filesystems[0].device = evil.into();
        snapshot.volumes[0].reason = evil.into();
    };
    let mut named = sample_snapshot::troubled();
    hostile(&mut named);
    let named = known(&named);
    for known in pictures.iter().chain([&named, &Known::default()]) {
        for view in View::ALL {
            for keys in ["", "?", "/mys", "r"] {
                let mut state = state(view);
                press(&mut state, known, keys);
                for (width, height) in
                    (0..130).step_by(7).flat_map(|w| [0, 1, 2, 5, 9, 15, 24, 60].map(|h| (w, h)))
                {
                    let shown = screen::draw(known, &mut state, (width, height), NOW);
                    assert!(shown.len() <= height, "{view:?} {width}x{height}");
                    for line in shown {
                        assert!(line.text.width() <= width, "{width}: {}", line.text);
                        assert!(!line.text.chars().any(text::is_hidden), "{:?}", line.text);
                    }
                }
            }
        }
    }
    let mut state = state(View::Volumes);
    let all = lines(&named, &mut state, (300, 40)).join("\n");
    assert!(all.contains("\\x1b[2J\\u{202e}evil\\n\\u{9b}31m"), "{all}");
    let text = screen::once(&named, &state, &View::ALL, None, NOW);
    assert!(text.chars().all(|c| c == '\n' || !text::is_hidden(c)));
}

#[test]
fn tables_give_way_from_the_least_important_column_on() {
    let known = known(&sample_snapshot::troubled());
    let titles = |view, width| {
        let all = lines(&known, &mut state(view), (width, 30));
        all.iter().find(|line| line.contains("SE")).expect("titles").trim().to_owned()
    };
    let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words(titles(View::Findings, 240)), "SEVERITY SINCE KIND SUBJECT REASON");
    assert_eq!(words(titles(View::Findings, 80)), "SEVERITY SINCE SUBJECT REASON");
    assert_eq!(words(titles(View::Findings, 40)), "SEVERITY SUBJECT");
    assert_eq!(
        words(titles(View::Volumes, 240)),
        "ROLE VOLUME DISK STATE LOAD USE USED OF GROWTH FULL IN INODES HOLDERS AGE"
    );
    assert_eq!(words(titles(View::Volumes, 80)), "VOLUME STATE USE USED OF GROWTH FULL IN");
    assert_eq!(words(titles(View::Volumes, 40)), "VOLUME USE USED");
}

#[test]
fn each_order_puts_first_what_it_says() {
    let known = known(&sample_snapshot::troubled());
    let picture = known.picture().expect("a picture");
    let sorted = |sort, reverse| -> Vec<&str> {
        let rows = view::rows(picture, View::Volumes, sort, reverse, "");
        rows.into_iter().map(|at| picture.volumes[at].volume.as_str()).collect()
    };
    let by = |value: fn(&super::data::Usage) -> Option<f64>, sort| {
        let rows = view::rows(picture, View::Volumes, sort, false, "");
        let values: Vec<Option<f64>> =
            rows.into_iter().map(|at| value(&picture.volumes[at].usage)).collect();
        assert!(values.iter().flatten().count() >= 2, "{sort:?} has nothing to sort");
        let known: Vec<f64> = values.iter().copied().flatten().collect();
        assert!(values[..known.len()].iter().all(Option::is_some), "{sort:?}: absent ones last");
        known
    };
    let falling = |values: Vec<f64>| values.is_sorted_by(|a, b| a >= b);
    assert!(falling(by(|usage| usage.used_bytes.map(|bytes| bytes as f64), Sort::Bytes)));
    assert!(falling(by(|usage| usage.files.map(|files| files as f64), Sort::Files)));
    assert!(falling(by(
        |usage| Some(usage.used_bytes? as f64 / usage.quota_bytes.filter(|q| *q > 0)? as f64),
        Sort::Use
    )));
    let mut backwards = sorted(Sort::Name, true);
    // Names are the last word of every order, so a reversed one only turns what is sorted by.
    backwards.sort_unstable();
    let mut forwards = sorted(Sort::Name, false);
    forwards.sort_unstable();
    assert_eq!(backwards, forwards);
    // What is critical stands before what is a warning, and that before the rest.
    let rows = view::rows(picture, View::Volumes, Sort::Attention, false, "");
    let grave: Vec<u8> = rows
        .iter()
        .map(|at| picture.of_volume(&picture.volumes[*at]).map_or(9, |severity| severity as u8))
        .collect();
    assert!(grave.is_sorted() && grave[0] == Severity::Critical as u8, "{grave:?}");
    assert!(grave.contains(&9), "one volume is well");
}

#[test]
fn the_cursor_follows_its_row_and_stays_where_a_row_goes() {
    let mut snapshot = sample_snapshot::troubled();
    let mut known = known(&snapshot);
    let mut state = state(View::Volumes);
    press(&mut state, &known, "n");
    let first = under_the_cursor(&known, &mut state);
    code(&mut state, &known, KeyCode::Down);
    code(&mut state, &known, KeyCode::Down);
    let third = under_the_cursor(&known, &mut state);
    assert_ne!(first, third);
    // The one before it goes: the cursor goes up with its row.
    let rows = state.rows(known.picture().unwrap());
    snapshot.volumes.remove(rows[0]);
    known.learn(News::Picture(Box::new(picture(&snapshot)), Origin::Own(None)), NOW);
    assert_eq!(under_the_cursor(&known, &mut state), third);
    // The row itself goes: the cursor stays on the line.
    let rows = state.rows(known.picture().unwrap());
    let next = known.picture().unwrap().volumes[rows[2]].volume.clone();
    snapshot.volumes.remove(rows[1]);
    known.learn(News::Picture(Box::new(picture(&snapshot)), Origin::Own(None)), NOW);
    assert!(lines(&known, &mut state, (300, 40)).iter().any(|line| line.starts_with('>')));
    assert!(under_the_cursor(&known, &mut state).contains(&*text::escape(&next)));
    // As far as it goes, and no further.
    code(&mut state, &known, KeyCode::End);
    code(&mut state, &known, KeyCode::PageDown);
    let last = under_the_cursor(&known, &mut state);
    code(&mut state, &known, KeyCode::Home);
    code(&mut state, &known, KeyCode::PageUp);
    assert_ne!(under_the_cursor(&known, &mut state), last);
    // In a low window the rows move under the cursor.
    code(&mut state, &known, KeyCode::End);
    let low = lines(&known, &mut state, (200, 9));
    assert!(low.iter().any(|line| line.starts_with('>')), "{low:#?}");
}

#[test]
fn keys_do_what_the_help_says() {
    let known = known(&sample_snapshot::troubled());
    let mut state = state(View::Findings);
    for view in [View::Volumes, View::Sandboxes, View::Filesystems, View::Findings] {
        code(&mut state, &known, KeyCode::Tab);
        assert_eq!(state.view, view);
    }
    code(&mut state, &known, KeyCode::BackTab);
    assert_eq!(state.view, View::Filesystems);
    press(&mut state, &known, "2");
    assert_eq!(state.view, View::Volumes);
    for (key, sort) in Sort::ALL {
        press(&mut state, &known, &key.to_string());
        assert_eq!(state.look().sort, sort);
    }
    press(&mut state, &known, "rr");
    assert!(!state.look().reverse);
    press(&mut state, &known, "r");
    assert!(state.look().reverse);
    // Each view has its own order; bytes say nothing of findings.
    press(&mut state, &known, "1b");
    assert_eq!((state.look().sort, state.look().reverse), (Sort::Attention, false));
    press(&mut state, &known, "s");
    assert_eq!(state.look().sort, Sort::Age);

    // While a filter is typed letters are letters.
    press(&mut state, &known, "2/qGAL");
    assert!(state.typing);
    code(&mut state, &known, KeyCode::Esc);
    assert_eq!((state.typing, state.filter.as_str()), (false, ""));
    press(&mut state, &known, "/gALx");
    code(&mut state, &known, KeyCode::Backspace);
    code(&mut state, &known, KeyCode::Enter);
    assert_eq!((state.typing, state.filter.as_str()), (false, "gAL"));
    let shown = state.rows(known.picture().unwrap());
    let roles = shown.iter().map(|at| known.picture().unwrap().volumes[*at].role.as_str());
    assert_eq!(roles.collect::<Vec<_>>(), ["galera"]);
    code(&mut state, &known, KeyCode::Esc);
    assert_eq!(state.filter, "");

    // A terminal tells Esc and a key soon after it as Alt and that key.
    press(&mut state, &known, "/gal");
    state.key(KeyEvent::new(KeyCode::Char('3'), KeyModifiers::ALT), None);
    assert_eq!((state.typing, state.filter.as_str(), state.view), (false, "", View::Sandboxes));

    press(&mut state, &known, "?");
    assert!(lines(&known, &mut state, (80, 24)).iter().any(|line| line.contains("UNEXPLAINED")));
    press(&mut state, &known, "n");
    assert!(!state.help);
    assert_eq!(code(&mut state, &known, KeyCode::Char(' ')), Wish::Look);
    assert_eq!(code(&mut state, &known, KeyCode::Char('q')), Wish::Quit);
    let control = |letter| KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL);
    press(&mut state, &known, "/");
    assert_eq!(state.key(control('c'), None), Wish::Quit);
    assert_eq!(state.key(control('z'), None), Wish::Suspend);
    assert_eq!(state.key(control('l'), None), Wish::None);
    assert_eq!(state.filter, "");
}

#[test]
fn it_says_whose_word_it_is_how_old_and_what_is_waited_for() {
    let mut known = Known::default();
    let mut state = state(View::Findings);
    let head = |known: &Known, state: &mut State, now: f64| -> Vec<String> {
        let lines = screen::draw(known, state, (200, 30), now);
        lines.into_iter().take(2).map(|line| line.text).collect()
    };
    assert_eq!(head(&known, &mut state, NOW), ["plimsoll top: no data yet", "asking the daemon"]);
    known.learn(News::Looking(1200, 3), NOW);
    assert_eq!(
        head(&known, &mut state, NOW)[1],
        "looking: 1200 inodes, 3 subjects measured so far"
    );
    let picture = || Box::new(picture(&sample_snapshot::well()));
    known.learn(News::Picture(picture(), Origin::Own(Some("http://a: refused".into()))), NOW);
    let shown = head(&known, &mut state, NOW + 7.0);
    let host = "on node-17.rack-4.example.net";
    assert_eq!(
        shown[0],
        format!("plimsoll top, data 7s old: no daemon, seen by this command {host}")
    );
    assert_eq!(shown[1], "http://a: refused; without it no growth is known");
    known.learn(News::Picture(picture(), Origin::Daemon("http://a".into())), NOW);
    let shown = head(&known, &mut state, NOW + 90.0);
    assert_eq!(shown[0], format!("plimsoll top, data 1m old: daemon at http://a {host}"));
    assert!(shown[1].starts_with("0 critical"), "{shown:?}");
    // Since the first failure, with the last picture below.
    known.learn(News::Trouble("http://a: connection refused".into()), NOW + 90.0);
    known.learn(News::Trouble("http://a: connection refused".into()), NOW + 92.0);
    let lines = screen::draw(&known, &mut state, (200, 30), NOW + 100.0);
    assert_eq!(lines[1].text, "WAITING for 10s: http://a: connection refused");
    assert_eq!(lines[1].style, Style::Notice);
    assert!(lines.iter().any(|line| line.text.contains("[1 Findings")), "the picture stays");
    known.learn(News::Picture(picture(), Origin::Daemon("http://a".into())), NOW + 101.0);
    assert!(known.trouble.is_none());
}

#[test]
fn answers_of_other_versions_are_read_as_far_as_they_go() {
    let bodies: [Vec<u8>; 5] = [
        br#"[{"kind":"new","severity":"apocalyptic","subject_kind":"moon","subject":"m","labels":{},"reason":"r","next":"n","since_timestamp_seconds":1}]"#.to_vec(),
        br#"[{"role":"db","volume":"v","state":"sublimated","novelty":[1]}]"#.to_vec(),
        b"[]".to_vec(),
        br#"[{"mount_point":"/x","responsive":true}]"#.to_vec(),
        b"null".to_vec(),
    ];
    let read = Picture::parse(NOW, &bodies).expect("readable");
    assert_eq!(read.findings[0].severity(), Severity::Info);
    assert_eq!(read.volumes[0].state, "sublimated");
    let mut known = Known::default();
    known.learn(News::Picture(Box::new(read), Origin::Own(None)), NOW);
    for view in View::ALL {
        assert!(!lines(&known, &mut state(view), (100, 30)).is_empty());
    }
    let mut broken = bodies.clone();
    broken[1] = b"<html>".to_vec();
    let error = Picture::parse(NOW, &broken).unwrap_err();
    assert!(error.starts_with("/api/v1/volumes: "), "{error}");
}
