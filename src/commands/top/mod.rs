//! `plimsoll top`: findings, volumes, sandboxes and filesystems, live in the terminal.
//!
//! Threads tell what happens (keys, pictures, signals) over one channel; this one keeps what is
//! known and chosen, and draws. The picture comes from a running daemon or, when none answers,
//! from an own look, as the one-shot commands do it.

mod columns;
mod data;
mod http;
mod screen;
mod source;
mod state;
mod terminal;
#[cfg(test)]
mod tests;
mod view;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use crossterm::event::{self, Event, KeyEventKind};
use rustix::process::{Signal, getpid, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::args::GlobalArgs;
use crate::cli::rows::ignore_broken_pipe;
use crate::cli::top::{TopArgs, View};
use crate::measure::usage::OnceProgress;
use crate::pipeline::now;

use super::list::{progress_bar, show};
use super::{configuration, runtime};
use screen::Known;
use source::{News, OwnLook, Source};
use state::{State, Wish};

pub use terminal::Terminal;

/// Where a daemon usually is.
const USUAL_URL: &str = "http://127.0.0.1:10061";
/// Rows of each table of `--once` when nobody says.
const ONCE_ROWS: usize = 10;
/// Ages on the screen are in seconds.
const TICK: Duration = Duration::from_secs(1);

/// What the loop waits for.
enum Message {
    News(News),
    Event(Event),
    /// A signal asks us to end: its number.
    Told(i32),
    /// A thread ended that should not.
    Died(&'static str),
}

/// Whether the command will fill the terminal, where a line of the log would be in the way.
pub(super) fn fills_the_terminal(args: &TopArgs) -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    !args.once && io::stdout().is_terminal() && !dumb
}

pub(super) fn run(global: &GlobalArgs, args: &TopArgs) -> anyhow::Result<ExitCode> {
    let runtime = runtime()?;
    let source = Source {
        daemon: match (&args.url, args.local) {
            (Some(url), _) => Some(url.clone()),
            (None, true) => None,
            (None, false) => Some(USUAL_URL.parse().map_err(|error: String| anyhow!(error))?),
        },
        // Of another host, or of a daemon somebody asked for, this command cannot speak.
        own: match args.url {
            Some(_) => None,
            None => Some(OwnLook { config: configuration(global)?.config, roots: global.roots() }),
        },
        handle: runtime.handle().clone(),
        daemon_seen: false,
    };
    let code = if fills_the_terminal(args) {
        live(source, args, runtime.handle())
    } else {
        once(source, args)
    };
    // An own look may still be under way; it holds nothing that must be written.
    runtime.shutdown_background();
    code
}

fn once(mut source: Source, args: &TopArgs) -> anyhow::Result<ExitCode> {
    let mut known = Known::default();
    let bar = progress_bar();
    let news = source.look(&mut |news| {
        if let News::Looking(inodes, subjects) = news {
            show(&bar, OnceProgress { inodes, subjects });
        }
    });
    bar.finish_and_clear();
    known.learn(news, now());
    if let Some((why, _)) = &known.trouble {
        bail!("{}", crate::text::escape(why));
    }
    let count = args.count.unwrap_or(ONCE_ROWS);
    let state = State::new(View::Findings, args.sort, args.reverse, Some(count));
    let views = args.view.map_or(View::ALL.to_vec(), |view| vec![view]);
    let stdout = io::stdout();
    let width = terminal_size::terminal_size_of(&stdout).map(|(width, _)| usize::from(width.0));
    let width = width.filter(|_| stdout.is_terminal());
    let text = screen::once(&known, &state, &views, width, now());
    ignore_broken_pipe(stdout.lock().write_all(text.as_bytes())).context("write the screen")?;
    Ok(ExitCode::SUCCESS)
}

fn live(
    source: Source,
    args: &TopArgs,
    handle: &tokio::runtime::Handle,
) -> anyhow::Result<ExitCode> {
    let (sender, messages) = channel();
    signals(&sender, handle)?;
    let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let terminal = Terminal::take(colour).context("take the terminal")?;
    let again = watch(source, args.interval, &sender)?;
    keys(&sender)?;
    let view = args.view.unwrap_or(View::Findings);
    let state = State::new(view, args.sort, args.reverse, args.count);
    let ended = converse(&terminal, state, &messages, &again);
    terminal.give_back();
    ended
}

/// Draws and waits, until somebody asks us to end.
fn converse(
    terminal: &Terminal,
    mut state: State,
    messages: &Receiver<Message>,
    again: &Sender<()>,
) -> anyhow::Result<ExitCode> {
    let mut known = Known::default();
    loop {
        let size = terminal.size().context("ask the terminal for its size")?;
        let lines = screen::draw(&known, &mut state, size, now());
        terminal.draw(&lines, size.0).context("write to the terminal")?;
        let until = Instant::now() + TICK;
        // All that is there already makes one new screen.
        let mut next = messages.recv_timeout(TICK);
        loop {
            match next {
                Ok(Message::News(news)) => known.learn(news, now()),
                Ok(Message::Event(Event::Key(key))) if key.kind != KeyEventKind::Release => {
                    match state.key(key, known.picture()) {
                        Wish::None => {}
                        Wish::Quit => return Ok(ExitCode::SUCCESS),
                        Wish::Look => drop(again.send(())),
                        Wish::Suspend => suspend(terminal)?,
                    }
                }
                // A resize: drawn anew.
                Ok(Message::Event(_)) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Message::Told(signal)) => {
                    return Ok(ExitCode::from(u8::try_from(128 + signal).unwrap_or(1)));
                }
                Ok(Message::Died(who)) => bail!("the thread that {who} ended"),
                Err(RecvTimeoutError::Disconnected) => bail!("every thread ended"),
            }
            if Instant::now() >= until {
                break;
            }
            match messages.try_recv() {
                Ok(message) => next = Ok(message),
                Err(_) => break,
            }
        }
    }
}

