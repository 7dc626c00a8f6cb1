//! `awsrole credential-process`: provides the directory's role to SDKs and editors through `credential_process`. It
//! never prompts.

use std::path::PathBuf;

use awsrole_core::aws::mfa::NotConfirmed;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::session::cache::Cache;
use awsrole_core::session::encryption::CacheEncryption;
use awsrole_core::session::fetch::obtain;
use awsrole_core::session::history::{HistoryEntry, Recipient};
use awsrole_core::session::lookup::ObtainOptions;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::confirm;
use awsrole_core::shell::export::{plan_role, require_name};
use awsrole_core::shell::long_run::SavedEnvironment;
use awsrole_core::shell::statements::credential_process;

use crate::report::{CommandError, Outcome};
use awsrole_system::ambient;
use awsrole_system::print::out;

pub(super) fn run(
    dir: Option<PathBuf>,
    role: Option<&str>,
    yes: bool,
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    let directory = super::common::directory(dir.clone(), context)?;
    let (outer, allowed, _) = super::common::allowed(dir, context, settings)?;
    let plan = plan_role(&outer, &allowed, role)?;
    require_name(&allowed, role).map_err(CommandError::no_role)?;
    let accounts = &settings.or_default().accounts;
    if !yes && confirm::question(&allowed, role, &plan, None, accounts).is_some() {
        let problem = confirm::not_confirmed(&plan, NotConfirmed::NotNow, "add `--yes` to this command to confirm it");
        return Err(CommandError::no_role(problem));
    }
    let options = ObtainOptions::background(context.now);
    let cache = Cache::open(context, settings.or_default().key);
    let obtained =
        super::common::with_providers(&outer, settings, false, |providers| obtain(&plan, &cache, providers, options));
    let obtained = obtained?;
    // Every process with an SDK runs this command, so only new sessions are recorded.
    if obtained.fresh {
        let entry = HistoryEntry::of(Recipient::CredentialProcess, &outer, &plan, &obtained);
        awsrole_core::session::history::note(
            Some(&HistoryEntry { directory: directory.to_string_lossy().into_owned(), ..entry }),
            &outer,
        );
    }
    out(&credential_process(obtained.credentials.temporary(&plan.source)?))?;
    out("\n")?;
    Ok(Outcome::Done)
}

/// Provides the role inside a command of `exec --renew`. This process restarts itself in the directory and the
/// environment in which the command was started.
pub(super) fn of_run(run: &str, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    let Some(outside) =
        SavedEnvironment::read(&context.paths, &CacheEncryption::of_cache(context, settings.or_default().key), run)
    else {
        return Err(CommandError::no_role(
            Problem::new("the command that these AWS files were created for has ended")
                .hint("unset AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, which refer to them"),
        ));
    };
    let mut words = vec!["credential-process".into(), "--dir".into(), outside.dir.clone().into_os_string()];
    // The role was confirmed when the command was started.
    words.push("--yes".into());
    words.extend(outside.role.iter().map(|name| format!("--role={name}").into()));
    let error = ambient::reexec(&words, &outside.over(&context.env));
    Err(Problem::new("cannot restart awsrole").because(error).hint("was it moved or removed?").into())
}
