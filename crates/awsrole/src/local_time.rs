//! Times for people: in the time zone of this machine or of `TZ`, with the time left. `--json` has UTC.

use std::time::SystemTime;

use awsrole_core::aws::time::{format_remaining, format_with_offset};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Formats a time: `2026-11-30 16:32:05`.
pub(crate) fn local(time: SystemTime) -> String {
    let offset = Timestamp::try_from(time).map(|time| TimeZone::system().to_offset(time).seconds());
    format_with_offset(time, offset.unwrap_or_default())
}

/// Formats a time with its distance: `2026-11-30 16:32:05 (in 49m)`, or `(5m ago)`.
pub(crate) fn with_distance(time: SystemTime, now: SystemTime) -> String {
    let distance = match (time.duration_since(now), now.duration_since(time)) {
        (Ok(left), _) => format!("in {}", format_remaining(left)),
        (_, Ok(ago)) => format!("{} ago", format_remaining(ago)),
        (Err(_), Err(_)) => String::new(),
    };
    let distance = distance.replace("in expired", "now");
    format!("{} ({distance})", local(time))
}

/// Formats a time that is written as RFC 3339. A text that is none is unchanged.
pub(crate) fn of_text(text: &str, now: SystemTime) -> String {
    humantime::parse_rfc3339(text).map_or_else(|_| text.to_owned(), |time| with_distance(time, now))
}
