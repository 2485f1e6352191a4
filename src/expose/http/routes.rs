//! What is served where.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue,
    LAST_MODIFIED, VARY,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};

use super::body::Chunks;
use super::{AppState, Site, negotiate};
use crate::expose::api::Resource;
use crate::expose::{rendered, status};
use crate::model::Timestamp;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";

/// The page needs its own inline style and icon, and nothing else; it runs no script.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// Answers one request of a site. A request's body is never read.
pub(super) async fn answer<B, T: Site>(
    request: Request<B>,
    site: Arc<T>,
) -> Result<Response<Chunks>, Infallible> {
    let head = *request.method() == Method::HEAD;
    let (asked, _) = request.into_parts();
    let path = asked.uri.path().to_owned();
    let mut response = site.answer(asked.method, path, asked.headers).await;
    let length = response.body().len();
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    );
    if head {
        *response.body_mut() = Chunks::default();
    }
    Ok(response)
}

impl Site for AppState {
    async fn answer(
        self: Arc<Self>,
        method: Method,
        path: String,
        headers: HeaderMap,
    ) -> Response<Chunks> {
        route(&method, &path, &headers, &self).await
    }
}

async fn route(
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    state: &Arc<AppState>,
) -> Response<Chunks> {
    if path == "/-/reload" {
        return reload(method, state).await;
    }
    let resource = Resource::at(path);
    let known = resource.is_some() || matches!(path, "/" | "/metrics" | "/-/healthy" | "/-/ready");
    if !known {
        return text(StatusCode::NOT_FOUND, not_found());
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        return not_allowed("GET, HEAD", "Only GET and HEAD are answered here.\n");
    }
    match path {
        "/-/healthy" => text(StatusCode::OK, "Plimsoll is healthy.\n".into()),
        "/-/ready" => ready(state),
        "/" => page(headers, state).await,
        _ => data(resource, headers, state).await,
    }
}

/// `/metrics` and the API: from the cache of the newest snapshot.
async fn data(
    resource: Option<Resource>,
    headers: &HeaderMap,
    state: &Arc<AppState>,
) -> Response<Chunks> {
    let gzip = negotiate::accepts_gzip(headers);
    let format = negotiate::format(headers);
    let content_type = if resource.is_some() { JSON } else { format.content_type() };
    let worker = Arc::clone(state);
    let made = off_the_loop(move || {
        let rendered =
            worker.cache.of(worker.snapshot.load_full(), worker.max_series.load(Ordering::Relaxed));
        let chunks = match resource {
            Some(resource) => rendered.api(resource, gzip).map_err(|error| error.to_string())?,
            None => rendered.metrics(format, gzip, &worker.telemetry),
        };
        let snapshot = rendered.snapshot();
        Ok((chunks, snapshot.ready.then_some(snapshot.taken_at)))
    })
    .await;
    match made {
        Ok((chunks, taken_at)) => {
            let mut response = reply(content_type, gzip, chunks.into());
            // When the snapshot was made; the answer itself holds the times of its values.
            if let Some(time) = taken_at.filter(|_| resource.is_some()).and_then(http_date) {
                response.headers_mut().insert(LAST_MODIFIED, time);
            }
            response
        }
        Err(error) => {
            text(StatusCode::INTERNAL_SERVER_ERROR, format!("Making this answer failed: {error}\n"))
        }
    }
}

async fn page(headers: &HeaderMap, state: &Arc<AppState>) -> Response<Chunks> {
    let gzip = negotiate::accepts_gzip(headers);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let worker = Arc::clone(state);
    let made = off_the_loop(move || {
        let html = status::page(&worker.snapshot.load(), &worker.build, now);
        Ok(if gzip { rendered::gzip(html.into()) } else { vec![html.into()] })
    })
    .await;
    match made {
        Ok(chunks) => {
            let mut response = reply(HTML, gzip, chunks.into());
            let headers = response.headers_mut();
            headers.insert(
                HeaderName::from_static("content-security-policy"),
                HeaderValue::from_static(POLICY),
            );
            headers.insert(
                HeaderName::from_static("referrer-policy"),
                HeaderValue::from_static("no-referrer"),
            );
            response
        }
        Err(error) => {
            text(StatusCode::INTERNAL_SERVER_ERROR, format!("Making this page failed: {error}\n"))
        }
    }
}

/// Rendering a large snapshot takes tens of milliseconds: not on the threads that serve others.
async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.to_string()))
}

fn ready(state: &AppState) -> Response<Chunks> {
    if state.snapshot.load().ready {
        text(StatusCode::OK, "Plimsoll is ready.\n".into())
    } else {
        text(
            StatusCode::SERVICE_UNAVAILABLE,
            "Not ready: the first inventory is not in yet.\n".into(),
        )
    }
}

async fn reload(method: &Method, state: &AppState) -> Response<Chunks> {
    if *method != Method::POST {
        return not_allowed("POST", "Reload with POST.\n");
    }
    let Some(reload) = &state.reload else {
        return text(
            StatusCode::FORBIDDEN,
            "Reload over HTTP is off. Start with --web.enable-lifecycle, or send SIGHUP.\n".into(),
        );
    };
    match reload().await {
        Ok(()) => text(StatusCode::OK, "Configuration reloaded.\n".into()),
        Err(error) => text(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("Reload failed, the old configuration stays in force: {error}\n"),
        ),
    }
}

fn not_found() -> String {
    let mut list = String::from("Nothing is served here. There are:\n/\n/metrics\n");
    for resource in Resource::ALL {
        list.push_str(resource.path());
        list.push('\n');
    }
    list.push_str("/-/healthy\n/-/ready\n/-/reload\n");
    list
}

/// 405, with the methods that are allowed.
pub fn not_allowed(allow: &'static str, message: &str) -> Response<Chunks> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, message.to_owned());
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// A plain text answer.
pub fn text(status: StatusCode, message: String) -> Response<Chunks> {
    let mut response = Response::new(Chunks::from(message));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TEXT));
    response
}

fn http_date(time: Timestamp) -> Option<HeaderValue> {
    let time = UNIX_EPOCH + Duration::try_from_secs_f64(time).ok()?;
    HeaderValue::try_from(httpdate::fmt_http_date(time)).ok()
}

fn reply(content_type: &'static str, gzip: bool, body: Chunks) -> Response<Chunks> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}
