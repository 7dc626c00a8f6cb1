//! From an allowed config and the AWS files to the steps that lead to a role, every value checked.
//!
//! Nothing is asked of AWS here. The types of this module are what later stations work on; how
//! profiles lead to one another is in [`crate::resolve`].

use serde::Serialize;

use crate::arn::{AccountId, RoleArn};
use crate::endpoint::Endpoint;
use crate::limits::{ExternalId, Region, SessionDuration, SessionName, SessionPolicy, SessionTags, SourceIdentity};
use crate::secret::Secret;
use crate::trust::hex;

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
    /// Settings of the user's own profile, exported as the variables that mean the same.
    pub settings: Vec<(&'static str, String)>,
    /// What the person should know although it is no error; each one line.
    pub notices: Vec<String>,
}

/// Where the first credentials come from.
pub enum Source {
    /// Keys that stand in a profile.
    StaticKeys(StaticKeys),
}

/// Keys that stand in a profile.
pub struct StaticKeys {
    /// The profile's name.
    pub profile: String,
    /// `AKIA…`, or `ASIA…` with a session token.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Secret,
    /// Present if the keys are temporary.
    pub session_token: Option<Secret>,
}

/// One call on the way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Step {
    /// A session of long-term keys, so that they themselves need not be exported.
    SessionToken(SessionToken),
    /// A role.
    AssumeRole(Box<AssumeRole>),
}

/// What is sent with GetSessionToken. Every field is part of the cache key.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionToken {
    /// How long it shall last; STS's default is 12 hours.
    pub duration: Option<SessionDuration>,
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
}

impl RolePlan {
    /// The role at the end of the way.
    #[must_use]
    pub fn role(&self) -> Option<&AssumeRole> {
        match self.steps.last()? {
            Step::AssumeRole(step) => Some(step),
            Step::SessionToken(_) => None,
        }
    }

    /// What a person calls the result: the role's name, or the profile whose session it is.
    #[must_use]
    pub fn title(&self) -> String {
        match (&self.name, self.role()) {
            (Some(name), _) => name.clone(),
            (None, Some(step)) => step.role_arn.name().to_owned(),
            (None, None) => self.source.to_string(),
        }
    }

    /// The name under which the result of the first `count` steps is cached: a hash over everything
    /// that decides who one becomes, and no secret.
    #[must_use]
    pub fn cache_key(&self, count: usize) -> String {
        #[derive(Serialize)]
        struct Identity<'a> {
            version: u32,
            source: (&'a str, &'a str),
            endpoint: &'a Endpoint,
            steps: &'a [Step],
        }
        let identity = Identity {
            version: 1,
            source: self.source.identity(),
            endpoint: &self.endpoint,
            steps: &self.steps[..count],
        };
        // A struct of strings and numbers always serializes; the empty key could only cause a miss.
        hex(&[&serde_json::to_vec(&identity).unwrap_or_default()])
    }
}

impl Source {
    /// The kind of source, and what tells it from others of its kind.
    fn identity(&self) -> (&str, &str) {
        match self {
            Self::StaticKeys(keys) => ("static", &keys.access_key_id),
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::StaticKeys(keys) => write!(f, "profile {}", keys.profile),
        }
    }
}
