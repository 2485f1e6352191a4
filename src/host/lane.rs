//! The worker threads behind the [guard](super::guard): one lane for each filesystem.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime};

use super::guard::{GuardError, UnresponsiveMount, lock};

type Device = (u32, u32);

/// What a worker is at, or will be.
#[derive(Clone, Debug)]
pub(super) struct Running {
    op: &'static str,
    mount_id: u64,
    mount_point: PathBuf,
    limit: Duration,
    /// Set when the work begins.
    started: Instant,
    since: SystemTime,
}

impl Running {
    pub(super) fn new(
        op: &'static str,
        mount_id: u64,
        mount_point: PathBuf,
        limit: Duration,
    ) -> Self {
        let (started, since) = (Instant::now(), SystemTime::now());
        Self { op, mount_id, mount_point, limit, started, since }
    }

    fn error(&self) -> GuardError {
        let (op, since) = (self.op, self.since);
        GuardError::Unresponsive { mount_point: self.mount_point.clone(), op, since }
    }
}

pub(super) struct Job {
    pub(super) running: Running,
    pub(super) work: Box<dyn FnOnce() + Send>,
}

/// One filesystem's worker and its queue.
#[derive(Default)]
pub(super) struct Lane {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    running: Option<Running>,
    /// `running` is past its limit: nothing is taken on.
    stuck: bool,
    /// What was stuck last, for those whose work was dropped.
    last_stuck: Option<Running>,
    /// A thread serves the queue.
    alive: bool,
    closed: bool,
}

impl State {
    /// Notices that the running call is past its limit; drops what waits behind it.
    fn check(&mut self) -> Result<(), GuardError> {
        let Some(running) = &self.running else { return Ok(()) };
        if !self.stuck && running.started.elapsed() >= running.limit {
            self.stuck = true;
            self.last_stuck = Some(running.clone());
            self.queue.clear();
        }
        if self.stuck { Err(running.error()) } else { Ok(()) }
    }
}

impl Lane {
    pub(super) fn check(&self) -> Result<(), GuardError> {
        lock(&self.state).check()
    }

    /// How long to wait before looking again whether the running call is past its limit.
    pub(super) fn time_left(&self) -> Duration {
        let state = lock(&self.state);
        let left = state.running.as_ref().map(|r| r.limit.saturating_sub(r.started.elapsed()));
        left.unwrap_or(Duration::from_millis(20)).max(Duration::from_millis(1))
    }

    /// Why queued work was dropped.
    pub(super) fn last_error(&self) -> GuardError {
        let state = lock(&self.state);
        match &state.last_stuck {
            Some(stuck) => stuck.error(),
            None => Running::new("closed", 0, PathBuf::from("/"), Duration::ZERO).error(),
        }
    }

    /// Serves the queue. Ends when closed, or when `idle` passes without work.
    fn serve(&self, idle: Duration, lanes: &Lanes, device: Device) {
        let mut state = lock(&self.state);
        loop {
            if state.closed {
                state.queue.clear();
                state.alive = false;
                return;
            }
            if let Some(mut job) = state.queue.pop_front() {
                job.running.started = Instant::now();
                job.running.since = SystemTime::now();
                state.running = Some(job.running);
                drop(state);
                (job.work)();
                state = lock(&self.state);
                state.running = None;
                state.stuck = false;
                continue;
            }
            let (back, wait) = self
                .wake
                .wait_timeout(state, idle)
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            state = back;
            if wait.timed_out() && state.queue.is_empty() {
                drop(state);
                if lanes.retire(device, self) {
                    return;
                }
                state = lock(&self.state);
            }
        }
    }
}

/// All lanes of a guard. Lock order: the map, then a lane.
pub(super) struct Lanes {
    map: Mutex<HashMap<Device, Arc<Lane>>>,
    idle: Duration,
}

impl Lanes {
    pub(super) fn new(idle: Duration) -> Arc<Self> {
        Arc::new(Self { map: Mutex::default(), idle })
    }

    /// Fails when that filesystem is known not to answer.
    pub(super) fn check(&self, device: Device) -> Result<(), GuardError> {
        lock(&self.map).get(&device).map_or(Ok(()), |lane| lane.check())
    }

    /// Queues a job, with a thread to serve it. Outer error: unresponsive; inner: no thread.
    pub(super) fn submit(
        self: &Arc<Self>,
        device: Device,
        job: Job,
    ) -> Result<io::Result<Arc<Lane>>, GuardError> {
        let mut map = lock(&self.map);
        let lane = Arc::clone(map.entry(device).or_default());
        let mut state = lock(&lane.state);
        state.check()?;
        if !state.alive {
            let (own, lanes) = (Arc::clone(&lane), Arc::clone(self));
            let name = format!("mount {}:{}", device.0, device.1);
            let thread = std::thread::Builder::new()
                .name(name)
                .spawn(move || own.serve(lanes.idle, &lanes, device));
            if let Err(error) = thread {
                return Ok(Err(error));
            }
            state.alive = true;
        }
        state.queue.push_back(job);
        lane.wake.notify_one();
        drop(state);
        Ok(Ok(lane))
    }

    /// Lets an idle worker go, unless work came in meanwhile.
    fn retire(&self, device: Device, lane: &Lane) -> bool {
        let mut map = lock(&self.map);
        let mut state = lock(&lane.state);
        if !state.queue.is_empty() {
            return false;
        }
        state.alive = false;
        map.remove(&device);
        true
    }

    pub(super) fn unresponsive(&self) -> Vec<UnresponsiveMount> {
        let map = lock(&self.map);
        let mut stuck: Vec<UnresponsiveMount> = map
            .iter()
            .filter_map(|(&device, lane)| {
                let mut state = lock(&lane.state);
                state.check().err()?;
                let running = state.running.clone()?;
                Some(UnresponsiveMount {
                    mount_id: running.mount_id,
                    mount_point: running.mount_point,
                    device,
                    since: running.since,
                    op: running.op,
                })
            })
            .collect();
        stuck.sort_by(|a, b| a.mount_point.cmp(&b.mount_point));
        stuck
    }

    pub(super) fn threads(&self) -> usize {
        lock(&self.map).values().filter(|lane| lock(&lane.state).alive).count()
    }

    /// Ends the workers; one that is stuck ends when its call returns.
    pub(super) fn close(&self) {
        for lane in lock(&self.map).values() {
            lock(&lane.state).closed = true;
            lane.wake.notify_all();
        }
    }
}
