//! The load line for the storage of a cluster's tasks.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    plimsoll::host::sys::bound_heaps();
    plimsoll::host::sys::resolve_names_without_modules();
    if let Some(code) = plimsoll::commands::helper::run_if_asked() {
        return code;
    }
    let args = plimsoll::cli::Args::parse();
    match plimsoll::commands::run(args) {
        Ok(code) => code,
        Err(error) => {
            // The chain of causes in one line: what, where, why.
            eprintln!("plimsoll: {error:#}");
            ExitCode::FAILURE
        }
    }
}
