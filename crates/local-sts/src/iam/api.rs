//! The API of IAM: the actions that rotate keys and revoke sessions, and how it renders errors.

use std::sync::Arc;

use crate::fixture::user::User;
use crate::fixture::world::World;
use crate::policy::document::{PolicyDocument, PolicyError, PolicyKind, PolicyVerdict};
use crate::protocol::constraints::{Constraints, KEY_ID, NAME, POLICY};
use crate::protocol::error::ApiError;
use crate::protocol::query::{self, QueryResponse};
use crate::protocol::request::{Form, HttpRequest};
use crate::protocol::response::HttpResponse;
use crate::protocol::timestamp;
use crate::state::authentication::authenticate;
use crate::state::authorization;
use crate::state::context::RequestContext;
use crate::state::sessions::{ApiCaller, CredentialOwner};

/// IAM's version of the query protocol. It tells calls to IAM from calls to STS.
pub(crate) const VERSION: &str = "2010-05-08";

const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
const ACTIONS: [&str; 6] =
    ["CreateAccessKey", "ListAccessKeys", "UpdateAccessKey", "DeleteAccessKey", "PutRolePolicy", "PutUserPolicy"];

/// Answers a call to IAM.
///
/// # Errors
/// Fails for an unknown action, an invalid signature, a user's session without MFA, a parameter out of its limits, a
/// missing permission, and an entity that doesn't exist.
pub(crate) fn handle(
    world: &World,
    context: &mut RequestContext<'_>,
    action: &str,
    request: &HttpRequest,
    form: &Form,
) -> Result<HttpResponse, ApiError> {
    query::check_call(request, form, action, &ACTIONS, VERSION)?;
    let caller = &authenticate(context, request, "iam")?;
    // "You cannot call any IAM API operations unless MFA authentication information is included in the request"
    // (GetSessionToken, API reference).
    if matches!(caller.owner, CredentialOwner::User { mfa_at: None, .. }) && caller.is_temporary() {
        return Err(ApiError::invalid_client_token());
    }
    let response = match action {
        "PutRolePolicy" => put_role_policy(world, context, caller, form)?,
        "PutUserPolicy" => put_user_policy(world, context, caller, form)?,
        _ => access_key(world, context, caller, action, form)?,
    };
    Ok(response.render(NAMESPACE, action))
}

/// Renders an error.
pub(crate) fn error_response(error: &ApiError) -> HttpResponse {
    query::error_response(NAMESPACE, error)
}

fn access_key(
    world: &World,
    context: &mut RequestContext<'_>,
    caller: &ApiCaller,
    action: &str,
    form: &Form,
) -> Result<QueryResponse, ApiError> {
    let mut rules = Constraints::default();
    let (name, id) = (form.value("UserName"), form.value("AccessKeyId"));
    rules.text("userName", name, 1..=128, NAME);
    if matches!(action, "UpdateAccessKey" | "DeleteAccessKey") {
        rules.required("accessKeyId", id);
        rules.text("accessKeyId", id, 16..=128, KEY_ID);
    }
    if action == "UpdateAccessKey" {
        let status = rules.required("status", form.value("Status"));
        rules.one_of("status", status, &["Active", "Expired", "Inactive"]);
    }
    rules.finish()?;
    let user = find_user(world, caller, name)?;
    check_permitted(context, caller, action, &user.arn, &format!("user {}", user.name))?;
    let (id, keys) = (id.unwrap_or_default(), &mut context.state.access_keys);
    Ok(match action {
        "CreateAccessKey" => {
            let key = keys.create(&user, context.now, context.key_delay)?;
            let inner = QueryResponse::default()
                .element("UserName", &user.name)
                .element("AccessKeyId", &key.id)
                .element("Status", "Active")
                .element("SecretAccessKey", key.secret.expose())
                .element("CreateDate", &timestamp::rfc3339(key.created));
            QueryResponse::default().group("AccessKey", &inner)
        }
        "ListAccessKeys" => {
            let members = keys.of_user(&user).fold(QueryResponse::default(), |list, key| {
                let member = QueryResponse::default()
                    .element("UserName", &user.name)
                    .element("AccessKeyId", &key.id)
                    .element("Status", if key.active { "Active" } else { "Inactive" })
                    .element("CreateDate", &timestamp::rfc3339(key.created));
                list.group("member", &member)
            });
            QueryResponse::default().group("AccessKeyMetadata", &members).element("IsTruncated", "false")
        }
        "UpdateAccessKey" => {
            keys.set_active(&user, id, form.value("Status") == Some("Active"))?;
            QueryResponse::default()
        }
        _ => {
            keys.delete(&user, id)?;
            QueryResponse::default()
        }
    })
}

