//! What a person would do with an orphan.

use serde_json::{Value, json};

use crate::judge::open_files;
use crate::model::{Agent, DiskSource, DiskType, OpenFiles, VolumeKind, VolumeView};

/// Advice on one orphan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrphanAdvice {
    /// What to do, in words.
    pub text: String,
    /// Body of the master's call (`POST /api/v1`) that takes the data back, where the volume's
    /// name is known; the matching RESERVE_RESOURCES goes before it.
    pub call: Option<String>,
}

/// What to do about an orphan. Where it is still mounted or held open, nothing but that is advised.
///
/// Source: Mesos `docs/persistent-volume.md` (CREATE_VOLUMES, DESTROY_VOLUMES); that a directory
/// that is already there is taken over with its data is `Slave::syncCheckpointedResources`.
pub fn orphan_advice(view: &VolumeView, agent: Option<&Agent>) -> OrphanAdvice {
    let volume = &view.volume;
    if let Some(mount) = volume.mounts.first() {
        let by = match mount.container.as_str() {
            "" => String::new(),
            container => format!(" by container {container}"),
        };
        return OrphanAdvice {
            text: format!(
                "It is still mounted at {}{by}: end what uses it and unmount that first; remove \
                 nothing while it is mounted.",
                mount.mount_point.display()
            ),
            call: None,
        };
    }
    if let Some(who) = view.open_files.as_ref().and_then(open_files::spoken) {
        return OrphanAdvice {
            text: format!(
                "It is still held open by {who}: find out whose that is and end it first; remove \
                 nothing while it is held."
            ),
            call: None,
        };
    }
    let advice = free(view, agent);
    match view.open_files.as_ref().and_then(OpenFiles::unknown) {
        Some(why) => OrphanAdvice {
            text: format!(
                "{} Whether a process holds files in it open is not known ({why}): look with fuser \
                 or lsof as root before.",
                advice.text
            ),
            ..advice
        },
        None => advice,
    }
}

/// Of one that nothing holds.
fn free(view: &VolumeView, agent: Option<&Agent>) -> OrphanAdvice {
    let volume = &view.volume;
    if let Some(engine) = &volume.engine {
        let name = shell_word(&volume.key.volume);
        let program = engine.program;
        return OrphanAdvice {
            text: format!(
                "No container refers to it. Look into it; to drop it: {program} volume rm {name}"
            ),
            call: None,
        };
    }
    if volume.kind == VolumeKind::Disk || volume.key.volume.is_empty() {
        return OrphanAdvice {
            text:
                "Find out whose data it is. The agent clears a MOUNT disk only when a volume on it \
                   is destroyed: to drop the data, reserve the disk, CREATE a volume on it and \
                   DESTROY that."
                    .to_string(),
            call: None,
        };
    }
    OrphanAdvice {
        text: format!(
            "To keep it: RESERVE the disk for role {} and CREATE a volume with the same id {}, which \
             takes its data over. To drop it: then DESTROY that volume.",
            volume.key.role, volume.key.volume
        ),
        call: agent.and_then(|agent| create_call(view, agent)),
    }
}

/// A name that is safe to paste into a shell.
fn shell_word(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if !name.is_empty() && !name.starts_with('-') && name.bytes().all(plain) {
        return name.to_owned();
    }
    format!("-- '{}'", name.replace('\'', r"'\''"))
}

/// CREATE_VOLUMES of a volume that fits over the orphan.
fn create_call(view: &VolumeView, agent: &Agent) -> Option<String> {
    const MEBIBYTE: u64 = 1 << 20;
    let key = &view.volume.key;
    let source = match view.volume.disk_type {
        DiskType::Root => None,
        DiskType::Path => Some(json!({"type": "PATH", "path": {"root": key.disk}})),
        DiskType::Mount => Some(json!({"type": "MOUNT", "mount": {"root": key.disk}})),
        DiskType::Block | DiskType::Raw | DiskType::External => return None,
    };
    let mut disk = json!({
        "persistence": {"id": key.volume},
        "volume": {"mode": "RW", "container_path": "data"},
    });
    if let Some(source) = source {
        disk["source"] = source;
    }
    // A MOUNT disk cannot be divided: its volume is as large as the disk.
    let whole = agent.resources.iter().find_map(|resource| match resource.disk_source() {
        DiskSource::Mount { root }
            if view.volume.disk_type == DiskType::Mount && root == key.disk =>
        {
            resource.bytes()
        }
        _ => None,
    });
    let used = view.measured.sample.map_or(0, |sample| sample.used_bytes);
    let mebibytes = whole.unwrap_or(used).div_ceil(MEBIBYTE).max(1);
    let call: Value = json!({
        "type": "CREATE_VOLUMES",
        "create_volumes": {
            "agent_id": {"value": agent.id.as_deref()?},
            "volumes": [{
                "name": "disk",
                "type": "SCALAR",
                "scalar": {"value": mebibytes},
                "reservations": [{"type": "DYNAMIC", "role": key.role}],
                "disk": disk,
            }],
        },
    });
    Some(call.to_string())
}
