//! Encodings that nobody asked for: a small answer that decodes into a large one.

use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, HeaderName, TRANSFER_ENCODING};

/// What an answer is that [`is_encoded`].
pub const NOT_ASKED_FOR: &str = "it is compressed, which was not asked for";

/// Whether the body of an answer is anything but itself, in chunks or whole.
pub fn is_encoded(headers: &HeaderMap) -> bool {
    let any_but = |name: HeaderName, plain: [&str; 2]| {
        headers.get_all(name).iter().any(|value| {
            let words = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            words
                .into_iter()
                .any(|word| !plain.iter().any(|plain| word.eq_ignore_ascii_case(plain.as_bytes())))
        })
    };
    any_but(CONTENT_ENCODING, ["identity", ""])
        || any_but(TRANSFER_ENCODING, ["chunked", "identity"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_plain_is_taken() {
        let encoded = |lines: &[(HeaderName, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(name.clone(), value.parse().unwrap());
            }
            is_encoded(&headers)
        };
        assert!(!encoded(&[]));
        assert!(!encoded(&[(CONTENT_ENCODING, "Identity"), (TRANSFER_ENCODING, "chunked")]));
        assert!(encoded(&[(CONTENT_ENCODING, "gzip")]));
        assert!(encoded(&[(CONTENT_ENCODING, "identity"), (CONTENT_ENCODING, "br")]));
        assert!(encoded(&[(CONTENT_ENCODING, "identity, deflate")]));
        assert!(encoded(&[(TRANSFER_ENCODING, "gzip, chunked")]));
    }
}
