use std::collections::HashSet;

use super::super::book::TELL_RESOLVED;
use super::super::{Book, MAX_ALERTS, StoredBook};
use super::*;
use crate::model::ClockStep;

const HORIZON: f64 = 240.0;

fn none() -> HashSet<String> {
    HashSet::new()
}

fn warnings(names: &[&str], since: Timestamp) -> Vec<Fired> {
    names.iter().map(|name| fired(name, Severity::Warning, since)).collect()
}

fn firing(book: &Book) -> Vec<String> {
    book.desired().firing.iter().map(|alert| name(alert)).collect()
}

fn ended(book: &Book) -> Vec<(String, Timestamp)> {
    book.desired().ended.iter().map(|(alert, at)| (name(alert), *at)).collect()
}

#[test]
fn what_ended_is_told_for_a_while_and_not_once_it_fires_again() {
    let mut book = Book::default();
    book.observe(warnings(&["a", "b"], 90.0), &none(), true, 100.0);
    book.observe(warnings(&["b"], 90.0), &none(), true, 110.0);
    assert_eq!((firing(&book), ended(&book)), (vec!["b".into()], vec![("a".into(), 110.0)]));
    book.observe(warnings(&["a", "b"], 200.0), &none(), true, 200.0);
    assert_eq!((firing(&book).len(), ended(&book)), (2, vec![]));
    book.observe(warnings(&["b"], 90.0), &none(), true, 300.0);
    book.observe(warnings(&["b"], 90.0), &none(), true, 299.0 + TELL_RESOLVED);
    assert_eq!(ended(&book), [("a".into(), 300.0)]);
    book.observe(warnings(&["b"], 90.0), &none(), true, 300.0 + TELL_RESOLVED);
    assert_eq!(ended(&book), []);
}

#[test]
fn beside_a_prometheus_nothing_is_told_to_be_over() {
    let mut book = Book::default();
    book.observe(warnings(&["a", "b"], 90.0), &none(), true, 100.0);
    book.observe(warnings(&["b"], 90.0), &none(), true, 110.0);
    // The switch was turned meanwhile: what is known to have ended is not told any more either.
    book.observe(vec![], &none(), false, 120.0);
    assert_eq!((firing(&book), ended(&book)), (vec![], vec![]));
}

#[test]
fn the_gravest_go_first_and_what_is_left_out_is_not_told_to_be_over() {
    let many: Vec<String> = (0..MAX_ALERTS).map(|number| format!("warning-{number:04}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut book = Book::default();
    book.observe(warnings(&many, 1.0), &none(), true, 2.0);
    assert_eq!((firing(&book).len(), book.desired().dropped), (MAX_ALERTS, 0));
    // One as grave more finds no place, whatever its name; one that is graver does.
    let mut more = warnings(&["a-new-warning"], 3.0);
    more.extend(warnings(&many, 1.0));
    more.push(fired("z-critical", Severity::Critical, 3.0));
    book.observe(more, &none(), true, 4.0);
    let names = firing(&book);
    assert_eq!((names.len(), book.desired().dropped), (MAX_ALERTS, 2));
    assert_eq!(names[0], "z-critical");
    assert!(!names.contains(&"a-new-warning".to_owned()));
    assert_eq!(ended(&book), [], "the one that gave way fires still");
    book.observe(vec![], &none(), true, 5.0);
    assert_eq!(ended(&book).len(), MAX_ALERTS);
}

#[test]
fn after_a_restart_alerts_go_on_until_their_subjects_are_measured() {
    let mut before = Book::default();
    before.observe(warnings(&["gone", "kept", "slow"], 90.0), &none(), true, 100.0);
    before.observe(warnings(&["kept", "slow", "later"], 90.0), &none(), true, 110.0);
    let json = serde_json::to_string(&before.stored(111.0)).expect("JSON");
    let stored: StoredBook = serde_json::from_str(&json).expect("what was written");

    let mut book = Book::default();
    book.restore(stored, HORIZON, 130.0);
    assert_eq!(firing(&book), ["kept", "later", "slow"]);
    assert_eq!(ended(&book), [("gone".into(), 110.0)]);
    // `slow` is not measured yet, `later` is, and over.
    let awaited = HashSet::from(["slow".to_owned()]);
    book.observe(warnings(&["kept"], 90.0), &awaited, true, 131.0);
    assert_eq!(firing(&book), ["kept", "slow"]);
    assert_eq!(ended(&book), [("gone".into(), 110.0), ("later".into(), 131.0)]);
    // Awaiting is for what an earlier run knew only.
    let awaited = HashSet::from(["kept".to_owned()]);
    book.observe(vec![], &awaited, true, 140.0);
    assert_eq!(firing(&book), Vec::<String>::new());
}

#[test]
fn after_a_long_stop_nothing_old_is_told() {
    let mut before = Book::default();
    before.observe(warnings(&["old"], 90.0), &none(), true, 100.0);
    let stored = before.stored(100.0);
    for now in [100.0 + HORIZON, -200.0] {
        let mut book = Book::default();
        book.restore(stored.clone(), HORIZON, now);
        assert_eq!(firing(&book), Vec::<String>::new(), "{now}");
        let awaited = HashSet::from(["old".to_owned()]);
        book.observe(vec![], &awaited, true, now);
        assert_eq!((firing(&book), ended(&book)), (vec![], vec![]), "{now}");
    }
    before.observe(vec![], &none(), true, 101.0);
    let mut book = Book::default();
    book.restore(before.stored(102.0), HORIZON, 101.0 + TELL_RESOLVED);
    assert_eq!(ended(&book), []);
}

#[test]
fn nothing_to_keep_leaves_the_file_as_it_is() {
    assert_eq!(Book::default().stored(1.0), Book::default().stored(2.0));
}

#[test]
fn what_this_run_knows_wins_over_what_an_earlier_one_kept() {
    let mut before = Book::default();
    before.observe(warnings(&["a", "b"], 10.0), &none(), true, 100.0);
    before.observe(warnings(&["a"], 10.0), &none(), true, 110.0);
    let mut book = Book::default();
    book.observe(warnings(&["b"], 120.0), &none(), true, 120.0);
    book.restore(before.stored(111.0), HORIZON, 121.0);
    assert_eq!((firing(&book), ended(&book)), (vec!["a".into(), "b".into()], vec![]));
    assert_eq!(book.desired().firing[1].starts_at, 120.0);
}

#[test]
fn when_the_clock_is_set_ages_stay() {
    let mut book = Book::default();
    book.observe(warnings(&["a", "b"], 90.0), &none(), true, 100.0);
    book.observe(warnings(&["a"], 90.0), &none(), true, 101.0);
    let step = ClockStep::between(101.0, 3_702.0, 1.0).expect("a step");
    book.clock_stepped(&step);
    assert_eq!(book.desired().firing[0].starts_at, 3_690.0);
    assert_eq!(ended(&book), [("b".into(), 3_701.0)]);
}
