//! The API of IAM Identity Center OIDC (`sso-oidc`): its actions, device authorizations, and how it renders errors.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::crypto::random;
use crate::crypto::secret::SecretValue;
use crate::fixture::identity_center::IdentityCenterInstance;
use crate::identity_center::clients::{check_start_url, find_client, register};
use crate::identity_center::create_token;
use crate::identity_center::exceptions::invalid_request;
use crate::protocol::error::ApiError;
use crate::protocol::request::HttpRequest;
use crate::protocol::response::{self, HttpResponse, REQUEST_ID};
use crate::state::context::RequestContext;
use crate::state::identity_center::{DeviceDecision, DeviceGrant, GrantType};

/// Letters that don't form words and can't be confused.
const USER_CODE_LETTERS: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct StartDeviceAuthorizationRequest {
    client_id: String,
    client_secret: String,
    start_url: String,
}

/// Answers an action of `sso-oidc`.
///
/// # Errors
/// The service's exceptions, such as `InvalidRequestException` for a body that doesn't fit the API's model.
pub(crate) fn handle(
    center: &IdentityCenterInstance,
    context: &mut RequestContext<'_>,
    action: &str,
    request: &HttpRequest,
) -> Result<HttpResponse, ApiError> {
    if request.method != "POST" {
        return Err(ApiError::new(405, "InvalidRequestException", "This action requires POST"));
    }
    match action {
        "RegisterClient" => register(center, context, read(request)?),
        "StartDeviceAuthorization" => start_device(center, context, request),
        _ => create_token::handle(center, context, &read(request)?),
    }
}

/// Renders an error: the exception's name in a header, OAuth's code in the body.
pub(crate) fn error_response(error: &ApiError) -> HttpResponse {
    HttpResponse::json(&json!({"error": oauth_code(&error.code), "error_description": error.message}))
        .with_status(error.status)
        .header("x-amzn-errortype", error.code.clone())
        .header(REQUEST_ID, response::request_id())
}

fn start_device(
    center: &IdentityCenterInstance,
    context: &mut RequestContext<'_>,
    request: &HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let body: StartDeviceAuthorizationRequest = read(request)?;
    let client = find_client(context, &body.client_id, &body.client_secret)?;
    if !client.grants.contains(&GrantType::DeviceCode) {
        return Err(ApiError::new(400, "UnauthorizedClientException", "the client isn't registered for device codes"));
    }
    check_start_url(center, &body.start_url)?;
    let (code, user_code) = (random::text()?, user_code()?);
    let host = request.header("host").unwrap_or("127.0.0.1");
    let response = json!({
        "deviceCode": code,
        "userCode": user_code,
        "verificationUri": format!("http://{host}/device"),
        "verificationUriComplete": format!("http://{host}/device?user_code={user_code}"),
        "expiresIn": context.lifetime(center.lifetimes.device_code).as_secs(),
        "interval": center.lifetimes.interval.as_secs(),
    });
    context.state.identity_center.devices.push(DeviceGrant {
        code: SecretValue::new(code),
        user_code,
        client_id: body.client_id,
        start_url: body.start_url,
        expires: context.expiry(center.lifetimes.device_code),
        polled: None,
        decision: DeviceDecision::Pending,
    });
    Ok(HttpResponse::json(&response))
}

fn read<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, ApiError> {
    serde_json::from_slice(&request.body).map_err(|error| invalid_request(error.to_string()))
}

/// Returns eight random letters with a hyphen, such as `BCDF-GHJK`.
fn user_code() -> Result<String, ApiError> {
    let bytes = random::bytes::<8>()?;
    let letter = |byte: &u8| char::from(USER_CODE_LETTERS[usize::from(*byte) % USER_CODE_LETTERS.len()]);
    let letters: Vec<char> = bytes.iter().map(letter).collect();
    Ok(letters[..4].iter().chain(['-'].iter()).chain(&letters[4..]).collect())
}

/// Returns OAuth's code for an exception: `slow_down` for `SlowDownException`.
fn oauth_code(code: &str) -> String {
    let mut result = String::new();
    for c in code.strip_suffix("Exception").unwrap_or(code).chars() {
        if c.is_ascii_uppercase() && !result.is_empty() {
            result.push('_');
        }
        result.push(c.to_ascii_lowercase());
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_oauth() {
        for (code, expected) in [
            ("AuthorizationPendingException", "authorization_pending"),
            ("InvalidGrantException", "invalid_grant"),
            ("Throttling", "throttling"),
            ("", ""),
        ] {
            assert_eq!(oauth_code(code), expected);
        }
    }

    #[test]
    fn user_codes_can_be_read_aloud() {
        let code = user_code().unwrap();
        let (one, other) = code.split_once('-').unwrap();
        assert!([one, other].iter().all(|half| half.len() == 4 && half.bytes().all(|b| b.is_ascii_uppercase())));
    }
}
