//! Which call carries what a project's file asks of a session. A key that no call carries is refused: to drop a
//! restriction silently would hand out more rights than the file says.

use super::{ChainNode, Resolver};
use crate::aws::source::{Source, StaticKeys};
use crate::base::problem::Problem;
use crate::plan::role_plan::{Required, Step};
use crate::project::config::RoleConfig;

/// Why a code can't be sent.
pub(super) const MFA_RULE: &str =
    "STS takes a code only with long-term keys, and MFA isn't passed on from role to role";
/// Where a device belongs.
pub(super) const MFA_HINT: &str = "put mfa_serial on the first role of the chain, beside the profile with the keys";

/// A call that makes a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// `sts:AssumeRole`, the link's own.
    AssumeRole,
    /// `sts:GetSessionToken`, with long-term keys.
    GetSessionToken,
    /// `sts:AssumeRoleWithWebIdentity`, with a token instead of credentials.
    AssumeRoleWithWebIdentity,
}

/// A key of `.awsrole.toml` that is sent with a call. `region` isn't one: it is always exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parameter {
    /// `policy`
    Policy,
    /// `policy_arns`
    PolicyArns,
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
    /// All of them, those that narrow a session first.
    pub(crate) const ALL: [Self; 9] = [
        Self::Policy,
        Self::PolicyArns,
        Self::SessionTags,
        Self::TransitiveSessionTags,
        Self::SourceIdentity,
        Self::ExternalId,
        Self::RoleSessionName,
        Self::DurationSeconds,
        Self::MfaSerial,
    ];

    /// The key's name in the file.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::PolicyArns => "policy_arns",
            Self::SessionTags => "session_tags",
            Self::TransitiveSessionTags => "transitive_session_tags",
            Self::SourceIdentity => "source_identity",
            Self::ExternalId => "external_id",
            Self::RoleSessionName => "role_session_name",
            Self::DurationSeconds => "duration_seconds",
            Self::MfaSerial => "mfa_serial",
        }
    }

    /// What STS calls it, for messages.
    fn noun(self) -> &'static str {
        match self {
            Self::Policy | Self::PolicyArns => "session policy",
            Self::SessionTags | Self::TransitiveSessionTags => "session tags",
            Self::SourceIdentity => "source identity",
            Self::ExternalId => "external ID",
            Self::RoleSessionName => "session name",
            Self::DurationSeconds => "duration",
            Self::MfaSerial => "MFA code",
        }
    }

    /// Whether a file asks for it. An empty list asks for nothing: in a `[role.NAME]` it takes back what is set at
    /// top level.
    fn is_set(self, keys: &RoleConfig) -> bool {
        match self {
            Self::Policy => keys.policy.is_some(),
            Self::PolicyArns => keys.policy_arns.as_ref().is_some_and(|arns| !arns.is_empty()),
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

/// The session that a link asks for, before its own calls are added to the way.
pub(crate) struct Asked<'a> {
    /// Whose credentials come first.
    pub(crate) source: &'a Source,
    /// The calls before the link's own.
    pub(crate) before: &'a [Step],
    /// Whether the link assumes a role by AssumeRole.
    pub(crate) assumes: bool,
    /// Whether the role is to last for more than an hour: then a code goes into the role's own call.
    pub(crate) long: bool,
}

impl Asked<'_> {
    /// Returns the call that carries a parameter, or `None` if nobody does.
    ///
    /// The one place that decides it: the plan is made of what it says, and the file is refused for the rest.
    pub(crate) fn carrier(&self, parameter: Parameter) -> Option<Call> {
        use Parameter::{DurationSeconds, MfaSerial, Policy, PolicyArns, RoleSessionName};
        match (self.own_call()?, parameter) {
            (Call::AssumeRole, MfaSerial) => match self.before {
                _ if self.is_chained() || !self.source.may_use_mfa() => None,
                [] if self.long => Some(Call::AssumeRole),
                _ => Some(Call::GetSessionToken),
            },
            (Call::AssumeRole, _) => Some(Call::AssumeRole),
            (Call::GetSessionToken, DurationSeconds | MfaSerial) => Some(Call::GetSessionToken),
            (Call::AssumeRoleWithWebIdentity, Policy | PolicyArns | RoleSessionName | DurationSeconds) => {
                Some(Call::AssumeRoleWithWebIdentity)
            }
            (Call::GetSessionToken | Call::AssumeRoleWithWebIdentity, _) => None,
        }
    }

    /// Returns the call that makes the session; `None` if it is somebody else's, who was asked for no session but this.
    pub(crate) fn own_call(&self) -> Option<Call> {
        match (self.source, self.before) {
            _ if self.assumes => Some(Call::AssumeRole),
            (Source::WebIdentity(_), []) => Some(Call::AssumeRoleWithWebIdentity),
            (source, []) if source.is_long_term() => Some(Call::GetSessionToken),
            // What a process gives may be long-term keys: the call is left out if they aren't.
            (source, []) if source.may_use_mfa() => Some(Call::GetSessionToken),
            _ => None,
        }
    }

    /// Whether another role's session makes the call: MFA isn't passed on to it.
    pub(crate) fn is_chained(&self) -> bool {
        self.before.iter().any(|step| matches!(step, Step::AssumeRole(_)))
    }

    /// Why nobody carries a parameter, in words that follow the key's name.
    fn because(&self, parameter: Parameter) -> String {
        let noun = parameter.noun();
        if parameter == Parameter::MfaSerial {
            let who = if self.is_chained() { "another role's session" } else { "temporary credentials" };
            return format!("{who} can't use an MFA device");
        }
        if !self.before.is_empty() {
            return format!("the session is the source's own, and no call is made that takes a {noun}");
        }
        match self.source {
            Source::IdentityCenter(role) => {
                format!("the session of profile {} comes from IAM Identity Center, which takes no {noun}", role.profile)
            }
            Source::ConsoleLogin(login) => {
                format!("the session of profile {} comes from `aws login`, which takes no {noun}", login.profile)
            }
            Source::Process(process) => {
                format!(
                    "the session of profile {} comes from its credential_process, which takes no {noun}",
                    process.profile
                )
            }
            Source::WebIdentity(token) => {
                format!("AssumeRoleWithWebIdentity, which opens the role of profile {}, takes no {noun}", token.profile)
            }
            Source::Instance { .. } => format!("the session comes from EC2 instance metadata, which take no {noun}"),
            Source::Container { .. } => {
                format!("the session comes from the container's endpoint, which takes no {noun}")
            }
            Source::StaticKeys(keys @ StaticKeys { session_token: Some(_), .. }) => {
                format!("the keys of {} are a session already, and no call is made that takes a {noun}", keys.holder)
            }
            Source::StaticKeys(_) | Source::StoredKeys(_) => {
                format!("no role is assumed, and GetSessionToken takes no {noun}")
            }
        }
    }
}

