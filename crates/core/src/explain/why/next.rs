//! Describes what the next `cd` would do.

use std::time::SystemTime;

use super::agent;
use super::text::minutes;
use crate::aws::source::Source;
use crate::plan::role_plan::{RolePlan, Step};
use crate::session::cache::Cache;

/// What [`next`] says of a step that needs an MFA code.
pub(super) const MFA_PROMPT: &str = "awsrole prompts for an MFA code";

/// The condition under which a program's keys get a session.
pub(super) const IF_LONG_TERM: &str = ", if the program returns long-lived keys";

/// Describes what the next `cd` would do.
pub(super) fn next(plan: &RolePlan, cache: &Cache, now: SystemTime) -> String {
    let keys = cache.keys(plan);
    let good = |count: usize| cache.load(&keys.session(count), now).filter(|entry| !entry.is_due(now));
    if let Some(entry) = good(plan.steps.len()) {
        let left = entry.credentials.renew_at().and_then(|time| time.duration_since(now).ok());
        return match left {
            Some(left) => format!("the cached session is used and renews in {}", minutes(left)),
            None => "the cached session is used".to_owned(),
        };
    }
    let done = (0..plan.steps.len()).rev().find(|count| good(*count).is_some()).unwrap_or(0);
    if let Some(first) = plan.agent.as_ref().and_then(|_| agent::needs_user(plan, done, now)) {
        return first;
    }
    let mut parts = Vec::new();
    if done == 0 && !plan.source.is_long_term() {
        parts.extend(plan.source.sign_in(now).map(|command| format!("`{command}` signs in")));
        parts.push(format!("credentials are fetched from {}", plan.source));
    }
    for step in &plan.steps[done..] {
        if step.mfa_serial().is_some() {
            parts.push(MFA_PROMPT.to_owned());
        }
        parts.push(match step {
            Step::GetSessionToken(_) if matches!(plan.source, Source::Process(_)) => {
                format!("GetSessionToken is called{IF_LONG_TERM}")
            }
            Step::GetSessionToken(_) => "GetSessionToken is called".to_owned(),
            Step::AssumeRole(role) => format!("AssumeRole is called for {}", role.role_arn.name()),
            Step::GetScopedCredentials(_) => "GetScopedCredentials is called".to_owned(),
        });
    }
    if parts.is_empty() { "the source's own credentials are exported".to_owned() } else { parts.join(", then ") }
}
