//! What `plimsoll top` takes.

use std::time::Duration;

use clap::{Args as Group, ValueEnum};

use super::DaemonUrl;
use crate::config::parse_duration;

/// Flags of `top`.
#[derive(Clone, Debug, Group)]
pub struct TopArgs {
    /// Daemon to ask, http://HOST:PORT; only it is asked then, and waited for. Without this,
    /// http://127.0.0.1:10061, and when nothing answers there, this command looks itself
    #[arg(long, value_name = "URL", conflicts_with = "local")]
    pub url: Option<DaemonUrl>,
    /// Ask no daemon: look at this host, as `volumes` and the other commands do
    #[arg(long)]
    pub local: bool,
    /// Time between two looks, such as 500ms, 2s or 1m; an own look takes a tenth of the time at
    /// most
    #[arg(long, short = 'd', value_name = "TIME", default_value = "2s", value_parser = interval)]
    pub interval: Duration,
    /// Print one screen as plain text and end; so too where standard output is no terminal
    #[arg(long)]
    pub once: bool,
    /// Begin with this view; with --once, print this one only
    #[arg(long, value_enum)]
    pub view: Option<View>,
    /// Order of the rows; where a view has no such column, by what needs attention
    #[arg(long, short, value_enum, default_value_t = Sort::Attention)]
    pub sort: Sort,
    /// The other way round
    #[arg(long, short)]
    pub reverse: bool,
    /// Rows at most; as many as there is room for, or 10 of each table with --once
    #[arg(long, short = 'n', alias = "rows", value_name = "N", value_parser = rows)]
    pub count: Option<usize>,
}

/// What `plimsoll top --help` says at its end.
pub const HELP: &str = "\
Keys: q quits, tab or 1 to 4 choose a view, arrows and PgUp/PgDn a row, / filters, a u b g f i o n
sort, r turns the order round, space looks again at once, ? explains the rest.

The first line says who made the picture (a daemon, or this command) and how old it is. Growth
and time to full need a daemon: one look knows no history. While a daemon that answered before is
away, the last picture stays and the screen says for how long it has been waited for. Signs tell
what colours tell: ! critical, * warning, i info. NO_COLOR=1 leaves the colours out.

Examples:
  plimsoll top --view volumes --sort full     what is full first
  plimsoll top --once | mail -s plimsoll ops  one screen, as text
  plimsoll top --url http://agent7:10061      another host's daemon";

/// `2s`, `500ms`, or a bare number of seconds, as `top -d` takes it.
fn interval(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let interval = seconds.map_or_else(|| parse_duration(text), Ok)?;
    let bounds = Duration::from_millis(100)..=Duration::from_secs(3600);
    if !bounds.contains(&interval) {
        return Err("it must be between 100ms and 1h".into());
    }
    Ok(interval)
}

fn rows(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("it must be 1 or more".into()),
        Ok(rows) => Ok(rows),
    }
}

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum View {
    /// What is wrong.
    Findings,
    /// Volumes.
    Volumes,
    /// Sandboxes.
    Sandboxes,
    /// Filesystems.
    Filesystems,
}

impl View {
    /// Every view, in the order of its tab.
    pub const ALL: [Self; 4] = [Self::Findings, Self::Volumes, Self::Sandboxes, Self::Filesystems];

    /// Heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Findings => "Findings",
            Self::Volumes => "Volumes",
            Self::Sandboxes => "Sandboxes",
            Self::Filesystems => "Filesystems",
        }
    }

    /// The view `steps` further, round and round.
    #[must_use]
    pub fn step(self, steps: usize) -> Self {
        Self::ALL[(self as usize + steps) % Self::ALL.len()]
    }
}

/// What rows are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// What needs attention first
    Attention,
    /// Part of the quota or filesystem that is used, fullest first
    Use,
    /// Bytes used, most first
    Bytes,
    /// Bytes a day it grows, fastest first
    Growth,
    /// Time until it is full, soonest first
    Full,
    /// Inodes, most first
    Files,
    /// Age of the value (of a finding: since when it holds), oldest first
    Age,
    /// Name
    Name,
}

impl Sort {
    /// Every order with its key.
    pub const ALL: [(char, Self); 8] = [
        ('a', Self::Attention),
        ('u', Self::Use),
        ('b', Self::Bytes),
        ('g', Self::Growth),
        ('f', Self::Full),
        ('i', Self::Files),
        ('o', Self::Age),
        ('n', Self::Name),
    ];

    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Attention => "what needs attention",
            Self::Use => "use %",
            Self::Bytes => "bytes",
            Self::Growth => "growth",
            Self::Full => "time to full",
            Self::Files => "inodes",
            Self::Age => "age",
            Self::Name => "name",
        }
    }

    /// The one word for it, as `--sort` takes it.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The next one of those that a view can be sorted by.
    #[must_use]
    pub fn next(self, view: View) -> Self {
        let at = Self::ALL.iter().position(|(_, sort)| *sort == self).unwrap_or(0);
        let after = (1..=Self::ALL.len()).map(|step| Self::ALL[(at + step) % Self::ALL.len()].1);
        after.into_iter().find(|sort| sort.fits(view)).unwrap_or(Self::Attention)
    }

    /// Whether rows of that view have what it sorts by. Others stand by attention.
    pub fn fits(self, view: View) -> bool {
        view != View::Findings || matches!(self, Self::Attention | Self::Age | Self::Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Args, Command};
    use clap::Parser;

    #[test]
    fn top_takes_what_top_takes() {
        let top = |line: &str| match Args::try_parse_from(line.split(' ')).unwrap().command {
            Command::Top(top) => top,
            other => panic!("{other:?}"),
        };
        let plain = top("plimsoll top");
        assert_eq!(
            (plain.interval, plain.once, plain.count),
            (Duration::from_secs(2), false, None)
        );
        assert_eq!((plain.url, plain.view, plain.sort), (None, None, Sort::Attention));
        assert_eq!(top("plimsoll top -d 0.5").interval, Duration::from_millis(500));
        assert_eq!(top("plimsoll top --interval 1m").interval, Duration::from_secs(60));
        let chosen = top("plimsoll top --view volumes -s full -r -n 5 --url http://a:1");
        assert_eq!((chosen.view, chosen.sort), (Some(View::Volumes), Sort::Full));
        assert_eq!((chosen.reverse, chosen.count), (true, Some(5)));
        for bad in [
            "-d 0",
            "-d 99ms",
            "-d 2h",
            "-d soon",
            "-d -1",
            "-n 0",
            "--local --url http://a",
            "--url a",
        ] {
            let line = format!("plimsoll top {bad}");
            assert!(Args::try_parse_from(line.split(' ')).is_err(), "{bad}");
        }
    }
}
