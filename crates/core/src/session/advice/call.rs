//! Describes a call that failed, for messages.

use std::time::SystemTime;

use crate::aws::arn::account_of;
use crate::aws::credentials::Credentials;
use crate::aws::source::Source;
use crate::plan::role_plan::{AssumeRole, RolePlan, Step};
use crate::settings::accounts::Accounts;

/// A call that failed.
pub(crate) struct FailedCall<'a> {
    /// The plan.
    pub(crate) plan: &'a RolePlan,
    /// The index of the step that failed.
    pub(crate) index: usize,
    /// The credentials that signed the call.
    pub(crate) caller: &'a Credentials,
    /// The time of the call.
    pub(crate) now: SystemTime,
    /// The command that sets this machine's clock.
    pub(crate) clock_command: &'static str,
    /// The user's names for accounts.
    pub(crate) accounts: &'a Accounts,
    /// Whether the same step succeeded before.
    pub(crate) worked_before: bool,
    /// Whether the failed call is GetCallerIdentity, made before the step.
    pub(crate) identity: bool,
}

/// The MFA state of a call, as a condition in a policy sees it.
pub(super) enum Mfa {
    /// The code was sent with the call.
    Code,
    /// The caller's session was created with a code. Contains its age in minutes.
    Session(u64),
    /// The keys of a user, without a code.
    Keys,
    /// A role session, which never has MFA.
    Role,
}

