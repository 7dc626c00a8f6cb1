//! Profiles from `~/.aws/config` and `~/.aws/credentials`, read by the AWS CLI's rules.
//!
//! `parse` reads a file as Python's `configparser` does, `names` interprets section headers, and this module looks up
//! settings by botocore's rules (`configloader.py`, `session.py`).

mod calls;
pub mod copies;
mod names;
mod parse;
mod warnings;

use crate::base::location::line_of;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::base::context::Context;
use crate::base::files::read_regular;
use crate::base::location::Origin;
use crate::base::problem::Problem;
use crate::base::secret::Secret;
use names::Kind;
use parse::{Parsed, ParsedValue, Section};
pub use warnings::Warning;

/// The largest AWS file that is read, in bytes.
pub(crate) const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// The contents of both AWS files.
pub struct Profiles {
    config: AwsFile,
    credentials: AwsFile,
}

/// One profile, with its settings from both files. `~/.aws/credentials` takes precedence, as in the AWS CLI. Each
/// file's `[DEFAULT]` is part of all of its profiles.
#[derive(Clone, Copy)]
pub struct Profile<'a> {
    /// The profile's name.
    pub name: &'a str,
    config: Option<(&'a AwsFile, &'a Section)>,
    credentials: Option<(&'a AwsFile, &'a Section)>,
}

/// A value, as botocore interprets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting<'a> {
    /// A text, which may have several lines.
    Text(&'a str),
    /// Nested settings below an empty value.
    Nested(BTreeMap<&'a str, &'a str>),
}

/// A file is kept as text, and the parsed values are positions in it.
struct AwsFile {
    path: PathBuf,
    text: Zeroizing<String>,
    parsed: Parsed,
}

/// Returns the path of the config file: that of AWS_CONFIG_FILE, or the default one. It is empty if the variable is
/// empty, since botocore reads no file then.
#[must_use]
pub fn config_path(context: &Context) -> PathBuf {
    path_of("AWS_CONFIG_FILE", "config", context)
}

fn path_of(variable: &str, name: &str, context: &Context) -> PathBuf {
    match context.env.0.get(OsStr::new(variable)) {
        Some(path) => path.to_str().map_or_else(|| PathBuf::from(path), |path| context.expand_variables(path)),
        None => context.paths.home.join(".aws").join(name),
    }
}

impl Profiles {
    /// Reads both files from AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, or from the default paths. A missing file
    /// is empty.
    ///
    /// # Errors
    /// Fails for a file that can't be read or parsed.
    pub fn load(context: &Context) -> Result<Self, Problem> {
        Ok(Self {
            config: AwsFile::load(config_path(context), names::in_config)?,
            credentials: AwsFile::load(
                path_of("AWS_SHARED_CREDENTIALS_FILE", "credentials", context),
                names::in_credentials,
            )?,
        })
    }

    /// Returns a profile by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Profile<'_>> {
        let config = self.config.section(Kind::Profile, name);
        let credentials = self.credentials.section(Kind::Profile, name);
        let Section { name, .. } = config.or(credentials)?;
        Some(Profile {
            name,
            config: config.map(|section| (&self.config, section)),
            credentials: credentials.map(|section| (&self.credentials, section)),
        })
    }

    /// Returns the endpoint for a service such as `sts` in a `[services NAME]` section.
    #[must_use]
    pub fn endpoint_of_services(&self, services: &str, service: &str) -> Option<&str> {
        let section = self.config.section(Kind::Services, services)?;
        let value = self.config.value(section, service)?.text(&self.config.text);
        let endpoint = parse::settings(value).filter(|(key, _)| *key == "endpoint_url").last();
        endpoint.map(|(_, value)| value).filter(|_| value.starts_with('\n'))
    }

    /// Returns all endpoints in a `[services NAME]` section, by service.
    #[must_use]
    pub fn endpoints_of_services(&self, services: &str) -> Vec<(String, &str)> {
        let Some(section) = self.config.section(Kind::Services, services) else { return Vec::new() };
        let named = self.config.alone(section).settings().into_keys();
        named.filter_map(|name| Some((name.to_string(), self.endpoint_of_services(services, &name)?))).collect()
    }

    /// Returns an `[sso-session NAME]` section.
    #[must_use]
    pub fn sso_session(&self, name: &str) -> Option<Profile<'_>> {
        self.config.section(Kind::SsoSession, name).map(|section| self.config.alone(section))
    }

    /// Returns all `[sso-session NAME]` sections.
    #[must_use]
    pub fn sso_sessions(&self) -> Vec<Profile<'_>> {
        self.config.all(Kind::SsoSession)
    }

    /// Returns all `[services NAME]` sections.
    #[must_use]
    pub fn services(&self) -> Vec<Profile<'_>> {
        self.config.all(Kind::Services)
    }

    /// Returns the names of all profiles, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let sections = self.config.parsed.sections.iter().chain(&self.credentials.parsed.sections);
        let profiles = sections.filter(|section| section.kind == Kind::Profile);
        let mut names: Vec<&str> = profiles.map(|section| section.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Returns the paths of the two files.
    #[must_use]
    pub fn paths(&self) -> [&Path; 2] {
        [&self.config.path, &self.credentials.path]
    }
}

