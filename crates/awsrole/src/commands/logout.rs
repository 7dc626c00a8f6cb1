//! `awsrole logout`: removes cached credentials. Every open shell drops them at its next prompt.

use awsrole_core::base::context::Context;
use awsrole_core::plan::role_plan::RolePlan;
use awsrole_core::session::cache::Cache;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::generation;

use crate::report::{CommandError, Outcome};
use awsrole_system::print::print_notice;

pub(super) fn run(all: bool, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    let cache = Cache::open(context, settings.or_default().key);
    if all {
        let count = cache.log_out_of_all(context.now).map_err(|e| super::common::file_problem(&e))?;
        print_notice(format!("forgot {count} cached {}", if count == 1 { "session" } else { "sessions" }));
    } else {
        let (outer, allowed, _) = super::common::allowed(None, context, settings)?;
        let plans = super::common::plans(&outer, &allowed);
        for plan in &plans.0 {
            let failed = cache.keys(plan).failure(plan.steps.len());
            cache.forget_failure(&failed).map_err(|e| super::common::file_problem(&e))?;
        }
        // Earlier sessions of the chain are shared with other directories.
        let last = |plan: &RolePlan| vec![cache.keys(plan).session(plan.steps.len())];
        for entry in super::common::entries(context, plans, last)? {
            cache.log_out(&entry, context.now).map_err(|e| super::common::file_problem(&e))?;
        }
        print_notice("removed this directory's credentials (they stay valid in AWS until they expire)");
    }
    generation::bump(&context.paths, context.now).map_err(|e| super::common::file_problem(&e))?;
    Ok(Outcome::Done)
}
