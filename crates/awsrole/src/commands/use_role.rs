//! `awsrole use` without the hook's function: the list of roles. The hook's function does the rest.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use awsrole_core::aws::mfa::{Authenticator, NotConfirmed};
use awsrole_core::aws::profiles::Profiles;
use awsrole_core::base::agent::Agent;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::base::suggest::suggestion;
use awsrole_core::plan::guard::Guard;
use awsrole_core::plan::requester::Requester;
use awsrole_core::plan::role_plan::RolePlan;
use awsrole_core::project::approval::Allowed;
use awsrole_core::project::config::{Config, Confirm};
use awsrole_core::project::discover::upward;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::choice::{self, Choices, Terms};
use awsrole_core::shell::confirm::{Confirmation, in_shell, not_confirmed, question};
use awsrole_core::shell::export::{agent_limits, plan_role};
use awsrole_core::shell::state::OuterEnv;

use super::choices::{LastUse, RoleOrProfile, profile_item, role_item, roles_and_profiles};
use super::common::quoted;
use super::fetch_ahead::{fetch_ahead, may_ask};
use super::target::selected;
use crate::authenticator::TerminalPrompter;
use crate::cli::{PlaceOptions, TargetOptions};
use crate::picker::{Item, Picked, Question, pick_one};
use crate::report::{CommandError, Outcome};
use crate::terminal::Terminal;
use awsrole_system::print::{out, print_notice};

/// Prompts for a role on the terminal and prints its token, which the hook stores.
pub(super) fn run(
    name: Option<&str>,
    place: &PlaceOptions,
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    if name == Some("") {
        return Err(Problem::new("the role's name is empty")
            .hint("`awsrole use -` returns to the previous role")
            .into());
    }
    if let Some(profile) = selected(place, context, settings)? {
        let mut error = super::common::needs_hook(context);
        let word = quoted(profile.name());
        error.problem = error.problem.hint(format!("`awsrole exec --profile {word} -- CMD` doesn't need it"));
        return Err(error);
    }
    if name.is_some() {
        return Err(super::common::needs_hook(context));
    }
    tell(picked(context, settings)?)
}

/// What the hook stores for a choice: a word that proves to child processes that awsrole made it. If the role cannot be
/// assumed, it is the outcome of an error that was printed.
pub(super) type ChosenWord = Result<String, Outcome>;

/// Lets the user pick a role of the project file or a profile. Returns the token of the role, or `--profile=NAME`, with
/// which the hook's function does what `awsrole use --profile NAME` does. The token of a role without a name is empty,
/// unless the user confirmed it.
pub(super) fn picked(context: &Context, settings: &Settings) -> Result<ChosenWord, CommandError> {
    let project = match upward(&context.dir).is_empty() {
        true => None,
        false => Some(super::common::allowed(None, context, settings)?),
    };
    let project = project.as_ref().map(|(_, allowed, files)| (allowed.as_ref(), files.as_slice()));
    let config = project.map(|(allowed, _)| allowed.config());
    let roles: Vec<&str> = config.into_iter().flat_map(Config::role_names).collect();
    let no_choice = |config| no_choice(project.map(|(allowed, _)| allowed), config, context, settings).into();
    if let Some(config) = config.filter(|config| roles.is_empty() && !config.has_nameless_role()) {
        return Err(no_choice(config));
    }
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    let profiles = Profiles::load(&outer)?;
    let choices = roles_and_profiles(config, &profiles, &LastUse::read(context), &outer);
    if choices.is_empty() {
        return Err(no_file(context));
    }
    let is_of_agent = Agent::recognize(&context.env).is_some();
    let terminal = Terminal::open().ok().filter(|_| !is_of_agent);
    let terminal = match (terminal, config) {
        (Some(terminal), _) => terminal,
        (None, None) => return Err(no_file(context)),
        (None, Some(config)) if roles.is_empty() => return Err(no_choice(config)),
        (None, Some(config)) if is_of_agent => {
            return Err(not_for_agents(config, &roles, &Requester::of(&outer, settings)?));
        }
        (None, Some(_)) => return Err(unnamed("there is no terminal to prompt on", &roles)),
    };
    let items = items(&choices, config, &profiles, settings, &outer, context)?;
    let question = Question { text: "which role?", cancelled: "no role was chosen" };
    match pick_one(&terminal, &context.env, &question, &items)? {
        Picked::Items(index) => match &choices[index] {
            RoleOrProfile::Role(name) => role_token(name, false, context, settings),
            RoleOrProfile::NamelessRole(_) => nameless_token(project, &outer, context, settings),
            RoleOrProfile::Profile(name) => Ok(Ok(format!("--profile={name}"))),
        },
        Picked::Text(_) => {
            let names = if roles.is_empty() { String::new() } else { format!(": {}", roles.join(", ")) };
            Err(Problem::new("no such role").hint(format!("pick one of the list, or enter its name{names}")).into())
        }
    }
}

