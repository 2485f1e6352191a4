//! A process beside the daemon that looks into other processes, which Landlock keeps the daemon
//! from: who holds files open, how full the memory mounted into containers is, and where the agent
//! runs and listens.
//!
//! It is started before the daemon bounds itself, from the same program (`plimsoll helper`), with
//! an empty environment; it gives away every capability but the two it needs, may write no file,
//! reads only below the roots of its command line, and ends with the daemon. It cannot be started
//! again, for what a bounded daemon starts is bounded as well: when it ends, what it knew stays
//! unknown until the daemon is restarted, and that is told.

mod located;
mod serve;
mod wire;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::discover::mesos::locate::Located;
use crate::host::Roots;
use crate::measure::open_files::{Answer, Request};
use crate::measure::tmpfs::{Spot, Used};
use crate::model::SourceError;

pub use serve::serve;

use located::Sent;
use wire::{Line, Question, Unanswered};

/// The word that makes the program the helper; its arguments are the roots of procfs, sysfs and
/// the host.
pub const COMMAND: &str = "helper";
/// How long finding the agent, or looking at memory, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The daemon's end.
#[derive(Debug)]
pub struct Helper {
    open_files: Mutex<Line>,
    /// Whatever is answered at once.
    others: Mutex<Line>,
    /// What was found of the agent last.
    last: Mutex<Option<Located>>,
    process: Mutex<Child>,
    told: AtomicBool,
}

impl Helper {
    /// Starts it. To be called while there is one thread, which must live as long as the process.
    ///
    /// # Errors
    /// When there is no further process to be had.
    pub fn start(roots: &Roots) -> io::Result<Self> {
        Self::start_program(Path::new("/proc/self/exe"), roots)
    }

    fn start_program(program: &Path, roots: &Roots) -> io::Result<Self> {
        let (open_files, theirs) = UnixStream::pair()?;
        let (others, theirs_too) = UnixStream::pair()?;
        let process = Command::new(program)
            .arg0("plimsoll")
            .arg(COMMAND)
            .args([&roots.procfs, &roots.sysfs, &roots.rootfs])
            .env_clear()
            // A key that ends the daemon in its terminal must not end this before it.
            .process_group(0)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(OwnedFd::from(theirs_too)))
            .spawn()?;
        Ok(Self {
            open_files: Mutex::new(Line::new(open_files)),
            others: Mutex::new(Line::new(others)),
            last: Mutex::default(),
            process: Mutex::new(process),
            told: AtomicBool::new(false),
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        lock(&self.process).id()
    }

    /// Who holds files open.
    ///
    /// # Errors
    /// Why that is not known, in one line.
    pub fn look(&self, request: &Request, limit: Duration) -> Result<Answer, String> {
        let procfs = Path::new(&request.procfs).display().to_string();
        lock(&self.open_files).ask(request, limit).map_err(|why| match why {
            Unanswered::Late => format!("looking through {procfs} did not end within {limit:?}"),
            Unanswered::Ended(why) => self.gone(&why),
        })
    }

    /// Where the agent is. Where that cannot be known any more, what was known last, with an error.
    pub fn locate(&self) -> Located {
        let (reason, message) = match lock(&self.others).ask::<Sent>(&Question::Agent, PATIENCE) {
            Ok(sent) => {
                let located = Located::from(sent);
                *lock(&self.last) = Some(located.clone());
                return located;
            }
            Err(Unanswered::Late) => {
                ("timeout", format!("looking for the agent did not end within {PATIENCE:?}"))
            }
            Err(Unanswered::Ended(why)) => ("missing", self.gone(&why)),
        };
        let mut located = lock(&self.last).clone().unwrap_or_default();
        let hint = "restart Plimsoll, or set mesos.work_dir and mesos.agent_url".to_owned();
        located.errors.push(SourceError { reason, message, hint });
        located
    }

    /// How full the memory mounted at these places is, in their order.
    ///
    /// # Errors
    /// Why that is not known, in one line.
    pub fn memory(&self, spots: Vec<Spot>) -> Result<Vec<Used>, String> {
        let answer = lock(&self.others).ask(&Question::Memory(spots), PATIENCE);
        answer.map_err(|why| match why {
            Unanswered::Late => format!("looking into containers did not end within {PATIENCE:?}"),
            Unanswered::Ended(why) => self.gone(&why),
        })
    }

    /// It has ended, which is logged once.
    fn gone(&self, why: &str) -> String {
        let status = lock(&self.process).try_wait().ok().flatten();
        let status = status.map_or_else(|| why.to_owned(), |status| status.to_string());
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::error!(
                status,
                "The process that looks into other processes has ended: who holds files open, how \
                 full containers' memory is, and where an agent starts anew, is not known until Plimsoll is restarted"
            );
        }
        format!(
            "the process that looks into other processes has ended ({status}), and none can be \
             started under Landlock: restart Plimsoll"
        )
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic left behind is at worst a line that answers no more.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
