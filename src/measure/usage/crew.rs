//! Several threads that walk one filesystem together, for one-shot commands.
//!
//! They work inside one guarded call, on the filesystem's own worker thread and its helpers, in
//! slices: a filesystem that hangs holds that worker, the call runs into its time-out as any other
//! would, and at most as many threads as were asked for stay behind. The daemon's
//! [meter](super::meter) does without: there a hung filesystem costs one thread.
//!
//! Each takes a subject of its own while there are any; then the [largest part](Walk::split) of
//! what another one has under way. One directory is read by one thread, however large.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::meter::lock;
use super::pass::{Real, View};
use super::target::Target;
use super::walk::{Progress, Totals, Walk};
use crate::host::Guard;

/// How long the threads work before the guard hears of them.
const SLICE: Duration = Duration::from_millis(200);
/// Inodes between two looks at the clock.
const CHUNK: usize = 4000;
/// A tree that was moved about under the walk is begun anew this often.
const ATTEMPTS: u32 = 3;

/// A subject to walk.
pub(super) struct Task {
    /// The caller's own number for it.
    pub(super) index: usize,
    pub(super) target: Arc<Target>,
    /// Where it really lies, if that was found out.
    pub(super) real: Option<Real>,
}

/// What became of a subject.
pub(super) enum Outcome {
    Done(Totals),
    /// Reason and message.
    Failed(&'static str, String),
    /// It cannot be walked from here before its path was followed, step by step.
    Elsewhere,
}

/// What the caller is told.
pub(super) enum News {
    /// So many more were looked at.
    Inodes(u64),
    /// Through with a subject, after so many seconds.
    Through(Arc<Task>, Outcome, f64),
}

/// Walks all of `tasks`, which lie on the filesystem of `place`. Each is told of exactly once.
pub(super) fn run(
    guard: &Guard,
    threads: usize,
    place: &Path,
    tasks: Vec<Task>,
    mut tell: impl FnMut(News),
) {
    let tasks: Vec<Arc<Task>> = tasks.into_iter().map(Arc::new).collect();
    let mut open: BTreeMap<usize, Arc<Task>> =
        tasks.iter().map(|task| (task.index, Arc::clone(task))).collect();
    let crew = Arc::new(Crew::default());
    lock(&crew.state).fresh = tasks.into_iter().map(|task| (task, 1)).collect();
    // Well below what the guard takes for a hang.
    let slice = SLICE.min(guard.limit() / 4);
    while !open.is_empty() {
        let (workers, view) = (Arc::clone(&crew), View::of(guard));
        let result = guard.run(place, "walk", move || workers.work(&view, threads, slice));
        tell(News::Inodes(crew.inodes.swap(0, Ordering::Relaxed)));
        for (task, outcome, seconds) in std::mem::take(&mut lock(&crew.state).through) {
            if open.remove(&task.index).is_some() {
                tell(News::Through(task, outcome, seconds));
            }
        }
        if let Err(error) = result {
            let began = Instant::now();
            for task in std::mem::take(&mut open).into_values() {
                let outcome = Outcome::Failed(error.reason(), error.to_string());
                tell(News::Through(task, outcome, began.elapsed().as_secs_f64()));
            }
        }
    }
}

#[derive(Default)]
struct Crew {
    state: Mutex<State>,
    wake: Condvar,
    /// Threads without work.
    hungry: AtomicUsize,
    inodes: AtomicU64,
}

#[derive(Default)]
struct State {
    /// Not begun, with the number of the attempt.
    fresh: VecDeque<(Arc<Task>, u32)>,
    parts: Vec<Part>,
    working: usize,
    through: Vec<(Arc<Task>, Outcome, f64)>,
}

/// A walk, or a part of one.
struct Part {
    pass: Arc<Pass>,
    walk: Box<Walk>,
}

/// One attempt at a subject.
struct Pass {
    task: Arc<Task>,
    attempt: u32,
    began: Instant,
    sum: Mutex<Sum>,
}

#[derive(Default)]
struct Sum {
    totals: Totals,
    /// Parts under way or waiting.
    parts: usize,
    /// A part failed: the others need not go on.
    failed: bool,
}

enum Work {
    Begin(Arc<Task>, u32),
    GoOn(Part),
}

impl Crew {
    /// One slice of all threads.
    fn work(&self, view: &View, threads: usize, slice: Duration) {
        let until = Instant::now() + slice;
        lock(&self.state).working = 0;
        std::thread::scope(|scope| {
            for _ in 1..threads {
                // Without this helper if there can be none.
                let helper = std::thread::Builder::new().name("walk".into());
                if helper.spawn_scoped(scope, || self.serve(view, until)).is_err() {
                    break;
                }
            }
            self.serve(view, until);
        });
    }

