//! Clients that speak something else, stop speaking in the middle, or never listen.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::Port;

const PATIENCE: Duration = Duration::from_secs(60);

fn connect(port: &Port) -> TcpStream {
    let address = port.daemon.url.strip_prefix("http://").expect("a URL");
    let stream = TcpStream::connect(address).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("time-out");
    stream
}

/// Sockets that the daemon has open, its own among them.
fn sockets(port: &Port) -> usize {
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", port.daemon.pid()));
    let descriptors = descriptors.expect("it runs").flatten();
    // One that is closed meanwhile is none.
    let links = descriptors.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
}

/// A daemon that is ready, and how many sockets it has while nobody asks.
fn at_rest() -> (Port, usize) {
    let port = Port::behind("");
    port.daemon.wait_ready();
    // The last question's own is closed in a moment.
    let least = (0..20).map(|_| {
        std::thread::sleep(Duration::from_millis(50));
        sockets(&port)
    });
    let least = least.min().expect("some");
    (port, least)
}

/// Highest resident memory so far, in megabytes.
fn highest(port: &Port) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", port.daemon.pid()));
    let status = status.expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("there");
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kibibytes * 1024.0 / 1e6
}

/// What comes until the daemon ends the connection; it does, whatever is said.
fn until_ended(mut stream: TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        // Ended while more was on its way to it.
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("not ended: {error}"),
    }
    answer
}

#[test]
fn what_is_no_request_is_ended_and_others_are_served() {
    let (port, before) = at_rest();
    let mut noise: u64 = 7;
    let mut random = |length: usize| -> Vec<u8> {
        let mut byte = || {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (noise >> 56) as u8
        };
        (0..length).map(|_| byte()).collect()
    };
    let get = |more: &str| format!("GET /metrics HTTP/1.1\r\nHost: a\r\n{more}\r\n").into_bytes();
    let post = |more: &str| format!("POST /-/reload HTTP/1.1\r\nHost: a\r\n{more}").into_bytes();
    let said: Vec<Vec<u8>> = vec![
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec(),
        vec![0; 1000],
        b"\r\n".repeat(5000),
        b"GET /metrics HTTP/9.9\r\n\r\n".to_vec(),
        b"GET /metrics\n\n".to_vec(),
        b"GET /a b c HTTP/1.1\r\n\r\n".to_vec(),
        format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(40_000)).into_bytes(),
        get(&format!("X: {}\r\n", "y".repeat(40_000))),
        get(&"X: y\r\n".repeat(400)),
        get("X\0: y\r\n"),
        get(" folded: y\r\n"),
        post("Content-Length: -1\r\n\r\n"),
        post("Content-Length: 99999999999999999999\r\n\r\n"),
        post("Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"),
        post("Transfer-Encoding: chunked\r\n\r\nZZZ\r\nabc\r\n"),
        post("Transfer-Encoding: gzip\r\n\r\nabc"),
        // A body that is announced and does not come; one that nobody reads.
        post("Content-Length: 1000000\r\n\r\n"),
        [post("Content-Length: 1000000\r\n\r\n"), vec![b'x'; 1_000_000]].concat(),
        random(100),
        random(20_000),
    ];
    std::thread::scope(|scope| {
        let ended: Vec<_> = said
            .iter()
            .map(|said| {
                let mut stream = connect(&port);
                scope.spawn(move || {
                    // It may be ended in the middle of it.
                    let _ = stream.write_all(said);
                    until_ended(stream)
                })
            })
            .collect();
        for (said, ended) in said.iter().zip(ended) {
            let answer = ended.join().expect("ended");
            let start = String::from_utf8_lossy(&answer[..answer.len().min(60)]).into_owned();
            let said = said[..said.len().min(60)].escape_ascii();
            let refused = answer.is_empty() || start.starts_with("HTTP/1.1 4");
            assert!(refused, "{said} was answered with {start}");
            assert_eq!(port.status("http", &[]), 200);
        }
    });
    port.daemon.wait_for("nothing is left of them", PATIENCE, |_| {
        (sockets(&port) <= before).then_some(())
    });
    assert!(highest(&port) < 200.0, "{} MB", highest(&port));
}

#[test]
fn a_client_that_is_done_with_sending_gets_its_answer() {
    let (port, before) = at_rest();
    for round in 0..50 {
        let mut stream = connect(&port);
        // One of them as a scraper that keeps its connections.
        let more = if round % 2 == 0 { "Connection: close\r\n" } else { "" };
        let request = format!("GET /metrics HTTP/1.1\r\nHost: a\r\n{more}\r\n");
        stream.write_all(request.as_bytes()).expect("send");
        stream.shutdown(Shutdown::Write).expect("half");
        let answer = until_ended(stream);
        assert!(answer.starts_with(b"HTTP/1.1 200 OK"), "{}", answer.len());
        assert!(answer.windows(20).any(|part| part == b"plimsoll_build_info{"), "not whole");
    }
    // In the middle of a request there is nothing to answer.
    for _ in 0..50 {
        let mut stream = connect(&port);
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHo").expect("send");
        stream.shutdown(Shutdown::Write).expect("half");
        let answer = until_ended(stream);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"));
    }
    port.daemon.wait_for("nothing is left of them", PATIENCE, |_| {
        (sockets(&port) <= before).then_some(())
    });
}

/// They would hold their connections, and the bytes of their answers, for minutes.
#[test]
fn clients_that_never_read_are_ended() {
    const MUTE: usize = 20;
    const EACH: usize = 4000;
    let (port, before) = at_rest();
    let page = port.daemon.get("/metrics").body.len();
    assert!(page * EACH > 16 << 20, "more than the kernel keeps for them: {page}");
    let request = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".repeat(EACH);
    let mute: Vec<TcpStream> = (0..MUTE)
        .map(|_| {
            let mut stream = connect(&port);
            stream.write_all(&request).expect("send");
            stream
        })
        .collect();
    port.daemon
        .wait_for("they are taken", PATIENCE, |_| (sockets(&port) >= before + MUTE).then_some(()));
    assert_eq!(port.status("http", &[]), 200);
    port.daemon.wait_for("they are ended", PATIENCE, |_| (sockets(&port) <= before).then_some(()));
    assert!(highest(&port) < 200.0, "{} MB", highest(&port));
    drop(mute);
}
