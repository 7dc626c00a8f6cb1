//! Timestamps written by other programs: credential processes, token files, metadata and container endpoints.
//!
//! All forms of ISO 8601 that botocore (python-dateutil) accepts are supported: basic and extended, with fractions,
//! without seconds, and with any offset. A time without an offset is rejected because its time zone is unknown.
//! botocore rejects it, too.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::aws::time::checked_timestamp;

/// Parses a time in whole seconds.
///
/// # Errors
/// Describes the error in words that follow the name of the program or file. The text isn't repeated.
pub fn parse(text: &str) -> Result<SystemTime, &'static str> {
    let text = text.trim();
    let no_time = "isn't a time (2030-01-02T03:04:05Z)";
    if !text.is_ascii() {
        return Err(no_time);
    }
    let (date, rest) = date(text).ok_or(no_time)?;
    let rest = match rest.strip_prefix(['T', 't', ' ']) {
        Some(rest) => rest,
        None if rest.is_empty() => return Err("is a date without a time and a zone (2030-01-02T03:04:05Z)"),
        None => return Err(no_time),
    };
    let end = rest.find(|c: char| !c.is_ascii_digit() && !":.,".contains(c)).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(end);
    let clock = time_of_day(clock).ok_or(no_time)?;
    let zone = match zone.trim_start() {
        "" => return Err("is a time without a zone (2030-01-02T03:04:05Z)"),
        zone => offset(zone).ok_or(no_time)?,
    };
    let seconds = u64::try_from(date * 86_400 + clock - zone).map_err(|_| "is a time before 1970")?;
    checked_timestamp(UNIX_EPOCH + Duration::from_secs(seconds)).ok_or("is a time after the year 9999")
}

/// Parses `2030-01-02` or `20300102`. Returns the days since 1970 and the remaining text.
fn date(text: &str) -> Option<(i64, &str)> {
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(digits);
    let (year, month, day, end) = match text.get(4..5)? {
        "-" if text.get(7..8)? == "-" => (number(0..4)?, number(5..7)?, number(8..10)?, 10),
        _ => (number(0..4)?, number(4..6)?, number(6..8)?, 8),
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=last).contains(&day) {
        return None;
    }
    // The year begins in March, so that the leap day is its last (H. Hinnant, "chrono-compatible low-level date
    // algorithms").
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some((days + (153 * month + 2) / 5 + day - 1 - 719_468, &text[end..]))
}

