//! Types of the command line, parsed by clap. `docs/commands.md` and the man pages are generated from them.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::completion::{CompletedShell, directories, profiles, program, roles, roles_and_previous, sso_sessions};

#[cfg(test)]
mod document;
mod help;
mod hook;
mod keys;
mod login;
mod prompt;
mod setup;
mod target;
mod tips;
pub(crate) use help::command_line;
pub(crate) use hook::{EventName, Hook, HookExport, Neighbour};
pub(crate) use keys::{KeysCommand, StoreName};
pub(crate) use login::{LoginOptions, SignInOptions};
pub(crate) use prompt::PromptProgram;
pub(crate) use setup::{ProfilesCommand, SetupOptions};
pub(crate) use target::{PermissionSetOptions, PlaceOptions, TargetOptions};

/// Arguments of `awsrole`.
#[derive(Parser)]
#[command(
    name = "awsrole",
    version = awsrole_system::version(),
    about = "Assumes your project's AWS role on cd and restores your environment on leaving",
    after_help = "\
First steps:
  awsrole setup                       adds the hook to your shell
  awsrole init --profile shop-dev     writes .awsrole.toml in this directory
  awsrole allow                       shows the file and allows it

Exit codes: 0 done; 1 failed; 2 wrong usage; 3 no role (no approved file);
4 AWS refused or could not be reached. `exec` and `sudo` return the exit code of
their command, or 126 or 127 if it cannot be run."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Set up your shell, completions and a first project
    #[command(
        after_help = "Examples:\n  awsrole setup\n  awsrole setup --dry-run\n  awsrole setup --yes --shell zsh\n  awsrole setup --remove\n\nIt adds marked lines to the startup file that your shell reads, and asks before\neach step. Lines that are there are not added again. --remove restores the file.\nFor a shell with a module it prints the lines instead."
    )]
    Setup(SetupOptions),
    /// Print the shell hook, for the rc file of the shell
    #[command(
        after_help = "Examples:\n  eval \"$(awsrole hook bash)\"     # ~/.bashrc\n  eval \"$(awsrole hook zsh)\"      # ~/.zshrc\n  awsrole hook fish | source      # ~/.config/fish/config.fish"
    )]
    Hook {
        #[command(subcommand)]
        hook: Hook,
    },
    /// Show the project file and allow it
    #[command(
        after_help = "Examples:\n  awsrole allow\n  awsrole allow ~/src/shop\n  awsrole allow --yes     # without confirmation\n  awsrole allow --strict  # fail if a role cannot be assumed\n\nOn a terminal it prompts for confirmation. A file with `inherit` is allowed\ntogether with the files that it inherits from. Editing any of them needs a new\napproval. Content that was allowed once stays allowed."
    )]
    Allow {
        /// Directory of the project [default: working directory]
        #[arg(add = directories())]
        dir: Option<PathBuf>,
        /// Allow without confirmation
        #[arg(short, long)]
        yes: bool,
        /// Fail if a role of the file cannot be assumed, such as one with another account than the pinned one
        #[arg(long)]
        strict: bool,
    },
    /// Edit the project file in your editor, then allow it
    #[command(
        after_help = "Examples:\n  awsrole edit\n  EDITOR='code --wait' awsrole edit ~/src/shop\n\nThe editor is that of VISUAL, else that of EDITOR. What it leaves is checked,\nshown and allowed without confirmation. A new file starts with a template. If\nthe editor fails, the file stays as it was."
    )]
    Edit {
        /// Directory of the project [default: working directory]
        #[arg(add = directories())]
        dir: Option<PathBuf>,
    },
    /// Ignore the project file until `awsrole allow`
    #[command(after_help = "Examples:\n  awsrole deny\n  awsrole deny ~/src/shop")]
    Deny {
        /// Directory of the project [default: working directory]
        #[arg(add = directories())]
        dir: Option<PathBuf>,
    },
    /// Activate awsrole in this shell again (needs the hook)
    #[command(after_help = "Example:\n  awsrole on")]
    On,
    /// Deactivate awsrole in this shell (needs the hook)
    #[command(after_help = "Example:\n  awsrole off     # your own environment, until `awsrole on`")]
    Off,
    /// Show the role of this shell in one line
    #[command(
        after_help = "Examples:\n  PS1='$(awsrole status) \\$ '\n  awsrole status --json\n  awsrole status --long\n\nIt prints nothing outside a project, unless a profile is in use or, on a\nterminal, awsrole is off. It makes no network call."
    )]
    Status {
        /// Print all details as JSON
        #[arg(long)]
        json: bool,
        /// Print all details as text
        #[arg(long, conflicts_with = "json")]
        long: bool,
    },
    /// Assume another role or a profile's role (needs the hook)
    #[command(
        after_help = "Examples:\n  awsrole use prod\n  awsrole use          select from a list\n  awsrole use -        back to the previous role, or to your own environment\n  awsrole use --none   end the chosen role and profile\n  awsrole use prod --yes\n  awsrole use --profile shop-dev     # in any directory\n  awsrole use --sso-session corp --account 222222222222 --role-name Admin\n\nA profile stays in use in this shell. `awsrole use -` goes back to the one\nbefore it, `awsrole use --none` to your environment, or to the role that `cd`\nassumes. In a project whose file applies, the project's role takes precedence,\nand the profile is used again when you leave. A role that cannot be assumed\nreplaces none: the shell keeps the one that it has. While awsrole is off,\neach `awsrole use` activates it again.\n\nThe list has the roles of the project file and then all profiles, each the\nlast used first. Typing narrows it down, Enter selects, Esc cancels.\nAWSROLE_PICKER=fzf shows it in fzf."
    )]
    Use {
        /// Name of the role, a `[role.NAME]` of the project file, or `-` for the previous role [default: select from
        /// a list]
        #[arg(conflicts_with = "account", add = roles_and_previous())]
        name: Option<String>,
        /// AWS profile to use outside of projects. It needs no approval
        #[arg(long, value_name = "NAME", allow_hyphen_values = true, conflicts_with_all = ["name", "yes"], add = profiles())]
        profile: Option<String>,
        #[command(flatten)]
        set: PermissionSetOptions,
        /// End the chosen role and profile: back to the role that `cd` assumes, or to your own environment
        #[arg(long, conflicts_with_all = ["name", "profile", "account", "yes"])]
        none: bool,
        /// Assume a role with `confirm` without confirmation
        #[arg(short, long)]
        yes: bool,
    },
    /// Sign in to IAM Identity Center (SSO) or the AWS console
    #[command(
        after_help = "Examples:\n  awsrole login                          # for this directory\n  awsrole login corp                     # an [sso-session corp], anywhere\n  awsrole login --profile shop-admin\n  awsrole login --device                 # for a browser on another machine\n  awsrole login --start-url https://corp.awsapps.com/start --region eu-west-1\n\nThe token is stored in the cache of the AWS CLI, so both use\nthe same sign-in. If the browser isn't on this machine, such as over SSH,\na code is shown to confirm in it."
    )]
    Login(LoginOptions),
    /// Explain how the role of this directory is resolved
    #[command(
        after_help = "Examples:\n  awsrole why\n  awsrole why --role admin\n  awsrole why --profile shop-dev\n\nIt shows the project file, the approval, each step, the cache and the\nvariables. It makes no network call. It also lists what selects another\nidentity: settings of SAM, Serverless, CDK, Terraform, mise and kubectl, .env\nand .envrc, scripts of npm, Makefile and shell scripts."
    )]
    Why {
        #[command(flatten)]
        target: TargetOptions,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the policies that each account needs for the role
    #[command(
        after_help = "Examples:\n  awsrole policy --role prod\n  awsrole policy --profile shop-dev\n\nIt calls GetCallerIdentity, which needs no permission, to identify the caller."
    )]
    Policy {
        #[command(flatten)]
        target: TargetOptions,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check the installation, the AWS files and STS
    #[command(
        after_help = "Examples:\n  awsrole doctor\n  awsrole doctor --json\n\nIt checks this shell and its startup files, awsrole's files, all profiles, and\nfor this directory STS and tools that would ignore the role. Problems are last.\nExit code 0 if no problems were found, 1 otherwise."
    )]
    Doctor {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Manage long-lived keys in a keychain or encrypted file
    #[command(
        after_help = "Examples:\n  awsrole keys add jump --import        move the keys from ~/.aws/credentials\n  awsrole keys rotate jump              create a new key and delete the old one\n  awsrole keys list"
    )]
    Keys {
        #[command(subcommand)]
        keys: KeysCommand,
    },
    /// Get new credentials, and retry what failed
    #[command(after_help = "Examples:\n  awsrole refresh\n  awsrole refresh --all    # all roles of the project file")]
    Refresh {
        /// Get new credentials for all roles of the project file, not only for that of this shell
        #[arg(long)]
        all: bool,
    },
    /// List the roles that shells and commands received
    #[command(
        after_help = "Examples:\n  awsrole history\n  awsrole history -n 20\n  awsrole history --json\n\nEach entry has the time, the recipient, the role, the source and the\ndirectory. The newest entry is the last. `new session` marks a session that AWS\nissued at that time. The others came from the cache. For credential-process,\nonly new sessions are listed. With --json each entry has the access key ID, as\nin CloudTrail. The last few thousand entries are kept. They contain no secrets."
    )]
    History {
        /// Print only the last N entries
        #[arg(short = 'n', long, value_name = "N")]
        limit: Option<usize>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print or apply a policy that revokes older sessions
    #[command(
        after_help = "Examples:\n  awsrole revoke\n  awsrole revoke --apply --profile admin\n  awsrole revoke --user arn:aws:iam::111111111111:user/alice --apply --profile admin\n\nIt denies everything to sessions that were issued before now. New sessions are\nnot affected. Sessions of other roles that were assumed from a revoked session\nstay valid."
    )]
    Revoke {
        /// Name of a role of the project file, or the ARN of any role [default: role of this directory]
        #[arg(long, value_name = "NAME|ARN", conflicts_with = "user", add = roles())]
        role: Option<String>,
        /// ARN of a user, or its name with --apply: revokes sessions made with the user's keys, not the keys
        #[arg(long, value_name = "NAME|ARN")]
        user: Option<String>,
        /// Apply the policy, then delete the cached sessions
        #[arg(long, requires = "profile")]
        apply: bool,
        /// Profile whose credentials apply the policy
        #[arg(long, value_name = "ADMIN", requires = "apply", add = profiles())]
        profile: Option<String>,
        /// Print JSON
        #[arg(long, conflicts_with = "apply")]
        json: bool,
    },
    /// Delete the cached credentials of this directory's role
    #[command(
        after_help = "Examples:\n  awsrole logout\n  awsrole logout --profile shop-dev\n  awsrole logout --all\n  awsrole logout --sso         signs out of IAM Identity Center\n  awsrole logout --sso corp\n  awsrole logout --sso --all"
    )]
    Logout {
        #[command(flatten)]
        place: PlaceOptions,
        /// Delete all cached credentials. With --sso: sign out of all sessions
        #[arg(long, conflicts_with_all = ["profile", "account", "dir"])]
        all: bool,
        /// Sign out of IAM Identity Center, here and for the AWS CLI [default: the session of this directory]
        #[arg(long, value_name = "SESSION", num_args = 0..=1, conflicts_with_all = ["profile", "account", "dir"], add = sso_sessions())]
        sso: Option<Option<String>>,
    },
    /// Run a command with the role, without the hook
    #[command(
        after_help = "Examples:\n  awsrole exec -- terraform plan\n  awsrole exec --role admin -- aws sts get-caller-identity\n  awsrole exec --min-ttl 45m -- ./migrate.sh\n  awsrole exec --renew -- terraform apply\n  awsrole exec --agent -- claude                       # limited, as [agent] says\n  awsrole exec --profile shop-dev -- terraform plan    # in any directory\n  awsrole exec --dir ~/src/shop -- terraform plan      # stays in this directory"
    )]
    Exec {
        #[command(flatten)]
        target: TargetOptions,
        /// Minimum remaining lifetime of the credentials, such as 45m
        #[arg(long, value_name = "TIME", value_parser = humantime_duration)]
        min_ttl: Option<Duration>,
        /// Assume a role with `confirm` without confirmation
        #[arg(short, long)]
        yes: bool,
        /// Let the command renew its credentials: it gets AWS files whose default profile calls awsrole
        #[arg(long)]
        renew: bool,
        /// Limit the session as the [agent] table says, or to read access without one
        #[arg(long)]
        agent: bool,
        /// Command and its arguments
        #[arg(last = true, required = true, value_name = "CMD", add = program())]
        command: Vec<OsString>,
    },
    /// Run one command with the role that `elevate` names
    #[command(
        override_usage = "awsrole sudo [-r NAME] <CMD>...",
        after_help = "Examples:\n  awsrole sudo terraform apply\n  awsrole sudo -r admin aws s3 rm s3://shop/old.csv\n\nIt always asks on the terminal. The role may have `manual`, and the shell keeps\nits own role. Without a terminal use: awsrole exec --role NAME --yes -- CMD"
    )]
    Sudo {
        /// Name of the role, a `[role.NAME]` of the project file [default: that of `elevate`]
        #[arg(short, long, value_name = "NAME", add = roles())]
        role: Option<String>,
        /// Command and its arguments
        #[arg(trailing_var_arg = true, required = true, value_name = "CMD", add = program())]
        command: Vec<OsString>,
    },
    /// Open the AWS console with the role of this directory
    #[command(
        after_help = "Examples:\n  awsrole console\n  awsrole console --service s3\n  awsrole console --profile shop-dev\n  awsrole console --print      for a browser on another machine\n\nThe sign-in URL is never passed as an argument: the browser gets it from\nawsrole, once."
    )]
    Console {
        /// Assume a role with `confirm` without confirmation
        #[arg(short, long)]
        yes: bool,
        /// Print the sign-in URL instead. It is valid for 15 minutes and signs in anyone who opens it
        #[arg(long)]
        print: bool,
        /// Service to open, by its name in the console's URL
        #[arg(long, value_name = "NAME")]
        service: Option<String>,
        /// Duration of the console session, 15m to 12h [default: 12h, or the lifetime of the credentials with role
        /// chaining]
        #[arg(long, value_name = "TIME", value_parser = humantime_duration)]
        duration: Option<Duration>,
        #[command(flatten)]
        target: TargetOptions,
    },
    /// Print the variables of the role, for scripts and CI
    #[command(
        after_help = "Examples:\n  eval \"$(awsrole env)\"                      # sh, bash, zsh\n  awsrole env --format dotenv > .env\n  awsrole env --profile shop-dev --format dotenv\n  awsrole env --format json | jq -r .AWS_ACCESS_KEY_ID\n  awsrole env --format github               # in GitHub Actions, for all later steps\n\nThe output contains secrets, valid until they expire. For a single command\nuse: awsrole exec -- CMD"
    )]
    Env {
        /// Assume a role with `confirm` without confirmation
        #[arg(short, long)]
        yes: bool,
        /// Output format
        #[arg(long, value_enum, default_value = "shell")]
        format: FormatName,
        #[command(flatten)]
        target: TargetOptions,
        /// Minimum remaining lifetime of the credentials, such as 45m
        #[arg(long, value_name = "TIME", value_parser = humantime_duration)]
        min_ttl: Option<Duration>,
    },
    /// Print credentials as JSON for an SDK, without prompting
    #[command(
        after_help = "Example:\n  awsrole credential-process --profile shop-dev\n\nIn ~/.aws/config:\n  [profile shop]\n  credential_process = awsrole credential-process --dir ~/src/shop\n\nIt uses the default role of the directory and ignores `awsrole use`. --role\nselects another role. --profile NAME uses a profile instead, except the one that\nhas this line."
    )]
    CredentialProcess {
        #[command(flatten)]
        target: TargetOptions,
        /// Assume a role with `confirm` without confirmation
        #[arg(short, long)]
        yes: bool,
        /// What the user confirmed when `exec --renew` was started
        #[arg(long, hide = true, conflicts_with_all = ["yes", "run"])]
        confirmed: Option<String>,
        /// Limit the session as the [agent] table says, or to read access without one
        #[arg(long, conflicts_with = "run")]
        agent: bool,
        /// What an `exec --renew` put into the copies of the AWS files
        #[arg(long, hide = true, conflicts_with_all = ["dir", "account", "role", "yes"])]
        run: Option<String>,
    },
    /// Create .awsrole.toml, never overwriting an existing file
    #[command(
        after_help = "Examples:\n  awsrole init --profile shop-dev\n  awsrole init --role-arn arn:aws:iam::222222222222:role/Deploy --source-profile jump\n  awsrole init --sso-session corp --account shop-prod --role-name Admin\n\nWithout --profile and --role-arn it prompts, if there is a terminal. For an\nSSO session it lists your accounts and permission sets. Several profiles, or\npermission sets of an account, marked with Tab, become roles of one file."
    )]
    Init {
        /// AWS profile that supplies the role
        #[arg(long, value_name = "NAME", add = profiles())]
        profile: Option<String>,
        /// ARN of the role to assume
        #[arg(long, value_name = "ARN", requires = "source_profile", conflicts_with = "profile")]
        role_arn: Option<String>,
        /// AWS profile whose credentials assume the role
        #[arg(long, value_name = "NAME", requires = "role_arn", add = profiles())]
        source_profile: Option<String>,
        /// Session of IAM Identity Center whose permission set supplies the role, an `[sso-session]` of ~/.aws/config
        /// [default: the only one]
        #[arg(long, value_name = "NAME", conflicts_with_all = ["profile", "role_arn"], add = sso_sessions())]
        sso_session: Option<String>,
        /// Account of the permission set
        #[arg(long, value_name = "ID|NAME", conflicts_with_all = ["profile", "role_arn"])]
        account: Option<String>,
        /// Permission set
        #[arg(long, value_name = "NAME", conflicts_with_all = ["profile", "role_arn"])]
        role_name: Option<String>,
        /// AWS region
        #[arg(long)]
        region: Option<String>,
        /// Write it without confirmation in your home directory or in /, where it applies to every directory below
        #[arg(short, long)]
        yes: bool,
        /// Directory of the project [default: working directory]
        #[arg(add = directories())]
        dir: Option<PathBuf>,
    },
    /// Print a project file made from those of other tools
    #[command(
        after_help = "Examples:\n  awsrole import\n  awsrole import ~/src/shop > ~/src/shop/.awsrole.toml\n  awsrole import ~/.aws/config\n\nIt reads .envrc, mise.toml, .env and .mairu.json, and the keys of aws-vault and\ngranted in the profile that they name. Nothing is run. With ~/.aws/config it\nprints a role for each profile of aws-vault and granted. Lines that it skips are\nlisted on stderr."
    )]
    Import {
        /// Directory or file [default: working directory]
        #[arg(value_name = "FILE|DIR", value_hint = clap::ValueHint::AnyPath)]
        path: Option<PathBuf>,
    },
    /// Write profiles for editors and tools that need one
    #[command(
        after_help = "Examples:\n  awsrole profiles install --dry-run\n  awsrole profiles install\n  awsrole profiles remove"
    )]
    Profiles {
        #[command(subcommand)]
        profiles: ProfilesCommand,
    },
    /// Print the JSON schema of .awsrole.toml for editors
    #[command(
        after_help = "Example:\n  awsrole schema > awsrole.schema.json\n\nEditors that support `#:schema PATH` in the first line of a TOML file then\ncomplete and validate keys."
    )]
    Schema,
    /// Write the man pages to a directory
    #[command(after_help = "Example:\n  awsrole man ~/.local/share/man/man1")]
    Man {
        /// Existing directory
        #[arg(add = directories())]
        dir: PathBuf,
    },
    /// Print the role's segment for a prompt
    #[command(
        after_help = "Examples:\n  eval \"$(awsrole prompt bash)\"        # ~/.bashrc, below the line with the hook\n  eval \"$(awsrole prompt zsh)\"         # ~/.zshrc, below the hook and the theme\n  awsrole prompt fish | source         # ~/.config/fish/config.fish\n  eval \"$(awsrole prompt p10k)\"        # at the end of ~/.p10k.zsh\n  awsrole prompt starship >> ~/.config/starship.toml\n\nIt shows the role, the account and the time left in the color of the account.\n`[blocked]` and `[inactive]` are red: the shell is blocked, or credentials were\nchanged manually. No process starts at a prompt. The first comment of the output\nsays where it belongs."
    )]
    Prompt {
        /// Shell or prompt program
        #[arg(value_enum)]
        program: PromptProgram,
    },
    /// Print shell completions
    #[command(
        after_help = "Examples:\n  source <(awsrole completions bash)\n  awsrole completions fish | source\n\nThe first comment of the output says where it belongs. Roles, profiles and\nstored keys are looked up when you press Tab."
    )]
    Completions {
        /// Shell
        shell: CompletedShell,
    },
}

