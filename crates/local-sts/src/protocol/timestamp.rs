//! Timestamps in the formats of AWS.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Formats a time as RFC 3339 in whole seconds, as in `Expiration`.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// Formats a time in the basic format of ISO 8601, as in `X-Amz-Date`.
pub(crate) fn basic(time: SystemTime) -> String {
    rfc3339(time).chars().filter(|c| !matches!(c, '-' | ':')).collect()
}

/// Parses the basic format of ISO 8601, such as `20150830T123600Z`. Returns `None` for anything else.
pub(crate) fn parse_basic(text: &str) -> Option<SystemTime> {
    let bytes = text.as_bytes();
    let digits = |from: usize, to: usize| bytes.get(from..to).filter(|part| part.iter().all(u8::is_ascii_digit));
    if text.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    digits(0, 8)?;
    digits(9, 15)?;
    let extended = format!(
        "{}-{}-{}T{}:{}:{}Z",
        &text[0..4],
        &text[4..6],
        &text[6..8],
        &text[9..11],
        &text[11..13],
        &text[13..15]
    );
    humantime::parse_rfc3339(&extended).ok()
}

/// Returns the Unix time in seconds, or zero for times before 1970.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Truncates a time to whole seconds, so that the server enforces exactly the expiration that it returns.
pub(crate) fn whole_seconds(time: SystemTime) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(unix_seconds(time))
}

/// Adds a signed number of seconds.
pub(crate) fn moved(time: SystemTime, seconds: i64) -> SystemTime {
    let by = Duration::from_secs(seconds.unsigned_abs());
    let moved = if seconds < 0 { time.checked_sub(by) } else { time.checked_add(by) };
    moved.filter(|time| *time >= UNIX_EPOCH).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_form_goes_both_ways() {
        let time = UNIX_EPOCH + Duration::from_secs(1_440_938_160);
        assert_eq!(basic(time), "20150830T123600Z");
        assert_eq!(parse_basic("20150830T123600Z"), Some(time));
        for wrong in ["20150830T123600", "2015-08-30T12:36:00Z", "20151330T123600Z", "2015083éT23600Z", ""] {
            assert_eq!(parse_basic(wrong), None, "{wrong}");
        }
    }
}
