//! The query protocol of STS and IAM: what its calls have in common, and its XML responses.

use crate::protocol::error::ApiError;
use crate::protocol::request::{Form, HttpRequest};
use crate::protocol::response::{self, HttpResponse};

/// Content of an action's `…Result` element.
#[derive(Default)]
pub(crate) struct QueryResponse(String);

impl QueryResponse {
    /// Adds an element with text.
    pub(crate) fn element(mut self, name: &str, text: &str) -> Self {
        self.0.push_str(&format!("<{name}>{}</{name}>", escaped(text)));
        self
    }

    /// Adds an element with text, if there is one.
    pub(crate) fn optional(self, name: &str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.element(name, text),
            None => self,
        }
    }

    /// Adds an element that contains others.
    pub(crate) fn group(mut self, name: &str, inner: &Self) -> Self {
        self.0.push_str(&format!("<{name}>{}</{name}>", inner.0));
        self
    }

    /// Renders the response to a successful call.
    pub(crate) fn render(&self, namespace: &str, action: &str) -> HttpResponse {
        let request_id = response::request_id();
        HttpResponse::xml(self.document(namespace, action, &request_id), request_id)
    }

    fn document(&self, namespace: &str, action: &str, request_id: &str) -> String {
        format!(
            "<{action}Response xmlns=\"{namespace}\"><{action}Result>{}</{action}Result>\
             <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>\n",
            self.0
        )
    }
}

/// Checks what all calls of the query protocol have in common: path, method, action and version.
///
/// # Errors
/// `UnknownOperationException`, `MissingAction` or `InvalidAction`.
pub(crate) fn check_call(
    request: &HttpRequest,
    form: &Form,
    action: &str,
    known_actions: &[&str],
    known_version: &str,
) -> Result<(), ApiError> {
    if request.path != "/" || !matches!(request.method.as_str(), "GET" | "POST") {
        return Err(ApiError::new(404, "UnknownOperationException", "There is nothing at this path"));
    }
    if action.is_empty() {
        return Err(ApiError::new(400, "MissingAction", "The request is missing an action or a required parameter."));
    }
    let version = form.value("Version").unwrap_or("NO_VERSION_SPECIFIED");
    if !known_actions.contains(&action) || version != known_version {
        let message = format!("Could not find operation {action} for version {version}");
        return Err(ApiError::new(400, "InvalidAction", message));
    }
    Ok(())
}

/// Renders the response to a call that failed.
pub(crate) fn error_response(namespace: &str, error: &ApiError) -> HttpResponse {
    let request_id = response::request_id();
    HttpResponse::xml(error_document(namespace, error, &request_id), request_id).with_status(error.status)
}

fn error_document(namespace: &str, error: &ApiError, request_id: &str) -> String {
    let kind = if error.status < 500 { "Sender" } else { "Receiver" };
    format!(
        "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{kind}</Type><Code>{}</Code><Message>{}</Message></Error>\
         <RequestId>{request_id}</RequestId></ErrorResponse>\n",
        escaped(&error.code),
        escaped(&error.message)
    )
}

/// Escapes markup and replaces characters that XML 1.0 can't contain.
fn escaped(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => result.push_str("&amp;"),
            '<' => result.push_str("&lt;"),
            '>' => result.push_str("&gt;"),
            '"' => result.push_str("&quot;"),
            '\t' | '\n' => result.push(c),
            '\r' => result.push_str("&#xD;"),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => result.push('\u{fffd}'),
            c => result.push(c),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_message_stays_text() {
        let error = ApiError::validation("Value '<a href=\"x\">&\u{1}' is invalid");
        let document = error_document("urn:test", &error, "id");
        assert!(document.contains("Value '&lt;a href=&quot;x&quot;&gt;&amp;\u{fffd}' is invalid"), "{document}");
    }
}
