//! Explains AccessDenied for a role. Policies in two accounts decide, and STS usually doesn't say which one denied the
//! call.

use super::{Call, Mfa};
use crate::aws::arn::account_of;
use crate::base::problem::Problem;
use crate::plan::required_policies::Principal;
use crate::plan::role_plan::AssumeRole;

/// The text before an encoded message (IAM User Guide, "Troubleshoot access denied error messages").
const ENCODED: &str = "Encoded authorization failure message: ";

/// Lists the possible causes, most likely first.
///
/// The message for a denial by the trust policy is the same as for a role that doesn't exist. If the caller's own
/// policies lack the permission, AWS usually says so.
pub(super) fn explain(problem: Problem, call: &Call<'_>, role: &AssumeRole, message: &str) -> Problem {
    let parties = Parties::of(call, role, message);
    let problem = if encoded(message).is_some() {
        problem.hint("AWS encoded the reason: decoding it needs sts:DecodeAuthorizationMessage in the caller's account")
    } else {
        problem
    };
    match named(message) {
        Some(kind) => parties.named(problem, kind, message.contains("explicit deny"), call),
        None => parties.either(problem, call, role),
    }
}

/// Removes an encoded message from a text, because users can't read it.
pub(super) fn readable(text: &str) -> String {
    match encoded(text) {
        Some(blob) => text.replace(blob, "(not readable)"),
        None => text.to_owned(),
    }
}

/// Returns the encoded part of a message.
pub(crate) fn encoded(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once(ENCODED)?;
    rest.split_whitespace().next()
}

