//! May this caller do this to this role? Trust policy, identity policies and session policies together.

use std::time::SystemTime;

use crate::condition::Context;
use crate::fixture::Role;
use crate::policy::{self, Question, Verdict};
use crate::principal::Match;
use crate::sessions::{Caller, Holder, Tag};
use crate::stamp;

/// What a request says about itself, as far as conditions can ask for it.
pub(crate) struct Asked<'a> {
    pub(crate) session_name: &'a str,
    pub(crate) external_id: Option<&'a str>,
    pub(crate) source_identity: Option<&'a str>,
    pub(crate) tags: &'a [Tag],
    /// Whether a one-time code in this very call was right.
    pub(crate) mfa_in_call: bool,
    pub(crate) now: SystemTime,
}

/// Collects the condition keys of a request.
pub(crate) fn context(caller: &Caller, asked: &Asked<'_>) -> Context {
    let mut context = Context::default();
    context.set("sts:RoleSessionName", asked.session_name);
    for (key, value) in [
        ("sts:ExternalId", asked.external_id),
        ("sts:SourceIdentity", asked.source_identity),
    ] {
        if let Some(value) = value {
            context.set(key, value);
        }
    }
    for tag in asked.tags {
        context.set(&format!("aws:RequestTag/{}", tag.key), &tag.value);
    }
    let identity = caller.holder.identity();
    context.set("aws:PrincipalArn", identity.principal_arn);
    context.set("aws:PrincipalAccount", identity.account);
    context.set("aws:userid", caller.holder.user_id());
    let mfa_at = match &caller.holder {
        Holder::User { user, mfa_at } => {
            context.set("aws:username", &user.name);
            context.set("aws:PrincipalType", "User");
            *mfa_at
        }
        Holder::Role(session) => {
            context.set("aws:PrincipalType", "AssumedRole");
            for tag in &session.tags {
                context.set(&format!("aws:PrincipalTag/{}", tag.key), &tag.value);
            }
            if let Some(source_identity) = &session.source_identity {
                context.set("aws:SourceIdentity", source_identity);
            }
            None
        }
    };
    let mfa_at = if asked.mfa_in_call { Some(asked.now) } else { mfa_at };
    if let Some(mfa_at) = mfa_at {
        context.set("aws:MultiFactorAuthPresent", "true");
        let age = stamp::unix_seconds(asked.now).saturating_sub(stamp::unix_seconds(mfa_at));
        context.set("aws:MultiFactorAuthAge", age.to_string());
    } else if caller.temporary {
        // With long-term keys the key is absent; with temporary credentials it is there, and false.
        context.set("aws:MultiFactorAuthPresent", "false");
    }
    context
}

/// Decides as "Policy evaluation logic" and "Cross-account policy evaluation" of IAM's guide describe it.
pub(crate) fn is_allowed(caller: &Caller, role: &Role, action: &str, context: &Context) -> bool {
    let identity = caller.holder.identity();
    let question = Question {
        identity: &identity,
        action,
        resource: &role.arn,
        context,
    };
    let own = match &caller.holder {
        Holder::User { user, .. } => policy::verdict(&user.policies, &question),
        Holder::Role(session) => policy::verdict(&session.role.policies, &question),
    };
    let narrowed = caller
        .holder
        .role_session()
        .and_then(|session| session.session_policies.as_ref())
        .map(|policies| policy::verdict(policies, &question));
    let trust = role.trust.verdict(&question);
    if [Some(own), narrowed, Some(trust)].contains(&Some(Verdict::Deny)) {
        return false;
    }
    let passes_session = narrowed.is_none_or(allows);
    let by_identity = allows(own) && passes_session;
    match trust {
        Verdict::Silent | Verdict::Deny => false,
        Verdict::Allow(_) if identity.account != role.account => by_identity,
        Verdict::Allow(Match::Account) => by_identity,
        Verdict::Allow(Match::Named) => passes_session,
        Verdict::Allow(Match::Session) => true,
    }
}

fn allows(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Allow(_))
}
