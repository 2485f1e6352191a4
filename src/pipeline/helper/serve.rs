//! The helper's own side: what `plimsoll helper` does.

use std::convert::Infallible;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
use rustix::thread::{
    CapabilitySet, capabilities, clear_ambient_capability_set, set_capabilities, set_name,
    set_no_new_privs,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::located::Sent;
use super::wire::{Question, receive, send};
use crate::discover::mesos::locate::locate;
use crate::host::{Roots, sys};
use crate::measure::open_files::{Request, look, own_pid};
use crate::measure::tmpfs::{Used, used};

/// Answers until the daemon ends. To be called first thing in a program, with the sockets of the
/// daemon as standard input and output.
///
/// # Errors
/// When it is not started by a daemon, or cannot give away what it does not need.
pub fn serve(roots: &Roots) -> io::Result<Infallible> {
    // Before anything is opened here. A filter of system calls may deny it, as most of what follows:
    // then what the service manager left is what there is.
    let _ = sys::close_inherited();
    let socket = |fd: io::Result<std::os::fd::OwnedFd>| -> io::Result<UnixStream> {
        let socket = UnixStream::from(fd?);
        socket.peer_addr().map_err(|_| io::Error::other("this is started by plimsoll serve"))?;
        Ok(socket)
    };
    let open_files = socket(io::stdin().as_fd().try_clone_to_owned())?;
    let others = socket(io::stdout().as_fd().try_clone_to_owned())?;
    give_away()?;
    let of_files = roots.clone();
    std::thread::Builder::new().name("open-files".into()).spawn(move || {
        answer(open_files, move |mut request: Request| {
            // What is read is settled at the start, whoever asks.
            request.procfs = of_files.procfs.clone().into();
            request.mountinfo = of_files.mountinfo().into();
            request.ignore.extend(own_pid(&of_files.procfs));
            look(&request)
        });
    })?;
    answer(others, |question| match question {
        Question::Agent => Found::Agent(locate(roots).into()),
        Question::Memory(spots) => {
            Found::Memory(spots.iter().map(|spot| used(&roots.procfs, spot)).collect())
        }
    })
}

/// The answer to a [`Question`], as whoever asked it expects it.
#[derive(Serialize)]
#[serde(untagged)]
enum Found {
    Agent(Sent),
    Memory(Vec<Used>),
}

/// Ends the process when the daemon has ended, or with the first question that it cannot answer:
/// an answer that never comes would look like a hang.
fn answer<Q: DeserializeOwned, A: Serialize>(mut line: UnixStream, answer: impl Fn(Q) -> A) -> ! {
    let end = catch_unwind(AssertUnwindSafe(|| -> io::Result<()> {
        while let Some(question) = receive(&mut line)? {
            send(&mut line, &answer(question))?;
        }
        Ok(())
    }));
    std::process::exit(if matches!(end, Ok(Ok(()))) { 0 } else { 1 })
}

/// Gives away what is not needed, as far as a filter of system calls lets it.
fn give_away() -> io::Result<()> {
    // Nothing that is mounted is held by a process that only stands there.
    std::env::set_current_dir("/")?;
    set_no_new_privs(true)?;
    // Started as /proc/self/exe, it would be called "exe".
    set_name(c"plimsoll-helper")?;
    for resource in [Resource::Fsize, Resource::Core] {
        let _ = setrlimit(resource, Rlimit { current: Some(0), maximum: Some(0) });
    }
    let mut held = capabilities(None)?;
    // Without CAP_SYS_PTRACE only those processes can be looked into that have no capability that
    // this one lacks: then none is given away.
    if held.effective.contains(CapabilitySet::SYS_PTRACE) {
        let mut needed = CapabilitySet::SYS_PTRACE | CapabilitySet::DAC_READ_SEARCH;
        if !held.effective.contains(CapabilitySet::DAC_READ_SEARCH) {
            needed |= CapabilitySet::DAC_OVERRIDE;
        }
        held.effective &= needed;
        held.permitted &= needed;
        held.inheritable = CapabilitySet::empty();
        let _ = clear_ambient_capability_set();
        let _ = set_capabilities(None, held);
    }
    // After the capabilities: a change of them may clear it. Should the daemon be gone already, its
    // ends of the sockets are closed.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    Ok(())
}
