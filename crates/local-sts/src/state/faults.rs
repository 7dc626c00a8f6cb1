//! Faults that a test injects: latency, errors, broken connections, another clock.

use std::time::Duration;

use serde::Deserialize;

use crate::protocol::error::ApiError;

/// Ten years. More would exceed the range of the time formats.
const MAX_CLOCK_OFFSET_SECONDS: i64 = 10 * 366 * 86_400;

/// A fault, as in the body of `POST /_local/faults`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// The action that it applies to, by default all.
    action: Option<String>,
    latency_ms: Option<u64>,
    error: Option<ErrorFault>,
    #[serde(default)]
    throttle: bool,
    #[serde(default)]
    unavailable: bool,
    #[serde(default)]
    drop: bool,
    #[serde(default)]
    truncate: bool,
    lifetime_seconds: Option<u64>,
    clock_offset_seconds: Option<i64>,
    /// For CreateAccessKey: how long services don't accept the new key.
    key_delay_ms: Option<u64>,
    /// The number of calls that it applies to, by default all.
    times: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorFault {
    status: u16,
    code: String,
    message: String,
}

/// How a response is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Completely.
    #[default]
    Whole,
    /// The connection ends in the middle of the body.
    Truncated,
    /// The connection ends without a response.
    Dropped,
}

/// Effects of all matching faults on one call.
#[derive(Debug, Default)]
pub(crate) struct FaultEffects {
    pub(crate) latency: Duration,
    pub(crate) error: Option<ApiError>,
    pub(crate) delivery: Delivery,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) clock_offset_seconds: i64,
    pub(crate) key_delay: Duration,
}

/// Active faults.
#[derive(Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    /// Adds a fault.
    ///
    /// # Errors
    /// It can't be parsed, or a value is out of range.
    pub(crate) fn add(&mut self, json: &[u8]) -> Result<(), String> {
        let fault: Fault = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if fault.error.as_ref().is_some_and(|error| !(400..600).contains(&error.status)) {
            return Err("an error's status must be 400 to 599".into());
        }
        let offset = fault.clock_offset_seconds.unwrap_or_default();
        if offset.unsigned_abs() > MAX_CLOCK_OFFSET_SECONDS.unsigned_abs() {
            return Err("clock_offset_seconds must be within ten years".into());
        }
        if fault.lifetime_seconds.is_some_and(|seconds| seconds > 129_600) {
            return Err("lifetime_seconds must be at most 129600".into());
        }
        self.0.push(fault);
        Ok(())
    }

    /// Removes all faults.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the clock offset of the last fault for all actions.
    pub(crate) fn clock_offset_seconds(&self) -> i64 {
        let for_all = self.0.iter().filter(|fault| fault.action.is_none());
        for_all.filter_map(|fault| fault.clock_offset_seconds).next_back().unwrap_or_default()
    }

    /// Returns the effects on a call of this action, and counts the call in each matching fault.
    pub(crate) fn effects(&mut self, action: &str) -> FaultEffects {
        let mut effects = FaultEffects::default();
        for fault in self.0.iter_mut().filter(|fault| fault.action.as_deref().is_none_or(|name| name == action)) {
            fault.apply(&mut effects);
            fault.times = fault.times.map(|times| times.saturating_sub(1));
        }
        self.0.retain(|fault| fault.times != Some(0));
        effects
    }
}

impl Fault {
    fn apply(&self, effects: &mut FaultEffects) {
        effects.latency += Duration::from_millis(self.latency_ms.unwrap_or_default());
        if self.throttle {
            effects.error = Some(ApiError::new(400, "Throttling", "Rate exceeded"));
        }
        if self.unavailable {
            effects.error = Some(ApiError::new(
                503,
                "ServiceUnavailable",
                "The request has failed due to a temporary failure of the server.",
            ));
        }
        if let Some(error) = &self.error {
            effects.error = Some(ApiError::new(error.status, &error.code, &error.message));
        }
        if self.drop {
            effects.delivery = Delivery::Dropped;
        } else if self.truncate {
            effects.delivery = Delivery::Truncated;
        }
        effects.key_delay = self.key_delay_ms.map_or(effects.key_delay, Duration::from_millis);
        effects.lifetime = self.lifetime_seconds.map(Duration::from_secs).or(effects.lifetime);
        effects.clock_offset_seconds = self.clock_offset_seconds.unwrap_or(effects.clock_offset_seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_end_after_their_times_and_apply_to_their_action() {
        let mut faults = Faults::default();
        faults.add(br#"{"action": "AssumeRole", "throttle": true, "times": 2}"#).unwrap();
        faults.add(br#"{"latency_ms": 5}"#).unwrap();
        assert_eq!(faults.effects("GetCallerIdentity").error, None);
        for expected in [true, true, false] {
            let effects = faults.effects("AssumeRole");
            assert_eq!(effects.error.is_some_and(|error| error.code == "Throttling"), expected);
            assert_eq!(effects.latency, Duration::from_millis(5));
        }
    }

    #[test]
    fn faults_without_effect_are_errors() {
        let mut faults = Faults::default();
        for wrong in [
            r#"{"latency": 5}"#,
            r#"{"error": {"status": 200, "code": "x", "message": ""}}"#,
            r#"{"clock_offset_seconds": 99999999999}"#,
            "[]",
        ] {
            assert!(faults.add(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
