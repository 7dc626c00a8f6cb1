//! `awsrole keys`, as types.

use clap::{Subcommand, ValueEnum};

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// Store a profile's keys, after AWS has taken them
    #[command(
        after_help = "Examples:\n  awsrole keys add jump                 asks for both on the terminal\n  awsrole keys add jump --import        takes those of ~/.aws/credentials\n  aws iam create-access-key | awsrole keys add jump --stdin"
    )]
    Add {
        /// The profile, which stands in ~/.aws/config
        profile: String,
        /// Read them from stdin: two lines, id and secret, or what `aws iam create-access-key` prints
        #[arg(long, conflicts_with = "import")]
        stdin: bool,
        /// Take them from the AWS files, and offer to remove them there
        #[arg(long)]
        import: bool,
        /// Remove them there without a question, once the stored ones are known to work
        #[arg(long, requires = "import")]
        take_out: bool,
        /// Forget those that are stored for the profile, once AWS has taken the new ones
        #[arg(long)]
        replace: bool,
        /// Replace them although AWS can't be asked whether it takes the new ones
        #[arg(long, requires = "replace")]
        force: bool,
        /// Where to; default: `[keys] store` in config.toml, or else the system's own store
        #[arg(long, value_enum)]
        store: Option<StoreName>,
    },
    /// List profiles with long-lived keys, stored or in a file; no secrets
    List {
        /// For machines
        #[arg(long)]
        json: bool,
    },
    /// Get a new key from AWS, and delete the old one; run again, it goes on where it stopped
    #[command(after_help = "The user needs iam:CreateAccessKey, iam:ListAccessKeys and iam:DeleteAccessKey on itself.")]
    Rotate {
        /// The profile
        profile: String,
        /// Only switch the old key off
        #[arg(long)]
        deactivate: bool,
        /// First delete the user's other key, since AWS allows two
        #[arg(long, value_name = "KEY_ID")]
        delete: Option<String>,
    },
    /// Remove a profile's keys from its store; at AWS they stay valid
    Remove {
        /// The profile
        profile: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum StoreName {
    SecretService,
    Keychain,
    File,
}
