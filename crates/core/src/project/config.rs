//! A `.awsrole.toml` as it is written: keys and values, with each value within its own limits.

use crate::aws::duration::Seconds;
use crate::base::location::Origin;
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::aws::arn::{AccountId, RoleArn};
use crate::aws::parameters::{ExternalId, MfaSerial, PermissionSet, Region, SessionName, SourceIdentity};
pub use crate::aws::policy_document::Policy;
use crate::aws::preset::Preset;
use crate::base::problem::Problem;
use crate::base::suggest::suggestion;
use crate::project::discover::ConfigFile;
use crate::settings::agent::{AgentKeys, AgentLimits, Located};
pub use guards::{ChoiceLifetime, Confirm};
use reader::{Reader, unknown};

/// The settings of one role. Keys have the same names as in `~/.aws/config`, if they exist there.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RoleConfig {
    /// AWS profile in `~/.aws/config` or `~/.aws/credentials` that supplies all keys not set here.
    pub profile: Option<String>,
    /// ARN of the role to assume, in any partition. If neither this file nor the profile has one, the shell gets a
    /// session of the source.
    pub role_arn: Option<RoleArn>,
    /// AWS profile whose credentials assume the role.
    pub source_profile: Option<String>,
    /// The `[role.NAME]` of the same file whose session assumes the role (role chaining, at most one hour).
    pub source_role: Option<String>,
    /// Where the credentials that assume the role come from, instead of a `source_profile`: `Environment`,
    /// `Ec2InstanceMetadata` or `EcsContainer`.
    #[cfg_attr(test, schemars(extend("enum" = ["Environment", "Ec2InstanceMetadata", "EcsContainer"])))]
    pub credential_source: Option<String>,
    /// Name of an `[sso-session NAME]` of your own `~/.aws/config`. Together with `sso_account_id` and `sso_role_name`,
    /// a permission set of IAM Identity Center is the source, without a profile.
    pub sso_session: Option<String>,
    /// Account ID of the permission set, 12 digits.
    pub sso_account_id: Option<AccountId>,
    /// Name of the permission set, 1–32 characters: letters, digits and `_+=,.@-`.
    pub sso_role_name: Option<PermissionSet>,
    /// Serial number or ARN of the MFA device, 9–256 characters. Not needed here if the profile has it.
    pub mfa_serial: Option<MfaSerial>,
    /// External ID that the trust policy of the role requires, 2–1224 characters: letters, digits and `_+=,.@:/-`.
    pub external_id: Option<ExternalId>,
    /// Role session name, 2–64 characters: letters, digits and `_+=,.@-`. Default: your login name, which CloudTrail
    /// then shows.
    pub role_session_name: Option<SessionName>,
    /// Source identity, 2–256 characters: letters, digits and `_+=,.@-`, not `aws:…`. It persists across role chaining.
    pub source_identity: Option<SourceIdentity>,
    /// Session duration, a number of seconds or a string such as `"45m"`. A role: 900 (15m) to 43200 (12h), at most the
    /// maximum session duration of the role, and at most 3600 with role chaining. A session without a role: up to
    /// 129600 (36h). Default: one hour for a role, 12 hours for a session without a role.
    pub duration_seconds: Option<Seconds>,
    /// Session tags: at most 50, with keys of 1–128 characters and values of 0–256.
    #[cfg_attr(test, schemars(extend("maxProperties" = 50)))]
    #[cfg_attr(test, schemars(extend("propertyNames" = { "pattern": "^(?![aA][wW][sS]:).{1,128}$" })))]
    #[cfg_attr(test, schemars(extend("additionalProperties" = { "type": "string", "maxLength": 256 })))]
    pub session_tags: Option<BTreeMap<String, String>>,
    /// Keys of `session_tags` that are passed on in role chaining.
    #[cfg_attr(test, schemars(extend("maxItems" = 50)))]
    pub transitive_session_tags: Option<Vec<String>>,
    /// Session policy, a table or a JSON string. The session may do only what both the role, or without one the source,
    /// and this policy allow. At most 2048 characters together with `policy_arns`. See docs/limits.md.
    pub policy: Option<Policy>,
    /// ARNs of managed policies used as session policies, at most 10. Only calls that assume a role send them.
    #[cfg_attr(test, schemars(extend("maxItems" = 10)))]
    #[cfg_attr(test, schemars(inner(regex(pattern = "^arn:.*:policy/"), length(min = 20, max = 2048))))]
    pub policy_arns: Option<Vec<String>>,
    /// Session policy that awsrole ships, instead of `policy` and `policy_arns`: `"read-only"` allows reading, except
    /// for secrets.
    pub preset: Option<Preset>,
    /// AWS region, exported as `AWS_REGION` and `AWS_DEFAULT_REGION`.
    pub region: Option<Region>,
    /// Expected account ID (account pin), 12 digits. Checked against the role ARN before the call and against the
    /// returned credentials after it.
    pub account_id: Option<AccountId>,
    /// If true, `cd` does not assume this role, nor a role that has it as its `source_role`. Run `awsrole use NAME` to
    /// assume it. If it is the default role, the shell is blocked until then.
    pub manual: Option<bool>,
    /// If true, awsrole asks before it assumes this role, with its name and account. If `"account"`, the answer is the
    /// name of the account in your settings or in IAM Identity Center, otherwise its ID. `cd` and `awsrole use` ask on
    /// the terminal. Without a terminal, only `--yes` confirms. The shell is blocked until you confirm. It also applies
    /// to roles that have this one as their `source_role`.
    pub confirm: Option<Confirm>,
    /// How long a shell keeps this role after `awsrole use`, a number of seconds or a string such as `"30m"`, 2m to
    /// 12h. Then the shell returns to the default role. Only in a `[role.NAME]` other than the default role.
    pub expires_after: Option<ChoiceLifetime>,
    /// The `[role.NAME]` of the same file that `awsrole sudo` uses for one command.
    pub elevate: Option<String>,
}