impl FailedCall<'_> {
    /// Returns the step that failed or would have been next. A plan may have none.
    pub(super) fn step(&self) -> Option<&Step> {
        self.plan.steps.get(self.index)
    }

    pub(super) fn before(&self) -> Option<&Step> {
        self.index.checked_sub(1).map(|before| &self.plan.steps[before])
    }

    pub(super) fn what(&self) -> String {
        if self.identity {
            return format!("GetCallerIdentity for {}", self.plan.source);
        }
        match self.step() {
            Some(Step::AssumeRole(role)) => {
                let account = self.accounts.name(role.role_arn.account());
                let account = account.map(|name| format!(" in {name}")).unwrap_or_default();
                // Only the last role is that of the profile.
                let profile = self.plan.profile.as_ref().filter(|_| self.index + 1 == self.plan.steps.len());
                let profile = profile.map(|name| format!(" (profile {name})")).unwrap_or_default();
                format!("{}{account}{profile}", role.role_arn)
            }
            Some(Step::GetScopedCredentials(step)) => {
                format!("a session of {} limited by {}", self.plan.title(), step.limited_by.setting)
            }
            Some(Step::GetSessionToken(_)) | None => format!("a session of {}", self.plan.source),
        }
    }

    /// Describes the caller. `arn` is its ARN in AWS's message, if there is one.
    pub(super) fn who(&self, arn: Option<&str>) -> String {
        let (source, key) = (&self.plan.source, &self.caller.access_key_id);
        let arn = arn.or(self.caller.arn.as_deref()).map(|arn| match account_of(arn) {
            Some(id) => self.accounts.name(&id).map_or(arn.to_owned(), |name| format!("{arn} in {name}")),
            None => arn.to_owned(),
        });
        match (self.before(), arn) {
            (None, None) => format!("{source} (key {key})"),
            (Some(_), None) => format!("a session of {source} (key {key})"),
            // A role of the chain.
            (Some(Step::AssumeRole(_)), Some(arn)) => arn,
            (_, Some(arn)) => format!("{arn} ({source})"),
        }
    }

    /// Returns whether a user's keys signed the call without a code.
    pub(super) fn has_no_mfa(&self) -> bool {
        matches!(self.mfa(), Mfa::Keys)
    }

    /// Returns the action that a policy must allow.
    pub(super) fn action(&self) -> &'static str {
        match self.step() {
            Some(Step::AssumeRole(_)) => "sts:AssumeRole",
            Some(Step::GetScopedCredentials(_)) => "sts:GetScopedCredentials",
            Some(Step::GetSessionToken(_)) | None => "sts:GetSessionToken",
        }
    }

    /// Returns the profile with the keys.
    pub(super) fn profile(&self) -> Option<&str> {
        match &self.plan.source {
            Source::StaticKeys(keys) => keys.holder.strip_prefix("profile "),
            _ => None,
        }
    }

    pub(super) fn mfa(&self) -> Mfa {
        // Temporary credentials of a process are used without a code.
        if self.step().and_then(Step::mfa_serial).is_some() && self.caller.session_token.is_none() {
            return Mfa::Code;
        }
        match self.before() {
            Some(step @ Step::GetSessionToken(_)) if step.mfa_serial().is_some() => {
                Mfa::Session(self.now.duration_since(self.caller.issued).unwrap_or_default().as_secs() / 60)
            }
            None if self.caller.session_token.is_some() => Mfa::Role,
            Some(Step::AssumeRole(_)) => Mfa::Role,
            _ => Mfa::Keys,
        }
    }

    /// Describes the parameters that were sent. Conditions in a trust policy depend only on them.
    pub(super) fn sent(&self, role: &AssumeRole) -> String {
        let mut parts = vec![format!("session name {}", role.session_name.as_str())];
        parts.push(
            role.external_id.as_ref().map_or("no external ID".to_owned(), |id| format!("external ID {}", id.as_str())),
        );
        parts.push(match self.mfa() {
            Mfa::Code => "an MFA code".to_owned(),
            Mfa::Session(1) => "an MFA session 1 minute old".to_owned(),
            Mfa::Session(minutes) => format!("an MFA session {minutes} minutes old"),
            Mfa::Keys | Mfa::Role => "no MFA".to_owned(),
        });
        if let Some(identity) = &role.source_identity {
            parts.push(format!("source identity {}", identity.as_str()));
        }
        if !role.tags.tags.is_empty() {
            let keys: Vec<&str> = role.tags.tags.keys().map(String::as_str).collect();
            parts.push(match keys.len() {
                1..=3 => format!("session tags {}", keys.join(" ")),
                count => format!("{count} session tags"),
            });
        }
        parts.push(duration(role));
        parts.join(", ")
    }

    /// Returns the command or the console page that lists the user's MFA devices.
    pub(super) fn device_list(&self) -> String {
        match &self.plan.source {
            Source::StaticKeys(keys) if keys.holder.starts_with("profile ") => {
                format!("`aws iam list-mfa-devices --{}`", keys.holder)
            }
            _ => "the IAM console (Users, Security credentials)".to_owned(),
        }
    }

    /// Returns how the caller gets valid credentials again.
    pub(super) fn renewal(&self) -> String {
        if self.before().is_some() {
            return "`awsrole refresh` gets new sessions".to_owned();
        }
        match &self.plan.source {
            Source::StaticKeys(keys) => match keys.holder.strip_prefix("profile ") {
                Some(profile) if keys.session_token.is_none() => {
                    format!(
                        "`aws configure --profile {profile}` sets other keys (create them in the IAM console: Users, Security credentials)"
                    )
                }
                Some(profile) => {
                    format!("run the program again that wrote the temporary keys of profile {profile}")
                }
                None => "leave the directory, export new keys, and enter it again".to_owned(),
            },
            Source::StoredKeys(place) => format!(
                "`awsrole keys add {} --replace` stores other keys (create them in the IAM console: Users, Security credentials)",
                place.profile
            ),
            Source::Process(process) => format!("they come from the credential_process of profile {}", process.profile),
            Source::IdentityCenter(_) | Source::ConsoleLogin(_) => "`awsrole login` signs in again".to_owned(),
            Source::WebIdentity(token) => format!("{} must contain a new token", token.token_file.display()),
            Source::Instance { .. } | Source::Container { .. } => {
                "the platform issues new ones: run `awsrole refresh`".to_owned()
            }
        }
    }
}

pub(super) fn duration(role: &AssumeRole) -> String {
    role.duration.map_or("duration 1h".to_owned(), |duration| format!("duration {}", duration.human()))
}
