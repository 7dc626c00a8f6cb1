//! Errors of AWS APIs: status, code and message.

use std::time::{Duration, SystemTime};

use crate::protocol::timestamp;

/// An error of an API call. Each service renders it in its own format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// HTTP status.
    pub(crate) status: u16,
    /// Error code that clients match on.
    pub(crate) code: String,
    /// Message for people.
    pub(crate) message: String,
}

impl From<getrandom::Error> for ApiError {
    /// A server without randomness can't issue anything.
    fn from(_: getrandom::Error) -> Self {
        Self::internal()
    }
}

/// Maximum difference between a request's time and the server's.
pub(crate) const MAX_SKEW: Duration = Duration::from_secs(15 * 60);

impl ApiError {
    /// Creates an error.
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    /// `AccessDenied` for an action that policies don't allow. STS doesn't say which policy is missing.
    pub(crate) fn not_authorized(caller_arn: &str, action: &str, resource: &str) -> Self {
        Self::access_denied(format!(
            "User: {caller_arn} is not authorized to perform: {action} on resource: {resource}"
        ))
    }

    /// `AccessDenied` with another message.
    pub(crate) fn access_denied(message: impl Into<String>) -> Self {
        Self::new(403, "AccessDenied", message)
    }

    /// `ValidationError`.
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationError", message)
    }

    /// `InvalidClientTokenId`: the key is unknown or inactive, or the session token belongs to another key.
    pub(crate) fn invalid_client_token() -> Self {
        Self::new(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
    }

    /// `ExpiredToken`: the session has expired.
    pub(crate) fn expired_token() -> Self {
        Self::new(403, "ExpiredToken", "The security token included in the request is expired")
    }

    /// `MissingAuthenticationToken`: the request isn't signed.
    pub(crate) fn missing_token() -> Self {
        Self::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
    }

    /// `IncompleteSignature`: the signature can't be parsed.
    pub(crate) fn incomplete_signature(message: impl Into<String>) -> Self {
        Self::new(403, "IncompleteSignature", message)
    }

    /// `SignatureDoesNotMatch` with this message.
    pub(crate) fn signature(message: impl Into<String>) -> Self {
        Self::new(403, "SignatureDoesNotMatch", message)
    }

    /// `SignatureDoesNotMatch`: the signature was made with another key or for another request.
    pub(crate) fn wrong_signature() -> Self {
        Self::signature(
            "The request signature we calculated does not match the signature you provided. \
             Check your AWS Secret Access Key and signing method. \
             Consult the service documentation for details.",
        )
    }

    /// `SignatureDoesNotMatch`: the request was signed too long ago.
    pub(crate) fn signed_too_early(signed: SystemTime, now: SystemTime) -> Self {
        Self::signature(format!(
            "Signature expired: {} is now earlier than {} ({} - 15 min.)",
            timestamp::basic(signed),
            timestamp::basic(now - MAX_SKEW),
            timestamp::basic(now)
        ))
    }

    /// `SignatureDoesNotMatch`: the request was signed in the future.
    pub(crate) fn signed_too_late(signed: SystemTime, now: SystemTime) -> Self {
        Self::signature(format!(
            "Signature not yet current: {} is still later than {} ({} + 15 min.)",
            timestamp::basic(signed),
            timestamp::basic(now + MAX_SKEW),
            timestamp::basic(now)
        ))
    }

    /// `InternalFailure`.
    pub(crate) fn internal() -> Self {
        Self::new(500, "InternalFailure", "The request processing has failed because of an unknown error.")
    }
}
