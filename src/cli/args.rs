//! Every flag of every command. Names follow the customs of the Prometheus exporters.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Group, Parser, Subcommand, ValueEnum, ValueHint};

use super::logging::{LogFormat, LogLevel};
use super::rows::Output;
use super::top::{self, TopArgs};
use super::{ListenAddress, version};
use crate::config::parse_duration;
use crate::host::Roots;
use crate::measure::usage::usual_threads;

/// What the exit status of `check` tells.
const CHECK_ENDS: &str = "Ends with 0 when all that is there can be read, and with 1 when something \
    is not as it should be, a configuration file that is refused included.";
/// What the exit status of a list tells.
const LIST_ENDS: &str = "Ends with 0 when every source could be read, with 2 when one could not and \
    the list may lack rows, and with 1 when there is no list.";

/// The load line for the storage of a cluster's tasks.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "plimsoll",
    version = version::long(),
    arg_required_else_help = true,
    subcommand_required = true,
    infer_subcommands = false,
    max_term_width = 100
)]
pub struct Args {
    /// Flags of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Clone, Debug, Group)]
#[command(next_help_heading = "Everywhere")]
pub struct GlobalArgs {
    /// Configuration file; /etc/plimsoll/plimsoll.yml if it is there
    #[arg(long = "config.file", value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    pub config_file: Option<PathBuf>,
    /// Where the proc filesystem is mounted
    #[arg(long = "path.procfs", value_name = "DIR", global = true, default_value = "/proc", value_hint = ValueHint::DirPath)]
    pub procfs: PathBuf,
    /// Where the sys filesystem is mounted
    #[arg(long = "path.sysfs", value_name = "DIR", global = true, default_value = "/sys", value_hint = ValueHint::DirPath)]
    pub sysfs: PathBuf,
    /// Where the host's root is mounted (in a container: the host's / bind-mounted there)
    #[arg(long = "path.rootfs", value_name = "DIR", global = true, default_value = "/", value_hint = ValueHint::DirPath)]
    pub rootfs: PathBuf,
    /// Least severity that is logged
    #[arg(long = "log.level", value_name = "LEVEL", global = true, value_enum, default_value_t = LogLevel::Info)]
    pub log_level: LogLevel,
    /// Form of a log line
    #[arg(long = "log.format", value_name = "FORMAT", global = true, value_enum, default_value_t = LogFormat::Logfmt)]
    pub log_format: LogFormat,
}

impl GlobalArgs {
    /// The roots the flags name.
    pub fn roots(&self) -> Roots {
        Roots {
            procfs: self.procfs.clone(),
            sysfs: self.sysfs.clone(),
            rootfs: self.rootfs.clone(),
        }
    }
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the daemon: discover, measure and serve metrics, API and status page
    Serve(ServeArgs),
    /// List the volumes of this host and what they hold
    #[command(after_help = LIST_ENDS)]
    Volumes(ListArgs),
    /// List the sandboxes of this host and what they hold
    #[command(after_help = LIST_ENDS)]
    Sandboxes(ListArgs),
    /// List data that nobody claims, and what to do about it
    #[command(after_help = LIST_ENDS)]
    Orphans(ListArgs),
    /// Watch findings, volumes, sandboxes and filesystems live in the terminal
    #[command(after_help = top::HELP)]
    Top(TopArgs),
    /// Measure directory trees, as exactly as du
    Scan(ScanArgs),
    /// Say what works, what is missing and what to do about it
    #[command(after_help = CHECK_ENDS)]
    Check(CheckArgs),
    /// Serve a made-up host in a temporary directory, to look around
    Demo(DemoArgs),
    /// Serve every agent of a cluster as Prometheus targets (HTTP SD), or write them (file SD)
    Discover(DiscoverArgs),
    /// Print the reference of every metric
    Metrics(MetricsArgs),
    /// Make the rules for Prometheus, with the thresholds of the configuration
    Rules(RulesArgs),
}

/// How a site is offered, whichever it is.
#[derive(Clone, Debug, Default, Group)]
pub struct WebArgs {
    /// File with TLS, users, headers and rate limit of our own port (docs/web.md)
    #[arg(long = "web.config.file", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub web_config_file: Option<PathBuf>,
    /// Listen on the sockets that systemd passes instead of --web.listen-address
    #[arg(long = "web.systemd-socket")]
    pub systemd_socket: bool,
}

/// Flags of `serve`.
#[derive(Clone, Debug, Group)]
pub struct ServeArgs {
    /// Address to listen on, such as :10061 or 127.0.0.1:10061; may be given several times
    #[arg(long = "web.listen-address", value_name = "ADDRESS", default_value = ":10061")]
    pub listen: Vec<ListenAddress>,
    /// TLS, users and sockets.
    #[command(flatten)]
    pub web: WebArgs,
    /// Let POST /-/reload reload the configuration (SIGHUP always does)
    #[arg(long = "web.enable-lifecycle")]
    pub enable_lifecycle: bool,
}

/// Flags of `demo`.
#[derive(Clone, Debug, Group)]
pub struct DemoArgs {
    /// Address to listen on; may be given several times
    #[arg(long = "web.listen-address", value_name = "ADDRESS", default_value = "127.0.0.1:10061")]
    pub listen: Vec<ListenAddress>,
    /// Make the scene in a new folder of this directory instead of the temporary one
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub directory: Option<PathBuf>,
}

/// Flags of `discover`. Credentials and TLS settings come from `mesos` in the configuration.
#[derive(Clone, Debug, Group)]
pub struct DiscoverArgs {
    /// Base URL of a master, such as <http://master.example.org:5050>; several are tried in turn, and
    /// a standby leads on to the leader
    #[arg(long = "mesos-master", value_name = "URL", required = true)]
    pub masters: Vec<String>,
    /// Address to listen on; may be given several times
    #[arg(long = "web.listen-address", value_name = "ADDRESS", default_value = ":10062")]
    pub listen: Vec<ListenAddress>,
    /// TLS, users and sockets.
    #[command(flatten)]
    pub web: WebArgs,
    /// Also write the targets to this file (file SD), replaced whole when they change
    #[arg(long = "output.file", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// Ask once, write the file or print the targets, and end
    #[arg(long)]
    pub once: bool,
    /// Pause between two questions
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = parse_duration)]
    pub interval: Duration,
    /// How long an agent that is no longer registered stays a target
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = parse_duration)]
    pub retention: Duration,
    /// Port on which Plimsoll listens on the agents' hosts
    #[arg(long = "target.port", value_name = "PORT", default_value_t = 10061)]
    pub port: u16,
    /// Name hosts by what they registered with, or by the address of the agent
    #[arg(long = "target.address", value_enum, default_value_t = TargetAddress::Hostname)]
    pub address: TargetAddress,
    /// Attributes that become labels, with commas between them; all when absent
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub attributes: Option<Vec<String>>,
}

