//! What measuring usage costs, against the tools people use for it now.
//!
//! ```text
//! cargo bench --bench usage -- full 10000 100000          # one pass; 1000000 if asked for
//! cargo bench --bench usage -- steady 100000 --minutes 2  # 1 % of the files change a minute
//! cargo bench --bench usage -- steady-any 100000          # the same, other ones each minute
//! cargo bench --bench usage -- told told-any 100000       # both with fanotify; needs root
//! ```
//!
//! `--budget 0.006` gives the meter another part of a core than its default of 0.01.
//!
//! `full` runs all contenders in turn, again and again, so that a busy machine slows all of them
//! alike, and prints medians: CPU time (user and system, from `getrusage`), wall time, and system
//! calls counted by `strace` in a run of their own. Caches are warm. `--rounds N` sets how often.
//! Contenders that are not installed are named as skipped; to have them all:
//!
//! ```text
//! cargo install --root DIR diskus parallel-disk-usage dua-cli   # then DIR/bin in PATH
//! ```
//!
//! Files lie in 500 subjects below the build directory and are removed afterwards. A million takes
//! about 5 GB and two million inodes' worth of time; nothing makes them unasked.
#![allow(missing_docs)]

mod full;
mod process;
mod steady;
mod tree;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut what = Vec::new();
    let mut sizes = Vec::new();
    let (mut rounds, mut minutes, mut budget) = (7, 2.0, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|text| text.parse::<f64>().ok());
        match arg.as_str() {
            "full" | "steady" | "steady-any" | "told" | "told-any" => what.push(arg),
            "--rounds" => rounds = number().map_or(rounds, |n| n as usize),
            "--budget" => budget = number(),
            "--minutes" => minutes = number().unwrap_or(minutes),
            // What cargo passes to every benchmark.
            "--bench" => {}
            other => match other.parse::<usize>() {
                Ok(files) => sizes.push(files),
                Err(_) => {
                    eprintln!(
                        "unknown argument {other}: full | steady | steady-any | told | told-any, FILES, \
                         --rounds, --minutes, --budget"
                    );
                    return ExitCode::FAILURE;
                }
            },
        }
    }
    if sizes.is_empty() {
        sizes = vec![10_000, 100_000];
    }
    if what.is_empty() {
        what.push("full".into());
    }
    let options = |load, told| steady::Options { minutes, load, told, budget };
    for &files in &sizes {
        let tree = tree::Tree::make(files);
        for name in &what {
            match name.as_str() {
                "full" => full::run(&tree, rounds.max(1)),
                "steady" => steady::run(&tree, &options(steady::Load::Set, false)),
                "told" => steady::run(&tree, &options(steady::Load::Set, true)),
                "steady-any" => steady::run(&tree, &options(steady::Load::Any, false)),
                _ => steady::run(&tree, &options(steady::Load::Any, true)),
            }
        }
    }
    ExitCode::SUCCESS
}
