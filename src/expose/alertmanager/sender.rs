//! The conversation with one Alertmanager: what it should know, sent until it does.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper::Method;
use tokio::sync::watch;

use super::alert::body;
use super::counters::Counters;
use super::peer::{Clock, LAPSE_INTERVALS, Message, Peer};
use super::{Address, Board};
use crate::discover::http::{ClientConfig, Failure, HttpClient};

/// Where alerts are posted.
const ALERTS: &str = "/api/v2/alerts";
/// What is told must have been looked at within that time, in seconds: nothing stale is repeated.
const MAX_AGE: f64 = 300.0;
/// Longest wait for nothing.
const IDLE: Duration = Duration::from_secs(3600);

/// Sends for ever; ends when the board's owner is gone.
pub(super) async fn run(
    address: Address,
    mut board: watch::Receiver<Arc<Board>>,
    counters: Counters,
) {
    let started = Instant::now();
    let clock = |at: Instant| Clock {
        wall: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()),
        steady: at.duration_since(started).as_secs_f64(),
    };
    let mut peer = Peer::new(address.interval);
    let mut client: Option<HttpClient> = None;
    loop {
        let current = Arc::clone(&board.borrow_and_update());
        let now = clock(Instant::now());
        let fresh = current.seen.elapsed().as_secs_f64() < MAX_AGE;
        let batch = if fresh { peer.due(&current.desired, now) } else { Vec::new() };
        counters.pending(&address.name, peer.pending(&current.desired, now));
        if batch.is_empty() {
            let wait = match peer.next(&current.desired).filter(|_| fresh) {
                Some(at) => {
                    Duration::try_from_secs_f64(at - now.steady).unwrap_or_default().min(IDLE)
                }
                None => IDLE,
            };
            tokio::select! {
                changed = board.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(wait) => {}
            }
            continue;
        }
        let asked = Instant::now();
        let outcome = post(&address, &mut client, &batch, now).await;
        let over = clock(Instant::now());
        counters.request(&address.name, asked.elapsed().as_secs_f64());
        match outcome {
            Ok(()) => {
                if peer.failures() > 0 {
                    tracing::info!(alertmanager = address.name, "Alertmanager takes alerts again");
                }
                counters.accepted(&address.name, batch.len(), over.wall);
                peer.accepted(&batch, &current.desired, over);
            }
            Err(failure) if is_about_content(&failure) => {
                counters.failed(&address.name, "rejected");
                tracing::warn!(
                    alertmanager = address.name,
                    error = %failure,
                    alerts = batch.len(),
                    "Alertmanager refuses some of these alerts"
                );
                // The others must not wait for them, and it has taken those of them it can.
                peer.accepted(&batch, &current.desired, over);
            }
            Err(failure) => {
                counters.failed(&address.name, failure.reason());
                if peer.failures() == 0 {
                    tracing::warn!(
                        alertmanager = address.name,
                        error = %failure,
                        "Alertmanager takes no alerts; what fires is sent once it does"
                    );
                }
                peer.failed(over, chance());
                // Certificates may have been renewed, and names may lead elsewhere.
                client = None;
            }
        }
    }
}

/// Whether something in the alerts is wrong, so that sending the same again is of no use.
fn is_about_content(failure: &Failure) -> bool {
    matches!(failure, Failure::Status { status: 400 | 413 | 422, .. })
}

async fn post(
    address: &Address,
    client: &mut Option<HttpClient>,
    batch: &[Message],
    now: Clock,
) -> Result<(), Failure> {
    let client = match client {
        Some(client) => client,
        None => client.insert(connect(address.client.clone()).await?),
    };
    let horizon = address.interval * LAPSE_INTERVALS;
    let body = body(batch, &address.status_url, horizon, now.wall)
        .map_err(|error| Failure::Malformed(error.to_string()))?;
    client.send(Method::POST, ALERTS, Some(body)).await.map(drop)
}

/// Makes the client aside: it reads files.
pub(super) async fn connect(config: ClientConfig) -> Result<HttpClient, Failure> {
    let made = tokio::task::spawn_blocking(|| HttpClient::new(config)).await;
    made.map_err(|error| Failure::Io(error.to_string()))?.map_err(|(failure, _)| failure)
}

/// A number from 0 to 1.
fn chance() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    (random % 1024) as f64 / 1023.0
}
