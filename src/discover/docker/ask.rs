//! One round of questions to the engine.
//!
//! Only lists that cost it little are asked for: never `system df` nor `size=1`, which walk every
//! layer under the engine's locks. A container is inspected once, and again when something
//! happened to it.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;

use super::answers::{
    Container, Info, Inspected, LogConfig, Mount, Version, Volume, Volumes, Words,
};
use super::client::Client;
use super::error::{EngineError, Failure};
use super::facts::{
    ContainerFacts, Details, Engine, Log, MountFacts, MountSource, VolumeFacts, is_chosen_name,
};
use super::{data_root, options, process};

/// API spoken where the engine can: every field read here is in it.
const OURS: (u32, u32) = (1, 44);
/// Label by which newer engines mark volumes without a name of their own.
const ANONYMOUS: &str = "com.docker.volume.anonymous";
/// Containers inspected at once.
const AT_ONCE: usize = 8;
/// Least bytes of what one container may be told in, where less of them all is allowed.
const LEAST_INSPECTED: u64 = 1 << 20;
/// Longest label that is shown, in characters.
const MAX_LABEL: usize = 256;

/// What is asked.
pub struct Question {
    /// Whom.
    pub client: Client,
    /// What is known of the engine since it began to answer.
    pub engine: Option<Engine>,
    /// What is known of containers by id, from earlier rounds.
    pub details: HashMap<String, Arc<Details>>,
    /// Labels to keep.
    pub labels: Vec<String>,
    /// Where processes are seen.
    pub procfs: PathBuf,
}

/// What the engine said.
pub struct Answer {
    /// The engine.
    pub engine: Engine,
    /// Every volume.
    pub volumes: Vec<VolumeFacts>,
    /// Drivers that could not be asked, one line each: their volumes may be missing.
    pub warnings: Vec<String>,
    /// Every container, stopped ones too.
    pub containers: Vec<ContainerFacts>,
    /// What went wrong beside.
    pub errors: Vec<EngineError>,
    /// Containers that were not looked at closely yet.
    pub unfinished: usize,
}

/// Asks the engine everything.
///
/// # Errors
/// When one of the lists could not be read whole: then nothing is known.
pub async fn ask(question: Question) -> Result<Answer, EngineError> {
    let Question { client, engine, details, labels, procfs } = question;
    let engine = match engine {
        Some(engine) => engine,
        None => meet(&client).await?,
    };
    let path = |rest: &str| format!("{}{rest}", engine.prefix);
    // Volumes first: what a container made in between refers to is then not yet listed, instead of
    // listed without its container.
    let volumes: Volumes = client.get(&path("/volumes")).await?;
    let containers: Vec<Container> = client.get(&path("/containers/json?all=1")).await?;
    let mut containers: Vec<ContainerFacts> = containers
        .into_iter()
        .filter(|container| is_id(&container.id))
        .map(|container| of_container(container, &labels))
        .collect();
    let (errors, unfinished) = inspect(&client, &engine, &mut containers, details, &procfs).await;
    Ok(Answer {
        volumes: volumes.volumes.into_iter().map(|volume| of_volume(volume, &labels)).collect(),
        warnings: volumes.warnings,
        containers,
        errors,
        unfinished,
        engine,
    })
}

/// What the engine's lists say, from their text: what a round makes of them without a question.
/// `inspected` is what it says of the first container.
///
/// # Errors
/// When one of them is no such list.
pub fn read_lists(
    volumes: &[u8],
    containers: &[u8],
    inspected: &[u8],
    labels: &[String],
    procfs: &Path,
) -> Result<(Vec<VolumeFacts>, Vec<ContainerFacts>), serde_json::Error> {
    let volumes: Volumes = serde_json::from_slice(volumes)?;
    let containers: Vec<Container> = serde_json::from_slice(containers)?;
    let mut containers: Vec<ContainerFacts> = containers
        .into_iter()
        .filter(|container| is_id(&container.id))
        .map(|container| of_container(container, labels))
        .collect();
    if let Some(first) = containers.first_mut() {
        let inspected = serde_json::from_slice(inspected)?;
        let root = Path::new(super::data_root::DEFAULT);
        first.details = Some(Arc::new(details(inspected, first, root, procfs)));
    }
    Ok((volumes.volumes.into_iter().map(|volume| of_volume(volume, labels)).collect(), containers))
}

