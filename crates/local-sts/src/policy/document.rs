//! Policy documents. They are parsed strictly, so that nothing is silently ignored.

use serde::Deserialize;
use std::collections::BTreeMap;

use crate::policy::condition::{self, Condition, ConditionKeys};
use crate::policy::glob::glob;
use crate::policy::principal::{ExternalPrincipal, Identity, PrincipalMatch, PrincipalPattern};

/// What a document is attached to. This decides which elements it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PolicyKind {
    /// An identity-based policy or a session policy.
    Identity,
    /// A role's trust policy.
    Trust,
}

/// Why a document can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PolicyError {
    /// Not JSON at all.
    #[error("this policy contains invalid JSON: {0}")]
    Json(serde_json::Error),
    /// JSON, but not a policy.
    #[error("syntax error in policy: {0}")]
    Shape(serde_json::Error),
    /// A policy that breaks a rule of its kind.
    #[error("{0}")]
    Rule(String),
    /// A condition that this server can't evaluate.
    #[error(transparent)]
    Condition(#[from] condition::ConditionError),
}

/// A document that was parsed completely.
#[derive(Clone, Debug)]
pub(crate) struct PolicyDocument {
    statements: Vec<Statement>,
}

#[derive(Clone, Debug)]
struct Statement {
    allows: bool,
    principals: Vec<PrincipalPattern>,
    actions: Globs,
    resources: Globs,
    conditions: Vec<Condition>,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Clone, Debug)]
struct Globs {
    negated: bool,
    patterns: Vec<String>,
}

/// Result of evaluating policies for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PolicyVerdict {
    /// No statement matches (an implicit deny).
    NoMatch,
    /// A statement allows it. What the allow is worth depends on how the principal matched.
    Allow(PrincipalMatch),
    /// A statement denies it (an explicit deny). This overrides any allow.
    Deny,
}

/// The request that policies are evaluated for.
pub(crate) struct EvaluationRequest<'a> {
    /// The caller.
    pub(crate) identity: &'a Identity,
    /// Such as `sts:AssumeRole`.
    pub(crate) action: &'a str,
    /// ARN of the resource.
    pub(crate) resource: &'a str,
    /// The condition keys of the request.
    pub(crate) condition_keys: &'a ConditionKeys,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(item) => vec![item],
            Self::Many(items) => items,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDocument {
    #[serde(rename = "Version")]
    version: Option<String>,
    #[serde(rename = "Id")]
    _id: Option<String>,
    #[serde(rename = "Statement")]
    statement: OneOrMany<RawStatement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct RawStatement {
    #[serde(rename = "Sid")]
    _sid: Option<String>,
    effect: Effect,
    principal: Option<RawPrincipal>,
    action: Option<OneOrMany<String>>,
    not_action: Option<OneOrMany<String>>,
    resource: Option<OneOrMany<String>>,
    not_resource: Option<OneOrMany<String>>,
    #[serde(default)]
    condition: BTreeMap<String, BTreeMap<String, OneOrMany<condition::Literal>>>,
}

#[derive(Deserialize)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawPrincipal {
    Word(String),
    Kinds(BTreeMap<String, OneOrMany<String>>),
}

impl PolicyDocument {
    /// Parses a document.
    ///
    /// # Errors
    /// It isn't a policy of this kind, or this server can't evaluate an element, a condition operator or a condition
    /// key in it.
    pub(crate) fn parse(text: &str, kind: PolicyKind) -> Result<Self, PolicyError> {
        let value: serde_json::Value = serde_json::from_str(text).map_err(PolicyError::Json)?;
        let raw: RawDocument = serde_json::from_value(value).map_err(PolicyError::Shape)?;
        if !matches!(raw.version.as_deref(), None | Some("2012-10-17" | "2008-10-17")) {
            return Err(PolicyError::Rule("the policy's Version must be 2012-10-17 or 2008-10-17".into()));
        }
        let statements =
            raw.statement.into_vec().into_iter().map(|raw| Statement::check(raw, kind)).collect::<Result<_, _>>()?;
        Ok(Self { statements })
    }

    /// Evaluates the document. An explicit deny wins, then the closest match.
    pub(crate) fn evaluate(&self, request: &EvaluationRequest<'_>) -> PolicyVerdict {
        self.statements.iter().map(|statement| statement.evaluate(request)).max().unwrap_or(PolicyVerdict::NoMatch)
    }
}

/// Evaluates several documents together.
pub(crate) fn evaluate(policies: &[PolicyDocument], request: &EvaluationRequest<'_>) -> PolicyVerdict {
    policies.iter().map(|policy| policy.evaluate(request)).max().unwrap_or(PolicyVerdict::NoMatch)
}

