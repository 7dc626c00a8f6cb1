//! Values of the keys that guard a role: `confirm` and `expires_after`.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::aws::duration::Seconds;

/// What the user must answer before awsrole assumes a role, from the least strict to the strictest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confirm {
    /// Nothing: there is no question.
    #[default]
    Never,
    /// `y`.
    Yes,
    /// The name of the account.
    Account,
}

impl<'de> Deserialize<'de> for Confirm {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Confirm;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or \"account\"")
            }
            fn visit_bool<E: de::Error>(self, asks: bool) -> Result<Confirm, E> {
                Ok(if asks { Confirm::Yes } else { Confirm::Never })
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Confirm, E> {
                match text {
                    "account" => Ok(Confirm::Account),
                    _ => Err(E::custom(format!("`{text}` isn't a confirmation: write true or \"account\""))),
                }
            }
        }
        from.deserialize_any(Either)
    }
}

/// How long a shell keeps a role after `awsrole use`: 2 minutes to 12 hours. The notice one minute before the end needs
/// the lower limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChoiceLifetime(Duration);

impl ChoiceLifetime {
    const LIMITS: RangeInclusive<u64> = 120..=43_200;

    /// Returns the duration.
    #[must_use]
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl fmt::Display for ChoiceLifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl<'de> Deserialize<'de> for ChoiceLifetime {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let seconds = Seconds::deserialize(from)?;
        match Self::LIMITS.contains(&seconds.count) {
            true => Ok(Self(Duration::from_secs(seconds.count))),
            false => Err(de::Error::custom(format!("`{seconds}` isn't between 2m and 12h"))),
        }
    }
}