impl RoleConfig {
    /// The names of all keys in the file.
    pub const NAMES: [&str; 24] = [
        "profile",
        "role_arn",
        "source_profile",
        "source_role",
        "credential_source",
        "sso_session",
        "sso_account_id",
        "sso_role_name",
        "mfa_serial",
        "external_id",
        "role_session_name",
        "source_identity",
        "duration_seconds",
        "session_tags",
        "transitive_session_tags",
        "policy",
        "policy_arns",
        "preset",
        "region",
        "account_id",
        "manual",
        "confirm",
        "expires_after",
        "elevate",
    ];

    /// Returns true if the config sets `source_profile`, `credential_source` or a permission set. If so, the source
    /// settings of the AWS profile are ignored.
    #[must_use]
    pub fn names_source(&self) -> bool {
        self.source_profile.is_some() || self.credential_source.is_some() || self.names_permission_set()
    }

    /// Returns true if the config names a permission set as the source. An `sso_session` without an account and a role
    /// is only a default for the roles of the file, as in a profile.
    #[must_use]
    pub fn names_permission_set(&self) -> bool {
        self.sso_account_id.is_some() || self.sso_role_name.is_some()
    }

    /// Returns these keys, with missing ones taken from `other`.
    fn merged_over(self, other: Self) -> Self {
        Self {
            profile: self.profile.or(other.profile),
            role_arn: self.role_arn.or(other.role_arn),
            source_profile: self.source_profile.or(other.source_profile),
            source_role: self.source_role.or(other.source_role),
            credential_source: self.credential_source.or(other.credential_source),
            sso_session: self.sso_session.or(other.sso_session),
            sso_account_id: self.sso_account_id.or(other.sso_account_id),
            sso_role_name: self.sso_role_name.or(other.sso_role_name),
            mfa_serial: self.mfa_serial.or(other.mfa_serial),
            external_id: self.external_id.or(other.external_id),
            role_session_name: self.role_session_name.or(other.role_session_name),
            source_identity: self.source_identity.or(other.source_identity),
            duration_seconds: self.duration_seconds.or(other.duration_seconds),
            session_tags: self.session_tags.or(other.session_tags),
            transitive_session_tags: self.transitive_session_tags.or(other.transitive_session_tags),
            policy: self.policy.or(other.policy),
            policy_arns: self.policy_arns.or(other.policy_arns),
            preset: self.preset.or(other.preset),
            region: self.region.or(other.region),
            account_id: self.account_id.or(other.account_id),
            manual: self.manual.or(other.manual),
            confirm: self.confirm.or(other.confirm),
            expires_after: self.expires_after.or(other.expires_after),
            elevate: self.elevate.or(other.elevate),
        }
    }
}