/// Returns the error that nobody can pick one of the roles.
fn unnamed(why: &str, roles: &[&str]) -> CommandError {
    Problem::new(why).hint(format!("give one of these names: {}", roles.join(", "))).into()
}

/// Returns the error that awsrole doesn't let an agent pick a role. It lists those that the agent gets.
fn not_for_agents(config: &Config, roles: &[&str], requester: &Requester) -> CommandError {
    let refusal = |role: &str| requester.role(config, Some(role)).err();
    let granted: Vec<&str> = roles.iter().copied().filter(|role| refusal(role).is_none()).collect();
    match roles.iter().find_map(|role| refusal(role)).filter(|_| granted.is_empty()) {
        Some(problem) => CommandError::no_role(problem),
        None => unnamed("agents are not asked which role", &granted),
    }
}

/// Lets the user pick a profile for a command that was typed outside of projects and selects no role. Otherwise, and
/// without a terminal, returns the options unchanged.
pub(super) fn or_picked(
    mut options: TargetOptions,
    context: &Context,
    settings: &Settings,
) -> Result<TargetOptions, CommandError> {
    let is_typed = || io::stdin().is_terminal() && io::stderr().is_terminal() && Terminal::open().is_ok();
    let selects = options.role.is_some() || !options.place.is_empty() || !upward(&context.dir).is_empty();
    if selects || Agent::recognize(&context.env).is_some() || !is_typed() {
        return Ok(options);
    }
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    let profiles = Profiles::load(&outer)?;
    let has_profiles = !roles_and_profiles(None, &profiles, &LastUse::read(context), &outer).is_empty();
    if has_profiles && super::common::profile_in_use(context, settings)?.is_none() {
        let picked = picked(context, settings)?.unwrap_or_default();
        options.place.profile = picked.strip_prefix("--profile=").map(str::to_owned);
    }
    Ok(options)
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
    let profile = held.filter(|held| context.env.text("AWSROLE_PROFILE") == Some(held));
    // In a project its own role applies. The shell uses the profile when it leaves.
    let mark = |name: &str| match config {
        Some(_) => Some("outside"),
        None => (profile == Some(name)).then_some("current"),
    };
    let item = |choice: &RoleOrProfile<'_>| match (choice, config) {
        (RoleOrProfile::Role(name), Some(config)) => {
            Some(role_item(Some(name), name, config, profiles, &accounts, outer, held))
        }
        (RoleOrProfile::NamelessRole(title), Some(config)) => {
            Some(role_item(None, title, config, profiles, &accounts, outer, held))
        }
        (RoleOrProfile::Role(_) | RoleOrProfile::NamelessRole(_), None) => None,
        (RoleOrProfile::Profile(name), _) => {
            profiles.get(name).map(|found| Ok(profile_item(&found, &accounts, mark(name))))
        }
    };
    choices.iter().filter_map(item).collect()
}

