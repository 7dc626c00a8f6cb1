//! Explains AccessDenied for a role. Policies in two accounts decide, and STS usually doesn't say which one denied the
//! call.

use super::call::{FailedCall, Mfa};
use super::words::{Denial, DenialReason, PolicyKind};
use crate::aws::arn::account_of;
use crate::base::problem::Problem;
use crate::plan::required_policies::Principal;
use crate::plan::role_plan::AssumeRole;

/// The age in minutes from which an MFA session is probably too old for a trust policy with `aws:MultiFactorAuthAge`.
/// The second one applies if the role was never assumed before.
const OLD_MFA: (u64, u64) = (5, 60);

/// Adds the possible causes, the most likely first.
///
/// The message for a denial by the trust policy is often the same as for a role that doesn't exist. If the caller's own
/// policies lack the permission, AWS usually says so.
pub(super) fn explain(problem: Problem, call: &FailedCall<'_>, role: &AssumeRole, denial: &Denial<'_>) -> Problem {
    let parties = Parties::of(call, role, denial);
    match denial.reason {
        Some(reason) => parties.named(problem, reason, call),
        None if denial.words.contains("decoded: explicit deny") => parties.decoded(problem, denial.words, call),
        None => parties.unnamed(problem, call, role),
    }
}

/// A possible cause and its kind.
struct Cause {
    about: About,
    /// The cause and the command or setting that fixes it.
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    /// MFA.
    Mfa,
    /// The policies of both accounts, or a role that doesn't exist.
    Policies,
    /// Conditions of the trust policy on parameters of the call.
    Conditions,
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
    fn of(call: &'a FailedCall<'_>, role: &AssumeRole, denial: &Denial<'a>) -> Self {
        let arn = denial.caller.or(call.caller.arn.as_deref());
        let account = arn.and_then(account_of);
        Self {
            caller: arn.map(Principal::of),
            arn,
            callers_account: account
                .as_ref()
                .map_or("the caller's account".to_owned(), |id| format!("account {}", call.accounts.shown(id))),
            roles_account: format!("account {}", call.accounts.shown(role.role_arn.account())),
            role: role.role_arn.to_string(),
            role_name: role.role_arn.name().to_owned(),
            action: denial.action.filter(|action| action.starts_with("sts:")).unwrap_or("sts:AssumeRole"),
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
    fn named(&self, problem: Problem, reason: DenialReason, call: &FailedCall<'_>) -> Problem {
        let (action, holder, callers) = (self.action, self.holder(), &self.callers_account);
        let problem = match (reason.kind, reason.explicit) {
            (PolicyKind::Identity, true) => problem.hint(format!(
                "in {callers}: a policy of {holder}, or of a group it is in, has a Deny that covers {action}"
            )),
            (PolicyKind::Identity, false) => {
                problem.hint("`awsrole policy` prints the statement that is missing").hint(self.identity())
            }
            (PolicyKind::Trust, true) => problem.hint(format!(
                "in {}: the trust policy of role {} has a Deny that covers this call",
                self.roles_account, self.role_name
            )),
            (PolicyKind::Trust, false) => {
                problem.hint("`awsrole policy` prints the statement that is missing").hint(self.trust())
            }
            (PolicyKind::Boundary, true) => {
                problem.hint(format!("in {callers}: the permissions boundary of {holder} has a Deny that covers {action}"))
            }
            (PolicyKind::Boundary, false) => problem
                .hint("`awsrole policy` prints the statement that is missing")
                .hint(format!(
                    "in {callers}: the permissions boundary of {holder} must allow {action} on {}, in addition to a policy",
                    self.role
                )),
            (PolicyKind::ServiceControl, _) => problem.hint(format!(
                "a service control policy of the organization denies it to {callers}: ask its administrators"
            )),
            (PolicyKind::ResourceControl, _) => problem.hint(format!(
                "a resource control policy of the organization denies it for {}: ask its administrators",
                self.roles_account
            )),
            (PolicyKind::Session, _) => {
                problem.hint(format!("the session policy of the caller's session must allow {action} on {}", self.role))
            }
            (PolicyKind::VpcEndpoint, _) => problem.hint("the policy of the VPC endpoint for STS must allow it"),
        };
        // Policies that require MFA deny what has none, in the form "BoolIfExists aws:MultiFactorAuthPresent".
        if reason.explicit && matches!(reason.kind, PolicyKind::Identity | PolicyKind::Trust) && call.has_no_mfa() {
            let mut problem = problem;
            let denied = std::mem::take(&mut problem.hints);
            let problem = problem.hint(no_code(call)).other("a Deny that has nothing to do with MFA");
            return denied.into_iter().fold(problem, Problem::detail);
        }
        if reason.kind == PolicyKind::Trust && !reason.explicit && call.has_no_mfa() {
            return problem.other(format!("the statement is there, but requires MFA: {}", type_serial(call)));
        }
        problem
    }

    /// Explains a Deny whose statement AWS named in its encoded reason.
    fn decoded(&self, problem: Problem, words: &str, call: &FailedCall<'_>) -> Problem {
        match words.contains("aws:MultiFactorAuthPresent = false") && call.has_no_mfa() {
            true => problem.hint(no_code(call)),
            false => problem.hint("a Deny takes precedence: meet its conditions, or ask who maintains the policy"),
        }
    }

    /// Explains a denial that may come from either account.
    fn unnamed(&self, mut problem: Problem, call: &FailedCall<'_>, role: &AssumeRole) -> Problem {
        let causes = self.causes(call, role);
        let Some(likeliest) = causes.first() else { return problem };
        problem = problem.hint(&likeliest.text);
        let mut listed = vec![likeliest.about];
        for cause in &causes[1..] {
            if !listed.contains(&cause.about) {
                listed.push(cause.about);
                problem = problem.other(self.in_short(cause.about, call, role));
            }
        }
        causes.into_iter().skip(1).fold(problem, |problem, cause| problem.detail(cause.text))
    }

    /// Returns the possible causes, the most likely first.
    fn causes(&self, call: &FailedCall<'_>, role: &AssumeRole) -> Vec<Cause> {
        let for_the_role = self.action == "sts:AssumeRole";
        let cause = |about: About, text: String| Cause { about, text };
        let mut policies = Vec::new();
        if call.worked_before {
            policies.push(cause(
                About::Policies,
                "it worked before, so a policy or the role was changed: `awsrole policy` prints what is needed"
                    .to_owned(),
            ));
        } else if self.same_account {
            policies.push(cause(About::Policies, "`awsrole policy` prints the statements that are needed".to_owned()));
        } else {
            policies.push(cause(
                About::Policies,
                "both accounts must allow it: `awsrole policy` prints what each needs".to_owned(),
            ));
        }
        policies.push(cause(About::Policies, self.trust()));
        policies.push(cause(
            About::Policies,
            if self.same_account {
                format!("if it names only the account, {}", self.identity())
            } else {
                self.identity()
            },
        ));
        // If another action was denied, the role exists and AssumeRole itself is permitted.
        if !for_the_role {
            return policies;
        }
        policies.push(cause(
            About::Policies,
            format!(
                "is {} correct, with its path? STS returns the same error for a role that doesn't exist",
                self.role
            ),
        ));
        let conditions = self
            .conditions(call, role)
            .into_iter()
            .map(|text| cause(About::Conditions, format!("if the trust policy has a condition on {text}")));
        let mfa = mfa(call).map(|(text, likely)| (cause(About::Mfa, text), likely));
        match mfa {
            Some((mfa, true)) => [mfa].into_iter().chain(policies).chain(conditions).collect(),
            Some((mfa, false)) => policies.into_iter().chain(conditions).chain([mfa]).collect(),
            None => policies.into_iter().chain(conditions).collect(),
        }
    }

    /// Returns the causes of one kind on one line.
    fn in_short(&self, about: About, call: &FailedCall<'_>, role: &AssumeRole) -> String {
        match about {
            About::Mfa => match call.mfa() {
                Mfa::Role => "it requires MFA, which a role's session never has".to_owned(),
                Mfa::Session(minutes) => {
                    let refresh = call.plan.refresh_advice();
                    format!("it requires a code that is less than {minutes} minutes old: {refresh}")
                }
                Mfa::Keys | Mfa::Code => {
                    format!("it requires MFA: set mfa_serial in {}", call.plan.settings_file())
                }
            },
            About::Policies if self.action != "sts:AssumeRole" => {
                "a policy is missing: `awsrole policy` prints it".to_owned()
            }
            About::Policies => "a wrong role_arn, or a missing policy: `awsrole policy` prints it".to_owned(),
            About::Conditions => match &role.external_id {
                None => "the trust policy requires external_id or another role_session_name".to_owned(),
                Some(_) => "the trust policy requires another external_id or role_session_name".to_owned(),
            },
        }
    }

    /// Returns common conditions in trust policies, and how this call can satisfy them.
    fn conditions(&self, call: &FailedCall<'_>, role: &AssumeRole) -> Vec<String> {
        let mut conditions = Vec::new();
        let file = call.plan.settings_file();
        conditions.push(match (&role.external_id, &role.source_identity) {
            // A profile has no such key.
            (None, None) if !call.plan.is_selected_profile => {
                format!("sts:ExternalId: set external_id in {file} (and source_identity for one on sts:SourceIdentity)")
            }
            (None, _) => format!("sts:ExternalId: set external_id in {file}"),
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
        if call.has_no_mfa() {
            conditions.push(
                "aws:MultiFactorAuthPresent: without a code the key is missing, so `Bool` denies the call and `BoolIfExists` doesn't"
                    .to_owned(),
            );
        }
        conditions
    }
}

/// Returns the cause that concerns MFA, and whether it is the likeliest one.
fn mfa(call: &FailedCall<'_>) -> Option<(String, bool)> {
    match call.mfa() {
        Mfa::Keys => Some((no_code(call), true)),
        Mfa::Role => Some((
            "if the role requires MFA (aws:MultiFactorAuthPresent): a role's session never has it, so only the first role of a chain can require it"
                .to_owned(),
            false,
        )),
        Mfa::Session(minutes) if minutes >= OLD_MFA.0 => Some((
            format!(
                "the MFA code was entered {minutes} minutes ago, and the role may require a newer one (aws:MultiFactorAuthAge): {} to enter a new one",
                call.plan.refresh_advice()
            ),
            minutes >= if call.worked_before { OLD_MFA.0 } else { OLD_MFA.1 },
        )),
        Mfa::Session(_) | Mfa::Code => None,
    }
}

/// Returns the hint for a user's call without MFA.
fn no_code(call: &FailedCall<'_>) -> String {
    format!("no MFA code was sent: if the role requires one, {}", type_serial(call))
}

/// Returns how a code is sent.
fn type_serial(call: &FailedCall<'_>) -> String {
    format!("set mfa_serial in {} to a serial number from {}", call.plan.settings_file(), call.device_list())
}
