//! The fixture: users and roles, from TOML as written to values that are checked.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;

use crate::policy::{Inline, Kind, Policy};
use crate::principal::is_account;
use crate::secret::Secret;
use crate::totp;

mod console;
mod identity_center;
mod identity_provider;
mod sources;

use console::RawConsoleSession;
pub(crate) use console::{ConsoleSession, Person};
pub(crate) use identity_center::{Assignment, IdentityCenter};
use identity_center::{RawAssignment, RawLives};
use identity_provider::RawOidcProvider;
pub(crate) use identity_provider::{OWN_KEY, OidcProvider};
pub(crate) use sources::{Container, Instance, Sources};
use sources::{RawContainer, RawInstance, RawSources};

/// The accounts that this server plays.
#[derive(Debug)]
pub(crate) struct World {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub(crate) partition: String,
    /// In the order of the file.
    pub(crate) users: Vec<Arc<User>>,
    /// In the order of the file.
    pub(crate) roles: Vec<Arc<Role>>,
    /// What else hands out credentials.
    pub(crate) sources: Sources,
}

/// An IAM user with one access key.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) account: String,
    pub(crate) arn: String,
    /// `AIDA…`
    pub(crate) id: String,
    pub(crate) access_key_id: String,
    pub(crate) secret: Secret<String>,
    pub(crate) active: bool,
    pub(crate) policies: Vec<Policy>,
    /// Those that PutUserPolicy put.
    pub(crate) inline: Inline,
    pub(crate) device: Option<Device>,
}

/// A virtual MFA device.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) serial: String,
    pub(crate) seed: Secret<Vec<u8>>,
}

/// An IAM role.
#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) account: String,
    pub(crate) arn: String,
    /// `AROA…`
    pub(crate) id: String,
    pub(crate) trust: Policy,
    pub(crate) policies: Vec<Policy>,
    /// Those that PutRolePolicy put.
    pub(crate) inline: Inline,
    pub(crate) max_session_duration_seconds: u32,
}

