//! Exceptions that several actions return.

use crate::protocol::error::ApiError;

/// Returns an `InvalidRequestException`.
pub(crate) fn invalid_request(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidRequestException", message)
}
