//! The settings of an organization for all users of a machine: `/etc/awsrole/config.toml`.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::{AccountAsWritten, RuleAsWritten, TrustRule, UserConfig, accounts, agent, parse};
use crate::aws::invalid::OutOfRange;
use crate::aws::parameters::{SessionName, SourceIdentity};
use crate::base::context::{Context, Env};
use crate::base::files::read_regular;
use crate::base::files::trusted::{self, Distrust, Untrusted};
use crate::base::location::line_of;
use crate::base::problem::Problem;
use crate::settings::accounts::{Account, AccountName, Accounts};
use crate::settings::agent::{AgentKeys, AgentLimits, EffectiveAgentLimits};

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// The keys of the user's settings that an organization can't set. They name commands, or where secrets are stored.
const OF_USERS: [&str; 5] = ["mfa_process", "browser", "keys", "cache", "limits"];

/// The settings of an organization. They contain no commands.
#[derive(Debug)]
pub struct Organization {
    /// Trust rules, which apply in addition to those of the user.
    trust: Vec<TrustRule>,
    /// Settings of accounts that the user left open.
    accounts: Accounts,
    /// What AI agents get at most, in addition to the limits of the user.
    agent: Option<AgentLimits>,
    /// The template of role session names that neither a file nor a profile sets.
    session_name: Option<NameTemplate>,
    /// Whether each AssumeRole sets the source identity to the login name.
    source_identity: Option<SourceIdentitySetting>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct OrganizationAsWritten {
    #[serde(default)]
    trust: Vec<RuleAsWritten>,
    #[serde(default)]
    accounts: BTreeMap<Spanned<String>, AccountAsWritten>,
    agent: Option<AgentKeys>,
    role_session_name: Option<Spanned<String>>,
    source_identity: Option<SourceIdentitySetting>,
}

/// The value of `source_identity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SourceIdentitySetting {
    /// The login name.
    Auto,
}

impl Organization {
    /// Reads the file, unless this was done already. If it doesn't exist, returns `None`.
    ///
    /// # Errors
    /// Fails if the file can't be read, if a user other than root could replace it, or if it is invalid. Without its
    /// limits no role may be assumed.
    pub fn load(context: &Context) -> Result<Option<Self>, Problem> {
        let path = &context.paths.organization;
        match context.organization.get_or_init(|| Self::read(path)) {
            Ok(None) => Ok(None),
            Ok(Some(bytes)) => Self::parse(path, bytes, context).map(Some),
            Err(problem) => Err(problem.clone()),
        }
    }

    fn read(path: &Path) -> Result<Option<Vec<u8>>, Problem> {
        let absent = |e: &io::Error| e.kind() == io::ErrorKind::NotFound;
        if path.symlink_metadata().as_ref().is_err_and(absent) {
            return Ok(None);
        }
        trusted::resolve_as(path, owner()).map_err(|untrusted| untrusted_by(path, &untrusted))?;
        let bytes = read_regular(path, MAX_BYTES).map_err(|e| {
            Problem::new(format!("{} can't be read", path.display()))
                .because(e)
                .hint(format!("all users must be able to read it: `sudo chmod a+r {}`", path.display()))
        })?;
        Ok(Some(bytes))
    }

