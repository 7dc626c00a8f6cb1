//! Durations in the notation of configuration files.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// A duration in whole seconds, written as a number or as "45m", "8h", "1h 30m".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seconds {
    /// The number of seconds.
    pub count: u64,
    /// The notation in the file, for messages.
    written: String,
}

impl From<u64> for Seconds {
    fn from(count: u64) -> Self {
        Self { count, written: count.to_string() }
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Seconds;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of seconds, or a text such as \"45m\" or \"8h\"")
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Seconds, E> {
                u64::try_from(n).map(Seconds::from).map_err(|_| no_duration(&n))
            }
            fn visit_u64<E: de::Error>(self, n: u64) -> Result<Seconds, E> {
                Ok(n.into())
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Seconds, E> {
                let duration = humantime::parse_duration(text).map_err(|_| no_duration(&text))?;
                Ok(Seconds { count: duration.as_secs(), written: text.to_owned() })
            }
        }
        from.deserialize_any(Either)
    }
}

fn no_duration<E: de::Error>(value: &impl fmt::Display) -> E {
    E::custom(format!("`{value}` isn't a duration: write \"45m\", \"8h\" or a number of seconds"))
}
