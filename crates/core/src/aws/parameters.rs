//! Request parameters within the limits of STS, checked before any call.
//!
//! The limits are from the STS API Reference, `AssumeRole` and `GetSessionToken`, "Request Parameters". Every value of
//! these types is within its limits.

use crate::aws::duration::Seconds;
use crate::aws::invalid::OutOfRange;
use crate::aws::invalid::check_length;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::aws::arn::{AccountId, RoleArn};

fn checked(text: &str, least: usize, most: usize, extra: &str) -> Result<String, OutOfRange> {
    check_length(text, least, most)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || extra.contains(c);
    match text.chars().find(|c| !allowed(*c)) {
        None => Ok(text.to_owned()),
        Some(c) => Err(OutOfRange::with_character(text, c, &format!("A–Z a–z 0–9 _ and {extra}"))),
    }
}

/// A role session name: 2–64 of `[\w+=,.@-]`. CloudTrail records it with each call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct SessionName(String);

impl SessionName {
    /// The largest number of characters.
    pub const MAX_LENGTH: usize = 64;

    /// Parses the name.
    pub fn parse(text: &str) -> Result<Self, OutOfRange> {
        checked(text, 2, Self::MAX_LENGTH, "+=,.@-").map(Self)
    }

    /// Derives a valid name from a login name, so that CloudTrail shows the user.
    #[must_use]
    pub fn of_user(login: &str) -> Self {
        let valid = |c: char| {
            if c.is_ascii_alphanumeric() || "_+=,.@-".contains(c) { c } else { '-' }
        };
        let mut name: String = login.chars().map(valid).take(Self::MAX_LENGTH).collect();
        if name.len() < 2 {
            name.insert_str(0, "user-");
        }
        Self(name)
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An external ID: 2–1224 of `[\w+=,.@:/-]`. It isn't a secret (IAM User Guide, "The confused deputy problem").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ExternalId(String);

impl ExternalId {
    /// Parses the ID.
    pub fn parse(text: &str) -> Result<Self, OutOfRange> {
        checked(text, 2, 1224, "+=,.@:/-").map(Self)
    }

    /// Returns the ID.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A source identity: 2–256 of `[\w+=,.@-]`, not beginning with `aws:`. It persists across role chaining.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct SourceIdentity(String);

impl SourceIdentity {
    /// Parses the identity.
    pub fn parse(text: &str) -> Result<Self, OutOfRange> {
        if text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
            return Err(OutOfRange::new(text, "must not begin with `aws:`, which is reserved by AWS"));
        }
        // The limit was 64 before November 2026 (STS API Reference, AssumeRole).
        checked(text, 2, 256, "+=,.@-").map(Self)
    }

    /// Returns the identity.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a permission set: 1–32 of `[\w+=,.@-]` (IAM Identity Center API Reference, `CreatePermissionSet`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct PermissionSet(String);

impl PermissionSet {
    /// Parses the name.
    pub fn parse(text: &str) -> Result<Self, OutOfRange> {
        checked(text, 1, 32, "+=,.@-").map(Self)
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The serial number or ARN of an MFA device: 9–256 of `[\w+=/:,.@-]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct MfaSerial(String);

impl MfaSerial {
    /// Parses the serial number. FIDO security keys are rejected because they have no codes and STS doesn't support
    /// them.
    pub fn parse(text: &str) -> Result<Self, OutOfRange> {
        if text.contains(":u2f/") {
            return Err(OutOfRange::new(
                text,
                "is a FIDO security key, which STS doesn't support: register an authenticator app in addition",
            ));
        }
        checked(text, 9, 256, "+=/:,.@-").map(Self)
    }

    /// Returns the serial number.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A description of a scoped session, which CloudTrail records: 2–256 of
/// `[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]` (STS API Reference, `GetScopedCredentials`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionDescription(String);

impl SessionDescription {
    /// Parses the description.
    pub fn parse(text: &str) -> Result<Self, OutOfRange> {
        check_length(text, 2, 256)?;
        match text.chars().find(|c| !matches!(c, '\t' | '\n' | '\r' | ' '..='\u{7e}' | '\u{a1}'..='\u{ff}')) {
            Some(c) => Err(OutOfRange::new(text, format!("contains `{}`", c.escape_default()))),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// Returns the description.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A session's duration in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Serialize)]
pub struct SessionDuration(u32);

impl SessionDuration {
    /// The default duration of an assumed role, and the maximum in role chaining.
    pub const HOUR: Self = Self(3600);

    /// Checks a duration for AssumeRole: 900–43200 seconds.
    pub fn for_role(seconds: &Seconds) -> Result<Self, OutOfRange> {
        Self::within(seconds, 43_200, "a role's session lasts from 900 (15m) to 43200 (12h)")
    }

    /// Checks a duration for GetSessionToken: 900–129600 seconds.
    pub fn for_session_token(seconds: &Seconds) -> Result<Self, OutOfRange> {
        Self::within(seconds, 129_600, "a session of long-lived keys lasts from 900 (15m) to 129600 (36h)")
    }

    /// Checks a duration for GetScopedCredentials: 900–129600 seconds. AWS accepts 1 second, but a session must last
    /// longer than its renewal takes.
    pub fn for_scoped_session(seconds: &Seconds) -> Result<Self, OutOfRange> {
        Self::within(seconds, 129_600, "a limited session lasts from 900 (15m) to 129600 (36h)")
    }

    fn within(seconds: &Seconds, most: u32, say: &str) -> Result<Self, OutOfRange> {
        match u32::try_from(seconds.count) {
            Ok(n) if (900..=most).contains(&n) => Ok(Self(n)),
            _ => Err(OutOfRange::new(&seconds.to_string(), format!("is out of range: {say} seconds"))),
        }
    }

    /// Returns the seconds, in the type that STS expects.
    #[must_use]
    pub fn seconds(self) -> i32 {
        i32::try_from(self.0).unwrap_or(i32::MAX)
    }

    /// Returns the duration.
    #[must_use]
    pub fn as_duration(self) -> Duration {
        Duration::from_secs(u64::from(self.0))
    }

    /// Formats the duration for messages: `1h`, `45m`.
    #[must_use]
    pub fn human(self) -> String {
        humantime::format_duration(self.as_duration()).to_string()
    }
}

/// Session tags: at most 50. Keys have 1–128 characters and differ in more than case. Values have 0–256 characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SessionTags {
    /// Key → value.
    pub tags: BTreeMap<String, String>,
    /// Transitive tag keys, which are passed on in role chaining.
    pub transitive: Vec<String>,
}

impl SessionTags {
    /// Checks the tags.
    pub fn parse(tags: &BTreeMap<String, String>) -> Result<Self, OutOfRange> {
        let extra = " .:/=+@-";
        let allowed = |c: char| c.is_alphanumeric() || c == '_' || extra.contains(c);
        let clean = |text: &str| match text.chars().find(|c| !allowed(*c)) {
            Some(c) => Err(OutOfRange::new(
                text,
                format!(
                    "contains `{}`; allowed in a session tag are letters, digits, _ and{extra}",
                    c.escape_default()
                ),
            )),
            None => Ok(()),
        };
        if tags.len() > 50 {
            return Err(OutOfRange::new("session_tags", "must not be more than 50"));
        }
        let mut seen = BTreeSet::new();
        for (key, value) in tags {
            check_length(key, 1, 128)?;
            check_length(value, 0, 256)?;
            clean(key)?;
            clean(value)?;
            if key.to_lowercase().starts_with("aws:") {
                return Err(OutOfRange::new(key, "must not begin with `aws:`, which is reserved by AWS"));
            }
            if !seen.insert(key.to_lowercase()) {
                return Err(OutOfRange::new(key, "is there twice: session tag keys don't differ by case"));
            }
        }
        Ok(Self { tags: tags.clone(), transitive: Vec::new() })
    }

    /// Sets the transitive tag keys. Each must be one of the tags.
    pub fn transitive(self, keys: &[String]) -> Result<Self, OutOfRange> {
        if keys.len() > 50 {
            return Err(OutOfRange::new("transitive_session_tags", "must not be more than 50"));
        }
        if let Some(key) = keys.iter().find(|key| !self.tags.contains_key(*key)) {
            return Err(OutOfRange::new(key, "is transitive but isn't one of `session_tags`"));
        }
        Ok(Self { transitive: keys.to_vec(), ..self })
    }
}

/// A region name, such as `ap-northeast-1`. It becomes part of a host name, so only valid characters are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Region(String);

impl Region {
    /// Parses lower-case letters, digits and hyphens: a valid host name label (RFC 1123).
    pub fn parse(text: &str) -> Result<Self, OutOfRange> {
        let label = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if label && (1..=63).contains(&text.len()) && !text.starts_with('-') && !text.ends_with('-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(OutOfRange::new(text, "isn't a region's name, such as us-east-1"))
        }
    }

    /// Returns the partition of the region (AWS SDKs, `partitions.json`).
    #[must_use]
    pub fn partition(&self) -> &'static str {
        let region = self.as_str();
        let prefixes = [
            ("cn-", "aws-cn"),
            ("us-gov-", "aws-us-gov"),
            ("us-isob-", "aws-iso-b"),
            ("us-isof-", "aws-iso-f"),
            ("us-iso-", "aws-iso"),
            ("eu-isoe-", "aws-iso-e"),
            ("eusc-", "aws-eusc"),
        ];
        prefixes.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("aws", |(_, partition)| partition)
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the region without `fips-` or `-fips` in its name, and whether that was present.
    ///
    /// Such names are an older way to select FIPS endpoints (botocore, `_normalize_fips_region`).
    #[must_use]
    pub fn without_fips(&self) -> (Self, bool) {
        let name = self.0.replace("fips-", "").replace("-fips", "");
        match Self::parse(&name) {
            Ok(region) if name != self.0 => (region, true),
            _ => (self.clone(), false),
        }
    }
}

/// Implements deserialization with the type's own check, so that errors refer to the line of the value.
macro_rules! read_as_text {
    ($($name:ty),+) => {$(
        impl TryFrom<String> for $name {
            type Error = OutOfRange;
            fn try_from(text: String) -> Result<Self, OutOfRange> {
                Self::parse(&text)
            }
        }
    )+};
}
read_as_text!(SessionName, ExternalId, SourceIdentity, PermissionSet, MfaSerial, Region, AccountId, RoleArn);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::invalid::OutOfRange;

    fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn accepts_values_at_the_limits() {
        for ok in [
            SessionName::parse("ab").is_ok(),
            SessionName::parse(&"a".repeat(64)).is_ok(),
            ExternalId::parse("a:").is_ok(),
            ExternalId::parse(&"a".repeat(1224)).is_ok(),
            SourceIdentity::parse("ab").is_ok(),
            SourceIdentity::parse(&"a".repeat(256)).is_ok(),
            MfaSerial::parse("GAHT12345").is_ok(),
            MfaSerial::parse(&"a".repeat(256)).is_ok(),
            SessionDuration::for_role(&900.into()).is_ok(),
            SessionDuration::for_role(&43_200.into()).is_ok(),
            SessionDuration::for_session_token(&129_600.into()).is_ok(),
            SessionTags::parse(&tags(&[("a", "")])).unwrap().transitive(&["a".into()]).is_ok(),
            SessionTags::parse(&tags(&[(&"k".repeat(128), &"v".repeat(256))])).is_ok(),
            SessionDuration::for_scoped_session(&900.into()).is_ok(),
            SessionDescription::parse("agent\u{ff}").is_ok(),
            Region::parse("us-gov-west-1").is_ok(),
        ] {
            assert!(ok);
        }
    }

    #[test]
    fn strips_fips_from_region_names() {
        for (name, real, fips) in [
            ("fips-us-east-1", "us-east-1", true),
            ("us-gov-west-1-fips", "us-gov-west-1", true),
            ("us-east-1", "us-east-1", false),
            ("fips--fips", "fips--fips", false),
        ] {
            assert_eq!(Region::parse(name).unwrap().without_fips(), (Region(real.to_owned()), fips));
        }
        assert!(Region::parse("fips-").is_err() && Region::parse("-fips").is_err());
    }

    #[test]
    fn rejects_values_just_outside_the_limits() {
        let many: BTreeMap<String, String> = (0..51).map(|n| (format!("k{n}"), String::new())).collect();
        let cases: Vec<(Result<(), OutOfRange>, &str)> = vec![
            (SessionName::parse("a").map(drop), "2–64"),
            (SessionName::parse(&"a".repeat(65)).map(drop), "2–64"),
            (SessionName::parse("a b").map(drop), "contains a space"),
            (ExternalId::parse("a").map(drop), "2–1224"),
            (ExternalId::parse(&"a".repeat(1225)).map(drop), "2–1224"),
            (SourceIdentity::parse("AWS:x").map(drop), "aws:"),
            (SourceIdentity::parse(&"a".repeat(257)).map(drop), "2–256"),
            (PermissionSet::parse("").map(drop), "1–32"),
            (PermissionSet::parse("Admin\u{1b}").map(drop), "contains"),
            (MfaSerial::parse("12345678").map(drop), "9–256"),
            (MfaSerial::parse("arn:aws:iam::1:u2f/user/x").map(drop), "FIDO"),
            (SessionDuration::for_role(&899.into()).map(drop), "900"),
            (SessionDuration::for_role(&43_201.into()).map(drop), "43200"),
            (SessionDuration::for_session_token(&129_601.into()).map(drop), "129600"),
            (SessionDuration::for_scoped_session(&129_601.into()).map(drop), "129600"),
            (SessionDescription::parse("a").map(drop), "2–256"),
            (SessionDescription::parse("agent\u{a0}").map(drop), "contains"),
            (SessionTags::parse(&many).map(drop), "50"),
            (SessionTags::parse(&tags(&[("a", "1"), ("A", "2")])).map(drop), "twice"),
            (SessionTags::parse(&tags(&[(&"k".repeat(129), "")])).map(drop), "1–128"),
            (SessionTags::parse(&tags(&[("k", &"v".repeat(257))])).map(drop), "0–256"),
            (SessionTags::parse(&tags(&[("k", "a\u{1b}")])).map(drop), "contains"),
            (SessionTags::parse(&tags(&[("k", "v")])).unwrap().transitive(&["z".into()]).map(drop), "transitive"),
            (Region::parse("us-east-1.evil.example").map(drop), "region"),
        ];
        for (result, part) in cases {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(part), "{error} should say {part}");
        }
    }

    #[test]
    fn derives_session_names_from_login_names() {
        for (login, name) in
            [("alice", "alice"), ("Ana María", "Ana-Mar-a"), ("x", "user-x"), ("", "user-"), ("CORP\\bob", "CORP-bob")]
        {
            assert_eq!(SessionName::of_user(login).as_str(), name);
            assert!(SessionName::parse(SessionName::of_user(login).as_str()).is_ok());
        }
    }
}