/// Why a fixture can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FixtureError {
    /// The file can't be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The fixture.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It isn't TOML, or it has an unknown or missing key.
    #[error("{}: {source}", path.display())]
    Toml {
        /// The fixture.
        path: PathBuf,
        /// With the line.
        source: Box<toml::de::Error>,
    },
    /// It breaks one of AWS's rules.
    #[error("{}, line {line}: {message}", path.display())]
    Rule {
        /// The fixture.
        path: PathBuf,
        /// Where the user or role begins.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWorld {
    #[serde(default = "default_partition")]
    partition: String,
    #[serde(default)]
    user: Vec<Spanned<RawUser>>,
    #[serde(default)]
    role: Vec<Spanned<RawRole>>,
    instance: Option<Spanned<RawInstance>>,
    container: Option<Spanned<RawContainer>>,
    #[serde(default)]
    oidc_provider: Vec<Spanned<RawOidcProvider>>,
    sso: Option<Spanned<RawLives>>,
    #[serde(default)]
    sso_assignment: Vec<Spanned<RawAssignment>>,
    #[serde(default)]
    console_session: Vec<Spanned<RawConsoleSession>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUser {
    name: String,
    account: String,
    access_key_id: String,
    secret_access_key: String,
    #[serde(default = "default_active")]
    active: bool,
    #[serde(default)]
    policy: Documents,
    mfa_serial: Option<String>,
    mfa_seed: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRole {
    name: String,
    #[serde(default = "default_path")]
    path: String,
    account: String,
    trust: String,
    #[serde(default)]
    policy: Documents,
    #[serde(default = "default_max_session_duration")]
    max_session_duration: u32,
}

#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Documents {
    #[default]
    None,
    One(String),
    Many(Vec<String>),
}

fn default_partition() -> String {
    "aws".into()
}

fn default_active() -> bool {
    true
}

fn default_path() -> String {
    "/".into()
}

fn default_max_session_duration() -> u32 {
    3600
}

impl World {
    /// Reads a fixture file.
    ///
    /// # Errors
    /// The file can't be read, isn't a fixture, or describes what AWS wouldn't take; or a policy holds what this server
    /// doesn't evaluate.
    pub(crate) fn read(path: &Path) -> Result<Self, FixtureError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| FixtureError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Reads a fixture's text; `path` is for messages only.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, FixtureError> {
        let raw: RawWorld = toml::from_str(text)
            .map_err(|source| FixtureError::Toml { path: path.to_owned(), source: Box::new(source) })?;
        let rule = |offset: usize, message: String| {
            let line = text.get(..offset).unwrap_or_default().matches('\n').count() + 1;
            FixtureError::Rule { path: path.to_owned(), line, message }
        };
        let partition = raw.partition;
        let mut taken = HashSet::new();
        let mut users = Vec::new();
        for spanned in raw.user {
            let start = spanned.span().start;
            let user = User::check(spanned.into_inner(), &partition).map_err(|message| rule(start, message))?;
            let names = [&user.arn, &user.access_key_id].into_iter().chain(user.device.iter().map(|d| &d.serial));
            for name in names {
                if !taken.insert(name.clone()) {
                    return Err(rule(start, format!("`{name}` is there twice")));
                }
            }
            users.push(Arc::new(user));
        }
        let mut roles = Vec::new();
        for spanned in raw.role {
            let start = spanned.span().start;
            let role = Role::check(spanned.into_inner(), &partition).map_err(|message| rule(start, message))?;
            if !taken.insert(format!("{}/{}", role.account, role.name.to_lowercase())) {
                return Err(rule(start, format!("account {} has two roles named `{}`", role.account, role.name)));
            }
            roles.push(Arc::new(role));
        }
        let raw = RawSources {
            instance: raw.instance,
            container: raw.container,
            oidc_provider: raw.oidc_provider,
            sso: raw.sso,
            sso_assignment: raw.sso_assignment,
            console_session: raw.console_session,
        };
        let sources =
            Sources::check(raw, &users, &roles, &partition).map_err(|(span, message)| rule(span.start, message))?;
        Ok(Self { partition, users, roles, sources })
    }

    /// The role with this ARN.
    pub(crate) fn role(&self, arn: &str) -> Option<&Arc<Role>> {
        self.roles.iter().find(|role| role.arn == arn)
    }
}

impl User {
    fn check(raw: RawUser, partition: &str) -> Result<Self, String> {
        check_name("user", &raw.name)?;
        check_account(&raw.account)?;
        let tail = raw.access_key_id.strip_prefix("AKIA").unwrap_or_default();
        if tail.len() != 16 || !tail.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
            return Err("access_key_id must be AKIA and 16 upper-case letters or digits".into());
        }
        if raw.secret_access_key.len() != 40 || !raw.secret_access_key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("secret_access_key must have 40 characters without spaces".into());
        }
        let arn = format!("arn:{partition}:iam::{}:user/{}", raw.account, raw.name);
        let device = match (raw.mfa_serial, raw.mfa_seed) {
            (None, None) => None,
            (Some(serial), Some(seed)) => {
                if !serial.starts_with(&format!("arn:{partition}:iam::{}:mfa/", raw.account)) {
                    return Err("mfa_serial must be the ARN of a device in the user's account".into());
                }
                let seed = totp::parse_seed(&seed).ok_or("mfa_seed must be base32")?;
                Some(Device { serial, seed: Secret::new(seed) })
            }
            _ => return Err("mfa_serial and mfa_seed go together".into()),
        };
        Ok(Self {
            id: unique_id("AIDA", &arn),
            name: raw.name,
            account: raw.account,
            arn,
            access_key_id: raw.access_key_id,
            secret: Secret::new(raw.secret_access_key),
            active: raw.active,
            policies: raw.policy.check()?,
            inline: Inline::default(),
            device,
        })
    }
}

