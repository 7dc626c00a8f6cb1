//! AssumeRole.

use std::sync::Arc;
use std::time::Duration;

use crate::fixture::world::World;
use crate::policy::document::{PolicyDocument, PolicyError, PolicyKind};
use crate::policy::managed;
use crate::policy::principal::is_account;
use crate::protocol::constraints::{Constraints, DIGITS, EXTERNAL_ID, NAME, PRINTABLE, SERIAL, TAG};
use crate::protocol::error::ApiError;
use crate::protocol::query::QueryResponse;
use crate::protocol::request::Form;
use crate::state::authorization::{self, RequestAttributes};
use crate::state::context::RequestContext;
use crate::state::sessions::{ApiCaller, AssumedRoleSession, CredentialOwner, SessionTag};
use crate::sts::credentials;

/// Maximum duration of a session from role chaining.
const CHAINED_SECONDS: u32 = 3600;
/// Approximate size limit of policies and tags. AWS doesn't publish how it packs them.
pub(crate) const PACKED_BYTES: usize = 4096;

/// The parameters of a call, within their limits.
pub(crate) struct AssumeRoleRequest<'a> {
    pub(crate) role_arn: &'a str,
    pub(crate) session_name: &'a str,
    pub(crate) duration_seconds: u32,
    external_id: Option<&'a str>,
    serial: Option<&'a str>,
    code: Option<&'a str>,
    source_identity: Option<&'a str>,
    tags: Vec<SessionTag>,
    policy: Option<&'a str>,
    policy_arns: Vec<&'a str>,
}

