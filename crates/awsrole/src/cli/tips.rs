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

/// Replaces clap's tip, or adds one. `known` returns a tip for a word that names something else than a command.
pub(super) fn with_tip(mut error: Error, words: &[OsString], known: impl Fn(&str) -> Option<String>) -> Error {
    let tip = match (error.kind(), error.get(ContextKind::InvalidSubcommand), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::InvalidSubcommand, Some(ContextValue::String(name)), _) => {
            let tip = for_command(name).map(str::to_owned).or_else(|| known(name)).or_else(|| similar_command(name));
            if tip.is_none() {
                error.remove(ContextKind::SuggestedSubcommand);
            }
            tip
        }
        (ErrorKind::UnknownArgument, _, Some(ContextValue::String(word))) => match for_argument(word, words) {
            Tip::None => {
                error.remove(ContextKind::Suggested);
                None
            }
            Tip::Claps => None,
            Tip::Own(tip) => Some(tip.to_owned()),
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

/// Returns a tip for the name of a role of the project file, a profile, or a program.
pub(super) fn for_other_name(name: &str) -> Option<String> {
    let context = ambient::context().ok().filter(|_| is_harmless(name))?;
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    let is_role = |chain: &Chain| chain.config().role_names().any(|role| role == name);
    if Chain::read(&upward(&outer.dir)).is_ok_and(|chain| is_role(&chain)) {
        return Some(format!("'awsrole use {name}' assumes the role of this name"));
    }
    if Profiles::load(&outer).is_ok_and(|profiles| profiles.get(name).is_some()) {
        return Some(format!("'awsrole use --profile {name}' uses the profile of this name"));
    }
    ambient::in_path(Path::new(name)).map(|_| format!("'awsrole exec -- {name}' runs this program with the role"))
}

/// The tip for an argument that the command doesn't have.
enum Tip {
    /// None at all.
    None,
    /// That of clap.
    Claps,
    Own(&'static str),
}

fn for_argument(word: &str, words: &[OsString]) -> Tip {
    let is_option = word.starts_with('-');
    if is_option && word.split('=').next() == Some("--region") {
        return Tip::Own(
            "the region is that of the project file or profile; 'AWS_REGION=…' before a command changes it",
        );
    }
    if is_option && words.get(1).is_some_and(|word| word == "use") && word.split('=').next() == Some("--role") {
        return Tip::Own("'awsrole use NAME' assumes a role of the project file");
    }
    // `awsrole exec CMD`, or `awsrole exec PROFILE -- CMD` as in aws-vault.
    match words.get(1).is_some_and(|word| word == "exec") {
        true if !is_option && words.iter().any(|word| word == "--") => Tip::Own(
            "the project file selects the role; use '--role NAME' for another role of the file, or '--profile NAME' for an AWS profile",
        ),
        true if !is_option => Tip::Own("put the command after '--'"),
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
        with_tip(error, &words, |name| (name == "terraform").then(|| "'awsrole exec -- terraform'".to_owned()))
            .to_string()
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
