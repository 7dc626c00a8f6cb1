//! `awsrole use` without the hook's function: the list of roles. The hook's function does the rest.

use std::path::{Path, PathBuf};

use awsrole_core::aws::mfa::Authenticator;
use awsrole_core::aws::profiles::Profiles;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::base::suggest::suggestion;
use awsrole_core::plan::requester::Requester;
use awsrole_core::plan::resolve::SelectedProfile;
use awsrole_core::project::approval::Allowed;
use awsrole_core::project::config::Config;
use awsrole_core::project::discover::upward;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::choice::Choices;
use awsrole_core::shell::confirm::{Confirmation, in_shell, not_confirmed, question};
use awsrole_core::shell::export::plan_role;
use awsrole_core::shell::state::OuterEnv;
use awsrole_core::shell::statements::Shell;

use super::choices::{LastUse, RoleOrProfile, profile_item, role_item, roles_and_profiles};
use crate::authenticator::TerminalPrompter;
use crate::picker::{Item, Picked, Question, pick};
use crate::report::{CommandError, Outcome};
use crate::terminal::Terminal;
use awsrole_system::print::{out, print_notice};

/// Variables of file managers, which would hide a question below their panels. The hook then says that the role must be
/// confirmed.
const FILE_MANAGERS: [&str; 3] = ["MC_SID", "RANGER_LEVEL", "NNNLVL"];

/// Prompts for a role on the terminal and prints its token, which the hook stores.
pub(super) fn run(
    name: Option<&str>,
    profile: Option<&str>,
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    if name == Some("") {
        return Err(Problem::new("the role's name is empty")
            .hint("`awsrole use -` returns to the previous role")
            .into());
    }
    if let Some(profile) = profile {
        let mut error = super::common::needs_hook(context);
        let word = quoted(profile);
        error.problem = error.problem.hint(format!("`awsrole exec --profile {word} -- CMD` doesn't need it"));
        return Err(error);
    }
    if name.is_some() {
        return Err(super::common::needs_hook(context));
    }
    pick_one(context, settings)
}

/// Lets the user pick a role of the project file or a profile, and does what `awsrole use` does with its name.
fn pick_one(context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    let project = match upward(&context.dir).is_empty() {
        true => None,
        false => Some(super::common::allowed(None, context, settings)?.1),
    };
    let config = project.as_ref().map(|allowed| allowed.config());
    // A nameless role can't be chosen. `use -` returns to it.
    let roles: Vec<&str> = config.into_iter().flat_map(Config::role_names).collect();
    if let Some(config) = config.filter(|_| roles.is_empty()) {
        return Err(no_choice(config, context).into());
    }
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    let profiles = Profiles::load(&outer)?;
    let choices = roles_and_profiles(config, &profiles, &LastUse::read(context));
    if choices.is_empty() {
        return Err(no_file(context));
    }
    let terminal = Terminal::open().map_err(|_| match config {
        None => no_file(context),
        Some(_) => Problem::new("there is no terminal to prompt on")
            .hint(format!("give one of these names: {}", roles.join(", ")))
            .into(),
    })?;
    let items = items(&choices, config, &profiles, settings, &outer, context)?;
    let question = Question { text: "which role?", multi: false, cancelled: "no role was chosen" };
    match pick(&terminal, &context.env, &question, &items)? {
        Picked::Items(indices) => match indices.first().and_then(|index| choices.get(*index)) {
            Some(RoleOrProfile::Role(name)) => check(name, false, context, settings),
            Some(RoleOrProfile::Profile(name)) => {
                // The hook's function then does what `awsrole use --profile NAME` does.
                out(&format!("--profile={name}"))?;
                Ok(Outcome::Done)
            }
            None => Err(Problem::new(question.cancelled).into()),
        },
        Picked::Text(_) => {
            let names = if roles.is_empty() { String::new() } else { format!(": {}", roles.join(", ")) };
            Err(Problem::new("no such role").hint(format!("enter a number or a name{names}")).into())
        }
    }
}

/// Returns the items of the list. What this shell holds is marked.
fn items(
    choices: &[RoleOrProfile<'_>],
    config: Option<&Config>,
    profiles: &Profiles,
    settings: &Settings,
    outer: &Context,
    context: &Context,
) -> Result<Vec<Item>, Problem> {
    let accounts = settings.get()?.accounts.clone();
    let held = context.env.text("AWSROLE_ROLE");
    let profile = held.filter(|held| config.is_none() && context.env.text("AWSROLE_PROFILE") == Some(held));
    let item = |choice: &RoleOrProfile<'_>| match (choice, config) {
        (RoleOrProfile::Role(name), Some(config)) => Some(role_item(name, config, profiles, &accounts, outer, held)),
        (RoleOrProfile::Role(_), None) => None,
        (RoleOrProfile::Profile(name), _) => {
            profiles.get(name).map(|found| Ok(profile_item(&found, &accounts, profile)))
        }
    };
    choices.iter().filter_map(item).collect()
}