async fn meet(client: &Client) -> Result<Engine, EngineError> {
    let version: Version = client.get("/version").await?;
    let prefix = prefix(&version).ok_or_else(|| EngineError {
        what: format!("GET /version of {}", client.shown),
        failure: Failure::Malformed("it names no API version".into()),
    })?;
    let info: Info = client.get(&format!("{prefix}/info")).await?;
    let podman = version.components.iter().find(|part| part.name.contains("Podman"));
    let inspect = podman.and_then(|part| own_prefix(&part.details.min_api_version));
    let podman = podman.is_some();
    Ok(Engine {
        inspect: inspect.unwrap_or_else(|| prefix.clone()),
        program: if podman { "podman" } else { "docker" },
        version: shortened(&version.version),
        prefix,
        root: info.docker_root_dir,
        driver: info.driver,
    })
}

/// The newest version both speak; of an engine that speaks only newer ones, its oldest.
fn prefix(version: &Version) -> Option<String> {
    let newest = numbers(&version.api_version)?;
    let oldest = numbers(&version.min_api_version).unwrap_or((0, 0));
    let (major, minor) = newest.min(OURS).max(oldest);
    Some(format!("/v{major}.{minor}"))
}

/// Where Podman's own API inspects a container. The compatible one calls every log `json-file`, and
/// does not say what bounds it.
fn own_prefix(oldest: &str) -> Option<String> {
    let version = |c: char| c.is_ascii_digit() || c == '.';
    (numbers(oldest).is_some() && oldest.len() < 32 && oldest.chars().all(version))
        .then(|| format!("/v{oldest}/libpod"))
}

fn numbers(text: &str) -> Option<(u32, u32)> {
    // Podman says `5.4.0` where it speaks of its own API; the compatible one is `1.41`.
    let (major, rest) = text.split_once('.')?;
    let minor = rest.split('.').next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Ids go into paths of questions.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn of_container(container: Container, labels: &[String]) -> ContainerFacts {
    let running = match container.state.as_str() {
        "running" | "paused" | "restarting" | "stopping" => Some(true),
        // The latter is Podman's word for a container whose runtime does not answer.
        "" | "unknown" => None,
        _ => Some(false),
    };
    // Names of links (`/other/alias`) name another container's view of it.
    let names = container.names.iter().map(|name| name.trim_start_matches('/'));
    let name = names.clone().find(|name| !name.contains('/')).or(names.clone().next());
    ContainerFacts {
        name: shortened(name.unwrap_or_default()),
        image: shortened(&container.image),
        state: shortened(&container.state),
        running,
        mounts: container.mounts.into_iter().filter_map(of_mount).collect(),
        labels: wanted(&container.labels, labels),
        details: None,
        id: container.id,
    }
}

fn of_mount(mount: Mount) -> Option<MountFacts> {
    let source = match mount.kind.as_str() {
        "volume" if !mount.name.is_empty() => MountSource::Volume(mount.name),
        "bind" if mount.source.is_absolute() => MountSource::Path(mount.source),
        // tmpfs are told by inspect, with their sizes; the others hold nobody's data.
        _ => return None,
    };
    Some(MountFacts { source, destination: mount.destination, read_only: !mount.rw })
}

fn of_volume(volume: Volume, labels: &[String]) -> VolumeFacts {
    let meaning = if volume.driver == "local" {
        options::local(&volume.options)
    } else {
        options::Meaning::default()
    };
    VolumeFacts {
        anonymous: volume.labels.contains_key(ANONYMOUS) || is_chosen_name(&volume.name),
        labels: wanted(&volume.labels, labels),
        path: Some(volume.mountpoint).filter(|path| path.is_absolute()),
        name: volume.name,
        driver: volume.driver,
        meaning,
    }
}

fn wanted(labels: &Words, wanted: &[String]) -> Vec<(String, String)> {
    wanted.iter().filter_map(|name| Some((name.clone(), shortened(labels.get(name)?)))).collect()
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_LABEL).collect()
}

/// Looks closely at every container of which that is not known. Ends with the time of one
/// question, so that ten thousand new containers do not hold up a round: the rest comes in later
/// ones. Returns what failed and how many are left.
async fn inspect(
    client: &Client,
    engine: &Engine,
    containers: &mut [ContainerFacts],
    mut known: HashMap<String, Arc<Details>>,
    procfs: &Path,
) -> (Vec<EngineError>, usize) {
    let mut open = Vec::new();
    for (index, container) in containers.iter_mut().enumerate() {
        let details = known.remove(&container.id);
        let fresh = details.as_ref().is_some_and(|details| is_fresh(details, container, procfs));
        // What is outdated is better than nothing until the new look.
        container.details = details;
        if !fresh {
            open.push(index);
        }
    }
    // Those that are looked at at once are together as long as one list may be.
    let cap = (client.max_body / AT_ONCE as u64).max(LEAST_INSPECTED).min(client.max_body);
    let until = Instant::now() + client.timeout;
    let (mut errors, mut left) = (Vec::new(), open.len());
    let mut open = open.into_iter();
    let mut looking = JoinSet::new();
    loop {
        while looking.len() < AT_ONCE && Instant::now() < until && errors.is_empty() {
            let Some(index) = open.next() else { break };
            let path = format!("{}/containers/{}/json", engine.inspect, containers[index].id);
            let client = client.clone();
            looking.spawn(async move { (index, client.get_capped::<Inspected>(&path, cap).await) });
        }
        let Some(Ok((index, looked))) = looking.join_next().await else { break };
        let container = &mut containers[index];
        match looked {
            Ok(inspected) => {
                let found = details(inspected, container, &engine.root, procfs);
                container.details = Some(Arc::new(found));
                left -= 1;
            }
            // Removed since it was listed.
            Err(EngineError { failure: Failure::Status { status: 404, .. }, .. }) => left -= 1,
            Err(error) => errors.push(error),
        }
    }
    (errors, left)
}

