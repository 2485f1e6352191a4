//! One full pass of everything.

use super::process::{self, Cost, installed, median, peak_memory, system_calls};
use super::tree::{SUBJECTS, Tree};

struct Contender {
    name: &'static str,
    /// Commands that together measure everything once.
    commands: Vec<Vec<String>>,
    costs: Vec<Cost>,
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

fn contenders(tree: &Tree) -> Vec<Contender> {
    let root = tree.root().display().to_string();
    let subjects: Vec<String> = tree.subjects.iter().map(|p| p.display().to_string()).collect();
    let plimsoll = env!("CARGO_BIN_EXE_plimsoll");
    let on_root = |line: &str| vec![[words(line), vec![root.clone()]].concat()];
    let scan = |threads: u32, paths: &[String]| {
        let line = format!("{plimsoll} scan --no-headers -o csv --threads {threads}");
        vec![[words(&line), paths.to_vec()].concat()]
    };
    let all: Vec<(&'static str, Vec<Vec<String>>)> = vec![
        ("du -s", on_root("du -s -B1")),
        ("plimsoll scan --threads 1", scan(1, std::slice::from_ref(&root))),
        ("plimsoll scan --threads 2", scan(2, std::slice::from_ref(&root))),
        ("diskus", on_root("diskus")),
        ("pdu --max-depth 1", on_root("pdu --max-depth=1")),
        ("dua aggregate", on_root("dua aggregate")),
        (
            "du -s, one a subject",
            subjects.iter().map(|path| words(&format!("du -s -B1 {path}"))).collect(),
        ),
        ("plimsoll scan SUBJECT…, 1 thread", scan(1, &subjects)),
        ("plimsoll scan SUBJECT…, 2 threads", scan(2, &subjects)),
    ];
    all.into_iter()
        .filter(|(name, commands)| {
            let there = commands[0][0].contains('/') || installed(&commands[0][0]);
            if !there {
                println!("skipped: {name}: not installed");
            }
            there
        })
        .map(|(name, commands)| Contender { name, commands, costs: Vec::new() })
        .collect()
}

fn check(tree: &Tree) {
    use plimsoll::measure::usage::{Progress, Walk};
    let du =
        |path: &std::path::Path| process::run(&[words(&format!("du -s -B1 {}", path.display()))]).1;
    let mut walk = Walk::new(tree.root(), &[], &[]);
    let ours = loop {
        match walk.advance(100_000) {
            Progress::More => {}
            Progress::Done(totals) => break totals,
            Progress::Failed(error) => panic!("{error}"),
        }
    };
    // du prints the path behind the number; only its first number is taken.
    assert_eq!(ours.used_bytes, du(tree.root()), "the walk must equal du");
    assert_eq!(ours.files as usize, tree.inodes());
}

pub fn run(tree: &Tree, rounds: usize) {
    check(tree);
    let mut all = contenders(tree);
    // One round more: the first only warms the caches.
    for round in 0..=rounds {
        for contender in &mut all {
            let (cost, _) = process::run(&contender.commands);
            if round > 0 {
                contender.costs.push(cost);
            }
        }
    }
    let of = |c: &Contender, pick: fn(&Cost) -> f64| median(c.costs.iter().map(pick).collect());
    let cpu = |c: &Contender| of(c, |cost| cost.cpu);
    let wall = |c: &Contender| of(c, |cost| cost.wall);
    let base = (cpu(&all[0]), wall(&all[0]));
    println!(
        "\n{} files in {SUBJECTS} subjects, {} inodes, median of {rounds} rounds",
        tree.files,
        tree.inodes()
    );
    println!(
        "{:<36} {:>8} {:>6} {:>8} {:>6} {:>9} {:>12}",
        "", "CPU s", "to du", "wall s", "to du", "µs/inode", "system calls"
    );
    for contender in &all {
        let (cpu, wall) = (cpu(contender), wall(contender));
        let calls = system_calls(&contender.commands).map_or("-".into(), |n| n.to_string());
        println!(
            "{:<36} {cpu:>8.3} {:>6.2} {wall:>8.3} {:>6.2} {:>9.2} {calls:>12}",
            contender.name,
            cpu / base.0,
            wall / base.1,
            cpu * 1e6 / tree.inodes() as f64,
        );
    }
    let named = |name: &str| all.iter().find(|c| c.name.starts_with(name)).map(cpu);
    for (ours, theirs) in [
        ("plimsoll scan --threads 2", "du -s"),
        ("plimsoll scan SUBJECT…, 2", "du -s, one a subject"),
        ("plimsoll scan --threads 2", "diskus"),
        ("plimsoll scan --threads 2", "pdu"),
        ("plimsoll scan --threads 2", "dua"),
    ] {
        if let (Some(a), Some(b)) = (named(ours), named(theirs)) {
            println!("CPU of {ours} / {theirs}: {:.2}", a / b);
        }
    }
    if let Some(bytes) =
        all.iter().find(|c| c.name.contains("threads 2")).and_then(|c| peak_memory(&c.commands[0]))
    {
        println!("most resident memory of scan --threads 2: {:.1} MB", bytes as f64 / 1e6);
    }
}
