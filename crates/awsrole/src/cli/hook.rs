//! Types of the arguments of `awsrole hook`, most of which only the snippets call.

use std::path::PathBuf;

use awsrole_core::shell::export::Event;
use awsrole_core::shell::statements::Shell;
use awsrole_hook::{AnswerReader, Request};
use clap::{Args, Subcommand, ValueEnum};

use super::PermissionSetOptions;

#[derive(Subcommand)]
pub(crate) enum Hook {
    /// Print the hook for ~/.bashrc (bash 4.4 or newer)
    #[command(after_help = "Example:\n  eval \"$(awsrole hook bash)\"     # ~/.bashrc")]
    Bash {
        /// Support another tool [default: direnv if it is in PATH]
        #[arg(long, value_enum, value_name = "TOOL")]
        with: Option<Neighbour>,
    },
    /// Print the hook for ~/.zshrc (zsh 5.8 or newer)
    #[command(after_help = "Example:\n  eval \"$(awsrole hook zsh)\"      # ~/.zshrc")]
    Zsh {
        /// Support another tool [default: direnv if it is in PATH]
        #[arg(long, value_enum, value_name = "TOOL")]
        with: Option<Neighbour>,
    },
    /// Print the hook for ~/.config/fish/config.fish (fish 3.5 or newer)
    #[command(after_help = "Example:\n  awsrole hook fish | source      # ~/.config/fish/config.fish")]
    Fish {
        /// Support another tool [default: direnv if it is in PATH]
        #[arg(long, value_enum, value_name = "TOOL")]
        with: Option<Neighbour>,
    },
    /// Print the hook for shells that run single commands of AI agents (sh, bash, zsh)
    #[command(
        after_help = "Example:\n  awsrole hook sh > ~/.config/awsrole/agent.sh\n  export BASH_ENV=~/.config/awsrole/agent.sh   # ~/.profile: for bash -c\n  . ~/.config/awsrole/agent.sh                 # ~/.zshenv: for zsh -c\n\nIt does nothing in other shells."
    )]
    Sh,
    /// Print the hooks for the settings of Claude Code
    #[command(
        after_help = "Example:\n  awsrole hook claude     # add it to ~/.claude/settings.json\n\nThen each command of Claude Code gets the session of its directory, limited as\n[agent] says."
    )]
    Claude {
        /// What the hooks run: writes the hook for sh to $CLAUDE_ENV_FILE
        #[arg(long, hide = true)]
        write: bool,
    },
    /// What the hook for sh calls: prints statements for the shell to evaluate
    #[command(hide = true)]
    Agent,
    /// Print the module for nushell's config.nu
    #[command(
        after_help = "Example:\n  mkdir ($nu.data-dir | path join vendor/autoload)\n  awsrole hook nu | save -f ($nu.data-dir | path join vendor/autoload/awsrole.nu)"
    )]
    Nu,
    /// Print the module for ~/.xonshrc
    #[command(after_help = "Example:\n  execx($(awsrole hook xonsh))     # ~/.xonshrc")]
    Xonsh,
    /// Print the module for ~/.config/elvish/rc.elv
    #[command(after_help = "Example:\n  eval (awsrole hook elvish | slurp)     # ~/.config/elvish/rc.elv")]
    Elvish,
    /// Print the module for ~/.tcshrc
    #[command(
        after_help = "Example:\n  awsrole hook tcsh >! ~/.awsrole.tcsh && source ~/.awsrole.tcsh     # ~/.tcshrc"
    )]
    Tcsh,
    /// Print the module for PowerShell's $PROFILE, which was never run
    #[command(after_help = "Example:\n  Invoke-Expression (& awsrole hook pwsh | Out-String)     # $PROFILE")]
    Pwsh,
    /// What an export starts when a role is due: renews it, on its own and without a word
    #[command(hide = true)]
    Renew {
        /// The role chosen in this shell
        #[arg(long, value_name = "NAME")]
        role: Option<String>,
        /// The profile chosen in this shell
        #[arg(long, value_name = "WORD")]
        profile: Option<String>,
        /// The files found, nearest first
        files: Vec<PathBuf>,
    },
    /// What an `exec --renew` starts: waits for the command's end and removes its copies of the AWS files
    #[command(hide = true)]
    Watch {
        /// The command's process
        process: u32,
        /// The run
        run: String,
        /// Start another one that nobody waits for
        #[arg(long)]
        start: bool,
    },
    /// What the snippets call for `awsrole use`: prints the word of a role or profile. For `-`: whether no file applies
    #[command(hide = true, override_usage = "awsrole use [NAME | --profile NAME | --account ID|NAME --role-name NAME]")]
    Choose {
        /// The [role.NAME], or `-`
        #[arg(required_unless_present_any = ["profile", "account", "role_name", "sso_session"], conflicts_with = "account")]
        name: Option<String>,
        /// The AWS profile
        #[arg(long, value_name = "NAME", allow_hyphen_values = true, conflicts_with_all = ["name", "yes"])]
        profile: Option<String>,
        #[command(flatten)]
        set: PermissionSetOptions,
        /// The user confirms it
        #[arg(short, long)]
        yes: bool,
    },
    /// What the snippets call at a prompt where other users can replace a file: prints a digest of what is there
    #[command(hide = true)]
    Digest {
        /// The files, nearest first
        files: Vec<PathBuf>,
    },
    /// What the modules call for `awsrole use`, `on` and `off`: prints the new token
    #[command(hide = true)]
    Command {
        /// What reads the answer
        reader: ReaderName,
        /// Token of the last answer
        #[arg(long, default_value = "")]
        token: String,
        /// The words after `awsrole`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        words: Vec<std::ffi::OsString>,
    },
    /// Called by the hook when something changed: prints statements for a shell, or JSON
    Export(HookExport),
}

