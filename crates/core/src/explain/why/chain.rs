//! Describes a role's plan: source, calls, and conditions.

use super::next::IF_LONG_TERM;
use super::report::{ResolutionReport, StepReport};
use crate::aws::parameters::SessionDuration;
use crate::aws::profiles::Profiles;
use crate::aws::session_policy::LimitedBy;
use crate::aws::source::Source;
use crate::aws::time::rfc3339;
use crate::base::context::Context;
use crate::base::location::Origin;
use crate::explain::doctor::foreign_files;
use crate::plan::account_pin::source_account;
use crate::plan::guard::Guard;
use crate::plan::role_plan::{RolePlan, Step};
use crate::project::config::{Confirm, RoleConfig};
use crate::session::cache::Cache;
use crate::settings::accounts::Accounts;
use crate::settings::user_config::Settings;

impl ResolutionReport {
    /// Describes a plan. `keys` are those of the project file, if one names the role.
    pub(super) fn of(
        plan: &RolePlan,
        guard: &Guard,
        keys: &RoleConfig,
        cache: &Cache,
        outer: &Context,
        settings: &Settings,
    ) -> Self {
        // If the settings can't be read, that problem has been found already.
        let accounts = &settings.or_default().accounts;
        let foreign = Profiles::load(outer).map(|profiles| foreign_files(&profiles, outer)).unwrap_or_default();
        let path = outer.paths.organization.display();
        let organization = settings.organization().map(|shown| format!("the organization's {path} applies: {shown}"));
        let notices = plan.notices.iter().chain(&plan.suspicious_lines).cloned();
        Self {
            name: plan.name.clone(),
            role_arn: plan.role_arn().map(ToString::to_string),
            permission_set: match &plan.source {
                Source::IdentityCenter(role) => Some(role.role_name.clone()),
                _ => None,
            },
            account: plan.account().map(|account| account.to_string()),
            account_name: plan.account().and_then(|account| accounts.name(&account).map(str::to_owned)),
            profile: plan.profile.clone(),
            pin: plan.pin.as_ref().map(ToString::to_string),
            pin_name: plan.pin.as_ref().and_then(|id| accounts.name(id)).map(str::to_owned),
            region: plan.region.as_ref().map(|region| region.as_str().to_owned()),
            protected: guard.protected.is_some(),
            guards: guards(guard, keys),
            endpoint: plan.endpoint.shown(),
            source: source(plan, accounts),
            limited_by: match &plan.source {
                Source::WebIdentity(token) => limits(&token.policy.limited_by, outer),
                _ => Vec::new(),
            },
            links: (0..plan.steps.len()).map(|index| StepReport::of(plan, index, cache, accounts, outer)).collect(),
            notices: notices.chain(foreign).chain(organization).collect(),
        }
    }
}

impl StepReport {
    /// Describes a step of a plan by its index.
    fn of(plan: &RolePlan, index: usize, cache: &Cache, accounts: &Accounts, context: &Context) -> Self {
        let now = context.now;
        let step = &plan.steps[index];
        let cached = cache.load(&cache.keys(plan).session(index + 1), now).map(|entry| entry.credentials);
        let mut link = Self {
            call: "GetSessionToken",
            what: format!("a session of {}", plan.source),
            account: None,
            account_name: None,
            session_name: None,
            external_id: None,
            source_identity: None,
            mfa_serial: step.mfa_serial().map(|serial| serial.as_str().to_owned()),
            duration: "12h (the default)".to_owned(),
            limited_by: Vec::new(),
            size_percent: cached.as_ref().and_then(|c| c.size_percent),
            cached_until: cached.as_ref().and_then(|c| c.expiration).map(rfc3339),
            cached_for_seconds: cached.and_then(|c| now.duration_since(c.issued).ok()).map(|age| age.as_secs()),
        };
        match step {
            Step::GetSessionToken(session) => {
                if matches!(plan.source, Source::Process(_)) {
                    link.what.push_str(IF_LONG_TERM);
                }
                if let Some(duration) = session.duration {
                    link.duration = duration.human();
                }
            }
            Step::AssumeRole(role) => {
                link.call = "AssumeRole";
                link.what = role.role_arn.to_string();
                link.account = Some(role.role_arn.account().to_string());
                link.account_name = accounts.name(role.role_arn.account()).map(str::to_owned);
                link.session_name = Some(role.session_name.as_str().to_owned());
                link.external_id = role.external_id.as_ref().map(|id| id.as_str().to_owned());
                link.source_identity = role.source_identity.as_ref().map(|id| id.as_str().to_owned());
                link.duration = role.duration.map_or("1h (the default)".to_owned(), |duration| duration.human());
                link.limited_by = limits(&role.policy.limited_by, context);
            }
            Step::GetScopedCredentials(scoped) => {
                link.call = "GetScopedCredentials";
                link.what = "the same session, limited".to_owned();
                link.duration = scoped.duration.map_or("as long as that session".to_owned(), SessionDuration::human);
                link.limited_by = limits(std::slice::from_ref(&scoped.limited_by), context);
            }
        }
        link
    }
}

/// Describes the conditions of a role.
fn guards(guard: &Guard, keys: &RoleConfig) -> Vec<String> {
    let protected = guard.protected.is_some().then(|| "protected account".to_owned());
    let manual = guard.manual.then(|| "chosen by name".to_owned());
    let confirm = match guard.confirm {
        Confirm::Never => None,
        Confirm::Yes => Some("asks for confirmation".to_owned()),
        Confirm::Account => Some("asks for the account".to_owned()),
    };
    let ends = keys.expires_after.map(|time| format!("ends {time} after `awsrole use`"));
    let mut sources: Vec<&String> = guard.settings.iter().filter_map(|setting| setting.source_role.as_ref()).collect();
    sources.dedup();
    let sources = sources.into_iter().map(|source| format!("because of its source role {source}"));
    [protected, manual, confirm, ends].into_iter().flatten().chain(sources).collect()
}

/// Describes the source, with the name of its account if the project file names a permission set.
fn source(plan: &RolePlan, accounts: &Accounts) -> String {
    match (&plan.source, source_account(&plan.source)) {
        (Source::IdentityCenter(role), Some(account)) if role.profile.is_none() => {
            format!("permission set {} in {}", role.role_name, accounts.shown(&account))
        }
        (source, _) => source.to_string(),
    }
}

/// Returns the settings that limit a session, with their locations.
fn limits(limited_by: &[LimitedBy], context: &Context) -> Vec<String> {
    limited_by.iter().map(|limit| shown_at(&limit.setting, &limit.origin, context)).collect()
}

/// Formats a setting with its location.
pub(super) fn shown_at(setting: &str, origin: &Origin, context: &Context) -> String {
    let at = Origin { file: context.shorten(&origin.file).into(), ..origin.clone() };
    format!("{setting} ({at})")
}
