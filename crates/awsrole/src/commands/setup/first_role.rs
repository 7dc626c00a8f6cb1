//! The last steps of `awsrole setup`: a project file for the working directory, what would ignore its role, and the
//! identity.

use awsrole_core::aws::profiles::Profiles;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::{Problem, escape};
use awsrole_core::plan::guard::Guard;
use awsrole_core::plan::requester::Requester;
use awsrole_core::plan::resolve::SelectedProfile;
use awsrole_core::plan::role_plan::RolePlan;
use awsrole_core::project::approval::{Allowed, Verdict};
use awsrole_core::project::config::Confirm;
use awsrole_core::project::discover::upward;
use awsrole_core::session::cache::Cache;
use awsrole_core::session::fetch::{ObtainError, fetch_caller_arn, obtain_unexported};
use awsrole_core::session::lookup::ObtainOptions;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::export::{evaluate_directory, plan_role};
use awsrole_system::print::{print_error, print_notice};

use crate::commands::allow;
use crate::commands::init;
use crate::commands::providers;
use crate::terminal::Terminal;

/// Asks whether to create a project file, if there is none that applies to the working directory.
pub(super) fn is_wanted(terminal: &Terminal, context: &Context) -> Result<bool, Problem> {
    if !upward(&context.dir).is_empty() || context.dir == context.paths.home || context.dir.as_os_str().is_empty() {
        return Ok(false);
    }
    let question = format!("awsrole: select a role for {}?", escape(&context.shorten(&context.dir)));
    terminal.agree(&question).map_err(|_| Problem::new("the setup was cancelled"))
}

/// Runs `awsrole init`, which prompts. The setup continues if it fails.
pub(super) fn create(context: &Context, settings: &Settings) {
    let nothing = init::InitOptions { pin: true, ..Default::default() };
    if let Err(error) = init::run(nothing, None, false, None, context, settings) {
        print_error(&error.problem);
    }
}

/// Shows the settings of other tools with which they would ignore the role of the working directory. A new project file
/// was shown with them.
pub(super) fn show_overrides(context: &Context) {
    allow::show_overrides(&upward(&context.dir), context);
}

/// Shows the identity in the working directory. A failure is only a line: the setup is complete without it. `may_ask`
/// permits prompts such as the one for an MFA code.
pub(super) fn show(may_ask: bool, context: &Context, settings: &Settings) {
    let files = upward(&context.dir);
    let planned = match files.first() {
        None => {
            print_notice("`awsrole init` in the directory of a project selects its role");
            plan_of_profile(context, settings)
        }
        Some(nearest) => match evaluate_directory(context, settings, &files) {
            Ok((Verdict::Allowed(allowed), _)) => plan_of_project(&allowed, context, settings).map(Some),
            Ok((Verdict::Refused(_), _)) => {
                print_notice(format!("`awsrole allow` shows and approves {}", context.shorten(nearest)));
                return;
            }
            Ok((Verdict::Broken { problem, .. }, _)) | Err(problem) => Err(problem),
        },
    };
    let arn = planned.and_then(|planned| {
        let Some((plan, whole)) = planned else { return Ok(None) };
        caller(&plan, whole, may_ask, context, settings).map(Some).map_err(|failed| failed.problem)
    });
    match arn {
        Ok(Some(arn)) => print_notice(format!("your identity is {arn}")),
        Ok(None) => {}
        Err(problem) => print_notice(format!("no identity yet: {} (`awsrole doctor` checks it)", problem.summary)),
    }
}

/// Plans the profile that AWS clients use outside of projects, if there is one. If it needs a confirmation, only the
/// first caller is determined.
fn plan_of_profile(context: &Context, settings: &Settings) -> Result<Option<(RolePlan, bool)>, Problem> {
    let profiles = Profiles::load(context)?;
    let name = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"].into_iter().find_map(|name| context.env.filled(name));
    let name = name.unwrap_or("default");
    if profiles.get(name).is_none() {
        return Ok(None);
    }
    let profile = SelectedProfile::of_option(name.to_owned());
    let plan = profile.plan(&profiles, context, &Requester::of(context, settings)?)?;
    let whole = Guard::of_profile(&plan, &settings.or_default().accounts).confirm == Confirm::Never;
    Ok(Some((plan, whole)))
}

/// Plans the role that `cd` assumes. If it needs a confirmation, only the first caller is determined.
fn plan_of_project(allowed: &Allowed, context: &Context, settings: &Settings) -> Result<(RolePlan, bool), Problem> {
    let plan = plan_role(context, settings, allowed, None)?;
    let guard = Guard::of_role(allowed, None, &plan, &settings.or_default().accounts);
    let whole = guard.confirm == Confirm::Never && !guard.manual;
    Ok((plan, whole))
}

/// Calls GetCallerIdentity with the credentials of a plan, or with those of its source.
fn caller(
    plan: &RolePlan,
    whole: bool,
    may_ask: bool,
    context: &Context,
    settings: &Settings,
) -> Result<String, ObtainError> {
    let cache = Cache::open(context, settings.or_default().key);
    let options =
        if may_ask { ObtainOptions::interactive(context.now) } else { ObtainOptions::background(context.now) };
    providers::with_providers(context, settings, may_ask, |providers| {
        if !whole {
            return fetch_caller_arn(plan, &cache, providers, options);
        }
        let credentials = obtain_unexported(plan, &cache, providers, options)?;
        let arn = providers.sts.caller_arn(&credentials, &plan.endpoint);
        arn.map_err(|error| Problem::new(error.to_string()).into())
    })
}
