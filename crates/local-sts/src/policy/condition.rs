//! Policy conditions. Operators and keys that this server can't evaluate are errors.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::policy::glob::glob;

/// Condition keys of one request, with lower-case names. A key that isn't set is absent in AWS's sense.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConditionKeys(BTreeMap<String, String>);

/// A condition that this server can't evaluate.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum ConditionError {
    /// The operator isn't implemented.
    #[error("condition operator `{0}` is not evaluated by this server")]
    Operator(String),
    /// The key isn't implemented.
    #[error("condition key `{0}` is not evaluated by this server")]
    Key(String),
    /// The value isn't valid for the operator.
    #[error("`{value}` is not a value for condition operator `{operator}`")]
    Value {
        /// As written.
        operator: String,
        /// As written.
        value: String,
    },
}

/// A JSON value. Policies often have unquoted numbers and booleans.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Literal {
    /// `"true"`
    Text(String),
    /// `true`
    Bool(bool),
    /// `3600`
    Number(serde_json::Number),
}

/// One operator applied to one key.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    operator: Operator,
    if_exists: bool,
    key: String,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    StringEquals,
    StringNotEquals,
    StringEqualsIgnoreCase,
    StringLike,
    StringNotLike,
    ArnLike,
    ArnNotLike,
    NumericEquals,
    NumericLessThan,
    NumericLessThanEquals,
    NumericGreaterThan,
    NumericGreaterThanEquals,
    DateLessThan,
    DateLessThanEquals,
    DateGreaterThan,
    DateGreaterThanEquals,
    Bool,
    Null,
}

const KEYS: [&str; 12] = [
    "aws:multifactorauthage",
    "aws:multifactorauthpresent",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principaltype",
    "aws:sourceidentity",
    "aws:tokenissuetime",
    "aws:userid",
    "aws:username",
    "sts:externalid",
    "sts:rolesessionname",
    "sts:sourceidentity",
];
const KEY_FAMILIES: [&str; 2] = ["aws:requesttag/", "aws:principaltag/"];

impl ConditionKeys {
    /// Sets a key.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<String>) {
        self.0.insert(key.to_lowercase(), value.into());
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Replaces `${key}` in `text`. Returns `None` if a key is absent, because such a statement never matches. A
    /// variable's value is text: `literal` escapes its `*` and `?`, which would be wildcards otherwise.
    fn substituted(&self, text: &str, literal: fn(&str) -> String) -> Option<String> {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, tail) = after.split_once('}')?;
            result.push_str(before);
            match name {
                "*" | "?" | "$" => result.push_str(&literal(name)),
                name => result.push_str(&literal(self.value(&name.to_lowercase())?)),
            }
            rest = tail;
        }
        result.push_str(rest);
        Some(result)
    }
}

impl Condition {
    /// Parses one condition.
    ///
    /// # Errors
    /// This server can't evaluate the operator, the key, a variable in a value, or the value itself.
    pub(crate) fn parse(operator: &str, key: &str, values: Vec<Literal>) -> Result<Self, ConditionError> {
        let (name, if_exists) = match operator.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (operator, false),
        };
        let parsed = Operator::parse(name)
            .filter(|parsed| !(if_exists && *parsed == Operator::Null))
            .ok_or_else(|| ConditionError::Operator(operator.to_owned()))?;
        let key = known_key(key)?;
        let values: Vec<String> = values.into_iter().map(Literal::into_text).collect();
        for value in &values {
            for part in value.split("${").skip(1) {
                match part.split_once('}') {
                    Some(("*" | "?" | "$", _)) => {}
                    Some((name, _)) => drop(known_key(name)?),
                    None => {
                        return Err(ConditionError::Value { operator: operator.to_owned(), value: value.clone() });
                    }
                }
            }
            if !parsed.takes(value) {
                return Err(ConditionError::Value { operator: operator.to_owned(), value: value.clone() });
            }
        }
        Ok(Self { operator: parsed, if_exists, key, values })
    }

    /// Whether this condition holds for a request.
    pub(crate) fn holds(&self, keys: &ConditionKeys) -> bool {
        let actual = keys.value(&self.key);
        if self.operator == Operator::Null {
            let absent = actual.is_none().to_string();
            return self.values.iter().any(|value| value.eq_ignore_ascii_case(&absent));
        }
        let negated = self.operator.is_negated();
        let Some(actual) = actual else {
            return self.if_exists || negated;
        };
        self.values.iter().any(|value| self.operator.compares(actual, value, keys)) != negated
    }
}

