//! The client of one agent.
//!
//! Read only by construction: it sends GETs and the read-only v1 calls it is given.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use tokio::time::Instant;

use crate::discover::http::{Answer, Failure, HttpClient, has_more_values, most_values};

use super::ApiConfig;
use super::error::ApiError;

/// Endpoints whose answers the agent itself limits, or that cost it much.
const LIMITED: [&str; 3] = ["/containers", "/monitor/statistics", "/metrics/snapshot"];
/// How many requests to [`LIMITED`] endpoints may start in any [`LIMIT_WINDOW`].
const LIMIT_COUNT: usize = 2;
const LIMIT_WINDOW: Duration = Duration::from_secs(1);

/// Client of one agent. Cheap to keep; connections are reused between rounds.
#[derive(Debug)]
pub struct Client {
    http: HttpClient,
    /// Values in an answer.
    most_values: u64,
    limited: Mutex<VecDeque<Instant>>,
}

impl Client {
    /// Checks the configuration and, for `https`, reads the authorities to trust.
    ///
    /// Opens no connection. Fails on a URL that is not `http(s)://HOST[:PORT][/PREFIX]`, on one
    /// with a user or password in it, and on authorities that cannot be read.
    pub fn new(config: ApiConfig) -> Result<Self, ApiError> {
        let most_values = most_values(config.max_body_bytes);
        let http = HttpClient::new(config).map_err(|(failure, url)| ApiError {
            method: "GET".into(),
            url: url.unwrap_or_else(|| "mesos.agent_url".into()),
            failure,
        })?;
        Ok(Self { http, most_values, limited: Mutex::new(VecDeque::new()) })
    }

    /// Base URL, without a slash at its end.
    pub fn url(&self) -> &str {
        self.http.url()
    }

    /// GETs `path` (`/state`) and returns the body of a 200.
    pub async fn get(&self, path: &str) -> Result<Bytes, ApiError> {
        if LIMITED.contains(&path) {
            self.wait_for_turn().await;
        }
        let answer = self.http.send(Method::GET, path, None).await;
        self.body(answer).map_err(|failure| self.error(path, None, failure))
    }

    /// POSTs a v1 call and returns the body of a 200. `name` is the call's type (`GET_TASKS`),
    /// `body` the whole message as JSON.
    pub async fn call(&self, name: &str, body: &str) -> Result<Bytes, ApiError> {
        let path = "/api/v1";
        let bytes = Bytes::copy_from_slice(body.as_bytes());
        let answer = self.http.send(Method::POST, path, Some(bytes)).await;
        self.body(answer).map_err(|failure| self.error(path, Some(name), failure))
    }

    /// What is worth parsing.
    fn body(&self, answer: Result<Answer, Failure>) -> Result<Bytes, Failure> {
        let body = answer?.body;
        if has_more_values(&body, self.most_values) {
            return Err(Failure::TooMany(self.most_values));
        }
        Ok(body)
    }

    /// Gives a failure its method and URL.
    pub(super) fn error(&self, path: &str, call: Option<&str>, failure: Failure) -> ApiError {
        let method = call.map_or_else(|| "GET".to_owned(), |call| format!("POST {call}"));
        ApiError { method, url: format!("{}{path}", self.url()), failure }
    }

    /// At most two limited requests start in any second, whoever asks.
    async fn wait_for_turn(&self) {
        let start = {
            let mut starts = self.limited.lock().unwrap_or_else(|poison| poison.into_inner());
            let now = Instant::now();
            let start = if starts.len() < LIMIT_COUNT {
                now
            } else {
                now.max(starts[starts.len() - LIMIT_COUNT] + LIMIT_WINDOW)
            };
            starts.push_back(start);
            while starts.len() > LIMIT_COUNT {
                starts.pop_front();
            }
            start
        };
        tokio::time::sleep_until(start).await;
    }
}
