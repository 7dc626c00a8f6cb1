//! Authorization: evaluates identity-based policies, session policies and trust policies for a caller.

use std::time::SystemTime;

use crate::fixture::role::Role;
use crate::policy::condition::ConditionKeys;
use crate::policy::document::{self, EvaluationRequest, PolicyVerdict};
use crate::policy::principal::{ExternalPrincipal, Identity, PrincipalMatch};
use crate::protocol::timestamp;
use crate::state::sessions::{ApiCaller, CredentialOwner, SessionTag};

/// Parameters of AssumeRole that are condition keys.
pub(crate) struct RequestAttributes<'a> {
    pub(crate) session_name: &'a str,
    pub(crate) external_id: Option<&'a str>,
    pub(crate) source_identity: Option<&'a str>,
    pub(crate) tags: &'a [SessionTag],
    /// Whether the call has a valid MFA code.
    pub(crate) mfa_in_call: bool,
    pub(crate) now: SystemTime,
}

/// Returns the condition keys of a call to AssumeRole.
pub(crate) fn condition_keys(caller: &ApiCaller, attributes: &RequestAttributes<'_>) -> ConditionKeys {
    let mut condition_keys = ConditionKeys::default();
    condition_keys.set("sts:RoleSessionName", attributes.session_name);
    for (key, value) in [("sts:ExternalId", attributes.external_id), ("sts:SourceIdentity", attributes.source_identity)]
    {
        if let Some(value) = value {
            condition_keys.set(key, value);
        }
    }
    for tag in attributes.tags {
        condition_keys.set(&format!("aws:RequestTag/{}", tag.key), &tag.value);
    }
    add_caller_keys(&mut condition_keys, caller, attributes.mfa_in_call, attributes.now);
    condition_keys
}

/// Sets the condition keys of the caller.
fn add_caller_keys(condition_keys: &mut ConditionKeys, caller: &ApiCaller, mfa_in_call: bool, now: SystemTime) {
    let identity = caller.owner.identity();
    if let Some(issued) = caller.issued {
        condition_keys.set("aws:TokenIssueTime", timestamp::rfc3339(issued));
    }
    condition_keys.set("aws:PrincipalArn", identity.principal_arn);
    condition_keys.set("aws:PrincipalAccount", identity.account);
    condition_keys.set("aws:userid", caller.owner.user_id());
    let mfa_at = match &caller.owner {
        CredentialOwner::User { user, mfa_at } => {
            condition_keys.set("aws:username", &user.name);
            condition_keys.set("aws:PrincipalType", "User");
            *mfa_at
        }
        CredentialOwner::Role(session) => {
            condition_keys.set("aws:PrincipalType", "AssumedRole");
            for tag in &session.tags {
                condition_keys.set(&format!("aws:PrincipalTag/{}", tag.key), &tag.value);
            }
            if let Some(source_identity) = &session.source_identity {
                condition_keys.set("aws:SourceIdentity", source_identity);
            }
            None
        }
    };
    let mfa_at = if mfa_in_call { Some(now) } else { mfa_at };
    if let Some(mfa_at) = mfa_at {
        condition_keys.set("aws:MultiFactorAuthPresent", "true");
        let age = timestamp::unix_seconds(now).saturating_sub(timestamp::unix_seconds(mfa_at));
        condition_keys.set("aws:MultiFactorAuthAge", age.to_string());
    } else if caller.is_temporary() {
        // It is absent for long-term keys and false for temporary credentials.
        condition_keys.set("aws:MultiFactorAuthPresent", "false");
    }
}

/// Returns whether the caller's own policies allow an action.
pub(crate) fn is_permitted(caller: &ApiCaller, action: &str, resource: &str, now: SystemTime) -> bool {
    allows(evaluate_own(caller, action, resource, now))
}

/// Evaluates the caller's own policies and session policies, for an action without a resource-based policy.
pub(crate) fn evaluate_own(caller: &ApiCaller, action: &str, resource: &str, now: SystemTime) -> PolicyVerdict {
    let mut condition_keys = ConditionKeys::default();
    add_caller_keys(&mut condition_keys, caller, false, now);
    let identity = caller.owner.identity();
    let request = EvaluationRequest { identity: &identity, action, resource, condition_keys: &condition_keys };
    let own = document::evaluate(&caller.owner.policies(), &request);
    let session_policies = caller.owner.role_session().and_then(|session| session.session_policies.as_ref());
    let by_session = session_policies.map(|policies| document::evaluate(policies, &request));
    let limits = by_session.into_iter().chain(by_scopes(caller, &request));
    // Only a verdict of the caller's own policies says how its principal matched.
    limits.fold(own, |verdict, limit| match (verdict, limit) {
        (PolicyVerdict::Deny, _) | (_, PolicyVerdict::Deny) => PolicyVerdict::Deny,
        (_, PolicyVerdict::NoMatch) => PolicyVerdict::NoMatch,
        (verdict, PolicyVerdict::Allow(_)) => verdict,
    })
}

