//! Measuring once, now, whatever it costs: for one-shot commands.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

use super::crew::{self, News, Outcome, Task};
use super::entry::{Book, Kind};
use super::meter::{not_walked, nothing_mounted, timestamp};
use super::pass;
use super::quota::{self, Probe, Record, trusted};
use super::target::{How, Target};
use crate::host::{Guard, GuardError, errno};
use crate::model::{MeasureFailure, Measured, Subject};

/// How far a one-shot measurement is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnceProgress {
    /// Inodes looked at.
    pub inodes: u64,
    /// Subjects that are through, failed ones included.
    pub subjects: usize,
}

/// How many threads walk one filesystem when nobody says: two, or one where there is one core.
pub fn usual_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(2))
}

/// [`measure_once_with`] the [usual number](usual_threads) of threads.
pub fn measure_once(
    guard: &Guard,
    targets: &[Target],
    progress: impl FnMut(OnceProgress),
) -> Vec<(Subject, Measured)> {
    measure_once_with(guard, targets, usual_threads(), progress)
}

/// Measures every target once, those on different filesystems at the same time, those on one
/// filesystem by `threads` threads together, and returns the results in the order of `targets`.
/// `progress` is called about five times a second for each filesystem. A filesystem that hangs
/// fails its targets after the guard's limit and holds `threads` threads at most.
pub fn measure_once_with(
    guard: &Guard,
    targets: &[Target],
    threads: usize,
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
            let group = Group {
                guard,
                threads,
                events: sender.clone(),
                books: BTreeMap::new(),
                quotas: BTreeMap::new(),
            };
            scope.spawn(move || group.measure(targets, indexes));
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

/// The targets on one filesystem.
struct Group<'a> {
    guard: &'a Guard,
    threads: usize,
    events: Sender<Event>,
    /// What is known of those that are still to be walked.
    books: BTreeMap<usize, Book>,
    /// What the project quotas of those said before the walk.
    quotas: BTreeMap<usize, Record>,
}

impl Group<'_> {
    fn measure(mut self, targets: &[Target], indexes: &[usize]) {
        let (mut near, mut far) = (Vec::new(), Vec::new());
        for &index in indexes {
            let target = &targets[index];
            let book = self.without_walk(target);
            let failed = book.failed_already(&target.subject);
            if failed || !Kind::of(target).iter().any(|kind| *kind != Kind::Statfs) {
                self.tell(index, book, &target.subject);
                continue;
            }
            self.books.insert(index, book);
            if let Some(record) = record(self.guard, target) {
                self.quotas.insert(index, record);
            }
            let task = Task { index, target: Arc::new(target.clone()), real: None };
            // A remote filesystem on the way is asked too: not from this one's worker.
            if self.passes_remote(&target.path) { far.push(task) } else { near.push(task) }
        }
        if let Some(place) = near.first().map(|task| task.target.path.clone()) {
            far.extend(self.walk(&place, near));
        }
        for task in far {
            match pass::resolve(self.guard, &task.target.path) {
                Ok(root) => {
                    let real = Some(pass::resolved(self.guard, &task.target, &root));
                    self.walk(&root, vec![Task { real, ..task }]);
                }
                Err(error) => {
                    let outcome = Outcome::Failed(error.reason(), error.to_string());
                    self.walked(&task, &outcome, 0.0);
                }
            }
        }
    }

    fn passes_remote(&self, path: &Path) -> bool {
        let table = self.guard.table();
        let mut chain = table.chain(&self.guard.on_host(path));
        let own = chain.pop().map(|entry| entry.device);
        chain.iter().any(|entry| entry.remote() && Some(entry.device) != own)
    }

    /// Walks tasks on the filesystem of `place`; returns those whose path has to be followed first.
    fn walk(&mut self, place: &Path, tasks: Vec<Task>) -> Vec<Task> {
        let (mut elsewhere, mut counted) = (Vec::new(), Vec::new());
        crew::run(self.guard, self.threads, place, tasks, |news| match news {
            News::Inodes(inodes) => {
                // The receiver outlives this thread.
                let _ = self.events.send(Event::Inodes(inodes));
            }
            News::Through(task, Outcome::Elsewhere, _) => {
                let (index, target) = (task.index, Arc::clone(&task.target));
                elsewhere.push(Task { index, target, real: None });
            }
            // Its quota is read again once the filesystem's workers are free.
            News::Through(task, outcome, seconds) if self.quotas.contains_key(&task.index) => {
                counted.push((task, outcome, seconds));
            }
            News::Through(task, outcome, seconds) => self.walked(&task, &outcome, seconds),
        });
        for (task, outcome, seconds) in counted {
            self.walked(&task, &outcome, seconds);
        }
        elsewhere
    }

    fn walked(&mut self, task: &Task, outcome: &Outcome, seconds: f64) {
        let target = &task.target;
        let subject = &target.subject;
        let kind = match target.how {
            How::Walk => Kind::Walk,
            How::OwnFilesystem => Kind::OwnWalk,
        };
        let Some(mut book) = self.books.remove(&task.index) else { return };
        match outcome {
            Outcome::Done(totals) => {
                let at = timestamp();
                book.walked(subject, kind, totals, at, seconds);
                if let Some(before) = self.quotas.remove(&task.index) {
                    let after = record(self.guard, target);
                    book.limit(subject, after.as_ref());
                    if let Some(Ok(record)) = trusted(Some(&before), after.as_ref(), totals, false)
                    {
                        book.quota(subject, &record, at, seconds);
                    }
                }
            }
            Outcome::Failed(reason, message) => {
                book.failed(subject, kind, failure((*reason, message.clone())));
            }
            Outcome::Elsewhere => {}
        }
        self.tell(task.index, book, subject);
    }

    fn tell(&self, index: usize, mut book: Book, subject: &Subject) {
        let result = book.snapshot().get(subject).cloned().unwrap_or_default();
        let _ = self.events.send(Event::Subject(index, Box::new(result)));
    }

    /// What can be said before a walk: that there will be none, or `statfs`.
    fn without_walk(&self, target: &Target) -> Book {
        let mut book = Book::default();
        let subject = &target.subject;
        if target.remote && target.how == How::Walk {
            let message = not_walked(&target.path);
            book.failed(subject, Kind::Walk, failure(("remote", message)));
        }
        if target.how == How::OwnFilesystem {
            let began = Instant::now();
            match statfs(self.guard, target) {
                Ok(used) => {
                    book.statfs(subject, used, timestamp(), began.elapsed().as_secs_f64());
                }
                Err(reason) => book.failed(subject, Kind::Statfs, failure(reason)),
            }
        }
        book
    }
}

fn failure((reason, message): Failure) -> MeasureFailure {
    MeasureFailure { reason, message, at: timestamp() }
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
    if target.how == How::OwnFilesystem || !quota::possible(guard, &target.path) {
        return None;
    }
    let root = pass::resolve(guard, &target.path).ok()?;
    let probe = Probe::find(guard, target, &pass::resolved(guard, target, &root))?;
    guard.run(&root, "quotactl", move || probe.read()).ok()?.ok()
}
