//! The kept corpus of the fuzz targets, and small changes to each of its inputs, through the same
//! functions: with the compiler of every other test, where libFuzzer cannot be built.
#![allow(missing_docs)]

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// Changed copies of each input.
const CHANGED: u64 = 24;
/// The walker's inputs each make a directory: fewer of those.
const CHANGED_TREES: u64 = 2;

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

fn inputs(target: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(corpus().join(target)).expect("each target has a corpus");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_target_has_a_corpus_and_a_program() {
    let names = |folder: &str| -> BTreeSet<String> {
        let folder = corpus().parent().expect("fuzz").join(folder);
        let entries = fs::read_dir(folder).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").path());
        names.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect()
    };
    let known: BTreeSet<String> =
        fuzz::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("corpus"), known);
    assert_eq!(names("fuzz_targets"), known);
    for (name, _) in fuzz::TARGETS {
        assert!(!inputs(name).is_empty(), "{name}");
    }
}

#[test]
fn nothing_in_the_corpus_breaks_what_must_hold() {
    let mut broken = Vec::new();
    for (name, _) in fuzz::TARGETS {
        for path in inputs(name) {
            let input = fs::read(&path).expect("an input");
            let changed = if name == "walker" { CHANGED_TREES } else { CHANGED };
            for number in 0..=changed {
                let input = change(&input, number);
                if catch_unwind(AssertUnwindSafe(|| fuzz::run(name, &input))).is_err() {
                    broken.push(format!(
                        "{} changed {number}: {}",
                        path.display(),
                        input.escape_ascii()
                    ));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// The input as it is, or with a few changes: the same ones each time.
fn change(input: &[u8], number: u64) -> Vec<u8> {
    let mut bytes = input.to_vec();
    let mut seed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ input.len() as u64 | 1;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 16) as usize % below.max(1)
    };
    for _ in 0..number.min(6) {
        let at = random(bytes.len());
        match random(6) {
            _ if bytes.is_empty() => bytes.push(random(256) as u8),
            0 => bytes.truncate(at),
            1 => bytes[at] = random(256) as u8,
            2 => bytes.insert(at, b"0 -9\"\\{:=\n\0\xff"[random(12)]),
            3 => drop(bytes.remove(at)),
            4 => {
                let end = (at + 1 + random(40)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => drop(bytes.drain(at..(at + 1 + random(12)).min(bytes.len()))),
        }
    }
    bytes
}
