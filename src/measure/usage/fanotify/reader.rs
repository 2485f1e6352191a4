//! The thread that keeps the kernel's queues from overflowing between two refreshes.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::read;

use super::Watch;
use crate::host::sys::thread_cpu_seconds;
use crate::measure::usage::budget::Bucket;
use crate::measure::usage::meter::lock;

/// How long events gather in the queue, where those of one file become one.
const GATHER: Duration = Duration::from_millis(100);
/// Longest rest once the budget is spent. The queue may overflow then, which is known.
const LONGEST_REST: Duration = Duration::from_secs(60);

pub(super) fn run(watch: &Watch, cpu_budget: f64) {
    let mut bucket = Bucket::new(cpu_budget, Instant::now());
    let mut before = thread_cpu_seconds();
    while !watch.stop.load(Ordering::Acquire) {
        wait(watch);
        // Emptied, so that it can wake again.
        let _ = read(&watch.wake, &mut [0_u8; 8][..]);
        if watch.stop.load(Ordering::Acquire) {
            return;
        }
        rest(watch, GATHER);
        for group in lock(&watch.groups).values_mut() {
            group.drain();
        }
        let cpu = thread_cpu_seconds();
        watch.reader_cpu.fetch_add(((cpu - before) * 1e9) as u64, Ordering::Relaxed);
        bucket.take(cpu - before);
        before = cpu;
        bucket.fill(Instant::now());
        if !bucket.open() {
            rest(watch, bucket.wait().min(LONGEST_REST));
        }
    }
}

/// Until there is something in a queue, or until woken.
fn wait(watch: &Watch) {
    let fds: Vec<Arc<OwnedFd>> =
        lock(&watch.groups).values().filter_map(|group| group.fd.clone()).collect();
    let mut polled = vec![PollFd::new(&watch.wake, PollFlags::IN)];
    polled.extend(fds.iter().map(|fd| PollFd::new(fd, PollFlags::IN)));
    // Interrupted: looks in vain, once.
    let _ = poll(&mut polled, None);
}

/// Sleeps, in steps short enough to end soon.
fn rest(watch: &Watch, time: Duration) {
    let until = Instant::now() + time;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        if watch.stop.load(Ordering::Acquire) {
            return;
        }
        std::thread::sleep(left.min(GATHER));
    }
}