impl Resolver<'_> {
    /// Refuses a file that asks for what no call carries.
    pub(super) fn refuse_uncarried(&self, link: &ChainNode<'_>, asked: &Asked<'_>) -> Result<(), Problem> {
        let Some(uncarried) = Parameter::ALL
            .into_iter()
            .find(|parameter| self.asks_for(link, *parameter) && asked.carrier(*parameter).is_none())
        else {
            return Ok(());
        };
        let key = uncarried.key();
        let problem =
            Problem::new(format!("{}: {key} can't be sent: {}", self.origin(link, key), asked.because(uncarried)));
        if uncarried == Parameter::MfaSerial {
            return Err(problem.because(MFA_RULE).hint(MFA_HINT));
        }
        Err(problem
            .hint(format!("add a `role_arn` that this session assumes: AssumeRole takes `{key}`"))
            .hint(format!("or remove `{key}` if the session may do without")))
    }

    /// What a file asks of a call that may turn out not to be made.
    pub(super) fn required(&self, link: &ChainNode<'_>, parameters: &[Parameter]) -> Vec<Required> {
        let asked = parameters.iter().filter(|parameter| self.asks_for(link, **parameter));
        asked.map(|asked| Required { key: asked.key(), origin: self.origin(link, asked.key()) }).collect()
    }

    /// Whether a link of the project's file asks for a parameter. What is set at top level is asked of the role that
    /// is entered: a role on the way to it needs to carry only what its own table says.
    fn asks_for(&self, link: &ChainNode<'_>, parameter: Parameter) -> bool {
        let Some(role) = &link.in_file else { return false };
        parameter.is_set(&link.keys) && (!link.on_the_way || self.config.sets_itself(role.as_deref(), parameter.key()))
    }
}

#[cfg(test)]
mod tests;
