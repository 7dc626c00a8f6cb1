//! A `.awsrole.toml` as it is written: keys and values, with each value within its own limits.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::base::location::Origin;
use crate::base::problem::Problem;
use crate::base::suggest::suggestion;
use crate::project::discover::ConfigFile;
use crate::settings::agent::{AgentKeys, AgentLimits, Located};
use reader::{Reader, unknown};

pub use crate::aws::policy_document::Policy;
pub use guards::{ChoiceLifetime, Confirm};
pub use role_config::RoleConfig;

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
            config.check_references()?;
        }
        Ok(config)
    }

    /// Checks the keys that refer to other roles or to the default role. With `inherit`, only the merged config can be
    /// checked.
    ///
    /// # Errors
    /// Fails for a `default_role`, `elevate`, `source_role` or `role` of agents that names no role, and for an
    /// `expires_after` of the default role.
    pub(super) fn check_references(&self) -> Result<(), Problem> {
        if let Some(name) = &self.default_role {
            self.role_exists(name, &self.origin(None, "default_role"))?;
        }
        let tables = [(None, &self.shared)].into_iter();
        for (name, keys) in tables.chain(self.roles.iter().map(|(name, keys)| (Some(name.as_str()), keys))) {
            for (key, named) in [("elevate", &keys.elevate), ("source_role", &keys.source_role)] {
                if let Some(named) = named {
                    self.role_exists(named, &self.origin(name, key))?;
                }
            }
            if keys.expires_after.is_some() && name == self.default_role.as_deref() {
                let at = self.origin(name, "expires_after");
                return Err(Problem::new(format!("{at}: the default role can't have `expires_after`"))
                    .because("a shell returns to the default role when another one expires")
                    .hint("remove the key, or set another `default_role`"));
            }
        }
        self.agents_role()?;
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
    /// Fails if no table has this name. The error names no line, because the file doesn't contain the name.
    pub fn select(&self, name: Option<&str>) -> Result<(Option<String>, Cow<'_, RoleConfig>), Problem> {
        let Some(name) = name.or(self.default_role.as_deref()) else {
            return Ok((None, Cow::Borrowed(&self.shared)));
        };
        if !self.roles.contains_key(name) {
            return Err(self.no_role(name, format!("there is no [role.{name}] in {}", self.file.display())));
        }
        let keys = self.roles[name].clone().merged_over(self.shared.clone());
        Ok((Some(name.to_owned()), Cow::Owned(keys)))
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
        match self.roles.contains_key(name) {
            true => Ok(()),
            false => Err(self.no_role(name, format!("{at}: there is no [role.{name}]"))),
        }
    }

    /// Returns the error that no table has a name.
    fn no_role(&self, name: &str, summary: String) -> Problem {
        let names: Vec<&str> = self.role_names().collect();
        Problem::new(summary).hint(match names[..] {
            [] => format!("add a table [role.{name}] with a `role_arn` or a `profile`"),
            _ => suggestion(name, "the roles here are", &names),
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
        for key in table.keys() {
            let name: &str = key.get_ref();
            if !RoleConfig::NAMES.contains(&name) {
                return Err(unknown(at, key.span().start, name, role));
            }
            self.remember(at, role, key);
        }
        RoleConfig::deserialize(toml::de::Deserializer::from(Spanned::new(span, table))).map_err(|e| at.toml(&e))
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
mod role_config;
#[cfg(test)]
mod schema;
#[cfg(test)]
pub(crate) mod tests;
