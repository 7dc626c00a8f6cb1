//! `awsrole login`: signs in to IAM Identity Center or the AWS console, for the role of a project or a profile, or for
//! an SSO session.

use awsrole_core::aws::sso_session::NewSession;
use awsrole_core::base::context::Context;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::state::OuterEnv;

use super::sso_session::{self, Purpose, SignInTarget};
use crate::cli::LoginOptions;
use crate::report::{CommandError, Outcome};
use awsrole_system::print::print_notice;

pub(super) fn run(options: LoginOptions, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    if let (Some(start_url), Some(region)) = (options.start_url, options.region) {
        let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
        let new = NewSession::of_options(options.session, start_url, &region)?;
        super::sign_in::run(&new.session(&outer)?, options.sign_in, &outer, settings)?;
        // It is written after the sign-in, so that a misspelled URL isn't kept.
        let (name, written) = new.write(&outer)?;
        if let Some(file) = written {
            print_notice(format!("wrote [sso-session {name}] to {}", outer.shorten(&file)));
        }
        print_notice(format!("next, in a project: `awsrole init --sso-session {name}` lists your accounts"));
        return Ok(Outcome::Done);
    }
    let (named, target) = (options.session.as_deref(), options.target);
    let (outer, target) = sso_session::select_any(named, target, Purpose::SignIn, context, settings)?;
    match target {
        SignInTarget::Sso(session) => super::sign_in::run(&session, options.sign_in, &outer, settings)?,
        SignInTarget::Console(login) => super::console_sign_in::run(&login, options.sign_in, &outer, settings)?,
    }
    Ok(Outcome::Done)
}
