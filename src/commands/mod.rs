//! What each command of the command line does.

mod check;
mod demo;
mod discover;
pub mod helper;
mod list;
mod metrics;
pub mod permissions;
mod rules;
mod scan;
mod serve;
mod service_manager;
pub mod top;

use std::io::{IsTerminal, Write};
use std::path::Path;
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
        Command::Rules(args) => rules::run(&global, &args),
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

/// Name of this host.
fn host_name() -> String {
    sysinfo::System::host_name().unwrap_or_else(|| "localhost".into())
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("http")
        .enable_all()
        .build()
        .context("start the threads of the HTTP server")
}

/// Writes a file beside the old one and puts it in its place, so that nobody reads half of it.
fn replace(file: &Path, text: &str) -> anyhow::Result<()> {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || {
        std::fs::metadata(dir)?;
        let mut new = tempfile::Builder::new();
        // Without the name of the file that could not be made, which says nothing to anybody.
        let new = new.permissions(permissions()).tempfile_in(dir);
        let mut new = new.map_err(|error| std::io::Error::from(error.kind()))?;
        new.write_all(text.as_bytes())?;
        new.persist(file).map_err(|error| error.error)?;
        Ok::<_, std::io::Error>(())
    };
    write().with_context(|| format!("write {}", file.display()))
}

/// Prometheus runs as another user.
fn permissions() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    std::fs::Permissions::from_mode(0o644)
}
