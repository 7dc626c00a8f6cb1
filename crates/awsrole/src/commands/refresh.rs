//! `awsrole refresh`: makes the next prompt fetch new credentials.

use std::io::{self, IsTerminal as _};

use awsrole_core::aws::profiles::Profiles;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::plan::requester::Requester;
use awsrole_core::plan::role_plan::RolePlan;
use awsrole_core::project::approval::Verdict;
use awsrole_core::project::discover::upward;
use awsrole_core::session::cache::Cache;
use awsrole_core::session::fetch::MFA_AGE_RETRY_THRESHOLD;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::export::{evaluate_directory, plan_role};
use awsrole_core::shell::generation;
use awsrole_core::shell::manual_change::Inactive;
use awsrole_core::shell::state::OuterEnv;

use super::target::Place;
use crate::cli::PlaceOptions;
use crate::report::{CommandError, Outcome};
use awsrole_system::ambient::{self, Caller};

/// Marks the cached sessions as stale without making a call, or only ends a manual change. The shell's hook fetches the
/// new ones. Valid credentials remain in use if no new ones can be fetched.
///
/// In a project these are the sessions of the role that this shell uses. With `all`, or if the project's programs get a
/// profile for each role (`profiles`), they are those of all roles.
pub(super) fn run(all: bool, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    let place = PlaceOptions::default();
    let placed = Place::of(place, true, context, settings).map_err(|mut error| {
        // Only a role of this shell can be refreshed, so no option selects one.
        let has_place = context.dir.as_os_str().is_empty() || !upward(&context.dir).is_empty();
        if !has_place && super::common::profile_in_use(context, settings).is_ok() {
            error.problem = Problem::new("this shell has no role to refresh")
                .because(error.problem.summary)
                .hint("`awsrole use` lists roles and profiles, and assumes one");
        }
        error
    });
    if was_changed_manually(context) {
        // Nothing was wrong with the session: the shell takes it from the cache. Without a file it is a chosen
        // profile's, which only the shell knows.
        return match placed {
            Err(error) if !upward(&context.dir).is_empty() => unless_printed_by_hook(error, context, settings),
            _ => Ok(Outcome::Done),
        };
    }
    let (outer, place) = match placed {
        Ok(placed) => placed,
        Err(error) => return unless_printed_by_hook(error, context, settings),
    };
    let cache = Cache::open(context, settings.or_default().key);
    let one = |plan: Result<RolePlan, Problem>| match plan {
        Ok(plan) => (vec![plan], None),
        Err(problem) => (Vec::new(), Some(problem)),
    };
    let (plans, problem) = match &place {
        Place::Profile(profile) => {
            let requester = Requester::of(&outer, settings)?;
            one(Profiles::load(&outer).and_then(|profiles| profile.plan(&profiles, &outer, &requester)))
        }
        Place::Project(project) if all || project.allowed.config().profiles == Some(true) => {
            super::common::plans(&outer, settings, &project.allowed)
        }
        Place::Project(project) => {
            let requester = Requester::of(&outer, settings)?;
            let chosen = super::common::chosen(context, &project.files)?;
            let chosen = chosen.inherited_by(&requester, project.allowed.config());
            let role = chosen.role().map(str::to_owned);
            one(plan_role(&outer, settings, &project.allowed, role.as_deref()))
        }
    };
    // The hook makes the same plan next, and prints why it fails.
    let problem = problem.filter(|_| ambient::caller() != Caller::Hook);
    // An agent can't enter a new code, so it must not end a session for which its user entered one.
    let mfa_sessions = |plan: &RolePlan| -> Vec<String> {
        let of_mfa = (0..plan.steps.len()).filter(|index| plan.steps[*index].mfa_serial().is_some());
        of_mfa.map(|index| cache.keys(plan).session(index + 1)).collect()
    };
    for plan in plans.iter().filter(|plan| plan.agent.is_none()) {
        if cache.last_failure(&cache.keys(plan), context.now).is_some() {
            // The trust policy may limit the age of MFA, so a new code may help if the MFA session isn't new.
            for session in mfa_sessions(plan) {
                let issued = cache.load(&session, context.now).map(|entry| entry.credentials.issued);
                let age = issued.and_then(|issued| context.now.duration_since(issued).ok());
                if age.is_some_and(|age| age > MFA_AGE_RETRY_THRESHOLD) {
                    cache.mark_stale(&session, context.now).map_err(|e| super::common::file_problem(&e))?;
                }
            }
        }
    }
    let stale = |plan: &RolePlan| {
        let kept = plan.agent.as_ref().map(|_| mfa_sessions(plan)).unwrap_or_default();
        cache.keys(plan).all().into_iter().filter(|entry| !kept.contains(entry)).collect::<Vec<_>>()
    };
    for entry in super::common::entries(context, (plans, problem), stale)? {
        cache.mark_stale(&entry, context.now).map_err(|e| super::common::file_problem(&e))?;
    }
    generation::bump(&context.paths, context.now).map_err(|e| super::common::file_problem(&e))?;
    if ambient::caller() == Caller::HookOff {
        super::common::print_off_notice();
    }
    Ok(Outcome::Done)
}

/// Returns the outcome of an error that the hook prints, too, because it decides again after this command. All other
/// errors are returned.
///
/// The hook's function recognizes the command by its words. In a pipe it runs in another process than the shell, which
/// may not decide.
fn unless_printed_by_hook(
    error: CommandError,
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    let files = upward(&context.dir);
    let words = ambient::args();
    let decides = matches!(ambient::caller(), Caller::Hook | Caller::Inactive | Caller::Replaced)
        && (words == ["refresh"] || words == ["refresh", "--all"])
        && io::stdout().is_terminal()
        && io::stderr().is_terminal();
    if !decides || files.is_empty() {
        return Err(error);
    }
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    let prints = match evaluate_directory(&outer, settings, &files) {
        Ok((Verdict::Allowed(_), _)) => false,
        Ok((verdict, depth)) => !verdict.is_silent(depth),
        Err(_) => true,
    };
    if prints { Ok(error.outcome) } else { Err(error) }
}

/// Returns whether the user changed credential variables of this shell. Before its next prompt the shell hasn't noticed
/// it, and the state of the role and the variables contradict each other.
fn was_changed_manually(context: &Context) -> bool {
    match ambient::caller() {
        Caller::Inactive => true,
        Caller::Hook => Inactive::is_unnoticed(&context.env) && upward(&context.dir).is_empty(),
        _ => false,
    }
}
