//! Reads and writes AWSROLE_STATE, which tells nested shells, and commands typed inside a project, what the parent
//! shell exported. It contains no secret and no digest of one.
//!
//! The value comes from the environment, so anyone may have written it. A value that doesn't have exactly the form that
//! awsrole writes is ignored entirely.

mod outer_env;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::aws::arn::AccountId;
use crate::aws::credentials::{Credentials, is_key_id, is_long_term_key_id};
use crate::aws::endpoint::is_of_one_service;
use crate::aws::time::rfc3339;
use crate::base::context::Env;
use crate::base::digest::is_sha256;
use crate::shell::choice;
pub use outer_env::{Chosen, ChosenProfile, OuterEnv, Unproven};

/// The variable's name.
pub const NAME: &str = "AWSROLE_STATE";

/// Keys, token and expiration. They change together, because clients combine them otherwise. For example, a user's key
/// with awsrole's expiration makes botocore fail.
pub const CREDENTIAL_VARS: [&str; 4] =
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"];

/// The two profile variables. They and [`CREDENTIAL_VARS`] are the two units that a user may change manually.
pub const PROFILE_VARS: [&str; 2] = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"];

/// Variables that would give a client a second identity in addition to the keys. The JS SDK and Serverless prefer a
/// profile to keys, and botocore prefers AWS_SECURITY_TOKEN to AWS_SESSION_TOKEN. They are unset instead of emptied,
/// because some clients treat an empty AWS_PROFILE as a profile named "".
pub const HIDDEN: [&str; 7] = [
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SECURITY_TOKEN",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "SECRET_ACCESS_KEY",
    "AWS_BEARER_TOKEN_BEDROCK",
];

/// Variables for prompts and scripts, in addition to the state itself. They are removed with a role.
pub const INFO_VARS: [&str; 6] =
    ["AWSROLE_ROLE", "AWSROLE_PROFILE", "AWSROLE_ACCOUNT_ID", "AWSROLE_ACCOUNT", "AWSROLE_COLOR", "AWSROLE_EXPIRES"];

/// Value of AWSROLE_STATE in a blocked shell.
pub const BLOCKED: &str = "blocked";

/// Variable that the snippets also set if `awsrole use` chose a role: the path of the nearest file, `=`, and a word of
/// [`Choices`](choice::Choices).
pub const CHOSEN: &str = "AWSROLE_CHOSEN";

/// Variable that the snippets also set if `awsrole use --profile` chose a profile: a word of
/// [`Choices`](choice::Choices).
pub const CHOSEN_PROFILE: &str = "AWSROLE_CHOSEN_PROFILE";

/// The placeholder for keys and profile in a blocked shell. No profile has this name, and AWS rejects the key.
pub const NO_ROLE: &str = "awsrole-blocked--run-awsrole-why";

/// Variables that the snippets set in a blocked shell.
pub(crate) const BLOCKED_SET: [(&str, &str); 4] = [
    ("AWS_PROFILE", NO_ROLE),
    ("AWS_ACCESS_KEY_ID", NO_ROLE),
    ("AWS_SECRET_ACCESS_KEY", NO_ROLE),
    ("AWS_EC2_METADATA_DISABLED", "true"),
];

