//! Temporary credentials, and how long they last.

use std::fmt;
use std::ops::Deref;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::arn::{AccountId, account_of};
use crate::problem::Problem;
use crate::secret::Secret;

/// Credentials as STS hands them out.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `ASIA…`; not a secret, and visible in CloudTrail.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Secret,
    /// The session token. Without one these are long-term keys, which are never exported. One beside the id of a
    /// long-term key changes nothing: [`Credentials::is_long_term`].
    pub session_token: Option<Secret>,
    /// When they were handed out, by the local clock.
    pub issued: SystemTime,
    /// When they expire; unknown for temporary keys that stand in a profile.
    pub expiration: Option<SystemTime>,
    /// Who they are, where STS said so: `arn:aws:sts::123456789012:assumed-role/Deploy/alice`.
    pub arn: Option<String>,
}

impl Credentials {
    /// The account they belong to, if it is known.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        account_of(self.arn.as_deref()?)
    }

    /// Whether these are long-term keys: by their id, whatever comes with it, or because they have no session token.
    #[must_use]
    pub fn is_long_term(&self) -> bool {
        self.session_token.is_none() || is_long_term_key_id(&self.access_key_id)
    }

    /// Returns them as what may leave awsrole.
    ///
    /// # Errors
    /// These are long-term keys, or no keys at all. `source` says in the message where they come from.
    pub fn temporary(&self, source: &dyn fmt::Display) -> Result<Temporary<'_>, Problem> {
        if !is_key_id(&self.access_key_id) {
            return Err(Problem::new(format!("{source} gives an access key id that isn't one"))
                .because("an id has letters, digits and _ alone, 128 at most")
                .hint("is it the secret? the two may stand in each other's place"));
        }
        if !self.is_long_term() {
            return Ok(Temporary(self));
        }
        let problem = Problem::new(format!("{source} gives long-term keys, which are never exported"));
        Err(match self.session_token {
            Some(_) => problem
                .because("a session token came with the id of a long-term key (AKIA…), to which none belongs")
                .hint("ids of temporary keys begin with ASIA: whatever gives these keys mixes two of them up"),
            None => problem,
        })
    }

    /// How long they are still good.
    #[must_use]
    pub fn remaining(&self, now: SystemTime) -> Duration {
        match self.expiration {
            Some(expiration) => expiration.duration_since(now).unwrap_or_default(),
            None => Duration::MAX,
        }
    }

    /// When new ones should be fetched: min(10 minutes, 20 % of the life) before they expire. A
    /// fixed margin would disable caching for short lives (aws-cli issue 5880).
    #[must_use]
    pub fn renew_at(&self) -> Option<SystemTime> {
        let expiration = self.expiration?;
        let life = expiration.duration_since(self.issued).unwrap_or_default();
        expiration.checked_sub((life / 5).min(Duration::from_secs(600)))
    }
}

/// Credentials that end by themselves. Variables, files, other programs and the console get these alone, so that no way
/// out is left to long-term keys: only [`Credentials::temporary`] makes one.
#[derive(Clone, Copy)]
pub struct Temporary<'a>(&'a Credentials);

impl Deref for Temporary<'_> {
    type Target = Credentials;

    fn deref(&self) -> &Credentials {
        self.0
    }
}

/// Whether a text has the form of an access key id (STS API Reference, `accessKeyIdType`; those of AWS have 16 characters
/// at least).
#[must_use]
pub fn is_key_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether an access key id is one of a long-term key (IAM User Guide, "IAM identifiers", unique ID prefixes: `AKIA` is
/// an access key, `ASIA` a temporary one). What begins otherwise is judged by its session token: STS of other makers
/// gives temporary keys any id.
#[must_use]
pub fn is_long_term_key_id(id: &str) -> bool {
    id.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("AKIA"))
}

/// The first second of the year 10000, for which RFC 3339 has no form.
const TOO_LATE: u64 = 253_402_300_800;

/// A time that came as seconds since 1970. Others may say anything: what RFC 3339 can't write is no time.
#[must_use]
pub fn time(seconds: u64) -> Option<SystemTime> {
    (seconds < TOO_LATE).then(|| UNIX_EPOCH + Duration::from_secs(seconds))
}

