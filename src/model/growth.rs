//! How fast something grows, and when it is full.

use serde::Serialize;

use super::Timestamp;

/// What is full first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FullBy {
    /// The subject's quota.
    Quota,
    /// The filesystem that holds it, by its own growth: a neighbour's writes count.
    Filesystem,
}

impl FullBy {
    /// The word on every surface.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quota => "quota",
            Self::Filesystem => "filesystem",
        }
    }
}

/// Growth of one subject or filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Growth {
    /// Bytes a second, negative when it shrinks. Of a saw-tooth: the slope of its peaks.
    pub bytes_per_second: f64,
    /// Seconds it was looked back for that.
    pub window_seconds: f64,
    /// From 0 to 1: how evenly it grew (or stayed) over the window.
    pub confidence: f64,
    /// When it is full at this pace. Absent when it is not growing, or when what was seen does not
    /// bear out a prediction.
    pub full_at: Option<Timestamp>,
    /// What is full then.
    pub full_by: Option<FullBy>,
}

impl Growth {
    /// Below this confidence the rate is not worth telling.
    pub const CONFIDENT: f64 = 0.5;

    /// The rate, when it is worth telling.
    pub fn confident_rate(&self) -> Option<f64> {
        (self.confidence >= Self::CONFIDENT).then_some(self.bytes_per_second)
    }

    /// When it is full, if it is the quota that is full first.
    pub fn quota_full_at(&self) -> Option<Timestamp> {
        self.full_at.filter(|_| self.full_by == Some(FullBy::Quota))
    }

    /// Full within `horizon` seconds from `now`. The one question alerts ask.
    pub fn fills_within(&self, horizon: f64, now: Timestamp) -> bool {
        self.full_at.is_some_and(|full_at| full_at - now <= horizon)
    }
}
