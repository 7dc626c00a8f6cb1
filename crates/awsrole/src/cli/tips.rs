//! Tips for wrong usage: what people mean who know the commands of other tools. clap knows only similar names.

use std::ffi::OsString;
use std::path::Path;

use awsrole_core::aws::profiles::Profiles;
use awsrole_core::base::suggest::nearest;
use awsrole_core::project::approval::Chain;
use awsrole_core::project::discover::upward;
use awsrole_core::shell::state::OuterEnv;
use awsrole_system::ambient;
use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::command_line;
use crate::completion::is_harmless;

/// Commands of other tools, and what does the same here.
const COMMANDS: [(&[&str], &str); 12] = [
    (
        &["list", "ls", "roles", "accounts", "switch", "assume", "select"],
        "'awsrole use' lists roles and profiles, and assumes one",
    ),
    (
        &["clear", "unset", "unassume", "deactivate", "reset"],
        "'awsrole use --none' ends the chosen role, 'awsrole logout' deletes cached credentials",
    ),
    (&["current", "whoami", "info", "show"], "'awsrole status --long' shows the role of this shell"),
    (&["sso", "signin", "sign-in"], "'awsrole login' signs in"),
    (&["signout", "sign-out"], "'awsrole logout --sso' signs out"),
    (&["reload", "renew"], "'awsrole refresh' gets new credentials, 'awsrole allow' allows an edited file"),
    (&["permit", "grant", "trust"], "'awsrole allow' allows the project file"),
    (&["block", "disallow"], "'awsrole deny' denies the project file"),
    (
        &["enable", "activate", "disable", "stop", "start"],
        "'awsrole off' and 'awsrole on' switch awsrole in this shell",
    ),
    (&["run", "shell"], "'awsrole exec -- CMD' runs a command with the role"),
    (&["rotate", "add", "remove"], "'awsrole keys' has this command, for long-lived keys"),
    (&["open", "browser"], "'awsrole console' opens the AWS console"),
];

/// What a word names if it is not a command.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OtherName {
    /// A role of the project file.
    Role,
    Profile,
    Program,
}

/// Replaces clap's tip, or adds one. `named` returns what a word names if it is not a command.
pub(super) fn with_tip(mut error: Error, words: &[OsString], named: impl Fn(&str) -> Option<OtherName>) -> Error {
    let tip = match (error.kind(), error.get(ContextKind::InvalidSubcommand), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::InvalidSubcommand, Some(ContextValue::String(name)), _) => {
            let other = || Some(for_other_name(name, named(name)?));
            let tip = for_command(name).map(str::to_owned).or_else(other).or_else(|| similar_command(name));
            if tip.is_none() {
                error.remove(ContextKind::SuggestedSubcommand);
            }
            tip
        }
        (ErrorKind::UnknownArgument, _, Some(ContextValue::String(word))) => match for_argument(word, words, named) {
            Tip::None => {
                error.remove(ContextKind::Suggested);
                None
            }
            Tip::Claps => None,
            Tip::Own(tip) => Some(tip),
        },
        _ => None,
    };
    if let Some(tip) = tip {
        error.remove(ContextKind::SuggestedSubcommand);
        error.remove(ContextKind::SuggestedArg);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

fn for_command(name: &str) -> Option<&'static str> {
    COMMANDS.iter().find(|(names, _)| names.contains(&name)).map(|(_, tip)| *tip)
}

/// Returns a tip for a misspelled command. clap would suggest `hook` for `foo`.
fn similar_command(name: &str) -> Option<String> {
    let command = command_line();
    let names = command.get_subcommands().filter(|sub| !sub.is_hide_set()).map(clap::Command::get_name);
    // Of three letters, two may differ.
    let is_similar = |known: &&str| name.len() > 3 || known.starts_with(name.get(..1).unwrap_or_default());
    nearest(name, names).filter(is_similar).map(|name| format!("a similar command exists: '{name}'"))
}

fn for_other_name(name: &str, other: OtherName) -> String {
    match other {
        OtherName::Role => format!("'awsrole use {name}' assumes the role of this name"),
        OtherName::Profile => format!("'awsrole use --profile {name}' uses the profile of this name"),
        OtherName::Program => format!("'awsrole exec -- {name}' runs this program with the role"),
    }
}