impl Operator {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "StringEquals" => Self::StringEquals,
            "StringNotEquals" => Self::StringNotEquals,
            "StringEqualsIgnoreCase" => Self::StringEqualsIgnoreCase,
            "StringLike" => Self::StringLike,
            "StringNotLike" => Self::StringNotLike,
            // IAM's reference: "ArnEquals and ArnLike behave identically", and so do their negations.
            "ArnEquals" | "ArnLike" => Self::ArnLike,
            "ArnNotEquals" | "ArnNotLike" => Self::ArnNotLike,
            "NumericEquals" => Self::NumericEquals,
            "NumericLessThan" => Self::NumericLessThan,
            "NumericLessThanEquals" => Self::NumericLessThanEquals,
            "NumericGreaterThan" => Self::NumericGreaterThan,
            "NumericGreaterThanEquals" => Self::NumericGreaterThanEquals,
            "DateLessThan" => Self::DateLessThan,
            "DateLessThanEquals" => Self::DateLessThanEquals,
            "DateGreaterThan" => Self::DateGreaterThan,
            "DateGreaterThanEquals" => Self::DateGreaterThanEquals,
            "Bool" => Self::Bool,
            "Null" => Self::Null,
            _ => return None,
        })
    }

    /// Returns whether the operator holds when the key is absent.
    fn is_negated(self) -> bool {
        matches!(self, Self::StringNotEquals | Self::StringNotLike | Self::ArnNotLike)
    }

    fn takes(self, value: &str) -> bool {
        match self {
            Self::Bool | Self::Null => value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false"),
            Self::NumericEquals
            | Self::NumericLessThan
            | Self::NumericLessThanEquals
            | Self::NumericGreaterThan
            | Self::NumericGreaterThanEquals => value.parse::<f64>().is_ok_and(f64::is_finite),
            Self::DateLessThan | Self::DateLessThanEquals | Self::DateGreaterThan | Self::DateGreaterThanEquals => {
                humantime::parse_rfc3339(value).is_ok()
            }
            _ => true,
        }
    }

    fn compares(self, actual: &str, value: &str, keys: &ConditionKeys) -> bool {
        let exact = |compare: fn(&str, &str) -> bool| {
            keys.substituted(value, str::to_owned).is_some_and(|value| compare(&value, actual))
        };
        let number = |compare: fn(&f64, &f64) -> bool| match (actual.parse(), value.parse()) {
            (Ok(actual), Ok(value)) => compare(&actual, &value),
            _ => false,
        };
        let date = |compare: fn(&SystemTime, &SystemTime) -> bool| match (
            humantime::parse_rfc3339(actual),
            humantime::parse_rfc3339(value),
        ) {
            (Ok(actual), Ok(value)) => compare(&actual, &value),
            _ => false,
        };
        match self {
            Self::StringEquals | Self::StringNotEquals => exact(|value, actual| value == actual),
            Self::StringEqualsIgnoreCase | Self::Bool | Self::Null => exact(str::eq_ignore_ascii_case),
            Self::StringLike | Self::StringNotLike => like(actual, value, keys),
            Self::ArnLike | Self::ArnNotLike => arn_like(actual, value, keys),
            Self::NumericEquals => number(f64::eq),
            Self::NumericLessThan => number(f64::lt),
            Self::NumericLessThanEquals => number(f64::le),
            Self::NumericGreaterThan => number(f64::gt),
            Self::NumericGreaterThanEquals => number(f64::ge),
            Self::DateLessThan => date(SystemTime::lt),
            Self::DateLessThanEquals => date(SystemTime::le),
            Self::DateGreaterThan => date(SystemTime::gt),
            Self::DateGreaterThanEquals => date(SystemTime::ge),
        }
    }
}

