//! Users and passwords (RFC 7617), hashed with bcrypt.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use ring::hmac;

use super::lock;
use crate::config::Secret;

/// Pairs that are remembered.
const MOST_VERIFIED: usize = 100;

/// Passwords that were found right. bcrypt is slow on purpose, and a scraper asks with the same one
/// each time; what is kept is no password but a code under a key that dies with the process.
pub(super) struct Verified {
    key: Option<hmac::Key>,
    codes: Mutex<HashSet<Vec<u8>>>,
    /// One at a time: guesses must not take every core.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Default for Verified {
    fn default() -> Self {
        let random = ring::rand::SystemRandom::new();
        // Without a key nothing is remembered.
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &random).ok();
        Self { key, codes: Mutex::default(), turn: Arc::default() }
    }
}

impl Verified {
    /// Whether a request comes with a user of the list and the right password.
    pub(super) async fn check(
        &self,
        users: &BTreeMap<String, Secret>,
        headers: &HeaderMap,
    ) -> bool {
        let Some((user, password)) = credentials(headers) else { return false };
        let known = users.get(&user);
        // A name that is not there takes as long as one that is.
        let Some(hash) = known.or_else(|| users.values().next()) else { return false };
        let code = self.code(&[&user, hash.expose(), &password]);
        if known.is_some() && code.as_ref().is_some_and(|code| lock(&self.codes).contains(code)) {
            return true;
        }
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let hash = hash.clone();
        let right = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            bcrypt::verify(password, hash.expose()).unwrap_or(false)
        });
        let right = right.await.unwrap_or(false) && known.is_some();
        if let (true, Some(code)) = (right, code) {
            let mut codes = lock(&self.codes);
            if codes.len() >= MOST_VERIFIED {
                codes.clear();
            }
            codes.insert(code);
        }
        right
    }

    fn code(&self, parts: &[&str]) -> Option<Vec<u8>> {
        let mut context = hmac::Context::with_key(self.key.as_ref()?);
        for part in parts {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part.as_bytes());
        }
        Some(context.sign().as_ref().to_vec())
    }
}

/// User and password of a request.
fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, code) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let plain = String::from_utf8(STANDARD.decode(code.trim()).ok()?).ok()?;
    let (user, password) = plain.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_the_rfc_and_of_others() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            credentials(&headers)
        };
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(of("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), pair("Aladdin", "open sesame"));
        assert_eq!(of("basic dGVzdDoxMjPCow=="), pair("test", "123£"));
        assert_eq!(of("Basic YTpiOmM="), pair("a", "b:c"));
        for bad in ["Basic", "Basic QWxhZGRpbg==", "Bearer QTpC", "Basic %%%", "Basic /////w=="] {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert_eq!(credentials(&HeaderMap::new()), None);
    }

    #[tokio::test]
    async fn the_right_password_of_the_right_user_only() {
        let hash = "$2b$10$Wjlaqg1NiOUUVcWop1psd..9IdoTzhVoQpS5PBWqce6Q0l/wB9tjq";
        let users = BTreeMap::from([("carol".to_owned(), Secret::new(hash))]);
        let verified = Verified::default();
        let check = async |user: &str, password: &str| {
            let code = STANDARD.encode(format!("{user}:{password}"));
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, format!("Basic {code}").parse().unwrap());
            verified.check(&users, &headers).await
        };
        for _ in 0..2 {
            assert!(check("carol", "open-sesame").await);
            assert!(!check("carol", "open-sesami").await);
            assert!(!check("dave", "open-sesame").await, "another's password");
            assert!(!check("", "").await);
        }
        assert_eq!(lock(&verified.codes).len(), 1);
        let kept = format!("{:?}", lock(&verified.codes));
        assert!(!kept.contains("carol"));
        assert!(!verified.check(&BTreeMap::new(), &HeaderMap::new()).await);
    }
}