/// As the shell expects it of Ctrl-Z: the terminal as it was, then stop. SIGCONT goes on here.
fn suspend(terminal: &Terminal) -> anyhow::Result<()> {
    terminal.give_back();
    kill_process(getpid(), Signal::TSTP).context("stop")?;
    terminal.again().context("take the terminal again")
}

/// Tells the loop when its thread ends, by a panic too.
struct Life(Sender<Message>, &'static str);

impl Drop for Life {
    fn drop(&mut self) {
        let _ = self.0.send(Message::Died(self.1));
    }
}

/// Looks again and again on a thread of its own; what is returned asks for a look at once.
fn watch(
    source: Source,
    interval: Duration,
    sender: &Sender<Message>,
) -> anyhow::Result<Sender<()>> {
    let (again, asked) = channel();
    let sender = sender.clone();
    std::thread::Builder::new()
        .name("look".into())
        .spawn(move || {
            let life = Life(sender, "looks");
            source.run(interval, &mut |news| life.0.send(Message::News(news)).is_ok(), &asked);
        })
        .context("start a thread")?;
    Ok(again)
}

fn keys(sender: &Sender<Message>) -> anyhow::Result<()> {
    let sender = sender.clone();
    std::thread::Builder::new()
        .name("keys".into())
        .spawn(move || {
            let life = Life(sender, "reads the keys");
            while let Ok(event) = event::read() {
                if life.0.send(Message::Event(event)).is_err() {
                    return;
                }
            }
        })
        .context("start a thread")?;
    Ok(())
}

fn signals(sender: &Sender<Message>, handle: &tokio::runtime::Handle) -> anyhow::Result<()> {
    let _guard = handle.enter();
    for kind in
        [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup(), SignalKind::quit()]
    {
        let mut signals = signal(kind).context("handle signals")?;
        let sender = sender.clone();
        handle.spawn(async move {
            if signals.recv().await.is_some() {
                let _ = sender.send(Message::Told(kind.as_raw_value()));
            }
        });
    }
    Ok(())
}
