//! What a file says, for a person who is about to allow it. Nothing here becomes a plan.

use crate::accounts::Accounts;
use crate::arn::RoleArn;
use crate::config::{Config, Keys};
use crate::context::Paths;
use crate::limits::{ExternalId, MfaSerial, Region, SessionName};
use crate::problem::Problem;
use crate::profiles::Profiles;
use crate::resolve::First;

/// What one role of a file amounts to.
pub struct Summary {
    /// The `[role.NAME]`; `None` for the file's only role.
    pub name: Option<String>,
    /// Label and text, in the order in which they are shown.
    pub lines: Vec<(&'static str, String)>,
}

/// Summarizes each role of a file: those it names, or its only one.
pub fn summarize(
    config: &Config,
    profiles: &Profiles,
    accounts: &Accounts,
    paths: &Paths,
) -> Result<Vec<Summary>, Problem> {
    let mut names: Vec<Option<&str>> = config.role_names().map(Some).collect();
    if names.is_empty() || config.has_nameless_role() {
        names.insert(0, None);
    }
    names
        .into_iter()
        .map(|name| {
            config.select(name).map(|(name, keys)| Summary { lines: lines(&keys, profiles, accounts, paths), name })
        })
        .collect()
}

fn lines(keys: &Keys, profiles: &Profiles, accounts: &Accounts, paths: &Paths) -> Vec<(&'static str, String)> {
    let profile = keys.profile.as_deref().and_then(|name| profiles.get(name));
    let of_profile = |key: &str| profile.and_then(|profile| profile.text(key));
    let both = |in_file: Option<&str>, key: &str| in_file.or(of_profile(key)).map(str::to_owned);
    let role_arn = both(keys.role_arn.as_ref().map(RoleArn::as_str), "role_arn");
    let account = role_arn.as_deref().and_then(|arn| RoleArn::parse(arn).ok()).map(|arn| accounts.shown(arn.account()));
    let source = match (&keys.source_role, First::of(keys, profile, paths)) {
        (Some(role), _) => Some(format!("[role.{role}]")),
        (None, Ok(First::Profile(name) | First::Both(name))) => Some(format!("profile {name}")),
        (None, Ok(First::Source(source))) => Some(source.to_owned()),
        (None, Ok(First::Own(_) | First::Unsaid) | Err(_)) => {
            keys.profile.as_ref().map(|name| format!("profile {name}"))
        }
    };
    let missing = match &keys.profile {
        Some(name) if profile.is_none() => format!("unknown: there is no profile {name}"),
        _ => "none: a session of the source".to_owned(),
    };
    let mut lines = vec![("role", role_arn.unwrap_or(missing))];
    let mut add = |label, text: Option<String>| lines.extend(text.map(|text| (label, text)));
    add("account", account);
    add("pinned to", keys.account_id.as_ref().map(|id| accounts.shown(id)));
    add("region", both(keys.region.as_ref().map(Region::as_str), "region"));
    add("source", source);
    add("through", keys.profile.as_ref().map(|name| format!("profile {name}")));
    add("MFA", both(keys.mfa_serial.as_ref().map(MfaSerial::as_str), "mfa_serial"));
    add("external id", both(keys.external_id.as_ref().map(ExternalId::as_str), "external_id"));
    add("session name", both(keys.role_session_name.as_ref().map(SessionName::as_str), "role_session_name"));
    add("source identity", keys.source_identity.as_ref().map(|identity| identity.as_str().to_owned()));
    add(
        "duration",
        keys.duration_seconds
            .map(|s| format!("{} s", s.0))
            .or_else(|| of_profile("duration_seconds").map(|s| format!("{s} s"))),
    );
    add(
        "session tags",
        keys.session_tags
            .as_ref()
            .map(|tags| tags.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(", ")),
    );
    add("transitive", keys.transitive_session_tags.as_ref().map(|keys| keys.join(", ")));
    add("policy", keys.policy.as_ref().map(crate::config::Policy::json));
    add("policies", keys.policy_arns.as_ref().map(|arns| arns.join(", ")));
    add("confirm", keys.confirm.filter(|confirm| *confirm).map(|_| "entered by `awsrole use` alone".to_owned()));
    lines
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::discover::ConfigFile;
    use crate::profiles::tests::home;

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
        let file = ConfigFile { place: path.clone(), canonical: path.clone(), path, text: text.to_owned() };
        let config = Config::parse(&file).unwrap();
        let roles =
            summarize(&config, &Profiles::load(&context).unwrap(), &Accounts::default(), &context.paths).unwrap();
        let source = |role: &Summary| role.lines.iter().find(|line| line.0 == "source").map(|line| line.1.clone());
        roles.into_iter().map(|role| (role.name.clone(), source(&role))).collect()
    }

    #[test]
    fn shows_the_source_that_counts_and_every_role_that_cd_can_enter() {
        let some = |text: &str| Some(text.to_owned());
        for (file, expected) in [
            ("profile = \"dev\"", vec![(None, some("profile jump"))]),
            ("profile = \"keys\"", vec![(None, some("profile keys"))]),
            ("profile = \"token\"", vec![(None, some("profile token"))]),
            (
                "profile = \"keys\"\nrole_arn = \"arn:aws:iam::222222222222:role/Dev\"",
                vec![(None, some("profile jump"))],
            ),
            ("profile = \"dev\"\ncredential_source = \"Environment\"", vec![(None, some("Environment"))]),
            (
                "credential_source = \"EcsContainer\"\n[role.dev]\nprofile = \"dev\"",
                vec![(None, some("EcsContainer")), (some("dev"), some("EcsContainer"))],
            ),
            (
                "default_role = \"dev\"\ncredential_source = \"EcsContainer\"\n[role.dev]\nprofile = \"dev\"",
                vec![(some("dev"), some("EcsContainer"))],
            ),
        ] {
            assert_eq!(shown(file), expected, "{file}");
        }
    }
}
