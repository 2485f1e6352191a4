//! What may be said of the future.
//!
//! Growth is looked at over several windows. In each, the peaks count, not the ramps between
//! them. A window allows a prediction when all of this holds:
//!
//! 1. samples cover it, without a gap of more than a third of it, and the limit did not change in it;
//! 2. the growth went on through all three thirds of it and still does (a step, a spike or
//!    something that ended is confined to one or two);
//! 3. the peak is new: what was held before (a compaction's peak, yesterday's backup, a queue's
//!    last high) is no news when it is reached again;
//! 4. it is looked no further ahead than back: a pace seen for an hour says nothing of tomorrow.
//!    Where most of the bytes arrived in the growth itself (a new replica, a restore), which
//!    usually ends when everything is there, a third as far.

use crate::model::{FullBy, Growth};

use super::History;
use super::history::{Bucket, RUNGS};
use super::slope::{quantile, theil_sen};

/// Windows: the rung that is looked at, and the seconds looked back.
const WINDOWS: [(usize, f64); 11] = [
    (0, 150.0),
    (0, 300.0),
    (1, 900.0),
    (1, 1_800.0),
    (2, 3_600.0),
    (2, 7_200.0),
    (3, 21_600.0),
    (3, 43_200.0),
    (4, 86_400.0),
    (4, 172_800.0),
    (4, 259_200.0),
];
/// Points a window must have.
const LEAST_POINTS: usize = 6;
/// Growth over so long is a habit, and bears out predictions of up to [`FURTHEST`].
const HABIT: f64 = 172_800.0;
const FURTHEST: f64 = 90.0 * 86_400.0;
/// With less than this part of today's bytes at the beginning, it is filled for the first time.
const FRESH: f64 = 0.25;
/// Looking ahead, as a part of looking back, while it is.
const FRESH_REACH: f64 = 1.0 / 3.0;
/// A change of less than this part of the bytes held is none.
const STILL: f64 = 0.002;
/// Within this part of the bytes held (but no more than half of the window's growth), a peak is no
/// higher than an earlier one: each night's dump is a little larger than the last.
const SAME_PEAK: f64 = 0.05;
/// It still grows, when the last sixth of the window brought this part of an even share.
const GOING: f64 = 0.25;

struct View {
    seconds: f64,
    slope: f64,
    confidence: f64,
    /// When it is full at this pace, if this window allows to say so.
    full_at: Option<f64>,
}

/// Growth as of the newest sample.
pub(super) fn growth(history: &History) -> Option<Growth> {
    let (now, _) = history.newest?;
    let views: Vec<View> =
        WINDOWS.iter().filter_map(|(rung, seconds)| view(history, now, *rung, *seconds)).collect();
    // The earliest end that any window bears out; without one, the steadiest window tells the
    // pace, the longer of two that are about as steady.
    let first_full = views
        .iter()
        .filter(|view| view.full_at.is_some())
        .min_by(|a, b| a.full_at.partial_cmp(&b.full_at).unwrap_or(std::cmp::Ordering::Equal));
    let steadiest = || {
        views.iter().fold(None::<&View>, |best, view| match best {
            Some(best) if view.confidence < best.confidence - 0.1 => Some(best),
            _ => Some(view),
        })
    };
    let view = first_full.or_else(steadiest)?;
    Some(Growth {
        bytes_per_second: view.slope,
        window_seconds: view.seconds,
        confidence: view.confidence,
        full_at: view.full_at,
        full_by: view.full_at.map(|_| FullBy::Quota),
    })
}

