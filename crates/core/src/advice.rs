//! What STS's refusals mean, and what to do about them.

use std::time::SystemTime;

use crate::arn::account_of;
use crate::credentials::Credentials;
use crate::limits::MfaSerial;
use crate::plan::{AssumeRole, RolePlan, Step};
use crate::policy::Principal;
use crate::problem::Problem;
use crate::sts::StsError;

/// Explains why a step of a plan failed.
#[must_use]
pub fn explain(plan: &RolePlan, index: usize, caller: &Credentials, error: &StsError, now: SystemTime) -> Problem {
    let step = &plan.steps[index];
    let asked = match step {
        Step::AssumeRole(role) => role.role_arn.to_string(),
        Step::SessionToken(_) => format!("a session of {}", plan.source),
    };
    let who = match index {
        0 => format!("{} (key {})", plan.source, caller.access_key_id),
        _ => caller.arn.clone().unwrap_or_else(|| caller.access_key_id.clone()),
    };
    let mfa = mfa_of(plan, index, caller, now);
    let endpoint = plan.endpoint.shown();
    let (code, message, server_time) = match error {
        StsError::Refused { code, message, server_time } => (code.as_str(), message.as_str(), *server_time),
        StsError::Unreachable(_) | StsError::TimedOut(_) => {
            return Problem::new(format!("{endpoint} can't be reached, so {asked} can't be had"))
                .because(error)
                .hint("check the network, proxies (HTTPS_PROXY) and the region; awsrole tries again by itself");
        }
        StsError::Malformed(_) => {
            return Problem::new(format!("{endpoint} gave no usable answer for {asked}"))
                .because(error)
                .hint("is the endpoint really STS? see AWS_ENDPOINT_URL and `endpoint_url` in ~/.aws/config");
        }
    };
    let problem = Problem::new(format!("STS refused {asked}")).because(error);
    match (code, step) {
        _ if message.contains("invalid MFA one time pass code") => {
            problem.hint("the code was wrong, or used already; `awsrole refresh` asks for the next one")
        }
        _ if message.contains("unable to validate MFA code") => problem
            .because(format!("the device is {}", step.mfa_serial().map_or("none", MfaSerial::as_str)))
            .hint("mfa_serial must be a device of the very user whose keys are used: compare with `aws iam list-mfa-devices`"),
        ("AccessDenied" | "AccessDeniedException", Step::AssumeRole(role)) => access_denied(problem, role, message, &who, &mfa),
        ("AccessDenied" | "AccessDeniedException", Step::SessionToken(_)) => {
            problem.hint(format!("a session needs long-term keys; {who} may be temporary"))
        }
        ("InvalidClientTokenId" | "UnrecognizedClientException", _) => problem
            .because(format!("the caller was {who}"))
            .hint("the access key is unknown to AWS: deleted, inactive, or of another partition")
            .hint("compare with `aws iam list-access-keys`, then `aws configure` the profile anew"),
        ("ExpiredToken" | "ExpiredTokenException", _) => {
            problem.because(format!("the caller was {who}")).hint("the source's own credentials have expired: renew them, then `awsrole refresh`")
        }
        ("SignatureDoesNotMatch" | "RequestExpired" | "RequestTimeTooSkewed", _) => match server_time.map(|time| minutes_off(now, time)) {
            Some(minutes) if minutes.abs() >= 5 => {
                let direction = if minutes > 0 { "fast" } else { "slow" };
                problem.hint(format!("this machine's clock is {} minutes {direction}: set it (timedatectl set-ntp true)", minutes.abs()))
            }
            _ => problem
                .because(format!("the caller was {who}"))
                .hint("the secret access key doesn't belong to the access key id: `aws configure` the profile anew"),
        },
        ("RegionDisabledException", _) => {
            problem.hint(format!("STS is switched off in {} for that account: set another `region`, or switch it on in IAM's account settings", plan.endpoint.region.as_str()))
        }
        ("Throttling" | "ThrottlingException", _) => problem.hint("too many calls; awsrole tries again by itself in half a minute"),
        ("PackedPolicyTooLarge" | "PackedPolicyTooLargeException", _) => {
            problem.hint("policy, policy_arns and session_tags are too large together once packed: make them shorter")
        }
        ("MalformedPolicyDocument" | "MalformedPolicyDocumentException", _) => problem.hint("`policy` is JSON, but not an IAM policy"),
        ("ValidationError", Step::AssumeRole(role)) if message.contains("MaxSessionDuration") => problem
            .because(format!("asked for {}", duration(role)))
            .hint("lower duration_seconds, or raise the role's maximum session duration (`aws iam update-role --max-session-duration`)"),
        ("ValidationError", _) if message.contains("role chaining") => {
            problem.hint("set duration_seconds = 3600 or leave it out: awsrole renews the session by itself")
        }
        _ => problem.because(format!("the caller was {who}")),
    }
}