impl Command {
    /// Reads the command line. Wrong usage ends the process.
    pub(crate) fn read(words: impl IntoIterator<Item = OsString>) -> Self {
        let words: Vec<OsString> = words.into_iter().collect();
        let parsed = command_line().try_get_matches_from(&words).and_then(|matches| Cli::from_arg_matches(&matches));
        parsed.unwrap_or_else(|error| tips::with_tip(error, &words, tips::other_name).exit()).command
    }

    /// Parses the words after `awsrole`, which a shell module passes on.
    pub(crate) fn of_module(words: &[OsString]) -> Result<Self, clap::Error> {
        let words = [OsString::from("awsrole")].iter().chain(words).cloned().collect::<Vec<_>>();
        Ok(Cli::from_arg_matches(&command_line().try_get_matches_from(&words)?)?.command)
    }

    /// Whether the process may be executed again with another environment. A comparison needs that of the shell.
    pub(crate) fn may_reexec(&self) -> bool {
        !matches!(self, Self::Hook { hook: Hook::Export(export) } if export.compare)
    }

    /// Whether the remains of killed runs are removed before the command begins. A shell's question does it only where
    /// the cache has no answer, `doctor` tells of them, and who waits for a run's end removes that one.
    pub(crate) fn sweeps(&self) -> bool {
        !matches!(self, Self::Doctor { .. } | Self::Hook { hook: Hook::Export(_) | Hook::Watch { .. } })
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum FormatName {
    /// Statements for sh, bash and zsh
    Shell,
    /// NAME=value lines for docker compose and .env files
    Dotenv,
    /// One JSON object
    Json,
    /// Append to the file $GITHUB_ENV and mask secrets in the log
    Github,
}

fn humantime_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "not a duration: write 45m, 2h or 90s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_durations_show_the_notation() {
        for text in ["x", "5x", "", "-1", "5"] {
            assert_eq!(humantime_duration(text), Err("not a duration: write 45m, 2h or 90s".to_owned()), "{text}");
        }
        assert_eq!(humantime_duration("1h 30m"), Ok(Duration::from_secs(5400)));
    }
}
