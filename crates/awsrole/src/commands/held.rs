//! Obtains the role for a command such as `exec`, `env` or `console`.

use std::time::Duration;

use awsrole_core::aws::credentials::Credentials;
use awsrole_core::aws::mfa::{ConfirmPrompt, NotConfirmed};
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::session::cache::Cache;
use awsrole_core::session::fetch::obtain;
use awsrole_core::session::history::{HistoryEntry, Recipient};
use awsrole_core::session::lookup::ObtainOptions;
use awsrole_core::settings::accounts::Accounts;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::choice::{Choices, DEFAULT, Terms};
use awsrole_core::shell::confirm::{self, Confirmation};
use awsrole_core::shell::environment::{EnvDiff, RoleSession};
use awsrole_core::shell::state::OuterEnv;

use super::target::Target;
use crate::cli::TargetOptions;
use crate::report::CommandError;
use awsrole_system::local_time;
use awsrole_system::print::{print_error, print_notice};

/// A role with its credentials and context.
pub(super) struct ActiveRole {
    /// The selected role, with the plan that produced the credentials.
    pub(super) target: Target,
    /// Its credentials.
    pub(super) credentials: Credentials,
    /// Their cache key.
    key: String,
    /// The file that AWSROLE_STATE names.
    file: String,
    /// The token that identifies this choice to child processes.
    word: Option<String>,
    /// The token for the profile that this shell chose, so that a shell that the command starts uses it, too.
    profile: Option<String>,
    /// The user's account settings.
    pub(super) accounts: Accounts,
    /// The copies of the two AWS files, in a project with `profiles = true`.
    aws_files: Option<[String; 2]>,
}

/// The role that a command asks for.
pub(super) struct Wanted {
    /// The options that select it.
    pub(super) target: TargetOptions,
    /// The minimum remaining lifetime of the credentials.
    pub(super) min_ttl: Option<Duration>,
    /// Whether the user confirmed the role by an option.
    pub(super) yes: bool,
}

/// A role that has been planned but not obtained.
pub(super) struct PlannedRole {
    /// The selected role, with its plan.
    pub(super) target: Target,
    min_ttl: Duration,
    /// What this shell confirmed.
    confirmed: Option<Confirmation>,
    /// The question that must be answered first.
    question: Option<ConfirmPrompt>,
}

impl PlannedRole {
    /// Plans the role that the options select.
    pub(super) fn of(wanted: Wanted, context: &Context, settings: &Settings) -> Result<Self, CommandError> {
        let Wanted { target, min_ttl, yes } = wanted;
        let target = Target::of(target, context, settings)?;
        target.require_name()?;
        let accounts = &settings.get()?.accounts;
        let asks = confirm::question(&target.guard, &target.plan, None, accounts);
        let this = asks.as_ref().map(|_| Confirmation::of(&target.plan));
        let confirmed = if yes { this } else { target.confirmed.filter(|_| asks.is_some()) };
        let question = asks.filter(|_| confirmed != this);
        Ok(Self { target, min_ttl: min_ttl.unwrap_or_default(), confirmed, question })
    }

    /// Asks in any case whether the role may be used for one command.
    pub(super) fn for_sudo(self, settings: &Settings) -> Result<Self, CommandError> {
        let accounts = &settings.get()?.accounts;
        let question = Some(confirm::sudo_question(&self.target.guard, &self.target.plan, accounts));
        Ok(Self { question, ..self })
    }

