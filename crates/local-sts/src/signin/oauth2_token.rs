//! CreateOAuth2Token of AWS Sign-In: exchanges a refresh token and a DPoP proof for credentials, for profiles with
//! `login_session`.
//!
//! The rules are those of the API reference. The README lists the guesses where it doesn't say.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::crypto::random;
use crate::fixture::console::{ConsoleIdentity, ConsoleSession};
use crate::fixture::world::World;
use crate::protocol::error::ApiError;
use crate::protocol::request::HttpRequest;
use crate::protocol::response::{self, HttpResponse, REQUEST_ID};
use crate::protocol::{dpop, timestamp};
use crate::state::authorization;
use crate::state::context::RequestContext;
use crate::state::sessions::{ApiCaller, AssumedRoleSession, CredentialOwner, IssuedCredentials};
use crate::state::signin::{EndReason, SigninClient};

/// `tokenType` in responses: the access token is a set of keys for SigV4, not a bearer token.
pub(crate) const TOKEN_TYPE: &str = "aws_sigv4";

/// CreateOAuth2Token's body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TokenRequest {
    client_id: String,
    grant_type: String,
    refresh_token: Option<String>,
}

/// Answers CreateOAuth2Token.
///
/// # Errors
/// `INVALID_REQUEST` for a wrong request, proof or token, `TOKEN_EXPIRED`, `USER_CREDENTIALS_CHANGED`,
/// `INSUFFICIENT_PERMISSIONS`.
pub(crate) fn handle(
    world: &World,
    sessions: &[ConsoleSession],
    context: &mut RequestContext<'_>,
    request: &HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let body = TokenRequest::read(request)?;
    context.record(|call| call.grant_type = Some(body.grant_type.clone()));
    let (client, token) = body.check()?;
    let proof = dpop::check(request, &mut context.state.signin.proofs, context.now).map_err(invalid)?;
    let unknown = || invalid("the refresh token is unknown");
    let index = context.state.signin.login_sessions.iter().position(|login| login.position(token).is_some());
    let index = index.ok_or_else(unknown)?;
    let (login, now) = (&context.state.signin.login_sessions[index], context.now);
    let session = sessions.iter().find(|session| session.login_session == login.arn).ok_or_else(unknown)?;
    if login.client != client {
        return Err(invalid("the refresh token is another client's"));
    }
    if login.thumbprint != proof.thumbprint {
        return Err(invalid("the proof's key isn't the one that the refresh token is bound to"));
    }
    login.check_live(now).map_err(ended)?;
    let (opened, session_expires) = (login.opened, login.expires);
    let earlier = login.earlier_exchange(token, &context.state.sessions, now);
    context.record(|call| call.login_session = Some(session.login_session.clone()));
    let caller = ApiCaller { owner: owner(world, session, opened), issued: Some(opened) };
    if !authorization::is_permitted(
        &caller,
        "signin:CreateOAuth2Token",
        &client.resource(&world.partition, session),
        now,
    ) {
        return Err(denied(403, "INSUFFICIENT_PERMISSIONS"));
    }
    if let Some((key, next)) = earlier.map_err(ended)? {
        let (credentials, _) = context.state.sessions.find(&key).ok_or_else(ApiError::internal)?;
        return Ok(response(credentials, &next, now));
    }
    let next = random::text()?;
    let expires = context.expiry(session.access_lifetime).min(session_expires);
    let credentials = context.state.sessions.issue(caller.owner, now, expires)?;
    context.state.signin.login_sessions[index].rotate(&credentials.access_key_id, &next);
    Ok(response(credentials, &next, now))
}

/// Returns the user or role session that the credentials of a login session belong to.
pub(crate) fn owner(world: &World, session: &ConsoleSession, opened: SystemTime) -> CredentialOwner {
    match &session.identity {
        ConsoleIdentity::User(user) => {
            CredentialOwner::User { user: Arc::clone(user), mfa_at: session.mfa.then_some(opened) }
        }
        ConsoleIdentity::Role(role, name) => {
            CredentialOwner::Role(Arc::new(AssumedRoleSession::plain(&world.partition, role, name)))
        }
    }
}

/// Renders credentials. AWS Sign-In exposes secrets nowhere else.
pub(crate) fn exposed(credentials: &IssuedCredentials) -> Value {
    json!({
        "accessKeyId": credentials.access_key_id,
        "secretAccessKey": credentials.secret.expose(),
        "sessionToken": credentials.token.expose(),
    })
}

/// Renders an error: the exception's name in a header, OAuth's code in the body.
pub(crate) fn error_response(error: &ApiError) -> HttpResponse {
    exception(error).header(REQUEST_ID, response::request_id())
}