fn view(history: &History, now: f64, rung: usize, seconds: f64) -> Option<View> {
    let rungs = &history.rungs[rung];
    let begin = now - seconds;
    let inside: Vec<&Bucket> =
        rungs.iter().filter(|bucket| f64::from(bucket.last) > begin).collect();
    if inside.len() < LEAST_POINTS || !covered(&inside, begin, now, seconds) {
        return None;
    }
    let highs: Vec<(f64, f64)> =
        inside.iter().map(|bucket| (x(bucket.last, now), f64::from(bucket.high))).collect();
    let slope = theil_sen(&highs)?;
    let mut rests: Vec<f64> = highs.iter().map(|(x, y)| y - slope * x).collect();
    // Nine in ten peaks lie below this line, at its end now.
    let level = quantile(&mut rests, 0.9)?;
    let still = STILL * level.abs();
    let [first, second, third] = peaks::<3>(&highs)?;
    let confidence = evenness(second - first, third - second, still);

    let full_at = history.limit.and_then(|limit| {
        // Past the limit it is full now, for as long as it grows.
        let room = (limit as f64 - level).max(0.0);
        let growing = slope > 0.0 && slope * seconds > still && confidence >= Growth::CONFIDENT;
        let whole = now - history.limit_since >= seconds * 0.9;
        let [.., fifth, sixth] = peaks::<6>(&highs)?;
        let going = sixth - fifth >= GOING * slope * seconds / 6.0;
        if !growing || !going || !whole {
            return None;
        }
        let before = Before::new(history, now, rung, seconds);
        if before
            .peak
            .is_some_and(|peak| third <= peak + (SAME_PEAK * level).min(slope * seconds / 2.0))
        {
            return None;
        }
        let low = inside.iter().map(|bucket| f64::from(bucket.low)).fold(before.low, f64::min);
        let reach = match (low < FRESH * level, seconds >= HABIT) {
            (true, _) => seconds * FRESH_REACH,
            (false, true) => FURTHEST,
            (false, false) => seconds,
        };
        let ahead = room / slope;
        (ahead <= reach).then_some(now + ahead)
    });
    Some(View { seconds, slope, confidence, full_at })
}

fn x(at: u32, now: f64) -> f64 {
    f64::from(at) - now.floor()
}

/// The window is seen from end to end: no gap in it is longer than a third of it.
fn covered(inside: &[&Bucket], begin: f64, now: f64, seconds: f64) -> bool {
    let mut seen = begin;
    let mut gap: f64 = 0.0;
    for bucket in inside {
        gap = gap.max(f64::from(bucket.first) - seen);
        seen = f64::from(bucket.last);
    }
    let late = f64::from(inside[0].first) - begin;
    late <= seconds * 0.1 && gap.max(now - seen) <= seconds / 3.0
}

/// Peak of each of `PARTS` equal parts of the window: the second highest of many values, so that one
/// spike is none.
fn peaks<const PARTS: usize>(highs: &[(f64, f64)]) -> Option<[f64; PARTS]> {
    let (begin, end) = (highs.first()?.0, highs.last()?.0);
    let mut peaks = [0.0; PARTS];
    for (index, peak) in peaks.iter_mut().enumerate() {
        let edge = |part: usize| begin + (end - begin) * part as f64 / PARTS as f64;
        let mut values: Vec<f64> = highs
            .iter()
            .filter(|(x, _)| *x <= edge(index + 1) && (*x > edge(index) || index == 0))
            .map(|(_, y)| *y)
            .collect();
        values.sort_by(|a, b| b.total_cmp(a));
        // Of a few, the second would be no peak.
        *peak = *values.get(usize::from(values.len() > 3))?;
    }
    Some(peaks)
}

/// From 0 to 1: how alike two changes are, when what is below `still` is no change.
fn evenness(earlier: f64, later: f64, still: f64) -> f64 {
    let (small, large) =
        if earlier.abs() < later.abs() { (earlier, later) } else { (later, earlier) };
    if large.abs() <= still {
        return 1.0;
    }
    let alike = if small * large < 0.0 { -small.abs() } else { small.abs() };
    ((alike + still) / (large.abs() + still)).max(0.0).sqrt()
}

/// What was seen in the time before a window, four times as long as the window.
struct Before {
    peak: Option<f64>,
    low: f64,
}

impl Before {
    fn new(history: &History, now: f64, rung: usize, seconds: f64) -> Self {
        let wanted = |rung: usize| RUNGS[rung].0 as f64 * RUNGS[rung].1 as f64 >= seconds * 5.0;
        let rung = (rung..RUNGS.len()).find(|rung| wanted(*rung)).unwrap_or(RUNGS.len() - 1);
        let mut highs = Vec::new();
        let mut low = f64::INFINITY;
        for bucket in &history.rungs[rung] {
            if f64::from(bucket.first) >= now - seconds * 5.0 {
                low = low.min(f64::from(bucket.low));
                if f64::from(bucket.last) <= now - seconds {
                    highs.push(f64::from(bucket.high));
                }
            }
        }
        highs.sort_by(|a, b| b.total_cmp(a));
        // One spike is no peak, where there is more to go by.
        let peak = if highs.len() > 4 { highs.get(1) } else { highs.first() };
        Self { peak: peak.copied(), low }
    }
}