    /// Obtains the credentials. Prompts if necessary. The history records `what`.
    pub(super) fn get(
        self,
        what: Recipient,
        context: &Context,
        settings: &Settings,
    ) -> Result<ActiveRole, CommandError> {
        let Self { target, min_ttl: at_least, confirmed, question } = self;
        let file = target.file()?;
        let aws_files = target.aws_files()?;
        let Target { outer, plan, .. } = &target;
        let confirmed = question.as_ref().map_or(confirmed, |_| Some(Confirmation::of(plan)));
        let options = ObtainOptions { min_ttl: at_least, ..ObtainOptions::interactive(context.now) };
        let cache = Cache::open(context, settings.or_default().key);
        let obtained = super::providers::with_providers(outer, settings, true, |providers| {
            let answer = question.map_or(Ok(()), |question| providers.authenticator.confirm(&question));
            answer.map_err(|why| {
                CommandError::no_role(confirm::not_confirmed(plan, why, &how_to_confirm(what, why, &plan.title())))
            })?;
            obtain(plan, &cache, providers, options).map_err(|failed| target.failed(failed))
        })?;
        if let Some(problem) = &obtained.problem {
            print_error(&target.with_options(problem.clone()));
            if let Some(expires) = obtained.credentials.expiration {
                print_notice(format!("{}: {}", plan.title(), local_time::still_valid(expires, context.now)));
            }
        }
        let left = obtained.credentials.remaining(context.now);
        // STS counts whole seconds and the call took some time, so a small difference is accepted.
        if left.saturating_add(Duration::from_secs(60)) < at_least {
            return Err(CommandError::aws(
                Problem::new(format!(
                    "the session of {} lasts only {}, but --min-ttl requires {}",
                    plan.title(),
                    format_duration(left),
                    format_duration(at_least)
                ))
                .hint(match target.profile() {
                    None => "raise duration_seconds in .awsrole.toml, up to the role's maximum session duration",
                    Some(_) => "raise duration_seconds in the profile, up to the role's maximum session duration",
                }),
            ));
        }
        for notice in obtained.notices(plan).iter().filter(|_| obtained.fresh) {
            print_notice(notice);
        }
        let directory = target.dir().to_string_lossy().into_owned();
        let profile = target.profile().map(str::to_owned);
        let entry = HistoryEntry { directory, profile, ..HistoryEntry::of(what, outer, plan, &obtained) };
        awsrole_core::session::history::note(Some(&entry), outer);
        let accounts = settings.get()?.accounts.clone();
        // If no token can be generated, child processes must be given the role's name.
        let choices = Choices::of(&outer.paths);
        let default = || confirmed.filter(|_| target.profile().is_none()).map(|_| DEFAULT);
        let name = target.role.as_deref().or_else(default);
        let terms = Terms { confirmed, until: target.until };
        let word = name.and_then(|name| choices.word(&file, name, terms).ok());
        let chosen = OuterEnv::reconstruct(&context.env).chosen_profile(&choices);
        let profile = chosen.ok().flatten().map(|chosen| chosen.word);
        let file = file.to_string_lossy().into_owned();
        let (credentials, key) = (obtained.credentials, obtained.key);
        Ok(ActiveRole { target, credentials, key, file, word, profile, accounts, aws_files })
    }
}

impl ActiveRole {
    /// Plans and obtains the role that the options select.
    pub(super) fn get(
        what: Recipient,
        wanted: Wanted,
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
            plan: &self.target.plan,
            credentials: self.credentials.temporary(&self.target.plan.source)?,
            key: &self.key,
            outer: &self.target.outer.env,
            file: &self.file,
            chosen: self.word.as_deref(),
            profile: self.profile.as_deref(),
            accounts: &self.accounts,
            aws_files: self.aws_files.as_ref(),
            until: None,
        })
    }
}

/// Returns the hint how to confirm a role, or what an answer of no means. Only `--yes` confirms it without a terminal,
/// and `sudo` doesn't have it.
fn how_to_confirm(what: Recipient, why: NotConfirmed, role: &str) -> String {
    match (what, why) {
        (Recipient::Sudo | Recipient::Exec, NotConfirmed::No) => {
            "nothing was run: the same command asks again".to_owned()
        }
        (_, NotConfirmed::No) => "nothing was changed: the same command asks again".to_owned(),
        (Recipient::Sudo, _) => format!("without a terminal, use `awsrole exec --role {role} --yes -- CMD`"),
        _ => "add `--yes` to the command to confirm it".to_owned(),
    }
}

/// Formats a duration for messages.
pub(super) fn format_duration(time: Duration) -> String {
    humantime::format_duration(Duration::from_secs(time.as_secs())).to_string()
}
