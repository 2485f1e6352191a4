//! "Did you mean": the nearest of a few known words.

/// The known word nearest to `word`, when it is near enough to be a slip of the keyboard: at
/// most a third of its letters, and at most three.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters: Vec<char> = word.chars().take(MAX_LETTERS + 1).collect();
    if letters.len() > MAX_LETTERS {
        return None;
    }
    known
        .into_iter()
        .map(|candidate| (distance(&letters, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).clamp(1, 3))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Longer words are no slips: it also bounds the work on hostile input.
const MAX_LETTERS: usize = 64;

/// Insertions, deletions, substitutions and swaps of neighbours between two words (optimal
/// string alignment).
fn distance(from: &[char], to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let mut best = (last[j] + usize::from(a != b)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["work_dir", "runtime_dir", "timeout", "tls"];

    #[test]
    fn finds_slips() {
        assert_eq!(nearest("work_dri", KNOWN), Some("work_dir"));
        assert_eq!(nearest("workdir", KNOWN), Some("work_dir"));
        assert_eq!(nearest("time_out", KNOWN), Some("timeout"));
        assert_eq!(nearest("tsl", KNOWN), Some("tls"));
    }

    #[test]
    fn leaves_strangers_alone() {
        assert_eq!(nearest("colour", KNOWN), None);
        assert_eq!(nearest("", KNOWN), None);
        assert_eq!(nearest(&"work_dir".repeat(100_000), KNOWN), None);
    }

    #[test]
    fn counts_edits() {
        let of = |from: &str, to| distance(&from.chars().collect::<Vec<_>>(), to);
        assert_eq!(of("abc", "abc"), 0);
        assert_eq!(of("abc", "acb"), 1);
        assert_eq!(of("", "abc"), 3);
        assert_eq!(of("kitten", "sitting"), 3);
    }
}
