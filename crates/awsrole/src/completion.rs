//! Completion: what the shells offer for `awsrole`, computed when the user presses Tab.
//!
//! The scripts in `shell/completions.*` start the program with the words that were typed. Nothing is offered that a
//! shell could take for code: names come from files that may be others'.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;

use awsrole_core::aws::access_keys::Record;
use awsrole_core::aws::profiles::Profiles;
use awsrole_core::base::context::Context;
use awsrole_core::project::approval::Chain;
use awsrole_core::project::discover::upward;
use awsrole_core::shell::state::OuterEnv;
use awsrole_system::ambient;
use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};

/// The variable by which a script asks.
const VARIABLE: &str = "AWSROLE_COMPLETE";

/// Answers a shell, if one asks. Returns whether it did.
pub(crate) fn answered(command_line: fn() -> clap::Command) -> bool {
    let complete = clap_complete::CompleteEnv::with_factory(command_line).var(VARIABLE);
    // A shell that gets no answer offers nothing.
    complete.try_complete(std::env::args_os(), None).unwrap_or(true)
}

/// Returns the script for a shell, if it is one that asks.
pub(crate) fn script(shell: clap_complete::Shell) -> Option<&'static str> {
    match shell {
        clap_complete::Shell::Bash => Some(include_str!("../../../shell/completions.bash")),
        clap_complete::Shell::Zsh => Some(include_str!("../../../shell/completions.zsh")),
        clap_complete::Shell::Fish => Some(include_str!("../../../shell/completions.fish")),
        _ => None,
    }
}

/// Offers the roles of the directory's file, which need not be allowed.
pub(crate) fn roles() -> ArgValueCandidates {
    offered(|context| {
        let chain = Chain::read(&upward(&context.dir)).ok();
        chain.map(|chain| chain.config().role_names().map(str::to_owned).collect()).unwrap_or_default()
    })
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
    ArgValueCandidates::new(move || {
        let names = ambient::context().map(|context| names(&context)).unwrap_or_default();
        names.into_iter().filter(|name| is_harmless(name)).map(CompletionCandidate::new).collect()
    })
}

/// Returns whether every shell takes a name as it is.
fn is_harmless(name: &str) -> bool {
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
    }
}
