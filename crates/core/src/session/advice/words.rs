//! Reads AWS's messages about denied calls (IAM User Guide, "Troubleshoot access denied error messages" and
//! "Troubleshoot access denied error messages with authorization ID").

/// The text before an encoded message.
const ENCODED: &str = "Encoded authorization failure message: ";

/// The text between the caller and the action.
const NOT_AUTHORIZED: &str = " is not authorized to perform: ";

/// A message about a denied call, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Denial<'m> {
    /// The caller's ARN.
    pub(super) caller: Option<&'m str>,
    /// The denied action: sts:AssumeRole, or one that AssumeRole includes, such as sts:TagSession.
    pub(super) action: Option<&'m str>,
    /// The policies that denied the call, if AWS names them.
    pub(super) reason: Option<DenialReason>,
    /// The reason in AWS's words, or the whole message if it has another form.
    pub(super) words: &'m str,
    /// The ID with which AWS shows how it evaluated the policies.
    pub(super) authorization_id: Option<&'m str>,
}

/// The policies that denied a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DenialReason {
    /// The kind of policy.
    pub(super) kind: PolicyKind,
    /// Whether a statement denies the call. Otherwise no statement allows it.
    pub(super) explicit: bool,
}

/// A kind of policy, as AWS names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PolicyKind {
    /// A policy of the caller.
    Identity,
    /// The trust policy of the role.
    Trust,
    /// The caller's permissions boundary.
    Boundary,
    /// A policy of the caller's organization.
    ServiceControl,
    /// A policy of the role's organization.
    ResourceControl,
    /// The policy of the caller's session.
    Session,
    /// The policy of the VPC endpoint that was called.
    VpcEndpoint,
}

