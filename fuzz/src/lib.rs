//! What the fuzz targets do with their input: each function reads bytes as the host or a stranger
//! may send them, and asserts what must hold whatever they are.
//!
//! `fuzz_targets/` hands them what libFuzzer makes up; `tests/fuzz_corpus.rs` of the main crate
//! hands the same functions the kept corpus, with nothing but a stable compiler.

mod agent;
mod cgroup;
mod checkpoint;
mod config;
mod devices;
mod docker;
mod fanotify;
mod groups;
mod growth;
mod limiter;
mod master;
mod mounts;
mod network;
mod page;
mod proc;
mod state;
mod targets;
mod text;
mod walker;
mod web;

/// One target.
pub type Target = fn(&[u8]);

/// Every target by name, which is also that of its corpus and of its program.
pub const TARGETS: [(&str, Target); 20] = [
    ("agent", agent::run),
    ("cgroup", cgroup::run),
    ("checkpoint", checkpoint::run),
    ("config", config::run),
    ("devices", devices::run),
    ("docker", docker::run),
    ("fanotify", fanotify::run),
    ("groups", groups::run),
    ("growth", growth::run),
    ("limiter", limiter::run),
    ("master", master::run),
    ("mounts", mounts::run),
    ("network", network::run),
    ("page", page::run),
    ("proc", proc::run),
    ("state", state::run),
    ("targets", targets::run),
    ("text", text::run),
    ("walker", walker::run),
    ("web", web::run),
];

/// Runs one target by name.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a known target");
    target(data);
}

/// Takes an input apart as a sequence of choices; past its end everything is 0.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    fn u64(&mut self) -> u64 {
        u64::from(self.u32()) << 32 | u64::from(self.u32())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