/// Answers AssumeRole.
///
/// # Errors
/// In AWS's order: parameters out of their limits, a wrong MFA code, a missing permission, a duration beyond the limit
/// of the role or of role chaining, a packed size beyond its limit.
pub(crate) fn handle(
    world: &World,
    context: &mut RequestContext<'_>,
    caller: &ApiCaller,
    form: &Form,
) -> Result<QueryResponse, ApiError> {
    let request = AssumeRoleRequest::read(form)?;
    let session_policies = request.session_policies()?;
    let inherited = caller.owner.role_session();
    let tags = joined_tags(inherited.map_or(&[][..], |session| &session.tags), &request.tags)?;
    let session_identity = inherited.and_then(|session| session.source_identity.as_deref());
    let mfa_in_call = context.state.used_codes.redeem(caller, request.serial, request.code, context.now)?;

    let denied = |action: &str| ApiError::not_authorized(caller.owner.arn(), action, request.role_arn);
    if session_identity.is_some_and(|set| request.source_identity.is_some_and(|requested| requested != set)) {
        return Err(denied("sts:SetSourceIdentity"));
    }
    let source_identity = request.source_identity.or(session_identity);
    let role = world.role(request.role_arn).ok_or_else(|| denied("sts:AssumeRole"))?;
    let attributes = RequestAttributes {
        session_name: request.session_name,
        external_id: request.external_id,
        source_identity,
        tags: &request.tags,
        mfa_in_call,
        now: context.now,
    };
    let condition_keys = authorization::condition_keys(caller, &attributes);
    let needed = [
        ("sts:AssumeRole", true),
        ("sts:TagSession", !tags.is_empty()),
        ("sts:SetSourceIdentity", source_identity.is_some()),
    ];
    for (action, _) in needed.into_iter().filter(|(_, needed)| *needed) {
        if !authorization::is_allowed(caller, role, action, &condition_keys) {
            return Err(denied(action));
        }
    }
    if caller.is_temporary() && request.duration_seconds > CHAINED_SECONDS {
        return Err(ApiError::validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        ));
    }
    if request.duration_seconds > role.max_session_duration_seconds {
        return Err(ApiError::validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    let packed_percent = request.packed_percent(&tags)?.map(|percent| percent.to_string());

    let session = AssumedRoleSession {
        source_identity: source_identity.map(str::to_owned),
        tags,
        session_policies,
        chained: caller.is_temporary(),
        ..AssumedRoleSession::plain(&world.partition, role, request.session_name)
    };
    let user = QueryResponse::default().element("AssumedRoleId", &session.id).element("Arn", &session.arn);
    let expires = context.expiry(Duration::from_secs(request.duration_seconds.into()));
    let issued = context.state.sessions.issue(CredentialOwner::Role(Arc::new(session)), context.now, expires)?;
    Ok(credentials::element(issued)
        .group("AssumedRoleUser", &user)
        .optional("PackedPolicySize", packed_percent.as_deref())
        .optional("SessionTokenUtilization", packed_percent.as_deref())
        .optional("SourceIdentity", source_identity))
}

impl<'a> AssumeRoleRequest<'a> {
    /// Parses the parameters. Those of AssumeRoleWithWebIdentity are a subset.
    ///
    /// # Errors
    /// `ValidationError` for parameters out of their limits.
    pub(crate) fn read(form: &'a Form) -> Result<Self, ApiError> {
        let mut rules = Constraints::default();
        let role_arn = rules.required("roleArn", form.value("RoleArn"));
        let session_name = rules.required("roleSessionName", form.value("RoleSessionName"));
        let present = |name: &str| form.value(name);
        rules.text("roleArn", present("RoleArn"), 20..=2048, PRINTABLE);
        rules.text("roleSessionName", present("RoleSessionName"), 2..=64, NAME);
        rules.text("externalId", present("ExternalId"), 2..=1224, EXTERNAL_ID);
        rules.text("serialNumber", present("SerialNumber"), 9..=256, SERIAL);
        rules.text("tokenCode", present("TokenCode"), 6..=6, DIGITS);
        rules.text("sourceIdentity", present("SourceIdentity"), 2..=256, NAME);
        rules.text("policy", present("Policy"), 1..=2048, PRINTABLE);
        let duration_seconds = rules.number("durationSeconds", present("DurationSeconds"), 900..=43200)?;

        let keys = form.list("Tags", "Key");
        let values = form.list("Tags", "Value");
        let transitive: Vec<&str> = form.list("TransitiveTagKeys", "").into_iter().flatten().collect();
        let policy_arns: Vec<&str> = form.list("PolicyArns", "arn").into_iter().flatten().collect();
        rules.count("tags", &keys, 50);
        rules.count("transitiveTagKeys", &transitive, 50);
        rules.count("policyArns", &policy_arns, 10);
        for (index, (key, value)) in keys.iter().zip(&values).enumerate() {
            rules.required(&format!("tags.{}.member.key", index + 1), *key);
            rules.required(&format!("tags.{}.member.value", index + 1), *value);
            rules.text(&format!("tags.{}.member.key", index + 1), *key, 1..=128, TAG);
            rules.text(&format!("tags.{}.member.value", index + 1), *value, 0..=256, TAG);
        }
        for (index, arn) in policy_arns.iter().enumerate() {
            rules.text(&format!("policyArns.{}.member.arn", index + 1), Some(*arn), 20..=2048, PRINTABLE);
        }
        rules.finish()?;

        if !is_role_arn(role_arn) {
            return Err(ApiError::validation(format!("{role_arn} is invalid")));
        }
        let characters = |text: &str| text.chars().count();
        let policy = present("Policy");
        let policy_length: usize = policy.into_iter().chain(policy_arns.iter().copied()).map(characters).sum();
        if policy_length > 2048 {
            return Err(ApiError::validation("The policy and the policy ARNs together exceed 2048 characters"));
        }
        Ok(Self {
            role_arn,
            session_name,
            duration_seconds: duration_seconds.unwrap_or(3600),
            external_id: present("ExternalId"),
            serial: present("SerialNumber"),
            code: present("TokenCode"),
            source_identity: present("SourceIdentity"),
            tags: tags(&keys, &values, &transitive)?,
            policy,
            policy_arns,
        })
    }

    /// Returns the session policies. A managed policy that this server doesn't know allows nothing.
    pub(crate) fn session_policies(&self) -> Result<Option<Vec<PolicyDocument>>, ApiError> {
        let inline = self.policy.map(session_policy).transpose()?;
        Ok(match inline {
            None if self.policy_arns.is_empty() => None,
            inline => {
                Some(inline.into_iter().chain(self.policy_arns.iter().copied().filter_map(managed::document)).collect())
            }
        })
    }

    /// Returns the percentage of the allotted space that policies and tags use, or `None` if there are none.
    pub(crate) fn packed_percent(&self, tags: &[SessionTag]) -> Result<Option<usize>, ApiError> {
        let policy: usize =
            self.policy.map_or(0, str::len) + self.policy_arns.iter().map(|arn| arn.len()).sum::<usize>();
        let tagged: usize = tags.iter().map(|tag| tag.key.len() + tag.value.len() + 2).sum();
        if policy + tagged == 0 {
            return Ok(None);
        }
        let percent = (100 * (policy + tagged)).div_ceil(PACKED_BYTES);
        if percent > 100 {
            let what = if tagged > 0 { "session tags" } else { "session policy" };
            return Err(ApiError::new(
                400,
                "PackedPolicyTooLarge",
                format!("Packed size of {what} consumes {percent}% of allotted space."),
            ));
        }
        Ok(Some(percent))
    }
}

/// Parses an inline session policy.
///
/// # Errors
/// `MalformedPolicyDocument`.
pub(crate) fn session_policy(text: &str) -> Result<PolicyDocument, ApiError> {
    PolicyDocument::parse(text, PolicyKind::Identity).map_err(|error| {
        let message = match error {
            PolicyError::Json(_) => "This policy contains invalid Json".to_owned(),
            PolicyError::Shape(_) => "Syntax errors in policy.".to_owned(),
            other => other.to_string(),
        };
        ApiError::new(400, "MalformedPolicyDocument", message)
    })
}

fn tags(keys: &[Option<&str>], values: &[Option<&str>], transitive: &[&str]) -> Result<Vec<SessionTag>, ApiError> {
    let mut tags: Vec<SessionTag> = Vec::new();
    for (key, value) in keys.iter().zip(values) {
        let (key, value) = (key.unwrap_or_default(), value.unwrap_or_default());
        if tags.iter().any(|tag| same_key(&tag.key, key)) {
            let message = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
            return Err(ApiError::new(400, "InvalidParameterValue", message));
        }
        let transitive = transitive.iter().any(|name| same_key(name, key));
        tags.push(SessionTag { key: key.to_owned(), value: value.to_owned(), transitive });
    }
    if transitive.iter().any(|name| !tags.iter().any(|tag| same_key(&tag.key, name))) {
        return Err(ApiError::validation("The specified transitive tag key must be included in the requested tags."));
    }
    Ok(tags)
}

/// Returns the tags of the new session: the caller's transitive tags, which can't be changed, and the requested ones.
fn joined_tags(inherited: &[SessionTag], requested: &[SessionTag]) -> Result<Vec<SessionTag>, ApiError> {
    let mut joined: Vec<SessionTag> = inherited.iter().filter(|tag| tag.transitive).cloned().collect();
    if requested.iter().any(|tag| joined.iter().any(|other| same_key(&other.key, &tag.key))) {
        return Err(ApiError::validation(
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key \
             from the calling session.",
        ));
    }
    joined.extend_from_slice(requested);
    Ok(joined)
}

fn same_key(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn is_role_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts[..] else {
        return false;
    };
    partition.starts_with("aws")
        && is_account(account)
        && resource.strip_prefix("role/").is_some_and(|name| !name.is_empty() && !name.ends_with('/'))
}
