//! The command line, as types.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Parser, Subcommand, ValueEnum};

mod hook;
mod keys;
pub(crate) use hook::{EventName, HookExport, Neighbour, ShellName, digest_of_snippet};
pub(crate) use keys::{Keys, StoreName};

/// The role follows the directory.
#[derive(Parser)]
#[command(
    name = "awsrole",
    version,
    about = "cd into a project and your shell holds the right AWS role; cd out and everything is as it was",
    after_help = "\
Start:
  eval \"$(awsrole hook bash)\"           in ~/.bashrc (zsh: ~/.zshrc; fish: awsrole hook fish | source)
  awsrole init --profile shop-dev       writes .awsrole.toml in this directory
  awsrole allow                         shows what it wants, and allows it

Exit codes: 0 done; 1 failed; 2 wrong usage; 3 no role here (no file, or it isn't allowed);
4 AWS refused or couldn't be reached. `exec` ends with the command's own code (126, 127: it can't be run).",
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print the snippet for the shell's rc file
    #[command(
        after_help = "Examples:\n  eval \"$(awsrole hook bash)\"     # ~/.bashrc\n  eval \"$(awsrole hook zsh)\"      # ~/.zshrc\n  awsrole hook fish | source      # ~/.config/fish/config.fish"
    )]
    Hook {
        #[command(subcommand)]
        hook: Hook,
    },
    /// Show what the directory's file wants, ask, and allow it
    #[command(
        after_help = "Examples:\n  awsrole allow\n  awsrole allow ~/src/shop\n  awsrole allow --yes     # without a question\n\nIt asks on a terminal only. A file with `inherit` is allowed together with those above from which it\ninherits. An edit of any of them needs a new approval; content that was allowed once stays allowed."
    )]
    Allow {
        /// The directory; default: the working directory
        dir: Option<PathBuf>,
        /// Allow it without a question
        #[arg(short, long)]
        yes: bool,
    },
    /// Ignore the directory's file, silently, until it is allowed again
    Deny {
        /// The directory; default: the working directory
        dir: Option<PathBuf>,
    },
    /// Let awsrole act in this shell again (needs the hook)
    On,
    /// Keep awsrole from acting in this shell (needs the hook)
    Off,
    /// Say which role this shell holds: one line for a prompt, nothing outside of a project
    #[command(
        after_help = "Examples:\n  PS1='$(awsrole status) \\$ '\n  awsrole status --json\n  awsrole status --long\n\nIt asks no network."
    )]
    Status {
        /// Everything known, for machines
        #[arg(long)]
        json: bool,
        /// Everything known, for people
        #[arg(long, conflicts_with = "json")]
        long: bool,
    },
    /// Enter a [role.NAME] of the directory's file in this shell; `-` goes back (needs the hook)
    #[command(
        after_help = "Examples:\n  awsrole use prod\n  awsrole use          asks which\n  awsrole use -        back to the default role"
    )]
    Use {
        /// The role's name; without one, a list is shown to choose from
        name: Option<String>,
    },
    /// Sign in to IAM Identity Center for the directory's role
    #[command(after_help = "The token goes where the AWS CLI keeps its own, so it serves both.")]
    Login {
        /// A [role.NAME] of the file
        #[arg(long, value_name = "NAME")]
        role: Option<String>,
        /// Don't open a browser; the address is printed either way
        #[arg(long)]
        no_browser: bool,
    },
    /// Explain the whole way to this directory's role: file, approval, each step, cache, variables
    #[command(
        after_help = "It asks no network. Lines of project files that choose another identity are named as well."
    )]
    Why {
        /// A [role.NAME] of the file
        #[arg(long, value_name = "NAME")]
        role: Option<String>,
        /// For machines
        #[arg(long)]
        json: bool,
    },
    /// Print the policies that let the caller assume the role, each with the account it belongs to
    #[command(
        after_help = "Example:\n  awsrole policy --role prod\n\nSTS is asked who the caller is (GetCallerIdentity, which needs no permission)."
    )]
    Policy {
        /// A [role.NAME] of the file
        #[arg(long, value_name = "NAME")]
        role: Option<String>,
        /// For machines
        #[arg(long)]
        json: bool,
    },
    /// Examine this machine: hook, shells, files, profiles, and STS for this directory
    #[command(after_help = "Exit code 0 if nothing is wrong, 1 otherwise.")]
    Doctor {
        /// For machines
        #[arg(long)]
        json: bool,
    },
    /// Keep long-lived keys in a store of secrets instead of ~/.aws/credentials
    #[command(
        after_help = "Examples:\n  awsrole keys add jump --import        moves those of ~/.aws/credentials\n  awsrole keys rotate jump              a new key from AWS, the old one deleted\n  awsrole keys list"
    )]
    Keys {
        #[command(subcommand)]
        keys: Keys,
    },
    /// Get new credentials at the next prompt, and try again what failed
    Refresh,
    /// List which roles were handed out: when, to whom, from which source, in which directory
    #[command(
        after_help = "The newest is the last. `new session` is one that came from AWS then; without that it was in the cache.\nOf credential-process only new sessions are listed. With --json each has its access key id, as in CloudTrail.\nThe last few thousand lines are kept; no secret is in them."
    )]
    History {
        /// For machines
        #[arg(long)]
        json: bool,
    },
    /// Print the policy that denies everything to a role's sessions issued before now, or put it
    #[command(
        after_help = "Examples:\n  awsrole revoke\n  awsrole revoke --apply --profile admin\n  awsrole revoke --user arn:aws:iam::111111111111:user/alice --apply --profile admin\n\nNew sessions aren't touched. Sessions of other roles that were assumed from the revoked ones go on."
    )]
    Revoke {
        /// A [role.NAME] of the file, or the ARN of any role; default: the role of this directory
        #[arg(long, value_name = "NAME|ARN", conflicts_with = "user")]
        role: Option<String>,
        /// A user's ARN, or with --apply the name: sessions of its keys, not the keys themselves
        #[arg(long, value_name = "NAME|ARN")]
        user: Option<String>,
        /// Put the policy, then forget the cached sessions
        #[arg(long, requires = "profile")]
        apply: bool,
        /// Whose credentials put it
        #[arg(long, value_name = "ADMIN", requires = "apply")]
        profile: Option<String>,
        /// For machines
        #[arg(long, conflicts_with = "apply")]
        json: bool,
    },
    /// Forget the credentials of this directory's role
    Logout {
        /// Forget all credentials
        #[arg(long)]
        all: bool,
    },
    /// Run a command with the directory's role, without the hook
    #[command(
        after_help = "Examples:\n  awsrole exec -- terraform plan\n  awsrole exec --role admin -- aws sts get-caller-identity\n  awsrole exec --min-ttl 45m -- ./migrate.sh\n  awsrole exec --renew -- terraform apply"
    )]
    Exec {
        /// A [role.NAME] of the file
        #[arg(long, value_name = "NAME")]
        role: Option<String>,
        /// How long the credentials must be good at least, such as 45m
        #[arg(long, value_name = "TIME", value_parser = humantime_duration)]
        min_ttl: Option<Duration>,
        /// For commands that outlive a session: instead of keys, AWS files whose default profile gets new ones
        #[arg(long)]
        renew: bool,
        /// The command and its arguments
        #[arg(last = true, required = true, value_name = "CMD")]
        command: Vec<OsString>,
    },
    /// Open the AWS console as the directory's role
    #[command(
        after_help = "Examples:\n  awsrole console\n  awsrole console --service s3\n  awsrole console --print      for a browser on another machine\n\nThe address is never an argument of a process: the browser fetches it from awsrole, once."
    )]
    Console {
        /// Print the address instead; whoever opens it within 15 minutes is signed in
        #[arg(long)]
        print: bool,
        /// The service's page, by the name in the console's address
        #[arg(long, value_name = "NAME")]
        service: Option<String>,
        /// How long the console session lasts: 15m to 12h, the default; in a chain of roles as long as the credentials
        #[arg(long, value_name = "TIME", value_parser = humantime_duration)]
        duration: Option<Duration>,
        /// A [role.NAME] of the file
        #[arg(long, value_name = "NAME")]
        role: Option<String>,
    },
    /// Print the variables of the directory's role, for scripts and CI
    #[command(
        after_help = "Examples:\n  eval \"$(awsrole env)\"                      # sh, bash, zsh\n  awsrole env --format dotenv > .env\n  awsrole env --format json | jq -r .AWS_ACCESS_KEY_ID\n  awsrole env --format github               # in a job of GitHub Actions: for all later steps\n\nThey are secrets, and good until they expire. A command needs none of this: awsrole exec -- CMD"
    )]
    Env {
        /// In which form
        #[arg(long, value_enum, default_value = "shell")]
        format: FormatName,
        /// A [role.NAME] of the file
        #[arg(long, value_name = "NAME")]
        role: Option<String>,
        /// How long the credentials must be good at least, such as 45m
        #[arg(long, value_name = "TIME", value_parser = humantime_duration)]
        min_ttl: Option<Duration>,
    },
    /// Print credentials as JSON for an AWS SDK's credential_process; never asks anything
    #[command(
        after_help = "In ~/.aws/config:\n  [profile shop]\n  credential_process = awsrole credential-process --dir ~/src/shop\n\nThe role is the directory's, whatever `awsrole use` chose in a shell; --role names another one."
    )]
    CredentialProcess {
        /// The directory; default: the working directory
        #[arg(long)]
        dir: Option<PathBuf>,
        /// A [role.NAME] of the file
        #[arg(long, value_name = "NAME")]
        role: Option<String>,
        /// What an `exec --renew` put into the copies of the AWS files
        #[arg(long, hide = true, conflicts_with_all = ["dir", "role"])]
        run: Option<String>,
    },
    /// Write a first .awsrole.toml, never over one that is there
    #[command(
        after_help = "Examples:\n  awsrole init --profile shop-dev\n  awsrole init --role-arn arn:aws:iam::222222222222:role/Deploy --source-profile jump --region eu-west-1\n\nOn a terminal, and without a role among the options, it asks."
    )]
    Init {
        /// A profile of ~/.aws/config or ~/.aws/credentials that says everything
        #[arg(long, value_name = "NAME")]
        profile: Option<String>,
        /// The role to assume
        #[arg(long, value_name = "ARN", requires = "source_profile", conflicts_with = "profile")]
        role_arn: Option<String>,
        /// The profile whose credentials assume the role
        #[arg(long, value_name = "NAME", requires = "role_arn")]
        source_profile: Option<String>,
        /// The region
        #[arg(long)]
        region: Option<String>,
        /// The directory; default: the working directory
        dir: Option<PathBuf>,
    },
    /// Print the JSON schema of .awsrole.toml, for editors
    #[command(
        after_help = "Example:\n  awsrole schema > awsrole.schema.json\n\nEditors that read `#:schema PATH` in a TOML file's first line then complete and check keys."
    )]
    Schema,
    /// Write the man pages into a folder: awsrole(1), and one for each command
    #[command(after_help = "Example:\n  awsrole man ~/.local/share/man/man1")]
    Man {
        /// The folder; it must be there
        dir: PathBuf,
    },
    /// Print completions for a shell
    #[command(after_help = "Example:\n  source <(awsrole completions bash)")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Subcommand)]