/// What a target is named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TargetAddress {
    /// The host name an agent registered with.
    Hostname,
    /// The address of its process.
    Ip,
}

/// How a command prints its rows.
#[derive(Clone, Copy, Debug, Group)]
pub struct OutputArgs {
    /// Form of the output
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    /// Leave the line of headers out (table and csv)
    #[arg(long)]
    pub no_headers: bool,
}

/// Flags of `volumes` and `sandboxes`.
#[derive(Clone, Debug, Group)]
pub struct ListArgs {
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
    /// With how many threads.
    #[command(flatten)]
    pub effort: EffortArgs,
}

/// How much of the machine a measurement may use.
#[derive(Clone, Copy, Debug, Group)]
pub struct EffortArgs {
    /// Threads that walk one filesystem together; two by default, one where there is one core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: Option<u16>,
}

impl EffortArgs {
    /// Threads for each filesystem.
    pub fn threads(self) -> usize {
        self.threads.map_or_else(usual_threads, usize::from)
    }
}

/// Flags of `scan`.
#[derive(Clone, Debug, Group)]
pub struct ScanArgs {
    /// Directories to measure; other mounts below them are not entered
    #[arg(value_name = "PATH", required = true, value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
    /// With how many threads.
    #[command(flatten)]
    pub effort: EffortArgs,
}

/// Flags of `check`.
#[derive(Clone, Debug, Group)]
pub struct CheckArgs {
    /// Form of the output
    #[arg(long, short, value_enum, default_value_t = CheckOutput::Text)]
    pub output: CheckOutput,
    /// Also read this file with TLS, users, headers and rate limit of our own port, and all it names
    #[arg(long = "web.config.file", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub web_config_file: Option<PathBuf>,
}

/// Forms of `check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckOutput {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Flags of `rules`.
#[derive(Clone, Debug, Group)]
pub struct RulesArgs {
    /// Make the recording rules of a fleet instead of the alert rules
    #[arg(long)]
    pub recording: bool,
    /// Write the rules to this file, replaced whole, instead of printing them
    #[arg(long = "output.file", alias = "output", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// Name of the job in Prometheus' configuration that scrapes Plimsoll
    #[arg(long, value_name = "NAME", default_value = "plimsoll")]
    pub job: String,
    /// Where your people find docs/runbook.md; the section of an alert follows after #
    #[arg(long = "runbook-url", value_name = "URL", default_value = "docs/runbook.md")]
    pub runbook: String,
}

/// Flags of `metrics`.
#[derive(Clone, Debug, Group)]
pub struct MetricsArgs {
    /// Form of the output
    #[arg(long, short, value_enum, default_value_t = MetricsOutput::Text)]
    pub output: MetricsOutput,
}

