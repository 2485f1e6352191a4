//! Whether a container's first process still is the one the engine named.

use std::path::Path;

/// When a process began, in clock ticks after boot (`/proc/PID/stat`, field 22); absent when there
/// is none of that number.
pub fn began(procfs: &Path, pid: u32) -> Option<u64> {
    let text = std::fs::read(procfs.join(pid.to_string()).join("stat")).ok()?;
    parse(&text)
}

/// The same from the text of the file.
pub fn parse(text: &[u8]) -> Option<u64> {
    // The name in parentheses may hold anything, parentheses too.
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&text[end + 1..]).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    // A zombie runs no more: nobody reaped it.
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line() {
        let line = |state| {
            format!("7 (a ) (b) {state} 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0 1\n")
        };
        assert_eq!(parse(line("S").as_bytes()), Some(4711));
        assert_eq!(parse(line("Z").as_bytes()), None);
        assert_eq!(parse(b"7 (x) S 1 2"), None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn this_very_process() {
        assert!(began(Path::new("/proc"), std::process::id()).is_some());
        assert_eq!(began(Path::new("/proc"), u32::MAX), None);
    }
}