pub(crate) enum Hook {
    /// The snippet for ~/.bashrc (bash 4.4 or newer)
    Bash {
        /// A tool that is used beside awsrole; direnv is noticed if it is in PATH
        #[arg(long, value_enum, value_name = "TOOL")]
        with: Option<Neighbour>,
    },
    /// The snippet for ~/.zshrc (zsh 5.8 or newer)
    Zsh {
        /// A tool that is used beside awsrole; direnv is noticed if it is in PATH
        #[arg(long, value_enum, value_name = "TOOL")]
        with: Option<Neighbour>,
    },
    /// The snippet for ~/.config/fish/config.fish (fish 3.5 or newer)
    Fish {
        /// A tool that is used beside awsrole; direnv is noticed if it is in PATH
        #[arg(long, value_enum, value_name = "TOOL")]
        with: Option<Neighbour>,
    },
    /// What an export starts when a role is due: renews it, on its own and without a word
    #[command(hide = true)]
    Renew {
        /// The role chosen in this shell
        #[arg(long, value_name = "NAME")]
        role: Option<String>,
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
    /// What the snippets call for `awsrole use NAME`: whether the directory's file has such a role
    #[command(hide = true)]
    Choose {
        /// The [role.NAME]
        name: String,
    },
    /// What the snippets call at a prompt where other users can replace a file: prints a digest of what is there
    #[command(hide = true)]
    Digest {
        /// The files, nearest first
        files: Vec<PathBuf>,
    },
    /// What the snippets call when something changed: prints statements for the shell
    Export(HookExport),
}

impl Command {
    /// Reads the command line; wrong usage ends the process.
    pub(crate) fn read(words: impl IntoIterator<Item = OsString>) -> Self {
        let words: Vec<OsString> = words.into_iter().collect();
        match HookExport::of_snippet(words.get(1..).unwrap_or_default()) {
            Some(asked) => Self::Hook { hook: Hook::Export(asked) },
            None => Cli::try_parse_from(&words).unwrap_or_else(|error| advised(error, &words).exit()).command,
        }
    }