impl<'m> Denial<'m> {
    /// Reads a message. All its parts are optional.
    pub(super) fn parse(message: &'m str) -> Self {
        let (caller, rest) = match message.split_once(NOT_AUTHORIZED) {
            Some((caller, rest)) => (caller.split_whitespace().next_back(), Some(rest)),
            None => (None, None),
        };
        let (action, words) = match rest {
            Some(rest) => {
                let (action, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                let after = after
                    .strip_prefix("on resource: ")
                    .map_or(after, |after| after.split_once(char::is_whitespace).map_or("", |(_, after)| after));
                (Some(action), after)
            }
            None => (None, message),
        };
        Self {
            caller: caller.filter(|caller| caller.starts_with("arn:")),
            action: action.map(|action| action.trim_end_matches('.')),
            reason: reason(words),
            words: without_link(words),
            authorization_id: authorization_id(message),
        }
    }

    /// Returns the reason in AWS's words, as short as possible.
    pub(super) fn shown(&self) -> String {
        if encoded(self.words).is_some() {
            return "AWS encoded the reason: decoding it needs sts:DecodeAuthorizationMessage".to_owned();
        }
        // The caller, the action and the role are named anyway.
        if let Some((verdict, rest)) = self.words.split_once(" for arn:").filter(|_| self.words.contains("decoded: ")) {
            return format!("{verdict}{}", rest.find(';').map_or("", |at| &rest[at..]));
        }
        let words = self.words.trim().trim_end_matches('.');
        let words = words.strip_prefix("because ").or_else(|| words.strip_prefix("with an ")).unwrap_or(words);
        words.to_owned()
    }
}

/// Returns the policies that a message names.
fn reason(words: &str) -> Option<DenialReason> {
    let words = words.to_ascii_lowercase();
    let (explicit, named) = match (words.split_once("explicit deny in "), words.split_once("because no ")) {
        (Some((_, named)), _) => (true, named),
        (None, Some((_, named))) => (false, named),
        (None, None) => return None,
    };
    [
        ("identity-based polic", PolicyKind::Identity),
        ("trust polic", PolicyKind::Trust),
        // This is how AWS has named trust policies, too.
        ("resource-based polic", PolicyKind::Trust),
        ("permissions boundar", PolicyKind::Boundary),
        ("service control polic", PolicyKind::ServiceControl),
        ("resource control polic", PolicyKind::ResourceControl),
        ("session polic", PolicyKind::Session),
        ("vpc endpoint polic", PolicyKind::VpcEndpoint),
    ]
    .into_iter()
    .filter_map(|(name, kind)| Some((named.find(name)?, kind)))
    .min_by_key(|(place, _)| *place)
    .map(|(_, kind)| DenialReason { kind, explicit })
}

/// Cuts off the sentence with a link to the console and the authorization ID.
fn without_link(words: &str) -> &str {
    words.split_once("Go to https://").map_or(words, |(words, _)| words).trim()
}

fn authorization_id(message: &str) -> Option<&str> {
    const LABEL: &str = "authorization id:";
    let at = message.to_ascii_lowercase().find(LABEL)?;
    let id = message.get(at + LABEL.len()..)?.trim_start();
    let id = id.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
    (!id.is_empty()).then_some(id)
}

/// Returns the encoded part of a message.
pub(crate) fn encoded(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once(ENCODED)?;
    rest.split_whitespace().next()
}

/// Replaces the encoded part of a message with the decoded reason. Returns `None` if `json` doesn't have the expected
/// structure.
pub(crate) fn with_reason(message: &str, json: &str) -> Option<String> {
    let reason: serde_json::Value = serde_json::from_str(json).ok()?;
    let context = reason.get("context")?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("?").to_owned();
    let verdict = if reason["explicitDeny"] == true { "explicit deny" } else { "no policy allows it" };
    let statements = reason["matchedStatements"]["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ids: Vec<String> =
        statements.iter().map(|item| text(&item["statementId"])).filter(|id| !id.is_empty()).collect();
    let matched = if ids.is_empty() { String::new() } else { format!(" by the statement {}", ids.join(", ")) };
    let conditions = context["conditions"]["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let seen: Vec<String> = conditions
        .iter()
        .map(|item| {
            let values = item["values"]["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            let values: Vec<String> = values.iter().map(|value| text(&value["value"])).collect();
            format!("{} = {}", text(&item["key"]), values.join(" "))
        })
        .collect();
    let seen = if seen.is_empty() { String::new() } else { format!("; the conditions evaluated {}", seen.join(", ")) };
    let decoded = format!(
        "decoded: {verdict}{matched} for {}, {} on {}{seen}",
        text(&context["principal"]["arn"]),
        text(&context["action"]),
        text(&context["resource"])
    );
    Some(message.replace(&format!("{ENCODED}{}", encoded(message)?), &decoded))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: &str = "User: arn:aws:iam::111111111111:user/alice is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::222222222222:role/Plain";

    #[test]
    fn recognises_every_documented_form() {
        use PolicyKind::{Boundary, Identity, ResourceControl, ServiceControl, Session, Trust, VpcEndpoint};
        let names = [
            ("identity-based policy", Identity),
            ("resource-based policy", Trust),
            ("role trust policy", Trust),
            ("permissions boundary", Boundary),
            ("service control policy", ServiceControl),
            ("resource control policy", ResourceControl),
            ("session policy", Session),
            ("VPC endpoint policy", VpcEndpoint),
        ];
        for (name, kind) in names {
            let link = "Go to https://us-east-1.console.aws.amazon.com/iam/home?region=us-east-1#/authorization-details/a1b2 for complete details, or call the GetRequestAuthorizationDetails API with the following authorization id: a1b2";
            for (words, explicit, shown) in [
                (format!("because no {name} allows the sts:AssumeRole action"), false, None),
                (format!("with an explicit deny in a {name}"), true, None),
                (format!("with an explicit deny in the {name}"), true, None),
                (format!("with an explicit deny in an {name}: arn:aws:iam::1:policy/P. {link}"), true, Some("a1b2")),
            ] {
                let message = format!("{WHO} {words}");
                let denial = Denial::parse(&message);
                assert_eq!(denial.reason, Some(DenialReason { kind, explicit }), "{message}");
                assert_eq!(denial.caller, Some("arn:aws:iam::111111111111:user/alice"));
                assert_eq!((denial.action, denial.authorization_id), (Some("sts:AssumeRole"), shown));
                assert!(!denial.shown().contains("https://") && denial.shown().contains(name), "{}", denial.shown());
            }
        }
    }

    #[test]
    fn reads_messages_without_a_reason() {
        let denial = Denial::parse(WHO);
        assert_eq!((denial.reason, denial.words, denial.action), (None, "", Some("sts:AssumeRole")));
        let denial = Denial::parse("no");
        assert_eq!((denial.caller, denial.action, denial.shown()), (None, None, "no".to_owned()));
        let encoded = format!("{WHO}. {ENCODED}abcdef");
        let decoded = format!(
            "{WHO}. decoded: explicit deny by the statement A for arn:aws:iam::1:user/x, sts:AssumeRole on y; b = c"
        );
        assert_eq!(Denial::parse(&decoded).shown(), "decoded: explicit deny by the statement A; b = c");
        assert!(Denial::parse(&encoded).shown().starts_with("AWS encoded the reason"));
        assert_eq!(
            Denial::parse("User: x is not authorized to perform: sts:TagSession").action,
            Some("sts:TagSession")
        );
    }
}
