//! A summary of a file for a user who is about to allow it. Nothing here becomes a plan.

use crate::aws::arn::RoleArn;
use crate::aws::parameters::{ExternalId, MfaSerial, Region, SessionName};
use crate::aws::profiles::Profiles;
use crate::aws::regions;
use crate::base::context::{Context, Paths};
use crate::base::location::Origin;
use crate::base::problem::Problem;
use crate::plan::guard::Guard;
use crate::plan::resolve::{InitialSource, Preview, preview};
use crate::project::config::{Config, Confirm, RoleConfig};
use crate::settings::accounts::Accounts;

/// The summary of one role of a file.
pub struct Summary {
    /// The `[role.NAME]`, or `None` for the file's nameless role.
    pub name: Option<String>,
    /// Labels and texts, in display order. A line without a label continues the text above.
    pub lines: Vec<(&'static str, String)>,
}

/// Summarizes each role of a file that can be assumed: the named roles and the nameless one.
///
/// `context` is the outer environment. The chain is shown as it would be resolved or, if that fails, as it is written.
pub fn summarize(
    config: &Config,
    profiles: &Profiles,
    accounts: &Accounts,
    context: &Context,
) -> Result<Vec<Summary>, Problem> {
    assumable_roles(config)
        .into_iter()
        .map(|name| {
            let previewed = preview(config, name, profiles, context);
            let guard = guard(config, name, &previewed, accounts);
            let (name, keys) = config.select(name)?;
            Ok(Summary { lines: lines(&keys, guard, profiles, accounts, &context.paths, &previewed), name })
        })
        .collect()
}

/// Returns the names of the roles that can be assumed, in the order of the file. Those of the files from which it
/// inherits follow. `None` is the nameless role.
fn assumable_roles(config: &Config) -> Vec<Option<&str>> {
    let mut names: Vec<Option<&str>> = config.role_names().map(Some).collect();
    names.sort_by_cached_key(|name| {
        let Origin { file, line } = config.origin(*name, "");
        (file != config.file, file, line)
    });
    if names.is_empty() || config.has_nameless_role() {
        names.insert(0, None);
    }
    names
}

/// Returns the problems of each role of a file that can be assumed, with the role's name.
///
/// It calls nothing, so refusals by AWS aren't included.
pub fn problems(config: &Config, profiles: &Profiles, context: &Context) -> Result<Vec<Problem>, Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for name in assumable_roles(config) {
        let (name, keys) = config.select(name)?;
        let region = match preview(config, name.as_deref(), profiles, context) {
            Ok(preview) => preview.region,
            Err(problem) => {
                if !problems.iter().any(|known| known.summary == problem.summary) {
                    problems.push(problem);
                }
                keys.region.as_ref().map(|region| region.as_str().to_owned())
            }
        };
        let unknown = region.as_deref().and_then(regions::warning);
        if let Some(text) = unknown.filter(|text| !problems.iter().any(|known| known.summary == *text)) {
            problems.push(Problem::new(text));
        }
    }
    Ok(problems)
}

/// Returns the name of the role that `cd` assumes, or the reason why it assumes none.
#[must_use]
pub fn assumed_by_cd(config: &Config, profiles: &Profiles, accounts: &Accounts, context: &Context) -> String {
    let (name, keys) = match config.select(None) {
        Err(problem) => return format!("nothing: {}", problem.summary),
        Ok(selected) => selected,
    };
    let previewed = preview(config, None, profiles, context);
    let guard = guard(config, None, &previewed, accounts);
    let after = if guard.confirm == Confirm::Never { "" } else { ", after a confirmation" };
    match (name, &guard.protected) {
        (Some(name), _) if guard.manual => format!("nothing: {name} is assumed only by `awsrole use {name}`"),
        (Some(name), _) => name + after,
        (None, Some(_)) if config.has_nameless_role() => {
            "nothing: a role in a protected account needs a name, in a table [role.NAME]".to_owned()
        }
        (None, None) if guard.manual => "nothing: a role with `manual` needs a name, in a table [role.NAME]".to_owned(),
        (None, _) if !config.has_nameless_role() => match config.role_names().next() {
            Some(name) => format!("nothing: there is no default role, and `awsrole use {name}` assumes one"),
            None => "nothing: the file defines no role".to_owned(),
        },
        (None, _) => match previewed {
            Ok(preview) => preview.title + after,
            Err(_) => match (&keys.role_arn, &keys.profile) {
                (Some(arn), _) => arn.name().to_owned() + after,
                (None, Some(profile)) => format!("the role of profile {profile}{after}"),
                (None, None) => format!("a session of the source{after}"),
            },
        },
    }
}

/// Returns the conditions of a role, as far as its account is known.
fn guard(config: &Config, role: Option<&str>, previewed: &Result<Preview, Problem>, accounts: &Accounts) -> Guard {
    Guard::of_file(config, role).protecting(previewed.iter().flat_map(Preview::accounts), accounts)
}

