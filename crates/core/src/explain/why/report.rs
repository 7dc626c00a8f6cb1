//! The parts of an explanation, as `awsrole why --json` prints them.

use std::path::PathBuf;

use serde::Serialize;

use super::agent::AgentReport;
use crate::base::problem::Problem;
use crate::explain::profile_overrides::ProfileOverride;

/// The explanation for a directory, made without network access.
#[derive(Serialize)]
pub struct Why {
    /// The files that apply, nearest first.
    pub files: Vec<PathBuf>,
    /// `allowed`, `allowed by a [[trust]] rule`, `allowed in the main worktree`, `not allowed`, `changed since it was
    /// allowed`, `denied`, `broken`, `no file`, or `not needed for a profile`.
    pub approval: &'static str,
    /// The main worktree whose approval allows the file of a linked git worktree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub main_worktree: Option<PathBuf>,
    /// The resolution, if the file applies.
    pub chain: Option<ResolutionReport>,
    /// What AI agents get, if this process belongs to one or if there is an `[agent]` table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentReport>,
    /// The state of the shell.
    pub shell: SessionReport,
    /// The problem that prevents the role, if there is one.
    pub problem: Option<Problem>,
    /// Settings of other tools that select an identity. [`super::why`] leaves them out: the caller searches for them.
    #[serde(rename = "overrides")]
    pub profile_overrides: Vec<ProfileOverride>,
    /// A sentence about what happens next.
    pub next: String,
}

/// The resolution of a role.
#[derive(Serialize)]
pub struct ResolutionReport {
    /// The `[role.NAME]`, if the file has several.
    pub name: Option<String>,
    /// The ARN of the role.
    pub role_arn: Option<String>,
    /// The permission set, if the source is IAM Identity Center.
    pub permission_set: Option<String>,
    /// The role's account, if it is known.
    pub account: Option<String>,
    /// The user's name for the account.
    pub account_name: Option<String>,
    /// The profile that the project file names.
    pub profile: Option<String>,
    /// The pinned account.
    pub pin: Option<String>,
    /// The user's name for the pinned account.
    pub pin_name: Option<String>,
    /// The region that is exported.
    pub region: Option<String>,
    /// Whether the user's settings protect the account.
    pub protected: bool,
    /// What must happen before the role is assumed, and when a shell gives it up.
    pub guards: Vec<String>,
    /// The STS endpoint.
    pub endpoint: String,
    /// The source of the initial credentials.
    pub source: String,
    /// The settings that limit the session that a web identity token returns, with their locations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limited_by: Vec<String>,
    /// The calls.
    pub links: Vec<StepReport>,
    /// Notices that aren't errors.
    pub notices: Vec<String>,
}

/// One call.
#[derive(Serialize)]
pub struct StepReport {
    /// `AssumeRole`, `GetSessionToken` or `GetScopedCredentials`.
    pub call: &'static str,
    /// The role or session that the call returns.
    pub what: String,
    /// The account.
    pub account: Option<String>,
    /// The user's name for the account.
    pub account_name: Option<String>,
    /// The role session name.
    pub session_name: Option<String>,
    /// The external ID that is sent.
    pub external_id: Option<String>,
    /// The source identity that is sent.
    pub source_identity: Option<String>,
    /// The MFA device whose code is sent.
    pub mfa_serial: Option<String>,
    /// The requested duration, or the default.
    pub duration: String,
    /// The settings that limit what the session may do, with their locations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limited_by: Vec<String>,
    /// The share of the largest possible session token that policies and tags take, in percent, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_percent: Option<u8>,
    /// When the cached result expires. `None` if nothing is cached.
    pub cached_until: Option<String>,
    /// The age of the cached result in seconds.
    pub cached_for_seconds: Option<u64>,
}

/// The state of the shell.
#[derive(Serialize)]
pub struct SessionReport {
    /// `role`, `blocked`, `off`, `changed manually`, or `nothing of awsrole's`.
    pub state: &'static str,
    /// The manual change because of which awsrole is inactive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manual_change: Option<String>,
    /// The role's display name.
    pub role: Option<String>,
    /// The access key ID.
    pub key: Option<String>,
    /// When it expires.
    pub expires: Option<String>,
    /// Whether it isn't the session that awsrole makes for this agent: a parent process selected another one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub selected_by_parent: bool,
    /// When the shell gives up the role that `awsrole use` chose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<String>,
    /// Variables that awsrole set.
    pub set: Vec<String>,
    /// Variables that awsrole hides, with their values unless they are secret.
    pub hidden: Vec<String>,
}