impl Profiles {
    /// Returns the paths of the two files for messages, with `~` for the home directory.
    #[must_use]
    pub fn shown(&self, context: &Context) -> [String; 2] {
        let variables = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"];
        let mut shown =
            self.paths().into_iter().zip(variables).map(|(path, variable)| match path.as_os_str().is_empty() {
                true => format!("{variable} (set to nothing, so there is no file)"),
                false => context.shorten(path),
            });
        [(); 2].map(|()| shown.next().unwrap_or_default())
    }
}

impl<'a> Profile<'a> {
    /// Returns a value if it is set and not empty. Nested settings are returned as their lines.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&'a str> {
        self.find(key).map(|(file, value)| parse::strip(value.text(&file.text))).filter(|text| !text.is_empty())
    }

    /// Returns whether a key is present. Its value may be empty. The AWS CLI often checks only this.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// Returns a secret value.
    #[must_use]
    pub fn secret(&self, key: &str) -> Option<Secret> {
        self.text(key).map(Secret::new)
    }

    /// Returns the session token. The older of its two names takes precedence, even if it is empty (botocore,
    /// `TOKENS`).
    #[must_use]
    pub fn session_token(&self) -> Option<Secret> {
        ["aws_security_token", "aws_session_token"]
            .into_iter()
            .find(|key| self.has(key))
            .and_then(|key| self.secret(key))
    }

    /// Returns all keys with their values, sorted by key.
    #[must_use]
    pub fn settings(&self) -> BTreeMap<Cow<'a, str>, Setting<'a>> {
        let mut settings = BTreeMap::new();
        // The first value found takes precedence.
        for (file, section) in [self.credentials, self.config].into_iter().flatten() {
            for value in file.parsed.all(section) {
                settings.entry(value.key(&file.text)).or_insert_with(|| Setting::of(value.text(&file.text)));
            }
        }
        settings
    }

    /// Returns the location of a key, or of the profile if the key isn't set.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        let section = self.config.or(self.credentials);
        let (file, line) = match (self.find(key), section) {
            (Some((file, value)), _) => (file.path.clone(), value.line),
            (None, Some((file, section))) => (file.path.clone(), section.line),
            (None, None) => (PathBuf::new(), 0),
        };
        Origin { file, line }
    }

    /// Returns whether the profile has static keys. As in the AWS CLI, one of the two settings is enough.
    #[must_use]
    pub fn has_static_keys(&self) -> bool {
        self.has("aws_access_key_id") || self.has("aws_secret_access_key")
    }

    /// Returns whether the profile has credentials that don't depend on another profile.
    #[must_use]
    pub fn has_own_source(&self) -> bool {
        self.has_static_keys()
            || self.is_identity_center()
            || self.has("login_session")
            || self.has("credential_process")
    }

    /// Returns whether the profile's credentials come from IAM Identity Center.
    ///
    /// An `sso_session` without an account and a role only signs the user in and provides no credentials (botocore,
    /// `SSOProvider`).
    #[must_use]
    pub fn is_identity_center(&self) -> bool {
        self.has("sso_account_id") || self.has("sso_role_name")
    }

    /// Returns the profile with the settings of the credentials file only.
    ///
    /// Keys in that file take precedence over the profile's `credential_process` and console session, while those in
    /// the config file come after them (botocore, `ProfileProviderBuilder`). The parts of a key are never combined from
    /// both files.
    #[must_use]
    pub fn in_credentials_file(&self) -> Option<Self> {
        self.credentials.map(|_| Self { config: None, ..*self })
    }

    /// Returns the profile with the settings of the config file only.
    #[must_use]
    pub fn in_config_file(&self) -> Option<Self> {
        self.config.map(|_| Self { credentials: None, ..*self })
    }

    /// Returns whether a key is inherited from `[DEFAULT]`.
    #[must_use]
    pub fn inherits(&self, key: &str) -> bool {
        let section = |(file, section): (&'a AwsFile, &'a Section)| {
            let value = file.value(section, key)?;
            Some(file.parsed.own(&file.text, section, key).is_none_or(|own| !std::ptr::eq(own, value)))
        };
        [self.credentials, self.config].into_iter().flatten().find_map(section).unwrap_or(false)
    }

    fn find(&self, key: &str) -> Option<(&'a AwsFile, &'a ParsedValue)> {
        [self.credentials, self.config]
            .into_iter()
            .flatten()
            .find_map(|(file, section)| Some((file, file.value(section, key)?)))
    }
}

