//! GetSessionToken and GetCallerIdentity, which need no permission, and GetAccessKeyInfo and
//! DecodeAuthorizationMessage.

use std::time::{Duration, SystemTime};

use crate::policy::document::PolicyVerdict;
use crate::protocol::constraints::{Constraints, DIGITS, KEY_ID, SERIAL};
use crate::protocol::error::ApiError;
use crate::protocol::query::QueryResponse;
use crate::protocol::request::Form;
use crate::state::access_key_id;
use crate::state::authorization;
use crate::state::context::RequestContext;
use crate::state::sessions::{ApiCaller, CredentialOwner};
use crate::sts::credentials;

/// Answers GetSessionToken with a session of the user, with or without MFA.
///
/// # Errors
/// The caller has temporary credentials, a parameter is out of its limits, or the MFA code is wrong.
pub(crate) fn get_session_token(
    context: &mut RequestContext<'_>,
    caller: &ApiCaller,
    form: &Form,
) -> Result<QueryResponse, ApiError> {
    let mut rules = Constraints::default();
    let (serial, code) = (form.value("SerialNumber"), form.value("TokenCode"));
    rules.text("serialNumber", serial, 9..=256, SERIAL);
    rules.text("tokenCode", code, 6..=6, DIGITS);
    let duration_seconds = rules.number("durationSeconds", form.value("DurationSeconds"), 900..=129_600)?;
    rules.finish()?;
    let user = match &caller.owner {
        CredentialOwner::User { user, .. } if !caller.is_temporary() => user.clone(),
        _ => {
            return Err(ApiError::access_denied("Cannot call GetSessionToken with session credentials"));
        }
    };
    let with_mfa = context.state.used_codes.redeem(caller, serial, code, context.now)?;
    let expires = context.expiry(Duration::from_secs(duration_seconds.unwrap_or(43200).into()));
    let owner = CredentialOwner::User { user, mfa_at: with_mfa.then_some(context.now) };
    Ok(credentials::element(context.state.sessions.issue(owner, context.now, expires)?))
}

/// Answers GetCallerIdentity. No policy can deny it.
pub(crate) fn get_caller_identity(caller: &ApiCaller) -> QueryResponse {
    QueryResponse::default()
        .element("Arn", caller.owner.arn())
        .element("UserId", caller.owner.user_id())
        .element("Account", caller.owner.account())
}

/// Answers GetAccessKeyInfo for known keys and for all keys whose ID contains the account.
///
/// # Errors
/// The caller isn't allowed, the key ID is out of its limits, or it contains no account.
pub(crate) fn get_access_key_info(
    context: &RequestContext<'_>,
    caller: &ApiCaller,
    form: &Form,
) -> Result<QueryResponse, ApiError> {
    check_permitted(caller, "sts:GetAccessKeyInfo", context.now)?;
    let mut rules = Constraints::default();
    let id = rules.required("accessKeyId", form.value("AccessKeyId"));
    rules.text("accessKeyId", form.value("AccessKeyId"), 16..=128, KEY_ID);
    rules.finish()?;
    let account = match context.state.access_keys.find(id, context.now) {
        Some(key) => Some(key.user.account.clone()),
        None => access_key_id::account(id),
    };
    let account = account.ok_or_else(|| ApiError::validation(format!("{id} is invalid")))?;
    Ok(QueryResponse::default().element("Account", &account))
}

/// Answers DecodeAuthorizationMessage. This server never encodes a message, so the result is always an error.
pub(crate) fn decode_authorization_message(context: &RequestContext<'_>, caller: &ApiCaller) -> ApiError {
    match check_permitted(caller, "sts:DecodeAuthorizationMessage", context.now) {
        Ok(()) => ApiError::new(400, "InvalidAuthorizationMessageException", "Message is not valid."),
        Err(error) => error,
    }
}

/// Checks that the caller's own policies allow an action without a resource.
pub(crate) fn check_permitted(caller: &ApiCaller, action: &str, now: SystemTime) -> Result<(), ApiError> {
    if let PolicyVerdict::Allow(_) = authorization::evaluate_own(caller, action, "*", now) {
        return Ok(());
    }
    Err(ApiError::access_denied(format!("User: {} is not authorized to perform: {action}", caller.owner.arn())))
}