/// Forms of `metrics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MetricsOutput {
    /// For a terminal.
    Text,
    /// For the documentation.
    Markdown,
    /// For programs.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use clap::error::ErrorKind;
    use std::path::Path;

    fn parse(line: &str) -> Args {
        Args::try_parse_from(line.split(' ')).unwrap()
    }

    fn refuse(line: &str) -> clap::Error {
        Args::try_parse_from(line.split(' ')).unwrap_err()
    }

    #[test]
    fn the_definition_holds() {
        Args::command().debug_assert();
    }

    #[test]
    fn serve_has_the_exporters_defaults() {
        let args = parse("plimsoll serve");
        let Command::Serve(serve) = args.command else { panic!("{args:?}") };
        assert_eq!(serve.listen, [":10061".parse().unwrap()]);
        assert!(!serve.enable_lifecycle);
        assert_eq!(args.global.roots(), Roots::default());
        assert_eq!(args.global.config_file, None);
        assert_eq!(args.global.log_level, LogLevel::Info);
        assert_eq!(args.global.log_format, LogFormat::Logfmt);
    }

    #[test]
    fn dotted_flags_stand_before_or_after_the_command() {
        let before = parse("plimsoll --path.rootfs /host --log.level debug serve");
        let after = parse("plimsoll serve --path.rootfs=/host --log.level=debug");
        for args in [before, after] {
            assert_eq!(args.global.rootfs, Path::new("/host"));
            assert_eq!(args.global.log_level, LogLevel::Debug);
        }
    }

    #[test]
    fn addresses_repeat_and_replace_the_default() {
        let args = parse("plimsoll serve --web.listen-address 127.0.0.1:1 --web.listen-address :2");
        let Command::Serve(serve) = args.command else { panic!("{args:?}") };
        let shown: Vec<String> = serve.listen.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["127.0.0.1:1", ":2"]);
        assert_eq!(
            refuse("plimsoll serve --web.listen-address x").kind(),
            ErrorKind::ValueValidation
        );
    }

    #[test]
    fn outputs_have_a_short_flag() {
        let args = parse("plimsoll volumes -o json --no-headers");
        let Command::Volumes(list) = args.command else { panic!("{args:?}") };
        assert_eq!((list.output.output, list.output.no_headers), (Output::Json, true));
        assert_eq!(refuse("plimsoll volumes -o xml").kind(), ErrorKind::InvalidValue);
    }

    #[test]
    fn scan_needs_a_path() {
        assert_eq!(refuse("plimsoll scan").kind(), ErrorKind::MissingRequiredArgument);
        let args = parse("plimsoll scan /a /b --output csv");
        let Command::Scan(scan) = args.command else { panic!("{args:?}") };
        assert_eq!(scan.paths, [Path::new("/a"), Path::new("/b")]);
        assert_eq!(scan.output.output, Output::Csv);
    }

    #[test]
    fn threads_have_bounds() {
        let threads = |line: &str| match parse(line).command {
            Command::Scan(ScanArgs { effort, .. })
            | Command::Volumes(ListArgs { effort, .. })
            | Command::Sandboxes(ListArgs { effort, .. }) => effort.threads(),
            other => panic!("{other:?}"),
        };
        assert_eq!(threads("plimsoll scan /a --threads 4"), 4);
        assert_eq!(threads("plimsoll sandboxes --threads=1"), 1);
        assert!((1..=2).contains(&threads("plimsoll volumes")));
        for bad in ["0", "65", "-1", "many"] {
            refuse(&format!("plimsoll volumes --threads={bad}"));
        }
    }

    #[test]
    fn rules_are_printed_for_the_usual_job() {
        let args = parse("plimsoll rules");
        let Command::Rules(rules) = args.command else { panic!("{args:?}") };
        assert_eq!((rules.job.as_str(), rules.file, rules.recording), ("plimsoll", None, false));
        let args = parse("plimsoll rules --recording --output r.yml --job storage");
        let Command::Rules(rules) = args.command else { panic!("{args:?}") };
        assert_eq!((rules.job.as_str(), rules.recording), ("storage", true));
        assert_eq!(rules.file.as_deref(), Some(Path::new("r.yml")));
    }

    #[test]
    fn demo_stays_on_this_host() {
        let args = parse("plimsoll demo");
        let Command::Demo(demo) = args.command else { panic!("{args:?}") };
        assert_eq!(demo.listen, ["127.0.0.1:10061".parse().unwrap()]);
    }

    #[test]
    fn no_command_shows_the_help_and_version_says_what_it_is() {
        let kind = ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
        assert_eq!(refuse("plimsoll").kind(), kind);
        let version = refuse("plimsoll --version");
        assert_eq!(version.kind(), ErrorKind::DisplayVersion);
        let expected = format!("plimsoll {} (revision: ", env!("CARGO_PKG_VERSION"));
        assert!(version.to_string().starts_with(&expected), "{version}");
    }
}