    fn serve(&self, view: &View, until: Instant) {
        while let Some(work) = self.take(until) {
            let part = match work {
                Work::Begin(task, attempt) => self.begin(view, task, attempt),
                Work::GoOn(part) => Some(part),
            };
            let left = part.and_then(|part| self.walk(part, until));
            let mut state = lock(&self.state);
            state.parts.extend(left);
            state.working -= 1;
            if state.working == 0 {
                self.wake.notify_all();
            }
        }
    }

    /// The next piece of work; waits for one while another thread may have one to share.
    fn take(&self, until: Instant) -> Option<Work> {
        let mut state = lock(&self.state);
        loop {
            let left = until.checked_duration_since(Instant::now())?;
            let part = state.parts.pop().map(Work::GoOn);
            let fresh = || state.fresh.pop_front().map(|(task, n)| Work::Begin(task, n));
            if let Some(work) = part.or_else(fresh) {
                state.working += 1;
                return Some(work);
            }
            if state.working == 0 {
                return None;
            }
            self.hungry.fetch_add(1, Ordering::Relaxed);
            let waited = self.wake.wait_timeout(state, left);
            self.hungry.fetch_sub(1, Ordering::Relaxed);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn begin(&self, view: &View, task: Arc<Task>, attempt: u32) -> Option<Part> {
        let plain;
        let real = match &task.real {
            Some(real) => real,
            None => {
                let Some(real) = view.plain(&task.target) else {
                    lock(&self.state).through.push((task, Outcome::Elsewhere, 0.0));
                    return None;
                };
                plain = real;
                &plain
            }
        };
        let walk = Box::new(view.walk(&task.target, real));
        let sum = Mutex::new(Sum { parts: 1, ..Sum::default() });
        let pass = Arc::new(Pass { task, attempt, began: Instant::now(), sum });
        Some(Part { pass, walk })
    }

    /// Walks until the part is done (`None`) or the slice is over.
    fn walk(&self, mut part: Part, until: Instant) -> Option<Part> {
        loop {
            if lock(&part.pass.sum).failed {
                return None;
            }
            let before = part.walk.inodes();
            let progress = part.walk.advance_open(CHUNK, Some(&self.hungry));
            self.inodes.fetch_add(part.walk.inodes() - before, Ordering::Relaxed);
            match progress {
                Progress::Done(totals) => {
                    self.done(&part.pass, &totals);
                    return None;
                }
                Progress::Failed(error) => {
                    self.failed(&part.pass, error.reason, &error.to_string());
                    return None;
                }
                Progress::More if Instant::now() >= until => {
                    part.walk.close();
                    return Some(part);
                }
                Progress::More if self.hungry.load(Ordering::Relaxed) > 0 => self.share(&mut part),
                Progress::More => {}
            }
        }
    }

    fn share(&self, part: &mut Part) {
        let Some(walk) = part.walk.split() else { return };
        lock(&part.pass.sum).parts += 1;
        let given = Part { pass: Arc::clone(&part.pass), walk: Box::new(walk) };
        lock(&self.state).parts.push(given);
        self.wake.notify_one();
    }

    fn done(&self, pass: &Pass, totals: &Totals) {
        let mut sum = lock(&pass.sum);
        sum.totals.merge(totals);
        sum.parts -= 1;
        if sum.parts == 0 && !sum.failed {
            self.through(pass, Outcome::Done(sum.totals));
        }
    }

    fn failed(&self, pass: &Pass, reason: &'static str, message: &str) {
        if std::mem::replace(&mut lock(&pass.sum).failed, true) {
            return;
        }
        if reason == "disturbed" && pass.attempt < ATTEMPTS {
            lock(&self.state).fresh.push_back((Arc::clone(&pass.task), pass.attempt + 1));
            return;
        }
        let message = format!("{}: {message}", pass.task.target.path.display());
        self.through(pass, Outcome::Failed(reason, message));
    }

    fn through(&self, pass: &Pass, outcome: Outcome) {
        let seconds = pass.began.elapsed().as_secs_f64();
        lock(&self.state).through.push((Arc::clone(&pass.task), outcome, seconds));
    }
}
