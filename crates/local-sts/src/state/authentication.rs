//! Authentication of signed requests.

use crate::protocol::error::ApiError;
use crate::protocol::request::HttpRequest;
use crate::protocol::sigv4::RequestSignature;
use crate::state::context::RequestContext;
use crate::state::sessions::{ApiCaller, CredentialOwner};

/// Returns the caller of a request to `service` and records it in the call log.
///
/// # Errors
/// In this order: an `Authorization` header that can't be read, an unknown or inactive key, a wrong session token, an
/// expired session, a wrong scope or time, a wrong signature.
pub(crate) fn authenticate(
    context: &mut RequestContext<'_>,
    request: &HttpRequest,
    service: &str,
) -> Result<ApiCaller, ApiError> {
    let signature = RequestSignature::read(request)?;
    context.record_caller(&signature.access_key_id, None);
    let caller = verify(context, &signature, request, service)?;
    context.record_caller(&signature.access_key_id, Some(caller.owner.arn()));
    Ok(caller)
}

fn verify(
    context: &RequestContext<'_>,
    signature: &RequestSignature,
    request: &HttpRequest,
    service: &str,
) -> Result<ApiCaller, ApiError> {
    let now = context.now;
    let (caller, secret) = match context.state.sessions.find(&signature.access_key_id) {
        Some((credentials, owner)) => {
            if signature.token.as_ref() != Some(&credentials.token) {
                return Err(ApiError::invalid_client_token());
            }
            if credentials.expires <= now {
                return Err(ApiError::expired_token());
            }
            let caller = ApiCaller::new(owner.clone(), Some(credentials.issued));
            (
                ApiCaller { expires: Some(credentials.expires), scopes: credentials.scopes.clone(), ..caller },
                &credentials.secret,
            )
        }
        None => {
            let key = context.state.access_keys.find(&signature.access_key_id, now);
            let key =
                key.filter(|key| key.active && signature.token.is_none()).ok_or_else(ApiError::invalid_client_token)?;
            (ApiCaller::new(CredentialOwner::User { user: key.user.clone(), mfa_at: None }, None), &key.secret)
        }
    };
    signature.check_scope(request, service, now)?;
    if signature.matches(request, secret) { Ok(caller) } else { Err(ApiError::wrong_signature()) }
}
