//! The pages of AWS Sign-In that the browser of an `aws login` opens: authorization, and the code for another device.
//!
//! AWS documents neither. The parameters are those of the AWS CLI (`customizations/login`). The pages show nothing: the
//! browser is signed in to the console session that a test configured, and approves or denies at once.

use std::time::Duration;

use data_encoding::BASE64;
use form_urlencoded::Serializer;

use crate::crypto::{pkce, random};
use crate::fixture::console::ConsoleSession;
use crate::fixture::world::World;
use crate::protocol::error::ApiError;
use crate::protocol::redirect::loopback_path;
use crate::protocol::request::HttpRequest;
use crate::protocol::response::HttpResponse;
use crate::signin::oauth2_token::owner;
use crate::state::authorization;
use crate::state::context::RequestContext;
use crate::state::sessions::ApiCaller;
use crate::state::signin::{SigninClient, SigninCode};

/// Lifetime of a code: the maximum that RFC 6749 recommends (section 4.1.2). AWS publishes none.
const CODE_LIFETIME: Duration = Duration::from_secs(600);

/// The page that shows the code to users of another device.
const CONFIRMATION: &str = "/v1/sessions/confirmation";

/// Answers a page.
///
/// # Errors
/// A parameter is missing or wrong. The browser isn't redirected then, because the redirect URI can't be trusted.
pub(crate) fn handle(
    world: &World,
    sessions: &[ConsoleSession],
    context: &mut RequestContext<'_>,
    action: &str,
    request: &HttpRequest,
) -> Result<HttpResponse, ApiError> {
    if request.method != "GET" {
        return Err(ApiError::new(405, "Method Not Allowed", "this page requires GET"));
    }
    if action == "ShowSignInCode" {
        return Ok(HttpResponse::text(format!("{}\n", BASE64.encode(request.query.as_bytes()))));
    }
    let client_id = parameter(request, "client_id")?;
    let client =
        SigninClient::with_id(&client_id).ok_or_else(|| invalid("client_id is none of AWS Sign-In's clients"))?;
    let redirect_uri = parameter(request, "redirect_uri")?;
    let host = request.header("host").unwrap_or_default();
    let is_right = match client {
        SigninClient::SameDevice => loopback_path(&redirect_uri) == Some("/oauth/callback"),
        SigninClient::CrossDevice => redirect_uri == format!("http://{host}{CONFIRMATION}"),
    };
    if !is_right {
        return Err(invalid("redirect_uri isn't one of this client"));
    }
    let (state, challenge) = (parameter(request, "state")?, parameter(request, "code_challenge")?);
    for (name, expected) in [("response_type", "code"), ("code_challenge_method", "SHA-256"), ("scope", "openid")] {
        if parameter(request, name)? != expected {
            return Err(invalid(format!("{name} must be {expected}")));
        }
    }
    if state.is_empty() || !pkce::is_challenge(&challenge) {
        return Err(invalid("state must not be empty, and code_challenge must be a SHA-256 in base64url"));
    }
    let browser = &context.state.signin.browser;
    let wanted =
        |session: &&ConsoleSession| browser.login_session.as_ref().is_none_or(|arn| *arn == session.login_session);
    let session = sessions.iter().find(wanted).ok_or_else(|| invalid("the browser's session isn't in the fixture"))?;
    let caller = ApiCaller::new(owner(world, session, context.now), Some(context.now));
    let resource = client.resource(&world.partition, session);
    let may = authorization::is_permitted(&caller, "signin:AuthorizeOAuth2Access", &resource, context.now);
    let mut query = Serializer::new(String::new());
    query.append_pair("state", &state);
    if browser.denies || !may {
        query.append_pair("error", "access_denied");
    } else {
        let (code, expires) = (random::text()?, context.expiry(CODE_LIFETIME));
        query.append_pair("code", &code);
        let login_session = session.login_session.clone();
        let issued = SigninCode { client, redirect_uri: redirect_uri.clone(), challenge, login_session, expires };
        context.state.signin.codes.insert(code, issued);
    }
    Ok(HttpResponse::redirect(format!("{redirect_uri}?{}", query.finish())))
}

/// Renders an error.
pub(crate) fn error_response(error: &ApiError) -> HttpResponse {
    HttpResponse::text_error(error)
}

fn parameter(request: &HttpRequest, name: &str) -> Result<String, ApiError> {
    request.query_value(name).ok_or_else(|| invalid(format!("{name} is missing")))
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "INVALID_REQUEST", message)
}
