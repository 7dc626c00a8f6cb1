//! Temporary credentials and their lifetime.

use std::fmt;
use std::ops::Deref;
use std::time::{Duration, SystemTime};

use crate::aws::arn::{AccountId, account_of};
use crate::base::problem::Problem;
use crate::base::secret::Secret;

/// Credentials as STS returns them.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `ASIA…`. Not a secret, and visible in CloudTrail.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Secret,
    /// The session token. Credentials without one are long-lived keys, which are never exported. A session token
    /// doesn't make a long-lived key temporary: see [`Credentials::is_long_term`].
    pub session_token: Option<Secret>,
    /// When they were issued, by the local clock.
    pub issued: SystemTime,
    /// When they expire. Unknown for temporary keys that are written in a profile.
    pub expiration: Option<SystemTime>,
    /// The share of the largest possible session token that policies and tags take, in percent, if STS returned it.
    pub size_percent: Option<u8>,
    /// The caller's ARN, if STS returned it: `arn:aws:sts::123456789012:assumed-role/Deploy/alice`.
    pub arn: Option<String>,
}

impl Credentials {
    /// Returns the account that they belong to, if it is known.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        account_of(self.arn.as_deref()?)
    }

    /// Returns whether these are long-lived keys, judged by the access key ID or by a missing session token.
    #[must_use]
    pub fn is_long_term(&self) -> bool {
        self.session_token.is_none() || is_long_term_key_id(&self.access_key_id)
    }

    /// Returns these credentials in the form that may leave awsrole.
    ///
    /// # Errors
    /// Fails for long-lived keys and for an invalid access key ID. The message names `source` as their origin.
    pub fn temporary(&self, source: &dyn fmt::Display) -> Result<Temporary<'_>, Problem> {
        if !is_key_id(&self.access_key_id) {
            return Err(Problem::new(format!("{source} returns an invalid access key ID"))
                .because("an ID has at most 128 letters, digits and _")
                .hint("ID and secret may be swapped"));
        }
        if !self.is_long_term() {
            return Ok(Temporary(self));
        }
        let problem = Problem::new(format!("{source} returns long-lived keys, which are never exported"));
        Err(match self.session_token {
            Some(_) => problem
                .because("it returns a session token with the ID of a long-lived key (AKIA…)")
                .hint("IDs of temporary keys begin with ASIA: the source mixes up two keys"),
            None => problem,
        })
    }

    /// Returns the time until they expire.
    #[must_use]
    pub fn remaining(&self, now: SystemTime) -> Duration {
        match self.expiration {
            Some(expiration) => expiration.duration_since(now).unwrap_or_default(),
            None => Duration::MAX,
        }
    }

    /// Returns the time at which they should be renewed: min(10 minutes, 20 % of the lifetime) before they expire.
    ///
    /// A fixed margin would disable caching for short lifetimes (aws-cli issue 5880).
    #[must_use]
    pub fn renew_at(&self) -> Option<SystemTime> {
        let expiration = self.expiration?;
        let life = expiration.duration_since(self.issued).unwrap_or_default();
        expiration.checked_sub((life / 5).min(Duration::from_secs(600)))
    }
}

/// Credentials that expire. Variables, files, other programs and the console receive only these.
///
/// Only [`Credentials::temporary`] creates one, so long-lived keys can't be exported.
#[derive(Clone, Copy)]
pub struct Temporary<'a>(&'a Credentials);

impl Deref for Temporary<'_> {
    type Target = Credentials;

    fn deref(&self) -> &Credentials {
        self.0
    }
}

/// Returns whether a text has the form of an access key ID (STS API Reference, `accessKeyIdType`). IDs of AWS have at
/// least 16 characters.
#[must_use]
pub fn is_key_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Returns whether an access key ID belongs to a long-lived key.
///
/// `AKIA` is the prefix of long-lived keys and `ASIA` of temporary ones (IAM User Guide, "IAM identifiers", unique ID
/// prefixes). Credentials with any other prefix are judged by their session token, because other implementations of STS
/// use arbitrary IDs.
#[must_use]
pub fn is_long_term_key_id(id: &str) -> bool {
    id.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("AKIA"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    pub(crate) fn credentials(issued: SystemTime, life: u64) -> Credentials {
        Credentials {
            access_key_id: "ASIAEXAMPLEEXAMPLE00".into(),
            secret_access_key: Secret::new("canary-secret"),
            session_token: Some(Secret::new("canary-token")),
            issued,
            expiration: Some(issued + Duration::from_secs(life)),
            size_percent: None,
            arn: Some("arn:aws:sts::222222222222:assumed-role/Deploy/alice".into()),
        }
    }

    #[test]
    fn recognises_long_term_keys_by_their_id() {
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
                Err(problem) => assert!(long_term && problem.summary.starts_with("profile x returns long-lived keys")),
            }
        }
    }

    #[test]
    fn rejects_invalid_access_key_ids() {
        for id in ["", "a/b+c", "é", "a\nb", &"A".repeat(129)] {
            let keys = Credentials { access_key_id: id.to_owned(), ..credentials(UNIX_EPOCH, 900) };
            let problem = keys.temporary(&"profile x").err().unwrap();
            assert!(
                problem.summary.contains("returns an invalid access key ID")
                    && (id.is_empty() || !problem.to_string().contains(id))
            );
        }
    }
}