/// A parsed file, or several files merged by `inherit`.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Whether to inherit from the next file upward.
    pub inherit: bool,
    /// Whether each `[role.NAME]` becomes a profile for the programs that run in the project.
    pub profiles: Option<bool>,
    /// The `[role.NAME]` that `cd` assumes.
    pub default_role: Option<String>,
    /// What AI agents get at most: the `[agent]` table of the nearest file, then those that it inherits. All apply, and
    /// only the first `role` counts.
    pub agent: Vec<AgentLimits>,
    /// The keys at top level, which apply to every role that doesn't set them.
    shared: RoleConfig,
    roles: BTreeMap<String, RoleConfig>,
    origins: BTreeMap<(String, String), Origin>,
    /// The path of the nearest file, for messages.
    pub file: PathBuf,
}

impl Config {
    /// Parses a file.
    ///
    /// # Errors
    /// Fails for invalid TOML, unknown keys and wrong types, with the line. Parsing has no side effects, so unapproved
    /// files may be parsed for display.
    pub fn parse(file: &ConfigFile) -> Result<Self, Problem> {
        let at = Reader { file: &file.path, text: &file.text };
        let mut table = DeTable::parse(&file.text).map_err(|e| at.toml(&e))?.into_inner();
        let mut config = Self { file: file.path.clone(), ..Self::default() };
        if let Some(value) = table.remove("inherit") {
            config.inherit = at.typed(value)?;
        }
        if let Some((key, value)) = table.remove_entry("profiles") {
            config.remember(&at, "", &key);
            config.profiles = Some(at.typed(value)?);
        }
        if let Some((key, value)) = table.remove_entry("default_role") {
            config.remember(&at, "", &key);
            config.default_role = Some(at.typed(value)?);
        }
        if let Some(value) = table.remove("agent") {
            config.agent.push(agent_limits(&at, value)?);
        }
        if let Some(value) = table.remove("role") {
            let span = value.span();
            let DeValue::Table(roles) = value.into_inner() else {
                return Err(at.error(span.start, "`role` is a table for each role: [role.NAME]"));
            };
            for (name, value) in roles {
                let span = value.span();
                let DeValue::Table(keys) = value.into_inner() else {
                    return Err(
                        at.error(span.start, format!("`{}` belongs in a role's table: [role.NAME]", name.get_ref()))
                    );
                };
                if name.get_ref().is_empty()
                    || name.get_ref().starts_with('-')
                    || name.get_ref().chars().any(|c| c.is_whitespace() || c.is_control())
                {
                    return Err(at.error(
                        name.span().start,
                        "a role's name can't be empty, begin with `-` or contain white space",
                    ));
                }
                config.origins.insert((name.get_ref().to_string(), String::new()), at.origin(name.span().start));
                let keys = config.keys(&at, name.get_ref(), keys, span)?;
                config.roles.insert(name.into_inner().into_owned(), keys);
            }
        }
        config.shared = config.keys(&at, "", table, 0..file.text.len())?;
        if config.shared.expires_after.is_some() {
            let at = config.origin(None, "expires_after");
            return Err(Problem::new(format!("{at}: `expires_after` belongs in a role's table: [role.NAME]")));
        }
        if !config.inherit {
            if let Some(name) = &config.default_role {
                config.role_exists(name, &config.origin(None, "default_role"))?;
            }
            config.check_guards()?;
            config.agents_role()?;
        }
        Ok(config)
    }

