//! Credential variables that the user changed manually inside a project: which values stay, and which go.
//!
//! Each of the two units [`KEYS`] and [`PROFILES`] is used by clients as a whole. The user's key ID with our
//! expiration makes botocore fail, and a profile with our keys gives two identities.

use crate::aws::credentials::is_long_term_key_id;
use crate::base::context::Env;
use crate::shell::state::{KEYS, PROFILES};

/// What a shell does with the variables of both units.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ManualChange {
    /// Variables that still hold our values, and whose prior values don't come back.
    pub unset: Vec<&'static str>,
    /// Variables to hide until the user leaves the project.
    pub hide: Vec<&'static str>,
}

impl ManualChange {
    /// Decides for the names that a shell found changed. `env` holds the present values of a changed unit.
    #[must_use]
    pub fn of(changed: &[String], env: &Env) -> Self {
        let is_changed = |name: &str| changed.iter().any(|changed| changed == name);
        let mut hide: Vec<_> = PROFILES.into_iter().filter(|name| !is_changed(name)).collect();
        if !KEYS.into_iter().any(is_changed) {
            if !changed.is_empty() {
                hide.extend(KEYS);
            }
            return Self { unset: Vec::new(), hide };
        }
        // Pasted together with a key id, the others are the user's; but no token belongs to a long-term key. A shell
        // doesn't keep secrets to compare them with.
        let id = env.text("AWS_ACCESS_KEY_ID").filter(|id| !id.is_empty() && is_changed("AWS_ACCESS_KEY_ID"));
        let pasted = |name| match name {
            "AWS_SECRET_ACCESS_KEY" => id.is_some(),
            "AWS_SESSION_TOKEN" => id.is_some_and(|id| !is_long_term_key_id(id)),
            _ => false,
        };
        let unset = KEYS.into_iter().filter(|name| !is_changed(name) && !pasted(name)).collect();
        Self { unset, hide }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(changed: &[&str], id: &str) -> ManualChange {
        let env = Env([("AWS_ACCESS_KEY_ID".into(), id.into())].into_iter().collect());
        ManualChange::of(&changed.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), &env)
    }

    #[test]
    fn a_profile_hides_the_keys_until_the_user_leaves() {
        let change = of(&["AWS_PROFILE"], "ASIAOURS");
        let hide = [&["AWS_DEFAULT_PROFILE"], KEYS.as_slice()].concat();
        assert_eq!(change, ManualChange { unset: Vec::new(), hide });
    }

    #[test]
    fn a_key_id_keeps_what_may_have_been_pasted_with_it() {
        let unset = |id| of(&["AWS_ACCESS_KEY_ID"], id).unset;
        assert_eq!(unset("ASIAMINE"), ["AWS_CREDENTIAL_EXPIRATION"]);
        assert_eq!(unset("AKIAMINE"), ["AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"]);
        assert_eq!(unset(""), ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"]);
        assert_eq!(of(&["AWS_ACCESS_KEY_ID"], "AKIAMINE").hide, PROFILES);
    }

    #[test]
    fn a_secret_alone_takes_our_keys_away() {
        let change = of(&["AWS_SECRET_ACCESS_KEY", "PATH"], "ASIAOURS");
        assert_eq!(change.unset, ["AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"]);
    }
}