fn is_fresh(details: &Details, container: &ContainerFacts, procfs: &Path) -> bool {
    let process = details.process;
    let alive = process.is_none_or(|(pid, began)| process::began(procfs, pid) == Some(began));
    details.state == container.state && (alive || container.running != Some(true))
}

fn details(
    inspected: Inspected,
    container: &ContainerFacts,
    root: &Path,
    procfs: &Path,
) -> Details {
    let pid = Some(inspected.state.pid).filter(|pid| *pid > 0);
    let config = inspected.host_config;
    let mut tmpfs: Vec<(String, Option<u64>)> =
        config.tmpfs.into_iter().map(|(path, flags)| (path, options::tmpfs_size(&flags))).collect();
    tmpfs.extend(config.mounts.into_iter().filter(|mount| mount.kind == "tmpfs").map(|mount| {
        (mount.target, Some(mount.tmpfs_options.size_bytes).filter(|bytes| *bytes > 0))
    }));
    let paths = inspected.graph_driver.data;
    let upper = paths.get("UpperDir").map(PathBuf::from).filter(|path| path.is_absolute());
    let process = pid.and_then(|pid| Some((pid, process::began(procfs, pid)?)));
    // Where the engine does not say, the container's own mount table may.
    let upper = upper.or_else(|| data_root::upper_of(procfs, process?.0, root));
    let log = log(&container.id, &inspected.log_path, &config.log_config, root);
    Details {
        state: container.state.clone(),
        process,
        log,
        upper,
        size: config.storage_opt.get("size").and_then(|text| options::size(text)),
        tmpfs,
    }
}

/// The directory that the engine keeps a container's output in. One that somebody chose for many
/// (`--log-opt path=` of Podman) is not the container's.
fn log(id: &str, file: &Path, config: &LogConfig, root: &Path) -> Option<Log> {
    let file = if file.as_os_str().is_empty() { &config.path } else { file };
    let directory = match config.driver.as_str() {
        // It names no file.
        "local" => root.join("containers").join(id),
        _ => file.parent()?.to_owned(),
    };
    let own = directory.starts_with(root) && directory.iter().any(|part| part == OsStr::new(id));
    own.then(|| Log {
        directory,
        driver: shortened(&config.driver),
        limit: options::log_limit(&config.driver, &config.config)
            .or_else(|| options::decimal_size(&config.size)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(newest: &str, oldest: &str) -> Option<String> {
        prefix(&Version {
            api_version: newest.into(),
            min_api_version: oldest.into(),
            version: String::new(),
            components: vec![],
        })
    }

    #[test]
    fn the_version_is_one_that_both_speak() {
        assert_eq!(version("1.41", "1.12").as_deref(), Some("/v1.41")); // Debian 12
        assert_eq!(version("1.52", "1.44").as_deref(), Some("/v1.44")); // Docker 29
        assert_eq!(version("1.60", "1.50").as_deref(), Some("/v1.50"));
        assert_eq!(version("1.41", "").as_deref(), Some("/v1.41"));
        assert_eq!(version("one", "1.12"), None);
        assert_eq!(version("", ""), None);
    }

    #[test]
    fn podmans_own_api_is_asked_as_its_version_says() {
        assert_eq!(own_prefix("4.0.0").as_deref(), Some("/v4.0.0/libpod"));
        for version in ["", "4", "4.0/../..", "4.0 HTTP/1.1\r\nX: y"] {
            assert_eq!(own_prefix(version), None, "{version}");
        }
    }

    #[test]
    fn an_id_cannot_lead_a_question_elsewhere() {
        assert!(is_id(&"a1".repeat(32)));
        for id in ["", "../info", "a b", "a?size=1", "a\r\nX: y", &"a".repeat(200)] {
            assert!(!is_id(id), "{id}");
        }
    }
}
