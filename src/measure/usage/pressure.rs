//! Whether the host's tasks wait for I/O.

use std::path::{Path, PathBuf};

/// Watches `/proc/pressure/io` (Linux 4.20, where pressure stall information is on).
#[derive(Debug)]
pub(super) struct Pressure {
    file: PathBuf,
    throttled: bool,
}

/// Part of the budget that is left under pressure.
pub(super) const UNDER_PRESSURE: f64 = 0.1;

impl Pressure {
    /// `procfs`: where `/proc` is seen.
    pub(super) fn new(procfs: &Path) -> Self {
        Self { file: procfs.join("pressure/io"), throttled: false }
    }

    /// Reads it; steps aside above `threshold` percent (never for 0) and comes back below half of
    /// that. Without the file it never steps aside.
    pub(super) fn look(&mut self, threshold: f64) -> bool {
        let waiting = std::fs::read_to_string(&self.file).ok().and_then(|text| some_avg10(&text));
        self.throttled = match waiting {
            Some(waiting) if threshold > 0.0 => {
                waiting > if self.throttled { threshold / 2.0 } else { threshold }
            }
            _ => false,
        };
        self.throttled
    }
}

/// Percent of the last ten seconds in which some task waited (`Documentation/accounting/psi.rst`).
fn some_avg10(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let value = line.split_whitespace().find_map(|word| word.strip_prefix("avg10="))?;
    value.parse().ok().filter(|percent: &f64| percent.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_is_read_where_it_is() {
        let good = "some avg10=12.50 avg60=1.00 avg300=0.00 total=7\nfull avg10=99.00 total=1\n";
        assert_eq!(some_avg10(good), Some(12.5));
        for bad in ["", "full avg10=1.00", "some avg60=1.00", "some avg10=x", "some avg10=nan"] {
            assert_eq!(some_avg10(bad), None, "{bad}");
        }
    }

    #[test]
    fn steps_aside_and_comes_back_later() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("pressure")).unwrap();
        let mut pressure = Pressure::new(dir.path());
        assert!(!pressure.look(40.0), "there is no file");
        let mut at = |percent: &str, threshold| {
            let text = format!("some avg10={percent} avg60=0.00 avg300=0.00 total=0\n");
            std::fs::write(dir.path().join("pressure/io"), text).unwrap();
            pressure.look(threshold)
        };
        assert!(!at("39.00", 40.0));
        assert!(at("41.00", 40.0));
        assert!(at("21.00", 40.0));
        assert!(!at("19.00", 40.0));
        assert!(!at("99.00", 0.0));
    }
}
