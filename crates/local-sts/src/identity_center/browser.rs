//! The pages that a browser opens during sign-in: authorization of a client and of a device.
//!
//! They show nothing. The browser user that a test configured approves or denies at once.

use std::time::Duration;

use form_urlencoded::Serializer;

use crate::crypto::{pkce, random};
use crate::fixture::identity_center::IdentityCenterInstance;
use crate::identity_center::clients::SCOPE;
use crate::identity_center::exceptions::invalid_request;
use crate::protocol::error::ApiError;
use crate::protocol::redirect::loopback_path;
use crate::protocol::request::HttpRequest;
use crate::protocol::response::HttpResponse;
use crate::state::context::RequestContext;
use crate::state::identity_center::{self, AuthorizationCode, GrantType};

/// Lifetime of an authorization code: the maximum that RFC 6749 recommends (section 4.1.2).
const CODE_LIFETIME: Duration = Duration::from_secs(600);

/// Answers a page.
///
/// # Errors
/// A parameter is missing or wrong. The browser isn't redirected then, because the redirect URI can't be trusted.
pub(crate) fn handle(
    center: &IdentityCenterInstance,
    context: &mut RequestContext<'_>,
    action: &str,
    request: &HttpRequest,
) -> Result<HttpResponse, ApiError> {
    if request.method != "GET" {
        return Err(ApiError::new(405, "Method Not Allowed", "this page requires GET"));
    }
    if action == "VerifyDevice" { device(center, context, request) } else { authorize(center, context, request) }
}

/// Renders an error.
pub(crate) fn error_response(error: &ApiError) -> HttpResponse {
    HttpResponse::text_error(error)
}

fn device(
    center: &IdentityCenterInstance,
    context: &mut RequestContext<'_>,
    request: &HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let user_code = parameter(request, "user_code")?;
    let browser_user = std::mem::take(&mut context.state.identity_center.browser_user);
    let decided = context.state.identity_center.decide(center, &user_code, &browser_user, context.now);
    context.state.identity_center.browser_user = browser_user;
    decided.map_err(invalid_request)?;
    Ok(HttpResponse::text("You may close this page.\n"))
}

fn authorize(
    center: &IdentityCenterInstance,
    context: &mut RequestContext<'_>,
    request: &HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let client_id = parameter(request, "client_id")?;
    let redirect_uri = parameter(request, "redirect_uri")?;
    let client = context.state.identity_center.clients.get(&client_id).filter(|client| client.expires > context.now);
    let client = client.filter(|client| client.grants.contains(&GrantType::AuthorizationCode));
    let client = client.ok_or_else(|| invalid_request("client_id is not registered for codes"))?;
    let path = loopback_path(&redirect_uri);
    if path.is_none() || !client.redirects.iter().any(|registered| loopback_path(registered) == path) {
        return Err(invalid_request("redirect_uri is not registered"));
    }
    let state = parameter(request, "state")?;
    let challenge = parameter(request, "code_challenge")?;
    for (name, expected) in [("response_type", "code"), ("code_challenge_method", "S256"), ("scopes", SCOPE)] {
        if parameter(request, name)? != expected {
            return Err(invalid_request(format!("{name} must be {expected}")));
        }
    }
    if !pkce::is_challenge(&challenge) {
        return Err(invalid_request("code_challenge must be a SHA-256 in base64url"));
    }
    let start_url = client.issuer.clone().unwrap_or_default();
    let mut query = Serializer::new(String::new());
    if context.state.identity_center.browser_user.denies {
        query.append_pair("error", "access_denied").append_pair("error_description", "The user denied it");
    } else {
        let browser_user = &context.state.identity_center.browser_user;
        let user = identity_center::signed_in(center, browser_user, &start_url).map_err(invalid_request)?;
        let code = random::text()?;
        query.append_pair("code", &code);
        let expires = context.expiry(CODE_LIFETIME);
        let issued =
            AuthorizationCode { client_id, redirect_uri: redirect_uri.clone(), challenge, user, start_url, expires };
        context.state.identity_center.codes.insert(code, issued);
    }
    let query = query.append_pair("state", &state).finish();
    Ok(HttpResponse::redirect(format!("{redirect_uri}?{query}")))
}

fn parameter(request: &HttpRequest, name: &str) -> Result<String, ApiError> {
    request.query_value(name).ok_or_else(|| invalid_request(format!("{name} is missing")))
}
