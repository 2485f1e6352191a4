//! The screen as lines, from what is known and chosen. No line is wider than the terminal, and
//! nothing in them drives it: whatever comes from outside is escaped.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use crate::cli::human;
use crate::cli::table::{self, ellipsize};
use crate::cli::top::{Sort, View};
use crate::model::{Severity, Timestamp};
use crate::text;

use super::columns;
use super::data::Picture;
use super::source::{News, Origin};
use super::state::State;
use super::view;

/// How a line looks, beside what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    Plain,
    /// The first line, and the titles of columns.
    Title,
    /// Something the person should know.
    Notice,
    /// A row with such a finding.
    Finding(Severity),
    /// The row under the cursor.
    Cursor,
}

/// A line of the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Text, escaped and no wider than the screen.
    pub text: String,
    /// Look.
    pub style: Style,
}

/// What is known.
#[derive(Debug, Default)]
pub struct Known {
    /// The newest picture and who made it.
    pub picture: Option<(Picture, Origin)>,
    /// Why there is no newer one, and since when.
    pub trouble: Option<(String, Timestamp)>,
    /// How far an own look is: inodes, subjects.
    pub looking: Option<(u64, usize)>,
}

impl Known {
    /// Takes up news that came at `now`.
    pub fn learn(&mut self, news: News, now: Timestamp) {
        match news {
            News::Picture(picture, origin) => {
                *self = Self { picture: Some((*picture, origin)), ..Self::default() };
            }
            News::Trouble(why) => {
                let since = self.trouble.as_ref().map_or(now, |(_, since)| *since);
                self.trouble = Some((why, since));
                self.looking = None;
            }
            News::Looking(inodes, subjects) => self.looking = Some((inodes, subjects)),
        }
    }

    /// The picture.
    pub fn picture(&self) -> Option<&Picture> {
        self.picture.as_ref().map(|(picture, _)| picture)
    }
}

/// Lines of a screen so far.
struct Page {
    lines: Vec<Line>,
    width: usize,
}

impl Page {
    fn push(&mut self, style: Style, text: &str) {
        self.lines.push(Line { text: cut(text, self.width), style });
    }
}

/// Everything that is on a screen of that many columns and lines.
pub fn draw(
    known: &Known,
    state: &mut State,
    (width, height): (usize, usize),
    now: Timestamp,
) -> Vec<Line> {
    let mut page = Page { lines: Vec::new(), width };
    page.push(Style::Title, &headline(known, now));
    if let Some(notice) = notice(known, now) {
        page.push(Style::Notice, &notice);
    }
    match known.picture() {
        None => page.push(Style::Plain, "q quit"),
        Some(_) if state.help => {
            for line in HELP {
                page.push(Style::Plain, line);
            }
        }
        Some(picture) => body(&mut page, picture, state, height, now),
    }
    page.lines.truncate(height);
    page.lines
}

/// The beginning of a text that is wider than `width` columns.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let fits = |at: &usize| text[..*at].width() < width;
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = ends.take_while(fits).last().unwrap_or(0);
    if width == 0 { String::new() } else { format!("{}…", &text[..end]) }
}

/// The tabs, the table, and where there is room for them the summary, the story of the row under
/// the cursor, and the keys.
fn body(page: &mut Page, picture: &Picture, state: &mut State, height: usize, now: Timestamp) {
    let story = match height {
        20.. => 4,
        14.. => 2,
        _ => 0,
    };
    let keys = usize::from(height >= 8);
    if height >= 10 {
        page.push(Style::Plain, &summary(picture));
    }
    let (tabs_and_order, titles) = (if height >= 6 { 2 } else { 0 }, 1);
    let room = height.saturating_sub(page.lines.len() + tabs_and_order + titles + story + keys);
    let rows = state.rows(picture);
    let (top, cursor) = state.window(picture, &rows, room);
    let most = state.count.map_or(room, |count| count.min(room));
    let shown = &rows[top..rows.len().min(top + most)];
    if tabs_and_order > 0 {
        page.push(Style::Plain, &tabs(picture, state.view));
        page.push(Style::Plain, &order(state, rows.len(), picture, top, shown.len()));
    }
    table(page, picture, state.view, shown, cursor.checked_sub(top), now);
    if shown.is_empty() {
        page.push(Style::Plain, nothing(state));
    }
    let bottom = height.saturating_sub(story + keys);
    page.lines.truncate(bottom);
    page.lines.resize(bottom, Line { text: String::new(), style: Style::Plain });
    if story > 0 {
        let sentences = rows.get(cursor).map(|row| columns::details(picture, state.view, *row));
        for sentence in sentences.unwrap_or_default() {
            for line in wrap(&text::escape(&sentence), page.width, story / 2) {
                page.push(Style::Plain, &ellipsize(&line, page.width));
            }
        }
        page.lines.resize(bottom + story, Line { text: String::new(), style: Style::Plain });
    }
    if keys > 0 {
        page.push(Style::Title, &footer(state));
    }
}

