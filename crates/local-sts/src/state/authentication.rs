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
    desk: &mut RequestContext<'_>,
    request: &HttpRequest,
    service: &str,
) -> Result<ApiCaller, ApiError> {
    let claim = RequestSignature::read(request)?;
    desk.record_caller(&claim.access_key_id, None);
    let caller = verify(desk, &claim, request, service)?;
    desk.record_caller(&claim.access_key_id, Some(caller.holder.arn()));
    Ok(caller)
}

fn verify(
    desk: &RequestContext<'_>,
    claim: &RequestSignature,
    request: &HttpRequest,
    service: &str,
) -> Result<ApiCaller, ApiError> {
    let now = desk.now;
    let (caller, secret) = match desk.state.sessions.find(&claim.access_key_id) {
        Some((credentials, holder)) => {
            if claim.token.as_ref() != Some(&credentials.token) {
                return Err(ApiError::invalid_client_token());
            }
            if credentials.expires <= now {
                return Err(ApiError::expired_token());
            }
            (ApiCaller { holder: holder.clone(), issued: Some(credentials.issued) }, &credentials.secret)
        }
        None => {
            let key = desk.state.access_keys.find(&claim.access_key_id, now);
            let key =
                key.filter(|key| key.active && claim.token.is_none()).ok_or_else(ApiError::invalid_client_token)?;
            (
                ApiCaller { holder: CredentialOwner::User { user: key.user.clone(), mfa_at: None }, issued: None },
                &key.secret,
            )
        }
    };
    claim.check_scope(request, service, now)?;
    if claim.matches(request, secret) { Ok(caller) } else { Err(ApiError::wrong_signature()) }
}
