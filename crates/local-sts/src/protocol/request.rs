//! One request as it came, before anything in it is believed.

use crate::protocol::error::ApiError;

/// The parts of an HTTP request that anyone here looks at.
pub(crate) struct HttpRequest {
    /// `GET` or `POST`.
    pub(crate) method: String,
    /// As sent.
    pub(crate) path: String,
    /// As sent, without the question mark.
    pub(crate) query: String,
    /// Names in lower case, in the order in which they came.
    pub(crate) headers: Vec<(String, String)>,
    /// The whole body.
    pub(crate) body: Vec<u8>,
    /// Which of this server's connections brought it.
    pub(crate) connection: u64,
}

/// The parameters of the query protocol.
#[derive(Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl HttpRequest {
    /// The values of a header, in their order.
    pub(crate) fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A header's first value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A decoded parameter of the query string.
    pub(crate) fn query_value(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The parameters, from the body of a POST or from the query string.
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
    /// A parameter; an empty one is there.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The items of a list, such as `Tags.member.1.Key`, `Tags.member.2.Key`: counted from one, without gaps.
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
