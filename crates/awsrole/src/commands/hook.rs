//! `awsrole hook`: prints the snippets and runs their subcommands.

use std::path::Path;

use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::export::{Change, ChosenWords};
use awsrole_core::shell::generation;
use awsrole_core::shell::long_run;
use awsrole_core::shell::posix;
use awsrole_core::shell::snippet::Snippet;
use awsrole_core::shell::statements::{PROTOCOL, Shell};
use awsrole_hook::{answer, answer_agent, digest, renew};
use awsrole_system::ambient;
use awsrole_system::print::out;

use crate::cli::{EventName, Hook, HookExport, Neighbour};
use crate::overrides;
use crate::report::{CommandError, Outcome};

pub(super) fn run(hook: Hook, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    match hook {
        Hook::Bash { with } => snippet(Shell::Bash, with, context)?,
        Hook::Zsh { with } => snippet(Shell::Zsh, with, context)?,
        Hook::Fish { with } => snippet(Shell::Fish, with, context)?,
        Hook::Watch { process, run, start } => super::long_run::watch(process, &run, start, context),
        Hook::Choose { profile: Some(profile), .. } => return super::use_role::profile(profile, context, settings),
        Hook::Choose { name, yes, .. } => {
            return super::use_role::check(&name.unwrap_or_default(), yes, context, settings);
        }
        Hook::Digest { files } => digest(&files)?,
        Hook::Renew { role, profile, files } => {
            // A new session detaches from the terminal, so that neither Ctrl-C nor closing the terminal ends this
            // process.
            let _ = rustix::process::setsid();
            let words = ChosenWords { role: role.as_deref(), profile: profile.as_deref() };
            renew(words, &files, context, settings, |outer, pending| {
                fetching(outer, settings, false, |providers| pending.fetch(providers))
            });
        }
        Hook::Export(asked) => export(asked, context, settings)?,
        Hook::Sh => out(&posix::hook(&binary()?))?,
        Hook::Claude { write: false } => out(&super::claude_hooks::settings(&binary()?)?)?,
        Hook::Claude { write: true } => super::claude_hooks::write(&binary()?, context)?,
        Hook::Agent => answer_agent(context, settings, ambient::binary, |outer, pending| {
            fetching(outer, settings, false, |providers| pending.fetch(providers))
        })?,
    }
    Ok(Outcome::Done)
}

fn export(asked: HookExport, context: &Context, settings: &Settings) -> Result<(), Problem> {
    if let Some(number) = asked.protocol.filter(|number| *number != PROTOCOL) {
        return Err(Problem::new("this shell loaded the hook of another version of awsrole")
            .because(format!("the hook speaks protocol {number}, this awsrole speaks {PROTOCOL}"))
            .hint("restart the shell, for example with `exec $SHELL`"));
    }
    let (files, role, entering) = (asked.files.clone(), asked.role.clone(), matches!(asked.event, EventName::Cd));
    let mut entered = None;
    answer(asked.into(), context, settings, ambient::binary, |outer, ask, pending| {
        let export = fetching(outer, settings, ask, |providers| pending.fetch(providers));
        entered = matches!(export.change, Change::Role(_)).then(|| outer.clone());
        export
    })?;
    // A project that a rule allows was never shown by `allow`.
    if let Some(outer) = entered.filter(|_| entering) {
        overrides::shown::show_once(&files, role.as_deref(), &outer);
    }
    Ok(())
}

/// Fetches credentials for a shell. Other requests of the hook don't remove what killed commands left behind.
fn fetching<T>(
    outer: &Context,
    settings: &Settings,
    ask: bool,
    fetch: impl FnOnce(awsrole_core::session::fetch::Providers<'_>) -> T,
) -> T {
    long_run::sweep(&outer.paths);
    super::providers::with_providers(outer, settings, ask, fetch)
}

fn snippet(shell: Shell, with: Option<Neighbour>, context: &Context) -> Result<(), Problem> {
    let direnv = with == Some(Neighbour::Direnv) || ambient::in_path(Path::new("direnv")).is_some();
    // If this fails, the shell isn't notified of commands in other shells. Approvals can't be recorded there either.
    let _ = generation::ensure(&context.paths, context.now);
    // Without its clock file, fish would start a process at every prompt. Other shells don't need it. Nothing is
    // created in another user's home directory: no file is approved there, so no prompt starts a process.
    if shell == Shell::Fish {
        match generation::ensure_clock(&context.paths) {
            Err(error) if !error.is_foreign() => return Err(super::common::file_problem(&error)),
            _ => {}
        }
    }
    let [generations, clock] = [context.paths.generations(), context.paths.clock()];
    let [binary, generations, clock] = [binary()?, text(&generations)?, text(&clock)?];
    let snippet = Snippet { binary: &binary, generations: &generations, clock: &clock, direnv };
    out(&snippet.render(shell))
}

/// Returns the path of `awsrole`, for the text of a hook.
fn binary() -> Result<String, Problem> {
    text(&ambient::binary().ok_or_else(|| Problem::new("cannot determine the path of awsrole"))?)
}

fn text(path: &Path) -> Result<String, Problem> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Problem::new(format!("cannot print the hook: {} isn't valid UTF-8", path.display())))
}
