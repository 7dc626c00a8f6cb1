//! The steps from a source to a role, made from an allowed config and the AWS files, with every value checked.
//!
//! Making a plan doesn't call AWS. Later stages work on the types of this module. [`crate::plan::resolve`] follows the
//! chain of profiles.

use std::borrow::Cow;
use std::time::SystemTime;

use serde::Serialize;

use crate::aws::arn::{AccountId, RoleArn};
use crate::aws::credentials::Credentials;
use crate::aws::endpoint::Endpoint;
use crate::aws::parameters::{
    ExternalId, MfaSerial, Region, SessionDescription, SessionDuration, SessionName, SessionTags, SourceIdentity,
};
use crate::aws::session_policy::{LimitedBy, SessionPolicy};
use crate::aws::source::Source;
use crate::base::agent::Agent;
use crate::base::location::Origin;
use crate::base::problem::Problem;
use crate::base::quote::shell_quote;

/// The source and the calls that produce the credentials for a shell.
pub struct RolePlan {
    /// The chosen `[role.NAME]`, if the file has several.
    pub name: Option<String>,
    /// The profile that the project file names for this role.
    pub profile: Option<String>,
    /// Whether the user selected the profile instead of a project.
    pub is_selected_profile: bool,
    /// The source of the credentials for the first call.
    pub source: Source,
    /// The calls, in order. If empty, the source's own temporary credentials are the result.
    pub steps: Vec<Step>,
    /// The endpoint of the calls.
    pub endpoint: Endpoint,
    /// The region to export.
    pub region: Option<Region>,
    /// The account that the resulting credentials must belong to.
    pub pin: Option<AccountId>,
    /// The accounts that the source may belong to, if a rule trusts the file and only AWS knows the source's account.
    /// See `account_pin::check_source`.
    pub source_accounts: Option<Vec<AccountId>>,
    /// Protected accounts that the resulting credentials must not belong to, if only AWS knows their account: the user
    /// was not asked. See [`crate::plan::account_pin::protect`].
    pub protected: Vec<AccountId>,
    /// Settings of the user's profile, exported as equivalent variables.
    pub settings: Vec<(Cow<'static, str>, String)>,
    /// The user's console sign-in endpoint, if one is configured for this service alone. It isn't validated yet.
    pub sign_in: Option<String>,
    /// Notices for the user that aren't errors, one line each.
    pub notices: Vec<String>,
    /// Suspicious lines in the AWS files of the chain, for `why`.
    pub suspicious_lines: Vec<String>,
    /// The agent that gets the session. `None` is the user.
    pub agent: Option<Agent>,
}

/// One call of the chain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Step {
    /// A session of long-lived keys, so that the keys themselves aren't exported.
    GetSessionToken(GetSessionToken),
    /// A role.
    AssumeRole(Box<AssumeRole>),
    /// The same session with fewer permissions or a shorter life.
    GetScopedCredentials(GetScopedCredentials),
}

/// The parameters of GetSessionToken. Every field that is sent is part of the cache key
/// ([`PlanKeys`](crate::session::cache::PlanKeys)).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GetSessionToken {
    /// The session duration. The default of STS is 12 hours.
    pub duration: Option<SessionDuration>,
    /// The MFA device whose code is sent. The session then counts as authenticated with MFA.
    pub mfa_serial: Option<MfaSerial>,
    /// The keys of the project file that require this call, with their locations. They aren't sent and aren't part of
    /// the cache key.
    #[serde(skip)]
    pub required: Vec<Required>,
}

/// A key of the project file that a call must send.
#[derive(Debug, Clone, PartialEq)]
pub struct Required {
    /// The name of the key.
    pub key: &'static str,
    /// The location of the key.
    pub origin: Origin,
}

