//! `awsrole policy`: prints the policy documents that allow the caller to assume the role.

use awsrole_core::aws::source::{Claims, Source};
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::{AwsRefusal, Problem};
use awsrole_core::plan::required_policies::{Pair, required_policies, to_text};
use awsrole_core::plan::role_plan::Step;
use awsrole_core::session::advice::missing_policy;
use awsrole_core::session::cache::Cache;
use awsrole_core::session::fetch::fetch_caller_arn;
use awsrole_core::session::lookup::ObtainOptions;
use awsrole_core::settings::user_config::Settings;

use super::target::Target;
use crate::cli::TargetOptions;
use crate::report::{CommandError, Outcome};
use awsrole_system::print::out;

pub(super) fn run(
    target: TargetOptions,
    json: bool,
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    let target = Target::of(target, context, settings)?;
    let plan = &target.plan;
    let is_limited = plan.steps.iter().any(|step| matches!(step, Step::GetScopedCredentials(_)));
    if plan.role_arn().is_none() && !is_limited {
        return Err(Problem::new(format!("{} assumes no role, so no policies are needed", plan.title())).into());
    }
    let cache = Cache::open(context, settings.or_default().key);
    let (first, claims) = first_caller(&target, &cache, settings)?;
    let required = required_policies(plan, &first, claims.as_ref());
    let failure = cache.last_failure(&cache.keys(plan), context.now);
    let refusal = failure.as_ref().and_then(|failure| failure.problem.refusal.as_deref());
    let required = missing(required, refusal.filter(|refusal| refusal.code.starts_with("AccessDenied")));
    if json {
        let value = serde_json::to_value(&required).map_err(|e| Problem::new("no JSON").because(e))?;
        out(&(super::common::pretty(&value)? + "\n"))?;
    } else {
        out(&to_text(&required, &settings.get()?.accounts)?)?;
    }
    Ok(Outcome::Done)
}

/// Returns the ARN that makes the first call, and the claims of the token if it is a web identity.
fn first_caller(target: &Target, cache: &Cache, settings: &Settings) -> Result<(String, Option<Claims>), CommandError> {
    let Target { outer, plan, .. } = target;
    if let Source::WebIdentity(token) = &plan.source {
        let claims = Claims::load(&token.token_file).ok_or_else(|| {
            Problem::new(format!("{} contains no OIDC token", outer.shorten(&token.token_file))).hint(
                "the policy is for the token's issuer, audience and subject: run this where the platform writes it",
            )
        })?;
        return Ok((token.role_arn.to_string(), Some(claims)));
    }
    let options = ObtainOptions::interactive(outer.now);
    let arn = super::providers::with_providers(outer, settings, true, |providers| {
        fetch_caller_arn(plan, cache, providers, options)
    });
    Ok((arn.map_err(|failed| target.failed(failed))?, None))
}

/// Keeps the policies that are known to be missing since the last attempt, or all if nothing is known.
fn missing(required: Vec<Pair>, refusal: Option<&AwsRefusal>) -> Vec<Pair> {
    let Some(refusal) = refusal else { return required };
    if !required.iter().any(|pair| pair.step == refusal.step) {
        return required;
    }
    let refused = required.into_iter().filter(|pair| pair.step == refusal.step);
    match missing_policy(refusal) {
        // A token has no identity policy.
        Ok(document) => refused.map(|pair| if pair.identity.is_some() { pair.only(document) } else { pair }).collect(),
        Err(None) => refused.collect(),
        Err(Some(words)) => refused
            .map(|mut pair| {
                pair.notes.push(format!("AWS says \"{words}\": these statements don't change that"));
                pair
            })
            .collect(),
    }
}
