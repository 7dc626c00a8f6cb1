//! Decides which call sends each session parameter of a project file.
//!
//! A parameter that no call sends is an error: ignoring a restriction would grant more permissions than the file says.

use super::{ChainNode, Resolver};
use crate::aws::source::{Source, StaticKeys};
use crate::base::problem::Problem;
use crate::plan::role_plan::{Required, Step};
use crate::project::config::RoleConfig;

/// Why a code can't be sent.
pub(super) const MFA_RULE: &str =
    "STS accepts a code only with long-lived keys, and MFA doesn't persist across role chaining";
/// Where to set the MFA device.
pub(super) const MFA_HINT: &str =
    "set mfa_serial on the first role of the chain, whose source is the profile with the keys";

/// A call that creates a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// `sts:AssumeRole`, made by the node itself.
    AssumeRole,
    /// `sts:GetSessionToken`, with long-lived keys.
    GetSessionToken,
    /// `sts:AssumeRoleWithWebIdentity`, with a token instead of credentials.
    AssumeRoleWithWebIdentity,
    /// `sts:GetScopedCredentials`, with the session that the source or the calls before return.
    GetScopedCredentials,
}

/// A key of `.awsrole.toml` that is sent with a call. `region` isn't included because it is always exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parameter {
    /// `policy`
    Policy,
    /// `policy_arns`
    PolicyArns,
    /// `preset`
    Preset,
    /// `session_tags`
    SessionTags,
    /// `transitive_session_tags`
    TransitiveSessionTags,
    /// `source_identity`
    SourceIdentity,
    /// `external_id`
    ExternalId,
    /// `role_session_name`
    RoleSessionName,
    /// `duration_seconds`
    DurationSeconds,
    /// `mfa_serial`
    MfaSerial,
}

impl Parameter {
    /// All parameters, those that restrict a session first.
    pub(crate) const ALL: [Self; 10] = [
        Self::Policy,
        Self::PolicyArns,
        Self::Preset,
        Self::SessionTags,
        Self::TransitiveSessionTags,
        Self::SourceIdentity,
        Self::ExternalId,
        Self::RoleSessionName,
        Self::DurationSeconds,
        Self::MfaSerial,
    ];

    /// The parameters that limit what a session may do.
    pub(crate) const POLICIES: [Self; 3] = [Self::Policy, Self::PolicyArns, Self::Preset];

    /// Returns the key's name in the file.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::PolicyArns => "policy_arns",
            Self::Preset => "preset",
            Self::SessionTags => "session_tags",
            Self::TransitiveSessionTags => "transitive_session_tags",
            Self::SourceIdentity => "source_identity",
            Self::ExternalId => "external_id",
            Self::RoleSessionName => "role_session_name",
            Self::DurationSeconds => "duration_seconds",
            Self::MfaSerial => "mfa_serial",
        }
    }

    /// Returns the name that STS uses, for messages.
    fn noun(self) -> &'static str {
        match self {
            Self::Policy | Self::Preset => "session policy",
            Self::PolicyArns => "managed session policy",
            Self::SessionTags | Self::TransitiveSessionTags => "session tags",
            Self::SourceIdentity => "source identity",
            Self::ExternalId => "external ID",
            Self::RoleSessionName => "session name",
            Self::DurationSeconds => "duration",
            Self::MfaSerial => "MFA code",
        }
    }

    /// Returns whether a file requests the parameter. An empty list requests nothing: in a `[role.NAME]` it clears the
    /// value from the top level.
    fn is_set(self, keys: &RoleConfig) -> bool {
        match self {
            Self::Policy => keys.policy.is_some(),
            Self::PolicyArns => keys.policy_arns.as_ref().is_some_and(|arns| !arns.is_empty()),
            Self::Preset => keys.preset.is_some(),
            Self::SessionTags => keys.session_tags.as_ref().is_some_and(|tags| !tags.is_empty()),
            Self::TransitiveSessionTags => keys.transitive_session_tags.as_ref().is_some_and(|tags| !tags.is_empty()),
            Self::SourceIdentity => keys.source_identity.is_some(),
            Self::ExternalId => keys.external_id.is_some(),
            Self::RoleSessionName => keys.role_session_name.is_some(),
            Self::DurationSeconds => keys.duration_seconds.is_some(),
            Self::MfaSerial => keys.mfa_serial.is_some(),
        }
    }
}

/// The session that a node requests, before its own call is added to the chain.
pub(crate) struct RequestedSession<'a> {
    /// The source of the initial credentials.
    pub(crate) source: &'a Source,
    /// The calls before the node's own.
    pub(crate) before: &'a [Step],
    /// Whether the node assumes a role with AssumeRole.
    pub(crate) assumes: bool,
    /// Whether the requested duration exceeds one hour. The MFA code is then sent with AssumeRole itself.
    pub(crate) long: bool,
}

