//! HTTP requests and the parameters of the query protocol.

use crate::protocol::error::ApiError;

/// An HTTP request. Nothing in it is verified yet.
pub(crate) struct HttpRequest {
    /// Such as `GET`.
    pub(crate) method: String,
    /// As sent, not decoded.
    pub(crate) path: String,
    /// As sent, not decoded, without the question mark.
    pub(crate) query: String,
    /// In the order of the request, with lower-case names.
    pub(crate) headers: Vec<(String, String)>,
    /// Complete body.
    pub(crate) body: Vec<u8>,
    /// Number of the connection.
    pub(crate) connection: u64,
}

/// Parameters of the query protocol.
#[derive(Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl HttpRequest {
    /// Returns all values of a header in their order.
    pub(crate) fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns a header's first value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns a parameter of the query string, decoded.
    pub(crate) fn query_value(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// Parses the parameters, from the body of a POST or from the query string.
    ///
    /// # Errors
    /// The body isn't UTF-8.
    pub(crate) fn form(&self) -> Result<Form, ApiError> {
        let text = if self.method == "POST" {
            std::str::from_utf8(&self.body)
                .map_err(|_| ApiError::new(400, "MalformedInput", "The request body is not UTF-8"))?
        } else {
            &self.query
        };
        let pairs = form_urlencoded::parse(text.as_bytes());
        Ok(Form(pairs.map(|(key, value)| (key.into_owned(), value.into_owned())).collect()))
    }
}

impl Form {
    /// Returns a parameter. An empty one is present.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns a field of each item of a list, such as `Tags.member.1.Key` and `Tags.member.2.Key`. The list ends at
    /// the first gap.
    pub(crate) fn list<'a>(&'a self, name: &str, field: &str) -> Vec<Option<&'a str>> {
        let dotted = if field.is_empty() { String::new() } else { format!(".{field}") };
        let present = |index: usize| {
            let item = format!("{name}.member.{index}");
            let inner = format!("{item}.");
            self.0.iter().any(|(key, _)| *key == item || key.starts_with(&inner))
        };
        (1..)
            .take_while(|index| present(*index))
            .map(|index| self.value(&format!("{name}.member.{index}{dotted}")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_end_at_the_first_gap() {
        let form = Form(
            [("T.member.1.Key", "a"), ("T.member.2.Value", "x"), ("T.member.4.Key", "d")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        );
        assert_eq!(form.list("T", "Key"), [Some("a"), None]);
        assert_eq!(form.list("U", "Key"), []);
    }
}
