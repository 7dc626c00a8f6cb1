//! `awsrole login`: signs in to IAM Identity Center, for the role of a project or a profile, or for an SSO session.

use awsrole_core::aws::profiles::Profiles;
use awsrole_core::aws::sso_session::{NewSession, SsoSession};
use awsrole_core::base::context::Context;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::state::OuterEnv;

use crate::cli::LoginOptions;
use crate::report::{CommandError, Outcome};
use awsrole_system::print::print_notice;

pub(super) fn run(options: LoginOptions, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    let (outer, session) = match (options.start_url, options.region) {
        (Some(start_url), Some(region)) => {
            let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
            let session = described(NewSession::of_options(options.session, start_url, &region)?, &outer)?;
            (outer, session)
        }
        _ => super::sso_session::select(options.session.as_deref(), options.target, context, settings)?,
    };
    super::sign_in::run(&session, options.sign_in, &outer, settings)?;
    Ok(Outcome::Done)
}

/// Returns a session that the options describe, after writing it to the AWS CLI's config file.
fn described(new: NewSession, outer: &Context) -> Result<SsoSession, CommandError> {
    let written = new.write(outer)?;
    if let Some(file) = &written.file {
        print_notice(format!("wrote [sso-session {}] to {}", written.name, outer.shorten(file)));
    }
    Ok(SsoSession::named(&written.name, &Profiles::load(outer)?, outer)?)
}
