//! What strangers name, on every surface: the status page, the metrics, the head of a request.

use std::sync::Arc;

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HeaderValue};
use plimsoll::expose::BuildInfo;
use plimsoll::expose::exposition::Format;
use plimsoll::expose::http::{accepts_gzip, format};
use plimsoll::expose::render::render;
use plimsoll::expose::rows;
use plimsoll::expose::status::page;
use plimsoll::model::{
    CgroupVersion, ContainerIo, DeviceIo, DeviceNumber, DirectionIo, FilesystemSample, IoLimit,
    NetworkFilesystem, NetworkKey, SandboxKey, Snapshot, SourceKind,
};
use plimsoll::text::is_hidden;

const NOW: f64 = 1.7e9;

pub fn run(data: &[u8]) {
    headers(data);
    let text = String::from_utf8_lossy(data);
    // Never empty: what is absent is shown in other words.
    let (hostile, plain) = (scene(&format!("x{text}")), scene("x"));

    let build = BuildInfo { version: "0".into(), revision: "0".into(), rustversion: "0".into() };
    let (shown, harmless) = (page(&hostile, &build, NOW), page(&plain, &build, NOW));
    let count = |html: &str, wanted: char| html.chars().filter(|c| *c == wanted).count();
    for markup in ['<', '>', '"'] {
        assert_eq!(count(&shown, markup), count(&harmless, markup), "a name became markup");
    }
    assert!(!shown.trim_end_matches('\n').chars().any(|c| c.is_control() && c != '\n'));

    for wanted in [Format::Text, Format::OpenMetrics] {
        let (shown, harmless) = (metrics(&hostile, wanted), metrics(&plain, wanted));
        assert_eq!(shown.len(), harmless.len(), "a name made or lost a line");
        for (ours, theirs) in shown.iter().zip(&harmless) {
            assert_eq!(sample(ours), sample(theirs));
        }
    }

    let io = serde_json::to_string(&rows::io(&hostile)).expect("any name is JSON");
    let back: serde_json::Value = serde_json::from_str(&io).expect("which reads");
    assert_eq!(back[0]["container"], format!("x{text}"));
}

fn headers(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|&byte| byte == b'\n').take(16) {
        let Ok(value) = HeaderValue::from_bytes(line) else { continue };
        headers.append(ACCEPT, value.clone());
        headers.append(ACCEPT_ENCODING, value);
    }
    // What is not asked for by name is plain text.
    let openmetrics = data.to_ascii_lowercase();
    let asked = openmetrics.windows(11).any(|part| part == b"openmetrics");
    assert!(format(&headers) == Format::Text || asked);
    let asked = openmetrics.windows(4).any(|part| part == b"gzip") || data.contains(&b'*');
    assert!(!accepts_gzip(&headers) || asked);
}

/// A host on which everything is called so.
fn scene(name: &str) -> Snapshot {
    let text = || name.to_owned();
    let limit = IoLimit { per_second: 7, group: text(), used_ratio: Some(0.5), used_group: text() };
    let direction = DirectionIo {
        bytes: Some(1),
        operations: Some(2),
        limit_bytes: Some(limit.clone()),
        limit_operations: Some(limit),
        throttled_seconds: Some(3.0),
        throttled_ratio: Some(0.25),
        ..DirectionIo::default()
    };
    let device = DeviceIo {
        number: DeviceNumber { major: 8, minor: 0 },
        name: text(),
        read: direction.clone(),
        write: direction,
        discard_bytes: None,
        discard_operations: None,
        weight: None,
        latency_target_seconds: None,
        stat: vec![(text(), 1.0)],
        bytes_per_second: Some(9.0),
    };
    let io = ContainerIo {
        key: SandboxKey {
            source: SourceKind::Mesos,
            framework: text(),
            executor: text(),
            container: text(),
        },
        nested: false,
        version: CgroupVersion::V2,
        group: text(),
        devices: vec![device],
        weight: None,
        pressure: None,
        delay_seconds: None,
        delay_ratio: None,
        measured_at: NOW,
    };
    let network = NetworkFilesystem {
        key: NetworkKey { server: text(), export: text(), mount_point: text() },
        fstype: text(),
        version: text(),
        address: text(),
        read_bytes: Some(1),
        ..NetworkFilesystem::default()
    };
    let filesystem = FilesystemSample {
        mount_point: name.into(),
        device: text(),
        fstype: text(),
        device_number: (8, 0),
        remote: false,
        responsive: true,
        usage: None,
        unattributed_bytes: None,
        growth: None,
        promised_bytes: None,
    };
    Snapshot {
        taken_at: NOW,
        ready: true,
        io: Arc::new(vec![io]),
        network: vec![network],
        filesystems: vec![filesystem],
        ..Snapshot::default()
    }
}

fn metrics(snapshot: &Snapshot, format: Format) -> Vec<String> {
    let bytes: Vec<u8> = render(snapshot, format, 10_000).chunks.concat();
    let text = String::from_utf8(bytes).expect("UTF-8");
    text.split_terminator('\n').map(str::to_owned).collect()
}

/// A line without the values of its labels.
fn sample(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        out.push(c);
        if c != '"' || line.starts_with('#') {
            continue;
        }
        while let Some(c) = rest.next() {
            match c {
                '"' => break,
                '\\' => drop(rest.next().expect("what is escaped")),
                _ => {}
            }
        }
    }
    assert!(line.starts_with('#') || !out.chars().any(is_hidden), "{out:?}");
    out
}
