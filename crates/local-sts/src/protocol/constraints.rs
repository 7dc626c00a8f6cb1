//! Limits of the parameters of STS and IAM, and the one message that lists all violations.

use std::ops::RangeInclusive;

use crate::protocol::error::ApiError;

/// Characters that a parameter may have.
#[derive(Clone, Copy)]
pub(crate) struct Charset {
    /// Regular expression in the API's model.
    pub(crate) pattern: &'static str,
    /// Returns whether a character is in the set.
    pub(crate) has: fn(char) -> bool,
}

/// Session names and source identities.
pub(crate) const NAME: Charset = Charset { pattern: r"[\w+=,.@-]*", has: |c| is_word(c) || "+=,.@-".contains(c) };
/// External IDs.
pub(crate) const EXTERNAL_ID: Charset =
    Charset { pattern: r"[\w+=,.@:\/-]*", has: |c| is_word(c) || "+=,.@:/-".contains(c) };
/// Serial numbers of MFA devices.
pub(crate) const SERIAL: Charset = Charset { pattern: r"[\w+=/:,.@-]*", has: |c| is_word(c) || "+=/:,.@-".contains(c) };
/// One-time codes.
pub(crate) const DIGITS: Charset = Charset { pattern: r"[\d]*", has: |c| c.is_ascii_digit() };
/// Session tags.
pub(crate) const TAG: Charset = Charset {
    pattern: r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+",
    has: |c| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c),
};
/// Access key IDs.
pub(crate) const KEY_ID: Charset = Charset { pattern: r"[\w]*", has: is_word };
/// Inline policies of IAM.
pub(crate) const POLICY: Charset = Charset {
    pattern: r"[\u0009\u000A\u000D\u0020-\u00FF]+",
    has: |c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{ff}'),
};
/// Descriptions of scoped sessions.
pub(crate) const DESCRIPTION: Charset = Charset {
    pattern: r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*",
    has: |c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{7e}' | '\u{a1}'..='\u{ff}'),
};
/// ARNs and session policies.
pub(crate) const PRINTABLE: Charset = Charset {
    pattern: r"[\u0009\u000A\u000D\u0020-\u00FF]+",
    has: |c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{7e}' | '\u{85}' | '\u{a0}'..),
};

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Collects the violations in a request's parameters.
#[derive(Default)]
pub(crate) struct Constraints(Vec<String>);

impl Constraints {
    /// Checks the length and the characters of a parameter, if it is present.
    pub(crate) fn text(&mut self, field: &str, value: Option<&str>, lengths: RangeInclusive<usize>, charset: Charset) {
        let Some(value) = value else { return };
        let length = value.chars().count();
        if length > *lengths.end() {
            self.broken(field, value, &format!("have length less than or equal to {}", lengths.end()));
        }
        if length < *lengths.start() {
            self.broken(field, value, &format!("have length greater than or equal to {}", lengths.start()));
        }
        if !value.chars().all(charset.has) {
            self.broken(field, value, &format!("satisfy regular expression pattern: {}", charset.pattern));
        }
    }

    /// Checks the length of a secret parameter. The message doesn't contain its value.
    pub(crate) fn secret(&mut self, field: &str, value: Option<&str>, lengths: &RangeInclusive<usize>) {
        let length = value.map(|value| value.chars().count());
        if length.is_some_and(|length| !lengths.contains(&length)) {
            let rule = format!("have length between {} and {}", lengths.start(), lengths.end());
            self.broken(field, "***", &rule);
        }
    }

    /// Checks that a parameter is present. Returns an empty text if it isn't, so that the other checks can go on.
    pub(crate) fn required<'a>(&mut self, field: &str, value: Option<&'a str>) -> &'a str {
        value.unwrap_or_else(|| {
            self.0.push(format!("Value null at '{field}' failed to satisfy constraint: Member must not be null"));
            ""
        })
    }

    /// Parses an optional integer and checks its range.
    ///
    /// # Errors
    /// `MalformedInput` if it isn't an integer. STS returns this before it validates anything.
    pub(crate) fn number(
        &mut self,
        field: &str,
        value: Option<&str>,
        range: RangeInclusive<u32>,
    ) -> Result<Option<u32>, ApiError> {
        let Some(value) = value else { return Ok(None) };
        let number: i32 = value
            .parse()
            .map_err(|_| ApiError::new(400, "MalformedInput", format!("{field} must be a whole number")))?;
        let number = u32::try_from(number).unwrap_or_default();
        if number < *range.start() {
            self.broken(field, value, &format!("have value greater than or equal to {}", range.start()));
        }
        if number > *range.end() {
            self.broken(field, value, &format!("have value less than or equal to {}", range.end()));
        }
        Ok(Some(number))
    }

    /// Checks that a parameter has one of these values.
    pub(crate) fn one_of(&mut self, field: &str, value: &str, words: &[&str]) {
        if !words.contains(&value) {
            self.broken(field, value, &format!("satisfy enum value set: [{}]", words.join(", ")));
        }
    }

    /// Checks the length of a list.
    pub(crate) fn count(&mut self, field: &str, items: &[impl std::fmt::Debug], limit: usize) {
        if items.len() > limit {
            self.broken(field, &format!("{items:?}"), &format!("have length less than or equal to {limit}"));
        }
    }

    fn broken(&mut self, field: &str, value: &str, rule: &str) {
        self.0.push(format!("Value '{value}' at '{field}' failed to satisfy constraint: Member must {rule}"));
    }

    /// Returns an error if there were violations.
    ///
    /// # Errors
    /// `ValidationError` with all violations.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        let noun = if self.0.len() == 1 { "error" } else { "errors" };
        match self.0.len() {
            0 => Ok(()),
            n => Err(ApiError::validation(format!("{n} validation {noun} detected: {}", self.0.join("; ")))),
        }
    }
}