/// Replaces the encoded part of a message with the decoded reason. Returns `None` if `json` doesn't have the expected
/// structure.
pub(crate) fn with_reason(message: &str, json: &str) -> Option<String> {
    let reason: serde_json::Value = serde_json::from_str(json).ok()?;
    let context = reason.get("context")?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("?").to_owned();
    let verdict = if reason["explicitDeny"] == true { "explicit deny" } else { "no policy allows it" };
    let statements = reason["matchedStatements"]["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ids: Vec<String> =
        statements.iter().map(|item| text(&item["statementId"])).filter(|id| !id.is_empty()).collect();
    let matched = if ids.is_empty() { String::new() } else { format!(" by the statement {}", ids.join(", ")) };
    let conditions = context["conditions"]["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let seen: Vec<String> = conditions
        .iter()
        .map(|item| {
            let values = item["values"]["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            let values: Vec<String> = values.iter().map(|value| text(&value["value"])).collect();
            format!("{} = {}", text(&item["key"]), values.join(" "))
        })
        .collect();
    let seen = if seen.is_empty() { String::new() } else { format!("; the conditions evaluated {}", seen.join(", ")) };
    let decoded = format!(
        "decoded: {verdict}{matched} for {}, {} on {}{seen}",
        text(&context["principal"]["arn"]),
        text(&context["action"]),
        text(&context["resource"])
    );
    Some(message.replace(&format!("{ENCODED}{}", encoded(message)?), &decoded))
}

/// Returns the kind of policy that a message names (IAM User Guide, "Troubleshoot access denied error messages").
fn named(message: &str) -> Option<&'static str> {
    const KINDS: [&str; 7] = [
        "identity-based policy",
        "resource-based policy",
        "permissions boundary",
        "service control policy",
        "resource control policy",
        "session policy",
        "VPC endpoint policy",
    ];
    let (_, reason) = message.split_once(" because no ").or_else(|| message.split_once("explicit deny"))?;
    KINDS.into_iter().find(|kind| reason.contains(kind))
}

/// The caller and the request, in the terms used in policies.
struct Parties<'a> {
    /// The caller, if STS named it.
    caller: Option<Principal>,
    /// The caller's ARN in STS's message.
    arn: Option<&'a str>,
    callers_account: String,
    roles_account: String,
    role: String,
    role_name: String,
    /// The action that was denied.
    action: &'a str,
    same_account: bool,
}

impl<'a> Parties<'a> {
    fn of(call: &'a Call<'_>, role: &AssumeRole, message: &'a str) -> Self {
        let arn = message.split_whitespace().find(|word| word.starts_with("arn:") && !word.contains(":role/"));
        let arn = arn.or(call.caller.arn.as_deref());
        let account = arn.and_then(account_of);
        let performed = message.split_once("to perform: ").and_then(|(_, rest)| rest.split_whitespace().next());
        Self {
            caller: arn.map(Principal::of),
            arn,
            callers_account: account.as_ref().map_or("the caller's account".to_owned(), |id| format!("account {id}")),
            roles_account: format!("account {}", role.role_arn.account()),
            role: role.role_arn.to_string(),
            role_name: role.role_arn.name().to_owned(),
            action: performed.filter(|action| action.starts_with("sts:")).unwrap_or("sts:AssumeRole"),
            same_account: account.as_ref() == Some(role.role_arn.account()),
        }
    }

    /// Returns the principal to which the identity policy is attached.
    fn holder(&self) -> &str {
        self.caller.as_ref().map_or("the caller", |caller| caller.attach_to.as_str())
    }

    fn identity(&self) -> String {
        format!(
            "in {}: a policy of {} must allow {} on {}",
            self.callers_account,
            self.holder(),
            self.action,
            self.role
        )
    }

    fn trust(&self) -> String {
        let beside = if self.action == "sts:AssumeRole" {
            String::new()
        } else {
            format!(" and allow {} in addition to sts:AssumeRole", self.action)
        };
        let whom = match &self.caller {
            None => "the caller or its account".to_owned(),
            Some(caller) if caller.only.is_some() => format!(
                "{} (the account), or the permission set's role with its full path (…:role/aws-reserved/sso.amazonaws.com/…)",
                caller.named
            ),
            Some(caller) => format!("{} or its account", caller.named),
        };
        let session = match (&self.caller, self.arn) {
            (Some(caller), Some(arn)) if arn.contains(":assumed-role/") && caller.only.is_none() => {
                " (a session's ARN, …:assumed-role/…, matches only that session)"
            }
            _ => "",
        };
        format!(
            "in {}: the trust policy of role {} must name {whom}{beside}{session}",
            self.roles_account, self.role_name
        )
    }

    /// Explains a denial for which AWS named the kind of policy.
    fn named(&self, problem: Problem, kind: &str, denied: bool, call: &Call<'_>) -> Problem {
        let (action, holder, callers) = (self.action, self.holder(), &self.callers_account);
        let problem = match (kind, denied) {
            ("identity-based policy", true) => problem.hint(format!(
                "in {callers}: a policy of {holder}, or of a group it is in, has a Deny that covers {action}"
            )),
            ("identity-based policy", false) => {
                problem.hint(format!("{}; `awsrole policy` prints it", self.identity()))
            }
            ("resource-based policy", true) => problem.hint(format!(
                "in {}: the trust policy of role {} has a Deny that covers this call",
                self.roles_account, self.role_name
            )),
            ("resource-based policy", false) => problem.hint(format!("{}; `awsrole policy` prints it", self.trust())),
            ("permissions boundary", _) => problem.hint(format!(
                "in {callers}: the permissions boundary of {holder} must allow {action} on {}, in addition to a policy",
                self.role
            )),
            ("service control policy", _) => problem.hint(format!(
                "a service control policy of the organization denies it to {callers}: ask its administrators"
            )),
            ("resource control policy", _) => problem.hint(format!(
                "a resource control policy of the organization denies it for {}: ask its administrators",
                self.roles_account
            )),
            ("session policy", _) => {
                problem.hint(format!("the session policy of the caller's session must allow {action} on {}", self.role))
            }
            _ => problem.hint("the policy of the VPC endpoint for STS must allow it"),
        };
        if denied && kind == "identity-based policy" && matches!(call.mfa(), Mfa::Keys) {
            return problem.hint(format!(
                "a policy may require MFA (BoolIfExists aws:MultiFactorAuthPresent): set mfa_serial in .awsrole.toml to the ARN of your device{}",
                call.device_list()
            ));
        }
        problem
    }

    /// Explains a denial that may come from either account.
    fn either(&self, mut problem: Problem, call: &Call<'_>, role: &AssumeRole) -> Problem {
        let for_the_role = self.action == "sts:AssumeRole";
        // If another action was denied, the role exists and AssumeRole itself is permitted.
        if for_the_role {
            let role = &self.role;
            problem = problem.hint(format!(
                "is {role} correct, with its path? STS returns the same error for a role that doesn't exist"
            ));
        }
        if self.same_account {
            problem = problem.hint(self.trust()).hint(format!("if it names only the account, {}", self.identity()));
        } else {
            problem = problem
                .hint("both accounts must allow it, and STS doesn't say which one denies it: `awsrole policy` prints what each needs")
                .hint(self.trust());
        }
        if for_the_role {
            for condition in self.conditions(call, role) {
                problem = problem.hint(format!("if the trust policy has a condition on {condition}"));
            }
        }
        if !self.same_account {
            problem = problem.hint(self.identity());
        }
        problem
    }

    /// Returns common conditions in trust policies, and how this call can satisfy them.
    fn conditions(&self, call: &Call<'_>, role: &AssumeRole) -> Vec<String> {
        let mut conditions = Vec::new();
        match call.mfa() {
            Mfa::Keys => conditions.push(format!(
                "aws:MultiFactorAuthPresent: set mfa_serial in .awsrole.toml to the ARN of your device{} (without a code the key is missing: `Bool` then denies the call, `BoolIfExists` doesn't)",
                call.device_list()
            )),
            Mfa::Role => conditions.push(
                "aws:MultiFactorAuthPresent: a role's session never has it, so remove the condition or move it to the first role of the chain".to_owned(),
            ),
            Mfa::Session(minutes) => conditions.push(format!(
                "aws:MultiFactorAuthAge: the code was entered {minutes} minutes ago, so run `awsrole refresh` to enter a new one"
            )),
            Mfa::Code => {}
        }
        conditions.push(match (&role.external_id, &role.source_identity) {
            (None, None) => {
                "sts:ExternalId: set external_id in .awsrole.toml (and source_identity for one on sts:SourceIdentity)"
                    .to_owned()
            }
            (None, Some(_)) => "sts:ExternalId: set external_id in .awsrole.toml".to_owned(),
            (Some(id), _) => format!("sts:ExternalId: {} was sent, and it must match exactly", id.as_str()),
        });
        let name = role.session_name.as_str();
        let named = self.arn.map(|arn| (arn.contains(":user/"), arn.rsplit('/').next().unwrap_or_default()));
        let session_name = format!("sts:RoleSessionName: it must allow {name}");
        conditions.push(match named {
            Some((true, user)) if user != name => {
                format!("{session_name}; for ${{aws:username}}, set role_session_name = \"{user}\"")
            }
            Some((false, _)) => format!("{session_name} (${{aws:username}} exists only for users, never for a role)"),
            _ => session_name,
        });
        conditions
    }
}