/// Replaces `*` and `?` by private-use characters, so that they aren't wildcards.
fn literal(text: &str) -> String {
    text.replace('*', "\u{F0001}").replace('?', "\u{F0002}")
}

fn like(actual: &str, pattern: &str, keys: &ConditionKeys) -> bool {
    keys.substituted(pattern, literal).is_some_and(|pattern| glob(&pattern, &literal(actual)))
}

/// "Each of the six colon-delimited components of the ARN is checked separately" (IAM's condition operators).
fn arn_like(actual: &str, pattern: &str, keys: &ConditionKeys) -> bool {
    let (actual, pattern): (Vec<&str>, Vec<&str>) = (actual.splitn(6, ':').collect(), pattern.splitn(6, ':').collect());
    // A variable may contain colons only after the fifth one, in the resource.
    actual.len() == 6
        && pattern.len() == 6
        && actual.iter().zip(&pattern).all(|(actual, pattern)| like(actual, pattern, keys))
}

fn known_key(key: &str) -> Result<String, ConditionError> {
    let lower = key.to_lowercase();
    // Keys of an identity provider, such as `token.actions.githubusercontent.com:sub`.
    let of_provider = lower.rsplit_once(':').is_some_and(|(provider, claim)| {
        provider.contains('.') && !provider.contains(':') && matches!(claim, "aud" | "oaud" | "sub")
    });
    let known = of_provider
        || KEYS.contains(&lower.as_str())
        || KEY_FAMILIES.iter().any(|family| lower.strip_prefix(family).is_some_and(|name| !name.is_empty()));
    if known { Ok(lower) } else { Err(ConditionError::Key(key.to_owned())) }
}

