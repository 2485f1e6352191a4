//! Tables that fit the terminal, whatever stands in them.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr;

use crate::text;

/// Which edge the cells of a column stand at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// What may happen to a column when the terminal is too narrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shrink {
    /// It keeps its width.
    Never,
    /// Its cells lose their middle, down to so many columns: paths and ids, whose ends tell them
    /// apart.
    Middle(usize),
}

/// One column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Header.
    pub header: &'static str,
    /// Edge.
    pub align: Align,
    /// How it gives way.
    pub shrink: Shrink,
    /// Columns are hidden from the highest number on when shrinking is not enough; 0 stays.
    pub hide: u8,
}

/// A table that was laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Lines, each with its newline and none wider than asked for.
    pub text: String,
    /// Headers of the columns that found no room.
    pub hidden: Vec<&'static str>,
}

const GAP: &str = "  ";

/// Lays cells out in columns. Every cell is escaped first ([`text::escape`]): no name can drive
/// the terminal or end a line. `width` is the room in columns; without one (a pipe) nothing is
/// cut.
pub fn render(
    specs: &[Spec],
    rows: &[Vec<String>],
    width: Option<usize>,
    headers: bool,
) -> Rendered {
    let rows: Vec<Vec<Cow<'_, str>>> =
        rows.iter().map(|row| row.iter().map(|cell| text::escape(cell)).collect()).collect();
    let natural: Vec<usize> = specs
        .iter()
        .enumerate()
        .map(|(at, spec)| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.width());
            let header = if headers { spec.header.width() } else { 0 };
            // A name may be megabytes long: no column is wider than the terminal.
            cells.chain([header]).max().unwrap_or(0).min(width.unwrap_or(usize::MAX))
        })
        .collect();
    let widths = fit(specs, &natural, width);
    let hidden =
        specs.iter().zip(&widths).filter(|(_, w)| w.is_none()).map(|(spec, _)| spec.header);
    let mut out = String::new();
    if headers {
        let cells: Vec<Cow<'_, str>> = specs.iter().map(|spec| spec.header.into()).collect();
        push_line(&mut out, specs, &widths, &cells, width);
    }
    for row in &rows {
        push_line(&mut out, specs, &widths, row, width);
    }
    Rendered { hidden: hidden.collect(), text: out }
}

/// The width of each column, none for a hidden one.
fn fit(specs: &[Spec], natural: &[usize], width: Option<usize>) -> Vec<Option<usize>> {
    let mut shown: Vec<Option<usize>> = natural.iter().copied().map(Some).collect();
    let Some(width) = width else { return shown };
    let least = |at: usize| match specs[at].shrink {
        Shrink::Never => natural[at],
        Shrink::Middle(least) => natural[at].min(least),
    };
    loop {
        let visible: Vec<usize> = (0..specs.len()).filter(|at| shown[*at].is_some()).collect();
        let gaps = GAP.len() * visible.len().saturating_sub(1);
        if visible.iter().map(|at| least(*at)).sum::<usize>() + gaps <= width {
            break;
        }
        let next =
            visible.iter().filter(|at| specs[**at].hide > 0).max_by_key(|at| specs[**at].hide);
        match next {
            Some(at) => shown[*at] = None,
            None => break,
        }
    }
    // Take column by column from whichever can give the most, until the rest has room.
    loop {
        let visible: Vec<usize> = (0..specs.len()).filter(|at| shown[*at].is_some()).collect();
        let gaps = GAP.len() * visible.len().saturating_sub(1);
        let total = shown.iter().flatten().sum::<usize>() + gaps;
        if total <= width {
            return shown;
        }
        let slack = |at: &usize| shown[*at].unwrap_or(0).saturating_sub(least(*at));
        let Some(widest) = visible.into_iter().max_by_key(slack).filter(|at| slack(at) > 0) else {
            return shown;
        };
        shown[widest] = shown[widest].map(|now| now - 1);
    }
}

fn push_line(
    out: &mut String,
    specs: &[Spec],
    widths: &[Option<usize>],
    cells: &[Cow<'_, str>],
    most: Option<usize>,
) {
    let mut line = String::new();
    let mut first = true;
    for ((spec, width), cell) in specs.iter().zip(widths).zip(cells) {
        let Some(width) = width else { continue };
        if !std::mem::take(&mut first) {
            line.push_str(GAP);
        }
        let cell = ellipsize(cell, *width);
        let padding = " ".repeat(width.saturating_sub(cell.width()));
        match spec.align {
            Align::Left => line.extend([cell.as_ref(), &padding]),
            Align::Right => line.extend([&padding, cell.as_ref()]),
        }
    }
    let line = line.trim_end();
    // Nothing left to hide or shrink: the line ends where the terminal does.
    out.push_str(most.map_or(line, |most| start(line, most)));
    out.push('\n');
}

/// A text of at most `width` columns, the middle replaced by `…`. An escape sequence may be cut;
/// what is left of it is plain text.
pub fn ellipsize(cell: &str, width: usize) -> Cow<'_, str> {
    if cell.width() <= width {
        return Cow::Borrowed(cell);
    }
    let Some(room) = width.checked_sub(1) else { return Cow::Borrowed("") };
    let head = start(cell, room - room / 2);
    let tail = end(cell, room / 2);
    Cow::Owned(format!("{head}…{tail}"))
}

