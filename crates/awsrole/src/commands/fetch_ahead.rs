//! Fetches the role of `awsrole use` while the shell still holds another one, so that a refusal or a cancelled prompt
//! leaves the shell as it is.

use awsrole_core::base::context::Context;
use awsrole_core::plan::role_plan::RolePlan;
use awsrole_core::session::cache::Cache;
use awsrole_core::session::fetch::obtain;
use awsrole_core::session::lookup::ObtainOptions;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::compare::FILE_MANAGERS;
use awsrole_core::shell::generation;
use awsrole_core::shell::state::OuterEnv;

use crate::report::{CommandError, Outcome};
use awsrole_system::print::{print_error_of_kept_role, print_notice};

/// Returns whether the user can be asked. A file manager would hide the question. The hook then says what to do.
pub(super) fn may_ask(outer: &Context) -> bool {
    !FILE_MANAGERS.iter().any(|variable| outer.env.has(variable))
}

/// Puts the session of a role into the cache, from which the hook takes it. Does nothing if the shell holds no role, or
/// if no session can be cached. `options` select the role in other commands, such as `--role prod`. `None` means a role
/// without a name: no options select it while the shell holds another one, so its error is printed in full.
///
/// Returns another outcome than `Done` if the role cannot be assumed. The error was printed then.
pub(super) fn fetch_ahead(
    plan: &RolePlan,
    options: Option<&str>,
    outer: &Context,
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    let Some(held) = OuterEnv::reconstruct(&context.env).role else { return Ok(Outcome::Done) };
    let cache = Cache::open(outer, settings.or_default().key);
    if !cache.can_store() {
        return Ok(Outcome::Done);
    }
    let wanted = ObtainOptions { allow_stale: true, ..ObtainOptions::interactive(context.now) };
    let obtained = super::providers::with_providers(outer, settings, may_ask(outer), |providers| {
        obtain(plan, &cache, providers, wanted)
    });
    match obtained {
        Ok(obtained) => {
            for notice in obtained.notices(plan).iter().filter(|_| obtained.fresh) {
                print_notice(notice);
            }
            if obtained.prompted {
                // As when the hook prompts: other shells that wait for this role continue at their next prompt.
                let _ = generation::bump(&outer.paths, outer.now);
            }
            Ok(Outcome::Done)
        }
        Err(failed) => {
            let error = CommandError::from(failed);
            let (problem, why) = match options {
                None => (error.problem.in_full(), "awsrole why".to_owned()),
                Some(options) => {
                    let again = format!("awsrole use {}", options.strip_prefix("--role ").unwrap_or(options));
                    (error.problem.of_selected_role(options, &again), format!("awsrole why {options}"))
                }
            };
            print_error_of_kept_role(&problem, &held.role, &why);
            Ok(error.outcome)
        }
    }
}