/// Evaluates the policies of GetScopedCredentials, each of which must allow the request.
fn by_scopes(caller: &ApiCaller, request: &EvaluationRequest<'_>) -> Vec<PolicyVerdict> {
    caller.scopes.iter().map(|scope| scope.document.evaluate(request)).collect()
}

/// Returns whether the caller may perform an STS action on a role ("Policy evaluation logic" and "Cross-account policy
/// evaluation logic", IAM User Guide).
pub(crate) fn is_allowed(caller: &ApiCaller, role: &Role, action: &str, condition_keys: &ConditionKeys) -> bool {
    let identity = caller.owner.identity();
    let request = EvaluationRequest { identity: &identity, action, resource: &role.arn, condition_keys };
    let own = document::evaluate(&caller.owner.policies(), &request);
    let by_session = caller
        .owner
        .role_session()
        .and_then(|session| session.session_policies.as_ref())
        .map(|policies| document::evaluate(policies, &request));
    let trust = role.trust.evaluate(&request);
    if [Some(own), by_session, Some(trust)].contains(&Some(PolicyVerdict::Deny)) {
        return false;
    }
    // "The resulting session's permissions are the intersection of the calling session's existing permissions and this
    // scope down policy" (STS API Reference, GetScopedCredentials), also if a trust policy granted them to the session.
    if !by_scopes(caller, &request).into_iter().all(allows) {
        return false;
    }
    let not_restricted = by_session.is_none_or(allows);
    let by_identity = allows(own) && not_restricted;
    match trust {
        PolicyVerdict::NoMatch | PolicyVerdict::Deny => false,
        PolicyVerdict::Allow(_) if identity.account != role.account => by_identity,
        // In role chaining it is "required in both the permissions policy of the principal who is assuming the role and
        // in the role trust policy" ("Monitor and control actions taken with assumed roles", IAM User Guide).
        PolicyVerdict::Allow(_) if action == "sts:SetSourceIdentity" && caller.owner.role_session().is_some() => {
            by_identity
        }
        PolicyVerdict::Allow(PrincipalMatch::Account) => by_identity,
        PolicyVerdict::Allow(PrincipalMatch::Named) => not_restricted,
        PolicyVerdict::Allow(PrincipalMatch::Session) => true,
    }
}

/// Returns whether a role's trust policy allows an action to a service. No other policy applies to services.
pub(crate) fn trusts(role: &Role, principal: &ExternalPrincipal, action: &str) -> bool {
    trusts_with(role, principal, action, &ConditionKeys::default())
}

/// Returns the same for a principal with condition keys, such as a web identity.
pub(crate) fn trusts_with(
    role: &Role,
    principal: &ExternalPrincipal,
    action: &str,
    condition_keys: &ConditionKeys,
) -> bool {
    let identity = Identity {
        account: String::new(),
        arn: principal.name.clone(),
        principal_arn: principal.name.clone(),
        external: Some(principal.clone()),
    };
    allows(role.trust.evaluate(&EvaluationRequest { identity: &identity, action, resource: &role.arn, condition_keys }))
}

