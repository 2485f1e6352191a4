//! Where the picture comes from: a daemon, or this command's own look.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::cli::DaemonUrl;
use crate::config::Config;
use crate::expose::api::Resource;
use crate::host::Roots;
use crate::measure::usage::usual_threads;
use crate::pipeline::once;

use super::data::Picture;
use super::http;

/// An own look may take this part of the time, so that a large host is not walked without a break.
const OWN_SHARE: f64 = 0.1;
/// How often an own look tells how far it is.
const PROGRESS: Duration = Duration::from_millis(200);

/// Who made the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The daemon at that address.
    Daemon(String),
    /// This command; with what it heard of the daemon it asked first, if it asked one.
    Own(Option<String>),
}

/// News for the screen.
#[derive(Debug)]
pub enum News {
    /// A picture.
    Picture(Box<Picture>, Origin),
    /// None this time: why.
    Trouble(String),
    /// An own look goes on: inodes and subjects so far.
    Looking(u64, usize),
}

/// What is needed for an own look.
pub struct OwnLook {
    /// Configuration of this host.
    pub config: Config,
    /// Its roots.
    pub roots: Roots,
}

/// Makes pictures.
pub struct Source {
    /// Asked first.
    pub daemon: Option<DaemonUrl>,
    /// Done when the daemon never answered; absent when only that daemon is wanted.
    pub own: Option<OwnLook>,
    /// Of the runtime.
    pub handle: Handle,
    /// It answered before: from then on it is waited for.
    pub daemon_seen: bool,
}

impl Source {
    /// One picture, or why there is none.
    pub fn look(&mut self, tell: &mut dyn FnMut(News)) -> News {
        let mut heard = None;
        if let Some(url) = &self.daemon {
            match self.handle.block_on(http::fetch(url)) {
                Ok(picture) => {
                    self.daemon_seen = true;
                    return News::Picture(Box::new(picture), Origin::Daemon(url.to_string()));
                }
                Err(error) if self.daemon_seen || self.own.is_none() => {
                    return News::Trouble(format!("{url}: {error}"));
                }
                Err(error) => heard = Some(format!("{url}: {error}")),
            }
        }
        let Some(own) = &self.own else { return News::Trouble("nothing to look at".into()) };
        match own.look(&self.handle, tell) {
            Ok(picture) => News::Picture(Box::new(picture), Origin::Own(heard)),
            Err(error) => News::Trouble(error),
        }
    }

    /// Looks again and again until nobody listens (`tell` says false). `again` asks for a look at
    /// once.
    pub fn run(
        mut self,
        interval: Duration,
        tell: &mut dyn FnMut(News) -> bool,
        again: &Receiver<()>,
    ) {
        loop {
            let started = Instant::now();
            let told = self.look(&mut |progress| {
                tell(progress);
            });
            let own = matches!(told, News::Picture(_, Origin::Own(_)));
            if !tell(told) {
                return;
            }
            let took = started.elapsed();
            let pause = if own {
                interval.max(took.mul_f64(1.0 / OWN_SHARE - 1.0))
            } else {
                interval.saturating_sub(took)
            };
            if again.recv_timeout(pause) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
            while again.try_recv().is_ok() {}
        }
    }
}

impl OwnLook {
    fn look(&self, handle: &Handle, tell: &mut dyn FnMut(News)) -> Result<Picture, String> {
        let threads = usual_threads();
        let mut told = Instant::now();
        let snapshot = once::snapshot_with(&self.config, &self.roots, handle, threads, |done| {
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                tell(News::Looking(done.inodes, done.subjects));
            }
        });
        let mut bodies: [Vec<u8>; 5] = Default::default();
        for (body, resource) in bodies.iter_mut().zip(Picture::RESOURCES) {
            *body = Resource::render(resource, &snapshot).map_err(|error| error.to_string())?;
        }
        Picture::parse(snapshot.taken_at, &bodies)
    }
}