impl RequestedSession<'_> {
    /// Returns the call that sends a parameter, or `None` if no call does.
    ///
    /// This is the only place that decides it. The plan follows this result, and a file with any other parameter is
    /// rejected.
    pub(crate) fn carrier(&self, parameter: Parameter) -> Option<Call> {
        use Parameter::{DurationSeconds, MfaSerial, Policy, PolicyArns, Preset, RoleSessionName};
        match (self.own_call(), parameter) {
            (Some(Call::AssumeRole), MfaSerial) => match self.before {
                _ if self.is_chained() || !self.source.may_use_mfa() => None,
                [] if self.long => Some(Call::AssumeRole),
                _ => Some(Call::GetSessionToken),
            },
            (Some(Call::AssumeRole), _) => Some(Call::AssumeRole),
            (Some(Call::GetSessionToken), DurationSeconds | MfaSerial) => Some(Call::GetSessionToken),
            (
                Some(Call::AssumeRoleWithWebIdentity),
                Policy | PolicyArns | Preset | RoleSessionName | DurationSeconds,
            ) => Some(Call::AssumeRoleWithWebIdentity),
            // It can't send `policy_arns`. It can only shorten a session, and `duration_seconds` asks for a duration.
            (_, Policy | Preset) => Some(Call::GetScopedCredentials),
            _ => None,
        }
    }

    /// Returns the call that creates the session, or `None` if the source's session is used unchanged.
    pub(crate) fn own_call(&self) -> Option<Call> {
        match (self.source, self.before) {
            _ if self.assumes => Some(Call::AssumeRole),
            (Source::WebIdentity(_), []) => Some(Call::AssumeRoleWithWebIdentity),
            (source, []) if source.is_long_term() => Some(Call::GetSessionToken),
            // A `credential_process` may return long-lived keys. If it doesn't, the call is skipped.
            (source, []) if source.may_use_mfa() => Some(Call::GetSessionToken),
            _ => None,
        }
    }

    /// Returns whether the caller is another role's session, which can't use MFA.
    pub(crate) fn is_chained(&self) -> bool {
        self.before.iter().any(|step| matches!(step, Step::AssumeRole(_)))
    }

    /// Returns why no call sends a parameter, in words that follow the key's name.
    fn because(&self, parameter: Parameter) -> String {
        let noun = parameter.noun();
        if parameter == Parameter::MfaSerial {
            let who = if self.is_chained() { "another role's session" } else { "temporary credentials" };
            return format!("{who} can't use an MFA device");
        }
        if !self.before.is_empty() {
            return format!("the session is the source's own, and no call with a {noun} is made");
        }
        match self.source {
            Source::IdentityCenter(role) => {
                format!("the session of {role} comes from IAM Identity Center, which accepts no {noun}")
            }
            Source::ConsoleLogin(login) => {
                format!("the session of profile {} comes from `aws login`, which accepts no {noun}", login.profile)
            }
            Source::Process(process) => {
                format!(
                    "the session of profile {} comes from its credential_process, which accepts no {noun}",
                    process.profile
                )
            }
            Source::WebIdentity(token) => {
                format!(
                    "AssumeRoleWithWebIdentity, which assumes the role of profile {}, accepts no {noun}",
                    token.profile
                )
            }
            Source::Instance { .. } => format!("the session comes from EC2 instance metadata, which accepts no {noun}"),
            Source::Container { .. } => {
                format!("the session comes from the container's endpoint, which accepts no {noun}")
            }
            Source::StaticKeys(keys @ StaticKeys { session_token: Some(_), .. }) => {
                format!("the keys of {} are already a session, and no call with a {noun} is made", keys.holder)
            }
            Source::StaticKeys(_) | Source::StoredKeys(_) => {
                format!("no role is assumed, and GetSessionToken accepts no {noun}")
            }
        }
    }
}

impl Resolver<'_> {
    /// Returns an error if a file requests a parameter that no call sends, or two policies instead of one.
    pub(super) fn refuse_uncarried(&self, node: &ChainNode<'_>, asked: &RequestedSession<'_>) -> Result<(), Problem> {
        let policy = [Parameter::Policy, Parameter::PolicyArns].into_iter().find(|policy| policy.is_set(&node.keys));
        if let (Some(_), Some(preset), Some(policy)) = (&node.in_file, node.keys.preset, policy) {
            let (at, key) = (self.origin(node, "preset"), policy.key());
            return Err(Problem::new(format!("{at}: `preset` and `{key}` exclude each other"))
                .because(format!("one call sends them, and STS allows what either {} or `{key}` allows", preset.name()))
                .hint(format!("remove one of them. `{key}` is set in {}", self.origin(node, key))));
        }
        let Some(uncarried) = Parameter::ALL
            .into_iter()
            .find(|parameter| self.asks_for(node, *parameter) && asked.carrier(*parameter).is_none())
        else {
            return Ok(());
        };
        let key = uncarried.key();
        let problem =
            Problem::new(format!("{}: cannot send {key}: {}", self.origin(node, key), asked.because(uncarried)));
        if uncarried == Parameter::MfaSerial {
            return Err(problem.because(MFA_RULE).hint(MFA_HINT));
        }
        let problem = match uncarried {
            Parameter::PolicyArns => problem.hint("use `policy` or `preset`, which GetScopedCredentials sends"),
            _ => problem,
        };
        Err(problem
            .hint(format!("add a `role_arn` that this session assumes: AssumeRole accepts `{key}`"))
            .hint(format!("or remove `{key}` if the session doesn't need it")))
    }

    /// Returns the parameters that a file requires of a call that may be skipped.
    pub(super) fn required(&self, node: &ChainNode<'_>, parameters: &[Parameter]) -> Vec<Required> {
        let asked = parameters.iter().filter(|parameter| self.asks_for(node, **parameter));
        asked.map(|asked| Required { key: asked.key(), origin: self.origin(node, asked.key()) }).collect()
    }

    /// Returns whether a node of the project file requests a parameter.
    ///
    /// Keys at top level apply to the last role of the chain. A role earlier in the chain needs to send only what its
    /// own table contains.
    pub(super) fn asks_for(&self, node: &ChainNode<'_>, parameter: Parameter) -> bool {
        let Some(role) = &node.in_file else { return false };
        parameter.is_set(&node.keys)
            && (!node.is_intermediate || self.config.sets_itself(role.as_deref(), parameter.key()))
    }
}

#[cfg(test)]
mod tests;
