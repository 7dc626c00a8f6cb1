//! Decides which credential variables are kept and which are removed after the user changed some of them manually.
//!
//! Each of the two units [`CREDENTIAL_VARS`] and [`PROFILE_VARS`] is used by clients as a whole. A user's key ID with
//! awsrole's expiration makes botocore fail, and a profile with awsrole's keys gives two identities.

use std::ffi::OsStr;

use crate::aws::credentials::is_long_term_key_id;
use crate::base::context::Env;
use crate::shell::state::{CREDENTIAL_VARS, OuterEnv, PROFILE_VARS, exported_key_id};

/// The changes to the variables of both units.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ManualChange {
    /// Variables that still have awsrole's values. They are unset, and their prior values are not restored.
    pub unset: Vec<&'static str>,
    /// Variables to hide until the user leaves the project.
    pub hide: Vec<&'static str>,
}

impl ManualChange {
    /// Decides for the names that a shell found changed. `env` is that of the shell.
    #[must_use]
    pub fn of(changed: &[String], env: &Env) -> Self {
        let is_changed = |name: &str| changed.iter().any(|changed| changed == name);
        let mut hide: Vec<_> = PROFILE_VARS.into_iter().filter(|name| !is_changed(name)).collect();
        if !CREDENTIAL_VARS.into_iter().any(is_changed) {
            if !changed.is_empty() {
                hide.extend(CREDENTIAL_VARS);
            }
            return Self { unset: Vec::new(), hide };
        }
        // The secret and the token may have been pasted together with a new key ID, and then they belong to the user. A
        // long-lived key has no token. The values cannot be compared, because the shell keeps no copy of secrets.
        let id = env.text("AWS_ACCESS_KEY_ID").filter(|id| !id.is_empty() && is_changed("AWS_ACCESS_KEY_ID"));
        let pasted = |name| match name {
            "AWS_SECRET_ACCESS_KEY" => id.is_some(),
            "AWS_SESSION_TOKEN" => id.is_some_and(|id| !is_long_term_key_id(id)),
            _ => false,
        };
        let unset = CREDENTIAL_VARS.into_iter().filter(|name| !is_changed(name) && !pasted(name)).collect();
        Self { unset, hide }
    }
}

/// A manual change because of which awsrole is inactive in a shell, for messages.
#[derive(Debug, PartialEq, Eq)]
pub struct Inactive {
    /// The variables that the user set, with their values, none of which is secret. Empty if the user only unset
    /// variables of the role.
    pub set: Vec<String>,
}

impl Inactive {
    /// Returns the manual change that the environment of a command shows.
    ///
    /// `inactive` is whether the shell noticed it. Until the next prompt, and in programs that are called with a
    /// variable of their own, the state of the role and the variables contradict each other.
    #[must_use]
    pub fn of(env: &Env, outer: &OuterEnv, inactive: bool) -> Option<Self> {
        let names = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID"];
        let ours = exported_key_id(env);
        let shown = |name: &&str| {
            let value = env.0.get(OsStr::new(name))?.to_string_lossy();
            (ours.as_deref() != Some(&value)).then(|| format!("{name}={value}"))
        };
        let set: Vec<String> = names.iter().filter_map(shown).collect();
        let unnoticed = ours.is_some() && outer.role.is_none() && !set.is_empty();
        (inactive || unnoticed).then_some(Self { set })
    }

    /// Returns whether variables were set or unset since awsrole exported a role.
    #[must_use]
    pub fn is_unnoticed(env: &Env) -> bool {
        exported_key_id(env).is_some() && OuterEnv::reconstruct(env).role.is_none()
    }

    /// Returns what was changed, as a sentence.
    #[must_use]
    pub fn text(&self) -> String {
        match self.set.as_slice() {
            [] => "credential variables of the role were unset manually".to_owned(),
            [one] => format!("{one} was set manually"),
            several => format!("{} were set manually", several.join(" and ")),
        }
    }

