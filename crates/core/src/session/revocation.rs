//! The policy that revokes sessions, as the IAM console creates it for "revoke active sessions" (IAM User Guide,
//! "Revoke IAM role temporary security credentials").

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::aws::arn::{AccountId, RoleArn};
use crate::aws::time::rfc3339;
use crate::base::problem::Problem;
use crate::session::cache::Entry;

/// The policy name that the IAM console uses, so that later revocations replace the policy.
pub const POLICY_NAME: &str = "AWSRevokeOlderSessions";

/// The principal whose sessions are revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevocationTarget {
    /// The sessions of a role, regardless of who assumed it.
    Role(RoleArn),
    /// The sessions of a user from GetSessionToken. The user's keys remain valid.
    User {
        /// The account. Unknown for a name alone.
        account: Option<AccountId>,
        /// The user name without a path.
        name: String,
    },
}

impl RevocationTarget {
    /// Parses a user's ARN or name.
    ///
    /// # Errors
    /// Fails for any other text.
    pub fn user(text: &str) -> Result<Self, Problem> {
        let (account, path) = match text.strip_prefix("arn:") {
            None => (None, text),
            Some(rest) => {
                let parts: Vec<&str> = rest.splitn(5, ':').collect();
                let user = match parts[..] {
                    [_, "iam", "", account, resource] => {
                        AccountId::parse(account).ok().zip(resource.strip_prefix("user/"))
                    }
                    _ => None,
                };
                let (account, path) = user.ok_or_else(|| {
                    Problem::new(format!("`{text}` isn't the ARN of a user"))
                        .hint("it looks like arn:aws:iam::123456789012:user/NAME")
                })?;
                (Some(account), path)
            }
        };
        let name = path.rsplit('/').next().unwrap_or_default();
        let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte));
        if name.is_empty() || name.len() > 64 || !fits {
            return Err(
                Problem::new(format!("`{text}` isn't a user's name")).hint("a name has 1–64 of A–Z a–z 0–9 _+=,.@-")
            );
        }
        Ok(Self::User { account, name: name.to_owned() })
    }

    /// Returns the principal of an ARN from GetCallerIdentity.
    #[must_use]
    pub fn of_caller(arn: &str) -> Option<Self> {
        match arn.strip_prefix("arn:")?.splitn(5, ':').collect::<Vec<_>>()[..] {
            [_, "iam", ..] => Self::user(arn).ok(),
            [partition, "sts", _, account, resource] => {
                let role = resource.strip_prefix("assumed-role/")?.split('/').next()?;
                RoleArn::parse(&format!("arn:{partition}:iam::{account}:role/{role}")).ok().map(Self::Role)
            }
            _ => None,
        }
    }

    /// Returns the account of the principal, if it is known.
    #[must_use]
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Role(arn) => Some(arn.account()),
            Self::User { account, .. } => account.as_ref(),
        }
    }

    /// Formats the principal for messages.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Role(arn) => format!("role {}", arn.name()),
            Self::User { name, .. } => format!("user {name}"),
        }
    }

    /// Sets the account of a user who was given by name: that of the principal who attaches the policy.
    #[must_use]
    pub fn within(self, own: Option<AccountId>) -> Self {
        match self {
            Self::User { account: None, name } => Self::User { account: own, name },
            known => known,
        }
    }

    /// Returns whether a cached entry may be a session of this principal.
    ///
    /// GetSessionToken entries don't record the user, so any of them may match.
    #[must_use]
    pub fn may_be_of(&self, entry: &Entry) -> bool {
        match entry.credentials.arn.as_deref() {
            Some(arn) => self.is_of(arn),
            None => entry.of_user && matches!(self, Self::User { .. }),
        }
    }

    /// Returns whether the ARN of credentials belongs to this principal.
    fn is_of(&self, arn: &str) -> bool {
        match (self, Self::of_caller(arn)) {
            (Self::Role(role), Some(Self::Role(other))) => {
                (role.account(), role.name()) == (other.account(), other.name())
            }
            (own, Some(other)) => *own == other,
            (_, None) => false,
        }
    }

    /// Returns an error for a role whose policies only AWS can change.
    pub fn may_be_revoked(&self) -> Result<(), Problem> {
        let Self::Role(arn) = self else { return Ok(()) };
        if arn.name().starts_with("AWSReservedSSO_") {
            return Err(Problem::new(format!("role {} belongs to IAM Identity Center, and only it can change the role's policies", arn.name()))
                .hint("an administrator of IAM Identity Center can end the user's sessions (Users, Active sessions) and remove the assignment")
                .hint("sessions of the role stay valid until they expire, unless a policy in the permission set denies them (aws:TokenIssueTime)"));
        }
        if arn.as_str().contains(":role/aws-service-role/") {
            return Err(Problem::new(format!(
                "role {} is linked to an AWS service, and only the service can change its policies",
                arn.name()
            ))
            .hint("its sessions belong to the service"));
        }
        Ok(())
    }
}

