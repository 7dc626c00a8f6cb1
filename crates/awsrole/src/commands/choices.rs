//! The roles and profiles that the user can pick from, as items of a list.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use awsrole_core::aws::access_keys::Record;
use awsrole_core::aws::arn::{AccountId, RoleArn};
use awsrole_core::aws::profiles::{Profile, Profiles};
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::plan::guard::Guard;
use awsrole_core::plan::resolve::{Preview, preview};
use awsrole_core::project::config::{Config, Confirm};
use awsrole_core::session::history::History;
use awsrole_core::settings::accounts::Accounts;

use crate::picker::Item;

/// A role or a profile that can be picked.
pub(super) enum RoleOrProfile<'a> {
    /// A `[role.NAME]` of the project file.
    Role(&'a str),
    /// The project's role without a name, which `cd` assumes, by its display name.
    NamelessRole(String),
    /// A profile of the AWS files.
    Profile(&'a str),
}

/// When roles and profiles were last used. A larger number is later.
pub(super) struct LastUse {
    /// By the role's display name, with the directory.
    entries: Vec<(String, String)>,
}

impl LastUse {
    /// Reads the history.
    pub(super) fn read(context: &Context) -> Self {
        let entries = History::in_dir(&context.paths.state).read().into_iter();
        Self { entries: entries.map(|entry| (entry.role, entry.directory)).collect() }
    }

    /// Sorts choices, roles before profiles, each by their last use, the last used first. The others keep their order.
    ///
    /// `project` is the directory of the project file. Roles of other projects may have the same name.
    fn sort(&self, choices: &mut [RoleOrProfile<'_>], project: &Path) {
        let numbered = || self.entries.iter().enumerate();
        let anywhere: HashMap<&str, usize> = numbered().map(|(at, (role, _))| (role.as_str(), at)).collect();
        let here = numbered().filter(|(_, (_, directory))| Path::new(directory).starts_with(project));
        let here: HashMap<&str, usize> = here.map(|(at, (role, _))| (role.as_str(), at)).collect();
        choices.sort_by_key(|choice| {
            let (is_profile, last) = match choice {
                RoleOrProfile::Role(name) => (false, here.get(name)),
                RoleOrProfile::NamelessRole(title) => (false, here.get(title.as_str())),
                RoleOrProfile::Profile(name) => (true, anywhere.get(name)),
            };
            (is_profile, std::cmp::Reverse(last.copied()))
        });
    }
}

/// Returns the roles of a project file and then all profiles with credentials, each the last used first. The default
/// role precedes the other roles that were never used.
pub(super) fn roles_and_profiles<'a>(
    config: Option<&'a Config>,
    profiles: &'a Profiles,
    last_use: &LastUse,
    context: &Context,
) -> Vec<RoleOrProfile<'a>> {
    let nameless = config.filter(|config| config.has_nameless_role()).map(|config| {
        let title = preview(config, None, profiles, context).map(|preview| preview.title);
        RoleOrProfile::NamelessRole(title.unwrap_or_else(|_| "default role".to_owned()))
    });
    let roles = config.into_iter().flat_map(Config::role_names).map(RoleOrProfile::Role);
    let mut all: Vec<RoleOrProfile<'a>> = nameless.into_iter().chain(roles).collect();
    let default = config.and_then(|config| config.default_role.as_deref());
    all.sort_by_key(|one| matches!(one, RoleOrProfile::Role(name) if Some(*name) != default));
    all.extend(with_credentials(profiles, context).into_iter().map(|profile| RoleOrProfile::Profile(profile.name)));
    let project = config.and_then(|config| config.file.parent()).unwrap_or(Path::new("/"));
    last_use.sort(&mut all, project);
    all
}

/// Returns the profiles that provide credentials, the last used first.
pub(super) fn profiles_by_last_use<'a>(
    profiles: &'a Profiles,
    last_use: &LastUse,
    context: &Context,
) -> Vec<Profile<'a>> {
    let choices = roles_and_profiles(None, profiles, last_use, context).into_iter();
    let profile = |choice| match choice {
        RoleOrProfile::Profile(name) => profiles.get(name),
        RoleOrProfile::Role(_) | RoleOrProfile::NamelessRole(_) => None,
    };
    choices.filter_map(profile).collect()
}

