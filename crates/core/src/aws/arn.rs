//! Role ARNs and account IDs.

use std::fmt;

use crate::aws::invalid::{OutOfRange, check_length};

/// A twelve-digit AWS account ID.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct AccountId(String);

impl AccountId {
    /// Parses exactly twelve digits.
    pub fn parse(text: &str) -> Result<Self, OutOfRange> {
        if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(OutOfRange::new(text, "must be the 12 digits of an AWS account ID"))
        }
    }

    /// Returns the twelve digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The ARN of an IAM role, in any partition: `arn:aws:iam::123456789012:role/path/Name`.
///
/// Limits: 20–2048 characters (STS API Reference, `AssumeRole`), a name of 1–64 (IAM quotas).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RoleArn {
    text: String,
    account: AccountId,
    partition_end: usize,
    name_start: usize,
}

impl RoleArn {
    /// Parses an ARN. The error says which part is invalid.
    pub fn parse(text: &str) -> Result<Self, OutOfRange> {
        let wrong = |what: String| OutOfRange::new(text, what);
        let shape = || wrong("must look like arn:aws:iam::123456789012:role/NAME".to_owned());
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let [scheme, partition, service, region, account, resource] = parts[..] else {
            return Err(shape());
        };
        let known = partition == "aws" || partition.strip_prefix("aws-").is_some_and(is_partition_suffix);
        if scheme != "arn" {
            return Err(shape());
        }
        check_length(text, 20, 2048)?;
        if !known {
            return Err(wrong(format!(
                "names the partition `{partition}`, which AWS doesn't have (aws, aws-cn, aws-us-gov, …)"
            )));
        }
        if service != "iam" || !region.is_empty() {
            let role = resource.strip_prefix("assumed-role/").and_then(|rest| rest.split('/').next());
            return Err(wrong(match role {
                Some(role) if service == "sts" => {
                    format!(
                        "names a session, not the role: arn:{partition}:iam::{account}:role/{role} (with its path, if it has one)"
                    )
                }
                _ => format!("is an ARN of `{service}`, not an IAM role's"),
            }));
        }
        let account = AccountId::parse(account)
            .map_err(|_| wrong(format!("has `{account}` instead of the 12 digits of the account")))?;
        let Some(path_and_name) = resource.strip_prefix("role/") else {
            let kind = resource.split('/').next().unwrap_or_default();
            return Err(wrong(format!("is the ARN of a `{kind}`, not of a role")));
        };
        let name = path_and_name.rsplit('/').next().unwrap_or_default();
        let clean = |s: &str| s.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b));
        if name.is_empty() || name.len() > 64 || !clean(name) {
            return Err(wrong("has a role name that isn't 1–64 of A–Z a–z 0–9 _+=,.@-".to_owned()));
        }
        if !path_and_name.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(wrong("has a path with characters that IAM doesn't allow".to_owned()));
        }
        Ok(Self {
            account,
            partition_end: "arn:".len() + partition.len(),
            name_start: text.len() - name.len(),
            text: text.to_owned(),
        })
    }

    /// Returns the whole ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the account that owns the role.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// Returns the partition: `aws`, `aws-cn`, `aws-us-gov`, …
    #[must_use]
    pub fn partition(&self) -> &str {
        &self.text["arn:".len()..self.partition_end]
    }

    /// Returns the role's name without its path, as it appears in an assumed-role ARN.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.text[self.name_start..]
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<RoleArn> for String {
    fn from(arn: RoleArn) -> Self {
        arn.text
    }
}

/// Returns the account of any ARN that STS returns, such as `arn:aws:sts::123456789012:assumed-role/R/s`.
#[must_use]
pub fn account_of(arn: &str) -> Option<AccountId> {
    AccountId::parse(arn.split(':').nth(4)?).ok()
}

fn is_partition_suffix(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_arns_of_all_partitions() {
        for (text, partition, name) in [
            ("arn:aws:iam::222222222222:role/Deploy", "aws", "Deploy"),
            ("arn:aws-cn:iam::222222222222:role/team/x/Deploy", "aws-cn", "Deploy"),
            ("arn:aws-us-gov:iam::222222222222:role/a+b=c,d.e@f-g_h", "aws-us-gov", "a+b=c,d.e@f-g_h"),
        ] {
            let arn = RoleArn::parse(text).unwrap();
            assert_eq!((arn.partition(), arn.name(), arn.as_str()), (partition, name, text));
            assert_eq!(arn.account().as_str(), "222222222222");
        }
    }

    #[test]
    fn names_the_invalid_part() {
        for (text, part) in [
            ("arn:aws:iam::222:role/x", "12 digits"),
            ("arn:aws:iam::222222222222:user/alice", "`user`"),
            ("arn:aws:s3:::bucket-of-mine", "`s3`"),
            ("arn:aws:sts::222222222222:assumed-role/R/s", "session"),
            ("arn:gcp:iam::222222222222:role/R", "partition"),
            ("arn:aws:iam::222222222222:role/a b", "role name"),
            ("arn:aws:iam::222222222222:role/p/", "role name"),
            ("role/Deploy-to-production", "must look like"),
            ("short", "must look like"),
            ("arn:a:b:c:d:e", "20–2048"),
        ] {
            let error = RoleArn::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
