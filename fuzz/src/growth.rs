//! Growth and predictions from any sequence of measurements.

use plimsoll::judge::growth::History;
use plimsoll::model::Growth;

use super::Choices;

pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let mut history = History::default();
    let (mut now, mut bytes, mut limit) = (1.7e9, 1_u64 << 30, None);
    while !choices.is_empty() {
        match choices.byte() % 8 {
            0 => now += f64::from(choices.u32() % 10_000_000),
            1 => now -= f64::from(choices.byte()),
            2 => bytes = choices.u64(),
            3 => bytes = bytes.saturating_sub(u64::from(choices.u32())),
            4 => limit = Some(choices.u64()).filter(|limit| limit % 5 != 0),
            5 => now = f64::from_bits(choices.u64()),
            _ => {
                now += f64::from(choices.byte());
                bytes = bytes.saturating_add(u64::from(choices.u32()));
            }
        }
        let method = if choices.byte() > 250 { "statfs" } else { "walk" };
        history.observe(now, bytes, limit, method);
        assert!(history.len() <= 126);
        let newest = history.newest_at();
        assert!(newest.is_none_or(f64::is_finite));
        if let Some(growth) = history.growth() {
            check(&growth, newest.expect("what grows was seen"));
        }
    }
    // The state file gives back what it was given, or starts anew.
    let kept = serde_json::to_vec(&history).expect("it can be written");
    let again: History = serde_json::from_slice(&kept).expect("and read");
    assert_eq!(again.len(), history.len());
    if let Ok(stranger) = serde_json::from_slice::<History>(data) {
        assert!(stranger.len() <= 126);
    }
}

fn check(growth: &Growth, newest: f64) {
    assert!(growth.bytes_per_second.is_finite(), "{growth:?}");
    assert!(growth.window_seconds.is_finite() && growth.window_seconds >= 0.0, "{growth:?}");
    assert!((0.0..=1.0).contains(&growth.confidence), "{growth:?}");
    if let Some(full_at) = growth.full_at {
        assert!(full_at >= newest && full_at.is_finite(), "{growth:?} as of {newest}");
        assert!(growth.bytes_per_second > 0.0 || full_at == newest, "{growth:?}");
    }
}
