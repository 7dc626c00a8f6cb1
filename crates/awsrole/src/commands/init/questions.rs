//! The prompts of `awsrole init` without options.

use awsrole_core::aws::arn::RoleArn;
use awsrole_core::aws::parameters::Region;
use awsrole_core::aws::profiles::{Profile, Profiles};
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::{Problem, escape};
use awsrole_core::settings::accounts::Accounts;

use super::super::choices::{LastUse, profile_item, profiles_by_last_use};
use super::permission_sets::{ChosenSet, Portal, SetOptions};
use super::{InitOptions, account_of};
use crate::picker::{Item, Picked, Question, pick_one, pick_several};
use crate::report::CommandError;
use crate::terminal::Terminal;

/// The error if the user cancels.
const CANCELLED: &str = "nothing was written";

/// The terminal and the choices for its prompts.
pub(super) struct Questions<'a> {
    pub(super) terminal: Terminal,
    pub(super) profiles: &'a Profiles,
    pub(super) accounts: &'a Accounts,
    pub(super) portal: &'a Portal<'a>,
    pub(super) context: &'a Context,
}

impl Questions<'_> {
    /// Prompts for the roles of the file, except for permission sets and a region that are known already.
    pub(super) fn wanted(&self, given: InitOptions, chosen: Vec<ChosenSet>) -> Result<Vec<InitOptions>, CommandError> {
        let mut wanted = match chosen.is_empty() {
            false => self.of_sets(chosen, given.region)?,
            true => self.roles(given.region.as_deref())?,
        };
        let named = wanted.first().and_then(|one| one.permission_set.as_ref()?.account_name.clone());
        let mut accounts: Vec<_> = wanted.iter().filter_map(|one| account_of(one, self.profiles)).collect();
        accounts.dedup();
        let pin = match accounts.as_slice() {
            [] => true,
            [account] => self.yes(&format!(
                "pin account {}, so that no other account's credentials are exported?",
                named.map_or_else(|| self.accounts.shown(account), |name| format!("{} ({account})", escape(&name)))
            ))?,
            _ => self.yes("pin their accounts, so that no other account's credentials are exported?")?,
        };
        wanted.iter_mut().for_each(|one| one.pin = pin);
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
        let answer = self.terminal.agree(&format!("awsrole: {}", escape(question)));
        answer.map_err(|_| Problem::new("nothing was written"))
    }

    /// Prompts for the region of permission sets, which have no profile that provides one.
    fn of_sets(&self, chosen: Vec<ChosenSet>, region: Option<String>) -> Result<Vec<InitOptions>, Problem> {
        let region = region.map_or_else(|| self.region(), |region| Ok(Some(region)))?;
        let of_set = |set| InitOptions {
            permission_set: Some(set),
            region: region.clone(),
            pin: true,
            ..InitOptions::default()
        };
        Ok(chosen.into_iter().map(of_set).collect())
    }

    fn roles(&self, given: Option<&str>) -> Result<Vec<InitOptions>, CommandError> {
        let all = profiles_by_last_use(self.profiles, &LastUse::read(self.context), self.context);
        let sessions = self.portal.sessions();
        if all.is_empty() && sessions.is_empty() {
            let [config, credentials] = self.profiles.shown(self.context);
            return Err(Problem::new(format!("neither {config} nor {credentials} has a profile with credentials"))
                .hint("create one with `aws configure` or `aws configure sso`")
                .into());
        }
        loop {
            let arn = match self.pick_items("profile, or ARN of a role:", &self.items(&all, &sessions))? {
                Picked::Items(indices) if indices.iter().any(|index| *index >= all.len()) => {
                    let [index] = indices[..] else {
                        self.show("  an SSO session can't be marked together with others");
                        continue;
                    };
                    let session = sessions[index - all.len()].name.to_owned();
                    let set = SetOptions { session: Some(session), account: None, role_name: None };
                    let chosen = self.portal.complete(&set, Some(self))?;
                    return Ok(self.of_sets(chosen, given.map(str::to_owned))?);
                }
                Picked::Items(indices) => {
                    let names = indices.iter().filter_map(|index| Some(all.get(*index)?.name.to_owned()));
                    return Ok(names.map(|name| InitOptions::of_profile(name, given.map(str::to_owned))).collect());
                }
                Picked::Text(arn) if arn.starts_with("arn:") => arn,
                Picked::Text(_) => {
                    self.show("  no such profile (Ctrl-C cancels)");
                    continue;
                }
            };
            if let Err(error) = RoleArn::parse(&arn) {
                self.show(&format!("  it {error}"));
                continue;
            }
            let source_profile = Some(self.source(&all)?);
            let region = match given {
                Some(region) => Some(region.to_owned()),
                None => self.region()?,
            };
            return Ok(vec![InitOptions {
                role_arn: Some(arn),
                source_profile,
                region,
                pin: true,
                ..InitOptions::default()
            }]);
        }
    }

    /// Prompts for the source profile of a role that was typed.
    fn source(&self, all: &[Profile<'_>]) -> Result<String, Problem> {
        loop {
            if let Picked::Items(index) = self.pick_item("profile that assumes it:", &self.items(all, &[]))? {
                return Ok(all[index].name.to_owned());
            }
            self.show("  no such profile (Ctrl-C cancels)");
        }
    }

    /// Returns the items for profiles and then for SSO sessions.
    fn items(&self, all: &[Profile<'_>], sessions: &[Profile<'_>]) -> Vec<Item> {
        let profiles = all.iter().map(|profile| profile_item(profile, self.accounts, None));
        let about = "any of your accounts in IAM Identity Center";
        profiles.chain(sessions.iter().map(|session| item(session.name, about))).collect()
    }

    /// Lets the user pick one of any items.
    pub(super) fn pick_item(&self, text: &str, items: &[Item]) -> Result<Picked<usize>, Problem> {
        pick_one(&self.terminal, &self.context.env, &Question { text, cancelled: CANCELLED }, items)
    }

    /// Lets the user pick several of any items.
    pub(super) fn pick_items(&self, text: &str, items: &[Item]) -> Result<Picked<Vec<usize>>, Problem> {
        pick_several(&self.terminal, &self.context.env, &Question { text, cancelled: CANCELLED }, items)
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

    fn ask(&self, question: &str) -> Result<String, Problem> {
        let answer = self.terminal.ask(&format!("awsrole: {} ", escape(question)));
        let answer = answer.map_err(|_| Problem::new(CANCELLED))?;
        Ok(answer.trim().to_owned())
    }

    pub(super) fn show(&self, line: &str) {
        self.terminal.show(&format!("{}\n", escape(line)));
    }
}

/// Returns an item without marks.
pub(super) fn item(name: &str, about: &str) -> Item {
    Item { name: name.to_owned(), about: about.to_owned(), marks: Vec::new(), color: None }
}
