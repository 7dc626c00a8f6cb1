//! Options that select the role of a command.

use std::path::PathBuf;

use clap::Args;

use crate::completion::{accounts, directories, profiles, roles, sso_sessions};

/// Selects a role: of the working directory's project by default.
#[derive(Args)]
pub(crate) struct TargetOptions {
    /// Name of the role, a `[role.NAME]` of the project file
    #[arg(long, value_name = "NAME", conflicts_with_all = ["profile", "account"], add = roles())]
    pub(crate) role: Option<String>,
    #[command(flatten)]
    pub(crate) place: PlaceOptions,
}

/// Selects a project, a profile or a permission set.
#[derive(Args, Default)]
pub(crate) struct PlaceOptions {
    /// AWS profile to use instead of a project. It needs no approval
    #[arg(long, value_name = "NAME", allow_hyphen_values = true, conflicts_with = "dir", add = profiles())]
    pub(crate) profile: Option<String>,
    #[command(flatten)]
    pub(crate) set: PermissionSetOptions,
    /// Directory of the project [default: working directory]
    #[arg(long, conflicts_with = "account", add = directories())]
    pub(crate) dir: Option<PathBuf>,
}

impl PlaceOptions {
    /// Returns whether the options select nothing, so that the working directory or this shell decides.
    pub(crate) fn is_empty(&self) -> bool {
        self.profile.is_none() && self.set.account.is_none() && self.dir.is_none()
    }
}

/// Selects a permission set of IAM Identity Center instead of a profile.
#[derive(Args, Default)]
pub(crate) struct PermissionSetOptions {
    /// Session of IAM Identity Center, for a permission set without a profile [default: the only one]
    #[arg(long, value_name = "NAME", requires = "account", add = sso_sessions())]
    pub(crate) sso_session: Option<String>,
    /// Account of the permission set, by its ID or by the name that awsrole shows
    #[arg(long, value_name = "ID|NAME", requires = "role_name", conflicts_with = "profile", add = accounts())]
    pub(crate) account: Option<String>,
    /// Permission set
    #[arg(long, value_name = "NAME", requires = "account")]
    pub(crate) role_name: Option<String>,
}
