//! The container credentials endpoint of the ECS agent and of the EKS Pod Identity agent.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::fixture::sources::Container;
use crate::fixture::world::World;
use crate::policy::principal::ExternalPrincipal;
use crate::protocol::error::ApiError;
use crate::protocol::request::HttpRequest;
use crate::protocol::response::HttpResponse;
use crate::protocol::timestamp;
use crate::state::authorization;
use crate::state::context::RequestContext;
use crate::state::sessions::{AssumedRoleSession, CredentialOwner, IssuedCredentials};

/// Lifetime of a task's credentials.
const LIFETIME: Duration = Duration::from_secs(6 * 3600);
/// Service principals of ECS and EKS. The role's trust policy must allow one of them.
const TRUSTED: [&str; 2] = ["ecs-tasks.amazonaws.com", "pods.eks.amazonaws.com"];

/// Answers a request for credentials.
///
/// # Errors
/// 401 without an `Authorization` header, 403 with a wrong one, 405 for a method other than GET, 500 if the role's
/// trust policy allows neither service.
pub(crate) fn handle(
    world: &World,
    context: &mut RequestContext<'_>,
    container: &Container,
    request: &HttpRequest,
) -> Result<HttpResponse, ApiError> {
    if request.method != "GET" {
        return Err(ApiError::new(405, "MethodNotAllowed", "credentials are read with GET"));
    }
    match request.header("authorization") {
        None => return Err(ApiError::new(401, "Unauthorized", "the request has no Authorization header")),
        Some(token) if token != container.token.expose() => {
            return Err(ApiError::new(403, "AccessDenied", "the authorization token is not this container's"));
        }
        Some(_) => {}
    }
    let trusted =
        |name: &&str| authorization::trusts(&container.role, &ExternalPrincipal::service(name), "sts:AssumeRole");
    if !TRUSTED.iter().any(trusted) {
        return Err(ApiError::new(500, "RoleNotAssumable", "the role's trust policy names no service of containers"));
    }
    let session = AssumedRoleSession::plain(&world.partition, &container.role, &container.session_name);
    let expires = context.expiry(LIFETIME);
    let (credentials, _) = context.state.metadata.container.current(
        &mut context.state.sessions,
        CredentialOwner::Role(Arc::new(session)),
        context.now,
        expires,
    )?;
    Ok(HttpResponse::json(&exposed(container, credentials)))
}

/// Renders an error.
pub(crate) fn error_response(error: &ApiError) -> HttpResponse {
    HttpResponse::json(&json!({"code": error.code, "message": error.message})).with_status(error.status)
}

/// Renders credentials. This service exposes secrets nowhere else.
fn exposed(container: &Container, credentials: &IssuedCredentials) -> Value {
    json!({
        "RoleArn": container.role.arn,
        "AccountId": container.role.account,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret.expose(),
        "Token": credentials.token.expose(),
        "Expiration": timestamp::rfc3339(credentials.expires),
    })
}