/// Returns the time before which sessions are denied, by the clock of the service that evaluates the policy.
///
/// STS records whole seconds, so sessions of the current second are included only with the next one.
#[must_use]
pub fn cutoff(now: SystemTime) -> SystemTime {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    UNIX_EPOCH + Duration::from_secs(seconds + 1)
}

/// Returns the inline policy that denies all actions to sessions issued before a time.
#[must_use]
pub fn policy(before: SystemTime) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Deny",
            "Action": ["*"],
            "Resource": ["*"],
            "Condition": {"DateLessThan": {"aws:TokenIssueTime": rfc3339(before)}},
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognises_principals_of_sessions() {
        let role = RevocationTarget::Role(RoleArn::parse("arn:aws:iam::222222222222:role/team/Deploy").unwrap());
        assert!(role.is_of("arn:aws:sts::222222222222:assumed-role/Deploy/alice"));
        assert!(!role.is_of("arn:aws:sts::222222222222:assumed-role/Deployer/alice"));
        assert!(!role.is_of("arn:aws:sts::111111111111:assumed-role/Deploy/alice"));
        let user = RevocationTarget::user("arn:aws:iam::111111111111:user/team/alice").unwrap();
        assert_eq!(user.shown(), "user alice");
        assert_eq!(RevocationTarget::user("alice").unwrap().account(), None);
        for wrong in ["arn:aws:iam::111111111111:role/x", "arn:aws:iam::1:user/x", "", "a b"] {
            assert!(RevocationTarget::user(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn matches_sessions_of_users_by_name_and_account() {
        let account = AccountId::parse("111111111111").unwrap();
        let alice = RevocationTarget::user("alice").unwrap().within(Some(account.clone()));
        assert_eq!(alice.account(), Some(&account));
        let other = RevocationTarget::user("arn:aws:iam::222222222222:user/alice").unwrap().within(Some(account));
        let role = RevocationTarget::Role(RoleArn::parse("arn:aws:iam::111111111111:role/Deploy").unwrap());
        let entry = |arn: Option<&str>, of_user| {
            let mut credentials = crate::aws::credentials::tests::credentials(UNIX_EPOCH, 900);
            credentials.arn = arn.map(str::to_owned);
            Entry { credentials, stale: false, of_user }
        };
        for (entry, expected) in [
            (entry(Some("arn:aws:iam::111111111111:user/team/alice"), true), [true, false, false]),
            (entry(Some("arn:aws:iam::111111111111:user/bob"), true), [false; 3]),
            (entry(Some("arn:aws:iam::222222222222:user/alice"), true), [false, true, false]),
            (entry(None, true), [true, true, false]),
            (entry(None, false), [false; 3]),
        ] {
            let found = [&alice, &other, &role].map(|principal| principal.may_be_of(&entry));
            assert_eq!(found, expected, "{:?}", entry.credentials.arn);
        }
    }

    #[test]
    fn rejects_roles_managed_by_aws() {
        for (arn, fine) in [
            (
                "arn:aws:iam::222222222222:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef",
                false,
            ),
            ("arn:aws:iam::222222222222:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS", false),
            ("arn:aws:iam::222222222222:role/Deploy", true),
        ] {
            assert_eq!(RevocationTarget::Role(RoleArn::parse(arn).unwrap()).may_be_revoked().is_ok(), fine, "{arn}");
        }
    }

    #[test]
    fn cutoff_includes_the_current_second() {
        let now = UNIX_EPOCH + Duration::from_millis(1_700_000_000_900);
        assert_eq!(cutoff(now), UNIX_EPOCH + Duration::from_secs(1_700_000_001));
    }

    #[test]
    fn policy_denies_everything_to_sessions_issued_before_a_time() {
        let document = policy(UNIX_EPOCH + Duration::from_secs(1_700_000_001));
        assert_eq!(
            document,
            json!({"Version": "2012-10-17", "Statement": [{
                "Effect": "Deny",
                "Action": ["*"],
                "Resource": ["*"],
                "Condition": {"DateLessThan": {"aws:TokenIssueTime": "2023-11-14T22:13:21Z"}},
            }]})
        );
    }
}
