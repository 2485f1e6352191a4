//! A master that knows which frameworks are registered in which role.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::json;

/// Answers every request with those roles, on a free port of 127.0.0.1, until the test ends.
/// Returns its base URL.
pub fn with_roles(roles: &[(&str, &[&str])]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("address");
    let roles: Vec<_> = roles
        .iter()
        .map(|(name, frameworks)| json!({"name": name, "frameworks": frameworks}))
        .collect();
    let body = json!({"roles": roles}).to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 4096]);
            let head = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    format!("http://{address}")
}
