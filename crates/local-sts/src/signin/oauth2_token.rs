//! CreateOAuth2Token of AWS Sign-In: exchanges an authorization code or a refresh token, and a DPoP proof, for
//! credentials, for profiles with `login_session`.
//!
//! The rules are those of the API reference. The README lists the guesses where it doesn't say.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::crypto::jwt::JwtSigner;
use crate::crypto::{pkce, random};
use crate::fixture::console::{ConsoleIdentity, ConsoleSession};
use crate::fixture::world::World;
use crate::protocol::error::ApiError;
use crate::protocol::request::HttpRequest;
use crate::protocol::response::{self, HttpResponse, REQUEST_ID};
use crate::protocol::{dpop, timestamp};
use crate::state::authorization;
use crate::state::context::RequestContext;
use crate::state::sessions::{ApiCaller, AssumedRoleSession, CredentialOwner, IssuedCredentials};
use crate::state::signin::{EndReason, SigninClient, SigninCode};

/// `tokenType` in responses: the access token is a set of keys for SigV4, not a bearer token.
pub(crate) const TOKEN_TYPE: &str = "aws_sigv4";

/// CreateOAuth2Token's body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TokenRequest {
    client_id: String,
    grant_type: String,
    refresh_token: Option<String>,
    code: Option<String>,
    code_verifier: Option<String>,
    redirect_uri: Option<String>,
}

/// What a client exchanges.
enum Grant<'r> {
    RefreshToken(&'r str),
    Code { code: &'r str, verifier: &'r str, redirect_uri: &'r str },
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
    let (client, grant) = body.check()?;
    let proof = dpop::check(request, &mut context.state.signin.proofs, context.now).map_err(invalid)?;
    let token = match grant {
        Grant::RefreshToken(token) => token,
        Grant::Code { code, verifier, redirect_uri } => {
            // A code works once, even if the rest of the request is wrong (RFC 6749, section 4.1.2).
            let issued =
                context.state.signin.codes.remove(code).ok_or_else(|| invalid("the code is unknown or used"))?;
            if issued.client != client || issued.redirect_uri != redirect_uri {
                return Err(invalid("the code belongs to another client or redirectUri"));
            }
            if !pkce::proves(verifier, &issued.challenge) {
                return Err(invalid("codeVerifier doesn't prove the code_challenge"));
            }
            if issued.expires <= context.now {
                return Err(denied(401, "AUTHCODE_EXPIRED"));
            }
            return open(world, sessions, context, &issued, proof.thumbprint);
        }
    };
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
    let caller = ApiCaller::new(owner(world, session, opened), Some(opened));
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

/// Opens a login session with an authorization code.
fn open(
    world: &World,
    sessions: &[ConsoleSession],
    context: &mut RequestContext<'_>,
    issued: &SigninCode,
    thumbprint: String,
) -> Result<HttpResponse, ApiError> {
    let (client, now) = (issued.client, context.now);
    let session = sessions.iter().find(|session| session.login_session == issued.login_session);
    let session = session.ok_or_else(|| invalid("the code is unknown or used"))?;
    context.record(|call| call.login_session = Some(session.login_session.clone()));
    let caller = ApiCaller::new(owner(world, session, now), Some(now));
    let resource = client.resource(&world.partition, session);
    if !authorization::is_permitted(&caller, "signin:CreateOAuth2Token", &resource, now) {
        return Err(denied(403, "INSUFFICIENT_PERMISSIONS"));
    }
    let expires = context.expiry(session.access_lifetime);
    let refresh_token = context.state.signin.open(session, client, thumbprint, now)?;
    let id_token = id_token(session, client, now).ok_or_else(ApiError::internal)?;
    let credentials = context.state.sessions.issue(caller.owner, now, expires)?;
    let mut body = body(credentials, &refresh_token, now);
    body["idToken"] = id_token.into();
    Ok(HttpResponse::json(&body))
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

/// Returns an ID token with a key of its own: clients store it without verifying it.
pub(crate) fn id_token(session: &ConsoleSession, client: SigninClient, now: SystemTime) -> Option<String> {
    let now = timestamp::unix_seconds(now);
    let claims = json!({
        "iss": "https://signin.aws.amazon.com/signin", "sub": session.login_session, "aud": client.id(),
        "iat": now, "exp": now + session.session_lifetime.as_secs(),
    });
    JwtSigner::new()?.sign("local", claims.as_object()?)
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

    /// Returns the client and what it exchanges.
    fn check(&self) -> Result<(SigninClient, Grant<'_>), ApiError> {
        let client = SigninClient::with_id(&self.client_id);
        let client = client.ok_or_else(|| invalid("clientId isn't one of AWS Sign-In's clients"))?;
        let of_code = (self.code.as_deref(), self.code_verifier.as_deref(), self.redirect_uri.as_deref());
        match (self.grant_type.as_str(), self.refresh_token.as_deref(), of_code) {
            ("refresh_token", Some(token), (None, None, None)) if (1..=2048).contains(&token.len()) => {
                Ok((client, Grant::RefreshToken(token)))
            }
            ("refresh_token", ..) => Err(invalid("only refreshToken is allowed, with 1 to 2048 characters")),
            ("authorization_code", None, (Some(code), Some(verifier), Some(redirect_uri))) => {
                Ok((client, Grant::Code { code, verifier, redirect_uri }))
            }
            ("authorization_code", ..) => {
                Err(invalid("only code, codeVerifier and redirectUri are allowed, and required"))
            }
            _ => Err(invalid("grantType must be authorization_code or refresh_token")),
        }
    }
}

fn response(credentials: &IssuedCredentials, refresh_token: &str, now: SystemTime) -> HttpResponse {
    HttpResponse::json(&body(credentials, refresh_token, now))
}

fn body(credentials: &IssuedCredentials, refresh_token: &str, now: SystemTime) -> Value {
    let left = credentials.expires.duration_since(timestamp::whole_seconds(now)).unwrap_or(Duration::ZERO);
    json!({
        "accessToken": exposed(credentials),
        "tokenType": TOKEN_TYPE,
        "expiresIn": left.as_secs(),
        "refreshToken": refresh_token,
    })
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
            (same, "authorization_code", None, Some("codeVerifier")),
            (same, "password", Some("t".to_owned()), Some("grantType")),
        ] {
            let body = TokenRequest {
                client_id: client.into(),
                grant_type: grant.into(),
                refresh_token: token,
                code: None,
                code_verifier: None,
                redirect_uri: None,
            };
            let told = body.check().map(drop).map_err(|error| error.message);
            assert_eq!(told.is_ok(), expected.is_none(), "{told:?}");
            assert!(told.is_ok() || expected.is_some_and(|part| told.is_err_and(|told| told.contains(part))));
        }
    }
}
