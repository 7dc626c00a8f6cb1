//! Who calls, and which `Principal` of a policy means them.

/// A `Principal` as a trust policy names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PrincipalPattern {
    /// `"*"`.
    Anyone,
    /// An account's root ARN or its bare number: the account decides who of its identities may.
    Account(String),
    /// The ARN of a user, a role or a role's session.
    Arn(String),
    /// Someone who is no identity of any account.
    External(ExternalPrincipal),
}

/// A service or an identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExternalPrincipal {
    /// As policies name it: `Service`, `Federated` or `CanonicalUser`.
    pub(crate) kind: String,
    /// `ec2.amazonaws.com`, or a provider's ARN.
    pub(crate) name: String,
}

impl ExternalPrincipal {
    /// An AWS service.
    pub(crate) fn service(name: &str) -> Self {
        Self { kind: "Service".into(), name: name.to_owned() }
    }

    /// An identity provider.
    pub(crate) fn federated(arn: &str) -> Self {
        Self { kind: "Federated".into(), name: arn.to_owned() }
    }
}

/// How closely a principal was meant; the closest one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PrincipalMatch {
    /// Through the account: the identity's own policies decide.
    Account,
    /// The user or role itself; within an account that suffices.
    Named,
    /// The one session: its session policies don't narrow this.
    Session,
}

/// A caller as policies see it.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// Twelve digits.
    pub(crate) account: String,
    /// The user's ARN, or that of the session.
    pub(crate) arn: String,
    /// The user's ARN, or that of the session's role.
    pub(crate) principal_arn: String,
    /// Set for those who aren't a user or a role; they are meant by nothing but their own name.
    pub(crate) outside: Option<ExternalPrincipal>,
}

impl PrincipalPattern {
    /// Reads a value of `"Principal": {"AWS": …}`; wildcards within ARNs are as forbidden as at AWS.
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
    /// How closely a pattern means this caller, if at all.
    pub(crate) fn matched_by(&self, pattern: &PrincipalPattern) -> Option<PrincipalMatch> {
        if let Some(outside) = &self.outside {
            return matches!(pattern, PrincipalPattern::External(meant) if meant == outside)
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

/// Twelve digits.
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
