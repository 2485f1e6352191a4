//! Writes what the packages hold beside the program: man pages and shell completions from the
//! definition of the command line, and the licences of all that is linked into it.
//!
//! `cargo run --example packaging -- manuals DIR` writes `plimsoll.1`, `plimsoll-serve.1`, …
//! `cargo run --example packaging -- completions DIR` writes `plimsoll.bash`, `_plimsoll` (zsh) and
//! `plimsoll.fish`; `cargo metadata … | cargo run --example packaging -- copyright` writes the
//! machine-readable copyright file (DEP-5) to standard output.
//!
//! An example, so that the program itself needs no library for it.

mod copyright;

use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;
use plimsoll::cli::Args;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["manuals", directory] => manuals(Path::new(directory)),
        ["completions", directory] => completions(Path::new(directory)),
        ["copyright"] => copyright::write(std::io::stdin().lock(), std::io::stdout().lock()),
        _ => Err(std::io::Error::other("manuals DIR, completions DIR or copyright")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("packaging: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A page for the program and one for each command.
fn manuals(directory: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    // The short version: revision and compiler would make each build's page another.
    let command = Args::command().version(env!("CARGO_PKG_VERSION"));
    clap_mangen::generate_to(command, directory)
}

fn completions(directory: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Args::command(), "plimsoll", directory)?;
    }
    Ok(())
}