/// The longest prefix of at most `width` columns.
fn start(text: &str, width: usize) -> &str {
    let cut = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let longest = cut.take_while(|at| text[..*at].width() <= width).last().unwrap_or(0);
    &text[..longest]
}

/// The longest suffix of at most `width` columns.
fn end(text: &str, width: usize) -> &str {
    let cut = text.char_indices().rev().map(|(at, _)| at);
    let longest = cut.take_while(|at| text[*at..].width() <= width).last().unwrap_or(text.len());
    &text[longest..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(header: &'static str, align: Align, shrink: Shrink, hide: u8) -> Spec {
        Spec { header, align, shrink, hide }
    }

    fn specs() -> Vec<Spec> {
        vec![
            spec("VOLUME", Align::Left, Shrink::Middle(8), 0),
            spec("USED", Align::Right, Shrink::Never, 0),
            spec("ROLE", Align::Left, Shrink::Never, 1),
            spec("PATH", Align::Left, Shrink::Middle(10), 2),
        ]
    }

    fn rows() -> Vec<Vec<String>> {
        [
            [
                "cassandra-data-0",
                "1.5 GiB",
                "db",
                "/var/lib/mesos/volumes/roles/db/cassandra-data-0",
            ],
            ["mysql", "17 B", "*", "/mnt/mysql"],
        ]
        .map(|row| row.map(str::to_owned).to_vec())
        .to_vec()
    }

    #[test]
    fn a_pipe_gets_everything() {
        let table = render(&specs(), &rows(), None, true);
        assert_eq!(
            table.text,
            "VOLUME               USED  ROLE  PATH\n\
             cassandra-data-0  1.5 GiB  db    /var/lib/mesos/volumes/roles/db/cassandra-data-0\n\
             mysql                17 B  *     /mnt/mysql\n"
        );
        assert_eq!(table.hidden, Vec::<&str>::new());
    }

    #[test]
    fn narrow_terminals_shrink_then_hide() {
        let table = render(&specs(), &rows(), Some(60), true);
        assert_eq!(
            table.text,
            "VOLUME               USED  ROLE  PATH\n\
             cassandra-data-0  1.5 GiB  db    /var/lib/meso…sandra-data-0\n\
             mysql                17 B  *     /mnt/mysql\n"
        );
        let table = render(&specs(), &rows(), Some(24), true);
        assert_eq!(
            table.text,
            "VOLUME        USED  ROLE\n\
             cass…ta-0  1.5 GiB  db\n\
             mysql         17 B  *\n"
        );
        assert_eq!(table.hidden, ["PATH"]);
    }

    #[test]
    fn no_width_is_exceeded() {
        for width in 1..120 {
            let table = render(&specs(), &rows(), Some(width), true);
            for line in table.text.lines() {
                assert!(line.width() <= width, "{width}: {line}");
            }
            assert_eq!(table.text.lines().count(), 3);
        }
    }

    #[test]
    fn cells_cannot_drive_the_terminal() {
        let rows = vec![vec!["a\nb\x1b[2J".to_owned(), "1 B".to_owned()]];
        let table = render(&specs()[..2], &rows, None, false);
        assert_eq!(table.text, "a\\nb\\x1b[2J  1 B\n");
    }

    #[test]
    fn wide_characters_count_twice() {
        let rows = vec![
            vec!["日本".to_owned(), "1 B".to_owned()],
            vec!["abcd".to_owned(), "22 B".to_owned()],
        ];
        assert_eq!(render(&specs()[..2], &rows, None, false).text, "日本   1 B\nabcd  22 B\n");
        assert_eq!(ellipsize("日本語日本語", 6), "日…語");
    }

    #[test]
    fn the_middle_goes() {
        assert_eq!(ellipsize("abcdef", 6), "abcdef");
        assert_eq!(ellipsize("abcdefg", 6), "abc…fg");
        assert_eq!(ellipsize("abcdefg", 1), "…");
        assert_eq!(ellipsize("abcdefg", 0), "");
    }

    #[test]
    fn no_rows_leave_the_headers() {
        assert_eq!(render(&specs(), &[], Some(80), true).text, "VOLUME  USED  ROLE  PATH\n");
        assert_eq!(render(&specs(), &[], Some(80), false).text, "");
    }
}
