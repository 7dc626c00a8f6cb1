//! Settings of other tools that select an identity, which takes precedence over exported credentials.
//!
//! A `profile` in samconfig.toml, serverless.yml, cdk.json or a Terraform provider or backend takes precedence over the
//! credentials in the environment, without any message from the tool. Finding these settings needs parsers of several
//! formats, so `awsrole` does it, and the hook binary isn't linked with them.

use std::path::PathBuf;

use serde::Serialize;

use crate::aws::profiles::Profiles;
use crate::base::context::Context;
use crate::plan::resolve::{Preview, preview_profile};

/// A setting that selects an identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProfileOverride {
    /// The path of the file.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
    /// The key and its value. Secrets aren't shown.
    pub text: String,
    /// The tools that read it.
    pub tool: &'static str,
    /// The identity that they use.
    pub effect: Effect,
}

/// The identity that a tool uses instead of the exported one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Another identity, as far as it can be told without running the tool.
    OtherIdentity,
    /// The same role, for which the tool needs an MFA code of its own.
    SameRoleWithMfa,
    /// The same role.
    SameRole,
    /// A profile that doesn't exist.
    NoProfile,
    /// A name that only the tool can compute.
    DecidedAtRunTime,
}

impl Effect {
    /// Returns the effect of a profile in a project whose role is known by its preview.
    #[must_use]
    pub fn of_profile(name: &str, project: Option<&Preview>, profiles: &Profiles, context: &Context) -> Self {
        if profiles.get(name).is_none() {
            return Self::NoProfile;
        }
        let (Some(project), Ok(other)) = (project, preview_profile(profiles, context, name)) else {
            return Self::OtherIdentity;
        };
        match project.is_same_identity(&other) {
            false => Self::OtherIdentity,
            true if other.mfa.is_some() => Self::SameRoleWithMfa,
            true => Self::SameRole,
        }
    }

    /// Returns whether the tool uses another identity or fails.
    #[must_use]
    pub fn is_problem(self) -> bool {
        matches!(self, Self::OtherIdentity | Self::NoProfile)
    }
}

impl ProfileOverride {
    /// Returns what the tools do, for messages.
    #[must_use]
    pub fn effect(&self) -> String {
        let tool = self.tool;
        match self.effect {
            Effect::OtherIdentity => format!("another identity for {tool}"),
            Effect::SameRoleWithMfa => format!("same role, but {tool} will ask for its own MFA code"),
            Effect::SameRole => format!("same role, but {tool} will assume it by itself"),
            Effect::DecidedAtRunTime => format!("{tool} decides this when it runs, so it may be another identity"),
            Effect::NoProfile => format!("there is no such profile, so {tool} will fail"),
        }
    }

    /// Returns the location, the setting and its effect, in one line.
    #[must_use]
    pub fn shown(&self, context: &Context) -> String {
        format!("{}:{}: {}: {}", context.shorten(&self.file), self.line, self.text, self.effect())
    }
}
