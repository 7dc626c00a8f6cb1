//! Functions that several commands share.

use std::path::PathBuf;

use awsrole_core::aws::profiles::Profiles;
use awsrole_core::base::context::Context;
use awsrole_core::base::files::FileError;
use awsrole_core::base::problem::{Problem, escape_json};
use awsrole_core::explain::doctor::{is_used, proxies};
use awsrole_core::plan::resolve::SelectedProfile;
use awsrole_core::plan::role_plan::RolePlan;
use awsrole_core::project::approval::{Allowed, ShellState, Verdict};
use awsrole_core::project::discover::upward;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::choice::Choices;
use awsrole_core::shell::export::{evaluate_directory, plan_role, unproven, unproven_profile};
use awsrole_core::shell::state::{Chosen, OuterEnv};
use awsrole_core::shell::statements::Shell;
use awsrole_sts::{Limits, RemoteSts};
use awsrole_system::ambient;
use awsrole_system::print::print_notice;
use serde_json::Value;

use crate::report::CommandError;

/// Runs a function with an AWS client. No connection is made before the first call. `outer` is the context without
/// awsrole's exports.
pub(in crate::commands) fn with_remote<T>(
    outer: &Context,
    settings: &Settings,
    act: impl FnOnce(&RemoteSts<'_>) -> T,
) -> T {
    let (set, default) = (settings.or_default().limits, Limits::default());
    let limits = Limits {
        connect: set.connect.unwrap_or(default.connect),
        attempt: set.attempt.unwrap_or(default.attempt),
        whole: set.whole.unwrap_or(default.whole),
        process: set.process.unwrap_or(default.process),
    };
    let proxies = proxies(outer).filter(|(name, _)| is_used(name) && !name.eq_ignore_ascii_case("NO_PROXY"));
    let proxies = proxies.map(|(name, shown)| format!("{name} is {shown}")).collect();
    act(&RemoteSts::new(limits, ambient::now, Box::new(|text| print_notice(text))).through(proxies))
}

/// Prints a notice that after `awsrole off` the command affects other shells, not this one.
pub(in crate::commands) fn print_off_notice() {
    print_notice(format!("this shell does not change: {}", ambient::ON_AGAIN));
}

/// Returns the given directory or the working directory.
pub(in crate::commands) fn directory(named: Option<PathBuf>, context: &Context) -> Result<PathBuf, Problem> {
    let Some(named) = named else {
        if context.dir.as_os_str().is_empty() {
            return Err(Problem::new("the working directory no longer exists").hint("change to an existing directory"));
        }
        return Ok(context.dir.clone());
    };
    let expanded = named.to_str().map_or(named.clone(), |text| context.expand(text));
    let path = context.dir.join(expanded);
    match path.metadata() {
        Ok(found) if found.is_dir() => Ok(path),
        // The path of the file is accepted instead of its directory.
        Ok(_) if path.ends_with(awsrole_core::project::discover::FILE_NAME) => {
            Ok(path.parent().map(PathBuf::from).unwrap_or(path))
        }
        Ok(_) => Err(Problem::new(format!("{} isn't a directory", context.shorten(&path)))),
        Err(e) => Err(Problem::new(format!("cannot enter {}", context.shorten(&path))).because(e)),
    }
}

/// Returns the files that apply to a directory.
pub(in crate::commands) fn files(dir: &std::path::Path, context: &Context) -> Result<Vec<PathBuf>, CommandError> {
    match upward(dir) {
        files if files.is_empty() => Err(CommandError::no_role(
            Problem::new(format!("there is no .awsrole.toml in {} or above", context.shorten(dir)))
                .hint("`awsrole init` writes one"),
        )),
        files => Ok(files),
    }
}

/// Returns the context without awsrole's exports, and the directory's allowed config.
pub(in crate::commands) fn allowed(
    dir: Option<PathBuf>,
    context: &Context,
    settings: &Settings,
) -> Result<(Context, Box<Allowed>, Vec<PathBuf>), CommandError> {
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    let files = files(&directory(dir, context)?, context)?;
    match evaluate_directory(&outer, settings, &files)?.0 {
        Verdict::Allowed(allowed) => Ok((outer, allowed, files)),
        Verdict::Broken { problem, .. } => Err(problem.into()),
        Verdict::Refused(refusal) => Err(CommandError::no_role(refusal.problem(context))),
    }
}

/// Returns the role of a command: the one given by name, or the one chosen by `awsrole use` in this shell.
///
/// # Errors
/// Fails if the environment names a role that awsrole didn't write there. Using the directory's default role instead
/// would differ from what the shell shows.
pub(in crate::commands) fn role_or_chosen(
    named: Option<&str>,
    context: &Context,
    files: &[PathBuf],
) -> Result<Option<String>, Problem> {
    if let Some(named) = named {
        return Ok(Some(named.to_owned()));
    }
    Ok(chosen(context, files)?.role().map(str::to_owned))
}

/// Returns the choice of this shell.
///
/// # Errors
/// As [`role_or_chosen`].
pub(in crate::commands) fn chosen(context: &Context, files: &[PathBuf]) -> Result<Chosen, Problem> {
    match OuterEnv::reconstruct(&context.env).chosen(files, &Choices::of(&context.paths), context.now) {
        Chosen::Unproven(name) => Err(Problem::new(unproven(&name)).hint("or select a role with `--role NAME`")),
        chosen => Ok(chosen),
    }
}

/// Returns whether the working directory has a project file that applies. The shell then holds the project's role, or
/// is blocked.
/// `outer` is the context without awsrole's exports.
pub(in crate::commands) fn project_applies(outer: &Context, settings: &Settings) -> bool {
    let files = upward(&outer.dir);
    !files.is_empty()
        && evaluate_directory(outer, settings, &files)
            .map_or(true, |(verdict, depth)| verdict.holds(depth) != ShellState::Outer)
}

/// Returns the profile that this shell uses: the one that `awsrole use --profile` chose, unless a project applies.
///
/// # Errors
/// Fails if the environment names a profile that awsrole didn't write there.
pub(in crate::commands) fn profile_in_use(
    context: &Context,
    settings: &Settings,
) -> Result<Option<SelectedProfile>, Problem> {
    let outer = OuterEnv::reconstruct(&context.env);
    let chosen = outer.chosen_profile(&Choices::of(&context.paths));
    if matches!(chosen, Ok(None)) || project_applies(&context.with_env(outer.env.clone()), settings) {
        return Ok(None);
    }
    let chosen = chosen.map_err(|unproven| {
        Problem::new(unproven_profile(&unproven)).hint("or select a profile with `--profile NAME`")
    })?;
    Ok(chosen.map(|chosen| chosen.profile))
}

/// Returns the plans of a directory's roles, and the first error that occurred.
pub(in crate::commands) fn plans(
    outer: &Context,
    settings: &Settings,
    allowed: &Allowed,
) -> (Vec<RolePlan>, Option<Problem>) {
    let mut plans = Vec::new();
    let mut problem = None;
    let config = allowed.config();
    // If there is a default role, it is one of the named roles.
    let nameless = config.default_role.is_none().then_some(None);
    for name in config.role_names().map(Some).chain(nameless) {
        match plan_role(outer, settings, allowed, name) {
            Ok(plan) => plans.push(plan),
            Err(why) => problem = Some(why),
        }
    }
    (plans, problem)
}

/// Returns the cache keys that `of` selects from the plans of a directory's roles, and the cache key of the role in
/// this shell, because inside a project it may not be possible to plan that role again.
pub(in crate::commands) fn entries(
    context: &Context,
    (plans, problem): (Vec<RolePlan>, Option<Problem>),
    of: impl Fn(&RolePlan) -> Vec<String>,
) -> Result<Vec<String>, Problem> {
    let held = OuterEnv::reconstruct(&context.env).role.map(|state| state.entry).filter(|entry| !entry.is_empty());
    merged(held.into_iter().chain(plans.iter().flat_map(of)).collect(), problem)
}

/// Returns the cache keys that `of` selects from the plans of another directory's roles.
pub(in crate::commands) fn entries_of(
    (plans, problem): (Vec<RolePlan>, Option<Problem>),
    of: impl Fn(&RolePlan) -> Vec<String>,
) -> Result<Vec<String>, Problem> {
    merged(plans.iter().flat_map(of).collect(), problem)
}

/// Returns the error only if nothing could be selected.
fn merged(entries: Vec<String>, problem: Option<Problem>) -> Result<Vec<String>, Problem> {
    match problem {
        Some(problem) if entries.is_empty() => Err(problem),
        _ => Ok(entries),
    }
}

/// Formats one or several policy documents for pasting.
pub(in crate::commands) fn pretty(value: &Value) -> Result<String, Problem> {
    let json = serde_json::to_string_pretty(value).map_err(|e| Problem::new("no JSON").because(e))?;
    Ok(escape_json(&json))
}

/// Returns the error for one of awsrole's own files that can't be read or written.
pub(in crate::commands) fn file_problem(error: &FileError) -> Problem {
    Problem::new(error.to_string()).hint(error.hint())
}

/// Returns the name of the only session.
///
/// # Errors
/// Fails if there is none, or several.
pub(in crate::commands) fn only_session(profiles: &Profiles, outer: &Context) -> Result<String, Problem> {
    let sessions = profiles.sso_sessions();
    let names: Vec<&str> = sessions.iter().map(|session| session.name).collect();
    let [config, _] = profiles.shown(outer);
    match names[..] {
        [only] => Ok(only.to_owned()),
        [] => Err(Problem::new(format!("{config} has no [sso-session NAME]"))
            .hint("`awsrole login --start-url URL --region REGION` writes one and signs in")),
        _ => Err(Problem::new(format!("{config} has several sessions"))
            .hint(format!("name one with `--sso-session`: {}", names.join(", ")))),
    }
}

/// Returns a name as the user types it in a shell.
pub(in crate::commands) fn quoted(name: &str) -> String {
    let is_plain = name.chars().all(|c| c.is_alphanumeric() || "_+.,@/-".contains(c));
    if is_plain && !name.is_empty() { name.to_owned() } else { Shell::Bash.quote(name) }
}

/// Returns the error for a command that only the hook's function in a shell can run.
pub(in crate::commands) fn needs_hook(context: &Context) -> CommandError {
    let problem = Problem::new("this needs the hook, which isn't loaded in this shell");
    if ambient::is_of_agent() {
        return problem.hint(super::this_shell::FOR_AGENTS).into();
    }
    let any = || "eval \"$(awsrole hook bash)\" (or zsh; fish: awsrole hook fish | source)".to_owned();
    problem.hint(super::this_shell::missing(context).or_else(super::this_shell::module_line).unwrap_or_else(any)).into()
}
