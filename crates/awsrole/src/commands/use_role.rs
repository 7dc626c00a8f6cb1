//! `awsrole use` without the hook's function: the list of roles. The hook's function does the rest.

use std::path::{Path, PathBuf};

use awsrole_core::aws::mfa::Authenticator;
use awsrole_core::aws::profiles::Profiles;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::{Problem, escape};
use awsrole_core::base::suggest::suggestion;
use awsrole_core::explain::summary::summarize;
use awsrole_core::project::approval::Allowed;
use awsrole_core::project::config::Config;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::choice::Choices;
use awsrole_core::shell::confirm::{Confirmation, in_shell, not_confirmed, question};
use awsrole_core::shell::export::plan_role;

use crate::authenticator::TerminalPrompter;
use crate::report::{CommandError, Outcome};
use crate::terminal::Terminal;
use awsrole_system::print::out;

/// Variables of file managers, which would hide a question below their panels. The hook then says that the role must be
/// confirmed.
const FILE_MANAGERS: [&str; 3] = ["MC_SID", "RANGER_LEVEL", "NNNLVL"];

/// Prompts for a role on the terminal and prints its token, which the hook stores.
pub(super) fn run(name: Option<&str>, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    if name == Some("") {
        return Err(Problem::new("the role's name is empty")
            .hint("`awsrole use -` returns to the previous role")
            .into());
    }
    if name.is_some() {
        return Err(super::common::needs_hook(context));
    }
    let (outer, allowed, files) = super::common::allowed(None, context, settings)?;
    let config = allowed.config();
    let accounts = settings.get()?.accounts.clone();
    let summaries = summarize(config, &Profiles::load(&outer)?, &accounts, &outer)?;
    // A nameless role can't be chosen. `use -` returns to it.
    let roles: Vec<_> = summaries.iter().filter_map(|role| Some((role.name.as_deref()?, &role.lines))).collect();
    if roles.is_empty() {
        return Err(no_choice(config, context).into());
    }
    let names: Vec<&str> = roles.iter().map(|(name, _)| *name).collect();
    let terminal = Terminal::open().map_err(|_| {
        Problem::new("there is no terminal to prompt on").hint(format!("give one of these names: {}", names.join(", ")))
    })?;
    for (index, (name, lines)) in roles.iter().enumerate() {
        let account = lines.iter().find(|(label, _)| *label == "account").map(|(_, text)| text.as_str());
        let default = if Some(*name) == config.default_role.as_deref() { "  (default)" } else { "" };
        let name = escape(name);
        terminal.show(&format!("  {}  {name:<16}{}{default}\n", index + 1, account.unwrap_or_default()));
    }
    let answer = terminal.ask("awsrole: which role? ").map_err(|_| Problem::new("no role was chosen"))?;
    let answer = answer.trim();
    let chosen = answer.parse::<usize>().ok().and_then(|number| names.get(number.checked_sub(1)?)).copied();
    let chosen = chosen.or_else(|| names.iter().find(|name| **name == answer).copied());
    let Some(chosen) = chosen else {
        return Err(Problem::new("no such role")
            .hint(format!("enter a number or a name: {}", names.join(", ")))
            .into());
    };
    let confirmed = confirmed(chosen, false, &allowed, &outer, settings)?;
    tell(chosen, confirmed, &files, &outer)
}

/// Checks that the role exists and prints its token. With `yes` the token also says that the user confirmed the role.
pub(super) fn check(name: &str, yes: bool, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    let (outer, allowed, files) = super::common::allowed(None, context, settings)?;
    let config = allowed.config();
    let names: Vec<&str> = config.role_names().collect();
    if names.is_empty() {
        return Err(no_choice(config, context).into());
    }
    if !names.contains(&name) {
        return Err(Problem::new(format!("there is no [role.{name}] in {}", context.shorten(&config.file)))
            .hint(suggestion(name, "the roles are", &names))
            .into());
    }
    let confirmed = confirmed(name, yes, &allowed, &outer, settings)?;
    tell(name, confirmed, &files, &outer)
}

/// Returns the confirmation of a role that the user typed, and asks for it if the file sets `confirm`. It is asked
/// before the hook gives up the present role, so that an answer of no changes nothing.
fn confirmed(
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
    let plan = plan_role(outer, allowed, Some(name))?;
    if let (Some(question), false) = (question(allowed, Some(name), &plan, None, &settings.get()?.accounts), yes) {
        let answer = TerminalPrompter::new(true, outer, settings).confirm(&question);
        answer.map_err(|why| {
            let problem = not_confirmed(&plan, why, &in_shell(Some(name)));
            CommandError::no_role(problem.because("this shell keeps what it held"))
        })?;
    }
    Ok(Some(Confirmation::of(&plan)))
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
