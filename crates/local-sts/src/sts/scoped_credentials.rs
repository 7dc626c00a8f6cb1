//! GetScopedCredentials.

use std::time::Duration;

use crate::protocol::constraints::{Constraints, DESCRIPTION, POLICY};
use crate::protocol::error::ApiError;
use crate::protocol::query::QueryResponse;
use crate::protocol::request::{Form, HttpRequest};
use crate::state::context::RequestContext;
use crate::state::sessions::{ApiCaller, ScopePolicy};
use crate::sts::assume_role::{PACKED_BYTES, session_policy};
use crate::sts::credentials;
use crate::sts::misc_actions::check_permitted;

/// Host of the global endpoint, which doesn't have the action.
const GLOBAL_ENDPOINT: &str = "sts.amazonaws.com";
/// Number of policies that a session may have from this action.
const MAX_POLICIES: usize = 3;

/// Answers GetScopedCredentials with credentials of the caller's session that allow less or end sooner.
///
/// # Errors
/// In this order, which AWS doesn't publish: the global endpoint, parameters out of their limits, a long-term key, a
/// missing permission, a fourth policy, an invalid policy, a duration beyond the end of the session, a size beyond its
/// limit.
pub(crate) fn handle(
    context: &mut RequestContext<'_>,
    caller: &ApiCaller,
    request: &HttpRequest,
    form: &Form,
) -> Result<QueryResponse, ApiError> {
    if request.header("host").is_some_and(|host| host.split(':').next() == Some(GLOBAL_ENDPOINT)) {
        let message = "GetScopedCredentials is not available on the STS Global endpoint";
        return Err(ApiError::new(400, "InvalidAction", message));
    }
    let mut rules = Constraints::default();
    let (policy, description) = (form.value("Policy"), form.value("ScopedSessionDescription"));
    rules.text("policy", policy, 1..=2048, POLICY);
    rules.text("scopedSessionDescription", description, 2..=256, DESCRIPTION);
    let seconds = rules.number("durationSeconds", form.value("DurationSeconds"), 1..=129_600)?;
    let token_size = rules.number("minimumSessionTokenSize", form.value("MinimumSessionTokenSize"), 0..=4096)?;
    rules.finish()?;
    if policy.is_none() && seconds.is_none() {
        return Err(ApiError::validation("Either Policy or DurationSeconds must be provided"));
    }
    let session_end = caller.expires.ok_or_else(|| {
        let message = "GetScopedCredentials must be called with temporary security credentials";
        ApiError::new(400, "InvalidSubjectCredentials", message)
    })?;
    check_permitted(caller, "sts:GetScopedCredentials", context.now)?;

    let mut scopes = caller.scopes.clone();
    if let Some(text) = policy {
        if scopes.len() == MAX_POLICIES {
            return Err(ApiError::access_denied(format!("The session already has {MAX_POLICIES} scope down policies")));
        }
        scopes.push(ScopePolicy { document: session_policy(text)?, length: text.len() });
    }
    let expires = match seconds.map(|seconds| context.expiry(Duration::from_secs(seconds.into()))) {
        Some(expires) if expires > session_end => {
            let message = "The requested DurationSeconds exceeds the remaining lifetime of the calling session";
            return Err(ApiError::new(400, "InsufficientSessionLifetime", message));
        }
        Some(expires) => expires,
        None => session_end,
    };
    let percent = (100 * scopes.iter().map(|scope| scope.length).sum::<usize>()).div_ceil(PACKED_BYTES);
    if percent > 100 {
        let message = format!("Packed size of session policy consumes {percent}% of allotted space.");
        return Err(ApiError::new(400, "PackedPolicyTooLarge", message));
    }

    let (count, owner) = (scopes.len(), caller.owner.clone());
    let source_identity = owner.role_session().and_then(|session| session.source_identity.clone());
    let info = QueryResponse::default().element("ScopedSessionId", owner.user_id()).element("Arn", owner.arn());
    let token_size = token_size.unwrap_or_default().try_into().unwrap_or_default();
    // The new credentials belong to the same session, which was issued earlier.
    let issued = caller.issued.unwrap_or(context.now);
    let credentials = context.state.sessions.issue_scoped(owner, scopes, issued, expires, token_size)?;
    Ok(credentials::element(credentials)
        .group("SessionInfo", &info)
        .element("SessionTokenUtilization", &percent.to_string())
        .element("SessionTokenSize", &credentials.token.expose().len().to_string())
        .element("ScopedPoliciesCount", &count.to_string())
        .optional("SourceIdentity", source_identity.as_deref()))
}
