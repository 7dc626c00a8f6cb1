//! The prompts of `awsrole init` without options.

use awsrole_core::aws::arn::RoleArn;
use awsrole_core::aws::parameters::Region;
use awsrole_core::aws::profiles::{Profile, Profiles};
use awsrole_core::base::problem::{Problem, escape};
use awsrole_core::settings::accounts::Accounts;

use super::permission_sets::{ChosenSet, Portal, SetOptions};
use super::{InitOptions, account_of};
use crate::report::CommandError;
use crate::terminal::Terminal;

/// The terminal and the choices for its prompts.
pub(super) struct Questions<'a> {
    pub(super) terminal: Terminal,
    pub(super) profiles: &'a Profiles,
    pub(super) accounts: &'a Accounts,
    pub(super) portal: &'a Portal<'a>,
}

impl Questions<'_> {
    /// Prompts for the content of the file, except for a permission set and a region that are known already.
    pub(super) fn wanted(&self, given: InitOptions) -> Result<InitOptions, CommandError> {
        let mut wanted = match given.permission_set {
            Some(chosen) => self.of_set(chosen, given.region)?,
            None => self.role(given.region.as_deref())?,
        };
        if let Some(account) = account_of(&wanted, self.profiles) {
            let name = wanted.permission_set.as_ref().and_then(|chosen| chosen.account_name.as_deref());
            let shown =
                name.map_or_else(|| self.accounts.shown(&account), |name| format!("{} ({account})", escape(name)));
            let question = format!("pin account {shown}, so that no other account's credentials are exported?");
            wanted.pin = self.yes(&question)?;
        }
        Ok(wanted)
    }

    /// Shows the lines of the file and asks whether to write them.
    pub(super) fn agreed(&self, text: &str, path: &str) -> Result<bool, Problem> {
        for line in text.lines() {
            self.show(&format!("  {line}"));
        }
        self.yes(&format!("write this to {path}?"))
    }

    /// Prompts until the answer is yes or no. An empty answer is yes.
    pub(super) fn yes(&self, question: &str) -> Result<bool, Problem> {
        loop {
            match self.ask(&format!("{question} [Y/n]"))?.to_lowercase().as_str() {
                "" | "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => {}
            }
        }
    }

    /// Prompts for the region of a permission set, which has no profile that provides one.
    fn of_set(&self, chosen: ChosenSet, region: Option<String>) -> Result<InitOptions, Problem> {
        let region = region.map_or_else(|| self.region(), |region| Ok(Some(region)))?;
        let permission_set = Some(chosen);
        Ok(InitOptions { profile: None, role_arn: None, source_profile: None, permission_set, region, pin: true })
    }

    fn role(&self, region: Option<&str>) -> Result<InitOptions, CommandError> {
        let all = choices(self.profiles);
        let sessions = self.portal.sessions();
        if all.is_empty() && sessions.is_empty() {
            let [config, credentials] = self.profiles.paths().map(|path| path.display().to_string());
            return Err(Problem::new(format!("neither {config} nor {credentials} has a profile with credentials"))
                .hint("create one with `aws configure` or `aws configure sso`")
                .into());
        }
        self.list(&all, &sessions);
        let (profile, arn) = loop {
            let answer = self.ask("number or name of a profile, or ARN of a role:")?;
            let is_profile = all.iter().any(|profile| profile.name == answer);
            if let Some(session) = session(&answer, all.len(), &sessions).filter(|_| !is_profile) {
                let set = SetOptions { session: session.name.to_owned(), account: None, role_name: None };
                let chosen = self.portal.complete(&set, Some(self))?;
                return Ok(self.of_set(chosen, region.map(str::to_owned))?);
            }
            if !answer.starts_with("arn:") {
                if let Some(profile) = self.chosen(&answer, &all) {
                    break (profile, None);
                }
                continue;
            }
            match RoleArn::parse(&answer) {
                Ok(_) => break (self.source(&all)?, Some(answer)),
                Err(error) => self.show(&format!("  it {error}")),
            }
        };
        let name = Some(profile.name.to_owned());
        let region = match (region, &arn) {
            (Some(region), _) => Some(region.to_owned()),
            (None, Some(_)) => self.region()?,
            (None, None) => None,
        };
        Ok(match arn {
            None => InitOptions {
                profile: name,
                role_arn: None,
                source_profile: None,
                permission_set: None,
                region,
                pin: true,
            },
            Some(_) => InitOptions {
                profile: None,
                role_arn: arn,
                source_profile: name,
                permission_set: None,
                region,
                pin: true,
            },
        })
    }

    /// Prompts for the source profile of a role that was typed.
    fn source<'p>(&self, all: &[Profile<'p>]) -> Result<Profile<'p>, Problem> {
        loop {
            if let Some(profile) = self.chosen(&self.ask("number or name of the profile that assumes it:")?, all) {
                return Ok(profile);
            }
        }
    }

    fn region(&self) -> Result<Option<String>, Problem> {
        loop {
            let answer = self.ask("the region, such as eu-central-1 (empty: none)?")?;
            if answer.is_empty() {
                return Ok(None);
            }
            match Region::parse(&answer) {
                Ok(_) => return Ok(Some(answer)),
                Err(error) => self.show(&format!("  it {error}")),
            }
        }
    }

    /// Returns the profile with this number or name, or the only profile whose name contains the text. If several names
    /// contain it, lists them.
    fn chosen<'p>(&self, answer: &str, all: &[Profile<'p>]) -> Option<Profile<'p>> {
        match matching(answer, all).as_slice() {
            [profile] => Some(*profile),
            [] => {
                self.show("  no such profile (Ctrl-C cancels)");
                None
            }
            several => {
                self.show(&format!("  {}?", several.iter().map(|profile| profile.name).collect::<Vec<_>>().join(", ")));
                None
            }
        }
    }

    fn list(&self, all: &[Profile<'_>], sessions: &[Profile<'_>]) {
        let profiles = all.iter().map(|profile| (profile.name, self.about(profile)));
        let accounts = "any of your accounts in IAM Identity Center".to_owned();
        let rows = profiles.chain(sessions.iter().map(|session| (session.name, accounts.clone())));
        let rows: Vec<(String, String)> = rows.map(|(name, about)| (escape(name), about)).collect();
        let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        for (index, (name, about)) in rows.iter().enumerate() {
            self.show(&format!("{:>4}  {name:<width$}  {about}", index + 1));
        }
    }

    /// Describes what a profile provides.
    fn about(&self, profile: &Profile<'_>) -> String {
        let parsed = profile.text("role_arn").map(RoleArn::parse);
        match (parsed, profile.text("sso_role_name"), profile.text("sso_account_id")) {
            (Some(Ok(arn)), ..) => format!("{} in {}", arn.name(), self.accounts.shown(arn.account())),
            (Some(Err(_)), ..) => "an invalid role_arn".to_owned(),
            (None, Some(role), Some(account)) => match awsrole_core::aws::arn::AccountId::parse(account) {
                Ok(account) => format!("{role} in {}, by IAM Identity Center", self.accounts.shown(&account)),
                Err(_) => format!("{role}, by IAM Identity Center"),
            },
            _ if profile.has_static_keys() => "keys (a session of their user)".to_owned(),
            _ if profile.text("login_session").is_some() => "the console's session".to_owned(),
            _ => "a program's credentials".to_owned(),
        }
    }

    pub(super) fn ask(&self, question: &str) -> Result<String, Problem> {
        let answer = self.terminal.ask(&format!("awsrole: {} ", escape(question)));
        let answer = answer.map_err(|_| Problem::new("nothing was written"))?;
        Ok(answer.trim().to_owned())
    }

    pub(super) fn show(&self, line: &str) {
        self.terminal.show(&format!("{}\n", escape(line)));
    }
}