impl Statement {
    fn check(raw: RawStatement, kind: PolicyKind) -> Result<Self, PolicyError> {
        let actions = Globs::check("Action", raw.action, raw.not_action)?
            .ok_or_else(|| PolicyError::Rule("a statement needs Action or NotAction".into()))?;
        let resources = Globs::check("Resource", raw.resource, raw.not_resource)?;
        let (principals, resources) = match (kind, raw.principal, resources) {
            (PolicyKind::Identity, None, Some(resources)) => (vec![PrincipalPattern::Anyone], resources),
            (PolicyKind::Identity, Some(_), _) => {
                return Err(PolicyError::Rule("an identity policy can't have a Principal".into()));
            }
            (PolicyKind::Identity, None, None) => {
                return Err(PolicyError::Rule("an identity policy's statement needs Resource".into()));
            }
            (PolicyKind::Trust, Some(principal), None) => (principal.check()?, Globs::everything()),
            (PolicyKind::Trust, None, _) => return Err(PolicyError::Rule("a trust policy needs a Principal".into())),
            (PolicyKind::Trust, Some(_), Some(_)) => {
                return Err(PolicyError::Rule("a trust policy can't have a Resource".into()));
            }
        };
        if let Some(other_action) = actions.patterns.iter().find(|action| !action.to_lowercase().starts_with("sts:"))
            && kind == PolicyKind::Trust
        {
            return Err(PolicyError::Rule(format!("a trust policy may only name STS actions, not `{other_action}`")));
        }
        let mut conditions = Vec::new();
        for (operator, keys) in raw.condition {
            for (key, values) in keys {
                conditions.push(Condition::parse(&operator, &key, values.into_vec())?);
            }
        }
        Ok(Self { allows: matches!(raw.effect, Effect::Allow), principals, actions, resources, conditions })
    }

    fn evaluate(&self, request: &EvaluationRequest<'_>) -> PolicyVerdict {
        let Some(matched) = self.principals.iter().filter_map(|pattern| request.identity.matched_by(pattern)).max()
        else {
            return PolicyVerdict::NoMatch;
        };
        // Actions are case-insensitive, ARNs are case-sensitive.
        let fits = self.actions.fit(&request.action.to_lowercase(), str::to_lowercase)
            && self.resources.fit(request.resource, str::to_owned)
            && self.conditions.iter().all(|condition| condition.holds(request.condition_keys));
        match (fits, self.allows) {
            (false, _) => PolicyVerdict::NoMatch,
            (true, true) => PolicyVerdict::Allow(matched),
            (true, false) => PolicyVerdict::Deny,
        }
    }
}

impl Globs {
    fn everything() -> Self {
        Self { negated: false, patterns: vec!["*".into()] }
    }

    fn check(
        name: &str,
        plain: Option<OneOrMany<String>>,
        not: Option<OneOrMany<String>>,
    ) -> Result<Option<Self>, PolicyError> {
        let (negated, patterns) = match (plain, not) {
            (None, None) => return Ok(None),
            (Some(plain), None) => (false, plain.into_vec()),
            (None, Some(not)) => (true, not.into_vec()),
            (Some(_), Some(_)) => {
                return Err(PolicyError::Rule(format!("a statement can't have both {name} and Not{name}")));
            }
        };
        Ok(Some(Self { negated, patterns }))
    }

    fn fit(&self, text: &str, prepared: impl Fn(&str) -> String) -> bool {
        self.patterns.iter().any(|pattern| glob(&prepared(pattern), text)) != self.negated
    }
}

impl RawPrincipal {
    fn check(self) -> Result<Vec<PrincipalPattern>, PolicyError> {
        let kinds = match self {
            Self::Word(word) if word == "*" => return Ok(vec![PrincipalPattern::Anyone]),
            Self::Word(word) => return Err(PolicyError::Rule(format!("`{word}` is not a Principal"))),
            Self::Kinds(kinds) => kinds,
        };
        let mut patterns = Vec::new();
        for (kind, names) in kinds {
            for name in names.into_vec() {
                patterns.push(match kind.as_str() {
                    "AWS" => PrincipalPattern::parse(&name)
                        .ok_or_else(|| PolicyError::Rule(format!("invalid principal in policy: `{name}`")))?,
                    "Service" | "Federated" | "CanonicalUser" => {
                        PrincipalPattern::External(ExternalPrincipal { kind: kind.clone(), name })
                    }
                    other => return Err(PolicyError::Rule(format!("unknown kind of Principal: `{other}`"))),
                });
            }
        }
        Ok(patterns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_that_are_not_policies_of_their_kind() {
        let trust = |rest: &str| format!(r#"{{"Statement": {{"Effect": "Allow", "Principal": "*", {rest}}}}}"#);
        for (kind, text, expected) in [
            (PolicyKind::Identity, "{nope".to_owned(), "invalid JSON"),
            (PolicyKind::Identity, r#"{"Statements": []}"#.to_owned(), "unknown field `Statements`"),
            (PolicyKind::Identity, r#"{"Version": "2020-01-01", "Statement": []}"#.to_owned(), "Version"),
            (PolicyKind::Identity, r#"{"Statement": {"Effect": "Allow", "Action": "*"}}"#.to_owned(), "needs Resource"),
            (PolicyKind::Identity, trust(r#""Action": "*", "Resource": "*""#), "can't have a Principal"),
            (PolicyKind::Trust, trust(r#""Action": "sts:AssumeRole", "Resource": "*""#), "can't have a Resource"),
            (PolicyKind::Trust, trust(r#""Action": "s3:*""#), "only name STS actions"),
            (PolicyKind::Trust, trust(r#""Action": "sts:*", "NotAction": "sts:*""#), "both Action and NotAction"),
            (PolicyKind::Trust, trust(r#""Sid": "x""#), "needs Action"),
            (
                PolicyKind::Trust,
                r#"{"Statement": {"Effect": "Allow", "Action": "sts:*"}}"#.to_owned(),
                "needs a Principal",
            ),
            (
                PolicyKind::Trust,
                trust(r#""Action": "sts:*"", "Condition": {"X": {"aws:userid": "a"}}"#),
                "invalid JSON",
            ),
            (PolicyKind::Trust, trust(r#""Action": "sts:*", "Condition": {"X": {"aws:userid": "a"}}"#), "operator `X`"),
        ] {
            let error = PolicyDocument::parse(&text, kind).map(drop).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