    /// Whether the remains of killed runs are removed before the command begins. A shell's question does it only where
    /// the cache has no answer, `doctor` tells of them, and who waits for a run's end removes that one.
    pub(crate) fn sweeps(&self) -> bool {
        !matches!(self, Self::Doctor { .. } | Self::Hook { hook: Hook::Export(_) | Hook::Watch { .. } })
    }
}

/// Adds what people mean who type `awsrole exec CMD`, or `awsrole exec PROFILE -- CMD` as in aws-vault.
fn advised(mut error: clap::Error, words: &[OsString]) -> clap::Error {
    let is_option =
        matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(word)) if word.starts_with('-'));
    if error.kind() == ErrorKind::UnknownArgument && words.get(1).is_some_and(|word| word == "exec") && !is_option {
        let tip = match words.iter().any(|word| word == "--") {
            true => "the directory says which role; another one of its file is named by '--role NAME'",
            false => "the command stands behind '--'",
        };
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum FormatName {
    /// Statements for sh, bash and zsh
    Shell,
    /// NAME=value for docker compose and readers of .env files
    Dotenv,
    /// One object
    Json,
    /// Into the file that $GITHUB_ENV names; secrets are masked in the log
    Github,
}

fn humantime_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|e| format!("{e}; write 45m, 2h or 90s"))
}
