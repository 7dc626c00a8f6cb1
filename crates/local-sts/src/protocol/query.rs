//! The query protocol's XML.

use data_encoding::HEXLOWER;

use crate::crypto::random;
use crate::protocol::error::Refusal;
use crate::protocol::timestamp;
use crate::state::sessions::Credentials;

/// The XML namespace of STS.
pub(crate) const STS: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
/// The XML namespace of IAM.
pub(crate) const IAM: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// The content of an action's `…Result` element.
#[derive(Default)]
pub(crate) struct Answer(String);

impl Answer {
    /// Adds an element with text.
    pub(crate) fn element(mut self, name: &str, text: &str) -> Self {
        self.0.push_str(&format!("<{name}>{}</{name}>", escaped(text)));
        self
    }

    /// Adds an element if there is a text.
    pub(crate) fn optional(self, name: &str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.element(name, text),
            None => self,
        }
    }

    /// Adds an element that holds others.
    pub(crate) fn group(mut self, name: &str, inner: &Self) -> Self {
        self.0.push_str(&format!("<{name}>{}</{name}>", inner.0));
        self
    }

    /// Adds credentials: the one place where they leave.
    pub(crate) fn credentials(self, credentials: &Credentials) -> Self {
        let inner = Self::default()
            .element("AccessKeyId", &credentials.access_key_id)
            .element("SecretAccessKey", credentials.secret.expose())
            .element("SessionToken", credentials.token.expose())
            .element("Expiration", &timestamp::rfc3339(credentials.expires));
        self.group("Credentials", &inner)
    }

    /// The whole document of a successful call.
    pub(crate) fn document(&self, namespace: &str, action: &str, request_id: &str) -> String {
        format!(
            "<{action}Response xmlns=\"{namespace}\"><{action}Result>{}</{action}Result>\
             <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>\n",
            self.0
        )
    }
}

/// The whole document of a refused call.
pub(crate) fn refusal_document(namespace: &str, refusal: &Refusal, request_id: &str) -> String {
    let kind = if refusal.status < 500 { "Sender" } else { "Receiver" };
    format!(
        "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{kind}</Type><Code>{}</Code><Message>{}</Message></Error>\
         <RequestId>{request_id}</RequestId></ErrorResponse>\n",
        escaped(&refusal.code),
        escaped(&refusal.message)
    )
}

/// A request's id in the shape of a UUID; zeros when the system has no randomness.
pub(crate) fn request_id() -> String {
    let text = HEXLOWER.encode(&random::bytes::<16>().unwrap_or_default());
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

/// Escapes markup, and replaces what XML 1.0 can't hold at all.
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
        let refusal = Refusal::validation("Value '<a href=\"x\">&\u{1}' is invalid");
        let document = refusal_document(STS, &refusal, "id");
        assert!(document.contains("Value '&lt;a href=&quot;x&quot;&gt;&amp;\u{fffd}' is invalid"), "{document}");
    }
}
