//! The federation endpoint: signs a role session in to the console ("Enable custom identity broker access to the AWS
//! console", IAM User Guide).

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::json;

use crate::crypto::random;
use crate::protocol::error::ApiError;
use crate::protocol::request::HttpRequest;
use crate::protocol::response::HttpResponse;
use crate::state::context::RequestContext;
use crate::state::sessions::CredentialOwner;

/// Lifetime of a sign-in token.
const LIFETIME: Duration = Duration::from_secs(900);
/// Hosts of the console, by partition.
const CONSOLES: [(&str, &str); 3] = [
    ("aws", "console.aws.amazon.com"),
    ("aws-us-gov", "console.amazonaws-us-gov.com"),
    ("aws-cn", "console.amazonaws.cn"),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SessionCredentials {
    session_id: String,
    session_key: String,
    session_token: String,
}

/// Returns the action of a request, as the call log names it.
pub(crate) fn action(request: &HttpRequest) -> &'static str {
    match request.form().ok().as_ref().and_then(|form| form.value("Action")) {
        Some("getSigninToken") => "GetSigninToken",
        Some("login") => "ConsoleSignIn",
        _ => "Federation",
    }
}

/// Answers a request for a sign-in token, or a sign-in with one.
///
/// # Errors
/// Fails for:
///
/// - another method or action,
/// - a session that is unknown, expired or a user's,
/// - a duration together with a session from role chaining,
/// - an unknown or expired sign-in token,
/// - a destination outside the console.
pub(crate) fn handle(
    partition: &str,
    context: &mut RequestContext<'_>,
    action: &str,
    request: &HttpRequest,
) -> Result<HttpResponse, ApiError> {
    match (action, request.method.as_str()) {
        // AWS accepts GET, too, but then the session's keys are written to access logs.
        ("GetSigninToken", "POST") => token(context, request),
        ("ConsoleSignIn", "GET") => sign_in(partition, context, request),
        ("Federation", _) => Err(ApiError::new(400, "InvalidAction", "Action is getSigninToken or login")),
        _ => Err(ApiError::new(405, "MethodNotAllowed", "a sign-in token is asked for with POST, and used with GET")),
    }
}

/// Renders an error.
pub(crate) fn error_response(error: &ApiError) -> HttpResponse {
    HttpResponse::text_error(error)
}

fn token(context: &mut RequestContext<'_>, request: &HttpRequest) -> Result<HttpResponse, ApiError> {
    let error = |what: &str| ApiError::new(400, "InvalidSession", what);
    let form = request.form()?;
    let session = form.value("Session").and_then(|text| serde_json::from_str::<SessionCredentials>(text).ok());
    let session = session.ok_or_else(|| error("Session holds no sessionId, sessionKey and sessionToken"))?;
    let found = context.state.sessions.find(&session.session_id);
    let known = found.filter(|(credentials, _)| {
        *credentials.secret.expose() == session.session_key && *credentials.token.expose() == session.session_token
    });
    let (credentials, owner) = known.ok_or_else(|| error("no such session"))?;
    if credentials.expires <= context.now {
        return Err(error("the session is over"));
    }
    let CredentialOwner::Role(role) = owner.clone() else {
        return Err(error("GetSessionToken's credentials can't be federated"));
    };
    if let Some(text) = form.value("SessionDuration") {
        if !text.parse::<u32>().is_ok_and(|seconds| (900..=43_200).contains(&seconds)) {
            return Err(error("SessionDuration is not within 900 and 43200"));
        }
        if role.chained || !credentials.scopes.is_empty() {
            return Err(error("SessionDuration can't be given for a session of role chaining"));
        }
    }
    let duration = form.value("SessionDuration").map(str::to_owned);
    let arn = role.arn.clone();
    context.record_caller(&session.session_id, Some(&arn));
    context.record(|call| call.duration_seconds = duration);
    let token = BASE64URL_NOPAD.encode(&random::bytes::<300>()?);
    let expires = context.expiry(LIFETIME);
    context.state.federation.sign_in_tokens.insert(token.clone(), (arn, expires));
    Ok(HttpResponse::json(&json!({"SigninToken": token})))
}

fn sign_in(partition: &str, context: &mut RequestContext<'_>, request: &HttpRequest) -> Result<HttpResponse, ApiError> {
    let error = |what: &str| ApiError::new(400, "InvalidSignIn", what);
    let token = request.query_value("SigninToken").unwrap_or_default();
    let (arn, expires) =
        context.state.federation.sign_in_tokens.get(&token).cloned().ok_or_else(|| error("no such sign-in token"))?;
    if expires <= context.now {
        return Err(error("the sign-in token is over"));
    }
    let destination = request.query_value("Destination").unwrap_or_default();
    let host = destination.strip_prefix("https://").and_then(|rest| rest.split('/').next()).unwrap_or_default();
    if !CONSOLES
        .iter()
        .any(|(of, console)| *of == partition && (host == *console || host.ends_with(&format!(".{console}"))))
    {
        return Err(error("the destination is not in this partition's console"));
    }
    context.record_caller("", Some(&arn));
    Ok(HttpResponse::redirect(destination))
}
