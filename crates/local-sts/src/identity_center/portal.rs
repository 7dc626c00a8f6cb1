//! The API of the IAM Identity Center portal (`sso`): accounts, roles and credentials of the signed-in user.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::fixture::identity_center::{Assignment, IdentityCenterInstance};
use crate::fixture::world::World;
use crate::protocol::error::ApiError;
use crate::protocol::request::HttpRequest;
use crate::protocol::response::{self, HttpResponse, REQUEST_ID};
use crate::protocol::timestamp;
use crate::state::context::RequestContext;
use crate::state::sessions::{AssumedRoleSession, CredentialOwner, IssuedCredentials};

const BEARER: &str = "x-amz-sso_bearer_token";
const PAGE_LENGTHS: std::ops::RangeInclusive<usize> = 1..=100;

/// Answers an action of the portal.
///
/// # Errors
/// `UnauthorizedException` without a valid access token, `ForbiddenException` for an account or role that isn't
/// assigned, `InvalidRequestException` for parameters that are missing or wrong.
pub(crate) fn handle(
    world: &World,
    center: &IdentityCenterInstance,
    context: &mut RequestContext<'_>,
    action: &str,
    request: &HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let method = if action == "Logout" { "POST" } else { "GET" };
    if request.method != method {
        return Err(ApiError::new(405, "InvalidRequestException", format!("This action requires {method}")));
    }
    let token = request.header(BEARER).unwrap_or_default();
    let Some(session) = context.state.identity_center.session_of_token(token, context.now) else {
        return Err(ApiError::new(401, "UnauthorizedException", "Session token not found or invalid"));
    };
    let user = session.user.clone();
    let here = |one: &&Assignment| one.user == session.user && one.start_url == session.start_url;
    let mine: Vec<&Assignment> = center.assignments.iter().filter(here).collect();
    context.record(|call| call.sso_user = Some(user));
    match action {
        "Logout" => {
            context.state.identity_center.end_session(token);
            Ok(HttpResponse::text(""))
        }
        "ListAccounts" => accounts(&mine, request),
        "ListAccountRoles" => roles(&mine, request),
        _ => credentials(world, context, &mine, request),
    }
}

/// Renders an error.
pub(crate) fn error_response(error: &ApiError) -> HttpResponse {
    HttpResponse::json(&json!({"message": error.message, "__type": error.code}))
        .with_status(error.status)
        .header("x-amzn-errortype", error.code.clone())
        .header(REQUEST_ID, response::request_id())
}

/// Returns the portal's exception if a fault throttles the call with the exception of STS. Other errors are unchanged.
pub(crate) fn throttled(error: ApiError) -> ApiError {
    match error.code.as_str() {
        "Throttling" => ApiError::new(429, "TooManyRequestsException", "HTTP 429 Unknown Code"),
        _ => error,
    }
}

fn accounts(mine: &[&Assignment], request: &HttpRequest) -> Result<HttpResponse, ApiError> {
    let mut accounts: Vec<(&str, &str)> = Vec::new();
    for one in mine {
        if !accounts.iter().any(|(id, _)| *id == one.role.account) {
            accounts.push((&one.role.account, &one.account_name));
        }
    }
    let item = |(id, name): &(&str, &str)| {
        let email = format!("{name}@example.com");
        json!({"accountId": id, "accountName": name, "emailAddress": email})
    };
    listed("accountList", accounts.iter().map(item).collect(), request)
}

fn roles(mine: &[&Assignment], request: &HttpRequest) -> Result<HttpResponse, ApiError> {
    let account = required(request, "account_id")?;
    let here: Vec<&&Assignment> = mine.iter().filter(|one| one.role.account == account).collect();
    if here.is_empty() {
        return Err(forbidden());
    }
    let item = |one: &&Assignment| json!({"roleName": one.role_name, "accountId": account});
    listed("roleList", here.into_iter().map(item).collect(), request)
}

fn credentials(
    world: &World,
    context: &mut RequestContext<'_>,
    mine: &[&Assignment],
    request: &HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (account, role) = (required(request, "account_id")?, required(request, "role_name")?);
    let found = mine.iter().find(|one| one.role.account == account && one.role_name == role).ok_or_else(forbidden)?;
    context.record(|call| call.role_arn = Some(found.role.arn.clone()));
    let session = AssumedRoleSession::plain(&world.partition, &found.role, &found.user);
    let expires = context.expiry(found.session_lifetime);
    let credentials = context.state.sessions.issue(CredentialOwner::Role(Arc::new(session)), context.now, expires)?;
    Ok(HttpResponse::json(&json!({"roleCredentials": exposed(credentials)})))
}

/// Renders credentials, with the expiration in milliseconds. The portal exposes secrets nowhere else.
fn exposed(credentials: &IssuedCredentials) -> Value {
    json!({
        "accessKeyId": credentials.access_key_id,
        "secretAccessKey": credentials.secret.expose(),
        "sessionToken": credentials.token.expose(),
        "expiration": timestamp::unix_seconds(credentials.expires) * 1000,
    })
}

/// Renders one page of a list. The next page's token is its first index.
fn listed(name: &str, items: Vec<Value>, request: &HttpRequest) -> Result<HttpResponse, ApiError> {
    let number = |name: &str, default: usize| match request.query_value(name) {
        Some(text) => text.parse().map_err(|_| invalid(name)),
        None => Ok(default),
    };
    let (start, length) = (number("next_token", 0)?, number("max_result", *PAGE_LENGTHS.end())?);
    if !PAGE_LENGTHS.contains(&length) {
        return Err(invalid("max_result"));
    }
    let next = start.saturating_add(length);
    let more = (next < items.len()).then(|| next.to_string());
    let page: Vec<Value> = items.into_iter().skip(start).take(length).collect();
    Ok(HttpResponse::json(&json!({name: page, "nextToken": more})))
}

fn required(request: &HttpRequest, name: &str) -> Result<String, ApiError> {
    request.query_value(name).filter(|value| !value.is_empty()).ok_or_else(|| invalid(name))
}

fn invalid(name: &str) -> ApiError {
    ApiError::new(400, "InvalidRequestException", format!("{name} is missing or wrong"))
}

fn forbidden() -> ApiError {
    ApiError::new(403, "ForbiddenException", "No access")
}