    /// Returns how the user reverts the change.
    #[must_use]
    pub fn end(&self) -> String {
        let names: Vec<&str> = self.set.iter().filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
        match names.as_slice() {
            [] => "run `awsrole refresh`".to_owned(),
            names => format!("unset {} or run `awsrole refresh`", names.join(" and ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::state::BLOCKED;

    fn of(changed: &[&str], id: &str) -> ManualChange {
        let env = Env([("AWS_ACCESS_KEY_ID".into(), id.into())].into_iter().collect());
        ManualChange::of(&changed.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), &env)
    }

    #[test]
    fn a_profile_hides_the_keys_until_the_user_leaves() {
        let change = of(&["AWS_PROFILE"], "ASIAOURS");
        let hide = [&["AWS_DEFAULT_PROFILE"], CREDENTIAL_VARS.as_slice()].concat();
        assert_eq!(change, ManualChange { unset: Vec::new(), hide });
    }

    #[test]
    fn a_key_id_keeps_what_may_have_been_pasted_with_it() {
        let unset = |id| of(&["AWS_ACCESS_KEY_ID"], id).unset;
        assert_eq!(unset("ASIAMINE"), ["AWS_CREDENTIAL_EXPIRATION"]);
        assert_eq!(unset("AKIAMINE"), ["AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"]);
        assert_eq!(unset(""), ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"]);
        assert_eq!(of(&["AWS_ACCESS_KEY_ID"], "AKIAMINE").hide, PROFILE_VARS);
    }

    #[test]
    fn a_change_is_told_with_what_ends_it() {
        let env = |pairs: &[(&str, &str)]| Env(pairs.iter().map(|(name, value)| (name.into(), value.into())).collect());
        let of = |pairs: &[(&str, &str)], inactive| {
            let env = env(pairs);
            Inactive::of(&env, &OuterEnv::reconstruct(&env), inactive).map(|found| (found.text(), found.end()))
        };
        let told = |text: &str, end: &str| Some((text.to_owned(), end.to_owned()));
        assert_eq!(of(&[("AWS_PROFILE", "ops")], false), None);
        assert_eq!(
            of(&[("AWS_PROFILE", "ops")], true),
            told("AWS_PROFILE=ops was set manually", "unset AWS_PROFILE or run `awsrole refresh`")
        );
        let keys = [("AWS_ACCESS_KEY_ID", "AKIAMINE"), ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_PROFILE", "")];
        assert_eq!(
            of(&keys, true),
            told(
                "AWS_PROFILE= and AWS_ACCESS_KEY_ID=AKIAMINE were set manually",
                "unset AWS_PROFILE and AWS_ACCESS_KEY_ID or run `awsrole refresh`"
            )
        );
        let unset = told("credential variables of the role were unset manually", "run `awsrole refresh`");
        assert_eq!(of(&[("AWS_SECRET_ACCESS_KEY", "secret")], true), unset);
        let state = r#"{"v":1,"file":"/f","role":"r","account":"","key":"ASIAOURS","expires":"","set":{},"prior":{}}"#;
        let held = [("AWSROLE_STATE", state), ("AWS_ACCESS_KEY_ID", "ASIAOURS")];
        assert_eq!(of(&held, false), None);
        let both = of(&[held[0], held[1], ("AWS_PROFILE", "ops")], false);
        assert_eq!(both, told("AWS_PROFILE=ops was set manually", "unset AWS_PROFILE or run `awsrole refresh`"));
        assert_eq!(of(&[("AWSROLE_STATE", BLOCKED), ("AWS_PROFILE", "x")], false), None);
    }

    #[test]
    fn a_secret_alone_takes_our_keys_away() {
        let change = of(&["AWS_SECRET_ACCESS_KEY", "PATH"], "ASIAOURS");
        assert_eq!(change.unset, ["AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"]);
    }
}
