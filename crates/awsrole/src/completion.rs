//! Completion: what the shells offer for `awsrole`, computed when the user presses Tab.
//!
//! The scripts in `shell/completions.*` start the program with the words that were typed. Nothing is offered that a
//! shell could take for code: names come from files that may be others'.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;

use awsrole_core::aws::access_keys::Record;
use awsrole_core::aws::profiles::Profiles;
use awsrole_core::base::context::Context;
use awsrole_core::plan::resolve::preview;
use awsrole_core::project::approval::Chain;
use awsrole_core::project::discover::upward;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::state::OuterEnv;
use awsrole_system::ambient;
use clap::ValueEnum;
use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};

/// The variable by which a script asks.
const VARIABLE: &str = "AWSROLE_COMPLETE";

/// Commands for packages and editors, which nobody types twice. They are in the help, but Tab doesn't offer them.
const NOT_OFFERED: [&str; 2] = ["man", "schema"];

/// Longest description of a role, in characters.
const MAX_DESCRIPTION: usize = 80;

/// The shells with a completion script.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum CompletedShell {
    Bash,
    Zsh,
    Fish,
}

/// Answers a shell, if one asks. Returns whether it did.
pub(crate) fn answered(command_line: impl Fn() -> clap::Command) -> bool {
    let hide = |line: clap::Command, name: &&str| line.mut_subcommand(name, |command| command.hide(true));
    let offered = || NOT_OFFERED.iter().fold(command_line(), hide);
    let complete = clap_complete::CompleteEnv::with_factory(offered).var(VARIABLE);
    // A shell that gets no answer offers nothing.
    complete.try_complete(std::env::args_os(), None).unwrap_or(true)
}

/// Returns the script for a shell.
pub(crate) fn script(shell: CompletedShell) -> &'static str {
    match shell {
        CompletedShell::Bash => include_str!("../../../shell/completions.bash"),
        CompletedShell::Zsh => include_str!("../../../shell/completions.zsh"),
        CompletedShell::Fish => include_str!("../../../shell/completions.fish"),
    }
}

/// Offers the roles of the directory's file, which need not be allowed, with their ARNs and accounts.
pub(crate) fn roles() -> ArgValueCandidates {
    candidates(described_roles)
}

/// Offers the roles of the directory's file, and `-` for the previous role.
pub(crate) fn roles_and_previous() -> ArgValueCandidates {
    candidates(|context| {
        let mut roles = described_roles(context);
        if !roles.is_empty() {
            roles.push(CompletionCandidate::new("-").help(Some("the previous role".into())));
        }
        roles
    })
}

fn described_roles(context: &Context) -> Vec<CompletionCandidate> {
    let Ok(chain) = Chain::read(&upward(&context.dir)) else { return Vec::new() };
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    let profiles = Profiles::load(&outer).ok();
    let settings = Settings::load(&outer);
    let described = |name: &str| {
        let preview = preview(chain.config(), Some(name), profiles.as_ref()?, &outer).ok()?;
        let role = preview.role_arn.as_ref().map(|arn| arn.name().to_owned()).or(preview.permission_set)?;
        let account = preview.account.or(preview.source_account)?;
        Some(description(&format!("{role} in {}", settings.or_default().accounts.shown(&account))))
    };
    let names = chain.config().role_names().filter(|name| is_harmless(name));
    names.map(|name| CompletionCandidate::new(name).help(described(name).map(Into::into))).collect()
}

/// Returns a text that every shell shows as it is: shells separate candidates and their parts by control characters
/// and colons.
fn description(text: &str) -> String {
    let shown = |c: char| if c.is_alphanumeric() || " _+=,.@/()-".contains(c) { c } else { '?' };
    text.chars().take(MAX_DESCRIPTION).map(shown).collect()
}

/// Offers the profiles of the AWS files.
pub(crate) fn profiles() -> ArgValueCandidates {
    offered(|context| {
        let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
        let profiles = Profiles::load(&outer).ok();
        profiles.map(|all| all.names().into_iter().map(str::to_owned).collect()).unwrap_or_default()
    })
}

/// Offers the `[sso-session NAME]` sections of the AWS files.
pub(crate) fn sso_sessions() -> ArgValueCandidates {
    offered(|context| {
        let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
        let profiles = Profiles::load(&outer).ok();
        let sessions = profiles.as_ref().map(Profiles::sso_sessions).unwrap_or_default();
        sessions.into_iter().map(|session| session.name.to_owned()).collect()
    })
}

/// Offers the names of accounts.
pub(crate) fn accounts() -> ArgValueCandidates {
    offered(|context| {
        let settings = Settings::load(context);
        let accounts = &settings.or_default().accounts;
        accounts.0.keys().filter_map(|id| accounts.name(id)).map(str::to_owned).collect()
    })
}

/// Offers the profiles with stored keys.
pub(crate) fn stored_keys() -> ArgValueCandidates {
    offered(|context| Record::all(&context.paths).into_iter().map(|record| record.profile).collect())
}

/// Offers directories.
pub(crate) fn directories() -> ArgValueCompleter {
    ArgValueCompleter::new(PathCompleter::dir())
}

/// Offers the programs in PATH, then files. It is used where the shell can't complete another command's words.
pub(crate) fn program() -> ArgValueCompleter {
    ArgValueCompleter::new(OtherCommand)
}

struct OtherCommand;

impl ValueCompleter for OtherCommand {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        let typed = current.to_string_lossy();
        if typed.is_empty() || typed.contains('/') {
            return PathCompleter::any().complete(current);
        }
        let path = ambient::context().ok().and_then(|context| context.env.text("PATH").map(str::to_owned));
        let mut names: Vec<String> = std::env::split_paths(&path.unwrap_or_default())
            .filter_map(|dir| dir.read_dir().ok())
            .flatten()
            .flatten()
            .filter(|entry| entry.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0))
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.starts_with(&*typed) && is_harmless(name))
            .collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(CompletionCandidate::new).collect()
    }

    fn complete_at(&self, index: usize, current: &OsStr) -> Vec<CompletionCandidate> {
        if index == 0 { self.complete(current) } else { PathCompleter::any().complete(current) }
    }
}

fn offered(names: impl Fn(&Context) -> Vec<String> + Send + Sync + 'static) -> ArgValueCandidates {
    candidates(move |context| {
        names(context).into_iter().filter(|name| is_harmless(name)).map(CompletionCandidate::new).collect()
    })
}

fn candidates(of: impl Fn(&Context) -> Vec<CompletionCandidate> + Send + Sync + 'static) -> ArgValueCandidates {
    ArgValueCandidates::new(move || ambient::context().map(|context| of(&context)).unwrap_or_default())
}

/// Returns whether every shell takes a name as it is.
pub(crate) fn is_harmless(name: &str) -> bool {
    !name.starts_with('-') && name.chars().all(|c| c.is_alphanumeric() || "_+.,@/-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_no_name_that_a_shell_could_execute() {
        for name in ["prod", "shop-dev", "größe", "a.b_c+d,e@f/g"] {
            assert!(is_harmless(name), "{name}");
        }
        for name in
            ["$(id)", "`id`", "a b", "a;b", "-x", "a\u{1b}[m", "a'b", "a\nb", "a\u{b}b", "a*", "~a", "a:b", "a=b"]
        {
            assert!(!is_harmless(name), "{name}");
        }
        assert_eq!(description("Deploy in a: $(id)\n\u{1b}[m"), "Deploy in a? ?(id)???m");
    }
}
