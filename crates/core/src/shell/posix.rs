//! The hook for shells that run single commands of AI agents: its text, and the statements that answer it.
//!
//! The statements are evaluated by any POSIX shell, right after it started, so its environment is the one that the
//! process of awsrole inherits.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::base::agent;
use crate::base::context::Env;
use crate::shell::blocked::{self, placeholders};
use crate::shell::export::{Change, ChosenWords, Export};
use crate::shell::state::hidden_if_blocked;
use crate::shell::statements::{Shell, child_environment};

/// Variables that are always stated, because the context of a process has them without the copies of a project
/// ([`crate::shell::role_profiles::restore_aws_files`]).
const COPIED: [&str; 2] = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"];

/// The variable with which `awsrole exec` selects a session for an agent: the access key ID, or the path of the AWS
/// config file of a renewed session. The hook keeps the session while that value is in force.
pub const AGENT_SESSION: &str = "AWSROLE_AGENT_SESSION";

/// Returns the text of the hook. `binary` is the path of `awsrole`.
#[must_use]
pub fn hook(binary: &str) -> String {
    // The inherited variable counts even if it is empty.
    let variables = agent::variables().filter(|name| *name != agent::VARIABLE);
    let set = placeholders().map(|(name, value)| format!("{name}={value}"));
    let words = [
        ("@VARIABLES@", variables.map(|name| format!("${{{name}:+x}}")).collect()),
        ("@HIDDEN_IF_BLOCKED@", hidden_if_blocked().join(" ")),
        ("@SET_IF_BLOCKED@", set.collect::<Vec<_>>().join(" ")),
        ("@BIN@", Shell::Bash.quote(binary)),
    ];
    let text = include_str!("../../../../shell/agent.sh").to_owned();
    words.iter().fold(text, |text, (word, value)| text.replace(word, value))
}

/// Returns what an agent's configuration puts before each of its commands: the hook, for an agent that may set no
/// variable itself.
#[must_use]
pub fn hook_of(agent: &agent::Agent, binary: &str) -> String {
    let value = Shell::Bash.quote(&agent.value());
    // An inherited value may be stricter.
    format!("if [ -z \"${{{0}+x}}\" ]; then export {0}={value}; fi\n{1}", agent::VARIABLE, hook(binary))
}

/// Returns the environment after an export. `outer` is the one without awsrole's variables, and `files` are those of
/// the decision.
#[must_use]
pub fn environment(outer: &Env, export: &Export, files: &[PathBuf]) -> Env {
    let mut env = outer.clone();
    for (name, prior) in &export.adopt {
        match prior {
            Some(value) => env.0.insert(name.into(), value.clone()),
            None => env.0.remove(OsStr::new(name)),
        };
    }
    match &export.change {
        Change::Outer | Change::Inactive { .. } => env,
        Change::Role(diff) => child_environment(&env, diff),
        Change::Blocked => {
            let words = ChosenWords { role: export.chosen.as_deref(), profile: export.chosen_profile.as_deref() };
            blocked::environment(&env, files.first(), words)
        }
    }
}

/// Returns the statements that change one environment into the other.
///
/// Names that awsrole doesn't write can't be in the difference, so each is a valid name of the shell.
#[must_use]
pub fn statements(before: &Env, after: &Env) -> Zeroizing<Vec<u8>> {
    let copied = COPIED.map(OsString::from);
    let names: BTreeSet<&OsString> = before.0.keys().chain(after.0.keys()).chain(&copied).collect();
    let is_copied = |name: &OsString| COPIED.iter().any(|known| name == known);
    let changed = names.into_iter().filter(|name| is_copied(name) || before.0.get(*name) != after.0.get(*name));
    let changed: Vec<(&OsString, Option<&OsString>)> = changed.map(|name| (name, after.0.get(name))).collect();
    // The capacity is allocated at once, because a growing buffer would leave copies of secrets in memory.
    let room = |(name, value): &(&OsString, Option<&OsString>)| 16 + name.len() + 4 * value.map_or(0, |v| v.len());
    let mut text = Zeroizing::new(Vec::with_capacity(changed.iter().map(room).sum()));
    for (name, value) in changed {
        match value {
            Some(value) => {
                text.extend_from_slice(b"export ");
                text.extend_from_slice(name.as_encoded_bytes());
                text.push(b'=');
                Shell::Bash.quote_into(value.as_encoded_bytes(), &mut text);
            }
            None => {
                text.extend_from_slice(b"unset ");
                text.extend_from_slice(name.as_encoded_bytes());
            }
        }
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::problem::Problem;
    use crate::shell::state::{BLOCKED, BLOCKED_SET, NAME, OuterEnv};

    fn env(variables: &[(&str, &str)]) -> Env {
        Env(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    }

    #[test]
    fn statements_are_the_difference() {
        let (before, after) =
            (env(&[("A", "1"), ("B", "2"), ("C", "3")]), env(&[("A", "1"), ("B", "it's"), ("D", "")]));
        let text = statements(&before, &after);
        assert_eq!(
            String::from_utf8_lossy(&text),
            "unset AWS_CONFIG_FILE\nunset AWS_SHARED_CREDENTIALS_FILE\nexport B='it'\\''s'\nunset C\nexport D=''\n"
        );
    }

    #[test]
    fn a_blocked_environment_is_undone_by_the_next_shell() {
        let outer = env(&[("AWS_PROFILE", "mine"), ("AWS_ROLE_ARN", "arn"), ("HOME", "/home/me")]);
        let export = Export { problem: Some(Problem::new("")), ..Export::of(Change::Blocked) };
        let env = environment(&outer, &export, &[]);
        assert_eq!((env.text(NAME), env.text("AWS_PROFILE")), (Some(BLOCKED), Some(BLOCKED_SET[0].1)));
        assert!(!env.has("AWS_ROLE_ARN"));
        assert!(OuterEnv::reconstruct(&env).env == outer);
    }

    #[test]
    fn every_word_of_the_hook_is_filled_in() {
        let text = hook("/it's/awsrole");
        assert!(text.contains(r"awsrole_program='/it'\''s/awsrole'"), "{text}");
        assert!(text.contains("${CLAUDECODE:+x}") && text.contains(" AWSROLE_STATE=blocked"), "{text}");
        assert!(!text.split('@').skip(1).step_by(2).any(|word| word.chars().all(|c| c.is_ascii_uppercase())), "{text}");
        let text = hook_of(&agent::Agent::named(&Env::default(), "claude-code"), "/bin/awsrole");
        assert!(
            text.starts_with(
                "if [ -z \"${AWSROLE_AGENT+x}\" ]; then export AWSROLE_AGENT='detected:claude-code'; fi\n"
            ),
            "{text}"
        );
    }
}