/// Parses `03:04:05.6`, `030405`, `03:04` or `03`. Returns the seconds since midnight. Fractions are dropped.
fn time_of_day(text: &str) -> Option<i64> {
    let (whole, fraction) = match text.find(['.', ',']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let parts = match (whole.contains(':'), whole.len()) {
        (true, _) => whole.split(':').map(digits).collect::<Option<Vec<_>>>()?,
        (false, 2 | 4 | 6) => {
            (0..whole.len() / 2).map(|n| digits(&whole[2 * n..2 * n + 2])).collect::<Option<Vec<_>>>()?
        }
        (false, _) => return None,
    };
    let two_each = whole.bytes().filter(u8::is_ascii_digit).count() == 2 * parts.len();
    let (hour, minute, second) = match parts[..] {
        [hour] => (hour, 0, 0),
        [hour, minute] => (hour, minute, 0),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    let fits = fraction.is_none_or(|fraction| parts.len() == 3 && !fraction.is_empty() && digits(fraction).is_some());
    (two_each && fits && hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
}

/// Parses `Z`, `UTC`, `GMT`, `+02:00`, `+0200` or `+02`. Returns the offset from UTC in seconds.
fn offset(text: &str) -> Option<i64> {
    if ["z", "utc", "gmt"].iter().any(|name| text.eq_ignore_ascii_case(name)) {
        return Some(0);
    }
    let (sign, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(rest), _) => (1, rest),
        (_, Some(rest)) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match (rest.split_once(':'), rest.len()) {
        (Some((hours, minutes)), 5) if minutes.len() == 2 => (digits(hours)?, digits(minutes)?),
        (None, 4) => (digits(&rest[..2])?, digits(&rest[2..])?),
        (None, 2) => (digits(rest)?, 0),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn digits(text: &str) -> Option<i64> {
    // Digits that don't fit are ignored. They can only be further digits of a fraction.
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.get(..text.len().min(18)).and_then(|text| text.parse().ok())).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::time::rfc3339;

    #[test]
    fn parses_the_forms_that_botocore_parses() {
        for (text, expected) in [
            ("2030-01-02T05:04:05Z", "2030-01-02T05:04:05Z"),
            ("2030-01-02T05:04:05+02:00", "2030-01-02T03:04:05Z"),
            ("2030-01-02T05:04:05+0200", "2030-01-02T03:04:05Z"),
            ("2030-01-02T05:04:05+02", "2030-01-02T03:04:05Z"),
            ("2030-01-02T05:04:05 +02:00", "2030-01-02T03:04:05Z"),
            ("2030-01-02T05:04:05-05:30", "2030-01-02T10:34:05Z"),
            ("2030-01-01T23:59:59-00:01", "2030-01-02T00:00:59Z"),
            ("2030-01-02T05:04:05+14:00", "2030-01-01T15:04:05Z"),
            ("2030-01-02T05:04:05.123456Z", "2030-01-02T05:04:05Z"),
            ("2030-01-02T05:04:05.999999999999999999999999+00:00", "2030-01-02T05:04:05Z"),
            ("2030-01-02T05:04:05,5Z", "2030-01-02T05:04:05Z"),
            ("2030-01-02 05:04:05 UTC", "2030-01-02T05:04:05Z"),
            ("2030-01-02T05:04:05UTC", "2030-01-02T05:04:05Z"),
            ("2030-01-02T05:04:05 GMT", "2030-01-02T05:04:05Z"),
            ("2030-01-02t05:04:05z", "2030-01-02T05:04:05Z"),
            ("20300102T050405Z", "2030-01-02T05:04:05Z"),
            ("20300102T050405+0200", "2030-01-02T03:04:05Z"),
            ("2030-01-02T050405Z", "2030-01-02T05:04:05Z"),
            ("2030-01-02T05:04Z", "2030-01-02T05:04:00Z"),
            ("2030-01-02T05Z", "2030-01-02T05:00:00Z"),
            (" 2030-01-02T05:04:05Z\n", "2030-01-02T05:04:05Z"),
            ("2028-02-29T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("2000-03-01T00:00:00Z", "2000-03-01T00:00:00Z"),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(parse(text).map(rfc3339).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn rejects_invalid_times() {
        for (text, expected) in [
            ("", "isn't a time"),
            ("tomorrow", "isn't a time"),
            ("1893560645", "isn't a time"),
            ("2030-01-02T05:04:05", "without a zone"),
            ("2030-01-02", "without a time"),
            ("2030-02-29T00:00:00Z", "isn't a time"),
            ("2030-13-01T00:00:00Z", "isn't a time"),
            ("2030-00-01T00:00:00Z", "isn't a time"),
            ("2030-01-02T24:00:00Z", "isn't a time"),
            ("2030-01-02T05:60:00Z", "isn't a time"),
            ("2030-01-02T05:04:60Z", "isn't a time"),
            ("2030-01-02T5:04:05Z", "isn't a time"),
            ("2030-01-02T05:04:05.Z", "isn't a time"),
            ("2030-01-02T05.5Z", "isn't a time"),
            ("2030-01-02T05:04:05Zulu", "isn't a time"),
            ("2030-01-02T05:04:05 EST", "isn't a time"),
            ("2030-01-02T05:04:05+25:00", "isn't a time"),
            ("2030-01-02T05:04:05+02:00:00", "isn't a time"),
            ("2030-01-02T05:04:05\u{2212}02:00", "isn't a time"),
            ("2030-W01-3T05:04:05Z", "isn't a time"),
            ("1969-12-31T23:59:59Z", "before 1970"),
            ("0001-01-01T00:00:00Z", "before 1970"),
            ("1970-01-01T00:00:00+01:00", "before 1970"),
            ("9999-12-31T23:59:59-00:01", "after the year 9999"),
        ] {
            let said = parse(text).unwrap_err();
            assert!(said.contains(expected), "{text}: {said}");
        }
    }

    #[test]
    fn counts_every_day_of_a_leap_cycle() {
        let mut days = Vec::new();
        for year in 1970..2371 {
            for (month, day) in (1..=12).flat_map(|month| (1..=31).map(move |day| (month, day))) {
                days.extend(date(&format!("{year:04}-{month:02}-{day:02}")).map(|(days, _)| days));
            }
        }
        assert_eq!(days.len(), 365 * 401 + 97);
        assert!(days.iter().copied().eq(0..365 * 401 + 97));
    }
}
