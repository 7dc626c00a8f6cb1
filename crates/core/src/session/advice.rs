//! Explains errors of STS and suggests fixes.

use crate::aws::credentials::is_long_term_key_id;
use crate::aws::parameters::MfaSerial;
use crate::aws::source::Source;
use crate::base::problem::{AwsRefusal, Problem};
use crate::plan::required_policies::Document;
use crate::plan::role_plan::Step;
use crate::session::sts::StsError;

mod call;
mod denied;
mod scoped;
mod unanswered;
mod words;

use call::duration;
use unanswered::{minutes_off, set_the_clock};
use words::{Denial, DenialReason, PolicyKind};

pub(crate) use call::FailedCall;
pub(crate) use unanswered::TRY_AGAIN;
pub(crate) use unanswered::unanswered;
pub use unanswered::{NO_CA_BUNDLE, suspects};
pub(crate) use words::{encoded, with_reason};

/// Explains why a call failed.
///
/// A refusal is printed again at each `cd`, so it takes at most eight rows: what AWS refused, the caller, what was
/// sent, the likeliest cause, and the others in short ([`Problem`]).
pub(crate) fn explain(call: &FailedCall<'_>, error: &StsError) -> Problem {
    let (plan, now) = (call.plan, call.now);
    let (what, endpoint) = (call.what(), plan.endpoint.shown());
    let (code, message) = match unanswered(&what, &endpoint, error, now, call.clock_command) {
        Ok(problem) => return problem,
        Err(refused) => refused,
    };
    let denial = Denial::parse(message);
    let (action, words) = (denial.action, denial.shown());
    // AWS's words are printed in full by `awsrole why`.
    let is_outage = passes_by_itself(error, message) && error.is_transient();
    let problem = match action.filter(|action| *action != call.action()) {
        Some(other) => Problem::new(format!("STS refused {what}: {code} for {other}")),
        None if action.is_some() => Problem::new(format!("STS refused {what}: {code}")),
        None if is_outage => Problem::new(format!("STS could not process the call for {what}")),
        None => Problem::new(format!("STS refused {what}")),
    };
    let problem = match (action, words) {
        (Some(_), words) if words.is_empty() => problem,
        (Some(_), words) => problem.because(words),
        (None, words) => problem.because(format!("{code}: {}", words.split(". ").next().unwrap_or_default())),
    };
    let problem = match passes_by_itself(error, message) {
        true if is_outage => problem.temporary(),
        true => problem,
        false => problem.refused((!call.identity).then_some(call.index), code, message),
    };
    let mut problem = advise(problem.fact("caller", call.who(denial.caller)), call, error, (code, message), &denial);
    if let Some(id) = denial.authorization_id {
        // AWS knows more than awsrole: the evaluated policies.
        let details = "aws iam-toolbox get-request-authorization-details --authorization-id";
        problem.hints.insert(0, format!("AWS shows the evaluated policies: `{details} {id}`"));
    }
    problem
}

/// Returns the policy that AWS named as missing in its refusal of a call.
///
/// # Errors
/// Fails if AWS named no policy, or if the named policy isn't missing but denies the call. In the latter case the error
/// is AWS's message.
pub fn missing_policy(refusal: &AwsRefusal) -> Result<Document, Option<String>> {
    let denial = Denial::parse(&refusal.message);
    match denial.reason {
        Some(DenialReason { kind: PolicyKind::Identity, explicit: false }) => Ok(Document::Identity),
        Some(DenialReason { kind: PolicyKind::Trust, explicit: false }) => Ok(Document::Trust),
        Some(DenialReason { kind: PolicyKind::Boundary, explicit: false }) => Ok(Document::Boundary),
        Some(_) => Err(Some(denial.shown())),
        None => Err(None),
    }
}

/// Returns whether the next attempt may succeed without a change at AWS: STS was busy, or a code was wrong.
fn passes_by_itself(error: &StsError, message: &str) -> bool {
    error.is_transient() || message.contains("invalid MFA one time pass code")
}

