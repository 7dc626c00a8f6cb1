//! `awsrole login`: signs in to IAM Identity Center for the role of a project or a profile.

use awsrole_core::aws::source::Source;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::session::cache::Cache;
use awsrole_core::settings::account_names;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::generation;
use awsrole_sts::{DeviceAuthorization, sign_in};

use super::target::Target;
use crate::browser::{self, OpenError};
use crate::cli::TargetOptions;
use crate::report::{CommandError, Outcome};
use crate::terminal::notice_on_interrupt;
use awsrole_system::print::print_notice;

pub(super) fn run(
    target: TargetOptions,
    no_browser: bool,
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    let Target { outer, plan, .. } = Target::of(target, context, settings)?;
    let Source::IdentityCenter(source) = &plan.source else {
        return Err(Problem::new(format!("there is nothing to sign in to: the source is {}", plan.source))
            .hint("`awsrole login` is for profiles with sso_session or sso_start_url")
            .into());
    };
    let invite = |invitation: &DeviceAuthorization| {
        print_notice(format!("open {} and confirm the code {}", invitation.url, invitation.user_code));
        if !no_browser {
            open_page(&invitation.url, &outer);
        }
        print_notice(format!(
            "waiting for your confirmation in the browser, {} at most …",
            humantime::format_duration(invitation.lasts)
        ));
    };
    notice_on_interrupt("the sign-in was cancelled: `awsrole login` starts another");
    let names =
        super::common::with_remote(&outer, settings, |sts| sign_in(sts, source, &invite)).map_err(CommandError::aws)?;
    // Without them accounts are shown by their numbers.
    let _ = account_names::record(&context.paths, names);
    // A cached failure may say that the user isn't signed in. It no longer applies.
    let cache = Cache::open(context, settings.or_default().key);
    for name in cache.keys(&plan).all() {
        cache.mark_stale(&name, context.now).map_err(|e| super::common::file_problem(&e))?;
    }
    generation::bump(&context.paths, context.now).map_err(|e| super::common::file_problem(&e))?;
    print_notice("signed in");
    Ok(Outcome::Done)
}

/// Opens the page that confirms the code, while this process polls for the result.
///
/// The URL contains the code, so it isn't passed as an argument: another user could confirm the code as themselves, and
/// this user would work with that identity.
fn open_page(url: &str, outer: &Context) {
    let (url, env, paths) = (url.to_owned(), outer.env.clone(), outer.paths.clone());
    // Errors are ignored because the URL is also printed on the terminal.
    std::thread::spawn(move || {
        if let Err(OpenError::Another(uid)) = browser::open(&url, &env, &paths) {
            print_notice(format!(
                "another user of this machine (uid {uid}) requested the URL: nothing was sent, so open it from here"
            ));
        }
    });
}