/// A time that another library read from what others sent, held to the same bounds as [`time`].
#[must_use]
pub fn bounded(from: SystemTime) -> Option<SystemTime> {
    let seconds = from.duration_since(UNIX_EPOCH).ok()?.as_secs();
    time(seconds).map(|_| from)
}

/// A time as the clients and prompts want it: RFC 3339, whole seconds, `Z`. One that it can't write becomes the nearest
/// that it can.
#[must_use]
pub fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().min(TOO_LATE - 1);
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}

/// A time left as prompts show it: `11h59m`, `59m`, `45s`, or `expired`. The snippets' `awsrole_left` says the same.
#[must_use]
pub fn left(time: Duration) -> String {
    match time.as_secs() {
        0 => "expired".to_owned(),
        seconds @ 1..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds => format!("{}h{}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn credentials(issued: SystemTime, life: u64) -> Credentials {
        Credentials {
            access_key_id: "ASIAEXAMPLEEXAMPLE00".into(),
            secret_access_key: Secret::new("canary-secret"),
            session_token: Some(Secret::new("canary-token")),
            issued,
            expiration: Some(issued + Duration::from_secs(life)),
            arn: Some("arn:aws:sts::222222222222:assumed-role/Deploy/alice".into()),
        }
    }

    #[test]
    fn long_term_keys_are_recognised_by_their_id_whatever_comes_with_it() {
        let of = |id: &str, token: bool| Credentials {
            access_key_id: id.to_owned(),
            session_token: token.then(|| Secret::new("canary-token")),
            ..credentials(UNIX_EPOCH, 900)
        };
        for (id, token, long_term) in [
            ("ASIAEXAMPLEEXAMPLE00", true, false),
            ("ASIAEXAMPLEEXAMPLE00", false, true),
            ("AKIAEXAMPLEEXAMPLE00", true, true),
            ("AKIAEXAMPLEEXAMPLE00", false, true),
            ("akiaexampleexample00", true, true),
            ("0PN5J17HBGZHT7JJ3X82", false, true),
            ("0PN5J17HBGZHT7JJ3X82", true, false),
            ("AKI", true, false),
        ] {
            let credentials = of(id, token);
            assert_eq!(credentials.is_long_term(), long_term, "{id}");
            match credentials.temporary(&"profile x") {
                Ok(temporary) => assert!(!long_term && temporary.access_key_id == id),
                Err(problem) => assert!(long_term && problem.summary.starts_with("profile x gives long-term keys")),
            }
        }
    }

    #[test]
    fn what_is_no_id_leaves_as_little() {
        for id in ["", "a/b+c", "é", "a\nb", &"A".repeat(129)] {
            let keys = Credentials { access_key_id: id.to_owned(), ..credentials(UNIX_EPOCH, 900) };
            let problem = keys.temporary(&"profile x").err().unwrap();
            assert!(problem.summary.contains("isn't one") && (id.is_empty() || !problem.to_string().contains(id)));
        }
    }

    #[test]
    fn what_is_left_is_short() {
        for (seconds, text) in
            [(0, "expired"), (1, "1s"), (60, "1m"), (3599, "59m"), (3600, "1h0m"), (129_600, "36h0m")]
        {
            assert_eq!(left(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn a_time_that_can_not_be_written_is_none_and_no_panic() {
        let (before, last) = (UNIX_EPOCH - Duration::from_secs(1), UNIX_EPOCH + Duration::from_secs(TOO_LATE - 1));
        let after = last + Duration::from_secs(1);
        let furthest = UNIX_EPOCH + Duration::from_secs(i64::MAX.unsigned_abs());
        for (wrong, nearest) in
            [(before, "1970-01-01T00:00:00Z"), (after, "9999-12-31T23:59:59Z"), (furthest, "9999-12-31T23:59:59Z")]
        {
            assert_eq!(bounded(wrong), None);
            assert_eq!(rfc3339(wrong), nearest);
        }
        assert_eq!((bounded(last), time(TOO_LATE - 1)), (Some(last), Some(last)));
        assert_eq!((time(TOO_LATE), time(u64::MAX)), (None, None));
    }

    #[test]
    fn the_margin_fits_the_life() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        for (life, margin) in [(900, 180), (3600, 600), (43_200, 600), (20, 4)] {
            let renewal = credentials(now, life).renew_at().unwrap();
            assert_eq!(renewal, now + Duration::from_secs(life - margin));
        }
    }
}
