//! `awsrole profiles`: writes a profile for each role of the allowed projects to the AWS config file, for editors and
//! tools that only take profiles.

mod names;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use awsrole_core::aws::profiles::{self, Profiles};
use awsrole_core::base::context::Context;
use awsrole_core::base::marked_block::{MarkedBlock, newline_of};
use awsrole_core::base::problem::Problem;
use awsrole_core::base::quote::shell_quote;
use awsrole_core::base::user_file::UserFile;
use awsrole_core::plan::guard::Guard;
use awsrole_core::project::approval::{Allowed, Approvals, Verdict};
use awsrole_core::project::config::Confirm;
use awsrole_core::project::discover::upward;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::export::{evaluate_directory, plan_role};
use awsrole_core::shell::state::OuterEnv;
use awsrole_system::ambient;
use awsrole_system::print::{out, print_notice};

use super::block_edit::BlockEdit;
use crate::cli::ProfilesCommand;
use crate::report::{CommandError, Outcome};

/// The mode of a new file, that of the AWS CLI.
const MODE: u32 = 0o600;

/// An allowed project.
struct ApprovedProject {
    dir: PathBuf,
    allowed: Box<Allowed>,
}

/// A profile to write.
struct NewProfile<'a> {
    name: String,
    project: &'a ApprovedProject,
    /// The `[role.NAME]`. `None` for the role that `cd` assumes.
    role: Option<&'a str>,
    region: Option<String>,
}

pub(super) fn run(command: &ProfilesCommand, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    match command {
        ProfilesCommand::Install { prefix, dry_run } => install(prefix, *dry_run, &outer, settings),
        ProfilesCommand::Remove { dry_run } => remove(*dry_run, &outer),
    }
}

fn install(prefix: &str, dry_run: bool, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    if !names::is_plain(prefix) {
        return Err(CommandError {
            problem: Problem::new("--prefix: a profile's name contains only letters, digits and _.@:/%+-"),
            outcome: Outcome::Code(2),
        });
    }
    let profiles = Profiles::load(context)?;
    let path = config_path(context)?;
    let projects = projects(context, settings);
    if projects.is_empty() {
        return Err(Problem::new("there is no allowed project to write profiles for")
            .hint("run `awsrole allow` in a project first. `awsrole profiles remove` removes the profiles")
            .into());
    }
    let dirs: Vec<&Path> = projects.iter().map(|project| project.dir.as_path()).collect();
    let named = projects.iter().zip(names::of_directories(&dirs));
    let new: Vec<NewProfile<'_>> =
        named.flat_map(|(project, name)| of_project(project, &format!("{prefix}{name}"), context, settings)).collect();
    check_names(&new, &profiles, &path)?;
    let (mut lines, mut names) = (Vec::new(), Vec::new());
    for profile in &new {
        match profile.lines() {
            Some(of_profile) => {
                lines.extend(of_profile);
                names.push(profile.name.as_str());
            }
            None => print_notice(format!("no profile `{}`: its directory cannot be written in one line", profile.name)),
        }
    }
    if lines.is_empty() {
        return Err(Problem::new("no role of the allowed projects can have a profile")
            .hint("`awsrole why` in a project explains how its role is resolved")
            .into());
    }
    let edit = BlockEdit::of(&path, newline_of, context, |_| lines)?;
    let count = match names.len() {
        1 => "1 profile".to_owned(),
        count => format!("{count} profiles"),
    };
    let done = format!("wrote {count} to {}: {}", context.shorten(&path), names.join(", "));
    finish(&edit, dry_run, &done, context)
}

fn remove(dry_run: bool, context: &Context) -> Result<Outcome, CommandError> {
    // The file need not be valid: a second profile of one name makes it unreadable.
    let path = config_path(context)?;
    let edit = BlockEdit::of(&path, newline_of, context, |_| Vec::new())?;
    finish(&edit, dry_run, &format!("removed awsrole's profiles from {}", context.shorten(&path)), context)
}

/// Makes the change or shows it.
fn finish(edit: &BlockEdit, dry_run: bool, done: &str, context: &Context) -> Result<Outcome, CommandError> {
    if !edit.is_change() {
        print_notice(format!("nothing to change in {}", context.shorten(edit.file.path())));
    } else if dry_run {
        out(&edit.diff(context))?;
    } else if edit.file.is_read_only() {
        return Err(Problem::new(format!("{} was not changed: it is read-only", context.shorten(edit.file.path())))
            .hint("`--dry-run` shows the lines, which you can add or remove manually")
            .into());
    } else {
        edit.apply(MODE, context)?;
        print_notice(done);
    }
    Ok(Outcome::Done)
}

/// Returns the path of the AWS config file.
fn config_path(context: &Context) -> Result<PathBuf, Problem> {
    let path = profiles::config_path(context);
    if path.as_os_str().is_empty() {
        return Err(Problem::new("AWS_CONFIG_FILE is empty, so there is no file for profiles").hint("unset it"));
    }
    Ok(path)
}

