//! Those that take a connection and give nothing back.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Of each sort, at a time.
const EACH: usize = 20;

/// They go on until they are aborted.
pub fn start(address: &str) -> JoinHandle<()> {
    let address = address.to_owned();
    tokio::spawn(async move {
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..EACH {
            all.spawn(slow(address.clone()));
            all.spawn(mute(address.clone()));
            all.spawn(broken(address.clone()));
        }
        while all.join_next().await.is_some() {}
    })
}

/// Never comes to the end of its request, a byte at a time.
async fn slow(address: String) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(&address).await {
            let start = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nX-Slow: ").await;
            while start.is_ok() && stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Asks again and again, and reads nothing.
async fn mute(address: String) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(&address).await {
            let request = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20);
            if stream.write_all(&request).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(30)).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Speaks something else, or leaves in the middle of its answer.
async fn broken(address: String) {
    for round in 0_usize.. {
        if let Ok(mut stream) = TcpStream::connect(&address).await {
            let said: &[u8] = match round % 2 {
                0 => b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                _ => b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
            };
            // It may be ended at once.
            let _ = stream.write_all(said).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
