//! The user's own settings: `config.toml` in awsrole's config directory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;

use crate::aws::access_keys::StoreKind;
use crate::aws::arn::AccountId;
use crate::aws::duration::Seconds;
use crate::base::cache_key_backend::CacheKeySetting;
use crate::base::context::Context;
use crate::base::files::{read_trusted, trusted};
use crate::base::location::{Origin, line_of};
use crate::base::problem::Problem;
use crate::base::suggest::suggestion;
use crate::base::toml_error::toml_error;
use crate::settings::account_names;
use crate::settings::accounts::{Account, AccountName, Accounts, Color};
use crate::settings::agent::{AgentKeys, AgentLimits};
use crate::settings::key_names::hint_for_project_key;

pub use organization::{Organization, login};

mod organization;

/// The user's settings for all projects. They are only read from the user's own file, never from a project.
#[derive(Debug, Clone, Default)]
pub struct UserConfig {
    /// Directories below which files need no approval of their own.
    pub trust: Vec<TrustRule>,
    /// A command that prints an MFA code. It receives the device as AWSROLE_MFA_SERIAL.
    pub mfa_process: Option<String>,
    /// Timeouts.
    pub limits: LimitSettings,
    /// Settings of accounts: names, colors and protection.
    pub accounts: Accounts,
    /// The backend of the cache encryption key.
    pub key: CacheKeySetting,
    /// The store in which `awsrole keys add` stores keys. `None` is the default store of the system.
    pub store: Option<StoreKind>,
    /// The command that opens a URL, as words. `{url}` in a word is the URL. Empty for the browser of the system.
    pub browser: Vec<String>,
    /// What AI agents get at most, in all projects and of all profiles. Each of the tables applies: that of the user,
    /// and that of the organization.
    pub agent: Vec<AgentLimits>,
}

/// Timeouts. Each has a default.
#[derive(Debug, Clone, Copy, Default)]
pub struct LimitSettings {
    /// The connect timeout. The default is 3 s.
    pub connect: Option<Duration>,
    /// The timeout of one attempt of a call that may be retried. The default is 5 s.
    pub attempt: Option<Duration>,
    /// The timeout of a call with all its attempts. The default is 15 s.
    pub whole: Option<Duration>,
    /// The timeout of a `credential_process` or `mfa_process`. The default is 60 s.
    pub process: Option<Duration>,
}

