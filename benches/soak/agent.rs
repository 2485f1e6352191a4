//! What stands before the demo's agent: adds the runs and volumes of this soak to its `/state`, and
//! is down or recovering when it is told to be.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plimsoll::demo::Scene;
use serde_json::{Value, json};

/// How it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Up,
    /// Nothing listens.
    Down,
    /// 503 to everything.
    Recovering,
}

/// One run of a command task.
#[derive(Clone, Debug)]
pub struct Run {
    pub name: String,
    pub sandbox: PathBuf,
    pub completed: bool,
}

/// What is added to the answers.
#[derive(Debug)]
pub struct Told {
    pub mood: Mood,
    pub runs: Vec<Run>,
    /// Persistence ids.
    pub volumes: Vec<String>,
}

/// The running agent; its thread ends with the process.
pub struct Agent {
    address: SocketAddr,
    told: Arc<Mutex<Told>>,
}

impl Agent {
    pub fn before(scene: &Scene) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let told = Told { mood: Mood::Up, runs: Vec::new(), volumes: Vec::new() };
        let told = Arc::new(Mutex::new(told));
        let behind = scene.agent_url().trim_start_matches("http://").to_owned();
        let shared = Arc::clone(&told);
        std::thread::spawn(move || listen(listener, &shared, &behind));
        Self { address, told }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn told(&self) -> MutexGuard<'_, Told> {
        lock(&self.told)
    }
}

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen(listener: TcpListener, told: &Arc<Mutex<Told>>, behind: &str) {
    let address = listener.local_addr().expect("an address");
    let mut open = Some(listener);
    loop {
        let down = lock(told).mood == Mood::Down;
        if down {
            open = None;
        } else if open.is_none() {
            // Somebody's connection may still hold the port: then the agent is away a bit longer.
            open = TcpListener::bind(address).ok();
        }
        let accepted = open.as_ref().and_then(|listener| {
            listener.set_nonblocking(true).ok()?;
            listener.accept().ok()
        });
        let Some((stream, _)) = accepted else {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        };
        let (told, behind) = (Arc::clone(told), behind.to_owned());
        std::thread::spawn(move || answer(stream, &told, &behind));
    }
}

/// One request a connection. Whoever went away meanwhile is not missed.
fn answer(mut stream: TcpStream, told: &Mutex<Told>, behind: &str) -> Option<()> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut head, mut length) = (String::new(), 0_usize);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim_end().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if !line.to_ascii_lowercase().starts_with("connection:") {
            head.push_str(&line);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    if lock(told).mood != Mood::Up {
        let refused = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\
                        Connection: close\r\n\r\n";
        return stream.write_all(refused).ok();
    }
    let mut inner = TcpStream::connect(behind).ok()?;
    inner.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).ok()?;
    inner.write_all(&body).ok()?;
    let mut raw = Vec::new();
    inner.read_to_end(&mut raw).ok()?;
    if !head.starts_with("GET /state ") {
        return stream.write_all(&raw).ok();
    }
    let start = raw.windows(4).position(|part| part == b"\r\n\r\n")? + 4;
    let mut state: Value = serde_json::from_slice(&raw[start..]).ok()?;
    add(&mut state, &lock(told));
    let body = state.to_string();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()
}

fn add(state: &mut Value, told: &Told) {
    let agent = state["id"].clone();
    let framework = &mut state["frameworks"][1];
    let role = framework["roles"][0].clone();
    for run in &told.runs {
        let task_state = if run.completed { "TASK_FINISHED" } else { "TASK_RUNNING" };
        let container = format!("container-{}", run.name);
        let task = json!({
            "id": run.name, "name": "churn", "framework_id": framework["id"], "executor_id": "",
            "slave_id": agent, "state": task_state, "role": role,
            "statuses": [{"state": task_state, "timestamp": 1.0,
                "container_status": {"container_id": {"value": container}}}],
        });
        let (live, over) = if run.completed { (vec![], vec![task]) } else { (vec![task], vec![]) };
        let executor = json!({
            "id": run.name, "name": run.name, "container": container, "directory": run.sandbox,
            "resources": {"disk": 8.0}, "role": role, "tasks": live, "queued_tasks": [],
            "completed_tasks": over,
        });
        let list = if run.completed { "completed_executors" } else { "executors" };
        framework[list].as_array_mut().expect("a list").push(executor);
    }
    let reserved = state["reserved_resources_full"][role.as_str().expect("a role")].as_array_mut();
    let reserved = reserved.expect("the role has volumes");
    let pattern = reserved.iter().find(|entry| entry["disk"]["persistence"].is_object());
    let pattern = pattern.expect("one of them").clone();
    reserved.extend(told.volumes.iter().map(|id| {
        let mut volume = pattern.clone();
        volume["disk"]["persistence"]["id"] = json!(id);
        volume
    }));
}