impl Role {
    fn check(raw: RawRole, partition: &str) -> Result<Self, String> {
        check_name("role", &raw.name)?;
        check_account(&raw.account)?;
        if !raw.path.starts_with('/') || !raw.path.ends_with('/') {
            return Err("path must begin and end with a slash".into());
        }
        if !(3600..=43200).contains(&raw.max_session_duration) {
            return Err("max_session_duration must be 3600 to 43200 seconds".into());
        }
        let arn = format!("arn:{partition}:iam::{}:role{}{}", raw.account, raw.path, raw.name);
        Ok(Self {
            id: unique_id("AROA", &arn),
            name: raw.name,
            account: raw.account,
            arn,
            trust: Policy::parse(&raw.trust, Kind::Trust).map_err(|error| format!("trust: {error}"))?,
            policies: raw.policy.check()?,
            inline: Inline::default(),
            max_session_duration_seconds: raw.max_session_duration,
        })
    }
}

impl Documents {
    fn check(self) -> Result<Vec<Policy>, String> {
        let texts = match self {
            Self::None => vec![],
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        };
        let parsed = texts.iter().map(|text| Policy::parse(text, Kind::Identity));
        parsed.collect::<Result<_, _>>().map_err(|error| format!("policy: {error}"))
    }
}

/// IAM's rule for names of users and roles.
fn check_name(kind: &str, name: &str) -> Result<(), String> {
    let fits = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b));
    if fits && (1..=64).contains(&name.len()) { Ok(()) } else { Err(format!("`{name}` is not a {kind} name")) }
}

fn check_account(account: &str) -> Result<(), String> {
    if is_account(account) { Ok(()) } else { Err(format!("`{account}` is not an account: twelve digits")) }
}

/// An identifier in AWS's shape that is the same in every run.
fn unique_id(prefix: &str, arn: &str) -> String {
    let text = data_encoding::BASE32_NOPAD.encode(&Sha256::digest(arn.as_bytes()));
    format!("{prefix}{}", &text[..17])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told_with_their_line() {
        let trust = r#"'{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}}'"#;
        let odd = trust.replace(r#""Action""#, r#""Condition": {"IpAddress": {"aws:SourceIp": "::/0"}}, "Action""#);
        let role = |more: &str| format!("# one\n[[role]]\nname = 'R'\naccount = '111111111111'\n{more}\n");
        let key =
            "access_key_id = 'AKIAAAAAAAAAAAAAAAAA'\nsecret_access_key = 'ssssssssssssssssssssssssssssssssssssssss'";
        let user = |more: &str| format!("\n\n[[user]]\nname = 'u'\naccount = '111111111111'\n{key}\n{more}\n");
        for (text, expected) in [
            (role(&format!("trust = {trust}\nmax_sesion_duration = 1")), "line 6"),
            (role(&format!("trust = {trust}\nmax_session_duration = 900")), "line 2: max_session_duration must be"),
            (role(&format!("trust = {trust}\npath = 'team'")), "line 2: path must"),
            (role(&format!("trust = {odd}")), "line 2: trust: condition operator `IpAddress`"),
            (role("trust = '{'"), "line 2: trust: this policy contains invalid JSON"),
            (user("mfa_seed = 'JBSWY3DPEHPK3PXP'"), "line 3: mfa_serial and mfa_seed go together"),
            (user("policy = '[]'"), "line 3: policy: syntax error"),
            (user("").repeat(2), "is there twice"),
            (user("").replace("AKIA", "ASIA"), "line 3: access_key_id must be AKIA"),
            ("partition = 1".to_owned(), "line 1"),
        ] {
            let error = World::parse(&text, Path::new("f.toml")).map(drop).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn secrets_stay_out_of_debug_texts() {
        let text = "[[user]]\nname = 'u'\naccount = '111111111111'\naccess_key_id = 'AKIAAAAAAAAAAAAAAAAA'\n\
             secret_access_key = 'ssssssssssssssssssssssssssssssssssssssss'\n\
             mfa_serial = 'arn:aws:iam::111111111111:mfa/u'\nmfa_seed = 'JBSWY3DPEHPK3PXP'\n";
        let shown = format!("{:?}", World::parse(text, Path::new("f.toml")).unwrap());
        assert!(shown.contains("[secret]") && !shown.contains("ssss") && !shown.contains("72, 101"), "{shown}");
    }
}
