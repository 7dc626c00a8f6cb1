//! The two policies that allow a caller to assume a role: an identity policy in the caller's account and the trust
//! policy of the role.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::aws::arn::{AccountId, RoleArn, account_of};
use crate::plan::role_plan::{AssumeRole, RolePlan, Step};

/// The policies for one AssumeRole call of a plan.
#[derive(Serialize)]
pub struct Pair {
    /// The caller, in the form used in trust policies.
    pub caller: String,
    /// The caller's account.
    pub caller_account: Option<AccountId>,
    /// A description of the principal to which the identity policy is attached.
    pub attach_to: String,
    /// The identity policy.
    pub identity: Value,
    /// The assumed role.
    pub role_arn: RoleArn,
    /// The role's trust policy.
    pub trust: Value,
    /// Additional information, one line each.
    pub notes: Vec<String>,
}

/// Returns the policies for each role of a plan. `first_caller` is the ARN that makes the first call.
///
/// The conditions are those that the plan satisfies: an external ID that it sends, and MFA. Once a source identity or a
/// transitive session tag is set, each later call needs permission to pass it on (IAM User Guide, "Monitor and control
/// actions taken with assumed roles").
#[must_use]
pub fn required_policies(plan: &RolePlan, first_caller: &str) -> Vec<Pair> {
    let mut caller = first_caller.to_owned();
    let mut mfa = false;
    let mut passes_identity = false;
    let mut passes_tags = false;
    let mut required_policies = Vec::new();
    for step in &plan.steps {
        match step {
            Step::GetSessionToken(session) => mfa = session.mfa_serial.is_some(),
            Step::AssumeRole(role) => {
                passes_identity |= role.source_identity.is_some();
                let with_tags = passes_tags || !role.tags.tags.is_empty();
                passes_tags |= !role.tags.transitive.is_empty();
                let by_mfa = mfa || role.mfa_serial.is_some();
                required_policies.push(pair(&caller, role, by_mfa, passes_identity, with_tags));
                caller = role.role_arn.to_string();
                mfa = false;
            }
        }
    }
    required_policies
}

fn pair(caller: &str, role: &AssumeRole, mfa: bool, source_identity: bool, tags: bool) -> Pair {
    let mut actions = vec!["sts:AssumeRole"];
    if tags {
        actions.push("sts:TagSession");
    }
    if source_identity {
        actions.push("sts:SetSourceIdentity");
    }
    let identity = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": role.role_arn.as_str() }],
    });
    let principal = Principal::of(caller);
    let mut conditions = Map::new();
    if let Some(id) = &role.external_id {
        conditions.insert("StringEquals".into(), json!({ "sts:ExternalId": id.as_str() }));
    }
    if mfa {
        conditions.insert("Bool".into(), json!({ "aws:MultiFactorAuthPresent": "true" }));
    }
    if let Some(pattern) = &principal.only {
        conditions.insert("ArnLike".into(), json!({ "aws:PrincipalArn": pattern }));
    }
    let mut statement = json!({ "Effect": "Allow", "Principal": { "AWS": principal.named }, "Action": actions });
    if !conditions.is_empty() {
        statement["Condition"] = Value::Object(conditions);
    }
    Pair {
        caller: principal.named,
        caller_account: account_of(caller),
        attach_to: principal.attach_to,
        identity,
        role_arn: role.role_arn.clone(),
        trust: json!({ "Version": "2012-10-17", "Statement": [statement] }),
        notes: principal.note.into_iter().collect(),
    }
}

/// A caller, in the forms used in policies.
pub(crate) struct Principal {
    /// The principal in the trust policy.
    pub(crate) named: String,
    /// A description of where to attach the identity policy.
    pub(crate) attach_to: String,
    /// A pattern that restricts an account principal to the caller.
    pub(crate) only: Option<String>,
    note: Option<String>,
}

impl Principal {
    /// Parses the ARN of a role or one that GetCallerIdentity returned.
    pub(crate) fn of(arn: &str) -> Self {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let plain = |attach_to: String| Self { named: arn.to_owned(), attach_to, only: None, note: None };
        let [_, partition, service, _, account, resource] = parts[..] else {
            return plain("the caller".to_owned());
        };
        let mut names = resource.split('/');
        match (service, names.next(), names.next()) {
            ("iam", Some("user"), _) => plain(format!("user {}", resource.rsplit('/').next().unwrap_or_default())),
            ("iam", Some("role"), _) => plain(format!("role {}", resource.rsplit('/').next().unwrap_or_default())),
            // The role of a permission set can't be a principal before it exists, and it is recreated occasionally. Its
            // path ends with the region of Identity Center, which is left out for us-east-1.
            ("sts", Some("assumed-role"), Some(role)) if role.starts_with("AWSReservedSSO_") => {
                let set = role.rsplit_once('_').map_or(role, |(set, _)| set);
                Self {
                    named: format!("arn:{partition}:iam::{account}:root"),
                    attach_to: format!("permission set {}", set.trim_start_matches("AWSReservedSSO_")),
                    only: Some(format!("arn:{partition}:iam::{account}:role/aws-reserved/sso.amazonaws.com*/{set}_*")),
                    note: Some(
                        "for a permission set, the identity policy is set in IAM Identity Center, not in the account"
                            .to_owned(),
                    ),
                }
            }
            ("sts", Some("assumed-role"), Some(role)) => Self {
                named: format!("arn:{partition}:iam::{account}:role/{role}"),
                attach_to: format!("role {role}"),
                only: None,
                note: Some(format!(
                    "if role {role} has a path, the trust policy must include it: STS doesn't return it"
                )),
            },
            _ => plain("the caller".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_callers_as_trust_policies_require() {
        for (arn, named, attach_to) in [
            ("arn:aws:iam::111111111111:user/team/alice", "arn:aws:iam::111111111111:user/team/alice", "user alice"),
            ("arn:aws:sts::111111111111:assumed-role/App/i-0123", "arn:aws:iam::111111111111:role/App", "role App"),
            (
                "arn:aws-cn:sts::111111111111:assumed-role/AWSReservedSSO_Dev_0123456789abcdef/a@b",
                "arn:aws-cn:iam::111111111111:root",
                "permission set Dev",
            ),
            ("arn:aws:iam::111111111111:root", "arn:aws:iam::111111111111:root", "the caller"),
            ("nonsense", "nonsense", "the caller"),
        ] {
            let principal = Principal::of(arn);
            assert_eq!((principal.named.as_str(), principal.attach_to.as_str()), (named, attach_to));
        }
    }
}
