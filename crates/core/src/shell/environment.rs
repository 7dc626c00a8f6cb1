//! Converts credentials to variables to set and to unset, and records their prior values.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::aws::arn::AccountId;
use crate::aws::credentials::Temporary;
use crate::aws::time::rfc3339;
use crate::base::agent;
use crate::base::context::Env;
use crate::base::secret::Secret;
use crate::plan::role_plan::RolePlan;
use crate::settings::accounts::Accounts;
use crate::shell::state::{EXEC_RENEW_SET, EXEC_RENEW_UNSET, HIDDEN, NAME, State};

/// The variables that a role changes, in the order in which they are written.
pub struct EnvDiff {
    /// Variables to export.
    pub set: Vec<(Cow<'static, str>, Value)>,
    /// Variables to unset.
    pub hide: Vec<&'static str>,
}

/// A variable's value.
pub enum Value {
    /// Not a secret.
    Plain(String),
    /// A secret. Only [`crate::shell::statements`] and the formats write it.
    Secret(Secret),
}

/// Everything that the variables of a role are built from.
pub struct RoleSession<'a> {
    /// The role's plan.
    pub plan: &'a RolePlan,
    /// The session's credentials.
    pub credentials: Temporary<'a>,
    /// The name under which the session is cached.
    pub key: &'a str,
    /// The outer environment.
    pub outer: &'a Env,
    /// The path of the project file, or of the AWS file with the profile.
    pub file: &'a str,
    /// The word of [`crate::shell::choice::Choices`], if the user chose the role by its name. `None` if `cd` assumed
    /// it.
    pub chosen: Option<&'a str>,
    /// The word for the profile that the user chose, also if the role is that of a project.
    pub profile: Option<&'a str>,
    /// The user's names and colors of accounts.
    pub accounts: &'a Accounts,
    /// The copies of the two AWS files, in a project with `profiles = true`.
    pub aws_files: Option<&'a [String; 2]>,
}

impl EnvDiff {
    /// Returns the variables of a role.
    #[must_use]
    pub fn of_role(got: &RoleSession<'_>) -> Self {
        Self::of(got, None)
    }

    /// Returns the variables for a command that renews the role itself (`exec --renew`). They contain no keys. Instead,
    /// they name `copies` of the two AWS files ([`crate::aws::profiles::Profiles::copies`]) and hide all other sources
    /// of credentials.
    #[must_use]
    pub fn of_run(got: &RoleSession<'_>, copies: [String; 2]) -> Self {
        let [config, shared] = copies;
        Self::of(
            got,
            Some(EXEC_RENEW_SET.into_iter().map(Cow::from).zip([config, shared, "true".to_owned()]).collect()),
        )
    }

    fn of(got: &RoleSession<'_>, run: Option<Vec<(Cow<'static, str>, String)>>) -> Self {
        let RoleSession { plan, credentials, key, outer, file, chosen, profile, accounts, aws_files } = *got;
        let plain = |text: &str| Value::Plain(text.to_owned());
        let mut set: Vec<(Cow<'static, str>, Value)> = Vec::new();
        let mut hide = HIDDEN.to_vec();
        let mut keep = |name, value| match value {
            Some(value) if run.is_none() => set.push((Cow::from(name), value)),
            _ => hide.push(name),
        };
        keep("AWS_ACCESS_KEY_ID", Some(plain(&credentials.access_key_id)));
        keep("AWS_SECRET_ACCESS_KEY", Some(Value::Secret(credentials.secret_access_key.clone())));
        keep("AWS_SESSION_TOKEN", credentials.session_token.clone().map(Value::Secret));
        keep("AWS_CREDENTIAL_EXPIRATION", credentials.expiration.map(|end| Value::Plain(rfc3339(end))));
        let mut settings = plan.settings.clone();
        if let Some(region) = &plan.region {
            // boto3 reads only AWS_DEFAULT_REGION, and the Go SDK prefers AWS_REGION, so both are set.
            settings.push(("AWS_REGION".into(), region.as_str().to_owned()));
            settings.push(("AWS_DEFAULT_REGION".into(), region.as_str().to_owned()));
        }
        if run.is_none() {
            settings.extend(EXEC_RENEW_SET.into_iter().map(Cow::from).zip(aws_files.into_iter().flatten().cloned()));
        }
        let account = credentials.account().or_else(|| plan.account());
        let info = info_variables(plan, account.as_ref(), credentials.expiration.filter(|_| run.is_none()), accounts);
        let account = account.map(|account| account.to_string()).unwrap_or_default();
        if outer.text("AWS_ACCOUNT_ID").is_some_and(|id| id != account) {
            hide.push("AWS_ACCOUNT_ID");
        }
        let title = plan.title();
        let state = State::of_role(&title, chosen, &account, file, &credentials, &settings, outer);
        let mut state = state.cached_as(key.to_owned()).with_profile(profile);
        if let Some(run) = run {
            state = state.of_run(&run, outer);
            hide.extend(EXEC_RENEW_UNSET);
            settings.extend(run);
        }
        set.extend(settings.into_iter().map(|(name, value)| (name, Value::Plain(value))));
        set.push(("AWSROLE_ROLE".into(), Value::Plain(title)));
        set.extend(plan.agent.as_ref().map(|agent| (agent::VARIABLE.into(), Value::Plain(agent.value()))));
        for (name, text) in info {
            match text {
                Some(text) => set.push((name.into(), Value::Plain(text))),
                None => hide.push(name),
            }
        }
        set.push((NAME.into(), Value::Plain(state.to_text())));
        Self { set, hide }
    }
}

/// Returns the variables that prompts show in addition to the role's name, so that they need not start a process.
fn info_variables(
    plan: &RolePlan,
    account: Option<&AccountId>,
    expiration: Option<SystemTime>,
    accounts: &Accounts,
) -> [(&'static str, Option<String>); 5] {
    let id = account.map(ToString::to_string);
    let name = account.and_then(|id| accounts.name(id)).map(str::to_owned);
    let seconds = expiration.and_then(|end| end.duration_since(UNIX_EPOCH).ok()).map(|time| time.as_secs());
    [
        ("AWSROLE_PROFILE", plan.profile.clone()),
        ("AWSROLE_ACCOUNT_ID", id.clone()),
        ("AWSROLE_ACCOUNT", name.or(id)),
        ("AWSROLE_COLOR", account.and_then(|id| accounts.color(id)).map(|color| color.to_string())),
        ("AWSROLE_EXPIRES", seconds.map(|seconds| seconds.to_string())),
    ]
}
