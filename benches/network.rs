//! CPU of one round over many NFS mounts: `cargo bench --bench network -- 500`.
//!
//! The files of `/proc` are made up, so that no server is needed: what the kernel itself spends to
//! write them is not in these figures.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use plimsoll::host::{Guard, Roots};
use plimsoll::measure::network::NetworkMeter;
use plimsoll::model::Inventory;

/// Operations of each mount that occurred, and that never did.
const USED: usize = 50;
const UNUSED: usize = 22;
const ROUNDS: u32 = 50;

fn main() {
    let counts: Vec<usize> = std::env::args().filter_map(|text| text.parse().ok()).collect();
    let counts = if counts.is_empty() { vec![50, 500] } else { counts };
    println!("mounts  mountstats bytes  CPU ms of a round");
    for mounts in counts {
        round(mounts);
    }
}

fn round(mounts: usize) {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir_all(dir.path().join("self")).expect("make");
    let mut table = String::from("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n");
    let mut stats = String::new();
    for mount in 0..mounts {
        let (id, minor) = (mount + 2, mount + 100);
        let _ = writeln!(
            table,
            "{id} 1 0:{minor} / /mnt/{mount} rw - nfs4 filer:/vol/{mount} rw,vers=4.2,proto=tcp,addr=10.0.0.5"
        );
        let _ = writeln!(
            stats,
            "device filer:/vol/{mount} mounted on /mnt/{mount} with fstype nfs4 statvers=1.1\n\
             \topts:\trw,vers=4.2,rsize=1048576,wsize=1048576,namlen=255,hard,proto=tcp\n\
             \tage:\t86400\n\tcaps:\tcaps=0x3fffdf\n\tsec:\tflavor=1\n\tevents:\t1 2 3\n\
             \tbytes:\t1 2 3 4 5 6 7 8\n\tRPC iostats version: 1.1  p/v: 100003/4 (nfs)\n\
             \txprt:\ttcp 832 1 1 0 11 6428 6428 0 12154 0 24 26 5726\n\tper-op statistics"
        );
        for operation in 0..USED + UNUSED {
            let n = if operation < USED { mount * 1000 + operation + 1 } else { 0 };
            let name = if operation == 0 { "READ".to_owned() } else { format!("OP_{operation}") };
            let _ = writeln!(
                stats,
                "\t{name:>12}: {n} {n} 0 {} {} {n} {} {} 0",
                n * 200,
                n * 90,
                n * 3,
                n * 4
            );
        }
        stats.push('\n');
    }
    std::fs::write(dir.path().join("self/mountinfo"), &table).expect("write");
    std::fs::write(dir.path().join("self/mountstats"), &stats).expect("write");
    let roots = Roots { procfs: dir.path().into(), ..Roots::default() };
    let guard = Guard::new(roots, Duration::from_secs(5));
    // As if the filesystems' thread had asked them all.
    let answered: HashMap<_, _> =
        (0..mounts).map(|mount| ((0, mount as u32 + 100), true)).collect();
    let mut meter = NetworkMeter::default();
    let inventory = Inventory::default();
    assert_eq!(meter.measure(&guard, &inventory, &answered).filesystems.len(), mounts);
    let before = cpu();
    for _ in 0..ROUNDS {
        std::hint::black_box(meter.measure(&guard, &inventory, &answered));
    }
    let millis = (cpu() - before) * 1000.0 / f64::from(ROUNDS);
    println!("{mounts:>6}  {:>16}  {millis:>17.2}", stats.len());
}

/// Seconds of CPU this process used.
fn cpu() -> f64 {
    let clock = rustix::time::ClockId::ProcessCPUTime;
    let time = rustix::time::clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
