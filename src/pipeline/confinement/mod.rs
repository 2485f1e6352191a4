//! The daemon bounds itself with [Landlock](crate::host::landlock) before it starts any thread, as far
//! as the kernel can: `security.landlock`. docs/decisions/0021-landlock.md says what is left open
//! and why.
//!
//! What is known at the start decides for good. Whatever turns up later outside of it is told with
//! what to do, as errors of a source of its own; nothing is measured there, so nothing is wrong.

mod needs;
mod places;
mod rules;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::{Config, DEFAULT_PATH, Enabled, Landlock};
use crate::discover::mesos::locate::{Locator, locate};
use crate::discover::mesos::settings::Resolved;
use crate::discover::mesos::{api, settings};
use crate::host::landlock::{self, Access, Bounds};
use crate::host::{Guard, MountTable, Roots};
use crate::measure::usage::fanotify::selftest::Proof;
use crate::model::{Inventory, SourceError, SourceHealth, SourceReport};
use crate::text;

use super::fanotify;
use super::helper::Helper;
use places::Found;
use rules::Rules;

const NAME: &str = "landlock";
/// How often it is looked whether what may be read is still what is there.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Subjects that are named; the rest is counted.
const MOST_NAMED: usize = 3;

/// What of the command line has to stay open.
#[derive(Clone, Debug, Default)]
pub struct Own {
    /// `--config.file`.
    pub config_file: Option<PathBuf>,
    /// `--web.config.file`.
    pub web_file: Option<PathBuf>,
    /// Ports of `--web.listen-address`.
    pub ports: Vec<u16>,
}

/// What keeps the daemon within its bounds, and what it has from before.
#[derive(Default)]
pub struct Confinement {
    force: Force,
    roots: Roots,
    /// What was asked for last and granted.
    accepted: Mutex<Config>,
    helper: Option<Arc<Helper>>,
    proved: Option<Result<Proof, String>>,
    seen: Mutex<Option<Seen>>,
}

/// Whether there are bounds.
#[derive(Default)]
enum Force {
    /// Not asked for.
    #[default]
    Off,
    /// The kernel cannot: why.
    Missing(String),
    /// They hold.
    On { abi: u32, whole: bool, rules: Rules },
}

/// What the last look found.
struct Seen {
    at: Instant,
    of: (Option<PathBuf>, Option<PathBuf>),
    errors: Vec<SourceError>,
}

impl Confinement {
    /// No bounds.
    pub fn none() -> Self {
        Self::default()
    }

    /// Bounds the calling thread, and all it starts from now on. To be called while it is the only
    /// one; it must live as long as the process. Says in the log what is in force.
    ///
    /// # Errors
    /// When bounds are to be strict, and the kernel has Landlock and refuses.
    pub fn enter(config: &Config, roots: &Roots, own: &Own) -> anyhow::Result<Self> {
        let mut new =
            Self { roots: roots.clone(), accepted: Mutex::new(config.clone()), ..Self::default() };
        if config.security.landlock == Landlock::False {
            tracing::info!("Landlock is off (security.landlock)");
            return Ok(new);
        }
        let abi = match landlock::abi() {
            Ok(abi) => abi,
            Err(error) => {
                let why = landlock::why_not(&error);
                tracing::warn!(why, "No Landlock: this process may open what its user may");
                new.force = Force::Missing(why);
                return Ok(new);
            }
        };
        match Helper::start(roots) {
            Ok(helper) => new.helper = Some(Arc::new(helper)),
            Err(error) => tracing::error!(
                %error,
                "No process that looks into other processes: who holds files open is not known"
            ),
        }
        if config.usage.fanotify {
            new.proved = Some(fanotify::prove(config));
        }
        let found = new.look_around(config, own);
        for (need, note) in found.iter().filter_map(|one| Some((&one.need, one.note.as_ref()?))) {
            let path = text::path(&need.path).to_string();
            tracing::warn!(path, of = need.why, note, "Stays closed until Plimsoll is restarted");
        }
        let rules = Rules::of(&found);
        for one in found.iter().filter(|one| one.above) {
            let (path, opened) = (&one.need.path, &one.places[0].path);
            let (path, opened) = (text::path(path).to_string(), text::path(opened).to_string());
            tracing::info!(path, opened, "Not there yet: the directory above it was opened");
        }
        let places = found.into_iter().flat_map(|one| {
            let access = one.need.access;
            one.places.into_iter().map(move |place| (place, access))
        });
        // Where the service manager listens on an abstract socket, it must be heard.
        let abstract_sockets =
            std::env::var("NOTIFY_SOCKET").is_ok_and(|name| name.starts_with('@'));
        let bounds = Bounds {
            places: places.collect(),
            list_anywhere: config.security.landlock != Landlock::Strict,
            ports: own.ports.clone(),
            abstract_sockets,
        };
        let whole = match landlock::restrict(bounds) {
            Ok(whole) => whole,
            Err(error) if config.security.landlock == Landlock::Strict => return Err(error.into()),
            Err(error) => {
                let why = error.to_string();
                tracing::error!(why, "No Landlock: this process may open what its user may");
                new.force = Force::Missing(why);
                return Ok(new);
            }
        };
        let mode = config.security.landlock.as_str();
        tracing::info!(abi, mode, rules = rules.len(), "Landlock is in force");
        new.force = Force::On { abi, whole, rules };
        Ok(new)
    }

