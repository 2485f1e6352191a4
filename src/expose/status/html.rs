//! Small pieces of HTML. Every text that comes from the host goes through [`esc`].

use std::fmt::Write;

use crate::expose::rows::{SandboxRow, VolumeRow};

/// How grave something is: the one meaning each colour of the page has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tone {
    /// Red: data or service at risk.
    Bad,
    /// Amber: look at it.
    Warn,
    /// Green: well.
    Good,
    /// Grey: nothing to say, or not known.
    Quiet,
}

impl Tone {
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Warn => "warn",
            Self::Good => "good",
            Self::Quiet => "quiet",
        }
    }
}

/// Text made safe for HTML. Names on a host may hold any character: control characters and those
/// that reorder or hide text are shown as escapes, so that two names that differ look different.
pub(super) fn esc(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            hidden if hidden.is_control() || is_invisible(hidden) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(hidden));
            }
            other => out.push(other),
        }
    }
    out
}

/// Zero-width characters, and those that change the direction of text.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}

/// Bytes for people: three digits and a binary unit, kept on one line.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = count as f64;
    let mut unit = 0;
    // 1023.5 would round to 1024.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = match value {
        _ if unit == 0 => 0,
        small if small < 9.995 => 2,
        small if small < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$}\u{a0}{}", UNITS[unit])
}

/// A count with a thin space between groups of three digits.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + 8);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// `1 volume`, `2 volumes`.
pub(super) fn plural(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(number as u64), if number == 1 { one } else { many })
}

/// How long ago something was, for a person: below two seconds it is now.
pub(super) fn ago(seconds: f64) -> String {
    if seconds < 2.0 { "now".into() } else { format!("{} ago", span(seconds)) }
}

