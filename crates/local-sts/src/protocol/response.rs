//! HTTP responses.

use data_encoding::HEXLOWER;
use serde_json::Value;

use crate::crypto::random;
use crate::protocol::error::ApiError;

/// Name of the header with the request ID.
pub(crate) const REQUEST_ID: &str = "x-amzn-requestid";

/// Status, headers and body of a response.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
    /// All headers except `Content-Type`, `Content-Length` and `Date`.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl HttpResponse {
    /// Creates a response with an XML document of the query protocol.
    pub(crate) fn xml(body: String, request_id: String) -> Self {
        let headers = vec![(REQUEST_ID, request_id)];
        Self { status: 200, content_type: "text/xml", body, headers }
    }

    /// Creates a response with plain text.
    pub(crate) fn text(body: impl Into<String>) -> Self {
        Self { status: 200, content_type: "text/plain", body: body.into(), headers: vec![] }
    }

    /// Creates a response with a JSON document.
    pub(crate) fn json(value: &Value) -> Self {
        Self { status: 200, content_type: "application/json", body: value.to_string(), headers: vec![] }
    }

    /// Creates a redirect.
    pub(crate) fn redirect(location: String) -> Self {
        Self { status: 302, headers: vec![("location", location)], ..Self::text("") }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Changes the status.
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Renders an error as one line of text, for services without an error format.
    pub(crate) fn text_error(error: &ApiError) -> Self {
        let ApiError { status, code, message } = error;
        Self::text(format!("{status} {code}: {message}\n")).with_status(*status)
    }
}

/// Returns a request ID in the form of a UUID. All digits are zero if the system has no randomness.
pub(crate) fn request_id() -> String {
    let text = HEXLOWER.encode(&random::bytes::<16>().unwrap_or_default());
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}