    /// Everything that has to stay open, opened.
    fn look_around(&self, config: &Config, own: &Own) -> Vec<Found> {
        let limit = config.filesystems.timeout;
        let mounts = MountTable::read(&self.roots).unwrap_or_default();
        let mut needs = needs::of_the_system(&self.roots, &mounts);
        needs.extend(needs::of_the_configuration(config));
        let file = own.config_file.as_deref().unwrap_or(Path::new(DEFAULT_PATH));
        needs.extend(needs::of_our_own(config, file, own.web_file.as_deref()));
        if config.mesos.enabled != Enabled::False
            && let Some(resolved) = self.find_agent(config)
        {
            needs.extend(needs::of_the_agent(&resolved));
        }
        if config.security.landlock != Landlock::Strict {
            // One need stands for all: everything may be listed.
            needs.retain(|need| need.access != Access::List || need.path == Path::new("/"));
        }
        // Configuration and agent name the same directories as a rule.
        let mut known = HashSet::new();
        needs.retain(|need| known.insert((need.path.clone(), need.access)));
        places::open(needs, &self.roots, limit)
    }

    /// The agent, as far as it can be found before anything else runs.
    fn find_agent(&self, config: &Config) -> Option<Resolved> {
        let located = match &self.helper {
            Some(helper) => helper.locate(),
            None => locate(&self.roots),
        };
        let mut resolved = Resolved::merge(&config.mesos, &self.roots, located)?;
        if resolved.work_dir.is_none()
            && let Some(flags) = resolved.url.as_ref().and_then(|url| flags(config, &url.value))
        {
            resolved.complete(&flags);
        }
        Some(resolved)
    }

    /// Looks into other processes, where this one may not.
    pub fn helper(&self) -> Option<Arc<Helper>> {
        self.helper.clone()
    }

    /// Looks for the agent, where this process may not.
    pub fn locator(&self) -> Option<Locator> {
        let helper = self.helper()?;
        Some(Arc::new(move || helper.locate()))
    }

    /// What the test of fanotify said, which cannot be made any more.
    pub(super) fn proved(&self) -> Option<Result<Proof, String>> {
        self.proved.clone()
    }

    /// Whether a new configuration can be taken into force. An error: what a restart is needed for.
    ///
    /// # Errors
    /// One line with the key and the path.
    pub fn admit(&self, config: &Config) -> Result<(), String> {
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = accepted.security != config.security;
        if changed && !matches!(self.force, Force::Missing(_)) {
            return Err("restart needed: security.landlock and security.landlock_directories are \
                        read at the start only"
                .into());
        }
        if let Force::On { rules, .. } = &self.force {
            let before = needs::of_the_configuration(&accepted);
            let mut new = needs::of_the_configuration(config);
            // What was outside before is told by each report, and no reason to refuse a change.
            new.retain(|need| !before.contains(need));
            let found = places::open(new, &self.roots, config.filesystems.timeout);
            if let Some(need) = rules.outside(&found) {
                return Err(format!(
                    "restart needed: {}: {} lies outside of what this process may {} since its \
                     start (security.landlock)",
                    need.why,
                    text::path(&need.path),
                    word(need.access),
                ));
            }
        }
        *accepted = config.clone();
        Ok(())
    }

