//! Obtains the role for a command such as `exec`, `env` or `console`.

use std::path::Path;
use std::time::Duration;

use awsrole_core::aws::credentials::Credentials;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::plan::role_plan::RolePlan;
use awsrole_core::session::cache::Cache;
use awsrole_core::session::fetch::obtain;
use awsrole_core::session::history::{HistoryEntry, Recipient};
use awsrole_core::session::lookup::ObtainOptions;
use awsrole_core::settings::accounts::Accounts;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::choice::Choices;
use awsrole_core::shell::environment::{EnvDiff, RoleSession};
use awsrole_core::shell::export::{plan_role, require_name};

use crate::report::CommandError;
use awsrole_system::print::{print_error, print_notice};

/// A role with its credentials and context.
pub(super) struct ActiveRole {
    /// The context without awsrole's exports.
    pub(super) outer: Context,
    /// The plan that produced it.
    pub(super) plan: RolePlan,
    /// Its credentials.
    pub(super) credentials: Credentials,
    /// Their cache key.
    key: String,
    /// The project's file.
    pub(super) file: String,
    /// The `[role.NAME]` that was given or chosen.
    pub(super) role: Option<String>,
    /// The token that identifies this choice to child processes.
    word: Option<String>,
    /// The user's account settings.
    pub(super) accounts: Accounts,
}

/// A role that has been planned but not obtained.
pub(super) struct PlannedRole {
    /// The context without awsrole's exports.
    pub(super) outer: Context,
    /// The plan.
    pub(super) plan: RolePlan,
    file: String,
    role: Option<String>,
}

impl PlannedRole {
    /// Plans the directory's role.
    pub(super) fn of(role: Option<&str>, context: &Context, settings: &Settings) -> Result<Self, CommandError> {
        let (outer, allowed, files) = super::common::allowed(None, context, settings)?;
        let role = super::common::role_or_chosen(role, context, &files)?;
        let plan = plan_role(&outer, &allowed, role.as_deref())?;
        require_name(&allowed, role.as_deref()).map_err(CommandError::no_role)?;
        let file = files.first().map(|file| file.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { outer, plan, file, role })
    }

    /// Obtains the credentials. Prompts if necessary. They remain valid for at least `min_ttl`. The history records
    /// `what`.
    pub(super) fn get(
        self,
        what: Recipient,
        min_ttl: Option<Duration>,
        context: &Context,
        settings: &Settings,
    ) -> Result<ActiveRole, CommandError> {
        let Self { outer, plan, file, role } = self;
        let at_least = min_ttl.unwrap_or_default();
        let options = ObtainOptions { min_ttl: at_least, ..ObtainOptions::interactive(context.now) };
        let cache = Cache::open(context, settings.or_default().key);
        let obtained = super::common::with_providers(&outer, settings, true, |providers| {
            obtain(&plan, &cache, providers, options)
        });
        let obtained = obtained?;
        if let Some(problem) = &obtained.problem {
            print_error(problem);
        }
        let left = obtained.credentials.remaining(context.now);
        // STS counts whole seconds and the call took some time, so a small difference is accepted.
        if left.saturating_add(Duration::from_secs(60)) < at_least {
            return Err(CommandError::aws(
                Problem::new(format!(
                    "{} lasts only {}, but --min-ttl asks for {}",
                    plan.title(),
                    format_duration(left),
                    format_duration(at_least)
                ))
                .hint("raise duration_seconds in .awsrole.toml, up to the role's maximum session duration"),
            ));
        }
        for notice in obtained.notices(&plan).iter().filter(|_| obtained.fresh) {
            print_notice(notice);
        }
        awsrole_core::session::history::note(Some(&HistoryEntry::of(what, &outer, &plan, &obtained)), &outer);
        let accounts = settings.get()?.accounts.clone();
        // If no token can be generated, child processes must be given the role's name.
        let choices = Choices::of(&outer.paths);
        let word = role.as_deref().and_then(|role| choices.word(Path::new(&file), role).ok());
        Ok(ActiveRole { outer, plan, credentials: obtained.credentials, key: obtained.key, file, role, word, accounts })
    }
}

impl ActiveRole {
    /// Plans and obtains the directory's role.
    pub(super) fn get(
        what: Recipient,
        role: Option<&str>,
        min_ttl: Option<Duration>,
        context: &Context,
        settings: &Settings,
    ) -> Result<Self, CommandError> {
        PlannedRole::of(role, context, settings)?.get(what, min_ttl, context, settings)
    }

    /// Returns the environment variables of the role.
    ///
    /// # Errors
    /// Fails for long-term keys, which are never exported.
    pub(super) fn diff(&self) -> Result<EnvDiff, Problem> {
        Ok(EnvDiff::of_role(&self.role_session()?))
    }

    /// Returns everything needed to build the role's environment.
    ///
    /// # Errors
    /// Fails for long-term keys, which are never exported.
    pub(super) fn role_session(&self) -> Result<RoleSession<'_>, Problem> {
        Ok(RoleSession {
            plan: &self.plan,
            credentials: self.credentials.temporary(&self.plan.source)?,
            key: &self.key,
            outer: &self.outer.env,
            file: &self.file,
            chosen: self.word.as_deref(),
            accounts: &self.accounts,
        })
    }
}

/// Formats a duration for messages.
pub(super) fn format_duration(time: Duration) -> String {
    humantime::format_duration(Duration::from_secs(time.as_secs())).to_string()
}
