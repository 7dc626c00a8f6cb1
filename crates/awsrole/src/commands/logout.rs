//! `awsrole logout`: removes cached credentials. Every open shell drops them at its next prompt.

use awsrole_core::aws::profiles::Profiles;
use awsrole_core::base::context::Context;
use awsrole_core::plan::requester::Requester;
use awsrole_core::plan::role_plan::RolePlan;
use awsrole_core::session::cache::Cache;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::generation;

use super::target::Place;
use crate::cli::PlaceOptions;
use crate::report::{CommandError, Outcome};
use awsrole_system::print::print_notice;

pub(super) fn run(
    place: PlaceOptions,
    all: bool,
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    let cache = Cache::open(context, settings.or_default().key);
    if all {
        let count = cache.log_out_of_all(context.now).map_err(|e| super::common::file_problem(&e))?;
        print_notice(format!("deleted {count} cached {}", if count == 1 { "session" } else { "sessions" }));
    } else {
        // Earlier sessions of the chain are shared with other directories.
        let last = |plan: &RolePlan| vec![cache.keys(plan).session(plan.steps.len())];
        let is_here = place.dir.is_none();
        let (outer, place) = Place::of(place, true, context, settings)?;
        let (whose, plans) = match &place {
            Place::Profile(profile) => {
                let plan = profile.plan(&Profiles::load(&outer)?, &outer, &Requester::of(&outer, settings)?)?;
                (format!("the credentials of profile {}", profile.name()), (vec![plan], None))
            }
            Place::Project(project) => {
                let whose = if is_here { "this directory's".to_owned() } else { context.shorten(&project.dir) + "'s" };
                (format!("{whose} credentials"), super::common::plans(&outer, settings, &project.allowed))
            }
        };
        for plan in &plans.0 {
            let failed = cache.keys(plan).failure(plan.steps.len());
            cache.forget_failure(&failed).map_err(|e| super::common::file_problem(&e))?;
        }
        let entries = match place {
            Place::Project(_) if is_here => super::common::entries(context, plans, last)?,
            Place::Project(_) | Place::Profile(_) => super::common::entries_of(plans, last)?,
        };
        for entry in entries {
            cache.log_out(&entry, context.now).map_err(|e| super::common::file_problem(&e))?;
        }
        print_notice(format!("removed {whose} (they stay valid in AWS until they expire)"));
    }
    generation::bump(&context.paths, context.now).map_err(|e| super::common::file_problem(&e))?;
    Ok(Outcome::Done)
}
