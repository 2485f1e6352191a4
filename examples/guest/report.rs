//! What was checked.

/// Counts checks and prints those that fail.
#[derive(Default)]
pub struct Report {
    /// Named beside each check: a filesystem, a device.
    pub name: String,
    checks: u32,
    failed: u32,
}

impl Report {
    /// Checks that two values are the same.
    pub fn equal<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, found: T, expected: T) {
        self.holds(what, found == expected, || format!("{found:?}, expected {expected:?}"));
    }

    /// Checks that something is so; `found` says what is instead.
    pub fn holds(&mut self, what: &str, so: bool, found: impl FnOnce() -> String) {
        self.checks += 1;
        if !so {
            self.failed += 1;
            println!("FAILED {}: {what}: {}", self.name, found());
        }
    }

    /// Prints the result; whether all of it was as expected.
    pub fn end(&self, scenario: &str) -> bool {
        if self.failed > 0 || self.checks == 0 {
            println!("GUEST failed {scenario}: {} of {} checks", self.failed, self.checks);
            return false;
        }
        println!("GUEST ok {scenario} {} checks", self.checks);
        true
    }
}
