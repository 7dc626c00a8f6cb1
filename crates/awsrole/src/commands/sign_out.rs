//! `awsrole logout --sso`: signs out of IAM Identity Center, here and for the AWS CLI.

use awsrole_core::aws::profiles::Profiles;
use awsrole_core::aws::source::Source;
use awsrole_core::aws::sso_session::SsoSession;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::plan::requester::Requester;
use awsrole_core::plan::resolve::SelectedProfile;
use awsrole_core::plan::role_plan::RolePlan;
use awsrole_core::session::cache::Cache;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::generation;
use awsrole_core::shell::state::OuterEnv;
use awsrole_sts::{SignedOut, sign_out};

use super::sso_session::Purpose;
use crate::cli::{PlaceOptions, TargetOptions};
use crate::report::{CommandError, Outcome};
use awsrole_system::print::{print_error, print_notice};

pub(super) fn run(named: Option<&str>, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    let place = PlaceOptions::default();
    let here = TargetOptions { role: None, place };
    let (outer, session) = super::sso_session::select(named, here, Purpose::SignOut, context, settings)?;
    let cache = Cache::open(context, settings.or_default().key);
    // The token is part of the cache keys, so they are determined before it is removed.
    let entries = entries(&session, &cache, context, settings);
    let own = |e| CommandError::from(super::common::file_problem(&e));
    let signed_out = super::common::with_remote(&outer, settings, |sts| sign_out(sts, &session, &outer.paths.home));
    let signed_out = signed_out
        .map_err(|e| Problem::new(format!("cannot sign out of {}", session.title())).because(&e).hint(e.hint()))?;
    for entry in entries {
        cache.log_out(&entry, context.now).map_err(own)?;
    }
    generation::bump(&context.paths, context.now).map_err(own)?;
    match signed_out {
        SignedOut::Everywhere => {
            print_notice(format!(
                "signed out of {} (credentials stay valid in AWS until they expire)",
                session.title()
            ));
        }
        SignedOut::NotSignedIn => print_notice(format!("you were not signed in to {}", session.title())),
        SignedOut::OnlyHere(error) => {
            return Err(CommandError::aws(
                Problem::new(format!("signed out of {} only on this machine", session.title())).because(error).hint(
                    "the token was deleted here, but IAM Identity Center could not be reached. The token stays valid until it expires",
                ),
            ));
        }
    }
    Ok(Outcome::Done)
}

/// Signs out of all sessions of the AWS files.
///
/// # Errors
/// Returns the last error, after the others were printed.
pub(super) fn run_all(context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    let profiles = Profiles::load(&outer)?;
    let mut last: Option<CommandError> = None;
    for session in profiles.sso_sessions() {
        if let Err(error) = run(Some(session.name), context, settings)
            && let Some(earlier) = last.replace(error)
        {
            print_error(&earlier.problem);
        }
    }
    last.map_or(Ok(Outcome::Done), Err)
}

/// Returns the cached sessions that came from a sign-in: those of all profiles that use it, and of this directory.
fn entries(session: &SsoSession, cache: &Cache, context: &Context, settings: &Settings) -> Vec<String> {
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    let Ok(profiles) = Profiles::load(&outer) else { return Vec::new() };
    let Ok(requester) = Requester::of(&outer, settings) else { return Vec::new() };
    let of_profile = |name: &str| SelectedProfile::of_option(name.to_owned()).plan(&profiles, &outer, &requester).ok();
    let mut plans: Vec<RolePlan> = profiles.names().into_iter().filter_map(of_profile).collect();
    if let Ok((outer, allowed, _)) = super::common::allowed(None, context, settings) {
        plans.extend(super::common::plans(&outer, settings, &allowed).0);
    }
    plans.retain(|plan| match &plan.source {
        Source::IdentityCenter(role) => role.token_file == session.token_file,
        _ => false,
    });
    let of_plan = |plan: &RolePlan| {
        let keys = cache.keys(plan);
        (0..=keys.step_count()).map(|count| keys.session(count)).collect::<Vec<_>>()
    };
    plans.iter().flat_map(of_plan).filter(|entry| cache.ever_cached(entry)).collect()
}
