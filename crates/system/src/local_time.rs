//! Times for people: in the time zone of this machine or of `TZ`, with the time left. `--json` has UTC.

use std::time::SystemTime;

use awsrole_core::aws::time::{format_remaining, format_with_offset};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Formats a time: `2026-11-30 16:32:05`.
#[must_use]
pub fn local(time: SystemTime) -> String {
    let offset = Timestamp::try_from(time).map(|time| TimeZone::system().to_offset(time).seconds());
    format_with_offset(time, offset.unwrap_or_default())
}

/// Says how long credentials are still used that can't be renewed: `still using the current credentials, valid until
/// 16:32 (in 12m)`.
#[must_use]
pub fn still_valid(expires: SystemTime, now: SystemTime) -> String {
    let local = local(expires);
    let time = local.split(' ').nth(1).and_then(|time| time.get(..5)).unwrap_or(&local);
    let left = format_remaining(expires.duration_since(now).unwrap_or_default());
    format!("still using the current credentials, valid until {time} (in {left})")
}

/// Formats a time with its distance: `2026-11-30 16:32:05 (in 49m)`, or `(5m ago)`.
#[must_use]
pub fn with_distance(time: SystemTime, now: SystemTime) -> String {
    let distance = match (time.duration_since(now), now.duration_since(time)) {
        (Ok(left), _) => format!("in {}", format_remaining(left)),
        (_, Ok(ago)) => format!("{} ago", format_remaining(ago)),
        (Err(_), Err(_)) => String::new(),
    };
    let distance = distance.replace("in expired", "now");
    format!("{} ({distance})", local(time))
}

/// Formats a time that is written as RFC 3339. A text that is none is unchanged.
#[must_use]
pub fn of_text(text: &str, now: SystemTime) -> String {
    humantime::parse_rfc3339(text).map_or_else(|_| text.to_owned(), |time| with_distance(time, now))
}
