//! From an allowed config and the AWS files to the steps that lead to a role, every value checked.
//!
//! Nothing is asked of AWS here. The types of this module are what later stations work on; how
//! profiles lead to one another is in [`crate::plan::resolve`].

use std::borrow::Cow;

use serde::Serialize;

use crate::aws::arn::{AccountId, RoleArn};
use crate::aws::credentials::Credentials;
use crate::aws::endpoint::Endpoint;
use crate::aws::parameters::{
    ExternalId, MfaSerial, Region, SessionDuration, SessionName, SessionPolicy, SessionTags, SourceIdentity,
};
use crate::aws::source::Source;
use crate::base::location::Origin;
use crate::base::problem::Problem;

/// The way from a source to the credentials that a shell will hold.
pub struct RolePlan {
    /// The `[role.NAME]` chosen, if the file has several.
    pub name: Option<String>,
    /// Whose credentials make the first call.
    pub source: Source,
    /// The calls, in order. None: the source's own temporary credentials are the result.
    pub steps: Vec<Step>,
    /// Where the calls go.
    pub endpoint: Endpoint,
    /// The region to export.
    pub region: Option<Region>,
    /// The account that the result must belong to.
    pub pin: Option<AccountId>,
    /// Where a rule trusts the file and only AWS can tell the source's account: it must be one of these, see
    /// [`crate::plan::account_pin::check_source`].
    pub source_accounts: Option<Vec<AccountId>>,
    /// Settings of the user's own profile, exported as the variables that mean the same.
    pub settings: Vec<(Cow<'static, str>, String)>,
    /// The user's own endpoint for signing in to the console, if they set one for this alone. It isn't checked yet.
    pub sign_in: Option<String>,
    /// What the person should know although it is no error; each one line.
    pub notices: Vec<String>,
    /// Lines of the AWS files on the way that the AWS CLI reads otherwise than meant: for `why`.
    pub odd_lines: Vec<String>,
}

/// One call on the way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Step {
    /// A session of long-term keys, so that they themselves need not be exported.
    GetSessionToken(GetSessionToken),
    /// A role.
    AssumeRole(Box<AssumeRole>),
}

/// What is sent with GetSessionToken. Every field is part of the cache key
/// ([`PlanKeys`](crate::session::cache::PlanKeys)).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GetSessionToken {
    /// How long it shall last; STS's default is 12 hours.
    pub duration: Option<SessionDuration>,
    /// The device whose code is sent. The session then counts as authenticated with MFA.
    pub mfa_serial: Option<MfaSerial>,
    /// What the project's file asks of this call, with the places. Nothing of it is sent: it is part of no key.
    #[serde(skip)]
    pub required: Vec<Required>,
}

/// A key of the project's file that a call must carry.
#[derive(Debug, Clone, PartialEq)]
pub struct Required {
    /// The key.
    pub key: &'static str,
    /// Where it is set.
    pub origin: Origin,
}

/// What is sent with AssumeRole. Every field is part of the cache key.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AssumeRole {
    /// The role.
    pub role_arn: RoleArn,
    /// The session's name.
    pub session_name: SessionName,
    /// Sent if the trust policy asks for one.
    pub external_id: Option<ExternalId>,
    /// Sent if set.
    pub source_identity: Option<SourceIdentity>,
    /// How long it shall last; STS's default is an hour.
    pub duration: Option<SessionDuration>,
    /// Session tags.
    pub tags: SessionTags,
    /// Policies that narrow the session.
    pub policy: SessionPolicy,
    /// The device whose code is sent along: only where more than an hour is asked for, since roles
    /// assumed from an MFA session last an hour at most.
    pub mfa_serial: Option<MfaSerial>,
    /// Where the project's file asks for the device. It is part of no key.
    #[serde(skip)]
    pub required: Vec<Required>,
}

impl RolePlan {
    /// The role at the end of the way.
    #[must_use]
    pub fn role(&self) -> Option<&AssumeRole> {
        match self.steps.last()? {
            Step::AssumeRole(step) => Some(step),
            Step::GetSessionToken(_) => None,
        }
    }

    /// The ARN of the role whose session the result is, as far as it is known before it is had.
    #[must_use]
    pub fn role_arn(&self) -> Option<&RoleArn> {
        match (&self.source, self.role()) {
            (_, Some(step)) => Some(&step.role_arn),
            (Source::WebIdentity(token), None) if self.steps.is_empty() => Some(&token.role_arn),
            _ => None,
        }
    }

    /// The account to which the result belongs, as far as it is known before it is had.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        match (&self.source, self.role_arn()) {
            (_, Some(arn)) => Some(arn.account().clone()),
            (Source::IdentityCenter(role), None) => AccountId::parse(&role.account_id).ok(),
            _ => None,
        }
    }

    /// What a person calls the result: the role's name, or the profile whose session it is.
    #[must_use]
    pub fn title(&self) -> String {
        match (&self.name, self.role_arn(), &self.source) {
            (Some(name), ..) => name.clone(),
            (None, Some(arn), _) => arn.name().to_owned(),
            (None, None, Source::IdentityCenter(role)) => role.role_name.clone(),
            (None, None, source) => source.to_string(),
        }
    }
}

impl Step {
    /// Returns the step as these credentials call it, or `None` if it is left out.
    ///
    /// A `credential_process` may give long-term keys or temporary ones, which isn't known before it was run. Temporary
    /// ones can neither open a session nor use an MFA device, so that a code would be spent in vain: a profile's
    /// `mfa_serial` doesn't count then.
    ///
    /// # Errors
    /// The project's file asks for what isn't sent.
    pub fn called_by(&self, caller: &Credentials, source: &Source) -> Result<Option<Cow<'_, Self>>, Problem> {
        if caller.session_token.is_none() {
            return Ok(Some(Cow::Borrowed(self)));
        }
        let (required, rest) = match self {
            Self::GetSessionToken(step) => (&step.required, None),
            Self::AssumeRole(step) if step.mfa_serial.is_none() => return Ok(Some(Cow::Borrowed(self))),
            Self::AssumeRole(step) => {
                let step = AssumeRole { mfa_serial: None, ..(**step).clone() };
                (&step.required.clone(), Some(Cow::Owned(Self::AssumeRole(Box::new(step)))))
            }
        };
        let Some(Required { key, origin }) = required.first() else { return Ok(rest) };
        Err(Problem::new(format!("{origin}: {key} can't be sent: {source} gave temporary credentials"))
            .because("GetSessionToken and MFA codes are for long-term keys (AKIA…) alone")
            .hint(format!("remove `{key}`, or let the source give the keys of a user")))
    }

    /// The device whose code the call needs.
    #[must_use]
    pub fn mfa_serial(&self) -> Option<&MfaSerial> {
        match self {
            Self::GetSessionToken(step) => step.mfa_serial.as_ref(),
            Self::AssumeRole(step) => step.mfa_serial.as_ref(),
        }
    }
}
