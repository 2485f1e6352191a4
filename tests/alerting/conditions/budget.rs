//! A budget that is too small for what there is.

use std::fs;

use super::{make, notice, told};

pub const LATE: [&str; 1] = ["measurements_overdue"];

/// Files of one directory, and how many of them may be looked at in a second.
const FILES: usize = 20_000;
const BUDGET: usize = 100;

#[test]
fn measurements_that_never_end_are_told_until_they_may() {
    let dir = tempfile::tempdir().expect("a directory");
    let many = dir.path().join("many");
    make(&many);
    for number in 0..FILES {
        fs::write(many.join(number.to_string()), b"").expect("write");
    }
    let config = dir.path().join("plimsoll.yml");
    let text = format!(
        "mesos: {{enabled: false}}\ndocker: {{enabled: false}}\ndirectories: [{{path: {}}}]\n\
         conditions: {{measurements_overdue: 2}}\nusage:\n  max_age: 1s\n  syscall_budget: {BUDGET}\n",
        many.display()
    );
    fs::write(&config, text).expect("write");
    let state = tempfile::tempdir().expect("a directory");
    notice(&config, &[], state.path(), &LATE);
    let telling = told(&config, &[], state.path(), &LATE);

    let text = fs::read_to_string(&telling.config).expect("read");
    let enough = text
        .replace("max_age: 1s", "max_age: 1h")
        .replace(&format!("syscall_budget: {BUDGET}"), "cpu_budget: 0.5");
    fs::write(&telling.config, enough).expect("write");
    telling.daemon.signal("HUP");
    telling.tells_the_end_of(LATE[0]);
}