fn exception(error: &ApiError) -> HttpResponse {
    let ApiError { status, code, message } = error;
    let (status, exception, error) = match code.as_str() {
        "TOKEN_EXPIRED" | "AUTHCODE_EXPIRED" | "USER_CREDENTIALS_CHANGED" | "INSUFFICIENT_PERMISSIONS" => {
            (*status, "AccessDeniedException", code.as_str())
        }
        "INVALID_REQUEST" => (*status, "ValidationException", code.as_str()),
        "Throttling" => (429, "TooManyRequestsError", "INVALID_REQUEST"),
        _ if *status >= 500 => (*status, "InternalServerException", "server_error"),
        other => (*status, other, "INVALID_REQUEST"),
    };
    let response = HttpResponse::json(&json!({"error": error, "message": message}));
    response.with_status(status).header("x-amzn-errortype", exception.to_owned())
}

impl TokenRequest {
    fn read(request: &HttpRequest) -> Result<Self, ApiError> {
        if request.method != "POST" || !request.query.is_empty() {
            return Err(invalid("only CreateOAuth2Token is played here: POST /v1/token without a query"));
        }
        let kind = request.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
        if kind.trim() != "application/json" {
            return Err(invalid("the body must be JSON, and Content-Type must say so"));
        }
        serde_json::from_slice(&request.body).map_err(|error| invalid(format!("the body can't be read: {error}")))
    }

    /// Returns the client and the refresh token.
    fn check(&self) -> Result<(SigninClient, &str), ApiError> {
        let mut clients = [SigninClient::SameDevice, SigninClient::CrossDevice].into_iter();
        let client = clients.find(|client| client.id() == self.client_id);
        let client = client.ok_or_else(|| invalid("clientId isn't one of AWS Sign-In's clients"))?;
        match (self.grant_type.as_str(), self.refresh_token.as_deref()) {
            ("refresh_token", Some(token)) if (1..=2048).contains(&token.len()) => Ok((client, token)),
            ("refresh_token", _) => Err(invalid("refreshToken must have 1 to 2048 characters")),
            ("authorization_code", _) => Err(invalid("authorization codes aren't played here")),
            _ => Err(invalid("grantType must be authorization_code or refresh_token")),
        }
    }
}

fn response(credentials: &IssuedCredentials, refresh_token: &str, now: SystemTime) -> HttpResponse {
    let left = credentials.expires.duration_since(timestamp::whole_seconds(now)).unwrap_or(Duration::ZERO);
    HttpResponse::json(&json!({
        "accessToken": exposed(credentials),
        "tokenType": TOKEN_TYPE,
        "expiresIn": left.as_secs(),
        "refreshToken": refresh_token,
    }))
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "INVALID_REQUEST", message)
}

fn ended(reason: EndReason) -> ApiError {
    match reason {
        EndReason::TokenExpired => denied(401, "TOKEN_EXPIRED"),
        EndReason::UserCredentialsChanged => denied(403, "USER_CREDENTIALS_CHANGED"),
    }
}

/// Creates an error for a session. AWS doesn't publish its messages, so all errors have this one. Clients must use the
/// code.
fn denied(status: u16, code: &str) -> ApiError {
    ApiError::new(status, code, "Access denied")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_and_their_codes() {
        for (status, code, expected) in [
            (401, "TOKEN_EXPIRED", (401, "AccessDeniedException", "TOKEN_EXPIRED")),
            (403, "INSUFFICIENT_PERMISSIONS", (403, "AccessDeniedException", "INSUFFICIENT_PERMISSIONS")),
            (400, "INVALID_REQUEST", (400, "ValidationException", "INVALID_REQUEST")),
            (400, "Throttling", (429, "TooManyRequestsError", "INVALID_REQUEST")),
            (503, "ServiceUnavailable", (503, "InternalServerException", "server_error")),
        ] {
            let response = exception(&ApiError::new(status, code, "m"));
            let (status, exception, error) = expected;
            assert_eq!(
                (response.status, &response.headers[..]),
                (status, &[("x-amzn-errortype", exception.to_owned())][..])
            );
            assert_eq!(response.body, json!({"error": error, "message": "m"}).to_string());
        }
    }

    #[test]
    fn requests_are_checked() {
        let same = SigninClient::SameDevice.id();
        for (client, grant, token, expected) in [
            (same, "refresh_token", Some("t".to_owned()), None),
            (SigninClient::CrossDevice.id(), "refresh_token", Some("t".repeat(2048)), None),
            ("arn:aws:signin:::devtools/other", "refresh_token", Some("t".to_owned()), Some("clientId")),
            (same, "refresh_token", Some("t".repeat(2049)), Some("refreshToken")),
            (same, "refresh_token", None, Some("refreshToken")),
            (same, "authorization_code", None, Some("codes")),
            (same, "password", Some("t".to_owned()), Some("grantType")),
        ] {
            let body = TokenRequest { client_id: client.into(), grant_type: grant.into(), refresh_token: token };
            let told = body.check().map(drop).map_err(|error| error.message);
            assert_eq!(told.is_ok(), expected.is_none(), "{told:?}");
            assert!(told.is_ok() || expected.is_some_and(|part| told.is_err_and(|told| told.contains(part))));
        }
    }
}
