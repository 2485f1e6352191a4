//! A site behind a web configuration file.

use std::sync::Arc;
use std::time::Instant;

use hyper::header::{HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::{HeaderMap, Method, Response, StatusCode};

use super::{Web, lock};
use crate::config::WebConfig;
use crate::expose::http::{self, Chunks, Site};

/// Answers for a site those that may ask it.
pub struct Guarded<T> {
    site: Arc<T>,
    web: Arc<Web>,
}

impl<T: Site> Guarded<T> {
    /// A site, and what stands before it.
    pub fn new(site: Arc<T>, web: Arc<Web>) -> Self {
        Self { site, web }
    }

    async fn admitted(
        &self,
        config: &WebConfig,
        method: Method,
        path: String,
        headers: HeaderMap,
    ) -> Response<Chunks> {
        let users = &config.basic_auth_users;
        if users.is_empty() || self.web.verified.check(users, &headers).await {
            return Arc::clone(&self.site).answer(method, path, headers).await;
        }
        let mut response = http::text(StatusCode::UNAUTHORIZED, "Unauthorized\n".into());
        let how = HeaderValue::from_static("Basic realm=\"plimsoll\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, how);
        response
    }
}

impl<T: Site> Site for Guarded<T> {
    async fn answer(
        self: Arc<Self>,
        method: Method,
        path: String,
        headers: HeaderMap,
    ) -> Response<Chunks> {
        let web = Arc::clone(&self.web);
        let config = tokio::task::spawn_blocking(move || web.config()).await;
        let Ok(Ok(config)) = config else {
            // What is wrong is in the log: who asks may be anybody.
            let text = "Internal Server Error\n".into();
            return http::text(StatusCode::INTERNAL_SERVER_ERROR, text);
        };
        if !lock(&self.web.limiter).allows(config.rate_limit, Instant::now()) {
            return http::text(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests\n".into());
        }
        let mut response = self.admitted(&config, method, path, headers).await;
        for (name, value) in &config.http_server_config.headers {
            // The names were checked. What the site says of itself stays.
            let name = HeaderName::try_from(name.as_str());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value))
                && !value.is_empty()
            {
                response.headers_mut().entry(name).or_insert(value);
            }
        }
        response
    }
}
