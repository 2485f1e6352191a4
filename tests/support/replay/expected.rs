//! The inventory that must be found, and how to compare.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

use serde::Deserialize;

/// `expected.yml` of a scene.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Present agent id.
    pub agent_id: String,
    /// Every volume.
    pub volumes: Vec<ActualVolume>,
    /// Every sandbox, nested ones too.
    pub sandboxes: Vec<ExpectedSandbox>,
}

/// A volume: what is expected, and what the test fills in from its inventory. Words are those of
/// the metrics' labels; an absent value is `None`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActualVolume {
    /// Role as Mesos writes it.
    pub role: String,
    /// Persistence id.
    pub volume: String,
    /// `ROOT`, or the root of the PATH or MOUNT disk.
    pub disk: String,
    /// `ROOT`, `PATH`, `MOUNT`.
    pub disk_type: String,
    /// On the host, without `--path.rootfs`.
    pub path: Option<String>,
    /// `in_use`, `idle`, `orphaned`, …
    pub state: String,
    /// Only with state `orphaned`.
    pub orphan_reason: Option<String>,
    /// Bytes.
    pub quota_bytes: Option<u64>,
    /// Shared between tasks.
    pub shared: bool,
    /// Who created it.
    pub principal: Option<String>,
    /// `static`, `dynamic`, …
    pub reservation: Option<String>,
    /// In any order.
    pub holders: Vec<ActualHolder>,
}

/// A live task that uses a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActualHolder {
    /// Executor id.
    pub executor: String,
    /// Task id.
    pub task: String,
    /// Container id, nested ids joined with a dot.
    pub container: String,
    /// Path in the container.
    pub container_path: String,
}

/// A sandbox, as the test fills it in from its inventory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActualSandbox {
    /// Framework id, empty for standalone containers.
    pub framework: String,
    /// Executor id, empty for standalone containers.
    pub executor: String,
    /// Container id, nested ids joined with a dot.
    pub container: String,
    /// `command_executor`, `default_executor`, `executor`, `nested`, `standalone`.
    pub kind: String,
    /// On the host, without `--path.rootfs`.
    pub path: String,
    /// `live`, `awaiting_gc`, …
    pub state: String,
    /// Bytes; absent where nothing limits it.
    pub quota_bytes: Option<u64>,
    /// Role of the executor, empty when not known or of no role.
    pub role: String,
    /// Ids of the tasks that run or ran in it, in any order.
    pub tasks: Vec<String>,
    /// `mesos`, `docker`; absent when not known.
    pub containerizer: Option<String>,
}

/// A sandbox of `expected.yml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedSandbox {
    #[allow(missing_docs)]
    pub framework: String,
    #[allow(missing_docs)]
    pub executor: String,
    #[allow(missing_docs)]
    pub container: String,
    #[allow(missing_docs)]
    pub kind: String,
    #[allow(missing_docs)]
    pub path: String,
    /// Any one of these: a capture made while a container ended may bear out two.
    pub state: OneOf,
    #[allow(missing_docs)]
    pub quota_bytes: Option<u64>,
    #[allow(missing_docs)]
    pub role: String,
    #[allow(missing_docs)]
    pub tasks: Vec<String>,
    #[allow(missing_docs)]
    pub containerizer: Option<String>,
}

/// One word, or a list of words of which one must hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOf {
    /// Exactly this.
    Word(String),
    /// One of these.
    Words(Vec<String>),
}

impl Default for OneOf {
    fn default() -> Self {
        Self::Words(Vec::new())
    }
}

impl OneOf {
    fn words(&self) -> &[String] {
        match self {
            Self::Word(word) => std::slice::from_ref(word),
            Self::Words(words) => words,
        }
    }
}

impl Expected {
    /// Reads an `expected.yml`.
    pub fn read(path: &Path) -> Self {
        let text =
            std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }
}