/// `cursor`: which of the shown rows it is on.
fn table(
    page: &mut Page,
    picture: &Picture,
    view: View,
    shown: &[usize],
    cursor: Option<usize>,
    now: Timestamp,
) {
    let cells: Vec<Vec<String>> = shown
        .iter()
        .enumerate()
        .map(|(at, row)| columns::cells(picture, view, *row, cursor == Some(at), now))
        .collect();
    let table = table::render(&columns::specs(view), &cells, Some(page.width), true);
    for (line, text) in table.text.lines().enumerate() {
        let style = match line.checked_sub(1) {
            None => Style::Title,
            at if at == cursor => Style::Cursor,
            Some(at) => {
                columns::gravity(picture, view, shown[at]).map_or(Style::Plain, Style::Finding)
            }
        };
        page.push(style, text);
    }
}

/// A text in lines, broken at spaces where there are some; what does not fit into `most` lines
/// loses its middle.
fn wrap(mut text: &str, width: usize, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.len() + 1 < most && text.width() > width {
        let fits =
            |(at, c): (usize, char)| (text[..at + c.len_utf8()].width() <= width).then_some(at);
        let end = text.char_indices().map_while(fits).last().unwrap_or(0);
        let Some(cut) = text[..end].rfind(' ').filter(|cut| *cut > 0) else { break };
        lines.push(text[..cut].to_owned());
        text = text[cut..].trim_start();
    }
    lines.push(text.to_owned());
    lines
}

/// One screen as text: `view`, or all of them.
pub fn once(
    known: &Known,
    state: &State,
    views: &[View],
    width: Option<usize>,
    now: Timestamp,
) -> String {
    let cut = |line: String| width.map_or(line.clone(), |width| cut(&line, width));
    let mut out = String::new();
    let _ = writeln!(out, "{}", cut(headline(known, now)));
    let Some(picture) = known.picture() else { return out };
    if let Some(notice) = notice(known, now) {
        let _ = writeln!(out, "{}", cut(notice));
    }
    let _ = writeln!(out, "{}", cut(summary(picture)));
    for view in views {
        let mut state = state.clone();
        state.view = *view;
        let rows = state.rows(picture);
        let shown = &rows[..rows.len().min(state.count.unwrap_or(usize::MAX))];
        let (title, sort) = (view.title(), order_words(&state));
        let part = if shown.len() < rows.len() {
            format!("{} of {}", shown.len(), rows.len())
        } else {
            rows.len().to_string()
        };
        let _ = writeln!(out, "\n{}", cut(format!("{title}: {part}, by {sort}")));
        if shown.is_empty() {
            continue;
        }
        let cells: Vec<Vec<String>> =
            shown.iter().map(|row| columns::cells(picture, *view, *row, false, now)).collect();
        out.push_str(&table::render(&columns::specs(*view), &cells, width, true).text);
    }
    out
}

/// Which program, how old, whose word, which host: narrow terminals lose the end.
fn headline(known: &Known, now: Timestamp) -> String {
    let Some((picture, origin)) = &known.picture else {
        return "plimsoll top: no data yet".into();
    };
    let age = human::age(now - picture.taken_at);
    let whose = match origin {
        Origin::Daemon(url) => format!("daemon at {}", text::escape(url)),
        Origin::Own(_) => "no daemon, seen by this command".into(),
    };
    let host = picture.hostname.as_deref().map(|name| format!(" on {}", text::escape(name)));
    format!("plimsoll top, data {age} old: {whose}{}", host.unwrap_or_default())
}

