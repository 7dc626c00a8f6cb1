//! Dispatches to the commands. Each command has a file.

mod allow;
mod choices;
mod claude_hooks;
mod block_edit;
mod common;
mod console;
mod console_sign_in;
mod credential_process;
mod deny;
mod doctor;
mod edit;
mod env;
mod exec;
mod fetch_ahead;
mod held;
mod history;
pub(crate) mod hook;
mod import;
mod init;
mod keys;
mod login;
mod long_run;
mod logout;
mod policy;
mod profiles;
mod prompt;
mod providers;
mod refresh;
mod revoke;
mod setup;
mod shell_command;
mod sign_in;
mod sign_out;
mod sso_session;
mod status;
mod sudo;
mod target;
mod this_shell;
mod use_role;
mod why;

use std::borrow::Cow;

use awsrole_core::base::agent::Agent;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::plan::requester::Requester;
use awsrole_core::settings::user_config::Settings;
use awsrole_system::print::out;

use self::credential_process::ProcessConsent;
use self::held::Wanted;
use crate::cli::{Command, KeysCommand, PlaceOptions, command_line};
use crate::completion;
use crate::report::{CommandError, Outcome};

/// Runs a command.
pub(crate) fn run(command: Command, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    if let Some(what) = for_users_only(&command) {
        Requester::refuse_agent(context, what)?;
    }
    match command {
        Command::Hook { hook } => hook::run(hook, context, settings),
        Command::Allow { dir, yes, strict } => {
            let consent = if yes { allow::Consent::Given } else { allow::Consent::Ask };
            let strictness = if strict { allow::Strictness::Refuse } else { allow::Strictness::Warn };
            allow::run(dir, consent, strictness, context, settings)
        }
        Command::Edit { dir } => edit::run(dir, context, settings),
        Command::Deny { dir } => deny::run(dir, context),
        Command::On | Command::Off => Err(common::needs_hook(context)),
        Command::Status { json, long } => status::run(json, long, context, settings),
        Command::Why { target, json } => why::run(target, json, context, settings),
        Command::Policy { target, json } => policy::run(target, json, context, settings),
        Command::Doctor { json } => doctor::run(json, context, settings),
        Command::Use { none: true, .. } => Err(common::needs_hook(context)),
        Command::Use { name, profile, set, .. } => {
            let place = PlaceOptions { profile, set, dir: None };
            use_role::run(name.as_deref(), &place, context, settings)
        }
        Command::Keys { keys } => keys::run(keys, context, settings),
        Command::Login(options) => login::run(options, context, settings),
        Command::Revoke { role, user, apply: _, profile, json } => {
            revoke::run(&revoke::RevokeOptions { role, user, admin: profile, json }, context, settings)
        }
        Command::Refresh { all } => refresh::run(all, context, settings),
        Command::History { limit, json } => history::run(limit, json, context, settings),
        Command::Logout { sso: Some(None), all: true, .. } => sign_out::run_all(context, settings),
        Command::Logout { sso: Some(named), .. } => sign_out::run(named.as_deref(), context, settings),
        Command::Logout { place, all, sso: None } => logout::run(place, all, context, settings),
        Command::Exec { target, min_ttl, yes, renew, agent, command } => {
            let wanted = Wanted { target: use_role::or_picked(target, context, settings)?, min_ttl, yes };
            exec::run(wanted, renew, &command, &agent_context(agent, context), settings)
        }
        Command::Sudo { role, command } => sudo::run(role, &command, context, settings),
        Command::Console { print, yes, service, duration, target } => {
            let wanted = Wanted { target: use_role::or_picked(target, context, settings)?, min_ttl: None, yes };
            console::run(print, service.as_deref(), duration, wanted, context, settings)
        }
        Command::Env { format, yes, target, min_ttl } => {
            env::run(format, Wanted { target, min_ttl, yes }, context, settings)
        }
        Command::CredentialProcess { run: Some(run), target, .. } => {
            credential_process::of_run(&run, target.place.profile.as_deref(), context, settings)
        }
        Command::CredentialProcess { target, yes, confirmed, agent, .. } => {
            let consent = match (yes, confirmed) {
                (true, _) => ProcessConsent::Given,
                (false, Some(confirmed)) => ProcessConsent::GivenFor(confirmed),
                (false, None) => ProcessConsent::No,
            };
            credential_process::run(target, &consent, &agent_context(agent, context), settings)
        }
        Command::Init { profile, role_arn, source_profile, sso_session, account, role_name, region, yes, dir } => {
            let names_set = sso_session.is_some() || account.is_some() || role_name.is_some();
            let set = names_set.then_some(init::SetOptions { session: sso_session, account, role_name });
            let wanted =
                init::InitOptions { profile, role_arn, source_profile, permission_set: None, region, pin: true };
            init::run(wanted, set.as_ref(), yes, dir, context, settings)
        }
        Command::Prompt { program } => prompt::run(program, context),
        Command::Setup(options) => setup::run(&options, context, settings),
        Command::Import { path } => import::run(path, context),
        Command::Profiles { profiles } => profiles::run(&profiles, context, settings),
        Command::Schema => {
            out(include_str!("../../../docs/awsrole.schema.json"))?;
            Ok(Outcome::Done)
        }
        Command::Man { dir } => {
            clap_mangen::generate_to(command_line(), &dir).map_err(|e| {
                Problem::new(format!("cannot write the man pages to {}", context.shorten(&dir)))
                    .because(e)
                    .hint("create the directory first, such as ~/.local/share/man/man1")
            })?;
            Ok(Outcome::Done)
        }
        Command::Completions { shell } => {
            out(completion::script(shell))?;
            Ok(Outcome::Done)
        }
    }
}

/// Returns what a command does that is for the user alone, in the form "agents can't …".
///
/// The first ones would loosen the limits, and the others need the user or give more than the session.
fn for_users_only(command: &Command) -> Option<&'static str> {
    match command {
        Command::Allow { .. } | Command::Edit { .. } => Some("approve a project file"),
        // Without the project's role, an agent would have the user's own environment.
        Command::Deny { .. } => Some("deny a project file"),
        Command::Logout { .. } => Some("end sessions"),
        Command::Profiles { .. } => Some("change the AWS files"),
        Command::Revoke { apply: true, .. } => Some("revoke sessions"),
        Command::Setup(_) => Some("change startup files"),
        Command::Keys { keys: KeysCommand::List { .. } } => None,
        Command::Keys { .. } => Some("manage long-lived keys"),
        Command::Login(_) => Some("sign in"),
        Command::Console { .. } => Some("open the AWS console"),
        Command::Sudo { .. } => Some("use `awsrole sudo`"),
        _ => None,
    }
}

/// Returns the context of a command that runs for an agent because the user says so.
fn agent_context(agent: bool, context: &Context) -> Cow<'_, Context> {
    if !agent {
        return Cow::Borrowed(context);
    }
    let env = Agent::always_limited(&context.env).marked(context.env.clone());
    Cow::Owned(context.with_env(env))
}

#[cfg(test)]
mod tests {
    use awsrole_core::base::agent::USER_COMMANDS;
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn hints_for_agents_know_the_commands_for_users() {
        for command in USER_COMMANDS {
            let argument = match command {
                "awsrole sudo" => Some("true"),
                "awsrole revoke --apply" => Some("--profile=admin"),
                _ => command.contains(" keys ").then_some("jump"),
            };
            let parsed = Cli::try_parse_from(command.split(' ').chain(argument));
            assert!(parsed.is_ok_and(|cli| for_users_only(&cli.command).is_some()), "{command}");
        }
    }
}