fn put_role_policy(
    world: &World,
    context: &RequestContext<'_>,
    caller: &ApiCaller,
    form: &Form,
) -> Result<QueryResponse, ApiError> {
    let (name, policy_name, document) = inline_policy(form, "roleName", "RoleName", 64)?;
    let account = caller.owner.account();
    let role = world.roles.iter().find(|role| role.account == account && role.name.eq_ignore_ascii_case(name));
    let arn = role.map_or_else(|| format!("arn:{}:iam::{account}:role/{name}", world.partition), |r| r.arn.clone());
    check_permitted(context, caller, "PutRolePolicy", &arn, &format!("role {name}"))?;
    let role =
        role.ok_or_else(|| ApiError::new(404, "NoSuchEntity", format!("The role with name {name} cannot be found.")))?;
    let path = role.arn.split_once(":role").map_or("", |(_, path)| path);
    if path.starts_with("/aws-reserved/") || path.starts_with("/aws-service-role/") {
        let message = format!(
            "Cannot perform the operation on the protected role '{}' - this role is only modifiable by AWS",
            role.name
        );
        return Err(ApiError::new(400, "UnmodifiableEntity", message));
    }
    role.inline.put(policy_name, document);
    Ok(QueryResponse::default())
}

fn put_user_policy(
    world: &World,
    context: &RequestContext<'_>,
    caller: &ApiCaller,
    form: &Form,
) -> Result<QueryResponse, ApiError> {
    let (name, policy_name, document) = inline_policy(form, "userName", "UserName", 128)?;
    let account = caller.owner.account();
    let arn = format!("arn:{}:iam::{account}:user/{name}", world.partition);
    check_permitted(context, caller, "PutUserPolicy", &arn, &format!("user {name}"))?;
    find_user(world, caller, Some(name))?.inline.put(policy_name, document);
    Ok(QueryResponse::default())
}

/// Parses the parameters of PutRolePolicy or PutUserPolicy.
fn inline_policy<'a>(
    form: &'a Form,
    field: &str,
    parameter: &str,
    longest: usize,
) -> Result<(&'a str, &'a str, PolicyDocument), ApiError> {
    let mut rules = Constraints::default();
    let name = rules.required(field, form.value(parameter));
    let policy_name = rules.required("policyName", form.value("PolicyName"));
    let document = rules.required("policyDocument", form.value("PolicyDocument"));
    rules.text(field, form.value(parameter), 1..=longest, NAME);
    rules.text("policyName", form.value("PolicyName"), 1..=128, NAME);
    rules.text("policyDocument", form.value("PolicyDocument"), 1..=131_072, POLICY);
    rules.finish()?;
    let policy = PolicyDocument::parse(document, PolicyKind::Identity).map_err(|error| {
        let message = match error {
            PolicyError::Json(_) | PolicyError::Shape(_) => "Syntax errors in policy.".to_owned(),
            other => other.to_string(),
        };
        ApiError::new(400, "MalformedPolicyDocument", message)
    })?;
    Ok((name, policy_name, policy))
}

/// Returns the user with this name, by default the caller.
fn find_user(world: &World, caller: &ApiCaller, name: Option<&str>) -> Result<Arc<User>, ApiError> {
    match (name, &caller.owner) {
        (Some(name), owner) => {
            let mut users = world.users.iter().filter(|user| user.account == owner.account());
            let found = users.find(|user| user.name.eq_ignore_ascii_case(name)).cloned();
            found.ok_or_else(|| {
                ApiError::new(404, "NoSuchEntity", format!("The user with name {name} cannot be found."))
            })
        }
        (None, CredentialOwner::User { user, .. }) => Ok(Arc::clone(user)),
        (None, CredentialOwner::Role(_)) => {
            Err(ApiError::validation("Must specify userName when calling with non-User credentials"))
        }
    }
}

fn check_permitted(
    context: &RequestContext<'_>,
    caller: &ApiCaller,
    action: &str,
    arn: &str,
    shown: &str,
) -> Result<(), ApiError> {
    let action = format!("iam:{action}");
    let why = match authorization::evaluate_own(caller, &action, arn, context.now) {
        PolicyVerdict::Allow(_) => return Ok(()),
        PolicyVerdict::NoMatch => format!("because no identity-based policy allows the {action} action"),
        PolicyVerdict::Deny => "with an explicit deny in an identity-based policy".to_owned(),
    };
    let who = caller.owner.arn();
    Err(ApiError::access_denied(format!(
        "User: {who} is not authorized to perform: {action} on resource: {shown} {why}"
    )))
}