fn lines(
    keys: &RoleConfig,
    guard: Guard,
    profiles: &Profiles,
    accounts: &Accounts,
    paths: &Paths,
    previewed: &Result<Preview, Problem>,
) -> Vec<(&'static str, String)> {
    let profile = keys.profile.as_deref().and_then(|name| profiles.get(name));
    let of_profile = |key: &str| profile.and_then(|profile| profile.text(key));
    let both = |in_file: Option<&str>, key: &str| in_file.or(of_profile(key)).map(str::to_owned);
    let seen = previewed.as_ref().ok();
    let role_arn = match seen {
        Some(seen) => seen.role_arn.as_ref().map(ToString::to_string),
        None => both(keys.role_arn.as_ref().map(RoleArn::as_str), "role_arn"),
    };
    let account = role_arn.as_deref().and_then(|arn| RoleArn::parse(arn).ok()).map(|arn| arn.account().clone());
    let account = seen.and_then(|seen| seen.account.clone()).or(account).map(|account| accounts.shown(&account));
    let source_as_written = || match (&keys.source_role, InitialSource::of(keys, profile, paths)) {
        (Some(role), _) => Some(format!("[role.{role}]")),
        (None, Ok(InitialSource::Profile(name) | InitialSource::Both(name))) => Some(format!("profile {name}")),
        (None, Ok(InitialSource::Source(source))) => Some(source.to_owned()),
        (None, Ok(InitialSource::PermissionSet)) => {
            keys.sso_session.as_ref().map(|name| format!("[sso-session {name}]"))
        }
        // The line "through" names the profile.
        (None, Ok(InitialSource::Own(_) | InitialSource::RoleAlone(_) | InitialSource::Missing) | Err(_)) => None,
    };
    // The permission set has a line of its own.
    let seen_source = seen.filter(|_| !keys.names_permission_set()).map(|seen| seen.source.clone());
    let source = seen_source.or_else(source_as_written);
    let mfa = match seen {
        Some(seen) => seen.mfa.clone(),
        None => both(keys.mfa_serial.as_ref().map(MfaSerial::as_str), "mfa_serial"),
    };
    let is_there = |session: &str| profiles.sso_sessions().iter().any(|known| known.name == session);
    let missing = match (&keys.profile, &keys.sso_session) {
        (Some(name), _) if profile.is_none() => format!("unknown: there is no profile {name}"),
        (_, Some(name)) if seen.is_none() && !is_there(name) => format!("unknown: there is no [sso-session {name}]"),
        _ => "none: a session of the source".to_owned(),
    };
    let set = seen.and_then(|seen| permission_set(seen, accounts));
    let (role, set) = match (role_arn, set) {
        (None, Some(set)) => (format!("permission set {set}"), None),
        (role_arn, set) => (role_arn.unwrap_or(missing), set),
    };
    let mut lines = vec![("role", role)];
    let mut add = |label, text: Option<String>| lines.extend(text.map(|text| (label, text)));
    add("account", account);
    add("pinned to", keys.account_id.as_ref().map(|id| accounts.shown(id)));
    add("region", both(keys.region.as_ref().map(Region::as_str), "region"));
    add("source", source);
    add("permission set", set);
    for (index, link) in chain(previewed, accounts).into_iter().enumerate() {
        add(if index == 0 { "chain" } else { "" }, Some(link));
    }
    add("through", keys.profile.as_ref().map(|name| format!("profile {name}")));
    add("MFA", mfa);
    add("external ID", both(keys.external_id.as_ref().map(ExternalId::as_str), "external_id"));
    add("session name", both(keys.role_session_name.as_ref().map(SessionName::as_str), "role_session_name"));
    add("source identity", keys.source_identity.as_ref().map(|identity| identity.as_str().to_owned()));
    add(
        "duration",
        keys.duration_seconds
            .as_ref()
            .map(|s| format!("{} s", s.count))
            .or_else(|| of_profile("duration_seconds").map(|s| format!("{s} s"))),
    );
    add(
        "session tags",
        keys.session_tags
            .as_ref()
            .map(|tags| tags.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(", ")),
    );
    add("transitive", keys.transitive_session_tags.as_ref().map(|keys| keys.join(", ")));
    add("policy", keys.policy.as_ref().map(crate::project::config::Policy::json));
    add("policies", keys.policy_arns.as_ref().map(|arns| arns.join(", ")));
    add("preset", keys.preset.map(|preset| preset.name().to_owned()));
    add("protected", guard.protected.map(|_| "your config.toml protects the account".to_owned()));
    add("manual", guard.manual.then(|| "assumed only by `awsrole use`".to_owned()));
    let confirm = match guard.confirm {
        Confirm::Never => None,
        Confirm::Yes => Some("asks before it is assumed"),
        Confirm::Account => Some("asks for the account before it is assumed"),
    };
    add("confirm", confirm.map(str::to_owned));
    add("expires", keys.expires_after.map(|time| format!("{time} after `awsrole use`")));
    add("sudo", keys.elevate.as_ref().map(|name| format!("`awsrole sudo` uses {name}")));
    lines
}

