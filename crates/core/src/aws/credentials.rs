//! Temporary credentials, and how long they last.

use std::fmt;
use std::ops::Deref;
use std::time::{Duration, SystemTime};

use crate::aws::arn::{AccountId, account_of};
use crate::base::problem::Problem;
use crate::base::secret::Secret;

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

/// Whether a text has the form of an access key id (STS API Reference, `accessKeyIdType`; those of AWS have 16
/// characters at least).
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
}
