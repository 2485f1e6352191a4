//! An engine with very many volumes: how long a round takes, and how much memory the daemon.
//!
//! The engine is made up (a real one takes minutes to make them); the volumes' directories and the
//! daemon are real.

mod support;

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use support::daemon::{Daemon, value};

const VOLUMES: usize = 10_000;
const CONTAINERS: usize = 300;
/// An unoptimised build takes 300 MiB while all of its lists are asked for (docs/performance.md).
/// What grows with every round would not fit.
const MOST_KIB: u64 = 450 << 10;

fn name(number: usize) -> String {
    format!("{number:064x}")
}

/// What the engine answers, by path.
fn answer(root: &Path, path: &str) -> Option<String> {
    let rest = path.strip_prefix("/v1.41").unwrap_or(path);
    let list = |each: &dyn Fn(usize) -> String, count| {
        (0..count).map(each).collect::<Vec<String>>().join(",")
    };
    let volume = |number| {
        let data = root.join("volumes").join(name(number)).join("_data");
        format!(
            r#"{{"Name":"{}","Driver":"local","Mountpoint":"{}","Labels":null,"Options":null}}"#,
            name(number),
            data.display()
        )
    };
    let container = |number| {
        let name = name(number);
        format!(
            r#"{{"Id":"{name}","Names":["/c{number}"],"Image":"box","State":"running","Mounts":[{{"Type":"volume","Name":"{name}","Destination":"/data","RW":true}}]}}"#
        )
    };
    Some(match rest {
        "/version" => r#"{"ApiVersion":"1.41","MinAPIVersion":"1.12","Version":"20.10"}"#.into(),
        "/info" => format!(r#"{{"DockerRootDir":"{}","Driver":"overlay2"}}"#, root.display()),
        "/volumes" => format!(r#"{{"Volumes":[{}]}}"#, list(&volume, VOLUMES)),
        "/containers/json?all=1" => format!("[{}]", list(&container, CONTAINERS)),
        rest if rest.starts_with("/containers/") => {
            r#"{"State":{"Pid":0},"HostConfig":null,"GraphDriver":{"Data":null}}"#.into()
        }
        _ => return None,
    })
}

fn serve(listener: &UnixListener, root: &Path) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { return };
        let root = root.to_owned();
        std::thread::spawn(move || {
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default();
            // Whoever asked may have given up.
            if path.contains("/events") {
                let _ = write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                // Silent until the daemon ends.
                let _ = stream.read(&mut byte);
                return;
            }
            let (status, body) = match answer(&root, path) {
                Some(body) => ("200 OK", body),
                None => ("404 Not Found", r#"{"message":"page not found"}"#.to_owned()),
            };
            let length = body.len();
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
        });
    }
}

#[test]
fn ten_thousand_volumes_in_bounded_memory() {
    // In memory where there is some: making 20,000 directories on a busy disk takes a minute.
    let shm = Path::new("/dev/shm");
    let dir = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() };
    let dir = dir.expect("a directory");
    let root = dir.path().join("docker");
    for number in 0..VOLUMES {
        let data = root.join("volumes").join(name(number)).join("_data");
        std::fs::create_dir_all(&data).expect("make");
        std::fs::write(data.join("f"), "x").expect("write");
    }
    let socket = dir.path().join("sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let of = root.clone();
    std::thread::spawn(move || serve(&listener, &of));
    let config = dir.path().join("plimsoll.yml");
    let text = format!(
        "mesos: {{enabled: false}}\ndocker: {{socket: 'unix://{}', timeout: 20s}}\n\
         discovery: {{interval: 1s}}\nstorage: {{enabled: false}}\n\
         usage: {{cpu_budget: 1, bootstrap_cpu_budget: 1}}\n",
        socket.display()
    );
    std::fs::write(&config, text).expect("write");
    let daemon = Daemon::serve(&config, &[]);
    let page = daemon.wait_for("all is measured", Duration::from_secs(120), |daemon| {
        let page = daemon.get("/metrics").body;
        if value(&page, "plimsoll_usage_pending_subjects") != Some(0.0) {
            return None;
        }
        let rows = daemon.json("/api/v1/volumes");
        let measured = rows.as_array()?.iter().filter(|row| row["used_bytes"].is_u64()).count();
        (measured == VOLUMES).then_some(page)
    });
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("read");
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its memory");
    let most: u64 = most.trim().trim_end_matches(" kB").parse().expect("a number");
    let took = value(&page, "plimsoll_collector_duration_seconds{collector=\"docker\"}");
    println!("{VOLUMES} volumes: a round {took:?} s, {most} KiB at most");
    assert!(most < MOST_KIB, "{most} KiB");
    // Unoptimised and beside other tests; the time that matters is in docs/performance.md.
    assert!(took.expect("a round") < 20.0, "{took:?}");
    assert_eq!(daemon.stop(), Some(0));
}