/// Returns the profiles that provide credentials, those with a role first. The keys of some are in a store.
fn with_credentials<'a>(profiles: &'a Profiles, context: &Context) -> Vec<Profile<'a>> {
    let names = profiles.names();
    let found = names.iter().filter_map(|name| profiles.get(name));
    let stored: HashSet<String> = Record::all(&context.paths).into_iter().map(|record| record.profile).collect();
    let provides =
        |profile: &Profile<'_>| profile.has("role_arn") || profile.has_own_source() || stored.contains(profile.name);
    let (mut all, others): (Vec<_>, Vec<_>) =
        found.filter(provides).partition(|profile| profile.text("role_arn").is_some());
    all.extend(others);
    all
}

/// Returns an item for a role. `name` is that in the file, and `current` the display name of the role that this shell
/// holds.
///
/// # Errors
/// Fails if the file doesn't define the role.
pub(super) fn role_item(
    name: Option<&str>,
    title: &str,
    config: &Config,
    profiles: &Profiles,
    accounts: &Accounts,
    outer: &Context,
    current: Option<&str>,
) -> Result<Item, Problem> {
    let keys = config.select(name)?.1;
    let previewed = preview(config, name, profiles, outer).ok();
    let account = previewed.as_ref().and_then(|preview| preview.expected_account.clone());
    let account = account.or_else(|| keys.role_arn.as_ref().map(|arn| arn.account().clone()));
    let led_to = account.iter().chain(previewed.iter().flat_map(Preview::accounts));
    let guard = Guard::of_file(config, name).protecting(led_to, accounts);
    let marks = [
        ("current", current == Some(title)),
        ("default", config.default_role.as_deref() == name),
        ("manual", guard.manual),
        ("confirm", guard.confirm != Confirm::Never),
    ];
    Ok(Item {
        name: title.to_owned(),
        about: account.as_ref().map(|account| accounts.shown(account)).unwrap_or_default(),
        marks: marks.iter().filter(|(_, applies)| *applies).map(|(mark, _)| *mark).collect(),
        color: account.and_then(|account| accounts.color(&account)),
    })
}

/// Returns an item for a profile. `mark` says what it is for this shell.
pub(super) fn profile_item(profile: &Profile<'_>, accounts: &Accounts, mark: Option<&'static str>) -> Item {
    Item {
        name: profile.name.to_owned(),
        about: about(profile, accounts),
        marks: mark.into_iter().collect(),
        color: account_of(profile).and_then(|account| accounts.color(&account)),
    }
}

/// Returns the account of a profile, if it is known without calling AWS.
pub(super) fn account_of(profile: &Profile<'_>) -> Option<AccountId> {
    match profile.text("role_arn") {
        Some(arn) => RoleArn::parse(arn).ok().map(|arn| arn.account().clone()),
        None => AccountId::parse(profile.text("sso_account_id")?).ok(),
    }
}

/// Describes what a profile provides.
fn about(profile: &Profile<'_>, accounts: &Accounts) -> String {
    let parsed = profile.text("role_arn").map(RoleArn::parse);
    match (parsed, profile.text("sso_role_name"), profile.text("sso_account_id")) {
        (Some(Ok(arn)), ..) => format!("{} in {}", arn.name(), accounts.shown(arn.account())),
        (Some(Err(_)), ..) => "an invalid role_arn".to_owned(),
        (None, Some(role), Some(account)) => match AccountId::parse(account) {
            Ok(account) => format!("{role} in {}, by IAM Identity Center", accounts.shown(&account)),
            Err(_) => format!("{role}, by IAM Identity Center"),
        },
        _ if profile.has_static_keys() => "keys (a session of their user)".to_owned(),
        _ if profile.text("login_session").is_some() => "the console's session".to_owned(),
        _ if profile.has("credential_process") => "a program's credentials".to_owned(),
        _ => "stored keys (a session of their user)".to_owned(),
    }
}