impl Literal {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Bool(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(operator: &str, key: &str, value: &str, keys: &[(&str, &str)]) -> bool {
        let mut full = ConditionKeys::default();
        for (key, value) in keys {
            full.set(key, *value);
        }
        Condition::parse(operator, key, vec![Literal::Text(value.into())]).unwrap().holds(&full)
    }

    #[test]
    fn operators_with_the_key_there_and_absent() {
        let mfa = "aws:MultiFactorAuthPresent";
        let age = "aws:MultiFactorAuthAge";
        let id = "sts:ExternalId";
        let issued = "aws:TokenIssueTime";
        // Operator, key, value in the policy, value in the request, holds with it, holds with the key absent.
        for (operator, key, policy, request, present, absent) in [
            ("Bool", mfa, "true", "true", true, false),
            ("Bool", mfa, "true", "false", false, false),
            ("Bool", mfa, "false", "false", true, false),
            ("BoolIfExists", mfa, "true", "true", true, true),
            ("BoolIfExists", mfa, "true", "false", false, true),
            ("Null", mfa, "true", "false", false, true),
            ("Null", mfa, "false", "false", true, false),
            ("NumericLessThan", age, "3600", "3599", true, false),
            ("NumericLessThan", age, "3600", "3600", false, false),
            ("NumericLessThanIfExists", age, "3600", "3600", false, true),
            ("NumericLessThanEquals", age, "3600", "3600", true, false),
            ("NumericGreaterThan", age, "3600", "3600", false, false),
            ("NumericGreaterThanEquals", age, "3600", "3600", true, false),
            ("NumericEquals", age, "60", "60", true, false),
            ("DateLessThan", issued, "2026-01-02T00:00:00Z", "2026-01-01T23:59:59Z", true, false),
            ("DateLessThan", issued, "2026-01-02T00:00:00.000Z", "2026-01-02T00:00:00Z", false, false),
            ("DateLessThanEquals", issued, "2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z", true, false),
            ("DateGreaterThan", issued, "2026-01-02T00:00:00Z", "2026-01-02T00:00:01Z", true, false),
            ("DateGreaterThanEquals", issued, "2026-01-02T00:00:00Z", "2026-01-01T23:59:59Z", false, false),
            ("StringEquals", id, "x1", "x1", true, false),
            ("StringEquals", id, "x1", "X1", false, false),
            ("StringEquals", id, "x*", "x1", false, false),
            ("StringEqualsIfExists", id, "x1", "x2", false, true),
            ("StringEqualsIgnoreCase", id, "x1", "X1", true, false),
            ("StringNotEquals", id, "x1", "x1", false, true),
            ("StringNotEquals", id, "x1", "x2", true, true),
            ("StringLike", id, "x?-*", "x1-", true, false),
            ("StringNotLike", id, "x*", "x1", false, true),
            ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/A*", "arn:aws:iam::111111111111:role/Ab", true, false),
            ("ArnLike", "aws:PrincipalArn", "arn:aws:*:role/A", "arn:aws:iam::111111111111:role/A", false, false),
            ("ArnNotEquals", "aws:PrincipalArn", "arn:aws:iam::1:role/A", "arn:aws:iam::1:role/A", false, true),
        ] {
            assert_eq!(holds(operator, key, policy, &[(key, request)]), present, "{operator} {policy} for {request}");
            assert_eq!(holds(operator, key, policy, &[]), absent, "{operator} {policy} without the key");
        }
    }

    #[test]
    fn variables_are_text_and_never_patterns() {
        let session = "sts:RoleSessionName";
        for (operator, value, user, asked, expected) in [
            ("StringLike", "${aws:username}", "alice", "alice", true),
            ("StringLike", "${aws:username}", "alice", "bob", false),
            ("StringLike", "${AWS:UserName}-*", "alice", "alice-1", true),
            ("StringEquals", "${aws:username}", "alice", "alice", true),
            ("StringLike", "${aws:username}", "*", "bob", false),
            ("StringLike", "${aws:username}", "*", "*", true),
            ("StringLike", "a${*}b", "alice", "axb", false),
            ("StringLike", "a${*}b", "alice", "a*b", true),
        ] {
            let keys = [("aws:username", user), (session, asked)];
            assert_eq!(holds(operator, session, value, &keys), expected, "{operator} {value} for {user}, {asked}");
        }
        assert!(!holds("StringLike", session, "${aws:username}", &[(session, "${aws:username}")]), "absent variable");
    }

    #[test]
    fn what_is_not_evaluated_is_an_error() {
        let parse = |operator: &str, key: &str, value: &str| {
            Condition::parse(operator, key, vec![Literal::Text(value.into())]).map(drop).unwrap_err()
        };
        let operator = |name: &str| ConditionError::Operator(name.to_owned());
        let key = |name: &str| ConditionError::Key(name.to_owned());
        assert_eq!(parse("IpAddress", "aws:SourceIp", "10.0.0.0/8"), operator("IpAddress"));
        assert_eq!(parse("ForAnyValue:StringLike", "aws:username", "a"), operator("ForAnyValue:StringLike"));
        assert_eq!(parse("NullIfExists", "aws:username", "true"), operator("NullIfExists"));
        assert_eq!(parse("StringEquals", "aws:SourceIp", "a"), key("aws:SourceIp"));
        assert_eq!(parse("StringEquals", "aws:RequestTag/", "a"), key("aws:RequestTag/"));
        assert_eq!(parse("StringLike", "sts:RoleSessionName", "${aws:SourceIp}"), key("aws:SourceIp"));
        for (operator, value) in
            [("Bool", "yes"), ("NumericLessThan", "1h"), ("DateLessThan", "today"), ("StringLike", "${aws:username")]
        {
            let error = parse(operator, "aws:username", value);
            assert!(matches!(error, ConditionError::Value { .. }), "{operator} {value}: {error}");
        }
    }
}