/// Returns the variables that the snippets hide in a blocked shell: all others that could give a client credentials,
/// and those that describe a role.
pub(crate) fn hidden_if_blocked() -> Vec<&'static str> {
    let lists: [&[&'static str]; 5] =
        [&CREDENTIAL_VARS, &HIDDEN, &EXEC_RENEW_UNSET, &INFO_VARS, &["AWS_ACCOUNT_ID", CHOSEN, CHOSEN_PROFILE]];
    let set = |name: &&str| BLOCKED_SET.iter().any(|(placeholder, _)| placeholder == name);
    lists.concat().into_iter().filter(|name| !set(name)).collect()
}

/// Prefix of the variables in which a blocked shell exports prior values. The snippets use builtins only, so each value
/// has a variable of its own, which can contain any bytes.
pub(crate) const PRIOR: &str = "AWSROLE_PRIOR_";

/// Variables whose prior values a blocked shell exports. Secrets are excluded, and so are variables that are useless
/// without a secret.
pub(crate) const BLOCKED_PRIOR_VARS: [&str; 10] = [
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ACCOUNT_ID",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
];

/// Variables whose prior values are not secret. The state contains them, so that a nested shell can restore them.
const PRESERVED_VARS: [&str; 11] = [
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ACCOUNT_ID",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_CA_BUNDLE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_STS",
];

/// Variables that are set for a command that renews its role itself (`exec --renew`): the AWS files are copies, and
/// clients must not fall back to the instance's role.
pub const EXEC_RENEW_SET: [&str; 3] = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED"];

/// Variables that are hidden from such a command. Clients prefer keys to all of them, but the command has no keys:
/// botocore would prefer a web identity to the `credential_process` of the default profile, and the JS SDK would ask
/// the container endpoint if that process fails.
pub const EXEC_RENEW_UNSET: [&str; 7] = [
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    CONTAINER_TOKEN,
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
];

/// The only secret in [`EXEC_RENEW_UNSET`]. A nested shell cannot restore it.
const CONTAINER_TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";

/// Variables that the AWS SDK reads from the process environment. Its sources cannot be given another environment
/// (aws-config 1.13, `ProviderConfig::with_env` is private).
const READ_BY_SDK: [&str; 5] = [
    "AWS_EC2_METADATA_DISABLED",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    CONTAINER_TOKEN,
];

/// Maximum length of a state, in bytes. It exceeds the sum of the maximum lengths of all values, escaped.
const LONGEST: usize = 512 * 1024;

/// Maximum length of a path, in bytes: Linux's PATH_MAX, times three for bytes that aren't UTF-8.
const LONGEST_PATH: usize = 3 * 4096;

/// Maximum length of a role's name, in bytes.
const LONGEST_NAME: usize = 4096;

/// Maximum length of a variable's value, in bytes. Longer values are not recorded, so a nested shell cannot restore
/// them.
const LONGEST_VALUE: usize = 4096;

/// The exported state of a shell that holds a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    v: u32,
    /// Path of the project file, or of the AWS file with the chosen profile.
    pub file: String,
    /// Name of the role for messages.
    pub role: String,
    /// The word of [`Choices`](choice::Choices), if `awsrole use` chose the role. A nested shell inherits the choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
    /// The word for the profile that `awsrole use --profile` chose, also if the role is that of a project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Account ID of the role.
    pub account: String,
    /// Access key ID, which shows whether the keys are still awsrole's. Empty if no keys are set, because the command
    /// renews its role itself.
    pub key: String,
    /// Name of the role's cache entry. `refresh` and `logout` find the entry by it even if a command inside the project
    /// cannot plan the role again.
    #[serde(default)]
    pub entry: String,
    /// Value of AWS_CREDENTIAL_EXPIRATION, empty if it wasn't set.
    pub expires: String,
    /// Other variables that were set. None is a secret.
    #[serde(deserialize_with = "each_once")]
    pub set: BTreeMap<String, String>,
    /// Other variables that were hidden.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
    /// Prior values that are not secret.
    #[serde(deserialize_with = "each_once")]
    pub prior: BTreeMap<String, String>,
}

