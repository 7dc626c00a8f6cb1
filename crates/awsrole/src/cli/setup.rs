//! Types of the arguments of `awsrole setup`.

use clap::Args;

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
