//! Options that select the role of a command.

use std::path::PathBuf;

use clap::Args;

use crate::completion::{directories, profiles, roles};

/// Selects a role: of the working directory's project by default.
#[derive(Args)]
pub(crate) struct TargetOptions {
    /// Name of the role, a `[role.NAME]` of the project file
    #[arg(long, value_name = "NAME", conflicts_with = "profile", add = roles())]
    pub(crate) role: Option<String>,
    #[command(flatten)]
    pub(crate) place: PlaceOptions,
}

/// Selects a project or a profile.
#[derive(Args)]
pub(crate) struct PlaceOptions {
    /// AWS profile to use instead of a project. It needs no approval
    #[arg(long, value_name = "NAME", allow_hyphen_values = true, conflicts_with = "dir", add = profiles())]
    pub(crate) profile: Option<String>,
    /// Directory of the project [default: working directory]
    #[arg(long, add = directories())]
    pub(crate) dir: Option<PathBuf>,
}