/// Returns the projects whose files are allowed now, sorted by directory.
fn projects(context: &Context, settings: &Settings) -> Vec<ApprovedProject> {
    let dirs = Approvals::below(&context.paths.data).directories().into_iter();
    let approved = dirs.filter_map(|dir| match evaluate_directory(context, settings, &upward(&dir)) {
        Ok((Verdict::Allowed(allowed), _)) => Some(ApprovedProject { dir, allowed }),
        _ => None,
    });
    approved.collect()
}

/// Returns the profiles of a project: one for the role that `cd` assumes, and one for each `[role.NAME]`. A role that
/// an SDK can't get is left out with a notice.
fn of_project<'a>(
    project: &'a ApprovedProject,
    name: &str,
    context: &Context,
    settings: &Settings,
) -> Vec<NewProfile<'a>> {
    let config = project.allowed.config();
    let mut found = Vec::new();
    let mut has_roles = false;
    for role in config.role_names().map(Some).chain([None]) {
        has_roles |= role.is_some();
        let name = role.map_or_else(|| name.to_owned(), |role| format!("{name}/{}", names::plain(role)));
        match region(project, role, context, settings) {
            Ok(region) => found.push(NewProfile { name, project, role, region }),
            // Without a default role the keys at top level need not be a role.
            Err(_) if role.is_none() && has_roles && config.default_role.is_none() => {}
            Err(problem) => print_notice(format!("no profile `{name}`: {}", problem.summary)),
        }
    }
    found
}

/// Returns the region of a role that `credential-process` provides.
fn region(
    project: &ApprovedProject,
    role: Option<&str>,
    context: &Context,
    settings: &Settings,
) -> Result<Option<String>, Problem> {
    let allowed = &project.allowed;
    let plan = plan_role(context, settings, allowed, role)?;
    let guard = Guard::of_role(allowed, role, &plan, &settings.or_default().accounts);
    guard.require_name(allowed, role)?;
    match (guard.confirm, guard.protected) {
        (_, Some(account)) => {
            Err(Problem::new(format!("account {account} is protected, and an SDK cannot confirm the role")))
        }
        (Confirm::Yes | Confirm::Account, None) => {
            Err(Problem::new("the role has `confirm = true`, and an SDK cannot confirm it"))
        }
        (Confirm::Never, None) => Ok(plan.region.map(|region| region.as_str().to_owned())),
    }
}

impl NewProfile<'_> {
    /// Returns the lines of the profile, or `None` if no line can represent the directory.
    fn lines(&self) -> Option<Vec<String>> {
        let program = shell_quote(ambient::binary()?.to_str()?)?;
        let dir = shell_quote(self.project.dir.to_str()?)?;
        let role = match self.role {
            Some(role) => format!(" --role {}", shell_quote(role)?),
            None => String::new(),
        };
        let mut lines = vec![
            format!("[profile {}]", self.name),
            format!("credential_process = {program} credential-process --dir {dir}{role}"),
        ];
        lines.extend(self.region.as_ref().map(|region| format!("region = {region}")));
        Some(lines)
    }
}

/// Checks that no other profile has one of the names.
fn check_names(new: &[NewProfile<'_>], profiles: &Profiles, path: &Path) -> Result<(), Problem> {
    let block = block_lines(path);
    let taken = new.iter().filter_map(|new| {
        let present = profiles.get(&new.name)?;
        let place = match (present.in_credentials_file(), present.in_config_file()) {
            (Some(other), _) => other.origin(""),
            (None, Some(other)) if !block.as_ref().is_some_and(|block| block.contains(&other.origin("").line)) => {
                other.origin("")
            }
            _ => return None,
        };
        Some(format!("{} in {place}", new.name))
    });
    let taken: Vec<String> = taken.collect();
    if let Some(twice) = new.iter().enumerate().find(|(at, one)| new[..*at].iter().any(|other| other.name == one.name))
    {
        return Err(Problem::new(format!("two roles would have the profile `{}`", twice.1.name))
            .hint("rename one of them in its project file"));
    }
    match taken.as_slice() {
        [] => Ok(()),
        taken => {
            let listed = taken.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            let more = taken.len().saturating_sub(3);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            Err(Problem::new(format!("these profiles exist already: {listed}{more}"))
                .hint("`awsrole profiles install --prefix awsrole-` uses other names"))
        }
    }
}

/// Returns the lines of the present block, counted from 1.
fn block_lines(path: &Path) -> Option<RangeInclusive<usize>> {
    let file = UserFile::read(path).ok()?;
    let block = MarkedBlock::find(file.content().unwrap_or_default()).ok()??;
    Some(block.line..=block.last_line())
}
