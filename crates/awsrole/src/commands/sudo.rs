//! `awsrole sudo`: runs one command with the role that `elevate` names, after a confirmation. The shell keeps its role.

use std::ffi::OsString;
use std::path::Path;

use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::session::history::Recipient;
use awsrole_core::settings::user_config::Settings;

use super::common;
use super::exec::{cannot_run, replace_process};
use super::held::{PlannedRole, Wanted};
use crate::cli::{PlaceOptions, TargetOptions};
use crate::report::{CommandError, Outcome};
use awsrole_system::ambient;

/// Runs a command. Without `role`, it uses the role that the project file names for the role of this shell.
pub(super) fn run(
    role: Option<String>,
    command: &[OsString],
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    // A question about a command that can't be run would be useless.
    let program = Path::new(&command[0]);
    if !command[0].as_encoded_bytes().contains(&b'/') && ambient::in_path(program).is_none() {
        return Ok(cannot_run(program.as_os_str(), &rustix::io::Errno::NOENT.into()));
    }
    let role = match role {
        Some(role) => role,
        None => elevated(context, settings)?,
    };
    let target = TargetOptions { role: Some(role), place: PlaceOptions::default() };
    let planned = PlannedRole::of(Wanted { target, min_ttl: None, yes: false }, context, settings)?;
    let held = planned.for_sudo(settings)?.get(Recipient::Sudo, context, settings)?;
    Ok(replace_process(command, &held, &held.diff()?))
}

/// Returns the role that the project file names in `elevate` for the role of this shell.
fn elevated(context: &Context, settings: &Settings) -> Result<String, CommandError> {
    let (_, allowed, files) = common::allowed(None, context, settings)?;
    let config = allowed.config();
    let (name, keys) = config.select(common::chosen(context, &files)?.role())?;
    keys.elevate.clone().ok_or_else(|| {
        let whose = name.map(|name| format!(" for role {name}")).unwrap_or_default();
        Problem::new(format!("{} has no `elevate`{whose}", context.shorten(&config.file)))
            .because("`awsrole sudo` uses the role that this key names")
            .hint("add `elevate = \"NAME\"` above the first [role.NAME], or run `awsrole sudo -r NAME CMD`")
            .into()
    })
}
