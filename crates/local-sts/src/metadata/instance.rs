//! The EC2 instance metadata service, version 2 (IMDSv2) only.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use data_encoding::BASE64URL;
use serde_json::{Value, json};

use crate::crypto::random;
use crate::fixture::sources::Instance;
use crate::fixture::world::World;
use crate::policy::principal::ExternalPrincipal;
use crate::protocol::error::ApiError;
use crate::protocol::request::HttpRequest;
use crate::protocol::response::HttpResponse;
use crate::protocol::timestamp;
use crate::state::authorization;
use crate::state::context::RequestContext;
use crate::state::sessions::{AssumedRoleSession, CredentialOwner, IssuedCredentials};

const TOKEN: &str = "x-aws-ec2-metadata-token";
const TOKEN_TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
/// Lifetime of an instance's credentials.
const LIFETIME: Duration = Duration::from_secs(6 * 3600);

/// Answers a request below `/latest/`.
///
/// # Errors
/// 401 without a valid session token, 404 for an unknown path. For a token request: 403 if it was forwarded, 400 for a
/// wrong lifetime.
pub(crate) fn handle(
    world: &World,
    context: &mut RequestContext<'_>,
    instance: &Instance,
    request: &HttpRequest,
) -> Result<HttpResponse, ApiError> {
    if request.path == "/latest/api/token" {
        return token(context, request);
    }
    if request.method != "GET" {
        return Err(ApiError::new(405, "Method Not Allowed", "metadata are read with GET"));
    }
    let live = |token: &str| context.state.metadata.tokens.get(token).is_some_and(|expires| *expires > context.now);
    if !request.header(TOKEN).is_some_and(live) {
        return Err(ApiError::new(401, "Unauthorized", "a valid metadata token is needed"));
    }
    item(world, context, instance, &request.path)
}

/// Renders an error.
pub(crate) fn error_response(error: &ApiError) -> HttpResponse {
    HttpResponse::text_error(error)
}

fn token(context: &mut RequestContext<'_>, request: &HttpRequest) -> Result<HttpResponse, ApiError> {
    if request.method != "PUT" {
        return Err(ApiError::new(405, "Method Not Allowed", "a token is made with PUT"));
    }
    if request.header("x-forwarded-for").is_some() {
        return Err(ApiError::new(403, "Forbidden", "a forwarded request gets no token"));
    }
    let seconds = request.header(TOKEN_TTL).and_then(|text| text.parse::<u64>().ok());
    let Some(seconds) = seconds.filter(|seconds| (1..=21_600).contains(seconds)) else {
        return Err(ApiError::new(400, "Bad Request", format!("{TOKEN_TTL} must be 1 to 21600")));
    };
    let token = BASE64URL.encode(&random::bytes::<42>()?);
    let expires = context.expiry(Duration::from_secs(seconds));
    context.state.metadata.tokens.insert(token.clone(), expires);
    Ok(HttpResponse::text(token).header(TOKEN_TTL, seconds.to_string()))
}

fn item(
    world: &World,
    context: &mut RequestContext<'_>,
    instance: &Instance,
    path: &str,
) -> Result<HttpResponse, ApiError> {
    let name = &instance.role.name;
    let response = match path.strip_prefix("/latest/").unwrap_or_default().trim_end_matches('/') {
        "meta-data/iam/security-credentials" => HttpResponse::text(name),
        "meta-data/instance-id" => HttpResponse::text(&instance.id),
        "meta-data/placement/region" => HttpResponse::text(&instance.region),
        "meta-data/placement/availability-zone" => HttpResponse::text(format!("{}a", instance.region)),
        "dynamic/instance-identity/document" => HttpResponse::json(&document(instance)),
        other if other.strip_prefix("meta-data/iam/security-credentials/") == Some(name) => {
            HttpResponse { content_type: "text/plain", ..HttpResponse::json(&credentials(world, context, instance)?) }
        }
        _ => return Err(ApiError::new(404, "Not Found", "there is nothing at this path")),
    };
    Ok(response)
}

fn credentials(world: &World, context: &mut RequestContext<'_>, instance: &Instance) -> Result<Value, ApiError> {
    let now = timestamp::rfc3339(context.now);
    if !authorization::trusts(&instance.role, &ExternalPrincipal::service("ec2.amazonaws.com"), "sts:AssumeRole") {
        return Ok(json!({
            "Code": "AssumeRoleUnauthorizedAccess",
            "Message": format!("EC2 cannot assume the role {}.", instance.role.name),
            "LastUpdated": now,
        }));
    }
    let session = AssumedRoleSession::plain(&world.partition, &instance.role, &instance.id);
    let expires = context.expiry(LIFETIME);
    let (credentials, since) = context.state.metadata.instance.current(
        &mut context.state.sessions,
        CredentialOwner::Role(Arc::new(session)),
        context.now,
        expires,
    )?;
    Ok(exposed(credentials, since))
}

/// Renders credentials. This service exposes secrets nowhere else.
fn exposed(credentials: &IssuedCredentials, since: SystemTime) -> Value {
    json!({
        "Code": "Success",
        "LastUpdated": timestamp::rfc3339(since),
        "Type": "AWS-HMAC",
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret.expose(),
        "Token": credentials.token.expose(),
        "Expiration": timestamp::rfc3339(credentials.expires),
    })
}

fn document(instance: &Instance) -> Value {
    json!({
        "accountId": instance.role.account,
        "architecture": "x86_64",
        "availabilityZone": format!("{}a", instance.region),
        "imageId": "ami-0123456789abcdef0",
        "instanceId": instance.id,
        "instanceType": "t3.micro",
        "pendingTime": "2026-01-01T00:00:00Z",
        "privateIp": "10.0.0.10",
        "region": instance.region,
        "version": "2017-09-30",
    })
}
