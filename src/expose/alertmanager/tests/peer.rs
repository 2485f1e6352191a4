use super::super::{Clock, Desired, MAX_BATCH, Message, Peer};
use super::*;

const INTERVAL: f64 = 60.0;

fn at(steady: f64) -> Clock {
    Clock { wall: 1_000.0 + steady, steady }
}

fn desired(firing: &[&str], ended: &[&str]) -> Desired {
    Desired {
        firing: firing.iter().map(|name| Arc::new(alert(name, 0.0))).collect(),
        ended: ended.iter().map(|name| (Arc::new(alert(name, 0.0)), 5.0)).collect(),
        dropped: 0,
    }
}

fn names(batch: &[Message]) -> Vec<String> {
    batch.iter().map(|message| name(&message.alert)).collect()
}

/// Sends what is due, and says what that was.
fn send(peer: &mut Peer, desired: &Desired, now: f64) -> Vec<String> {
    let batch = peer.due(desired, at(now));
    peer.accepted(&batch, desired, at(now));
    names(&batch)
}

#[test]
fn what_is_new_goes_at_once_and_what_fires_on_each_interval() {
    let mut peer = Peer::new(INTERVAL);
    assert_eq!(peer.next(&desired(&[], &[])), None);
    let one = desired(&["a"], &[]);
    assert_eq!(send(&mut peer, &one, 0.0), ["a"]);
    assert_eq!(peer.next(&one), Some(INTERVAL));
    let two = desired(&["a", "b"], &[]);
    assert_eq!(send(&mut peer, &two, 30.0), ["b"]);
    assert_eq!(send(&mut peer, &two, 59.0), [""; 0]);
    assert_eq!(send(&mut peer, &two, 60.0), ["a"]);
    assert_eq!(send(&mut peer, &two, 90.0), ["b"]);
    // What is due soon goes with what is due.
    let three = desired(&["a", "b", "c"], &[]);
    assert_eq!(send(&mut peer, &three, 110.0), ["c", "a"]);
}

#[test]
fn an_end_goes_at_once_and_is_repeated() {
    let mut peer = Peer::new(INTERVAL);
    send(&mut peer, &desired(&["a"], &[]), 0.0);
    let over = desired(&[], &["a"]);
    assert_eq!(peer.pending(&over, at(1.0)), 1);
    let batch = peer.due(&over, at(1.0));
    assert_eq!(batch[0].ended_at, Some(5.0));
    peer.accepted(&batch, &over, at(1.0));
    assert_eq!((peer.pending(&over, at(2.0)), peer.next(&over)), (0, Some(61.0)));
    assert_eq!(send(&mut peer, &over, 61.0), ["a"]);
    // And the same alert firing again.
    assert_eq!(send(&mut peer, &desired(&["a"], &[]), 62.0), ["a"]);
}

#[test]
fn after_a_failure_everything_is_told_anew_after_a_pause_that_grows() {
    let mut peer = Peer::new(INTERVAL);
    let two = desired(&["a", "b"], &[]);
    send(&mut peer, &two, 0.0);
    let three = desired(&["a", "b", "c"], &[]);
    let mut now = 10.0;
    let mut pauses = Vec::new();
    for _ in 0..9 {
        assert!(!peer.due(&three, at(now)).is_empty());
        peer.failed(at(now), 1.0);
        let next = peer.next(&three).expect("it goes on");
        assert!(peer.due(&three, at(next - 0.01)).is_empty());
        pauses.push(next - now);
        now = next;
    }
    assert_eq!(pauses, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]);
    assert_eq!(peer.pending(&three, at(now)), 3);
    assert_eq!(send(&mut peer, &three, now), ["a", "b", "c"]);
    peer.failed(at(now), 0.0);
    assert_eq!(
        peer.next(&three),
        Some(now + 0.5),
        "the next failure begins anew, spread by chance"
    );
}

#[test]
fn no_pause_is_longer_than_the_interval() {
    let mut peer = Peer::new(2.0);
    for _ in 0..100 {
        peer.failed(at(0.0), 1.0);
    }
    assert_eq!(peer.next(&desired(&["a"], &[])), Some(2.0));
}

#[test]
fn batches_are_bounded_and_follow_each_other() {
    let many: Vec<String> = (0..150).map(|number| format!("a{number:03}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let all = desired(&many, &[]);
    let mut peer = Peer::new(INTERVAL);
    let mut sent = Vec::new();
    for expected in [MAX_BATCH, MAX_BATCH, 150 - 2 * MAX_BATCH] {
        assert_eq!(peer.next(&all), Some(f64::NEG_INFINITY));
        let batch = send(&mut peer, &all, 0.0);
        assert_eq!(batch.len(), expected);
        sent.extend(batch);
    }
    assert_eq!(sent, many);
    assert_eq!(send(&mut peer, &all, 0.0), [""; 0]);
}

#[test]
fn what_nobody_wants_told_any_more_is_forgotten() {
    let mut peer = Peer::new(INTERVAL);
    for number in 0..1_000 {
        send(&mut peer, &desired(&[&format!("a{number}")], &[]), f64::from(number));
    }
    assert!(peer.remembered() <= 2, "{}", peer.remembered());
    // One that lapsed and fires again is new.
    assert_eq!(send(&mut peer, &desired(&["a0"], &[]), 1_001.0), ["a0"]);
}
