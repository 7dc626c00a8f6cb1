//! What the snippets ask: the words of `hook export`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What the snippets call when something changed: prints statements for the shell
#[derive(Args)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) struct HookExport {
    /// The shell
    pub(crate) shell: ShellName,
    /// Why it is called
    #[arg(long, value_enum, default_value = "prompt")]
    pub(crate) event: EventName,
    /// A question may be put on the terminal
    #[arg(long)]
    pub(crate) ask: bool,
    /// The role chosen in this shell
    #[arg(long, value_name = "NAME")]
    pub(crate) role: Option<String>,
    /// A credential variable that was changed manually
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) changed: Vec<String>,
    /// The build whose snippet calls
    #[arg(long, value_name = "BUILD")]
    pub(crate) snippet: Option<String>,
    /// Say, too, what the shell compares of these files
    #[arg(long)]
    pub(crate) views: bool,
    /// The files found, nearest first; default: searched from the working directory upward
    pub(crate) files: Vec<PathBuf>,
}

impl HookExport {
    /// Reads the words after the program's name if they are exactly as a snippet writes them. Everybody waits for those:
    /// clap would take a twentieth of their time.
    pub(crate) fn of_snippet(words: &[OsString]) -> Option<Self> {
        let [hook, export, shell, rest @ ..] = words else { return None };
        if hook != "hook" || export != "export" {
            return None;
        }
        let (options, files) = rest.split_at(rest.iter().position(|word| word == "--")?);
        let mut asked = Self {
            shell: ShellName::from_str(shell.to_str()?, false).ok()?,
            event: EventName::Prompt,
            ask: false,
            role: None,
            changed: Vec::new(),
            snippet: None,
            views: false,
            files: files[1..].iter().map(PathBuf::from).collect(),
        };
        let mut options = options.iter().map(|word| word.to_str());
        while let Some(option) = options.next() {
            match option? {
                "--event" => asked.event = EventName::from_str(options.next()??, false).ok()?,
                "--ask" => asked.ask = true,
                "--views" => asked.views = true,
                "--role" => asked.role = Some(options.next()??.to_owned()),
                "--changed" => asked.changed.push(options.next()??.to_owned()),
                "--snippet" => asked.snippet = Some(options.next()??.to_owned()),
                _ => return None,
            }
        }
        Some(asked)
    }
}

/// Reads the words of `hook digest` as a snippet writes them; returns its files.
pub(crate) fn digest_of_snippet(words: &[OsString]) -> Option<Vec<PathBuf>> {
    match words {
        [hook, digest, dashes, files @ ..] if hook == "hook" && digest == "digest" && dashes == "--" => {
            Some(files.iter().map(PathBuf::from).collect())
        }
        _ => None,
    }
}

#[derive(Clone, Copy, ValueEnum)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) enum ShellName {
    Bash,
    Zsh,
    Fish,
}

/// A tool for which a snippet has a block of its own.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum Neighbour {
    Direnv,
}

#[derive(Clone, Copy, ValueEnum)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) enum EventName {
    Cd,
    Prompt,
    Due,
    Retry,
    Changed,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command, Hook};

    fn by_clap(words: &[OsString]) -> Option<HookExport> {
        match Cli::try_parse_from([OsString::from("awsrole")].iter().chain(words)).ok()?.command {
            Command::Hook { hook: Hook::Export(asked) } => Some(asked),
            _ => None,
        }
    }

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn what_snippets_write_is_read_as_clap_reads_it() {
        for line in [
            "hook export bash --event prompt --",
            "hook export zsh --event cd --snippet 0.1.0 --views --ask -- /a/.awsrole.toml /.awsrole.toml",
            "hook export fish --event due --ask --role Deploy -- --ask -- --role",
            "hook export fish --event retry --role admin -- /a",
            "hook export zsh --event changed --changed AWS_PROFILE --changed AWS_ACCESS_KEY_ID -- /a",
        ] {
            let asked = HookExport::of_snippet(&words(line));
            assert!(asked.is_some(), "{line}");
            assert_eq!(asked, by_clap(&words(line)), "{line}");
        }
    }

    #[test]
    fn anything_else_is_left_to_clap() {
        for line in [
            "hook export",
            "hook export tcsh --event prompt --",
            "hook export bash --event renewal --",
            "hook export bash --event",
            "hook export bash --event prompt",
            "hook export bash --event --",
            "hook export bash --help --",
            "hook export bash --role",
            "hook export bash --changed --",
            "hook export bash --ask=yes --",
            "hook renew bash --event prompt --",
            "status",
            "",
        ] {
            assert_eq!(HookExport::of_snippet(&words(line)), None, "{line}");
        }
    }
}
