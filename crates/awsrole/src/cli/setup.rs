//! Types of the arguments of `awsrole setup` and `awsrole profiles`.

use clap::{Args, Subcommand};

use super::hook::ShellName;

#[derive(Args)]
pub(crate) struct SetupOptions {
    /// Do what would be asked on the terminal, except for the first project
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Print the lines that would be added or removed, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Remove the lines that `awsrole setup` added
    #[arg(long, conflicts_with = "yes")]
    pub(crate) remove: bool,
    /// Shell to set up [default: the shell that runs this command, else the shell of your account]
    #[arg(long, value_enum, conflicts_with = "remove")]
    pub(crate) shell: Option<ShellName>,
}

#[derive(Subcommand)]
pub(crate) enum ProfilesCommand {
    /// Write a profile for each role of the allowed projects to ~/.aws/config
    #[command(
        after_help = "Examples:\n  awsrole profiles install\n  awsrole profiles install --dry-run\n  awsrole profiles install --prefix awsrole-\n\nA profile is named after the project's directory, and that of a [role.NAME]\nDIRECTORY/NAME. They are between two marks at the end of the file. Everything\nelse stays as it is. Run it again after you allow another project."
    )]
    Install {
        /// Begin each name with this text
        #[arg(long, default_value = "", hide_default_value = true)]
        prefix: String,
        /// Print the lines that would change, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Remove these profiles from ~/.aws/config
    #[command(after_help = "Examples:\n  awsrole profiles remove\n  awsrole profiles remove --dry-run")]
    Remove {
        /// Print the lines that would change, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
}
