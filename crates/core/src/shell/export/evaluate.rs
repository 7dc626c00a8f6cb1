//! Evaluates the files of a directory for a shell, with the user's approvals and settings.

use std::path::PathBuf;

use crate::aws::profiles::Profiles;
use crate::base::context::Context;
use crate::base::problem::Problem;
use crate::plan::requester::Requester;
use crate::plan::resolve::plan;
use crate::plan::role_plan::RolePlan;
use crate::project::approval::{Allowed, Approvals, ShellState, Verdict, evaluate_files_and_keep_texts};
use crate::project::discover::upward;
use crate::settings::agent::AgentLimits;
use crate::settings::user_config::{Settings, UserConfig};

/// Evaluates a directory's files with the user's approvals and trust rules. Returns the verdict and the number of files
/// on which it depends.
pub fn evaluate_directory(
    context: &Context,
    settings: &Settings,
    files: &[PathBuf],
) -> Result<(Verdict, usize), Problem> {
    evaluate_directory_and_keep_texts(context, settings, files, &mut Vec::new())
}

/// Does what [`evaluate_directory`] does, and appends the contents of the files that it read to `texts`.
pub(super) fn evaluate_directory_and_keep_texts(
    context: &Context,
    settings: &Settings,
    files: &[PathBuf],
    texts: &mut Vec<String>,
) -> Result<(Verdict, usize), Problem> {
    let approvals = Approvals::below(&context.paths.data);
    // If approvals cannot be trusted, the settings file is ignored too, because the same other user can probably write
    // to it.
    let (verdict, depth) = match approvals.untrusted() {
        Some(_) => evaluate_files_and_keep_texts(files, &approvals, &UserConfig::default(), texts),
        None => evaluate_files_and_keep_texts(files, &approvals, settings.get()?, texts),
    };
    let counted = &files[..depth.min(files.len())];
    let verdict = match context.paths.inside_project(counted) {
        None => verdict,
        Some(problem) => verdict.set_aside(problem),
    };
    Ok((verdict, depth))
}

/// Plans a role of an allowed config over the outer environment.
pub fn plan_role(
    context: &Context,
    settings: &Settings,
    allowed: &Allowed,
    role: Option<&str>,
) -> Result<RolePlan, Problem> {
    plan(allowed, role, &Profiles::load(context)?, context, &Requester::of(context, settings)?)
}

/// Returns the `[agent]` tables of the project that applies in the working directory. They limit the profiles that
/// agents use there. A `role` of the project isn't a limit of a profile.
///
/// `context` is the one without awsrole's exports.
///
/// # Errors
/// Fails where a shell is blocked, such as after an edit. The tables are unknown there.
pub fn agent_limits(context: &Context, settings: &Settings) -> Result<Vec<AgentLimits>, Problem> {
    let files = upward(&context.dir);
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let (verdict, depth) = evaluate_directory(context, settings, &files)?;
    match verdict {
        Verdict::Allowed(allowed) => {
            Ok(allowed.config().agent.iter().map(|table| AgentLimits { role: None, ..table.clone() }).collect())
        }
        verdict if verdict.holds(depth) == ShellState::Outer => Ok(Vec::new()),
        Verdict::Refused(refusal) => Err(refusal.problem(context)),
        Verdict::Broken { problem, .. } => Err(problem),
    }
}