fn allows(verdict: PolicyVerdict) -> bool {
    matches!(verdict, PolicyVerdict::Allow(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::world::World;
    use crate::policy::document::{PolicyDocument, PolicyKind};
    use crate::state::sessions::AssumedRoleSession;
    use std::path::Path;
    use std::sync::Arc;

    const ALLOW: &str = r#"{"Statement": {"Effect": "Allow", "Action": "sts:*", "Resource": "*"}}"#;
    const DENY: &str = r#"{"Statement": {"Effect": "Deny", "Action": "STS:Assume*", "Resource": "*:role/T*"}}"#;
    const OTHER: &str = r#"{"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*:role/Other"}}"#;

    /// A fixture with a user `u` in account 1…, a role `T` in `account` that trusts `principal`, and a role `Caller`.
    fn world(account: &str, principal: &str, identity: &str) -> World {
        let trust = |principal: &str| {
            format!(r#"{{"Statement": {{"Effect": "Allow", "Principal": {principal}, "Action": "sts:AssumeRole"}}}}"#)
        };
        let text = format!(
            "[[user]]\nname = 'u'\naccount = '111111111111'\naccess_key_id = 'AKIAAAAAAAAAAAAAAAAA'\n\
             secret_access_key = '{}'\npolicy = '{identity}'\n\
             [[role]]\nname = 'T'\naccount = '{account}'\ntrust = '{}'\n\
             [[role]]\nname = 'Caller'\naccount = '111111111111'\ntrust = '{}'\npolicy = '{identity}'\n",
            "s".repeat(40),
            trust(principal),
            trust("\"*\""),
        );
        World::parse(&text, Path::new("test")).unwrap()
    }

    fn decide(world: &World, caller: &ApiCaller) -> bool {
        is_allowed(caller, &world.roles[0], "sts:AssumeRole", &ConditionKeys::default())
    }

    #[test]
    fn users_within_and_across_accounts() {
        let (same, other) = ("111111111111", "222222222222");
        let user = r#"{"AWS": "arn:aws:iam::111111111111:user/u"}"#;
        let account = r#"{"AWS": "111111111111"}"#;
        let root = r#"{"AWS": ["arn:aws:iam::111111111111:root"]}"#;
        let none = r#"{"Statement": []}"#;
        // The role's account, its trusted principal, the user's policy, allowed.
        for (role_account, principal, identity, expected) in [
            (same, user, none, true),
            (same, user, ALLOW, true),
            (same, user, DENY, false),
            (same, r#""*""#, none, true),
            (same, account, none, false),
            (same, account, ALLOW, true),
            (same, root, ALLOW, true),
            (same, root, OTHER, false),
            (same, r#"{"AWS": "arn:aws:iam::111111111111:user/U"}"#, ALLOW, false),
            (same, r#"{"AWS": "arn:aws:iam::222222222222:root"}"#, ALLOW, false),
            (same, r#"{"Service": "lambda.amazonaws.com"}"#, ALLOW, false),
            (same, r#"{"Federated": "idp"}"#, ALLOW, false),
            (other, user, none, false),
            (other, user, ALLOW, true),
            (other, account, ALLOW, true),
            (other, account, none, false),
            (other, r#""*""#, none, false),
        ] {
            let world = world(role_account, principal, identity);
            let owner = CredentialOwner::User { user: world.users[0].clone(), mfa_at: None };
            let caller = ApiCaller::new(owner, None);
            assert_eq!(decide(&world, &caller), expected, "{principal} in {role_account} with {identity}");
        }
    }

    #[test]
    fn role_sessions_and_session_policies() {
        let role = r#"{"AWS": "arn:aws:iam::111111111111:role/Caller"}"#;
        let session = r#"{"AWS": "arn:aws:sts::111111111111:assumed-role/Caller/s"}"#;
        let another = r#"{"AWS": "arn:aws:sts::111111111111:assumed-role/Caller/t"}"#;
        let account = r#"{"AWS": "111111111111"}"#;
        let none = r#"{"Statement": []}"#;
        // Trusted principal, the calling role's policy, the session policy, allowed.
        for (principal, identity, session_policy, expected) in [
            (role, none, None, true),
            (role, none, Some(ALLOW), true),
            (role, ALLOW, Some(OTHER), false),
            (role, ALLOW, Some(DENY), false),
            (session, none, None, true),
            (session, none, Some(OTHER), true),
            (session, none, Some(DENY), false),
            (another, ALLOW, None, false),
            (account, ALLOW, None, true),
            (account, none, None, false),
            (account, none, Some(ALLOW), false),
            (account, ALLOW, Some(OTHER), false),
        ] {
            let world = world("111111111111", principal, identity);
            let session = AssumedRoleSession {
                role: world.roles[1].clone(),
                arn: "arn:aws:sts::111111111111:assumed-role/Caller/s".into(),
                id: "AROA:s".into(),
                source_identity: None,
                tags: vec![],
                session_policies: session_policy
                    .map(|text| vec![PolicyDocument::parse(text, PolicyKind::Identity).unwrap()]),
                chained: false,
            };
            let caller = ApiCaller::new(CredentialOwner::Role(Arc::new(session)), Some(SystemTime::UNIX_EPOCH));
            assert_eq!(
                decide(&world, &caller),
                expected,
                "{principal} with {identity}, session policy {session_policy:?}"
            );
        }
    }
}