/// Returns whether a word names a role of the project file, a profile, or a program.
pub(super) fn other_name(name: &str) -> Option<OtherName> {
    let context = ambient::context().ok().filter(|_| is_harmless(name))?;
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    let is_role = |chain: &Chain| chain.config().role_names().any(|role| role == name);
    if Chain::read(&upward(&outer.dir)).is_ok_and(|chain| is_role(&chain)) {
        return Some(OtherName::Role);
    }
    if Profiles::load(&outer).is_ok_and(|profiles| profiles.get(name).is_some()) {
        return Some(OtherName::Profile);
    }
    ambient::in_path(Path::new(name)).map(|_| OtherName::Program)
}

/// The tip for an argument that the command doesn't have.
enum Tip {
    /// None at all.
    None,
    /// That of clap.
    Claps,
    Own(String),
}

fn for_argument(word: &str, words: &[OsString], named: impl Fn(&str) -> Option<OtherName>) -> Tip {
    let is_option = word.starts_with('-');
    if is_option && word.split('=').next() == Some("--region") {
        return Tip::Own(
            "the region is that of the project file or profile; 'AWS_REGION=…' before a command changes it".to_owned(),
        );
    }
    if is_option && words.get(1).is_some_and(|word| word == "use") && word.split('=').next() == Some("--role") {
        return Tip::Own("'awsrole use NAME' assumes a role of the project file".to_owned());
    }
    // `awsrole exec CMD`, or `awsrole exec PROFILE -- CMD` as in aws-vault.
    match words.get(1).is_some_and(|word| word == "exec") {
        true if !is_option && words.iter().any(|word| word == "--") => Tip::Own(
            "the project file selects the role; use '--role NAME' for another role of the file, or '--profile NAME' for an AWS profile".to_owned(),
        ),
        // `awsrole exec PROFILE`, which starts a shell in aws-vault.
        true if words.last().is_some_and(|last| last == word) && named(word) == Some(OtherName::Profile) => {
            Tip::Own(format!(
                "'awsrole use --profile {word}' changes this shell, 'awsrole exec --profile {word} -- CMD' runs a command"
            ))
        }
        true if !is_option => Tip::Own("put the command after '--'".to_owned()),
        // clap would put the option after `--`, where it is the name of a program.
        true => Tip::None,
        false => Tip::Claps,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> String {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let error = command_line().try_get_matches_from(&words).unwrap_err();
        let named = |name: &str| match name {
            "terraform" => Some(OtherName::Program),
            "shop-dev" => Some(OtherName::Profile),
            _ => None,
        };
        with_tip(error, &words, named).to_string()
    }

    #[test]
    fn names_what_does_the_same_here() {
        for (line, tip) in [
            ("awsrole list", "tip: 'awsrole use' lists"),
            ("awsrole clear", "tip: 'awsrole use --none' ends"),
            ("awsrole reload", "tip: 'awsrole refresh' gets"),
            ("awsrole permit", "tip: 'awsrole allow' allows"),
            ("awsrole activate", "tip: 'awsrole off' and 'awsrole on'"),
            ("awsrole use --role dev", "tip: 'awsrole use NAME' assumes"),
            ("awsrole exec prod -- true", "'--profile NAME' for an AWS profile"),
            ("awsrole exec true", "tip: put the command after '--'"),
            ("awsrole exec shop-dev env", "tip: put the command after '--'"),
            ("awsrole exec shop-dev", "tip: 'awsrole use --profile shop-dev' changes this shell"),
            ("awsrole exec --region eu-west-1 -- true", "tip: the region is that of the project file"),
            ("awsrole statsu", "'status'"),
            ("awsrole terraform plan", "'awsrole exec -- terraform'"),
        ] {
            let text = told(line);
            assert!(text.contains(tip) && text.matches("tip: ").count() == 1, "{line}: {text}");
        }
        assert!(!told("awsrole foo").contains("tip: "), "no command is similar");
        assert!(told("awsrole sudo").contains("Usage: awsrole sudo [-r NAME] <CMD>..."));
        for line in ["awsrole exec --bogus -- true", "awsrole list"] {
            let text = told(line);
            assert!(!text.contains("'-- --") && !text.contains("history"), "{line}: {text}");
        }
    }
}