    fn parse(path: &Path, bytes: &[u8], context: &Context) -> Result<Self, Problem> {
        let of_users = |at: &str, name: &str| {
            OF_USERS.contains(&name).then(|| {
                Problem::new(format!("{at}: `{name}` isn't a setting of an organization"))
                    .because("commands, timeouts and stores of keys are each user's own")
                    .hint(format!("remove it. Users set it in {}", context.shorten(&UserConfig::path(context))))
            })
        };
        let written: OrganizationAsWritten = parse(path, bytes, of_users)?;
        let wrong =
            |at: usize, what: String| Problem::new(format!("{}:{}: {what}", path.display(), line_of(bytes, at)));
        let rules = written.trust.into_iter();
        let trust = rules.map(|rule| rule.check(context, true, wrong)).collect::<Result<_, _>>()?;
        let session_name = written.role_session_name.map(|text| {
            NameTemplate::parse(text.get_ref()).map_err(|e| {
                wrong(text.span().start, format!("role_session_name {e}"))
                    .hint(r#"such as role_session_name = "{user}@corp""#)
            })
        });
        Ok(Self {
            trust,
            accounts: accounts(written.accounts, wrong)?,
            agent: agent(written.agent, path, bytes)?,
            session_name: session_name.transpose()?,
            source_identity: written.source_identity,
        })
    }

    /// Adds the settings that the user left open, and the limits of agents. The user's names and colors of accounts
    /// take precedence. An account that either protects is protected, and the limits of both apply, so a user can only
    /// tighten those of the organization.
    ///
    /// A name that the user gave to another account isn't used, because names are unique.
    pub(super) fn complete(self, user: &mut UserConfig) {
        user.trust.extend(self.trust);
        user.agent.extend(self.agent);
        for (id, Account { name, color, protect }) in self.accounts.0 {
            let known =
                |name: &AccountName| user.accounts.0.values().any(|account| account.name.as_ref() == Some(name));
            let name = name.filter(|name| !known(name));
            let account = user.accounts.0.entry(id).or_default();
            account.name = account.name.take().or(name);
            account.color = account.color.or(color);
            account.protect |= protect;
        }
    }

    /// Returns the session name of a user.
    #[must_use]
    pub fn session_name(&self, login: &str) -> Option<SessionName> {
        self.session_name.as_ref().map(|template| template.of_user(login))
    }

    /// Returns the source identity that AssumeRole sends if no file sets one.
    ///
    /// # Errors
    /// Fails if the environment has no login name.
    pub fn source_identity(&self, context: &Context) -> Result<Option<SourceIdentity>, Problem> {
        if self.source_identity.is_none() {
            return Ok(None);
        }
        let path = context.paths.organization.display();
        let login = login(&context.env).ok_or_else(|| {
            Problem::new(format!("{path} requires your login name as the source identity"))
                .because("neither USER nor LOGNAME is set")
                .hint("set USER to your login name")
        })?;
        // The rules of session names are stricter.
        let identity = SourceIdentity::parse(SessionName::of_user(login).as_str());
        identity.map(Some).map_err(|e| Problem::new(format!("{path}: source_identity {e}")))
    }

    /// Describes the settings in one line.
    #[must_use]
    pub fn shown(&self) -> String {
        let counted = |count: usize, what: &str| match count {
            0 => None,
            1 => Some(format!("1 {what}")),
            _ => Some(format!("{count} {what}s")),
        };
        let parts = [
            counted(self.accounts.0.len(), "account"),
            counted(self.trust.len(), "trust rule"),
            self.agent.as_ref().map(|agent| {
                let terms = EffectiveAgentLimits::of(std::slice::from_ref(agent), &[], None);
                format!("agents get {}", terms.summary())
            }),
            self.session_name.as_ref().map(|template| format!("session name {}", template.shown())),
            self.source_identity.map(|_| "source identity".to_owned()),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "no settings".to_owned() } else { parts.join(", ") }
    }
}

/// Returns the login name from the environment.
#[must_use]
pub fn login(env: &Env) -> Option<&str> {
    env.filled("USER").or(env.filled("LOGNAME"))
}

/// A template of role session names: text with one `{user}`, which becomes the login name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct NameTemplate {
    before: String,
    after: String,
}

impl NameTemplate {
    const USER: &'static str = "{user}";

    /// Parses the template.
    ///
    /// # Errors
    /// Fails without `{user}`, because all users would have the same name, and for text that STS doesn't accept.
    fn parse(text: &str) -> Result<Self, OutOfRange> {
        let Some((before, after)) = text.split_once(Self::USER) else {
            return Err(OutOfRange::new(text, "must contain `{user}`"));
        };
        // Two characters are the shortest login name that of_user returns.
        SessionName::parse(&format!("{before}xx{after}"))?;
        Ok(Self { before: before.to_owned(), after: after.to_owned() })
    }

    /// Returns the name of a user, with the login name shortened to what fits.
    fn of_user(&self, login: &str) -> SessionName {
        let Self { before, after } = self;
        let name = SessionName::of_user(login);
        let room = SessionName::MAX_LENGTH - before.len() - after.len();
        let user = name.as_str().get(..room).unwrap_or(name.as_str());
        SessionName::parse(&format!("{before}{user}{after}")).unwrap_or(name)
    }

    fn shown(&self) -> String {
        format!("{}{}{}", self.before, Self::USER, self.after)
    }
}

/// Returns the user who must own the file and the directories above it: root. Unit tests can't write such files.
fn owner() -> u32 {
    if cfg!(test) { crate::base::files::current_user() } else { 0 }
}

fn untrusted_by(path: &Path, untrusted: &Untrusted) -> Problem {
    let component = untrusted.path.display();
    let problem = Problem::new(format!("{} can't be trusted", path.display())).because(untrusted);
    match untrusted.why {
        Distrust::Foreign { link, .. } => {
            problem.hint(format!("`sudo chown {}root {component}`", if link { "-h " } else { "" }))
        }
        Distrust::Writable => problem.hint(format!("`sudo chmod go-w {component}`")),
        Distrust::Unknown(_) => problem.hint("root must make it a regular file that all users can read"),
    }
}

#[cfg(test)]
mod tests;
