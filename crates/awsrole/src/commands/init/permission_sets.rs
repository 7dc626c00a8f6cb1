//! Permission sets of IAM Identity Center for `awsrole init`: which ones the user has, and which one the file names.

use awsrole_core::aws::arn::AccountId;
use awsrole_core::aws::parameters::PermissionSet;
use awsrole_core::aws::profiles::{Profile, Profiles};
use awsrole_core::aws::source::{IdentityCenter, SourceError};
use awsrole_core::aws::sso_session::SsoSession;
use awsrole_core::base::agent::Agent;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::base::suggest::suggestion;
use awsrole_core::plan::resolve::sign_in_of_session;
use awsrole_core::session::assignments::{AssignedAccount, Assignments};
use awsrole_core::session::cache::Cache;
use awsrole_core::session::fetch::LOCK_TIMEOUT;
use awsrole_core::settings::account_names;
use awsrole_core::settings::user_config::Settings;
use awsrole_sts::{RemoteSts, list_accounts, list_permission_sets};

use super::questions::{Questions, item};
use crate::cli::SignInOptions;
use crate::commands::common;
use crate::commands::sign_in;
use crate::picker::{Item, Picked};
use crate::report::CommandError;

/// The number of accounts that an error names.
const MAX_SHOWN: usize = 40;

/// The options that name a permission set.
#[derive(Debug, Clone)]
pub(in crate::commands) struct SetOptions {
    /// The `[sso-session NAME]`. `None` is the only one.
    pub(in crate::commands) session: Option<String>,
    /// The ID or the name of the account.
    pub(in crate::commands) account: Option<String>,
    /// The permission set.
    pub(in crate::commands) role_name: Option<String>,
}

impl SetOptions {
    /// Returns whether nothing needs to be listed.
    pub(super) fn is_complete(&self) -> bool {
        self.role_name.is_some() && self.account.is_some()
    }
}

/// The permission set that the file names.
#[derive(Debug, Clone)]
pub(in crate::commands) struct ChosenSet {
    pub(super) session: String,
    pub(super) account: AccountId,
    /// The account's name, if it is known.
    pub(super) account_name: Option<String>,
    pub(super) permission_set: PermissionSet,
}

/// Lists what the user may choose.
pub(super) struct Portal<'a> {
    pub(super) profiles: &'a Profiles,
    /// The context without awsrole's exports.
    pub(super) outer: &'a Context,
    pub(super) settings: &'a Settings,
}

