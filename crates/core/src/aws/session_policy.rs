//! Session policies: what a session may do at most.

use serde::Serialize;

use crate::aws::invalid::{OutOfRange, check_length};
use crate::base::location::Origin;

/// The largest policy in characters, for AssumeRole together with the ARNs (STS API Reference, `AssumeRole` and
/// `GetScopedCredentials`).
pub const MAX_POLICY: usize = 2048;

/// The setting that a limit of a session comes from, for display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitedBy {
    /// The name of the setting, such as `policy` or `preset read-only`.
    pub setting: String,
    /// The location of the setting.
    pub origin: Origin,
}

impl LimitedBy {
    /// Returns the setting with its location.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{} ({})", self.setting, self.origin)
    }
}

/// A session policy and managed policy ARNs, which limit the permissions of the session.
///
/// The policy is a JSON object. Policy and ARNs have at most 2048 characters together, and there are at most ten ARNs.
/// What they allow is added up: the session may do what one of them allows and none denies. STS's packed limit can't be
/// computed here (`PackedPolicyTooLarge`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SessionPolicy {
    /// The inline policy: JSON without unnecessary white space.
    pub inline: Option<String>,
    /// The ARNs of managed policies.
    pub arns: Vec<String>,
    /// The settings that the policies come from. They aren't sent and aren't part of a cache key.
    #[serde(skip)]
    pub limited_by: Vec<LimitedBy>,
}

impl SessionPolicy {
    /// Checks the policy and the ARNs together.
    pub fn parse(inline: Option<&str>, arns: &[String]) -> Result<Self, OutOfRange> {
        let inline = inline.map(compact).transpose()?;
        for arn in arns {
            check_length(arn, 20, 2048)?;
            if !(arn.starts_with("arn:") && arn.contains(":policy/")) {
                return Err(OutOfRange::new(arn, "isn't the ARN of a managed policy (arn:aws:iam::aws:policy/NAME)"));
            }
        }
        if arns.len() > 10 {
            return Err(OutOfRange::new("policy_arns", "must not be more than 10"));
        }
        let length =
            inline.as_deref().map_or(0, |p| p.chars().count()) + arns.iter().map(|a| a.chars().count()).sum::<usize>();
        if length > MAX_POLICY {
            return Err(OutOfRange::new(
                "policy",
                format!("and `policy_arns` must have at most {MAX_POLICY} characters together, but have {length}"),
            ));
        }
        Ok(Self { inline, arns: arns.to_vec(), limited_by: Vec::new() })
    }

    /// Returns whether there is neither a policy nor an ARN, so that the session isn't limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inline.is_none() && self.arns.is_empty()
    }
}

/// Returns a policy as JSON without white space. Characters above U+00FF, which STS rejects, are escaped.
fn compact(policy: &str) -> Result<String, OutOfRange> {
    let compact = match serde_json::from_str::<serde_json::Value>(policy) {
        Ok(value @ serde_json::Value::Object(_)) => value.to_string(),
        Ok(_) => return Err(OutOfRange::new(policy, "isn't a policy: a JSON object is expected")),
        Err(e) => return Err(OutOfRange::new(policy, format!("isn't JSON: {e}"))),
    };
    let mut units = [0; 2];
    Ok(compact.chars().fold(String::with_capacity(compact.len()), |mut text, c| {
        match c {
            '\0'..='\u{ff}' => text.push(c),
            _ => text.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}"))),
        }
        text
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_policies_and_arns_together() {
        let read_only = "arn:aws:iam::aws:policy/ReadOnlyAccess".to_owned();
        let parse = SessionPolicy::parse;
        assert!(parse(Some("{}"), std::slice::from_ref(&read_only)).is_ok() && parse(None, &[]).unwrap().is_empty());
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_POLICY));
        let many = vec![read_only; 11];
        for (result, part) in [
            (parse(Some("[]"), &[]), "object"),
            (parse(Some("{nope"), &[]), "JSON"),
            (parse(Some(&long), &[]), "2048"),
            (parse(None, &many), "10"),
            (parse(None, &["arn:aws:iam::aws:role/ReadOnly".to_owned()]), "managed policy"),
        ] {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(part), "{error} should say {part}");
        }
    }

    #[test]
    fn sends_only_characters_that_sts_accepts() {
        let policy = SessionPolicy::parse(Some("{ \"a\": \"ü→\u{1f600}\" }"), &[]).unwrap().inline.unwrap();
        assert_eq!(policy, r#"{"a":"ü\u2192\ud83d\ude00"}"#);
        let value: serde_json::Value = serde_json::from_str(&policy).unwrap();
        assert_eq!(value["a"], "ü→\u{1f600}");
    }
}
