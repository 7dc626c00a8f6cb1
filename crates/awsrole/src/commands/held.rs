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
use awsrole_core::shell::choice::{Choices, DEFAULT};
use awsrole_core::shell::confirm::{self, Confirmation};
use awsrole_core::shell::environment::{EnvDiff, RoleSession};
use awsrole_core::shell::export::{plan_role, require_name};
use awsrole_core::shell::state::Chosen;

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
    /// The project file.
    pub(super) file: String,
    /// The `[role.NAME]` that was given or chosen.
    pub(super) role: Option<String>,
    /// The token that identifies this choice to child processes.
    word: Option<String>,
    /// The user's account settings.
    pub(super) accounts: Accounts,
}

/// The role that a command asks for.
pub(super) struct Wanted {
    /// The `[role.NAME]`, if it isn't the one of this shell.
    pub(super) role: Option<String>,
    /// The minimum remaining lifetime of the credentials.
    pub(super) min_ttl: Option<Duration>,
    /// Whether the user confirmed the role by an option.
    pub(super) yes: bool,
}

/// A role that has been planned but not obtained.
pub(super) struct PlannedRole {
    /// The context without awsrole's exports.
    pub(super) outer: Context,
    /// The plan.
    pub(super) plan: RolePlan,
    file: String,
    role: Option<String>,
    min_ttl: Duration,
    /// What this shell confirmed.
    confirmed: Option<Confirmation>,
    /// The question that must be answered first.
    question: Option<String>,
}

impl PlannedRole {
    /// Plans the directory's role.
    pub(super) fn of(wanted: &Wanted, context: &Context, settings: &Settings) -> Result<Self, CommandError> {
        let (outer, allowed, files) = super::common::allowed(None, context, settings)?;
        let chosen = match &wanted.role {
            Some(_) => Chosen::Nothing,
            None => super::common::chosen(context, &files)?,
        };
        let role = wanted.role.clone().or_else(|| chosen.role().map(str::to_owned));
        let plan = plan_role(&outer, &allowed, role.as_deref())?;
        require_name(&allowed, role.as_deref()).map_err(CommandError::no_role)?;
        let file = files.first().map(|file| file.to_string_lossy().into_owned()).unwrap_or_default();
        let asks = confirm::question(&allowed, role.as_deref(), &plan, None, &settings.or_default().accounts);
        let this = asks.as_ref().map(|_| Confirmation::of(&plan));
        let confirmed = if wanted.yes { this } else { chosen.confirmed().filter(|_| asks.is_some()) };
        let question = asks.filter(|_| confirmed != this);
        Ok(Self { outer, plan, file, role, min_ttl: wanted.min_ttl.unwrap_or_default(), confirmed, question })
    }

    /// Obtains the credentials. Prompts if necessary. The history records `what`.
    pub(super) fn get(
        self,
        what: Recipient,
        context: &Context,
        settings: &Settings,
    ) -> Result<ActiveRole, CommandError> {
        let Self { outer, plan, file, role, min_ttl: at_least, confirmed, question } = self;
        let confirmed = question.as_ref().map_or(confirmed, |_| Some(Confirmation::of(&plan)));
        let options = ObtainOptions { min_ttl: at_least, ..ObtainOptions::interactive(context.now) };
        let cache = Cache::open(context, settings.or_default().key);
        let obtained = super::common::with_providers(&outer, settings, true, |providers| {
            let answer = question.map_or(Ok(()), |question| providers.authenticator.confirm(&question));
            answer.map_err(|why| {
                CommandError::no_role(confirm::not_confirmed(&plan, why, "add `--yes` to the command to confirm it"))
            })?;
            obtain(&plan, &cache, providers, options).map_err(CommandError::from)
        })?;
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
        let name = role.as_deref().or_else(|| confirmed.map(|_| DEFAULT));
        let word = name.and_then(|name| choices.word(Path::new(&file), name, confirmed).ok());
        Ok(ActiveRole { outer, plan, credentials: obtained.credentials, key: obtained.key, file, role, word, accounts })
    }
}

impl ActiveRole {
    /// Plans and obtains the directory's role.
    pub(super) fn get(
        what: Recipient,
        wanted: &Wanted,
        context: &Context,
        settings: &Settings,
    ) -> Result<Self, CommandError> {
        PlannedRole::of(wanted, context, settings)?.get(what, context, settings)
    }

    /// Returns the environment variables of the role.
    ///
    /// # Errors
    /// Fails for long-lived keys, which are never exported.
    pub(super) fn diff(&self) -> Result<EnvDiff, Problem> {
        Ok(EnvDiff::of_role(&self.role_session()?))
    }

    /// Returns everything needed to build the role's environment.
    ///
    /// # Errors
    /// Fails for long-lived keys, which are never exported.
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