impl<'a> Portal<'a> {
    /// Returns the `[sso-session]` sections.
    pub(super) fn sessions(&self) -> Vec<Profile<'a>> {
        self.profiles.sso_sessions()
    }

    /// Completes the options. What they don't name is listed, and the user chooses it on the terminal. The only account
    /// or permission set needs no choice. Several permission sets are returned only if the user marked them.
    ///
    /// # Errors
    /// Fails if nothing can be listed, if something named isn't in the list, and without a terminal if there are
    /// several to choose from.
    pub(super) fn complete(
        &self,
        options: &SetOptions,
        questions: Option<&Questions<'_>>,
    ) -> Result<Vec<ChosenSet>, CommandError> {
        let session = match &options.session {
            Some(session) => session.clone(),
            None => common::only_session(self.profiles, self.outer)?,
        };
        let sign_in = sign_in_of_session(self.profiles, self.outer, &session, "--sso-session")?;
        let known = &self.settings.get()?.accounts;
        let account = match options.account.as_deref().map(AccountId::parse) {
            Some(Ok(id)) => AssignedAccount { name: known.name(&id).unwrap_or_default().to_owned(), id },
            _ => {
                let lists = self.lists(&sign_in, None, questions)?;
                account(lists.accounts(), &session, options.account.as_deref(), questions)?
            }
        };
        let permission_sets = match &options.role_name {
            Some(name) => {
                let parsed = PermissionSet::parse(name);
                let parsed = parsed.map_err(|error| Problem::new(format!("--role-name {error}")))?;
                self.is_assigned(&parsed, &account, &sign_in)?;
                vec![parsed]
            }
            None => {
                let lists = self.lists(&sign_in, Some(&account.id), questions)?;
                permission_sets(lists.permission_sets(&account.id), &account, questions)?
            }
        };
        let account_name = Some(account.name).filter(|name| !name.is_empty());
        let chosen = permission_sets.into_iter().map(|permission_set| ChosenSet {
            session: session.clone(),
            account: account.id.clone(),
            account_name: account_name.clone(),
            permission_set,
        });
        Ok(chosen.collect())
    }

    /// Checks that the user has a permission set, if that can be found out without a sign-in.
    fn is_assigned(
        &self,
        permission_set: &PermissionSet,
        account: &AssignedAccount,
        sign_in: &IdentityCenter,
    ) -> Result<(), CommandError> {
        let Ok(Ok(lists)) = self.listed(sign_in, Some(&account.id)) else { return Ok(()) };
        let all: Vec<&str> = lists.permission_sets(&account.id).iter().map(PermissionSet::as_str).collect();
        if all.is_empty() || all.contains(&permission_set.as_str()) {
            return Ok(());
        }
        let name = permission_set.as_str();
        Err(Problem::new(format!("--role-name: you have no permission set `{name}` in account {}", account.id))
            .hint(suggestion(name, "you have", &all))
            .into())
    }

    /// Lists the accounts, or the permission sets in one. If the user isn't signed in, offers it on the terminal.
    fn lists(
        &self,
        sign_in: &IdentityCenter,
        account: Option<&AccountId>,
        questions: Option<&Questions<'_>>,
    ) -> Result<Assignments, CommandError> {
        let mut signed_in_now = false;
        loop {
            let problem = match self.listed(sign_in, account)? {
                Ok(lists) => return Ok(lists),
                Err(SourceError::Failed(problem)) => return Err(CommandError::aws(problem)),
                Err(SourceError::SignedOut(problem)) => problem,
            };
            let title = sign_in.session.as_deref().unwrap_or_default();
            let may_ask = !signed_in_now && Agent::recognize(&self.outer.env).is_none();
            match questions.filter(|_| may_ask) {
                Some(questions) if questions.yes(&format!("sign in to {title} now?"))? => {
                    let session = SsoSession::of_role(sign_in, self.profiles);
                    sign_in::run(&session, SignInOptions::default(), self.outer, self.settings)?;
                    signed_in_now = true;
                }
                _ => return Err(CommandError::aws(problem)),
            }
        }
    }

    fn listed(
        &self,
        sign_in: &IdentityCenter,
        account: Option<&AccountId>,
    ) -> Result<Result<Assignments, SourceError>, CommandError> {
        let mut lists = Assignments::load(sign_in, self.outer);
        let is_there = match account {
            None => !lists.accounts().is_empty(),
            Some(account) => !lists.permission_sets(account).is_empty(),
        };
        if is_there {
            return Ok(Ok(lists));
        }
        // A refresh token can be used once, so only one process at a time renews the token of a sign-in.
        let cache = Cache::open(self.outer, self.settings.or_default().key);
        let _lock = cache.lock(&sign_in.lock_key(), LOCK_TIMEOUT).map_err(|error| {
            Problem::new("cannot list the accounts yet").because(error).hint("end that process, or try again")
        })?;
        let record = |sts: &RemoteSts<'_>| -> Result<(), SourceError> {
            // Without the files the lists are fetched again the next time.
            match account {
                None => {
                    let accounts = list_accounts(sts, sign_in)?;
                    let names = accounts.iter().map(|account| (account.id.clone(), account.name.clone()));
                    let _ = account_names::record(&self.outer.paths, names);
                    let _ = lists.record_accounts(accounts);
                }
                Some(account) => {
                    let _ = lists.record_permission_sets(account, list_permission_sets(sts, sign_in, account)?);
                }
            }
            Ok(())
        };
        let listed = common::with_remote(self.outer, self.settings, record);
        Ok(listed.map(|()| lists))
    }
}

