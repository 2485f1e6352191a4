//! What each command of the command line does.

mod check;
mod demo;
mod discover;
mod list;
mod metrics;
pub mod permissions;
mod scan;
mod serve;
mod service_manager;
pub mod top;

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Context;

use crate::cli::args::GlobalArgs;
use crate::cli::{Args, Command, logging};
use crate::config::{Config, Loaded};

/// Runs the command. An error is for the person at the terminal.
///
/// # Errors
/// Whatever kept the command from doing its work, with what, where and why.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { global, command } = args;
    // A line of the log would tear the picture; what fails is a finding, and on the screen.
    let quiet = matches!(&command, Command::Top(args)
        if top::fills_the_terminal(args) && std::io::stderr().is_terminal());
    if !quiet {
        logging::init(global.log_level, global.log_format).context("start logging")?;
    }
    match command {
        Command::Serve(args) => serve::run(&global, &args),
        Command::Demo(args) => demo::run(&global, &args),
        Command::Volumes(args) => list::volumes(&global, &args),
        Command::Sandboxes(args) => list::sandboxes(&global, &args),
        Command::Orphans(args) => list::orphans(&global, &args),
        Command::Top(args) => top::run(&global, &args),
        Command::Scan(args) => scan::run(&global, &args),
        Command::Check(args) => check::run(&global, &args),
        Command::Discover(args) => discover::run(&global, &args),
        Command::Metrics(args) => metrics::run(&args),
    }
}

/// The configuration: file, then environment.
fn configuration(global: &GlobalArgs) -> anyhow::Result<Loaded> {
    let loaded = Config::load(global.config_file.as_deref(), std::env::vars_os())?;
    for warning in &loaded.warnings {
        tracing::warn!(warning, "Configuration");
    }
    Ok(loaded)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("http")
        .enable_all()
        .build()
        .context("start the threads of the HTTP server")
}