impl<'a> Setting<'a> {
    fn of(text: &'a str) -> Self {
        match text.starts_with('\n') {
            true => Self::Nested(parse::settings(text).collect()),
            false => Self::Text(text),
        }
    }
}

impl AwsFile {
    fn load(path: PathBuf, name_of: impl Fn(&str) -> (Kind, String)) -> Result<Self, Problem> {
        let bytes = match read_regular(&path, MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(e) if is_no_file(&e, &path) => Vec::new(),
            Err(e) => {
                return Err(Problem::new(format!("{} can't be read", path.display()))
                    .because(e)
                    .hint("its profiles are needed to determine your identity: make it a readable file"));
            }
        };
        let text = String::from_utf8(bytes).map_err(|e| {
            let line = line_of(e.as_bytes(), e.utf8_error().valid_up_to());
            Problem::new(format!("{}:{line}: the file isn't valid UTF-8", path.display()))
        })?;
        let text = Zeroizing::new(text);
        let parsed = parse::parse(&text, name_of).map_err(|wrong| {
            Problem::new(format!("{}:{}: {}", path.display(), wrong.line, wrong.what))
                .hint("the AWS CLI can't read the file either: correct the line")
        })?;
        Ok(Self { path, text, parsed })
    }

    /// Returns a section by its name. If two headers have the same meaning, the later one is used.
    fn section(&self, kind: Kind, name: &str) -> Option<&Section> {
        self.parsed.sections.iter().rev().find(|section| section.kind == kind && section.name == name)
    }

    fn value(&self, section: &Section, key: &str) -> Option<&ParsedValue> {
        self.parsed.value(&self.text, section, key)
    }

    /// Returns the effective sections of a kind.
    fn all(&self, kind: Kind) -> Vec<Profile<'_>> {
        let of_kind = self.parsed.sections.iter().filter(|section| section.kind == kind);
        let counts =
            |section: &&Section| self.section(kind, &section.name).is_some_and(|last| std::ptr::eq(last, *section));
        of_kind.filter(counts).map(|section| self.alone(section)).collect()
    }

    fn alone<'a>(&'a self, section: &'a Section) -> Profile<'a> {
        Profile { name: &section.name, config: Some((self, section)), credentials: None }
    }
}

/// Returns whether an error means that the file doesn't exist or is the null device, by its name or through a symbolic
/// link.
fn is_no_file(error: &io::Error, path: &Path) -> bool {
    let device = |path: &Path| {
        std::fs::metadata(path).ok().filter(|found| found.file_type().is_char_device()).map(|found| found.rdev())
    };
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => true,
        io::ErrorKind::InvalidInput => device(path).is_some_and(|found| Some(found) == device(Path::new("/dev/null"))),
        _ => false,
    }
}

#[cfg(test)]
pub(crate) mod tests;
