//! Exceptions that several actions return.

use crate::protocol::error::Refusal;

/// Returns an `InvalidRequestException`.
pub(crate) fn invalid_request(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "InvalidRequestException", message)
}