/// A span of time in its largest unit.
pub(super) fn span(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 6000.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

/// Time of day and date in UTC; nothing for times no calendar holds.
pub(super) fn utc(timestamp: f64) -> String {
    const YEAR_10000: f64 = 253_402_300_800.0;
    if !(0.0..YEAR_10000).contains(&timestamp) {
        return String::new();
    }
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(timestamp as u64);
    humantime::format_rfc3339_seconds(time).to_string().replace('T', " ").replace('Z', " UTC")
}

/// A word in a coloured frame.
pub(super) fn chip(tone: Tone, word: &str) -> String {
    format!("<span class=\"chip {}\">{}</span>", tone.class(), esc(word))
}

/// Colour of a state of a volume or sandbox.
pub(super) fn state_tone(state: &str) -> Tone {
    match state {
        "in_use" | "live" | "standalone" => Tone::Good,
        "missing" => Tone::Bad,
        "orphaned" | "leaked" | "abandoned" => Tone::Warn,
        _ => Tone::Quiet,
    }
}

/// A state as words.
pub(super) fn state_chip(state: &str) -> String {
    chip(state_tone(state), &state.replace('_', " "))
}

/// How full: the tone from which on a person should look.
pub(super) fn fill_tone(ratio: f64) -> Tone {
    match ratio {
        r if r > 1.0 => Tone::Bad,
        r if r >= 0.9 => Tone::Warn,
        _ => Tone::Quiet,
    }
}

/// A part of a bar: its class and its share of the whole in percent.
pub(super) type Part = (&'static str, f64);

/// A horizontal bar of parts from the left; `line` is where the load line stands. An SVG, so that
/// no style attribute is needed.
pub(super) fn bar(parts: &[Part], line: Option<f64>, says: &str) -> String {
    let mut out = format!(
        "<svg class=\"bar\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">",
        esc(says)
    );
    let mut from = 0.0;
    for (class, share) in parts {
        let share = share.clamp(0.0, 100.0 - from);
        let _ = write!(
            out,
            "<rect class=\"{class}\" x=\"{from:.2}\" y=\"0\" width=\"{share:.2}\" height=\"10\"/>"
        );
        from += share;
    }
    if let Some(at) = line {
        let at = (at - 0.5).clamp(0.0, 99.0);
        let _ =
            write!(out, "<rect class=\"line\" x=\"{at:.2}\" y=\"0\" width=\"1\" height=\"10\"/>");
    }
    out.push_str("</svg>");
    out
}

/// Used bytes against a quota: a bar, and the numbers under it. What lies past the load line is
/// red.
pub(super) fn fill(used: Option<u64>, quota: Option<u64>) -> String {
    match (used, quota) {
        (None, None) => "<span class=\"dim\">not measured</span>".into(),
        (None, Some(quota)) => {
            format!("<span class=\"dim\">not measured, quota {}</span>", bytes(quota))
        }
        (Some(used), None | Some(0)) => {
            format!("<b>{}</b> <span class=\"dim\">no quota</span>", bytes(used))
        }
        (Some(used), Some(quota)) => {
            let ratio = used as f64 / quota as f64;
            let tone = fill_tone(ratio);
            let says = format!("{} of {}", bytes(used), bytes(quota));
            let drawn = if ratio > 1.0 {
                let at = 100.0 / ratio;
                bar(&[("used", at), ("past", 100.0 - at)], Some(at), &says)
            } else {
                let class = if tone == Tone::Warn { "near" } else { "used" };
                bar(&[(class, ratio * 100.0)], None, &says)
            };
            format!(
                "{drawn}<span class=\"nums\"><span><b>{}</b> of {}</span><span class=\"{}\">{}</span></span>",
                bytes(used),
                bytes(quota),
                tone.class(),
                percent(ratio)
            )
        }
    }
}

/// A ratio in percent; never "100 %" for what is not full, nor for what is over.
pub(super) fn percent(ratio: f64) -> String {
    let value = ratio * 100.0;
    if value < 100.0 {
        format!("{:.0}\u{a0}%", value.floor())
    } else {
        format!("{:.0}\u{a0}%", value.ceil())
    }
}

/// What happens past the quota, in words.
pub(super) fn enforcement(word: &str) -> &'static str {
    match word {
        "none" => "nothing",
        "accounting" => "counted only",
        "soft_kill" => "task is killed",
        "hard_quota" => "writes fail",
        "filesystem" => "disk is full",
        _ => "not known",
    }
}

/// When a value was measured, and whether the newest attempt failed.
pub(super) fn measured(at: Option<f64>, error: Option<&str>, now: f64) -> String {
    let age = at.map(|at| ago(now - at));
    match (age, error) {
        (Some(age), None) => age,
        (None, None) => "<span class=\"dim\">–</span>".into(),
        (age, Some(error)) => format!(
            "<span class=\"warn\" title=\"{}\">failed</span>{}",
            esc(error),
            age.map_or(String::new(), |age| format!("<small>last good {age}</small>"))
        ),
    }
}

/// A volume's name for a person.
pub(super) fn volume_name(row: &VolumeRow<'_>) -> String {
    match (row.role, row.volume) {
        ("", "") => row.disk.to_owned(),
        ("", volume) => volume.to_owned(),
        (role, "") => format!("{role} on {}", row.disk),
        (role, volume) => format!("{role} / {volume}"),
    }
}

/// A sandbox's name for a person.
pub(super) fn sandbox_name(row: &SandboxRow<'_>) -> String {
    let framework = if row.framework_name.is_empty() { row.framework } else { row.framework_name };
    let who = match row.tasks.as_slice() {
        [only] if !only.task_name.is_empty() => only.task_name,
        _ if row.executor.is_empty() => row.container,
        _ => row.executor,
    };
    if framework.is_empty() { who.to_owned() } else { format!("{framework} / {who}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_shown_and_harmless() {
        assert_eq!(esc("<b a='1' b=\"2\">&"), "&lt;b a=&#39;1&#39; b=&quot;2&quot;&gt;&amp;");
        assert_eq!(esc("a\nb\tc\u{1b}[31m\0"), "a\\nb\\tc\\u{1b}[31m\\u{0}");
        assert_eq!(esc("x\u{202e}gpj.exe\u{200b}é"), "x\\u{202e}gpj.exe\\u{200b}é");
    }

    #[test]
    fn numbers_for_people() {
        for (count, shown) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "0.98 KiB"),
            (4096, "4.00 KiB"),
            (10 << 20, "10.0 MiB"),
            (250 << 30, "250 GiB"),
            ((1 << 40) - 1, "1.00 TiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(count), shown.replace(' ', "\u{a0}"));
        }
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(count(12), "12");
        assert_eq!(span(0.25), "250 ms");
        assert_eq!(span(90.0), "90 s");
        assert_eq!(span(-5.0), "0 ms");
        assert_eq!(span(7_200.0), "2 h");
        assert_eq!(span(864_000.0), "10 days");
        assert_eq!(utc(1_763_843_550.9), "2025-11-22 20:32:30 UTC");
        assert_eq!(utc(f64::NAN), "");
        assert_eq!(utc(1e300), "");
        assert_eq!(percent(0.999), "99\u{a0}%");
        assert_eq!(percent(1.001), "101\u{a0}%");
        assert_eq!(percent(1.0), "100\u{a0}%");
    }

    #[test]
    fn a_bar_past_its_quota_shows_the_load_line() {
        let shown = fill(Some(200), Some(100));
        assert!(shown.contains("<rect class=\"used\" x=\"0.00\" y=\"0\" width=\"50.00\""));
        assert!(shown.contains("<rect class=\"past\" x=\"50.00\" y=\"0\" width=\"50.00\""));
        assert!(shown.contains("class=\"line\" x=\"49.50\""));
        assert!(fill(Some(95), Some(100)).contains("class=\"near\""));
        assert!(!fill(Some(5), None).contains("<svg"));
        assert!(fill(Some(5), Some(0)).contains("no quota"));
    }
}