fn advise(
    problem: Problem,
    call: &FailedCall<'_>,
    error: &StsError,
    (code, message): (&str, &str),
    denial: &Denial<'_>,
) -> Problem {
    let (plan, now) = (call.plan, call.now);
    let server_time = match error {
        StsError::Refused { server_time, .. } => *server_time,
        _ => None,
    };
    if call.identity && code.starts_with("AccessDenied") {
        return problem.hint("GetCallerIdentity needs no permission, so a policy of the organization (SCP) or of the VPC endpoint denies it");
    }
    let step = call.step();
    let problem = match step {
        Some(Step::GetScopedCredentials(step)) => match scoped::explain(problem, call, step, code, denial.caller) {
            Ok(explained) => return explained,
            Err(problem) => problem,
        },
        _ => problem,
    };
    match (code, step) {
        _ if message.contains("invalid MFA one time pass code") => {
            problem.hint("the code was wrong or already used: run `awsrole refresh` to try the next one")
        }
        _ if message.contains("unable to validate MFA code") => problem
            .fact("device", step.and_then(Step::mfa_serial).map_or("none", MfaSerial::as_str))
            .hint("mfa_serial must be a device of the user whose keys are used: see the IAM console (Users, Security credentials)")
            .hint("a FIDO security key has no codes: register an authenticator app in addition"),
        ("AccessDenied" | "AccessDeniedException", Some(Step::AssumeRole(role))) => {
            denied::explain(problem.fact("sent", call.sent(role)), call, role, denial)
        }
        ("AccessDenied" | "AccessDeniedException", Some(Step::GetSessionToken(_))) if message.contains("session credentials") => {
            problem.hint("GetSessionToken requires long-lived keys (AKIA…) of a user: remove mfa_serial, or use another profile")
        }
        ("AccessDenied" | "AccessDeniedException", Some(Step::GetSessionToken(_))) => {
            problem.hint("GetSessionToken needs no permission, so a Deny in a policy of the user or of the organization (SCP) applies")
        }
        ("InvalidClientTokenId" | "UnrecognizedClientException", _) => unknown_key(problem, call),
        ("ExpiredToken" | "ExpiredTokenException", _) => {
            problem.hint(format!("the caller's credentials have expired: {}", call.renewal()))
        }
        ("SignatureDoesNotMatch", _) if message.contains("valid region") => problem.hint(format!(
            "{} isn't a region: it comes from {}, or AWS_REGION",
            plan.endpoint.region.as_str(),
            if plan.is_selected_profile { "`region` in ~/.aws/config" } else { "`region` in .awsrole.toml, the profile" }
        )),
        ("RequestExpired" | "RequestTimeTooSkewed", _) => match server_time.map(|time| minutes_off(now, time)) {
            Some(minutes) if minutes != 0 => problem.hint(set_the_clock(minutes, call.clock_command)),
            _ => problem.hint("this machine's clock and AWS's differ: compare `date -u` with the time in the error"),
        },
        ("SignatureDoesNotMatch", _) => match server_time.map(|time| minutes_off(now, time)) {
            Some(minutes) if minutes.abs() >= 5 => problem.hint(set_the_clock(minutes, call.clock_command)),
            _ => problem
                .hint(format!("the secret access key doesn't belong to the access key: {}", call.renewal())),
        },
        ("RegionDisabledException", _) => {
            problem.hint(format!("STS is disabled in {} for the caller's account: set another `region`, or enable it (IAM console, Account settings)", plan.endpoint.region.as_str()))
        }
        ("PackedPolicyTooLarge" | "PackedPolicyTooLargeException", _) => {
            problem.hint("policy, policy_arns and session_tags share one size limit: make them shorter")
        }
        ("MalformedPolicyDocument" | "MalformedPolicyDocumentException", _) => problem.hint(not_a_policy(POLICY_KEY)),
        // awsrole sends no `ProvidedContexts` (STS API Reference, AssumeRole, "Errors").
        ("InvalidContextAssertion" | "InvalidContextAssertionException", _) => problem
            .hint("awsrole sends no context assertion: is the endpoint STS, or does a proxy change the request?"),
        ("ValidationError", Some(Step::AssumeRole(role))) if message.contains("MaxSessionDuration") => {
            let seconds = role.duration.map_or(3600, |duration| duration.seconds());
            problem.fact("sent", duration(role)).hint("lower duration_seconds").hint(format!(
                "or raise the maximum in account {}: aws iam update-role --role-name {} --max-session-duration {seconds}",
                role.role_arn.account(),
                role.role_arn.name()
            ))
        }
        ("ValidationError", _) if message.contains("role chaining") => problem
            .hint("role chaining is limited to one hour: set duration_seconds = 3600 or remove it (awsrole renews the session automatically)"),
        _ if error.is_transient() => problem.hint(TRY_AGAIN),
        _ => problem.hint("see the error code in AWS's documentation (STS API reference, \"Common errors\") and the request with `awsrole why`"),
    }
}

/// Explains an access key that STS doesn't know.
fn unknown_key(problem: Problem, call: &FailedCall<'_>) -> Problem {
    let (endpoint, source) = (&call.plan.endpoint, &call.plan.source);
    let region = endpoint.region.as_str();
    if let (Source::StaticKeys(keys), None) = (source, call.before())
        && keys.session_token.is_some()
        && is_long_term_key_id(&keys.access_key_id)
    {
        let place = format!("{} has an aws_session_token with a long-lived key (AKIA…)", keys.holder);
        return problem.hint(format!("{place}: remove the token, which is left over from other keys"));
    }
    let gone = match call.caller.session_token {
        Some(_) => format!("the session isn't valid any more: {}", call.renewal()),
        None => format!("the access key was deleted or deactivated: {}", call.renewal()),
    };
    match endpoint.partition() {
        "aws" if !ENABLED_BY_DEFAULT.contains(&region) => problem
            .hint(format!(
                "the account of {source} probably hasn't enabled {region}: `aws account enable-region --region-name {region}{}`",
                call.profile().map(|name| format!(" --profile {name}")).unwrap_or_default()
            ))
            .other("the access key was deleted or deactivated")
            .detail(gone),
        "aws" => problem.hint(gone),
        partition => problem
            .hint(format!("{region} is in partition {partition}: the keys of another partition don't work there"))
            .other("the access key was deleted or deactivated")
            .detail(gone),
    }
}

/// Regions that are enabled in every account. All others must be enabled first (AWS Account Management Reference Guide,
/// "Enable or disable AWS Regions"). AWS adds no more regions to this list.
const ENABLED_BY_DEFAULT: [&str; 17] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
];

/// Returns the hint for a setting that STS doesn't accept as a policy.
pub(crate) fn not_a_policy(setting: &str) -> String {
    format!(
        "{setting} isn't an IAM policy. A policy needs Version and Statement, and each statement needs Effect, Action and Resource"
    )
}

/// The project file's key for [`not_a_policy`].
pub(crate) const POLICY_KEY: &str = "`policy` in .awsrole.toml";

#[cfg(test)]
mod tests;