/// Returns the session with this number or name. The numbers of sessions follow those of `profiles` profiles.
fn session<'s, 'p>(answer: &str, profiles: usize, all: &'s [Profile<'p>]) -> Option<&'s Profile<'p>> {
    let number = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(profiles + 1));
    number.and_then(|index| all.get(index)).or_else(|| all.iter().find(|session| session.name == answer))
}

/// Returns the profiles that can be chosen, those with a role first.
pub(super) fn choices(profiles: &Profiles) -> Vec<Profile<'_>> {
    let names = profiles.names();
    let found = names.iter().filter_map(|name| profiles.get(name));
    let (mut all, others): (Vec<_>, Vec<_>) =
        found.filter(gives).partition(|profile| profile.text("role_arn").is_some());
    all.extend(others);
    all
}

/// Returns the profile with this number or name, or else all profiles whose name contains the text.
pub(super) fn matching<'p>(answer: &str, all: &[Profile<'p>]) -> Vec<Profile<'p>> {
    let by_number = answer.parse::<usize>().ok().and_then(|number| all.get(number.checked_sub(1)?));
    let by_name = all.iter().find(|profile| profile.name == answer);
    match by_number.or(by_name) {
        Some(profile) => vec![*profile],
        None => all.iter().filter(|profile| !answer.is_empty() && profile.name.contains(answer)).copied().collect(),
    }
}

/// Returns whether a profile provides credentials, not only settings.
fn gives(profile: &Profile<'_>) -> bool {
    profile.has("role_arn") || profile.has_own_source()
}
