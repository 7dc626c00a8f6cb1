//! Principals in policies, and which callers they match.

/// A `Principal` of a trust policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PrincipalPattern {
    /// `"*"`.
    Anyone,
    /// An account's root ARN or its number. The account's own policies decide which of its identities are allowed.
    Account(String),
    /// ARN of a user, a role or a role session.
    Arn(String),
    /// A principal that isn't an identity of an account.
    External(ExternalPrincipal),
}

/// A service or an identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExternalPrincipal {
    /// Type in the policy: `Service`, `Federated` or `CanonicalUser`.
    pub(crate) kind: String,
    /// A service name such as `ec2.amazonaws.com`, or a provider's ARN.
    pub(crate) name: String,
}

impl ExternalPrincipal {
    /// Returns the principal of an AWS service.
    pub(crate) fn service(name: &str) -> Self {
        Self { kind: "Service".into(), name: name.to_owned() }
    }

    /// Returns the principal of an identity provider.
    pub(crate) fn federated(arn: &str) -> Self {
        Self { kind: "Federated".into(), name: arn.to_owned() }
    }
}

/// How a principal matched a caller, from the widest to the closest match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PrincipalMatch {
    /// By its account. The caller's identity-based policies must allow the action, too.
    Account,
    /// By the user or role. Within the account this suffices.
    Named,
    /// By the role session. Its session policies don't restrict this.
    Session,
}

/// The caller as policies see it.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// Account ID.
    pub(crate) account: String,
    /// ARN of the user or of the role session.
    pub(crate) arn: String,
    /// ARN of the user or of the session's role.
    pub(crate) principal_arn: String,
    /// Set for services and identity providers. Only their own name matches them.
    pub(crate) external: Option<ExternalPrincipal>,
}

impl PrincipalPattern {
    /// Parses a value of `"Principal": {"AWS": …}`. Wildcards within ARNs are invalid, as at AWS.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Anyone);
        }
        if is_account(text) {
            return Some(Self::Account(text.to_owned()));
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, service, "", account, resource] = parts[..] else {
            return None;
        };
        if partition.is_empty() || !is_account(account) || text.contains(['*', '?']) {
            return None;
        }
        match (service, resource.split_once('/')) {
            ("iam", None) if resource == "root" => Some(Self::Account(account.to_owned())),
            ("iam", Some(("user" | "role", name))) if !name.is_empty() => Some(Self::Arn(text.to_owned())),
            ("sts", Some(("assumed-role", name))) if name.contains('/') => Some(Self::Arn(text.to_owned())),
            _ => None,
        }
    }
}

impl Identity {
    /// Returns how a principal matches this caller, or `None` if it doesn't match.
    pub(crate) fn matched_by(&self, pattern: &PrincipalPattern) -> Option<PrincipalMatch> {
        if let Some(external) = &self.external {
            return matches!(pattern, PrincipalPattern::External(named) if named == external)
                .then_some(PrincipalMatch::Named);
        }
        match pattern {
            PrincipalPattern::Anyone => Some(PrincipalMatch::Named),
            PrincipalPattern::Account(account) => (*account == self.account).then_some(PrincipalMatch::Account),
            PrincipalPattern::Arn(arn) if *arn == self.principal_arn => Some(PrincipalMatch::Named),
            PrincipalPattern::Arn(arn) => (*arn == self.arn).then_some(PrincipalMatch::Session),
            PrincipalPattern::External(_) => None,
        }
    }
}

/// Returns whether a text is an account ID: twelve digits.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_as_policies_name_them() {
        let arn = |text: &str| Some(PrincipalPattern::Arn(text.to_owned()));
        let account = Some(PrincipalPattern::Account("111111111111".into()));
        for (text, expected) in [
            ("*", Some(PrincipalPattern::Anyone)),
            ("111111111111", account.clone()),
            ("arn:aws:iam::111111111111:root", account),
            ("arn:aws:iam::111111111111:user/a/b", arn("arn:aws:iam::111111111111:user/a/b")),
            ("arn:aws:sts::111111111111:assumed-role/R/s", arn("arn:aws:sts::111111111111:assumed-role/R/s")),
            ("arn:aws:sts::111111111111:assumed-role/R", None),
            ("arn:aws:iam::111111111111:user/*", None),
            ("arn:aws:iam::x:user/a", None),
            ("arn:aws:iam::111111111111:group/g", None),
            ("alice", None),
        ] {
            assert_eq!(PrincipalPattern::parse(text), expected, "{text}");
        }
    }
}
