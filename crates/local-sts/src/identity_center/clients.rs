//! RegisterClient, and the look-up of registered clients.

use serde::Deserialize;
use serde_json::json;

use crate::crypto::random;
use crate::crypto::secret::SecretValue;
use crate::fixture::identity_center::IdentityCenterInstance;
use crate::identity_center::exceptions::invalid_request;
use crate::protocol::error::ApiError;
use crate::protocol::redirect::loopback_path;
use crate::protocol::response::HttpResponse;
use crate::protocol::timestamp;
use crate::state::context::RequestContext;
use crate::state::identity_center::{GrantType, RegisteredClient};

/// The only scope: access to the portal.
pub(crate) const SCOPE: &str = "sso:account:access";

/// RegisterClient's body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct RegisterClientRequest {
    client_name: String,
    client_type: String,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    grant_types: Option<Vec<String>>,
    issuer_url: Option<String>,
}

/// Answers RegisterClient.
///
/// # Errors
/// The service's exceptions for a name, type, scope, grant type, redirect URI or start URL that isn't valid here.
pub(crate) fn register(
    center: &IdentityCenterInstance,
    context: &mut RequestContext<'_>,
    request: RegisterClientRequest,
) -> Result<HttpResponse, ApiError> {
    if request.client_name.is_empty() {
        return Err(invalid_request("clientName is empty"));
    }
    if request.client_type != "public" {
        return Err(ApiError::new(400, "InvalidClientMetadataException", "clientType must be public"));
    }
    if request.scopes.iter().any(|scope| scope != SCOPE) {
        return Err(ApiError::new(400, "InvalidScopeException", format!("the only scope here is {SCOPE}")));
    }
    let grants = match &request.grant_types {
        Some(names) => names
            .iter()
            .map(|name| GrantType::parse(name))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| ApiError::new(400, "UnsupportedGrantTypeException", "a grant type is unknown"))?,
        None => vec![GrantType::DeviceCode, GrantType::RefreshToken],
    };
    if grants.contains(&GrantType::AuthorizationCode) {
        if request.redirect_uris.is_empty() || !request.redirect_uris.iter().all(|uri| loopback_path(uri).is_some()) {
            let message = "redirectUris must be http on a loopback address";
            return Err(ApiError::new(400, "InvalidRedirectUriException", message));
        }
        check_start_url(center, request.issuer_url.as_deref().unwrap_or_default())?;
    }
    let (id, secret) = (random::text()?, random::text()?);
    let expires = context.expiry(center.lifetimes.client);
    let response = json!({
        "clientId": id,
        "clientSecret": secret,
        "clientIdIssuedAt": timestamp::unix_seconds(context.now),
        "clientSecretExpiresAt": timestamp::unix_seconds(expires),
    });
    let client = RegisteredClient {
        secret: SecretValue::new(secret),
        expires,
        grants,
        scoped: !request.scopes.is_empty(),
        redirects: request.redirect_uris,
        issuer: request.issuer_url,
    };
    context.state.identity_center.clients.insert(id, client);
    Ok(HttpResponse::json(&response))
}

/// Returns the client with this ID and secret.
///
/// # Errors
/// `InvalidClientException`, also for an expired client.
pub(crate) fn find_client<'a>(
    context: &'a RequestContext<'_>,
    id: &str,
    secret: &str,
) -> Result<&'a RegisteredClient, ApiError> {
    let found = context.state.identity_center.clients.get(id);
    found
        .filter(|client| client.secret.expose() == secret && client.expires > context.now)
        .ok_or_else(|| ApiError::new(401, "InvalidClientException", "Invalid client provided"))
}

/// Checks that an assignment has this start URL.
///
/// # Errors
/// `InvalidRequestException`.
pub(crate) fn check_start_url(center: &IdentityCenterInstance, url: &str) -> Result<(), ApiError> {
    let known = center.assignments.iter().any(|assignment| assignment.start_url == url);
    if known { Ok(()) } else { Err(invalid_request(format!("`{url}` is no start URL of this Identity Center"))) }
}