impl State {
    /// Returns the state of a role.
    #[must_use]
    pub fn of_role(
        role: &str,
        chosen: Option<&str>,
        account: &str,
        file: &str,
        credentials: &Credentials,
        settings: &[(Cow<'static, str>, String)],
        outer: &Env,
    ) -> Self {
        let set = values(settings);
        let files = EXEC_RENEW_SET.iter().filter(|name| set.contains_key(**name));
        let prior = before(PRESERVED_VARS.iter().chain(files), outer);
        Self {
            v: 1,
            file: file.to_owned(),
            role: role.to_owned(),
            chosen: chosen.map(str::to_owned),
            profile: None,
            account: account.to_owned(),
            key: credentials.access_key_id.clone(),
            entry: String::new(),
            expires: credentials.expiration.map(rfc3339).unwrap_or_default(),
            set,
            hidden: Vec::new(),
            prior,
        }
    }

    /// Converts it to the state of a command that has copies of the AWS files instead of keys.
    #[must_use]
    pub fn of_run(mut self, set: &[(Cow<'static, str>, String)], outer: &Env) -> Self {
        self.key.clear();
        self.expires.clear();
        self.hidden = EXEC_RENEW_UNSET.iter().filter(|name| outer.has(name)).map(|name| (*name).to_owned()).collect();
        self.set.extend(values(set));
        self.prior.extend(before(
            EXEC_RENEW_SET.iter().chain(&EXEC_RENEW_UNSET).filter(|name| **name != CONTAINER_TOKEN),
            outer,
        ));
        self
    }

    /// Adds the word for the chosen profile.
    #[must_use]
    pub fn with_profile(self, word: Option<&str>) -> Self {
        Self { profile: word.map(str::to_owned), ..self }
    }

    /// Adds the name of the role's cache entry.
    #[must_use]
    pub fn cached_as(self, entry: String) -> Self {
        Self { entry, ..self }
    }

    /// Returns the value of AWSROLE_STATE.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Parses the value of AWSROLE_STATE. Returns `None` if awsrole cannot have written it.
    fn parse(text: &str) -> Option<Self> {
        let state: Self = serde_json::from_str(text).ok().filter(|_| text.len() <= LONGEST)?;
        (state.v == 1 && state.names_are_ours() && state.values_are_bounded()).then_some(state)
    }

    /// Returns whether all names are awsrole's. A forged state must not make awsrole restore PATH or LD_PRELOAD.
    fn names_are_ours(&self) -> bool {
        let open = |name: &String| {
            let name = name.as_str();
            PRESERVED_VARS.contains(&name)
                || is_of_one_service(name)
                || EXEC_RENEW_SET.contains(&name)
                || EXEC_RENEW_UNSET.contains(&name) && name != CONTAINER_TOKEN
        };
        self.set.keys().chain(self.prior.keys()).all(open)
            && self.hidden.len() <= EXEC_RENEW_UNSET.len()
            && self.hidden.iter().all(|name| EXEC_RENEW_UNSET.contains(&name.as_str()))
    }

    /// Returns whether each value is valid. A cache entry that is no digest could be a path to any file.
    fn values_are_bounded(&self) -> bool {
        let key = |key: &str| key.is_empty() || is_key_id(key) && !is_long_term_key_id(key);
        let time = |text: &str| humantime::parse_rfc3339(text).is_ok_and(|time| rfc3339(time) == text);
        Path::new(&self.file).is_absolute()
            && self.file.len() <= LONGEST_PATH
            && self.role.len() <= LONGEST_NAME
            && [&self.chosen, &self.profile].into_iter().flatten().all(|word| choice::name(word).is_some())
            && (self.account.is_empty() || AccountId::parse(&self.account).is_ok())
            && key(&self.key)
            && (self.entry.is_empty() || is_sha256(&self.entry))
            && (self.expires.is_empty() || time(&self.expires))
            && self.set.values().chain(self.prior.values()).all(|value| is_bounded(OsStr::new(value)))
    }
}

/// Returns the access key ID of the role in AWSROLE_STATE, even if the variables were changed since.
pub(crate) fn exported_key_id(env: &Env) -> Option<String> {
    env.text(NAME).and_then(State::parse).map(|state| state.key)
}

/// Returns whether a value may be in the state or be a prior value. No variable that a client reads is longer or
/// contains control characters.
fn is_bounded(value: &OsStr) -> bool {
    let bytes = value.as_encoded_bytes();
    bytes.len() <= LONGEST_VALUE && !bytes.iter().any(u8::is_ascii_control)
}

/// Returns settings in the form of [`State::set`].
fn values(settings: &[(Cow<'static, str>, String)]) -> BTreeMap<String, String> {
    let bounded = settings.iter().filter(|(_, value)| is_bounded(OsStr::new(value)));
    bounded.map(|(name, value)| (name.to_string(), value.clone())).collect()
}

/// Returns prior values in the form of [`State::prior`].
fn before<'n>(names: impl Iterator<Item = &'n &'static str>, outer: &Env) -> BTreeMap<String, String> {
    let found = names.filter_map(|name| Some(((*name).to_owned(), outer.text(name)?.to_owned())));
    found.filter(|(_, value)| is_bounded(OsStr::new(value))).collect()
}

/// Reads an object without duplicate names. JSON readers disagree about which of two values counts.
fn each_once<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    struct Each;

    impl<'de> Visitor<'de> for Each {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object without duplicate names")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some((name, value)) = object.next_entry::<String, String>()? {
                if map.insert(name, value).is_some() {
                    return Err(serde::de::Error::custom("a duplicate name"));
                }
            }
            Ok(map)
        }
    }
    deserializer.deserialize_map(Each)
}

#[cfg(test)]
mod tests;
