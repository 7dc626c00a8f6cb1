//! Advice on refusals of GetScopedCredentials (STS API Reference, `GetScopedCredentials`, "Errors").

use crate::aws::session_policy::LimitedBy;
use crate::base::problem::Problem;
use crate::plan::required_policies::Principal;
use crate::plan::role_plan::GetScopedCredentials;
use crate::session::advice::call::FailedCall;
use crate::session::advice::not_a_policy;

/// Explains a refusal. Without the limit the session isn't used, so each hint leads to a limited one.
///
/// Returns the problem unchanged if the error isn't specific to this call.
pub(super) fn explain(
    problem: Problem,
    call: &FailedCall<'_>,
    scoped: &GetScopedCredentials,
    code: &str,
    arn: Option<&str>,
) -> Result<Problem, Problem> {
    let LimitedBy { setting, origin } = &scoped.limited_by;
    Ok(match code.trim_end_matches("Exception") {
        "AccessDenied" => {
            let holder = arn.or(call.caller.arn.as_deref()).map(Principal::of);
            let holder = holder.map_or("the caller".to_owned(), |caller| caller.attach_to);
            problem
                .hint(format!("check that a policy of {holder} allows sts:GetScopedCredentials: see `awsrole policy`"))
                .other("a policy of the organization (SCP) or of the VPC endpoint denies it")
                .other("the session already has three limits")
        }
        "InvalidAction" | "UnknownOperation" => problem
            .because("this STS doesn't know GetScopedCredentials, which AWS introduced in November 2026")
            .hint("use a source that assumes a role: AssumeRole accepts a session policy")
            .hint(format!("or remove {setting} ({origin}) if the session doesn't need it")),
        "MalformedPolicyDocument" => problem.hint(not_a_policy(&format!("{origin}: {setting}"))),
        "PackedPolicyTooLarge" => problem
            .hint(format!("the session token has no space for {setting} ({origin}): make it shorter"))
            .hint("session policies and session tags of the caller count, too"),
        "InsufficientSessionLifetime" => {
            problem.hint("the caller's session ends sooner than the limit: `awsrole refresh` gets a new one")
        }
        "InvalidSubjectCredentials" => {
            problem.hint(format!("{} isn't a session that can be limited: {}", call.plan.source, call.renewal()))
        }
        _ => return Err(problem),
    })
}
