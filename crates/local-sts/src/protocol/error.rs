//! Every way in which STS says no, with its own codes, statuses and texts.

use std::time::{Duration, SystemTime};

use crate::protocol::timestamp;

/// An error answer of the query protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The error code, as clients match on it.
    pub(crate) code: String,
    /// The text for people.
    pub(crate) message: String,
}

impl From<getrandom::Error> for ApiError {
    /// A server without randomness can't issue anything.
    fn from(_: getrandom::Error) -> Self {
        Self::internal()
    }
}

/// How far a request's time may be from the server's.
pub(crate) const MAX_SKEW: Duration = Duration::from_secs(15 * 60);

impl ApiError {
    /// Makes an answer from its three parts.
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    /// The caller may not do this; STS never says which of the policies was missing.
    pub(crate) fn not_authorized(caller_arn: &str, action: &str, resource: &str) -> Self {
        Self::access_denied(format!(
            "User: {caller_arn} is not authorized to perform: {action} on resource: {resource}"
        ))
    }

    /// Any other refusal with the code `AccessDenied`.
    pub(crate) fn access_denied(message: impl Into<String>) -> Self {
        Self::new(403, "AccessDenied", message)
    }

    /// A parameter is outside of its limits.
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationError", message)
    }

    /// The key is unknown or inactive, or its session token doesn't belong to it.
    pub(crate) fn invalid_client_token() -> Self {
        Self::new(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
    }

    /// The session's time is over.
    pub(crate) fn expired_token() -> Self {
        Self::new(403, "ExpiredToken", "The security token included in the request is expired")
    }

    /// Nothing in the request says who is calling.
    pub(crate) fn missing_token() -> Self {
        Self::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
    }

    /// The `Authorization` header can't be read.
    pub(crate) fn incomplete_signature(message: impl Into<String>) -> Self {
        Self::new(403, "IncompleteSignature", message)
    }

    /// The signature is well formed, but it isn't this request's.
    pub(crate) fn signature(message: impl Into<String>) -> Self {
        Self::new(403, "SignatureDoesNotMatch", message)
    }

    /// The signature is another one than the secret gives.
    pub(crate) fn wrong_signature() -> Self {
        Self::signature(
            "The request signature we calculated does not match the signature you provided. \
             Check your AWS Secret Access Key and signing method. \
             Consult the service documentation for details.",
        )
    }

    /// The request was signed too long ago.
    pub(crate) fn signed_too_early(signed: SystemTime, now: SystemTime) -> Self {
        Self::signature(format!(
            "Signature expired: {} is now earlier than {} ({} - 15 min.)",
            timestamp::basic(signed),
            timestamp::basic(now - MAX_SKEW),
            timestamp::basic(now)
        ))
    }

    /// The request was signed in the future.
    pub(crate) fn signed_too_late(signed: SystemTime, now: SystemTime) -> Self {
        Self::signature(format!(
            "Signature not yet current: {} is still later than {} ({} + 15 min.)",
            timestamp::basic(signed),
            timestamp::basic(now + MAX_SKEW),
            timestamp::basic(now)
        ))
    }

    /// Something failed on the server's side.
    pub(crate) fn internal() -> Self {
        Self::new(500, "InternalFailure", "The request processing has failed because of an unknown error.")
    }
}