/// Compares a whole inventory: nothing missing, nothing else, every field equal. The error lists
/// every difference, one a line.
pub fn compare(
    volumes: &[ActualVolume],
    sandboxes: &[ActualSandbox],
    expected: &Expected,
) -> Result<(), String> {
    let mut diff = Vec::new();
    compare_volumes(volumes, &expected.volumes, &mut diff);
    compare_sandboxes(sandboxes, &expected.sandboxes, &mut diff);
    if diff.is_empty() { Ok(()) } else { Err(diff.join("\n")) }
}

fn compare_volumes(actual: &[ActualVolume], expected: &[ActualVolume], diff: &mut Vec<String>) {
    let name = |v: &ActualVolume| format!("volume {}:{} on {}", v.role, v.volume, v.disk);
    for (what, have, want) in pairs(actual, name, expected, name, diff) {
        let mut field = Field { what: &what, diff };
        field.check("disk_type", &have.disk_type, &want.disk_type);
        field.check("path", &have.path, &want.path);
        field.check("state", &have.state, &want.state);
        field.check("orphan_reason", &have.orphan_reason, &want.orphan_reason);
        field.check("quota_bytes", &have.quota_bytes, &want.quota_bytes);
        field.check("shared", &have.shared, &want.shared);
        field.check("principal", &have.principal, &want.principal);
        field.check("reservation", &have.reservation, &want.reservation);
        field.check("holders", &sorted(&have.holders), &sorted(&want.holders));
    }
}

fn compare_sandboxes(
    actual: &[ActualSandbox],
    expected: &[ExpectedSandbox],
    diff: &mut Vec<String>,
) {
    let key = |f: &str, e: &str, c: &str| format!("sandbox {c} of {e:?} in {f:?}");
    let have_name = |s: &ActualSandbox| key(&s.framework, &s.executor, &s.container);
    let want_name = |s: &ExpectedSandbox| key(&s.framework, &s.executor, &s.container);
    for (what, have, want) in pairs(actual, have_name, expected, want_name, diff) {
        let mut field = Field { what: &what, diff };
        field.check("kind", &have.kind, &want.kind);
        field.check("path", &have.path, &want.path);
        if !want.state.words().contains(&have.state) {
            field.check("state", &have.state, &want.state.words().join(" or "));
        }
        field.check("quota_bytes", &have.quota_bytes, &want.quota_bytes);
        field.check("role", &have.role, &want.role);
        field.check("tasks", &sorted(&have.tasks), &sorted(&want.tasks));
        field.check("containerizer", &have.containerizer, &want.containerizer);
    }
}

/// Those of both sides that bear the same name; the others, and names borne twice, go to `diff`.
fn pairs<'a, A: Debug, B>(
    actual: &'a [A],
    actual_name: impl Fn(&A) -> String,
    expected: &'a [B],
    expected_name: impl Fn(&B) -> String,
    diff: &mut Vec<String>,
) -> Vec<(String, &'a A, &'a B)> {
    let mut have: BTreeMap<String, &A> = BTreeMap::new();
    for item in actual {
        if have.insert(actual_name(item), item).is_some() {
            diff.push(format!("{}: listed twice", actual_name(item)));
        }
    }
    let mut both = Vec::new();
    for item in expected {
        let name = expected_name(item);
        match have.remove(&name) {
            Some(found) => both.push((name, found, item)),
            None => diff.push(format!("{name}: not found")),
        }
    }
    diff.extend(have.iter().map(|(name, item)| format!("{name}: not expected: {item:?}")));
    both
}

struct Field<'a> {
    what: &'a str,
    diff: &'a mut Vec<String>,
}

impl Field<'_> {
    fn check<T: PartialEq + Debug>(&mut self, name: &str, have: &T, want: &T) {
        if have != want {
            self.diff.push(format!("{}: {name} is {have:?}, expected {want:?}", self.what));
        }
    }
}

fn sorted<T: Ord + Clone>(list: &[T]) -> Vec<T> {
    let mut list = list.to_vec();
    list.sort();
    list
}