    /// What to add to an error about a file that is read again; empty where it says nothing new.
    pub fn explain(&self, path: &Path) -> &'static str {
        let denied = || {
            std::fs::File::open(path)
                .is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
        };
        match &self.force {
            Force::On { .. } if denied() => {
                "; if it was replaced, or is another file than at the start, restart Plimsoll: \
                 Landlock lets only the old one be read (security.landlock)"
            }
            _ => "",
        }
    }

    /// What turned up outside of the bounds, or was replaced within them.
    pub(super) fn report(&self, inventory: &Inventory, guard: &Guard) -> Option<SourceReport> {
        let report = |health, target: String, errors| {
            Some(SourceReport { name: NAME, health, target, errors, duration_seconds: 0.0 })
        };
        let (abi, whole, rules) = match &self.force {
            Force::Off => return None,
            Force::Missing(why) => {
                let error = SourceError {
                    reason: "missing",
                    message: format!("not in force: {why}"),
                    hint: "nothing is lost by it but the bounds themselves".into(),
                };
                return report(SourceHealth::Absent, "not in force".into(), vec![error]);
            }
            Force::On { abi, whole, rules } => (*abi, *whole, rules),
        };
        let config = self.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut errors = self.look_again(&config, rules, inventory, guard);
        if config.security.landlock == Landlock::Strict {
            errors.extend(self.unlisted(rules, inventory));
        }
        let health = if errors.is_empty() { SourceHealth::Ok } else { SourceHealth::Partial };
        let mode = config.security.landlock.as_str();
        let part = if whole { "" } else { ", with fewer rights than newer kernels" };
        report(health, format!("ABI {abi}, {mode}{part}"), errors)
    }

    /// Directories of the agent and of our own that may not be read any more, or never might.
    fn look_again(
        &self,
        config: &Config,
        rules: &Rules,
        inventory: &Inventory,
        guard: &Guard,
    ) -> Vec<SourceError> {
        let agent = inventory.agent.as_ref();
        let dirs = agent.map(|agent| (agent.work_dir.clone(), agent.runtime_dir.clone()));
        let of = dirs.unwrap_or_default();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = seen.as_ref()
            && seen.of == of
            && seen.at.elapsed() < LOOK_EVERY
        {
            return seen.errors.clone();
        }
        let current = rules.current(guard);
        let mut errors: Vec<SourceError> = rules
            .lost(&current)
            .map(|rule| {
                let what = format!("{} ({})", text::path(&rule.path), rule.why);
                denied(format!("{what} was replaced since the start and may not be read any more"))
            })
            .collect();
        let (work_dir, runtime_dir) = &of;
        let read =
            work_dir.as_deref().map(needs::checkpoint).into_iter().chain(runtime_dir.clone());
        let reach = |path: PathBuf| {
            let real = guard.resolve(&self.roots.inside(&path)).ok()?;
            let there = real.clone();
            let exists = guard.run(&real, "lstat", move || there.symlink_metadata().is_ok());
            exists.is_ok_and(|exists| exists).then_some(real)
        };
        let mut wanted: Vec<_> = read.filter_map(reach).map(|real| (real, Access::Read)).collect();
        if config.storage.enabled != Enabled::False {
            let path = config.storage.path.clone();
            let there = path.clone();
            let exists = guard.run(&path, "lstat", move || there.canonicalize().ok());
            wanted.extend(exists.ok().flatten().map(|real| (real, Access::Write)));
        }
        for (path, access) in wanted {
            // One that was opened and replaced is told above.
            if !current.covers(&path, access) && !rules.covers(&path, access) {
                let path = text::path(&path);
                let word = word(access);
                errors.push(denied(format!(
                    "{path} lies outside of what this process may {word} since its start"
                )));
            }
        }
        *seen = Some(Seen { at: Instant::now(), of, errors: errors.clone() });
        errors
    }

    /// Subjects that a strict daemon may not list.
    fn unlisted(&self, rules: &Rules, inventory: &Inventory) -> Option<SourceError> {
        let volumes = inventory.volumes.iter().filter_map(|volume| volume.path.as_ref());
        let sandboxes = inventory.sandboxes.iter().map(|sandbox| &sandbox.path);
        let mut outside: Vec<&PathBuf> = volumes
            .chain(sandboxes)
            .filter(|path| !rules.covers(&self.roots.inside(path), Access::List))
            .collect();
        outside.sort();
        outside.dedup();
        let named: Vec<String> =
            outside.iter().take(MOST_NAMED).map(|path| text::path(path).to_string()).collect();
        (!named.is_empty()).then(|| SourceError {
            reason: "permission",
            message: format!(
                "{} directories lie outside of what strict Landlock lets this process list, and \
                 have no bytes: {}{}",
                outside.len(),
                named.join(", "),
                if outside.len() > MOST_NAMED { ", …" } else { "" },
            ),
            hint: "add what holds them to security.landlock_directories, or set security.landlock \
                   to auto, then restart Plimsoll"
                .into(),
        })
    }
}

fn word(access: Access) -> &'static str {
    match access {
        Access::List => "list",
        Access::Read => "read",
        Access::Write => "write",
    }
}

fn denied(message: String) -> SourceError {
    SourceError {
        reason: "permission",
        message,
        hint:
            "restart Plimsoll (systemctl restart plimsoll): what Landlock leaves open is settled \
               at the start (security.landlock)"
                .into(),
    }
}

/// The flags of an agent that nothing on this host tells of. Every thread of it has ended when this
/// returns, unless a name is still being looked up.
fn flags(config: &Config, url: &str) -> Option<std::collections::BTreeMap<String, String>> {
    let client = api::Client::new(settings::api_config(&config.mesos, url)).ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let flags = runtime.block_on(api::read_flags(&client));
    // Connections end with the client, their tasks with the runtime.
    drop(client);
    runtime.shutdown_timeout(Duration::from_millis(100));
    flags
}