    /// Checks the keys that refer to other roles or to the default role. With `inherit`, only the merged config can be
    /// checked.
    ///
    /// # Errors
    /// Fails for an `elevate` that names no role, and for an `expires_after` of the default role.
    pub(super) fn check_guards(&self) -> Result<(), Problem> {
        let tables = [(None, &self.shared)].into_iter();
        for (name, keys) in tables.chain(self.roles.iter().map(|(name, keys)| (Some(name.as_str()), keys))) {
            if let Some(elevate) = &keys.elevate {
                self.role_exists(elevate, &self.origin(name, "elevate"))?;
            }
            if keys.expires_after.is_some() && name == self.default_role.as_deref() {
                let at = self.origin(name, "expires_after");
                return Err(Problem::new(format!("{at}: the default role can't have `expires_after`"))
                    .because("a shell returns to the default role when another one expires")
                    .hint("remove the key, or set another `default_role`"));
            }
        }
        Ok(())
    }

    /// Merges this config with that of the next file upward. This config takes precedence.
    #[must_use]
    pub fn merged_over(mut self, upper: Self) -> Self {
        for (name, keys) in upper.roles {
            let mine = self.roles.remove(&name).unwrap_or_default();
            self.roles.insert(name, mine.merged_over(keys));
        }
        let mut origins = upper.origins;
        origins.extend(self.origins);
        Self {
            inherit: upper.inherit,
            profiles: self.profiles.or(upper.profiles),
            default_role: self.default_role.or(upper.default_role),
            agent: self.agent.into_iter().chain(upper.agent).collect(),
            shared: self.shared.merged_over(upper.shared),
            roles: self.roles,
            origins,
            file: self.file,
        }
    }

    /// Returns the name and the keys of a role: those of its table, then those at top level. `None` selects the default
    /// role.
    ///
    /// # Errors
    /// Fails if no table has this name.
    pub fn select(&self, name: Option<&str>) -> Result<(Option<String>, RoleConfig), Problem> {
        let Some(name) = name.or(self.default_role.as_deref()) else {
            return Ok((None, self.shared.clone()));
        };
        self.role_exists(name, &self.origin(None, "default_role"))?;
        Ok((Some(name.to_owned()), self.roles[name].clone().merged_over(self.shared.clone())))
    }

    /// Returns whether `cd` assumes a role without a name: no default is set, and the keys at top level define one.
    #[must_use]
    pub fn has_nameless_role(&self) -> bool {
        let keys = &self.shared;
        self.default_role.is_none() && (keys.role_arn.is_some() || keys.profile.is_some() || keys.names_source())
    }

    /// Returns the names of the roles in the file.
    pub fn role_names(&self) -> impl Iterator<Item = &str> {
        self.roles.keys().map(String::as_str)
    }

    /// Returns whether a key is set for a role, in its table or at top level.
    #[must_use]
    pub fn sets(&self, role: Option<&str>, key: &str) -> bool {
        ["", role.unwrap_or("")].iter().any(|role| self.origins.contains_key(&((*role).to_owned(), key.to_owned())))
    }

    /// Returns whether a key is set in a role's own table or, without a role, at top level.
    #[must_use]
    pub fn sets_itself(&self, role: Option<&str>, key: &str) -> bool {
        self.origins.contains_key(&(role.unwrap_or("").to_owned(), key.to_owned()))
    }

