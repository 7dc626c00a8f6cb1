//! CreateToken: a device code, an authorization code or a refresh token becomes tokens.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::crypto::pkce;
use crate::fixture::identity_center::IdentityCenterInstance;
use crate::identity_center::clients::client;
use crate::identity_center::exceptions::invalid_request;
use crate::protocol::error::ApiError;
use crate::protocol::response::HttpResponse;
use crate::state::context::RequestContext;
use crate::state::identity_center::{DeviceDecision, GrantType};

/// A poll may come a little early: what counts is the client's clock, and the way here differs.
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
/// `InvalidClientException`, `UnsupportedGrantTypeException`, `UnauthorizedClientException`, and what each grant is
/// refused with.
pub(crate) fn answer(
    center: &IdentityCenterInstance,
    desk: &mut RequestContext<'_>,
    wish: &CreateTokenRequest,
) -> Result<HttpResponse, ApiError> {
    desk.record(|call| call.grant_type = Some(wish.grant_type.clone()));
    let (grants, scoped) = {
        let client = client(desk, &wish.client_id, &wish.client_secret)?;
        (client.grants.clone(), client.scoped)
    };
    let grant = GrantType::parse(&wish.grant_type)
        .ok_or_else(|| ApiError::new(400, "UnsupportedGrantTypeException", "Unsupported grant type provided"))?;
    if !grants.contains(&grant) {
        let message = "The client isn't registered for this grant type";
        return Err(ApiError::new(400, "UnauthorizedClientException", message));
    }
    let sign_in = match grant {
        GrantType::DeviceCode => by_device(center, desk, wish)?,
        GrantType::AuthorizationCode => by_code(desk, wish)?,
        GrantType::RefreshToken => {
            let token = present(wish.refresh_token.as_deref(), "refreshToken")?;
            let held = desk.state.identity_center.refreshed(token, &wish.client_id);
            held.ok_or_else(|| invalid_grant("Invalid refresh token provided"))?
        }
    };
    let (life, ends) = (desk.lifetime(center.lives.access_token), desk.expiry(center.lives.access_token));
    let refreshable = scoped && grants.contains(&GrantType::RefreshToken);
    let (access, refresh) = desk.state.identity_center.tokens(sign_in, refreshable, ends)?;
    let mut answer = json!({"accessToken": access, "tokenType": "Bearer", "expiresIn": life.as_secs()});
    if let Some(refresh) = refresh {
        answer["refreshToken"] = refresh.into();
    }
    Ok(HttpResponse::json(&answer))
}

fn by_device(
    center: &IdentityCenterInstance,
    desk: &mut RequestContext<'_>,
    wish: &CreateTokenRequest,
) -> Result<usize, ApiError> {
    let code = present(wish.device_code.as_deref(), "deviceCode")?;
    let now = desk.now;
    let mut devices = desk.state.identity_center.devices.iter_mut();
    let device = devices
        .find(|device| device.code.expose() == code && device.client_id == wish.client_id)
        .ok_or_else(|| invalid_grant("Invalid device code provided"))?;
    if device.ends <= now {
        return Err(ApiError::new(400, "ExpiredTokenException", "The device code is expired"));
    }
    let since = device.polled.replace(now).map(|last| now.duration_since(last).unwrap_or_default());
    if since.is_some_and(|since| since + EARLY < center.lives.interval) {
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
            Ok(desk.state.identity_center.sign_in(&user, &start_url, &wish.client_id))
        }
    }
}

fn by_code(desk: &mut RequestContext<'_>, wish: &CreateTokenRequest) -> Result<usize, ApiError> {
    let text = present(wish.code.as_deref(), "code")?;
    let verifier = present(wish.code_verifier.as_deref(), "codeVerifier")?;
    let redirect_uri = present(wish.redirect_uri.as_deref(), "redirectUri")?;
    // Whatever is wrong with the rest, a code is tried once.
    let code = desk
        .state
        .identity_center
        .codes
        .remove(text)
        .filter(|code| code.ends > desk.now && code.client_id == wish.client_id);
    let code = code.ok_or_else(|| invalid_grant("Invalid authorization code provided"))?;
    if code.redirect_uri != redirect_uri {
        return Err(invalid_grant("The redirect URI is not the one of the authorization"));
    }
    if !pkce::proves(verifier, &code.challenge) {
        return Err(invalid_grant("The code verifier doesn't fit the code challenge"));
    }
    Ok(desk.state.identity_center.sign_in(&code.user, &code.start_url, &wish.client_id))
}

fn present<'a>(value: Option<&'a str>, name: &str) -> Result<&'a str, ApiError> {
    value.ok_or_else(|| invalid_request(format!("{name} is missing")))
}

fn invalid_grant(message: &str) -> ApiError {
    ApiError::new(400, "InvalidGrantException", message)
}