/// Called by the hook when something changed: prints statements for a shell, or JSON
#[derive(Args)]
pub(crate) struct HookExport {
    /// What reads the answer: a shell, or `json` for other tools
    pub(crate) reader: ReaderName,
    /// Reason for the call
    #[arg(long, value_enum, default_value = "prompt")]
    pub(crate) event: EventName,
    /// Allow prompts on the terminal
    #[arg(long)]
    pub(crate) ask: bool,
    /// Role selected with `awsrole use` in this shell
    #[arg(long, value_name = "NAME")]
    pub(crate) role: Option<String>,
    /// Profile selected with `awsrole use --profile` in this shell
    #[arg(long, value_name = "WORD")]
    pub(crate) profile: Option<String>,
    /// Credential variable that was changed manually
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) changed: Vec<String>,
    /// Version of the hook protocol
    #[arg(long, value_name = "NUMBER")]
    pub(crate) protocol: Option<u32>,
    /// Also print the fingerprints that the shell compares
    #[arg(long)]
    pub(crate) views: bool,
    /// Only tell whether a new decision is needed
    #[arg(long)]
    pub(crate) compare: bool,
    /// Token of the last answer
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// The awsrole command that the user just typed
    #[arg(long, value_name = "COMMAND", allow_hyphen_values = true)]
    pub(crate) typed: Option<String>,
    /// Project files, nearest first [default: found from the working directory upward]
    pub(crate) files: Vec<PathBuf>,
}

impl From<HookExport> for Request {
    fn from(asked: HookExport) -> Self {
        let HookExport { reader, event, ask, role, profile, changed, protocol, views, compare, token, typed, files } =
            asked;
        let reader = reader.into();
        let event = match event {
            EventName::Cd => Event::Cd,
            EventName::Prompt => Event::Prompt,
            EventName::Due => Event::Due,
            EventName::Retry => Event::Retry,
            EventName::Changed => Event::Changed,
        };
        Self { reader, event, ask, role, profile, changed, protocol, views, compare, token, typed, files }
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ShellName {
    Bash,
    Zsh,
    Fish,
}

impl From<ShellName> for Shell {
    fn from(name: ShellName) -> Self {
        match name {
            ShellName::Bash => Self::Bash,
            ShellName::Zsh => Self::Zsh,
            ShellName::Fish => Self::Fish,
        }
    }
}

/// What reads an answer of `hook export`.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ReaderName {
    Bash,
    Zsh,
    Fish,
    Json,
    Tcsh,
}

impl From<ReaderName> for AnswerReader {
    fn from(name: ReaderName) -> Self {
        match name {
            ReaderName::Bash => Self::Snippet(Shell::Bash),
            ReaderName::Zsh => Self::Snippet(Shell::Zsh),
            ReaderName::Fish => Self::Snippet(Shell::Fish),
            ReaderName::Json => Self::Json,
            ReaderName::Tcsh => Self::Tcsh,
        }
    }
}

/// A tool for which a snippet has a block of its own.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum Neighbour {
    Direnv,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum EventName {
    Cd,
    Prompt,
    Due,
    Retry,
    Changed,
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command, Hook};

    fn by_clap(words: &[OsString]) -> Option<Request> {
        match Cli::try_parse_from([OsString::from("awsrole")].iter().chain(words)).ok()?.command {
            Command::Hook { hook: Hook::Export(asked) } => Some(asked.into()),
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
            "hook export zsh --event cd --protocol 1 --views --ask -- /a/.awsrole.toml /.awsrole.toml",
            "hook export fish --event due --ask --role Deploy -- --ask -- --role",
            "hook export fish --event retry --role admin -- /a",
            "hook export bash --event cd --role admin --profile 0a=x --",
            "hook export json --compare --protocol 2 --token e30 --typed use --",
            "hook export json --compare --token e30 --typed --version --",
            "hook export tcsh --protocol 2 --token e30 --",
            "hook export zsh --event changed --changed AWS_PROFILE --changed AWS_ACCESS_KEY_ID -- /a",
        ] {
            let asked = Request::of_snippet(&words(line));
            assert!(asked.is_some(), "{line}");
            assert_eq!(asked, by_clap(&words(line)), "{line}");
        }
    }

    #[test]
    fn a_typed_word_may_be_an_option() {
        for word in ["--version", "-h", "--", "--token", ""] {
            let words = ["hook", "export", "json", "--compare", "--typed", word, "--"].map(OsString::from);
            let asked = by_clap(&words);
            assert_eq!(asked.and_then(|asked| asked.typed).as_deref(), Some(word));
        }
    }

    #[test]
    fn anything_else_is_left_to_clap() {
        for line in [
            "hook export",
            "hook export elvish --event prompt --",
            "hook export bash --event renewal --",
            "hook export bash --event",
            "hook export bash --event prompt",
            "hook export bash --event --",
            "hook export bash --help --",
            "hook export bash --role",
            "hook export bash --profile --",
            "hook export bash --changed --",
            "hook export bash --ask=yes --",
            "hook export bash --protocol x --",
            "hook export json --token --",
            "hook renew bash --event prompt --",
            "status",
            "",
        ] {
            assert_eq!(Request::of_snippet(&words(line)), None, "{line}");
        }
    }
}