/// What is not as usual.
fn notice(known: &Known, now: Timestamp) -> Option<String> {
    let looking = known.looking.map(|(inodes, subjects)| {
        format!("looking: {inodes} inodes, {subjects} subjects measured so far")
    });
    if let Some((why, since)) = &known.trouble {
        let since = human::age(now - since);
        return Some(format!("WAITING for {since}: {}", text::escape(why)));
    }
    match (&known.picture, looking) {
        (None, Some(looking)) => Some(looking),
        (None, None) => Some("asking the daemon".into()),
        (Some((_, Origin::Own(Some(heard)))), looking) => Some(match looking {
            Some(looking) => looking,
            None => format!("{}; without it no growth is known", text::escape(heard)),
        }),
        (Some((_, Origin::Own(None))), looking) => {
            Some(looking.unwrap_or_else(|| "without a daemon no growth is known".into()))
        }
        (Some(_), _) => None,
    }
}

fn summary(picture: &Picture) -> String {
    let severities = Severity::ALL.map(|severity| {
        let count = picture.findings.iter().filter(|one| one.severity() == severity).count();
        format!("{count} {}", severity.as_str())
    });
    let volumes = |state: &str| picture.volumes.iter().filter(|row| row.state == state).count();
    let live = picture.sandboxes.iter().filter(|row| row.state == "live").count();
    format!(
        "{}; {} ({} in use, {} orphaned), {} ({live} live), {}",
        severities.join(", "),
        counted(picture.volumes.len(), "volume"),
        volumes("in_use"),
        volumes("orphaned"),
        counted(picture.sandboxes.len(), "sandbox"),
        counted(picture.filesystems.len(), "filesystem"),
    )
}

fn counted(count: usize, noun: &str) -> String {
    let ending = match (count, noun.ends_with('x')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{count} {noun}{ending}")
}

fn tabs(picture: &Picture, present: View) -> String {
    let tab = |(at, one): (usize, View)| {
        let text = format!("{} {} {}", at + 1, one.title(), view::len(picture, one));
        if one == present { format!("[{text}]") } else { format!(" {text} ") }
    };
    View::ALL.into_iter().enumerate().map(tab).collect::<Vec<_>>().join(" ")
}

fn order_words(state: &State) -> String {
    let look = state.look();
    format!("{}{}", look.sort.words(), if look.reverse { ", reversed" } else { "" })
}

/// The line above the titles: the filter while it is typed, else what is shown in which order.
fn order(state: &State, rows: usize, picture: &Picture, top: usize, shown: usize) -> String {
    let filter = text::escape(&state.filter);
    if state.typing {
        return format!("filter: {filter}_   (Enter keeps it, Esc takes it back)");
    }
    let mut line = format!("by {}", order_words(state));
    if shown < rows {
        let _ = write!(line, "; rows {} to {} of {rows}", top + 1, top + shown);
    }
    if !filter.is_empty() {
        let all = view::len(picture, state.view);
        let _ = write!(line, "; filter {}: {rows} of {all} (Esc: all)", text::quote(&state.filter));
    }
    line
}

fn nothing(state: &State) -> &'static str {
    match (state.filter.is_empty(), state.view) {
        (false, _) => "nothing matches the filter",
        (true, View::Findings) => "nothing needs attention",
        (true, _) => "none",
    }
}

fn footer(state: &State) -> String {
    let mut keys = String::from("q quit  tab view  / filter  ? help  r reverse  sort:");
    for (key, sort) in Sort::ALL.into_iter().filter(|(_, sort)| sort.fits(state.view)) {
        let _ = write!(keys, " {key} {}", sort.name());
    }
    keys
}

/// Lines of the help; short enough for 80 columns and 24 lines.
const HELP: [&str; 19] = [
    "",
    "tab, left, right, 1 to 4   the next view; that view",
    "up, down, PgUp, PgDn, Home, End   choose a row; its story is below the table",
    "/   show only rows that contain a text; Esc shows all again",
    "a u b g f i o n   sort by attention, use, bytes, growth, time to full,",
    "                  inodes, age, name; s the next of them, r the other way round",
    "space   look again now        q, Ctrl-C   quit        Ctrl-Z   stop for a while",
    "",
    "!  there is a critical finding about it    *  a warning    i  worth knowing",
    "LOAD     [####      ] of its quota (of a filesystem: of its size); > is past it",
    "USED OF  allocated bytes, as du counts, and the quota",
    "GROWTH   bytes a day, where it was seen for long enough to tell",
    "FULL IN  time to the quota at that pace; fs: the filesystem is full before",
    "AGE      of the value;  SINCE  since when a finding holds",
    "PROMISED     bytes of the filesystem that the agent offers or gave away",
    "UNEXPLAINED  used bytes that belong to no volume and no sandbox",
    "",
    "Any key goes back.",
    "",
];
