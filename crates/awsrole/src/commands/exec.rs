//! `awsrole exec`: runs a command with the directory's role, without the hook.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use awsrole_core::base::agent::hint_for_agent;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::session::history::Recipient;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::environment::{EnvDiff, Value};
use awsrole_core::shell::posix::AGENT_SESSION;
use awsrole_core::shell::statements::child_environment;

use super::held::{ActiveRole, Wanted, format_duration};
use super::long_run;
use crate::report::{CommandError, Outcome};
use awsrole_system::ambient::is_of_agent;
use awsrole_system::print::{print_error, print_notice};

/// Returns whether a command starts a shell in which a user types, which may load the hook.
fn is_interactive_shell(command: &[OsString]) -> bool {
    let name = command.first().and_then(|program| Path::new(program).file_name()?.to_str());
    name.is_some_and(|name| ["bash", "zsh", "fish", "nu", "xonsh", "elvish", "tcsh"].contains(&name))
        && command.iter().skip(1).all(|word| ["-i", "-l", "-il"].iter().any(|option| word == option))
}

pub(super) fn run(
    wanted: Wanted,
    renew: bool,
    command: &[OsString],
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    let selects_role = renew || wanted.target.role.is_some() || !wanted.target.place.is_empty();
    let held = ActiveRole::get(Recipient::Exec, wanted, context, settings)?;
    let (mut diff, prepared) = if renew {
        let (diff, prepared) = long_run::prepare(&held, settings)?;
        if let Some(left) = long_run::without_code(&held, settings, context.now) {
            let plan = &held.target.plan;
            let advice = format!("run `{}` in another terminal", plan.exec_command());
            print_notice(format!(
                "{} is renewed for {}, then it needs an MFA code: {}",
                plan.title(),
                format_duration(left),
                if is_of_agent() { hint_for_agent(advice) } else { advice }
            ));
        }
        (diff, Some(prepared))
    } else {
        (held.diff()?, None)
    };
    if let (Some(name), true) = (held.target.profile(), is_interactive_shell(command)) {
        print_notice(format!("a shell with the hook drops this role: `awsrole use --profile={name}` keeps it"));
    }
    if held.target.plan.agent.is_some() && selects_role {
        keep_for_agent(&mut diff);
    }
    let failed = replace_process(command, &held, &diff);
    if let Some(prepared) = prepared {
        prepared.remove();
    }
    Ok(failed)
}

/// Notes the session that was selected for an agent, so that the hook for single commands (`awsrole hook sh`) keeps it
/// in every directory.
fn keep_for_agent(diff: &mut EnvDiff) {
    let value = |wanted: &str| {
        diff.set.iter().find_map(|(name, value)| match value {
            Value::Plain(text) if *name == wanted => Some(text.clone()),
            _ => None,
        })
    };
    if let Some(session) = value("AWS_ACCESS_KEY_ID").or_else(|| value("AWS_CONFIG_FILE")) {
        diff.set.push((AGENT_SESSION.into(), Value::Plain(session)));
    }
}

/// Replaces this process by a command with a role. Returns only if that fails, after it printed the error.
pub(super) fn replace_process(command: &[OsString], held: &ActiveRole, diff: &EnvDiff) -> Outcome {
    let env = child_environment(&held.target.outer.env, diff);
    let program = &command[0];
    let error = Command::new(program).args(&command[1..]).env_clear().envs(&env.0).exec();
    cannot_run(program, &error)
}

/// Prints why a program can't be run.
pub(super) fn cannot_run(program: &OsStr, error: &io::Error) -> Outcome {
    print_error(&Problem::new(format!("cannot run {}", program.to_string_lossy())).because(error).hint(
        "is it installed and in PATH? a command is a program and its arguments, or `sh -c '…'` for shell syntax",
    ));
    // These are the exit codes of shells and env(1).
    let code = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
    Outcome::Code(code)
}