/// The parameters of AssumeRole. Every field that is sent is part of the cache key.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AssumeRole {
    /// The role.
    pub role_arn: RoleArn,
    /// The role session name.
    pub session_name: SessionName,
    /// Whether a file sets the session name. Otherwise it is the name of the user.
    #[serde(skip)]
    pub is_session_named: bool,
    /// The external ID that the trust policy may require.
    pub external_id: Option<ExternalId>,
    /// The source identity.
    pub source_identity: Option<SourceIdentity>,
    /// Whether the source identity is the name of the user, because the organization requires one.
    #[serde(skip)]
    pub is_identity_of_user: bool,
    /// The session duration. The default of STS is one hour.
    pub duration: Option<SessionDuration>,
    /// Session tags.
    pub tags: SessionTags,
    /// Policies that limit the session.
    pub policy: SessionPolicy,
    /// The MFA device whose code is sent with this call. It is set only for durations over one hour, because roles
    /// assumed from an MFA session last at most one hour.
    pub mfa_serial: Option<MfaSerial>,
    /// The location where the project file requires the MFA device. It isn't part of the cache key.
    #[serde(skip)]
    pub required: Vec<Required>,
}

/// The parameters of GetScopedCredentials, at least a policy or a duration. Every field that is sent is part of the
/// cache key.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GetScopedCredentials {
    /// The session may do only what both the caller's session and this policy allow: JSON of at most 2048 characters.
    pub policy: Option<String>,
    /// The longest duration. A caller's session that ends sooner isn't extended.
    pub duration: Option<SessionDuration>,
    /// The description that CloudTrail records.
    pub description: Option<SessionDescription>,
    /// The setting that the limit comes from. It isn't sent and isn't part of the cache key.
    #[serde(skip)]
    pub limited_by: LimitedBy,
}

impl RolePlan {
    /// Returns whether fetching the role may prompt the user: for an MFA code, or for a sign-in.
    #[must_use]
    pub fn may_prompt(&self) -> bool {
        self.source.sign_in_name().is_some() || self.steps.iter().any(|step| step.mfa_serial().is_some())
    }

    /// Returns the step that decides the identity of the result: the last one that isn't a GetScopedCredentials.
    #[must_use]
    pub fn identity_step(&self) -> Option<&Step> {
        self.steps.iter().rev().find(|step| !matches!(step, Step::GetScopedCredentials(_)))
    }

    /// Returns the roles of the chain, in order.
    pub fn roles(&self) -> impl Iterator<Item = &AssumeRole> {
        self.steps.iter().filter_map(|step| match step {
            Step::AssumeRole(role) => Some(&**role),
            Step::GetSessionToken(_) | Step::GetScopedCredentials(_) => None,
        })
    }

    /// Returns the last role of the chain.
    #[must_use]
    pub fn role(&self) -> Option<&AssumeRole> {
        match self.identity_step()? {
            Step::AssumeRole(step) => Some(step),
            Step::GetSessionToken(_) | Step::GetScopedCredentials(_) => None,
        }
    }

    /// Returns the ARN of the role of the resulting session, if it is known before the calls are made.
    #[must_use]
    pub fn role_arn(&self) -> Option<&RoleArn> {
        match (&self.source, self.role()) {
            (_, Some(step)) => Some(&step.role_arn),
            (Source::WebIdentity(token), None) if self.identity_step().is_none() => Some(&token.role_arn),
            _ => None,
        }
    }

