//! Thresholds of the conditions, as the configuration sets them.

use serde::{Deserialize, Serialize};

/// What a threshold counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Part of a whole, 1 for all of it.
    Ratio,
    /// Seconds.
    Seconds,
    /// Seconds ahead: the condition holds at that many and fewer, and lingers up to the margin more.
    Within,
}

/// `conditions`: from which value on each condition holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// Part of a volume's quota.
    pub volume_near_quota: f64,
    /// Part of a sandbox's quota.
    pub sandbox_near_quota: f64,
    /// Part of a filesystem's bytes.
    pub filesystem_filling: f64,
    /// Part of a filesystem's bytes.
    pub filesystem_full: f64,
    /// Part of a filesystem's inodes.
    pub filesystem_inodes_low: f64,
    /// Part of a filesystem's inodes.
    pub filesystem_inodes_exhausted: f64,
    /// Share of the time that a container's I/O stood at a limit.
    pub io_throttled: f64,
    /// Share of the time in which a whole container waited for I/O.
    pub io_pressure: f64,
    /// Part of what all containers move on a device.
    pub io_neighbour: f64,
    /// Promised bytes as a part of a filesystem's size.
    pub filesystem_overcommitted: f64,
    /// Seconds past the greatest age that was asked for.
    pub measurements_overdue: f64,
    /// Seconds past the expected removal.
    pub gc_behind: f64,
    /// Seconds until something is full: a warning.
    pub fills_soon: f64,
    /// Seconds until something is full: critical.
    pub fills_now: f64,
    /// Mean seconds of a network filesystem's requests.
    pub network_storage_slow: f64,
    /// Part of a network filesystem's requests that were sent again.
    pub network_storage_retransmitting: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            volume_near_quota: 0.9,
            sandbox_near_quota: 0.9,
            filesystem_filling: 0.9,
            filesystem_full: 0.97,
            filesystem_inodes_low: 0.9,
            filesystem_inodes_exhausted: 0.98,
            io_throttled: 0.5,
            io_pressure: 0.5,
            io_neighbour: 0.8,
            filesystem_overcommitted: 1.0,
            measurements_overdue: 900.0,
            gc_behind: 3_600.0,
            fills_soon: 86_400.0,
            fills_now: 14_400.0,
            network_storage_slow: 1.0,
            network_storage_retransmitting: 0.05,
        }
    }
}

impl Thresholds {
    /// Every key with its value and unit.
    pub fn list(&self) -> [(&'static str, f64, Unit); 16] {
        [
            ("volume_near_quota", self.volume_near_quota, Unit::Ratio),
            ("sandbox_near_quota", self.sandbox_near_quota, Unit::Ratio),
            ("filesystem_filling", self.filesystem_filling, Unit::Ratio),
            ("filesystem_full", self.filesystem_full, Unit::Ratio),
            ("filesystem_inodes_low", self.filesystem_inodes_low, Unit::Ratio),
            ("filesystem_inodes_exhausted", self.filesystem_inodes_exhausted, Unit::Ratio),
            ("io_throttled", self.io_throttled, Unit::Ratio),
            ("io_pressure", self.io_pressure, Unit::Ratio),
            ("io_neighbour", self.io_neighbour, Unit::Ratio),
            ("filesystem_overcommitted", self.filesystem_overcommitted, Unit::Ratio),
            ("measurements_overdue", self.measurements_overdue, Unit::Seconds),
            ("gc_behind", self.gc_behind, Unit::Seconds),
            ("fills_soon", self.fills_soon, Unit::Within),
            ("fills_now", self.fills_now, Unit::Within),
            ("network_storage_slow", self.network_storage_slow, Unit::Seconds),
            ("network_storage_retransmitting", self.network_storage_retransmitting, Unit::Ratio),
        ]
    }

    /// The place of a key's value.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut f64> {
        Some(match key {
            "volume_near_quota" => &mut self.volume_near_quota,
            "sandbox_near_quota" => &mut self.sandbox_near_quota,
            "filesystem_filling" => &mut self.filesystem_filling,
            "filesystem_full" => &mut self.filesystem_full,
            "filesystem_inodes_low" => &mut self.filesystem_inodes_low,
            "filesystem_inodes_exhausted" => &mut self.filesystem_inodes_exhausted,
            "io_throttled" => &mut self.io_throttled,
            "io_pressure" => &mut self.io_pressure,
            "io_neighbour" => &mut self.io_neighbour,
            "filesystem_overcommitted" => &mut self.filesystem_overcommitted,
            "measurements_overdue" => &mut self.measurements_overdue,
            "gc_behind" => &mut self.gc_behind,
            "fills_soon" => &mut self.fills_soon,
            "fills_now" => &mut self.fills_now,
            "network_storage_slow" => &mut self.network_storage_slow,
            "network_storage_retransmitting" => &mut self.network_storage_retransmitting,
            _ => return None,
        })
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<f64> {
        self.list().into_iter().find(|(name, ..)| *name == key).map(|(_, value, _)| value)
    }
}
