//! Types of the arguments of `awsrole keys`.

use clap::{Subcommand, ValueEnum};

use crate::completion::{profiles, stored_keys};

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// Store the keys of a profile after checking them with AWS
    #[command(
        after_help = "Examples:\n  awsrole keys add jump                 prompt for both\n  awsrole keys add jump --import        take them from ~/.aws/credentials\n  aws iam create-access-key | awsrole keys add jump --stdin"
    )]
    Add {
        /// Profile, which must exist in ~/.aws/config
        #[arg(add = profiles())]
        profile: String,
        /// Read the keys from stdin: two lines (ID and secret), or the output of `aws iam create-access-key`
        #[arg(long, conflicts_with = "import")]
        stdin: bool,
        /// Take the keys from the AWS files, and offer to remove them there
        #[arg(long)]
        import: bool,
        /// Remove them from the AWS files without confirmation, after the stored keys were checked
        #[arg(long, requires = "import")]
        take_out: bool,
        /// Replace stored keys of the profile, after AWS accepted the new ones
        #[arg(long)]
        replace: bool,
        /// Replace stored keys even if AWS cannot be reached to check the new ones
        #[arg(long, requires = "replace")]
        force: bool,
        /// Where to store the keys [default: `[keys] store` in config.toml, else the store of the system]
        #[arg(long, value_enum)]
        store: Option<StoreName>,
    },
    /// List profiles with long-lived keys, without secrets
    #[command(after_help = "Example:\n  awsrole keys list")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Create a new key and delete the old one, or resume an interrupted rotation
    #[command(
        after_help = "Examples:\n  awsrole keys rotate jump\n  awsrole keys rotate jump --deactivate\n\nThe user needs iam:CreateAccessKey, iam:ListAccessKeys and\niam:DeleteAccessKey on itself."
    )]
    Rotate {
        /// Profile
        #[arg(add = stored_keys())]
        profile: String,
        /// Deactivate the old key instead of deleting it
        #[arg(long)]
        deactivate: bool,
        /// Delete this other key of the user first, since AWS allows two
        #[arg(long, value_name = "KEY_ID")]
        delete: Option<String>,
    },
    /// Remove the keys of a profile from the store, but not at AWS
    #[command(after_help = "Example:\n  awsrole keys remove jump")]
    Remove {
        /// Profile
        #[arg(add = stored_keys())]
        profile: String,
        /// Remove without confirmation
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum StoreName {
    SecretService,
    Keychain,
    File,
}