    /// Returns the account of the resulting session, if it is known before the calls are made.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        match (&self.source, self.role_arn()) {
            (_, Some(arn)) => Some(arn.account().clone()),
            (Source::IdentityCenter(role), None) => AccountId::parse(&role.account_id).ok(),
            _ => None,
        }
    }

    /// Returns whether the account of the resulting credentials must be known before they are used.
    pub(crate) fn needs_account(&self) -> bool {
        self.pin.is_some() || !self.protected.is_empty()
    }

    /// Returns the file in which the user sets the keys of the role, for advice.
    pub(crate) fn settings_file(&self) -> &'static str {
        if self.is_selected_profile { "~/.aws/config" } else { ".awsrole.toml" }
    }

    /// Returns how a hint asks for a newer MFA code, which no agent can enter.
    pub(crate) fn refresh_advice(&self) -> &'static str {
        match &self.agent {
            None => "run `awsrole refresh`",
            Some(_) => "ask your user to run `awsrole refresh`",
        }
    }

    /// Returns the command with which the user fetches the role in a terminal.
    #[must_use]
    pub fn exec_command(&self) -> String {
        match (&self.profile, &self.name) {
            (Some(profile), _) if self.is_selected_profile => {
                let profile = shell_quote(profile).unwrap_or_else(|| profile.clone());
                format!("awsrole exec --profile={profile} -- true")
            }
            (_, Some(name)) => format!("awsrole exec --role {name} -- true"),
            (_, None) => "awsrole exec -- true".to_owned(),
        }
    }

    /// Returns the command after which the user is prompted for what an agent isn't. `awsrole refresh` is only about
    /// the role of the user's shell, which may be another one than that of the agent.
    pub(crate) fn prompting_command(&self) -> String {
        let is_only_role = self.name.is_none() && !self.is_selected_profile;
        if is_only_role { "awsrole refresh".to_owned() } else { self.exec_command() }
    }

    /// Returns the display name of the result: the `[role.NAME]`, else the profile, else the name of the role.
    #[must_use]
    pub fn title(&self) -> String {
        match (self.name.as_ref().or(self.profile.as_ref()), self.role_arn(), &self.source) {
            (Some(name), ..) => name.clone(),
            (None, Some(arn), _) => arn.name().to_owned(),
            (None, None, Source::IdentityCenter(role)) => role.role_name.clone(),
            (None, None, source) => source.to_string(),
        }
    }
}

impl Step {
    /// Returns the step as it is made with these credentials, or `None` if it is skipped.
    ///
    /// A `credential_process` may return long-lived or temporary keys, which isn't known before it is run. Temporary
    /// keys can neither request a session nor use an MFA device, and a code would be wasted. In that case a profile's
    /// `mfa_serial` is ignored.
    ///
    /// A limit of the duration isn't sent if the caller's session ends sooner, because STS would reject it.
    ///
    /// # Errors
    /// Fails if the project file requires a parameter that isn't sent, and if long-lived keys would be limited.
    pub(crate) fn called_by(
        &self,
        caller: &Credentials,
        source: &Source,
        now: SystemTime,
    ) -> Result<Option<Cow<'_, Self>>, Problem> {
        let temporary = caller.session_token.is_some();
        match self {
            Self::GetSessionToken(step) if temporary => required_of_keys(&step.required, source).map(|()| None),
            Self::AssumeRole(step) if temporary && step.mfa_serial.is_some() => {
                required_of_keys(&step.required, source)?;
                let step = AssumeRole { mfa_serial: None, ..(**step).clone() };
                Ok(Some(Cow::Owned(Self::AssumeRole(Box::new(step)))))
            }
            Self::GetScopedCredentials(step) if !temporary => {
                let LimitedBy { setting, origin } = &step.limited_by;
                Err(Problem::new(format!("{origin}: cannot send {setting}: {source} returned long-lived keys"))
                    .because("GetScopedCredentials limits only temporary credentials")
                    .hint("add a `role_arn` that these keys assume"))
            }
            Self::GetScopedCredentials(step)
                if step.duration.is_some_and(|limit| caller.remaining(now) <= limit.as_duration()) =>
            {
                let step = GetScopedCredentials { duration: None, ..step.clone() };
                Ok(step.policy.is_some().then_some(Cow::Owned(Self::GetScopedCredentials(step))))
            }
            _ => Ok(Some(Cow::Borrowed(self))),
        }
    }

    /// Returns the MFA device whose code the call needs.
    #[must_use]
    pub fn mfa_serial(&self) -> Option<&MfaSerial> {
        match self {
            Self::GetSessionToken(step) => step.mfa_serial.as_ref(),
            Self::AssumeRole(step) => step.mfa_serial.as_ref(),
            Self::GetScopedCredentials(_) => None,
        }
    }
}

/// Returns an error if the project file requires a parameter that only long-lived keys can send.
fn required_of_keys(required: &[Required], source: &Source) -> Result<(), Problem> {
    let Some(Required { key, origin }) = required.first() else { return Ok(()) };
    Err(Problem::new(format!("{origin}: cannot send {key}: {source} returned temporary credentials"))
        .because("GetSessionToken and MFA codes require long-lived keys (AKIA…)")
        .hint(format!("remove `{key}`, or use a source with the keys of a user")))
}
