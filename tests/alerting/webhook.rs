//! Who is paged: an HTTP server that takes down what Alertmanager tells it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Patience for anything that has to come: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A receiver on threads of its own, which end with the process.
pub struct Webhook {
    pub url: String,
    told: Arc<Mutex<Vec<Value>>>,
}

impl Webhook {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let told: Arc<Mutex<Vec<Value>>> = Arc::default();
        let kept = Arc::clone(&told);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || serve(&stream, &kept));
            }
        });
        Self { url, told }
    }

    /// Every notice about that alert and subject so far: its status (`firing`, `resolved`) in order.
    pub fn notices(&self, alertname: &str, subject: &str) -> Vec<String> {
        let status = |alert: Value| alert["status"].as_str().expect("a status").to_owned();
        self.about(alertname, subject).into_iter().map(status).collect()
    }

    /// The same, whole.
    pub fn about(&self, alertname: &str, subject: &str) -> Vec<Value> {
        let told = self.told.lock().expect("told");
        let labels = |alert: &Value| alert["labels"].as_object().expect("labels").clone();
        let about = |alert: &&Value| {
            let labels = labels(alert);
            labels["alertname"] == alertname && labels.values().any(|value| value == subject)
        };
        told.iter().filter(about).cloned().collect()
    }

    /// Every notice.
    pub fn all(&self) -> Vec<Value> {
        self.told.lock().expect("told").clone()
    }

    /// Waits for exactly these notices about the alert and subject, and returns the last.
    pub fn wait_for(&self, alertname: &str, subject: &str, expected: &[&str]) -> Value {
        let start = Instant::now();
        loop {
            let notices = self.notices(alertname, subject);
            if notices == expected {
                return self.about(alertname, subject).pop().expect("at least one");
            }
            let too_many = notices.len() > expected.len();
            assert!(
                !too_many && start.elapsed() < PATIENCE,
                "{alertname} {subject}: told {notices:?}, expected {expected:?}; all: {:#?}",
                self.all()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn serve(stream: &TcpStream, told: &Mutex<Vec<Value>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line.trim().is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or_default();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let notice: Value = serde_json::from_slice(&body).expect("JSON");
        told.lock().expect("told").extend(notice["alerts"].as_array().expect("alerts").clone());
        writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").ok()?;
    }
}
