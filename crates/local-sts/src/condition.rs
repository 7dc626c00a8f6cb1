//! The conditions of policies: operators and keys that this server evaluates, and no others.

use serde::Deserialize;
use std::collections::BTreeMap;

use crate::policy::glob;

/// The condition keys of one request; their names are kept in lower case. A key that isn't there is absent, as for AWS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context(BTreeMap<String, String>);

/// A condition that this server can't evaluate.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum ConditionError {
    /// The operator is unknown here.
    #[error("condition operator `{0}` is not evaluated by this server")]
    Operator(String),
    /// The key is unknown here.
    #[error("condition key `{0}` is not evaluated by this server")]
    Key(String),
    /// The value doesn't suit the operator.
    #[error("`{value}` is not a value for condition operator `{operator}`")]
    Value {
        /// As written.
        operator: String,
        /// As written.
        value: String,
    },
}

/// A value as JSON has it: policies are often written with bare numbers and booleans.
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

/// One operator on one key.
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
    Bool,
    Null,
}

const KEYS: [&str; 11] = [
    "aws:multifactorauthage",
    "aws:multifactorauthpresent",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principaltype",
    "aws:sourceidentity",
    "aws:userid",
    "aws:username",
    "sts:externalid",
    "sts:rolesessionname",
    "sts:sourceidentity",
];
const KEY_FAMILIES: [&str; 2] = ["aws:requesttag/", "aws:principaltag/"];

impl Context {
    /// Sets a key.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<String>) {
        self.0.insert(key.to_lowercase(), value.into());
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Replaces `${key}`; nothing when a key is absent, since such a statement never fits. What comes out of a
    /// variable is text: `literal` keeps its `*` and `?` from becoming wildcards.
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
    /// Checks one condition.
    ///
    /// # Errors
    /// The operator, the key, a variable in a value or the value itself isn't one that this server evaluates.
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
                        return Err(ConditionError::Value {
                            operator: operator.to_owned(),
                            value: value.clone(),
                        });
                    }
                }
            }
            if !parsed.takes(value) {
                return Err(ConditionError::Value {
                    operator: operator.to_owned(),
                    value: value.clone(),
                });
            }
        }
        Ok(Self {
            operator: parsed,
            if_exists,
            key,
            values,
        })
    }

    /// Whether this condition holds for a request.
    pub(crate) fn holds(&self, context: &Context) -> bool {
        let actual = context.value(&self.key);
        if self.operator == Operator::Null {
            let absent = actual.is_none().to_string();
            return self.values.iter().any(|value| value.eq_ignore_ascii_case(&absent));
        }
        let negated = self.operator.is_negated();
        let Some(actual) = actual else {
            return self.if_exists || negated;
        };
        self.values
            .iter()
            .any(|value| self.operator.compares(actual, value, context))
            != negated
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
            "Bool" => Self::Bool,
            "Null" => Self::Null,
            _ => return None,
        })
    }

    /// Negated operators hold when the key is absent.
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
            _ => true,
        }
    }

    fn compares(self, actual: &str, value: &str, context: &Context) -> bool {
        let exact = |compare: fn(&str, &str) -> bool| {
            context
                .substituted(value, str::to_owned)
                .is_some_and(|value| compare(&value, actual))
        };
        let number = |compare: fn(&f64, &f64) -> bool| match (actual.parse(), value.parse()) {
            (Ok(actual), Ok(value)) => compare(&actual, &value),
            _ => false,
        };
        match self {
            Self::StringEquals | Self::StringNotEquals => exact(|value, actual| value == actual),
            Self::StringEqualsIgnoreCase | Self::Bool | Self::Null => exact(str::eq_ignore_ascii_case),
            Self::StringLike | Self::StringNotLike => like(actual, value, context),
            Self::ArnLike | Self::ArnNotLike => arn_like(actual, value, context),
            Self::NumericEquals => number(f64::eq),
            Self::NumericLessThan => number(f64::lt),
            Self::NumericLessThanEquals => number(f64::le),
            Self::NumericGreaterThan => number(f64::gt),
            Self::NumericGreaterThanEquals => number(f64::ge),
        }
    }
}

/// Characters of Unicode's private use stand for a `*` and a `?` that are no wildcards.
fn literal(text: &str) -> String {
    text.replace('*', "\u{F0001}").replace('?', "\u{F0002}")
}

fn like(actual: &str, pattern: &str, context: &Context) -> bool {
    context
        .substituted(pattern, literal)
        .is_some_and(|pattern| glob(&pattern, &literal(actual)))
}

/// "Each of the six colon-delimited components of the ARN is checked separately" (IAM's condition operators).
fn arn_like(actual: &str, pattern: &str, context: &Context) -> bool {
    let (actual, pattern): (Vec<&str>, Vec<&str>) = (actual.splitn(6, ':').collect(), pattern.splitn(6, ':').collect());
    // A variable may hold colons only after the fifth one: in ARNs they come last.
    actual.len() == 6
        && pattern.len() == 6
        && actual
            .iter()
            .zip(&pattern)
            .all(|(actual, pattern)| like(actual, pattern, context))
}

fn known_key(key: &str) -> Result<String, ConditionError> {
    let lower = key.to_lowercase();
    let known = KEYS.contains(&lower.as_str())
        || KEY_FAMILIES
            .iter()
            .any(|family| lower.strip_prefix(family).is_some_and(|name| !name.is_empty()));
    if known {
        Ok(lower)
    } else {
        Err(ConditionError::Key(key.to_owned()))
    }
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
