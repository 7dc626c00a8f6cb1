//! CreateToken: exchanges a device code, an authorization code or a refresh token for tokens.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::crypto::pkce;
use crate::fixture::identity_center::IdentityCenterInstance;
use crate::identity_center::clients::find_client;
use crate::identity_center::exceptions::invalid_request;
use crate::protocol::error::ApiError;
use crate::protocol::response::HttpResponse;
use crate::state::context::RequestContext;
use crate::state::identity_center::{DeviceDecision, GrantType};

/// How much earlier than the interval a client may poll, because network delays differ.
const EARLY: Duration = Duration::from_millis(200);

/// CreateToken's body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CreateTokenRequest {
    client_id: String,
    client_secret: String,
    grant_type: String,
    device_code: Option<String>,
    code: Option<String>,
    refresh_token: Option<String>,
    #[serde(rename = "scope")]
    _scope: Option<Vec<String>>,
    redirect_uri: Option<String>,
    code_verifier: Option<String>,
}

/// Answers CreateToken.
///
/// # Errors
/// `InvalidClientException`, `UnsupportedGrantTypeException`, `UnauthorizedClientException`, and the exceptions of each
/// grant type.
pub(crate) fn handle(
    center: &IdentityCenterInstance,
    context: &mut RequestContext<'_>,
    request: &CreateTokenRequest,
) -> Result<HttpResponse, ApiError> {
    context.record(|call| call.grant_type = Some(request.grant_type.clone()));
    let (grants, scoped) = {
        let client = find_client(context, &request.client_id, &request.client_secret)?;
        (client.grants.clone(), client.scoped)
    };
    let grant = GrantType::parse(&request.grant_type)
        .ok_or_else(|| ApiError::new(400, "UnsupportedGrantTypeException", "Unsupported grant type provided"))?;
    if !grants.contains(&grant) {
        let message = "The client isn't registered for this grant type";
        return Err(ApiError::new(400, "UnauthorizedClientException", message));
    }
    let session = match grant {
        GrantType::DeviceCode => by_device(center, context, request)?,
        GrantType::AuthorizationCode => by_code(context, request)?,
        GrantType::RefreshToken => {
            let token = present(request.refresh_token.as_deref(), "refreshToken")?;
            let session = context.state.identity_center.session_to_refresh(token, &request.client_id);
            session.ok_or_else(|| invalid_grant("Invalid refresh token provided"))?
        }
    };
    let lifetime = context.lifetime(center.lifetimes.access_token);
    let expires = context.expiry(center.lifetimes.access_token);
    let refreshable = scoped && grants.contains(&GrantType::RefreshToken);
    let (access, refresh) = context.state.identity_center.issue_tokens(session, refreshable, expires)?;
    let mut response = json!({"accessToken": access, "tokenType": "Bearer", "expiresIn": lifetime.as_secs()});
    if let Some(refresh) = refresh {
        response["refreshToken"] = refresh.into();
    }
    Ok(HttpResponse::json(&response))
}

fn by_device(
    center: &IdentityCenterInstance,
    context: &mut RequestContext<'_>,
    request: &CreateTokenRequest,
) -> Result<usize, ApiError> {
    let code = present(request.device_code.as_deref(), "deviceCode")?;
    let now = context.now;
    let mut devices = context.state.identity_center.devices.iter_mut();
    let device = devices
        .find(|device| device.code.expose() == code && device.client_id == request.client_id)
        .ok_or_else(|| invalid_grant("Invalid device code provided"))?;
    if device.expires <= now {
        return Err(ApiError::new(400, "ExpiredTokenException", "The device code is expired"));
    }
    let since = device.polled.replace(now).map(|last| now.duration_since(last).unwrap_or_default());
    if since.is_some_and(|since| since + EARLY < center.lifetimes.interval) {
        return Err(ApiError::new(400, "SlowDownException", "Polled more often than the interval allows"));
    }
    match device.decision.clone() {
        DeviceDecision::Pending => {
            Err(ApiError::new(400, "AuthorizationPendingException", "Authorization is still pending"))
        }
        DeviceDecision::Denied => Err(ApiError::new(400, "AccessDeniedException", "The request was denied")),
        DeviceDecision::Used => Err(invalid_grant("The device code was used already")),
        DeviceDecision::Approved(user) => {
            device.decision = DeviceDecision::Used;
            let start_url = device.start_url.clone();
            Ok(context.state.identity_center.start_session(&user, &start_url, &request.client_id))
        }
    }
}

fn by_code(context: &mut RequestContext<'_>, request: &CreateTokenRequest) -> Result<usize, ApiError> {
    let text = present(request.code.as_deref(), "code")?;
    let verifier = present(request.code_verifier.as_deref(), "codeVerifier")?;
    let redirect_uri = present(request.redirect_uri.as_deref(), "redirectUri")?;
    // A code can be tried once, even if another parameter is wrong.
    let code = context.state.identity_center.codes.remove(text);
    let code = code.filter(|code| code.expires > context.now && code.client_id == request.client_id);
    let code = code.ok_or_else(|| invalid_grant("Invalid authorization code provided"))?;
    if code.redirect_uri != redirect_uri {
        return Err(invalid_grant("The redirect URI is not the one of the authorization"));
    }
    if !pkce::proves(verifier, &code.challenge) {
        return Err(invalid_grant("The code verifier doesn't fit the code challenge"));
    }
    Ok(context.state.identity_center.start_session(&code.user, &code.start_url, &request.client_id))
}

fn present<'a>(value: Option<&'a str>, name: &str) -> Result<&'a str, ApiError> {
    value.ok_or_else(|| invalid_request(format!("{name} is missing")))
}

fn invalid_grant(message: &str) -> ApiError {
    ApiError::new(400, "InvalidGrantException", message)
}