/// Allows files below `path` for roles of `accounts`. Both must match.
#[derive(Debug, Clone)]
pub struct TrustRule {
    /// An absolute path, as it is written.
    pub path: PathBuf,
    /// The accounts.
    pub accounts: Vec<AccountId>,
    /// Whether the rule is in the settings of an organization.
    pub is_of_organization: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct AsWritten {
    #[serde(default)]
    trust: Vec<RuleAsWritten>,
    mfa_process: Option<String>,
    #[serde(default)]
    limits: LimitsAsWritten,
    #[serde(default)]
    accounts: BTreeMap<Spanned<String>, AccountAsWritten>,
    #[serde(default)]
    cache: CacheAsWritten,
    #[serde(default)]
    keys: KeysAsWritten,
    #[serde(default)]
    browser: BrowserAsWritten,
    agent: Option<AgentKeys>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct BrowserAsWritten {
    command: Option<Spanned<Vec<String>>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct CacheAsWritten {
    #[serde(default)]
    key: CacheKeySetting,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct KeysAsWritten {
    store: Option<StoreKind>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct LimitsAsWritten {
    connect: Option<Spanned<Seconds>>,
    attempt: Option<Spanned<Seconds>>,
    whole: Option<Spanned<Seconds>>,
    process: Option<Spanned<Seconds>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleAsWritten {
    path: Spanned<String>,
    accounts: Spanned<Vec<Spanned<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountAsWritten {
    name: Option<Spanned<String>>,
    color: Option<Spanned<String>>,
    #[serde(default)]
    protect: bool,
}

/// The user's settings, or the error that occurred when they were read. The program reads them once.
#[derive(Debug, Default)]
pub struct Settings {
    config: UserConfig,
    problem: Option<Problem>,
    organization: Option<String>,
}

impl Settings {
    /// Reads the user's file and that of an organization, whose settings apply where the user has none. An error is
    /// returned by [`Settings::get`].
    #[must_use]
    pub fn load(context: &Context) -> Self {
        let (mut config, mut problem) = match UserConfig::load(context) {
            Ok(config) => (config, None),
            // If the settings can't be read, the choice of the key backend isn't known.
            Err(problem) => (UserConfig { key: CacheKeySetting::Unknown, ..UserConfig::default() }, Some(problem)),
        };
        let mut organization = None;
        match Organization::load(context) {
            Ok(None) => {}
            Ok(Some(settings)) => {
                organization = Some(settings.shown());
                settings.complete(&mut config);
            }
            Err(unusable) => problem = Some(unusable),
        }
        account_names::complete(&mut config.accounts, &context.paths);
        Self { config, problem, organization }
    }

    /// Returns the settings.
    ///
    /// # Errors
    /// Fails if one of the files can't be read, if another user could replace it, or if it is invalid.
    pub fn get(&self) -> Result<&UserConfig, Problem> {
        match &self.problem {
            None => Ok(&self.config),
            Some(problem) => Err(problem.clone()),
        }
    }

    /// Returns the settings, or the defaults if they can't be read. Used for operations that must always work, such as
    /// leaving a directory.
    #[must_use]
    pub fn or_default(&self) -> &UserConfig {
        &self.config
    }

    /// Describes the settings of the organization. `None` if there are none.
    #[must_use]
    pub fn organization(&self) -> Option<&str> {
        self.organization.as_deref()
    }
}

impl UserConfig {
    /// Returns the path of the file.
    #[must_use]
    pub fn path(context: &Context) -> PathBuf {
        context.paths.config.join("config.toml")
    }

    /// Reads the file. If it doesn't exist, returns the defaults.
    ///
    /// # Errors
    /// Fails if the file can't be read, if another user could replace it, or if it is invalid. Ignoring a setting
    /// silently would be worse.
    pub fn load(context: &Context) -> Result<Self, Problem> {
        let path = Self::path(context);
        let bytes = match read_trusted(&path, 1024 * 1024) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => {
                return Err(Problem::new(format!("{} can't be read", path.display())).because(e).hint(format!(
                    "it must be a regular file that you own and others can't write to: `chmod go-w {}`",
                    path.display()
                )));
            }
        };
        // The settings may name a command, so nobody else may be able to replace the file.
        if let Err(untrusted) = trusted::resolve(&path) {
            let problem = Problem::new(format!("{} can't be trusted", path.display())).because(&untrusted);
            let elsewhere = "set XDG_CONFIG_HOME to a directory of your own";
            return Err(match untrusted.remedy() {
                Some(remedy) => problem.hint(format!("`{remedy}`, or {elsewhere}")),
                None => problem.hint(elsewhere),
            });
        }
        let written: AsWritten = parse(&path, &bytes, |_, _| None)?;
        let wrong =
            |at: usize, what: String| Problem::new(format!("{}:{}: {what}", path.display(), line_of(&bytes, at)));
        let rules = written.trust.into_iter();
        let trust = rules.map(|rule| rule.check(context, false, wrong)).collect::<Result<_, _>>()?;
        let accounts = accounts(written.accounts, wrong)?;
        let browser = written.browser.command.map(|command| match command.get_ref().first() {
            Some(program) if !program.is_empty() => Ok(command.into_inner()),
            _ => Err(wrong(command.span().start, "browser.command: needs a program".to_owned())
                .hint(r#"such as command = ["firefox", "-P", "work", "{url}"]"#)),
        });
        Ok(Self {
            trust,
            mfa_process: written.mfa_process,
            store: written.keys.store,
            limits: limits(written.limits, wrong)?,
            accounts,
            browser: browser.transpose()?.unwrap_or_default(),
            key: written.cache.key,
            agent: agent(written.agent, &path, &bytes)?.into_iter().collect(),
        })
    }
}

/// Parses a settings file. `explain` may replace the error for an unknown key, from the location and the key's name.
fn parse<T: DeserializeOwned>(
    path: &Path,
    bytes: &[u8],
    explain: impl Fn(&str, &str) -> Option<Problem>,
) -> Result<T, Problem> {
    toml::from_slice(bytes).map_err(|e| {
        let line = line_of(bytes, e.span().map_or(0, |span| span.start));
        let at = format!("{}:{line}", path.display());
        unknown_key(&at, e.message(), explain).unwrap_or_else(|| toml_error(&e, 0, path, bytes))
    })
}

/// Returns the error for an unknown key from the message of serde: "unknown field `a`, expected one of `b`, `c`".
fn unknown_key(at: &str, message: &str, explain: impl Fn(&str, &str) -> Option<Problem>) -> Option<Problem> {
    let mut names = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    let (name, known) = (names.next()?, names.collect::<Vec<_>>());
    Some(explain(at, name).unwrap_or_else(|| match hint_for_project_key(name) {
        Some(hint) => Problem::new(format!("{at}: `{name}` is a key of a project's file")).hint(hint),
        None => Problem::new(format!("{at}: unknown key `{name}`")).hint(suggestion(name, "the keys here are", &known)),
    }))
}

/// Checks the limits of agents.
fn agent(written: Option<AgentKeys>, path: &Path, bytes: &[u8]) -> Result<Option<AgentLimits>, Problem> {
    let at = |at: usize| Origin { file: path.to_owned(), line: line_of(bytes, at) };
    let agent = written.map(|keys| keys.checked(at)).transpose()?;
    match agent.as_ref().and_then(|agent| agent.role.as_ref()) {
        None => Ok(agent),
        Some(role) => Err(Problem::new(format!("{}: `role` isn't allowed in [agent] here", role.origin))
            .because("a role is one of a project's file, which says which of its roles agents get")
            .hint("set `role` in the [agent] table of the project's .awsrole.toml")),
    }
}

/// Checks the timeouts. `wrong` creates a problem for a position.
fn limits(written: LimitsAsWritten, wrong: impl Fn(usize, String) -> Problem) -> Result<LimitSettings, Problem> {
    let limit = |key: &str, seconds: Option<Spanned<Seconds>>| match seconds {
        None => Ok(None),
        Some(seconds) => match seconds.get_ref().count {
            count @ 1..=600 => Ok(Some(Duration::from_secs(count))),
            _ => {
                let what = format!("limits.{key}: `{}` isn't between 1s and 10m", seconds.get_ref());
                Err(wrong(seconds.span().start, what))
            }
        },
    };
    Ok(LimitSettings {
        connect: limit("connect", written.connect)?,
        attempt: limit("attempt", written.attempt)?,
        whole: limit("whole", written.whole)?,
        process: limit("process", written.process)?,
    })
}

/// Checks the account settings. `wrong` creates a problem for a position.
fn accounts(
    written: BTreeMap<Spanned<String>, AccountAsWritten>,
    wrong: impl Fn(usize, String) -> Problem,
) -> Result<Accounts, Problem> {
    let mut accounts = Accounts::default();
    for (id, said) in written {
        let at = id.span().start;
        let id = AccountId::parse(id.get_ref()).map_err(|e| {
            wrong(at, format!("accounts: {e}")).hint("each account has a table of its own: [accounts.222222222222]")
        })?;
        let name = said.name.map(|text| {
            let name = AccountName::parse(text.get_ref());
            name.map_err(|e| {
                wrong(text.span().start, format!("name: {e}"))
                    .hint("prompts show the name unchanged, so some characters aren't allowed")
            })
        });
        let name = name.transpose()?;
        let taken = accounts.0.iter().find(|(_, other)| name.is_some() && other.name == name);
        if let (Some((other, _)), Some(name)) = (taken, &name) {
            let name = name.as_str();
            return Err(wrong(at, format!("account {other} also has the name {name}"))
                .hint("names must be unique: give one of them another name"));
        }
        let color = said.color.map(|text| {
            Color::parse(text.get_ref()).ok_or_else(|| no_color(text.get_ref(), |what| wrong(text.span().start, what)))
        });
        accounts.0.insert(id, Account { name, color: color.transpose()?, protect: said.protect });
    }
    Ok(accounts)
}

fn no_color(text: &str, wrong: impl Fn(String) -> Problem) -> Problem {
    let names = Color::ALL.map(Color::name);
    let problem = wrong(format!("color: `{text}` isn't one of the eight terminal colors"));
    let nearest = names.iter().map(|name| (strsim::osa_distance(name, &text.to_lowercase()), name)).min();
    match nearest {
        Some((distance, name)) if distance <= 2 => problem.hint(format!("did you mean `{name}`?")),
        _ => problem.hint(format!("the colors are: {}", names.join(", "))),
    }
}

impl RuleAsWritten {
    /// Checks the rule. `wrong` creates a problem for a position.
    fn check(
        self,
        context: &Context,
        is_of_organization: bool,
        wrong: impl Fn(usize, String) -> Problem,
    ) -> Result<TrustRule, Problem> {
        let wrong = |at: usize, what: String| wrong(at, format!("[[trust]] {what}"));
        let path = context.expand(self.path.get_ref());
        if !path.is_absolute() {
            let what = format!("path `{}` must begin with `/` or `~/`", self.path.get_ref());
            return Err(wrong(self.path.span().start, what));
        }
        if self.accounts.get_ref().is_empty() {
            let what = "needs the `accounts` whose roles are trusted there".to_owned();
            return Err(wrong(self.accounts.span().start, what));
        }
        let account = |id: &Spanned<String>| {
            AccountId::parse(id.get_ref()).map_err(|e| wrong(id.span().start, format!("accounts: {e}")))
        };
        let accounts = self.accounts.get_ref().iter().map(account).collect::<Result<_, _>>()?;
        Ok(TrustRule { path, accounts, is_of_organization })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::key_names::USER_TABLES;

    #[test]
    fn timeouts_out_of_range_are_errors() {
        let wrong = |_, what| Problem::new(what);
        let checked = |key: &str, value: &str| {
            let text = format!("[limits]\n{key} = \"{value}\"\n");
            limits(parse::<AsWritten>(Path::new("c"), text.as_bytes(), |_, _| None).unwrap().limits, wrong)
        };
        for key in ["connect", "attempt", "whole", "process"] {
            for value in ["0s", "999ms", "601s", "1h"] {
                let expected = format!("limits.{key}: `{value}` isn't between 1s and 10m");
                assert_eq!(checked(key, value).unwrap_err().summary, expected);
            }
        }
        assert_eq!(checked("connect", "1s").unwrap().connect, Some(Duration::from_secs(1)));
        assert_eq!(checked("process", "10m").unwrap().process, Some(Duration::from_secs(600)));
    }

    #[test]
    fn the_tables_of_keys_are_those_of_the_types() {
        for (table, keys) in USER_TABLES {
            let text = format!("{}\nzzzzzzzz = 1\n", table.replace("ID", "222222222222"));
            let problem = parse::<AsWritten>(Path::new("c"), text.as_bytes(), |_, _| None).err().unwrap();
            let known = problem.hints[0].split_once(": ").unwrap().1.split(", ");
            let known: Vec<&str> =
                known.filter(|key| !["agent", "accounts"].contains(key) || keys.contains(key)).collect();
            assert_eq!(known, keys, "{table}");
        }
    }
}
