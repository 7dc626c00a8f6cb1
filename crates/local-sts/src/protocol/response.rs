//! What goes back over HTTP, and how each service puts a refusal.

use serde_json::{Value, json};

use crate::protocol::error::Refusal;
use crate::protocol::query;
use crate::server::routes::Service;
use crate::signin::oauth2_token;

/// A status, a body and its headers.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
    /// Beside `Content-Type`, `Content-Length` and `Date`.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Page {
    /// The query protocol's documents.
    pub(crate) fn xml(body: String, request_id: String) -> Self {
        let headers = vec![("x-amzn-requestid", request_id)];
        Self { status: 200, content_type: "text/xml", body, headers }
    }

    /// What the instance's metadata are made of.
    pub(crate) fn text(body: impl Into<String>) -> Self {
        Self { status: 200, content_type: "text/plain", body: body.into(), headers: vec![] }
    }

    /// A JSON document.
    pub(crate) fn json(value: &Value) -> Self {
        Self { status: 200, content_type: "application/json", body: value.to_string(), headers: vec![] }
    }

    /// Sends a browser elsewhere.
    pub(crate) fn redirect(location: String) -> Self {
        Self { status: 302, headers: vec![("location", location)], ..Self::text("") }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Says no, as the service that was asked says it.
    pub(crate) fn refusal(service: Service<'_>, refusal: &Refusal) -> Self {
        let request_id = query::request_id();
        let Refusal { status, code, message } = refusal;
        let page = match service {
            Service::Sts => Self::xml(query::refusal_document(query::STS, refusal, &request_id), request_id),
            Service::Iam => Self::xml(query::refusal_document(query::IAM, refusal, &request_id), request_id),
            Service::Instance(_) | Service::Browser(_) | Service::Federation => {
                Self::text(format!("{status} {code}: {message}\n"))
            }
            Service::Container(_) => Self::json(&json!({"code": code, "message": message})),
            Service::Oidc(_) => Self::json(&json!({"error": oauth_code(code), "error_description": message}))
                .header("x-amzn-errortype", code.clone())
                .header("x-amzn-requestid", request_id),
            Service::Portal(_) => Self::json(&json!({"message": message, "__type": code}))
                .header("x-amzn-errortype", code.clone())
                .header("x-amzn-requestid", request_id),
            Service::SignIn(_) => return oauth2_token::refused(refusal).header("x-amzn-requestid", request_id),
        };
        Self { status: *status, ..page }
    }
}

/// OAuth's name for an exception: `SlowDownException` is `slow_down`.
fn oauth_code(code: &str) -> String {
    let mut result = String::new();
    for c in code.strip_suffix("Exception").unwrap_or(code).chars() {
        if c.is_ascii_uppercase() && !result.is_empty() {
            result.push('_');
        }
        result.push(c.to_ascii_lowercase());
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_oauth() {
        for (code, expected) in [
            ("AuthorizationPendingException", "authorization_pending"),
            ("InvalidGrantException", "invalid_grant"),
            ("Throttling", "throttling"),
            ("", ""),
        ] {
            assert_eq!(oauth_code(code), expected);
        }
    }
}