    /// Returns the location of a role's key. If it isn't set, returns the location of the role's table or the file.
    #[must_use]
    pub fn origin(&self, role: Option<&str>, key: &str) -> Origin {
        let find = |role: &str, key: &str| self.origins.get(&(role.to_owned(), key.to_owned())).cloned();
        find(role.unwrap_or(""), key)
            .or_else(|| find("", key))
            .or_else(|| find(role.unwrap_or(""), ""))
            .unwrap_or_else(|| Origin { file: self.file.clone(), line: 0 })
    }

    /// Checks that a role exists. `at` is the location of its name.
    fn role_exists(&self, name: &str, at: &Origin) -> Result<(), Problem> {
        if self.roles.contains_key(name) {
            return Ok(());
        }
        let names: Vec<&str> = self.role_names().collect();
        let problem = Problem::new(format!("{at}: there is no [role.{name}]"));
        Err(match names[..] {
            [] => problem.hint(format!("add a table [role.{name}] with a `role_arn` or a `profile`")),
            _ => problem.hint(suggestion(name, "the roles here are", &names)),
        })
    }

    /// Returns the only role that agents get, if `[agent]` names one.
    ///
    /// # Errors
    /// Fails if no table has this name. With `inherit`, a file above may have it.
    pub fn agents_role(&self) -> Result<Option<&Located<String>>, Problem> {
        let Some(role) = self.agent.iter().find_map(|agent| agent.role.as_ref()) else { return Ok(None) };
        if self.roles.contains_key(&role.value) {
            return Ok(Some(role));
        }
        let names: Vec<&str> = self.role_names().collect();
        Err(Problem::new(format!("{}: [agent] names `{}`, which isn't a [role.NAME]", role.origin, role.value))
            .hint(suggestion(&role.value, "the roles here are", &names)))
    }

    fn remember(&mut self, at: &Reader<'_>, role: &str, key: &Spanned<std::borrow::Cow<'_, str>>) {
        self.origins.insert((role.to_owned(), key.get_ref().to_string()), at.origin(key.span().start));
    }

    fn keys(
        &mut self,
        at: &Reader<'_>,
        role: &str,
        table: DeTable<'_>,
        span: std::ops::Range<usize>,
    ) -> Result<RoleConfig, Problem> {
        let mut spans = Vec::new();
        for (key, value) in &table {
            let name: &str = key.get_ref();
            spans.push((name.to_owned(), value.span()));
            if !RoleConfig::NAMES.contains(&name) {
                return Err(unknown(at, key.span().start, name, role));
            }
            self.remember(at, role, key);
        }
        RoleConfig::deserialize(toml::de::Deserializer::from(Spanned::new(span, table))).map_err(|e| {
            // For a value outside its limits, the message begins with the value.
            let key = spans.iter().find(|(_, span)| e.span().is_some_and(|at| span.contains(&at.start)));
            match key.filter(|_| e.message().starts_with('`')) {
                Some((key, span)) => at.error(span.start, format!("{key} {}", e.message())),
                None => at.toml(&e),
            }
        })
    }
}

/// Parses the `[agent]` table.
fn agent_limits(at: &Reader<'_>, value: Spanned<DeValue<'_>>) -> Result<AgentLimits, Problem> {
    let span = value.span();
    let DeValue::Table(table) = value.into_inner() else {
        return Err(at.error(span.start, "`agent` is a table: [agent]"));
    };
    if let Some(key) = table.keys().find(|key| !AgentKeys::NAMES.contains(&key.get_ref().as_ref())) {
        let problem = at.error(key.span().start, format!("unknown key `{}` in [agent]", key.get_ref()));
        return Err(problem.hint(suggestion(key.get_ref(), "the keys are", &AgentKeys::NAMES)));
    }
    let keys = AgentKeys::deserialize(toml::de::Deserializer::from(Spanned::new(span, table)));
    keys.map_err(|e| at.toml(&e))?.checked(|position| at.origin(position))
}

mod guards;
mod reader;
#[cfg(test)]
mod schema;
#[cfg(test)]
pub(crate) mod tests;