fn no_file(context: &Context) -> CommandError {
    match super::common::files(&context.dir) {
        Err(mut error) => {
            error.problem = error.problem.hint("`awsrole use --profile NAME` uses a profile of ~/.aws/config");
            error
        }
        Ok(_) => Problem::new("there is nothing to choose from").into(),
    }
}

/// Checks that the role exists and prints its token. With `yes` the token also says that the user confirmed the role.
/// For the name `-`, prints `profile` if no project applies here, so that `use -` is about the chosen profile.
pub(super) fn check(name: &str, yes: bool, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    if name == "-" {
        let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
        out(if super::common::project_applies(&outer, settings) { "" } else { "profile" })?;
        return Ok(Outcome::Done);
    }
    let allowed = super::common::allowed(None, context, settings);
    let (outer, allowed, files) = allowed.map_err(|mut error| {
        error.problem = with_tip(error.problem, name, context);
        error
    })?;
    let config = allowed.config();
    let names: Vec<&str> = config.role_names().collect();
    if names.is_empty() {
        return Err(with_tip(no_choice(config, context), name, context).into());
    }
    if !names.contains(&name) {
        let problem = Problem::new(format!("there is no [role.{name}] in {}", context.shorten(&config.file)));
        let tipped = with_tip(problem.clone(), name, context);
        let tipped = if tipped == problem { tipped.hint(suggestion(name, "the roles are", &names)) } else { tipped };
        return Err(tipped.into());
    }
    Requester::of(&outer, settings)?.role(config, Some(name)).map_err(CommandError::no_role)?;
    let confirmed = confirmation(name, yes, &allowed, &outer, settings)?;
    tell(name, confirmed, &files, &outer)
}

/// Returns the confirmation of a role that the user typed, and asks for it if the file sets `confirm`. It is asked
/// before the hook gives up the present role, so that an answer of no changes nothing.
fn confirmation(
    name: &str,
    yes: bool,
    allowed: &Allowed,
    outer: &Context,
    settings: &Settings,
) -> Result<Option<Confirmation>, CommandError> {
    let asks = allowed.config().select(Some(name)).is_ok_and(|(_, keys)| keys.confirm == Some(true));
    if !yes && (!asks || FILE_MANAGERS.iter().any(|variable| outer.env.has(variable))) {
        return Ok(None);
    }
    let plan = plan_role(outer, settings, allowed, Some(name))?;
    if let (Some(question), false) = (question(allowed, Some(name), &plan, None, &settings.get()?.accounts), yes) {
        let answer = TerminalPrompter::new(true, outer, settings).confirm(&question);
        answer.map_err(|why| {
            let problem = not_confirmed(&plan, why, &in_shell(Some(name)));
            CommandError::no_role(problem.because("this shell keeps what it held"))
        })?;
    }
    Ok(Some(Confirmation::of(&plan)))
}

/// Checks that the profile leads to a role and prints its token. Prints a notice if a project's role takes precedence.
pub(super) fn profile(name: String, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    let profile = SelectedProfile::of_option(name);
    profile.plan(&Profiles::load(&outer)?, &outer, &Requester::of(&outer, settings)?)?;
    let word = Choices::of(&outer.paths).profile_word(profile.name()).map_err(|e| {
        let command = format!("`awsrole exec --profile {}` doesn't need this file", quoted(profile.name()));
        super::common::file_problem(&e).hint(command)
    })?;
    if super::common::project_applies(&outer, settings) {
        print_notice(format!(
            "profile {} is used outside of this project, whose own role applies here",
            profile.name()
        ));
    }
    out(&word)?;
    Ok(Outcome::Done)
}

/// Adds the hint that a profile has this name.
fn with_tip(mut problem: Problem, name: &str, context: &Context) -> Problem {
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    if Profiles::load(&outer).is_ok_and(|profiles| profiles.get(name).is_some()) {
        problem.hints.insert(0, format!("`awsrole use --profile {}` uses the profile of this name", quoted(name)));
    }
    problem
}

/// Returns a name as the user types it in a shell.
fn quoted(name: &str) -> String {
    let is_plain = name.chars().all(|c| c.is_alphanumeric() || "_+.,@/-".contains(c));
    if is_plain && !name.is_empty() { name.to_owned() } else { Shell::Bash.quote(name) }
}

/// Prints what the hook stores for a choice: a token that proves to child processes that awsrole made the choice.
fn tell(
    role: &str,
    confirmed: Option<Confirmation>,
    files: &[PathBuf],
    outer: &Context,
) -> Result<Outcome, CommandError> {
    let file = files.first().map(PathBuf::as_path).unwrap_or(Path::new("/"));
    let word = Choices::of(&outer.paths).word(file, role, confirmed);
    out(&word.map_err(|e| {
        super::common::file_problem(&e).hint(format!("`awsrole exec --role {role}` doesn't need this file"))
    })?)?;
    Ok(Outcome::Done)
}

fn no_choice(config: &Config, context: &Context) -> Problem {
    Problem::new(format!("{} has no [role.NAME] to choose from", context.shorten(&config.file)))
        .hint("the directory's only role is entered on `cd`")
}
