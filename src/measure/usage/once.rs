//! Measuring once, now, whatever it costs: for one-shot commands.

use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

use super::entry::{Book, Kind, trusted};
use super::meter::{not_walked, nothing_mounted, timestamp};
use super::pass;
use super::quota::{Probe, Record};
use super::target::{How, Target};
use super::walk::{Progress, Totals};
use crate::host::{Guard, GuardError, errno};
use crate::model::{MeasureFailure, Measured, Subject};

/// Large, because nothing else waits for its turn; a slice still ends after 50 ms.
const SLICE_INODES: usize = 50_000;

/// How far a one-shot measurement is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnceProgress {
    /// Inodes looked at.
    pub inodes: u64,
    /// Subjects that are through, failed ones included.
    pub subjects: usize,
}

/// Measures every target once, those on different filesystems at the same time, and returns the
/// results in the order of `targets`. `progress` is called after each slice.
pub fn measure_once(
    guard: &Guard,
    targets: &[Target],
    mut progress: impl FnMut(OnceProgress),
) -> Vec<(Subject, Measured)> {
    let mut by_device: BTreeMap<(u32, u32), Vec<usize>> = BTreeMap::new();
    for (index, target) in targets.iter().enumerate() {
        by_device.entry(guard.device(&target.path)).or_default().push(index);
    }
    let (sender, events) = channel();
    let mut measured = vec![Measured::default(); targets.len()];
    std::thread::scope(|scope| {
        for indexes in by_device.values() {
            let sender = sender.clone();
            scope.spawn(move || {
                for &index in indexes {
                    let result = one(guard, &targets[index], &sender);
                    // The receiver outlives this scope.
                    let _ = sender.send(Event::Subject(index, Box::new(result)));
                }
            });
        }
        drop(sender);
        let mut done = OnceProgress::default();
        for event in events {
            match event {
                Event::Inodes(inodes) => done.inodes += inodes,
                Event::Subject(index, result) => {
                    measured[index] = *result;
                    done.subjects += 1;
                }
            }
            progress(done);
        }
    });
    targets.iter().map(|target| target.subject.clone()).zip(measured).collect()
}

enum Event {
    Inodes(u64),
    Subject(usize, Box<Measured>),
}

fn one(guard: &Guard, target: &Target, events: &Sender<Event>) -> Measured {
    let mut book = Book::default();
    let subject = &target.subject;
    let fail = |reason, message| MeasureFailure { reason, message, at: timestamp() };
    if target.remote && target.how == How::Walk {
        let message = not_walked(&target.path);
        book.failed(subject, Kind::Walk, fail("remote", message));
    }
    for &kind in Kind::of(target) {
        let began = Instant::now();
        let result = match kind {
            Kind::Statfs => statfs(guard, target)
                .map(|used| book.statfs(subject, used, timestamp(), began.elapsed().as_secs_f64())),
            Kind::Walk | Kind::OwnWalk | Kind::Quota => {
                let before = record(guard, target);
                walk(guard, target, events).map(|totals| {
                    let after = before.and_then(|_| record(guard, target));
                    let (at, seconds) = (timestamp(), began.elapsed().as_secs_f64());
                    book.walked(subject, kind, &totals, at, seconds);
                    if kind == Kind::OwnWalk {
                        return;
                    }
                    book.limit(subject, after.as_ref());
                    if let Some(Ok(record)) =
                        trusted(before.as_ref(), after.as_ref(), &totals, false)
                    {
                        book.quota(subject, &record, at, seconds);
                    }
                })
            }
        };
        if let Err((reason, message)) = result {
            book.failed(subject, kind, fail(reason, message));
            break;
        }
    }
    book.snapshot().get(subject).cloned().unwrap_or_default()
}

type Failure = (&'static str, String);

fn refused(error: GuardError) -> Failure {
    (error.reason(), error.to_string())
}

fn statfs(guard: &Guard, target: &Target) -> Result<u64, Failure> {
    let root = pass::resolve(guard, &target.path).map_err(refused)?;
    let path = root.clone();
    if guard.table().at(&guard.on_host(&root)).is_none() {
        return Err(("missing", nothing_mounted(&target.path)));
    }
    match guard.run(&root, "statfs", move || pass::own_filesystem(&path)).map_err(refused)? {
        Ok(Some(used)) => Ok(used),
        Ok(None) => Err(("missing", nothing_mounted(&target.path))),
        Err(error) => {
            Err((errno::reason(&error), format!("statfs {}: {error}", target.path.display())))
        }
    }
}

/// The record of the subject's project quota, where there is one.
fn record(guard: &Guard, target: &Target) -> Option<Record> {
    let root = pass::resolve(guard, &target.path).ok()?;
    let probe = Probe::find(guard, target, &root)?;
    guard.run(&root, "quotactl", move || probe.read()).ok()?.ok()
}

fn walk(guard: &Guard, target: &Target, events: &Sender<Event>) -> Result<Totals, Failure> {
    let root = pass::resolve(guard, &target.path).map_err(refused)?;
    let mut walk = Box::new(pass::walk(guard, target, &root));
    loop {
        let slice = guard
            .run(&root, "walk", move || pass::slice(walk, SLICE_INODES, false))
            .map_err(refused)?;
        // Nobody listens any more: nothing to tell.
        let _ = events.send(Event::Inodes(slice.inodes));
        match slice.progress {
            Progress::More => walk = slice.walk,
            Progress::Done(totals) => return Ok(totals),
            Progress::Failed(error) => {
                return Err((error.reason, format!("{}: {error}", target.path.display())));
            }
        }
    }
}
