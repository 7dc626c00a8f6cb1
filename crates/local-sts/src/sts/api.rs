//! The API of STS: its actions and how it renders errors.

use crate::fixture::world::World;
use crate::protocol::error::ApiError;
use crate::protocol::query;
use crate::protocol::request::{Form, HttpRequest};
use crate::protocol::response::HttpResponse;
use crate::state::authentication::authenticate;
use crate::state::context::RequestContext;
use crate::sts::{assume_role, misc_actions, scoped_credentials, web_identity};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const VERSION: &str = "2011-06-15";
const ACTIONS: [&str; 7] = [
    "AssumeRole",
    "AssumeRoleWithWebIdentity",
    "GetSessionToken",
    "GetScopedCredentials",
    "GetCallerIdentity",
    "GetAccessKeyInfo",
    "DecodeAuthorizationMessage",
];

/// Answers a call to STS.
///
/// # Errors
/// The action is unknown, the signature is wrong, or an error of the action. AssumeRoleWithWebIdentity is not signed.
pub(crate) fn handle(
    world: &World,
    context: &mut RequestContext<'_>,
    action: &str,
    request: &HttpRequest,
    form: &Form,
) -> Result<HttpResponse, ApiError> {
    query::check_call(request, form, action, &ACTIONS, VERSION)?;
    let response = if action == "AssumeRoleWithWebIdentity" {
        web_identity::handle(world, context, form)?
    } else {
        let caller = authenticate(context, request, "sts")?;
        match action {
            "AssumeRole" => assume_role::handle(world, context, &caller, form)?,
            "GetSessionToken" => misc_actions::get_session_token(context, &caller, form)?,
            "GetScopedCredentials" => scoped_credentials::handle(context, &caller, request, form)?,
            "GetAccessKeyInfo" => misc_actions::get_access_key_info(context, &caller, form)?,
            "DecodeAuthorizationMessage" => return Err(misc_actions::decode_authorization_message(context, &caller)),
            _ => misc_actions::get_caller_identity(&caller),
        }
    };
    Ok(response.render(NAMESPACE, action))
}

/// Renders an error.
pub(crate) fn error_response(error: &ApiError) -> HttpResponse {
    query::error_response(NAMESPACE, error)
}
