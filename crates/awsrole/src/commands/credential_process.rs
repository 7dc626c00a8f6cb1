//! `awsrole credential-process`: provides the role of a project or a profile to SDKs and editors through
//! `credential_process`. It never prompts.

use awsrole_core::aws::mfa::NotConfirmed;
use awsrole_core::base::agent::Agent;
use awsrole_core::base::context::{Context, Env};
use awsrole_core::base::problem::Problem;
use awsrole_core::project::config::Confirm;
use awsrole_core::session::cache::Cache;
use awsrole_core::session::encryption::CacheEncryption;
use awsrole_core::session::fetch::obtain;
use awsrole_core::session::history::{HistoryEntry, Recipient};
use awsrole_core::session::lookup::ObtainOptions;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::confirm::{self, Confirmation};
use awsrole_core::shell::export::agent_limits;
use awsrole_core::shell::long_run::SavedEnvironment;
use awsrole_core::shell::statements::credential_process;

use super::target::Target;
use crate::cli::TargetOptions;
use crate::report::{CommandError, Outcome};
use awsrole_system::ambient;
use awsrole_system::print::out;

/// Whether the user confirmed the role.
pub(super) enum ProcessConsent {
    No,
    Given,
    /// The user confirmed what this text identifies ([`Confirmation::to_text`]).
    GivenFor(String),
}

pub(super) fn run(
    mut target: TargetOptions,
    consent: &ProcessConsent,
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    // A hint is read somewhere else than in the directory of the SDK.
    target.place.dir = match target.place.dir.take() {
        Some(dir) => Some(super::common::directory(Some(dir), context)?),
        None if target.place.is_empty() => Some(context.dir.clone()).filter(|dir| !dir.as_os_str().is_empty()),
        None => None,
    };
    let target = Target::without_choice(target, context, settings)?;
    target.require_name()?;
    let Target { outer, plan, .. } = &target;
    let is_given = match consent {
        ProcessConsent::Given => true,
        ProcessConsent::GivenFor(text) => *text == Confirmation::of(plan).to_text(),
        ProcessConsent::No => false,
    };
    if !is_given && target.guard.confirm != Confirm::Never {
        let problem = confirm::not_confirmed(plan, NotConfirmed::NotNow, "add `--yes` to this command to confirm it");
        return Err(CommandError::no_role(problem));
    }
    let options = ObtainOptions::background(context.now);
    let cache = Cache::open(context, settings.or_default().key);
    let obtained =
        super::providers::with_providers(outer, settings, false, |providers| obtain(plan, &cache, providers, options));
    let obtained = obtained.map_err(|failed| target.failed(failed))?;
    // Every process with an SDK runs this command, so only new sessions are recorded.
    if obtained.fresh {
        let entry = HistoryEntry::of(Recipient::CredentialProcess, outer, plan, &obtained);
        awsrole_core::session::history::note(
            Some(&HistoryEntry { directory: target.dir().to_string_lossy().into_owned(), ..entry }),
            outer,
        );
    }
    out(&credential_process(obtained.credentials.temporary(&plan.source)?))?;
    out("\n")?;
    Ok(Outcome::Done)
}

/// Provides the role inside a command of `exec --renew`, or the user's profile `other`. This process restarts itself in
/// the environment in which the command was started, and for an agent in the directory, too.
pub(super) fn of_run(
    run: &str,
    other: Option<&str>,
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    let Some(outside) =
        SavedEnvironment::read(&context.paths, &CacheEncryption::of_cache(context, settings.or_default().key), run)
    else {
        return Err(CommandError::no_role(
            Problem::new("the command that these AWS files were created for has ended")
                .hint("unset AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, which refer to them"),
        ));
    };
    let mut words = vec!["credential-process".into()];
    match other.or(outside.profile.as_deref()) {
        Some(profile) => words.push(format!("--profile={profile}").into()),
        None => words.extend(["--dir".into(), outside.dir.clone().into_os_string()]),
    }
    if other.is_none() {
        words.extend(outside.confirmed.iter().map(|confirmed| format!("--confirmed={confirmed}").into()));
        words.extend(outside.role.iter().map(|name| format!("--role={name}").into()));
    }
    let mut env = outside.over(&context.env);
    if Agent::recognize(&env).is_some() {
        enter_start(&outside, &mut env, context, settings).map_err(CommandError::no_role)?;
    }
    let error = ambient::reexec(&words, &env);
    Err(Problem::new("cannot restart awsrole").because(error).hint("was it moved or removed?").into())
}

/// Changes to the directory in which a command was started, because its `[agent]` tables limit every profile that the
/// command uses, wherever it is now.
///
/// # Errors
/// Fails if the directory is gone, or if it had limits that no longer apply.
fn enter_start(
    outside: &SavedEnvironment,
    env: &mut Env,
    context: &Context,
    settings: &Settings,
) -> Result<(), Problem> {
    let dir = &outside.dir;
    let unknown = || {
        Problem::new(format!("the limits of {} no longer apply", context.shorten(dir)))
            .hint("the command was started there: restore the directory's .awsrole.toml, or start the command again")
    };
    ambient::enter(dir, env).map_err(|error| unknown().because(error))?;
    let there = Context { dir: dir.clone(), ..context.with_env(env.clone()) };
    if !outside.has_limits {
        return Ok(());
    }
    match agent_limits(&there, settings) {
        Ok(tables) if tables.is_empty() => Err(unknown()),
        Ok(_) => Ok(()),
        Err(problem) => Err(unknown().because(problem.summary)),
    }
}