/// How the caller authenticated: what a condition on MFA sees.
fn mfa_of(plan: &RolePlan, index: usize, caller: &Credentials, now: SystemTime) -> String {
    if plan.steps[index].mfa_serial().is_some() {
        return "an MFA code".to_owned();
    }
    match index.checked_sub(1).map(|before| &plan.steps[before]) {
        Some(step @ Step::SessionToken(_)) if step.mfa_serial().is_some() => {
            let minutes = now.duration_since(caller.issued).unwrap_or_default().as_secs() / 60;
            format!("an MFA session {minutes} minutes old")
        }
        Some(Step::AssumeRole(_)) => "no MFA (it isn't passed on from role to role)".to_owned(),
        _ => "no MFA".to_owned(),
    }
}

/// Two accounts decide, and mostly STS doesn't say which of them refused.
fn access_denied(problem: Problem, role: &AssumeRole, message: &str, who: &str, mfa: &str) -> Problem {
    let principal = message.split_whitespace().find(|word| word.starts_with("arn:") && !word.contains(":role/"));
    let callers_account = principal.and_then(account_of);
    let caller = Principal::of(principal.unwrap_or(who)).named;
    let roles_account = role.role_arn.account();
    let arn = &role.role_arn;
    let problem = problem.because(format!("the caller was {who}; sent were {}", sent(role, mfa)));
    let account = callers_account.as_ref().map_or("the caller's account".to_owned(), |id| format!("account {id}"));
    let identity = format!("in {account}: the caller's identity policy must allow sts:AssumeRole on {arn}");
    let trust = format!("in account {roles_account}: the role's trust policy must name {caller} or its account");
    let problem = if message.contains("explicit deny") {
        problem.hint("a policy denies it in so many words: look for a Deny in the caller's policies, its permissions boundary and the organization's SCPs")
    } else if message.contains("no identity-based policy") {
        problem.hint(identity)
    } else if message.contains("no resource-based policy") {
        problem.hint(trust)
    } else if callers_account.as_ref() == Some(roles_account) {
        problem.hint(format!(
            "{trust}; if it names the account, {}",
            identity.trim_start_matches(&format!("in {account}: "))
        ))
    } else {
        problem.hint(identity).hint(format!("{trust}; both are needed, and STS doesn't say which is missing"))
    };
    let problem = match conditions(role, mfa) {
        conditions if conditions.is_empty() => problem,
        conditions => {
            problem.hint(format!("conditions of the trust policy that would refuse this: {}", conditions.join("; ")))
        }
    };
    problem.hint("a role that isn't there is refused in the same words; `awsrole policy` prints both documents")
}

/// Conditions that are common in trust policies and that this call wouldn't meet.
fn conditions(role: &AssumeRole, mfa: &str) -> Vec<String> {
    let mut conditions = Vec::new();
    if mfa.starts_with("no MFA") {
        conditions.push("aws:MultiFactorAuthPresent (set mfa_serial)".to_owned());
    } else if mfa.contains("session") {
        conditions.push("aws:MultiFactorAuthAge, if it is shorter than that (`awsrole refresh`)".to_owned());
    }
    if role.external_id.is_none() {
        conditions.push("sts:ExternalId (set external_id)".to_owned());
    }
    if role.source_identity.is_some() {
        conditions.push("no sts:SetSourceIdentity among its actions".to_owned());
    }
    if !role.tags.tags.is_empty() {
        conditions.push("no sts:TagSession among its actions".to_owned());
    }
    conditions.push(format!("sts:RoleSessionName, if it isn't {}", role.session_name.as_str()));
    conditions
}

/// What was sent, in a person's words: the conditions of a trust policy look at nothing else.
fn sent(role: &AssumeRole, mfa: &str) -> String {
    let mut parts = vec![format!("session name {}", role.session_name.as_str())];
    parts.push(
        role.external_id.as_ref().map_or("no external id".to_owned(), |id| format!("external id {}", id.as_str())),
    );
    parts.push(mfa.to_owned());
    if let Some(identity) = &role.source_identity {
        parts.push(format!("source identity {}", identity.as_str()));
    }
    if !role.tags.tags.is_empty() {
        parts.push(format!("{} session tags", role.tags.tags.len()));
    }
    parts.push(duration(role));
    parts.join(", ")
}

fn duration(role: &AssumeRole) -> String {
    role.duration
        .map_or("the default duration of 1h".to_owned(), |duration| format!("a duration of {}", duration.human()))
}

/// By how many minutes the local clock is ahead of the server's.
fn minutes_off(local: SystemTime, server: SystemTime) -> i64 {
    let minutes = |duration: std::time::Duration| i64::try_from(duration.as_secs() / 60).unwrap_or(i64::MAX);
    match local.duration_since(server) {
        Ok(ahead) => minutes(ahead),
        Err(behind) => -minutes(behind.duration()),
    }
}
