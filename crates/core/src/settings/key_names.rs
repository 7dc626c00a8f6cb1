//! The keys of a project file and of config.toml, to say of a key in the wrong file where it belongs.

/// The keys of a role, which a project file has at top level and in each `[role.NAME]`.
pub const ROLE_KEYS: [&str; 24] = [
    "profile",
    "role_arn",
    "source_profile",
    "source_role",
    "credential_source",
    "sso_session",
    "sso_account_id",
    "sso_role_name",
    "mfa_serial",
    "external_id",
    "role_session_name",
    "source_identity",
    "duration_seconds",
    "session_tags",
    "transitive_session_tags",
    "policy",
    "policy_arns",
    "preset",
    "region",
    "account_id",
    "manual",
    "confirm",
    "expires_after",
    "elevate",
];

/// The other keys of a project file, all at top level.
pub const PROJECT_KEYS: [&str; 5] = ["agent", "default_role", "inherit", "profiles", "role"];

/// The tables of config.toml with their keys, without the keys of a project file. The first one is the top level.
pub(super) const USER_TABLES: [(&str, &[&str]); 7] = [
    ("", &["trust", "mfa_process", "limits", "accounts", "cache", "keys", "browser"]),
    ("[[trust]]", &["path"]),
    ("[limits]", &["connect", "attempt", "whole", "process"]),
    ("[accounts.ID]", &["name", "color", "protect"]),
    ("[cache]", &["key"]),
    ("[keys]", &["store"]),
    ("[browser]", &["command"]),
];

/// Returns the hint for a key of config.toml that a project file contains.
#[must_use]
pub fn hint_for_user_key(name: &str) -> Option<String> {
    let (table, _) = USER_TABLES.iter().find(|(_, keys)| keys.contains(&name))?;
    let place = if table.is_empty() { String::new() } else { format!(", in {table}") };
    Some(format!("set it in your config.toml{place}"))
}

/// Returns the hint for a key of a project file that config.toml contains.
#[must_use]
pub fn hint_for_project_key(name: &str) -> Option<&'static str> {
    let is_known = ROLE_KEYS.iter().chain(&PROJECT_KEYS).any(|key| *key == name);
    is_known.then_some("set it in the .awsrole.toml of a project")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_table_of_a_users_key() {
        assert_eq!(hint_for_user_key("browser").unwrap(), "set it in your config.toml");
        assert_eq!(hint_for_user_key("protect").unwrap(), "set it in your config.toml, in [accounts.ID]");
        assert_eq!(hint_for_user_key("agent"), None);
        for key in USER_TABLES.iter().flat_map(|(_, keys)| *keys) {
            assert_eq!(hint_for_project_key(key), None, "{key} is a key of both files");
        }
    }
}