fn no_file(context: &Context) -> CommandError {
    match super::common::files(&context.dir, context) {
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
    tell(role_token(name, yes, context, settings)?)
}

/// Checks that the role exists and returns its token. With `yes` the token also says that the user confirmed the role.
pub(super) fn role_token(
    name: &str,
    yes: bool,
    context: &Context,
    settings: &Settings,
) -> Result<ChosenWord, CommandError> {
    let allowed = super::common::allowed(None, context, settings);
    let (outer, allowed, files) = allowed.map_err(|mut error| {
        error.problem = with_tip(error.problem, name, context);
        error
    })?;
    let config = allowed.config();
    let names: Vec<&str> = config.role_names().collect();
    if names.is_empty() {
        return Err(with_tip(no_choice(Some(&allowed), config, context, settings), name, context).into());
    }
    if !names.contains(&name) {
        let problem = Problem::new(format!("there is no [role.{name}] in {}", context.shorten(&config.file)));
        let tipped = with_tip(problem.clone(), name, context);
        let tipped = if tipped == problem { tipped.hint(suggestion(name, "the roles are", &names)) } else { tipped };
        return Err(tipped.into());
    }
    Requester::of(&outer, settings)?.role(config, Some(name)).map_err(CommandError::no_role)?;
    let plan = plan_role(&outer, settings, &allowed, Some(name))?;
    let guard = Guard::of_role(&allowed, Some(name), &plan, &settings.get()?.accounts);
    let confirmed = match yes {
        true => Some(Confirmation::of(&plan)),
        false => ask(&guard, &plan, &in_shell(Some(name)), &outer, settings)?,
    };
    if confirmed.is_some() || guard.confirm == Confirm::Never {
        match fetch_ahead(&plan, Some(&format!("--role {}", quoted(name))), &outer, context, settings)? {
            Outcome::Done => {}
            failed => return Ok(Err(failed)),
        }
    }
    let until = choice::end(config, Some(name), outer.now);
    let file = files.first().map(PathBuf::as_path).unwrap_or(Path::new("/"));
    let word = Choices::of(&outer.paths).word(file, name, Terms { confirmed, until });
    Ok(Ok(word.map_err(|e| {
        super::common::file_problem(&e).hint(format!("`awsrole exec --role {name}` doesn't need this file"))
    })?))
}

/// Checks that `cd` assumes the role without a name and returns its token. It is empty if the role needs no
/// confirmation, or is confirmed by the hook.
fn nameless_token(
    project: Option<(&Allowed, &[PathBuf])>,
    outer: &Context,
    context: &Context,
    settings: &Settings,
) -> Result<ChosenWord, CommandError> {
    let Some((allowed, files)) = project else { return Ok(Ok(String::new())) };
    let plan = plan_role(outer, settings, allowed, None)?;
    let guard = Guard::of_role(allowed, None, &plan, &settings.get()?.accounts);
    guard.require_name(allowed, None).map_err(CommandError::no_role)?;
    let confirmed = ask(&guard, &plan, &in_shell(None), outer, settings)?;
    if confirmed.is_some() || guard.confirm == Confirm::Never {
        match fetch_ahead(&plan, None, outer, context, settings)? {
            Outcome::Done => {}
            failed => return Ok(Err(failed)),
        }
    }
    if confirmed.is_none() {
        return Ok(Ok(String::new()));
    }
    let file = files.first().map(PathBuf::as_path).unwrap_or(Path::new("/"));
    let word = Choices::of(&outer.paths).word(file, choice::DEFAULT, Terms::confirmed(confirmed));
    Ok(Ok(word.map_err(|e| super::common::file_problem(&e))?))
}

/// Asks for the confirmation of a role, if it must be confirmed. `how` says what confirms it otherwise. It is asked
/// before the hook gives up the present role, so that an answer of no changes nothing.
fn ask(
    guard: &Guard,
    plan: &RolePlan,
    how: &str,
    outer: &Context,
    settings: &Settings,
) -> Result<Option<Confirmation>, CommandError> {
    let Some(question) = question(guard, plan, None, &settings.get()?.accounts) else { return Ok(None) };
    if !may_ask(outer) {
        return Ok(None);
    }
    let answer = TerminalPrompter::new(true, outer, settings).confirm(&question);
    answer.map_err(|why| {
        let how = if why == NotConfirmed::No { "nothing was changed: this shell keeps what it held" } else { how };
        CommandError::no_role(not_confirmed(plan, why, how))
    })?;
    Ok(Some(Confirmation::of(plan)))
}

/// Checks that the profile leads to a role and prints its token.
pub(super) fn profile(place: &PlaceOptions, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    tell(profile_token(place, context, settings)?)
}

/// Checks that the profile leads to a role and returns its token. Prints a notice if a project's role takes precedence.
pub(super) fn profile_token(
    place: &PlaceOptions,
    context: &Context,
    settings: &Settings,
) -> Result<ChosenWord, CommandError> {
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    let Some(profile) = selected(place, &outer, settings)? else {
        return Err(Problem::new("no profile was selected").into());
    };
    let requester = Requester::of(&outer, settings)?.in_project(|| agent_limits(&outer, settings))?;
    let plan = profile.plan(&Profiles::load(&outer)?, &outer, &requester)?;
    let guard = Guard::of_profile(&plan, &settings.get()?.accounts);
    let how = format!("`awsrole exec --profile {} --yes -- CMD` doesn't ask", quoted(profile.name()));
    let confirmed = ask(&guard, &plan, &how, &outer, settings)?;
    let project_applies = super::common::project_applies(&outer, settings);
    if !project_applies && (confirmed.is_some() || guard.confirm == Confirm::Never) {
        match fetch_ahead(&plan, Some(&format!("--profile {}", quoted(profile.name()))), &outer, context, settings)? {
            Outcome::Done => {}
            failed => return Ok(Err(failed)),
        }
    }
    let word = Choices::of(&outer.paths).profile_word(profile.name(), confirmed).map_err(|e| {
        let command = format!("`awsrole exec --profile {}` doesn't need this file", quoted(profile.name()));
        super::common::file_problem(&e).hint(command)
    })?;
    if project_applies {
        print_notice(format!(
            "profile {} is used outside of this project, whose own role applies here",
            profile.name()
        ));
    }
    Ok(Ok(word))
}

/// Adds the hint that a profile has this name.
fn with_tip(mut problem: Problem, name: &str, context: &Context) -> Problem {
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    if Profiles::load(&outer).is_ok_and(|profiles| profiles.get(name).is_some()) {
        problem.hints.insert(0, format!("`awsrole use --profile {}` uses the profile of this name", quoted(name)));
    }
    problem
}

/// Prints what the hook stores for a choice.
fn tell(word: ChosenWord) -> Result<Outcome, CommandError> {
    match word {
        Ok(word) => out(&word).map(|()| Outcome::Done).map_err(CommandError::from),
        Err(failed) => Ok(failed),
    }
}

/// Returns the error for a file without named roles. It says which role the file has.
fn no_choice(project: Option<&Allowed>, config: &Config, context: &Context, settings: &Settings) -> Problem {
    let file = context.shorten(&config.file);
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    let project = project.filter(|_| config.has_nameless_role());
    let plan = project.and_then(|allowed| plan_role(&outer, settings, allowed, None).ok());
    let Some(plan) = plan else {
        return Problem::new(format!("{file} has no role to choose from"))
            .hint("`awsrole edit` opens it: each [role.NAME] is one");
    };
    let account = plan.account().map(|account| format!(" in {}", settings.or_default().accounts.shown(&account)));
    let problem =
        Problem::new(format!("{file} has one role, without a name: {}{}", plan.title(), account.unwrap_or_default()));
    let guard = project.map(|allowed| (Guard::of_role(allowed, None, &plan, &settings.or_default().accounts), allowed));
    // A role that must be chosen by name needs a name first.
    if let Some(Err(unnamed)) = guard.map(|(guard, allowed)| guard.require_name(allowed, None)) {
        return Problem { hints: unnamed.hints, ..problem.because(unnamed.summary) };
    }
    problem
        .hint("`cd` assumes it, and `awsrole use --none` returns to it")
        .hint("several roles need a table [role.NAME] each")
}
