//! Conversions of times: seconds since 1970, RFC 3339, and remaining time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The first second of the year 10000, which RFC 3339 can't represent.
const MAX_TIMESTAMP: u64 = 253_402_300_800;

/// Converts seconds since 1970. Returns `None` for a time that RFC 3339 can't represent.
#[must_use]
pub fn from_unix(seconds: u64) -> Option<SystemTime> {
    (seconds < MAX_TIMESTAMP).then(|| UNIX_EPOCH + Duration::from_secs(seconds))
}

/// Checks a time that a library parsed from remote data against the same bounds as [`from_unix`].
#[must_use]
pub fn checked_timestamp(from: SystemTime) -> Option<SystemTime> {
    let seconds = from.duration_since(UNIX_EPOCH).ok()?.as_secs();
    from_unix(seconds).map(|_| from)
}

/// Formats a time as AWS clients and prompts expect it: RFC 3339, whole seconds, `Z`. A time outside its range becomes
/// the nearest one inside.
#[must_use]
pub fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().min(MAX_TIMESTAMP - 1);
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}

/// Formats a time for people, in a zone with this offset from UTC in seconds: `2026-11-30 16:32:05`.
#[must_use]
pub fn format_with_offset(time: SystemTime, offset: i32) -> String {
    let distance = Duration::from_secs(offset.unsigned_abs().into());
    let shifted = if offset < 0 { time.checked_sub(distance) } else { time.checked_add(distance) };
    rfc3339(shifted.unwrap_or(time)).replace('T', " ").replace('Z', "")
}

/// Formats the remaining time for prompts: `11h59m`, `59m`, `45s`, or `expired`. `awsrole_left` in `shell/left.*` uses
/// this format, too.
#[must_use]
pub fn format_remaining(time: Duration) -> String {
    match time.as_secs() {
        0 => "expired".to_owned(),
        seconds @ 1..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds => format!("{}h{}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::credentials::tests::credentials;

    #[test]
    fn formats_remaining_time() {
        for (seconds, text) in
            [(0, "expired"), (1, "1s"), (60, "1m"), (3599, "59m"), (3600, "1h0m"), (129_600, "36h0m")]
        {
            assert_eq!(format_remaining(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn formats_local_times() {
        let time = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        for (offset, text) in
            [(0, "2001-09-09 01:46:40"), (7200, "2001-09-09 03:46:40"), (-34_200, "2001-09-08 16:16:40")]
        {
            assert_eq!(format_with_offset(time, offset), text);
        }
        assert_eq!(format_with_offset(UNIX_EPOCH, -60), "1970-01-01 00:00:00");
    }

    #[test]
    fn rejects_times_that_rfc3339_can_not_represent() {
        let (before, last) = (UNIX_EPOCH - Duration::from_secs(1), UNIX_EPOCH + Duration::from_secs(MAX_TIMESTAMP - 1));
        let after = last + Duration::from_secs(1);
        let furthest = UNIX_EPOCH + Duration::from_secs(i64::MAX.unsigned_abs());
        for (wrong, nearest) in
            [(before, "1970-01-01T00:00:00Z"), (after, "9999-12-31T23:59:59Z"), (furthest, "9999-12-31T23:59:59Z")]
        {
            assert_eq!(checked_timestamp(wrong), None);
            assert_eq!(rfc3339(wrong), nearest);
        }
        assert_eq!((checked_timestamp(last), from_unix(MAX_TIMESTAMP - 1)), (Some(last), Some(last)));
        assert_eq!((from_unix(MAX_TIMESTAMP), from_unix(u64::MAX)), (None, None));
    }

    #[test]
    fn renewal_margin_depends_on_the_lifetime() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        for (life, margin) in [(900, 180), (3600, 600), (43_200, 600), (20, 4)] {
            let renewal = credentials(now, life).renew_at().unwrap();
            assert_eq!(renewal, now + Duration::from_secs(life - margin));
        }
    }
}