/// Returns the account that the options name, the only one, or the one that the user chooses.
fn account(
    all: &[AssignedAccount],
    session: &str,
    named: Option<&str>,
    questions: Option<&Questions<'_>>,
) -> Result<AssignedAccount, CommandError> {
    let items = all.iter().map(|account| item(&account.name, account.id.as_str()));
    let items: Vec<Item> = items.collect();
    if let Some(name) = named {
        let found: Vec<_> = all.iter().filter(|account| account.name == name).collect();
        return match found[..] {
            [account] => Ok(account.clone()),
            [] => {
                let names: Vec<&str> = all.iter().map(|account| account.name.as_str()).take(MAX_SHOWN).collect();
                Err(Problem::new(format!("--account: {session} has no account `{name}` for you"))
                    .hint(suggestion(name, "the first accounts are", &names))
                    .into())
            }
            _ => {
                let ids: Vec<&str> = found.iter().map(|account| account.id.as_str()).collect();
                Err(Problem::new(format!("--account: several accounts of {session} are called `{name}`"))
                    .hint(format!("name one by its ID: {}", ids.join(", ")))
                    .into())
            }
        };
    }
    match (all, questions) {
        ([], _) => Err(Problem::new(format!("{session} shows no account to you"))
            .hint("an administrator of Identity Center can assign a permission set")
            .into()),
        ([only], _) => Ok(only.clone()),
        (_, Some(questions)) => Ok(all[choose_one(questions, "account", &items)?].clone()),
        (_, None) => Err(Problem::new(format!("{session} has {} accounts for you", all.len()))
            .hint("name one with `--account ID`, or run the command on a terminal to choose one")
            .into()),
    }
}

/// Returns the only permission set in an account, or those that the user chooses.
fn permission_sets(
    all: &[PermissionSet],
    account: &AssignedAccount,
    questions: Option<&Questions<'_>>,
) -> Result<Vec<PermissionSet>, CommandError> {
    let items = all.iter().map(|set| item(set.as_str(), ""));
    let items: Vec<Item> = items.collect();
    match (all, questions) {
        ([], _) => Err(Problem::new(format!("you have no permission set in account {}", account.id))
            .hint("an administrator of Identity Center can assign one")
            .into()),
        ([only], _) => Ok(vec![only.clone()]),
        (_, Some(questions)) => {
            let chosen = choose_several(questions, "permission set", &items)?;
            Ok(chosen.into_iter().map(|index| all[index].clone()).collect())
        }
        (_, None) => {
            let names: Vec<&str> = all.iter().map(PermissionSet::as_str).collect();
            Err(Problem::new(format!("you have several permission sets in account {}", account.id))
                .hint(format!("name one with `--role-name`: {}", names.join(", ")))
                .into())
        }
    }
}

/// Lets the user choose an item. A typed part of an account's ID, or of a name in another case, is enough if it is
/// unambiguous. Returns its index.
fn choose_one(questions: &Questions<'_>, what: &str, items: &[Item]) -> Result<usize, Problem> {
    loop {
        match questions.pick_item(&format!("{what}:"), items)? {
            Picked::Items(index) => return Ok(index),
            Picked::Text(text) => {
                if let Some(index) = only_match(&text, questions, what, items) {
                    return Ok(index);
                }
            }
        }
    }
}

/// Lets the user choose several items, at least one, or type a part of one as in [`choose_one`]. Returns their indices.
fn choose_several(questions: &Questions<'_>, what: &str, items: &[Item]) -> Result<Vec<usize>, Problem> {
    loop {
        match questions.pick_items(&format!("{what}:"), items)? {
            Picked::Items(indices) => return Ok(indices),
            Picked::Text(text) => {
                if let Some(index) = only_match(&text, questions, what, items) {
                    return Ok(vec![index]);
                }
            }
        }
    }
}

/// Returns the only item that a typed text matches. If there are none or several, says so.
fn only_match(text: &str, questions: &Questions<'_>, what: &str, items: &[Item]) -> Option<usize> {
    match matching(text, items)[..] {
        [index] => return Some(index),
        [] => questions.show(&format!("  no such {what} (Ctrl-C cancels)")),
        ref several => questions.show(&format!("  {} {what}s match", several.len())),
    }
    None
}

/// Returns the indices of the items whose name or description contains a text.
fn matching(text: &str, items: &[Item]) -> Vec<usize> {
    let part = text.to_lowercase();
    let contains = |item: &Item| item.name.to_lowercase().contains(&part) || item.about.contains(&part);
    let found = items.iter().enumerate().filter(|(_, item)| !part.is_empty() && contains(item));
    found.map(|(index, _)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_items_by_a_part_of_their_name_or_id() {
        let items = [("shop-prod", "111111111111"), ("Shop-Dev", "222222222222"), ("2", "333333333333")];
        let items = items.map(|(name, about)| item(name, about));
        for (answer, expected) in [("3333", &[2][..]), ("SHOP-", &[0, 1]), ("dev", &[1]), ("99", &[]), ("", &[])] {
            assert_eq!(matching(answer, &items), expected, "{answer:?}");
        }
    }
}
