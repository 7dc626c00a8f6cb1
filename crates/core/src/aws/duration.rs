//! Durations in the notation of configuration files.

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// A duration in whole seconds, written as a number or as "45m", "8h", "1h 30m".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds(pub u64);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Seconds;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of seconds, or a text such as \"45m\" or \"8h\"")
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Seconds, E> {
                u64::try_from(n).map(Seconds).map_err(|_| no_duration(&n))
            }
            fn visit_u64<E: de::Error>(self, n: u64) -> Result<Seconds, E> {
                Ok(Seconds(n))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Seconds, E> {
                let parsed = humantime::parse_duration(text);
                parsed.map(|duration| Seconds(duration.as_secs())).map_err(|_| no_duration(&text))
            }
        }
        from.deserialize_any(Either)
    }
}

fn no_duration<E: de::Error>(value: &impl std::fmt::Display) -> E {
    E::custom(format!("`{value}` isn't a duration: write \"45m\", \"8h\" or a number of seconds"))
}
