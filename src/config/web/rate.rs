//! How many requests are answered in a time.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::config::units::parse_duration;

/// A token bucket: one request each `interval`, and `burst` at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimit {
    /// Time between two requests; 0 is no limit.
    #[serde(deserialize_with = "go_duration")]
    pub interval: Duration,
    /// Requests that may come at once. With 0 and an interval none is answered, as in the toolkit.
    pub burst: u32,
}

/// As Go's YAML reader takes a `time.Duration`: text with units, or nanoseconds.
fn go_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    struct Go;
    impl Visitor<'_> for Go {
        type Value = Duration;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a duration such as 1s, or nanoseconds")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
            match text {
                "0" => Ok(Duration::ZERO),
                _ => parse_duration(text).map_err(E::custom),
            }
        }

        fn visit_u64<E: de::Error>(self, nanoseconds: u64) -> Result<Duration, E> {
            Ok(Duration::from_nanos(nanoseconds))
        }

        fn visit_i64<E: de::Error>(self, nanoseconds: i64) -> Result<Duration, E> {
            u64::try_from(nanoseconds)
                .map(Duration::from_nanos)
                .map_err(|_| E::custom("a duration below 0"))
        }
    }
    deserializer.deserialize_any(Go)
}
