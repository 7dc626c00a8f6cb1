//! `.mairu.json`: a role of IAM Identity Center, and possibly one that it assumes (README of mairu, "`auto` role").

use awsrole_core::aws::profiles::Profiles;

use super::settings::{Imported, ShownLine};
use crate::commands::init::toml_string;
use crate::overrides::documents::{Scalar, yaml};

/// The name of the file.
pub(super) const FILE_NAME: &str = ".mairu.json";

/// The keys of `assume_role`, which have the same names in a project file.
const ASSUMED: [&str; 4] = ["role_arn", "external_id", "role_session_name", "duration_seconds"];

pub(super) fn read(text: &str, place: &ShownLine, imported: &mut Imported, profiles: &Profiles) {
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        return imported.skip(&place.line(error.line()), "the file isn't valid JSON");
    }
    let entries = yaml(text);
    let get = |keys: &[&str]| entries.iter().find(|entry| entry.keys() == keys);
    let Some(role) = get(&["role"]) else { return imported.skip(place, "it has no `role`") };
    let at = place.line(role.line);
    let Some((account, name)) = role.value.split_once('/') else {
        return imported.skip(&at, "the role isn't ACCOUNT/NAME of IAM Identity Center");
    };
    let Some(profile) = profile_of(account, name, profiles) else {
        let text = format!(
            "no profile has the sso_account_id {account} and the sso_role_name {name}: `aws configure sso` creates one"
        );
        return imported.skip(&at, &text);
    };
    let assumed: Vec<(&'static str, &Scalar)> =
        ASSUMED.into_iter().filter_map(|key| Some((key, get(&["assume_role", key])?))).collect();
    let key = if assumed.iter().any(|(key, _)| *key == "role_arn") { "source_profile" } else { "profile" };
    imported.set(key, toml_string(profile), &at);
    for (key, entry) in assumed {
        let is_number = entry.value.bytes().all(|byte| byte.is_ascii_digit());
        let value =
            if key == "duration_seconds" && is_number { entry.value.clone() } else { toml_string(&entry.value) };
        imported.set(key, value, &place.line(entry.line));
    }
    if let Some(mode) = get(&["mode"]) {
        imported.skip(&place.line(mode.line), "`mode` isn't needed");
    }
}

/// Returns the profile with a permission set, by the names of the AWS CLI or of granted.
fn profile_of<'p>(account: &str, role: &str, profiles: &'p Profiles) -> Option<&'p str> {
    let has = |name: &str, prefix: &str| {
        profiles.get(name).is_some_and(|profile| {
            profile.text(&format!("{prefix}sso_account_id")) == Some(account)
                && profile.text(&format!("{prefix}sso_role_name")) == Some(role)
                && !profile.has("role_arn")
        })
    };
    ["", "granted_"].into_iter().find_map(|prefix| profiles.names().into_iter().find(|name| has(name, prefix)))
}
