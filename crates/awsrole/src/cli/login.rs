//! Options of `awsrole login`.

use clap::Args;

use super::TargetOptions;
use crate::completion::sso_sessions;

/// Selects what to sign in to, and how.
#[derive(Args)]
pub(crate) struct LoginOptions {
    /// Name of an [sso-session NAME] of ~/.aws/config, or of a profile [default: the session of this directory]
    #[arg(conflicts_with_all = ["role", "profile", "account", "dir"], add = sso_sessions())]
    pub(crate) session: Option<String>,
    /// Start URL of an access portal: signs in there, then writes an [sso-session SESSION] to ~/.aws/config
    #[arg(long, value_name = "URL", requires = "region", conflicts_with_all = ["role", "profile", "account", "dir"])]
    pub(crate) start_url: Option<String>,
    /// Region of IAM Identity Center for --start-url
    #[arg(long, requires = "start_url")]
    pub(crate) region: Option<String>,
    #[command(flatten)]
    pub(crate) target: TargetOptions,
    #[command(flatten)]
    pub(crate) sign_in: SignInOptions,
}

/// Selects how the user signs in. By default this depends on where the browser is.
#[derive(Args, Clone, Copy, Default)]
pub(crate) struct SignInOptions {
    /// Confirm a code in the browser, which may be on another machine
    #[arg(long, alias = "use-device-code")]
    pub(crate) device: bool,
    /// Don't open a browser, only print the URL and a code
    #[arg(long)]
    pub(crate) no_browser: bool,
}
