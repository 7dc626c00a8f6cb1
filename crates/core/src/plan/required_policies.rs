//! The policies that allow a caller to assume a role: an identity policy in the caller's account and the trust policy
//! of the role.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::aws::arn::{AccountId, RoleArn, account_of};
use crate::aws::source::{Claims, Source, WebIdentity};
use crate::plan::role_plan::{AssumeRole, RolePlan, Step};

mod text;

pub use text::to_text;

/// The policies for one call of a plan that assumes a role or limits a session.
#[derive(Serialize)]
pub struct Pair {
    /// The index of the plan's step, or `None` for the session of a web identity.
    #[serde(skip)]
    pub step: Option<usize>,
    /// The caller, in the form used in trust policies.
    pub caller: String,
    /// The caller's account.
    pub caller_account: Option<AccountId>,
    /// A description of the principal to which the identity policy is attached.
    pub attach_to: String,
    /// The identity policy. `None` if it isn't missing, or if the caller isn't an AWS principal.
    pub identity: Option<Value>,
    /// The statement that the caller's permissions boundary must have, if it is known to be missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boundary: Option<Value>,
    /// The assumed role. `None` for a GetScopedCredentials, which assumes none.
    pub role_arn: Option<RoleArn>,
    /// The role's trust policy. `None` if it isn't missing.
    pub trust: Option<Value>,
    /// Whether the caller may have MFA, but the call has none.
    #[serde(skip)]
    pub is_without_mfa: bool,
    /// Additional information, one line each.
    pub notes: Vec<String>,
}

/// A policy that may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// A policy of the caller.
    Identity,
    /// The trust policy of the role.
    Trust,
    /// The permissions boundary of the caller.
    Boundary,
}

impl Pair {
    /// Removes the policies that aren't missing.
    #[must_use]
    pub fn only(mut self, missing: Document) -> Self {
        let identity = self.identity.take();
        match missing {
            Document::Identity => Self { identity, trust: None, ..self },
            Document::Boundary => Self { boundary: identity, trust: None, ..self },
            Document::Trust => self,
        }
    }
}

/// Returns the policies for each role and each GetScopedCredentials of a plan. `first_caller` is the ARN that makes the
/// first call, or that of the role that a web identity assumes with `claims`.
///
/// The conditions are those that the plan satisfies: what it sends, and MFA. Once a source identity or a transitive
/// session tag is set, each later call needs permission to pass it on (IAM User Guide, "Monitor and control actions
/// taken with assumed roles").
#[must_use]
pub fn required_policies(plan: &RolePlan, first_caller: &str, claims: Option<&Claims>) -> Vec<Pair> {
    let mut required_policies = Vec::new();
    if let (Source::WebIdentity(token), Some(claims)) = (&plan.source, claims) {
        required_policies.push(federated(token, claims));
    }
    let mut caller = first_caller.to_owned();
    let mut mfa = false;
    let mut passes_identity = claims.is_some_and(|claims| claims.has_source_identity);
    let mut passes_tags = false;
    for (index, step) in plan.steps.iter().enumerate() {
        match step {
            Step::GetSessionToken(session) => mfa = session.mfa_serial.is_some(),
            Step::AssumeRole(role) => {
                passes_identity |= role.source_identity.is_some();
                let with_tags = passes_tags || !role.tags.tags.is_empty();
                passes_tags |= !role.tags.transitive.is_empty();
                let by_mfa = mfa || role.mfa_serial.is_some();
                let pair = pair(&caller, role, by_mfa, passes_identity, with_tags);
                required_policies.push(Pair { step: Some(index), ..pair });
                caller = role.role_arn.to_string();
                mfa = false;
            }
            Step::GetScopedCredentials(_) => required_policies.push(Pair { step: Some(index), ..scoped(&caller) }),
        }
    }
    required_policies
}

/// Returns the identity policy that lets a caller limit its own session.
fn scoped(caller: &str) -> Pair {
    let principal = Principal::of(caller);
    let statement = json!({ "Effect": "Allow", "Action": "sts:GetScopedCredentials", "Resource": "*" });
    Pair {
        step: None,
        caller: principal.named,
        caller_account: account_of(caller),
        attach_to: principal.attach_to,
        identity: Some(policy(&statement)),
        boundary: None,
        role_arn: None,
        trust: None,
        is_without_mfa: false,
        notes: Vec::new(),
    }
}

fn pair(caller: &str, role: &AssumeRole, mfa: bool, source_identity: bool, tags: bool) -> Pair {
    let mut actions = vec!["sts:AssumeRole"];
    if tags {
        actions.push("sts:TagSession");
    }
    if source_identity {
        actions.push("sts:SetSourceIdentity");
    }
    let identity = policy(&json!({ "Effect": "Allow", "Action": actions, "Resource": role.role_arn.as_str() }));
    let principal = Principal::of(caller);
    let mut equal = Map::new();
    if let Some(id) = &role.external_id {
        equal.insert("sts:ExternalId".into(), id.as_str().into());
    }
    if let Some(identity) = role.source_identity.as_ref().filter(|_| !role.is_identity_of_user) {
        equal.insert("sts:SourceIdentity".into(), identity.as_str().into());
    }
    if role.is_session_named {
        equal.insert("sts:RoleSessionName".into(), role.session_name.as_str().into());
    }
    let mut conditions = Map::new();
    if !equal.is_empty() {
        conditions.insert("StringEquals".into(), Value::Object(equal));
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
        step: None,
        caller: principal.named,
        caller_account: account_of(caller),
        is_without_mfa: !mfa && principal.attach_to.starts_with("user "),
        attach_to: principal.attach_to,
        identity: Some(identity),
        boundary: None,
        role_arn: Some(role.role_arn.clone()),
        trust: Some(policy(&statement)),
        notes: principal.note.into_iter().collect(),
    }
}

/// Returns the trust policy for the bearer of a token. STS doesn't check a policy of the bearer.
fn federated(token: &WebIdentity, claims: &Claims) -> Pair {
    let (role, provider) = (&token.role_arn, claims.provider());
    let mut actions = vec!["sts:AssumeRoleWithWebIdentity"];
    if claims.has_tags {
        actions.push("sts:TagSession");
    }
    if claims.has_source_identity {
        actions.push("sts:SetSourceIdentity");
    }
    let arn = format!("arn:{}:iam::{}:oidc-provider/{provider}", role.partition(), role.account());
    let mut equal = Map::new();
    equal.insert(format!("{provider}:aud"), claims.audience.as_str().into());
    equal.insert(format!("{provider}:sub"), claims.subject.as_str().into());
    Pair {
        step: None,
        caller: claims.subject.clone(),
        caller_account: None,
        attach_to: "the token".to_owned(),
        identity: None,
        boundary: None,
        role_arn: Some(role.clone()),
        trust: Some(policy(&json!({
            "Effect": "Allow",
            "Principal": { "Federated": arn },
            "Action": actions,
            "Condition": { "StringEquals": equal },
        }))),
        is_without_mfa: false,
        notes: vec![format!(
            "account {} must have this OIDC provider: aws iam create-open-id-connect-provider --url {} --client-id-list {}",
            role.account(),
            claims.issuer,
            claims.audience
        )],
    }
}

fn policy(statement: &Value) -> Value {
    json!({ "Version": "2012-10-17", "Statement": [statement] })
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
mod tests;