/// Returns the permission set and the account of a source in IAM Identity Center.
fn permission_set(seen: &Preview, accounts: &Accounts) -> Option<String> {
    let account = seen.source_account.as_ref().map(|account| accounts.shown(account)).unwrap_or_default();
    seen.permission_set.as_ref().map(|name| format!("{name} in {account}"))
}

/// Returns the chain if it has more than one role, or that it can't be resolved. [`problems`] has the reason.
fn chain(previewed: &Result<Preview, Problem>, accounts: &Accounts) -> Vec<String> {
    let seen = match previewed {
        Ok(seen) => seen,
        Err(_) => return vec!["can't be resolved: see the warning below".to_owned()],
    };
    if seen.roles.len() < 2 {
        return Vec::new();
    }
    let named = |role: &RoleArn| match accounts.name(role.account()) {
        Some(name) => format!("→ {role} ({name})"),
        None => format!("→ {role}"),
    };
    [seen.source.clone()].into_iter().chain(seen.roles.iter().map(named)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::aws::profiles::tests::home;
    use crate::project::discover::ConfigFile;

    const CONFIG: &str = "\
[profile jump]
[profile dev]
role_arn = arn:aws:iam::222222222222:role/Dev
source_profile = jump
[profile keys]
aws_access_key_id = AKIAKEYS
source_profile = jump
[profile token]
role_arn = arn:aws:iam::222222222222:role/Ci
web_identity_token_file = /token
source_profile = jump
";

    fn shown(text: &str) -> Vec<(Option<String>, Option<String>)> {
        let (_home, context) = home(CONFIG, "");
        let path = PathBuf::from("/shop/.awsrole.toml");
        let file =
            ConfigFile { place: path.clone(), canonical: path.clone(), path, owner: None, text: text.to_owned() };
        let config = Config::parse(&file).unwrap();
        let roles = summarize(&config, &Profiles::load(&context).unwrap(), &Accounts::default(), &context).unwrap();
        let source = |role: &Summary| role.lines.iter().find(|line| line.0 == "source").map(|line| line.1.clone());
        roles.into_iter().map(|role| (role.name.clone(), source(&role))).collect()
    }

    #[test]
    fn summarizes_the_effective_source_and_every_role_that_can_be_entered() {
        let some = |text: &str| Some(text.to_owned());
        for (file, expected) in [
            ("profile = \"dev\"", vec![(None, some("profile jump"))]),
            ("profile = \"keys\"", vec![(None, None)]), // the line "through" names the profile
            ("profile = \"token\"", vec![(None, some("profile token (web identity)"))]),
            (
                "profile = \"keys\"\nrole_arn = \"arn:aws:iam::222222222222:role/Dev\"",
                vec![(None, some("profile jump"))],
            ),
            ("profile = \"dev\"\ncredential_source = \"Environment\"", vec![(None, some("Environment"))]),
            (
                "credential_source = \"EcsContainer\"\n[role.dev]\nprofile = \"dev\"",
                vec![(None, some("container credentials")), (some("dev"), some("container credentials"))],
            ),
            (
                "default_role = \"dev\"\ncredential_source = \"EcsContainer\"\n[role.dev]\nprofile = \"dev\"",
                vec![(some("dev"), some("container credentials"))],
            ),
        ] {
            assert_eq!(shown(file), expected, "{file}");
        }
    }

    #[test]
    fn a_protected_account_in_the_middle_of_a_chain_is_shown() {
        let account = crate::settings::accounts::Account { protect: true, ..Default::default() };
        let protected = Accounts([(crate::aws::arn::AccountId::parse("222222222222").unwrap(), account)].into());
        let (_home, context) = home(CONFIG, "[jump]\naws_access_key_id = AKIAJUMP\naws_secret_access_key = canary\n");
        let config = crate::project::config::tests::config(
            "default_role = 'far'\n[role.near]\nprofile = 'dev'\n\
             [role.far]\nrole_arn = 'arn:aws:iam::333333333333:role/Far'\nsource_role = 'near'\n",
        );
        let profiles = Profiles::load(&context).unwrap();
        for (accounts, expected) in [(&protected, true), (&Accounts::default(), false)] {
            let roles = summarize(&config, &profiles, accounts, &context).unwrap();
            assert!(roles.iter().all(|role| role.lines.iter().any(|(label, _)| *label == "protected") == expected));
            let nothing = assumed_by_cd(&config, &profiles, accounts, &context).starts_with("nothing: far");
            assert_eq!(nothing, expected);
        }
    }
}
