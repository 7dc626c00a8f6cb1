//! Copies of the AWS files, in which the default profile gets its credentials from awsrole through
//! `credential_process`. `exec --renew` uses them for a command that outlives a session, and a project with `profiles =
//! true` for programs that use several of its roles at once.
//!
//! A copy is generated from the parsed settings, not copied line by line. AWS clients disagree on what is a section, a
//! key or a comment, and keys that one of them reads as part of the default profile take precedence over
//! `credential_process`. To Python's `configparser`, a section `[DEFAULT]` is part of every other section. To the JS
//! SDK an indented `[default]` is a section, where others see the value of the key above. So a copy has one section
//! that any client could take for the default profile, and all of its lines have the form `key = value`.

use zeroize::Zeroizing;

use super::names::Kind;
use super::parse::{ParsedValue, Section};
use super::{AwsFile, Profile, Profiles};

/// The name of the original default profile in the copies, for profiles that use it as their source.
const ORIGINAL_DEFAULT: &str = "awsrole-outside";

/// Credential settings.
const KEYS: [&str; 4] = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token"];

/// Prefixes of settings that determine the identity of a profile. All other settings of the default profile are kept.
/// Sources: botocore, `credentials.py`, and AWS SDKs and Tools Reference Guide, "Settings reference".
const IDENTITY: [&str; 10] = [
    "aws_",
    "credential_",
    "role_",
    "source_",
    "external_id",
    "mfa_",
    "duration_seconds",
    "web_identity_",
    "login_",
    "sso_",
];

/// Returns the `credential_process` of a profile, or `None` if no line of a config file can contain it.
pub type ProfileCommand<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// What the copies contain in addition to the user's settings.
pub struct CopyOptions<'a> {
    /// The first line, a comment.
    pub comment: &'static str,
    /// The `credential_process` of the default profile.
    pub default: &'a str,
    /// Profiles that are added. They replace the user's profiles of the same names.
    pub roles: &'a [RoleProfile],
    /// What the user's other profiles become.
    pub others: OtherProfiles<'a>,
}

/// How the copies contain the user's profiles other than the default one.
#[derive(Clone, Copy)]
pub enum OtherProfiles<'a> {
    /// As they are.
    Unchanged,
    /// Profiles with keys get this command instead, so that the copies contain no secret.
    WithoutKeys(&'a ProfileCommand<'a>),
    /// Profiles with any identity get this command instead, so that awsrole can limit each of them.
    OnlyCommands(&'a ProfileCommand<'a>),
}

/// A profile that gets its credentials from awsrole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleProfile {
    /// Its name. [`is_name`] accepts it.
    pub name: String,
    /// Its `credential_process`.
    pub command: String,
    /// Its region.
    pub region: Option<String>,
}

impl Profiles {
    /// Returns copies of `~/.aws/config` and `~/.aws/credentials`.
    ///
    /// Both contain the `credential_process` of the default profile and of the added ones, because the Go SDK v1 and
    /// the JS SDK v2 don't read the config file by default.
    #[must_use]
    pub fn copies(&self, options: &CopyOptions<'_>) -> [Zeroizing<String>; 2] {
        let files = [&self.config, &self.credentials];
        let keeps_sources = !matches!(options.others, OtherProfiles::OnlyCommands(_));
        let starts_outside = keeps_sources
            && files.iter().flat_map(|file| file.in_force().map(move |section| (file, section))).any(
                |(file, section)| {
                    let source =
                        file.value(section, "source_profile").and_then(|value| one_line(value.text(&file.text)));
                    section.kind == Kind::Profile && is_name(&section.name) && source == Some("default")
                },
            );
        files.map(|file| self.copy(file, options, starts_outside))
    }

    fn copy(&self, file: &AwsFile, options: &CopyOptions<'_>, starts_outside: bool) -> Zeroizing<String> {
        // Allocate the full size at once: a growing buffer would leave copies of secrets in memory. Each profile may
        // repeat what it inherits from [DEFAULT].
        let inherited = file.in_force().count() * file.inherited_bytes();
        let added: usize = options.roles.iter().map(|role| 2 * role.name.len() + role.command.len() + 128).sum();
        let room = 4 * (file.text.len() + inherited) + options.default.len() + added + 1024;
        let mut text = Zeroizing::new(String::with_capacity(room));
        let profile = if std::ptr::eq(file, &self.config) { "profile " } else { "" };
        text.extend(["# ", options.comment, "\n[default]\ncredential_process = ", options.default, "\n"]);
        let default = file.section(Kind::Profile, "default");
        for value in default.into_iter().flat_map(|section| file.values_of(section)) {
            file.write(value, &mut text, |key| !is_identity(key));
        }
        for role in options.roles {
            let region = role.region.as_deref();
            text.extend(["[", profile, &role.name, "]\ncredential_process = ", &role.command, "\n"]);
            text.extend(region.into_iter().flat_map(|region| ["region = ", region, "\n"]));
        }
        for section in file.in_force().filter(|section| is_name(file.name_of(section))) {
            let name = file.name_of(section);
            if section.kind == Kind::Profile && options.roles.iter().any(|role| role.name == name) {
                continue;
            }
            let (kind, quote) = match section.kind {
                Kind::Profile => (profile, if profile.is_empty() || !name.contains(' ') { "" } else { "\"" }),
                Kind::Services => ("services ", ""),
                Kind::SsoSession => ("sso-session ", ""),
                Kind::Default | Kind::Unused => ("", ""),
            };
            text.extend(["[", kind, quote, name, quote, "]\n"]);
            self.write(file, section, options, &mut text);
        }
        if let (true, Some(default)) = (starts_outside, default) {
            text.extend(["[", profile, ORIGINAL_DEFAULT, "]\n"]);
            self.write(file, default, options, &mut text);
        }
        text
    }

    /// Writes the settings of a section, without unused keys and without an identity that a command replaces.
    fn write(&self, file: &AwsFile, section: &Section, options: &CopyOptions<'_>, text: &mut Zeroizing<String>) {
        let of_profile = section.kind == Kind::Profile;
        let of_use =
            of_profile && self.get(&section.name).is_some_and(|profile| uses_keys(profile, file, &self.config));
        let values = file.values_of(section);
        let has_identity = || of_profile && values.iter().any(|value| is_identity(&value.key(&file.text)));
        let (removes_identity, instead) = match options.others {
            OtherProfiles::Unchanged => (false, None),
            OtherProfiles::WithoutKeys(command) => (of_use, of_use.then_some(command)),
            OtherProfiles::OnlyCommands(command) => (true, has_identity().then_some(command)),
        };
        // The section of an SSO session contains no identity, only where a user signs in.
        let of_sign_in = |key: &str| section.kind == Kind::SsoSession && key.starts_with("sso_");
        for value in &values {
            file.write(value, text, |key| match removes_identity {
                true => !is_identity(key) || of_sign_in(key),
                false => of_use || !KEYS.contains(&key),
            });
        }
        if let Some(command) = instead.and_then(|command| command(&section.name)) {
            text.extend(["credential_process = ", &command, "\n"]);
        }
    }
}

impl AwsFile {
    /// Returns the effective sections without the default profile. If two headers have the same meaning, the later one
    /// is used.
    fn in_force(&self) -> impl Iterator<Item = &Section> {
        let counts = |section: &Section| match section.kind {
            Kind::Profile | Kind::Services | Kind::SsoSession => {
                self.section(section.kind, &section.name).is_some_and(|found| std::ptr::eq(found, section))
            }
            // Settings of the AWS CLI itself, independent of profiles.
            Kind::Unused => matches!(&self.text[section.header.clone()], "plugins" | "preview"),
            Kind::Default => false,
        };
        self.parsed.sections.iter().filter(move |section| counts(section))
    }

    fn name_of<'a>(&'a self, section: &'a Section) -> &'a str {
        if section.kind == Kind::Unused { &self.text[section.header.clone()] } else { &section.name }
    }

    /// Returns a section's settings. Profiles include those of `[DEFAULT]`, because a copy has no such section.
    fn values_of<'a>(&'a self, section: &'a Section) -> Vec<&'a ParsedValue> {
        match section.kind {
            Kind::Profile => {
                // A section's own setting takes precedence over the inherited one.
                let counts = |value: &&ParsedValue| {
                    let key = value.key(&self.text);
                    self.value(section, &key).is_some_and(|found| std::ptr::eq(found, *value))
                };
                self.parsed.all(section).filter(counts).collect()
            }
            _ => self.parsed.values[section.values.clone()].iter().collect(),
        }
    }

    fn inherited_bytes(&self) -> usize {
        let defaults = self.parsed.sections.iter().filter(|section| section.kind == Kind::Default);
        let values = defaults.flat_map(|section| &self.parsed.values[section.values.clone()]);
        values.map(|value| value.key(&self.text).len() + value.text(&self.text).len()).sum()
    }

    /// Writes a setting if `stays` accepts it, on a line that every client reads in the same way. Nested settings get
    /// one line each. A value that is neither is left out.
    fn write(&self, value: &ParsedValue, text: &mut Zeroizing<String>, stays: impl Fn(&str) -> bool) {
        let key = value.key(&self.text);
        let raw = value.text(&self.text);
        if !is_key(&key) || !stays(&key) {
            return;
        }
        if let Some(plain) = one_line(raw) {
            let plain = if key == "source_profile" && plain == "default" { ORIGINAL_DEFAULT } else { plain };
            if is_plain(plain) {
                text.extend([&key, " = ", plain, "\n"]);
            }
            return;
        }
        if raw.lines().next().is_some_and(|first| !first.trim().is_empty()) {
            if key == "credential_process" && raw.lines().all(is_plain) {
                // To botocore a newline is white space between two words.
                text.extend([&key, " ="]);
                raw.lines().for_each(|line| text.extend([" ", line]));
                text.push('\n');
            }
            return;
        }
        let mut begun = false;
        for line in lines(raw) {
            let Some((inner, value)) = line.split_once('=') else { continue };
            let (inner, value) = (inner.trim(), value.trim());
            // Some clients read an indented line as an ordinary key of the profile.
            let lower = inner.to_lowercase();
            if is_key(&lower) && !is_identity(&lower) && is_plain(value) {
                // Without nested lines the key would have an empty value, which some clients reject.
                if !std::mem::replace(&mut begun, true) {
                    text.extend([&key, " =\n"]);
                }
                text.extend(["  ", inner, " = ", value, "\n"]);
            }
        }
    }
}

/// Returns the lines of a value that aren't empty.
fn lines(raw: &str) -> impl Iterator<Item = &str> {
    raw.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';']))
}

/// Returns a value of one line. A value with an empty first line contains nested settings.
fn one_line(raw: &str) -> Option<&str> {
    let is_one = !raw.starts_with('\n') && !raw.trim().contains(['\n', '\r']);
    is_one.then(|| raw.trim())
}

/// Returns whether no client would end the line of this value early.
fn is_plain(value: &str) -> bool {
    !value.contains(|c: char| c.is_control() && c != '\t')
}

/// Returns whether a setting determines the identity of a profile.
fn is_identity(key: &str) -> bool {
    IDENTITY.iter().any(|start| key.starts_with(start))
}

/// Returns whether every client reads this text as a key.
fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

/// Returns whether every client reads this section name in the same way, and none of them as the default profile or one
/// that awsrole adds.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let fits = |c: char| !c.is_control() && !"[]\"'\\#;".contains(c) && (c == ' ' || !c.is_whitespace());
    !name.is_empty()
        && name.trim() == name
        && name.chars().all(fits)
        && !name.eq_ignore_ascii_case("default")
        && name != ORIGINAL_DEFAULT
        && !name.split(' ').next().is_some_and(|word| word.eq_ignore_ascii_case("profile") && word != name)
}

/// Returns whether the AWS CLI would ever use the keys that a profile has in this file.
///
/// A web identity and Identity Center take precedence over all keys, and `credential_process` or a console session over
/// those in the config file (botocore, `ProfileProviderBuilder`).
fn uses_keys(profile: Profile<'_>, file: &AwsFile, config: &AwsFile) -> bool {
    let has = |keys: &[&str]| keys.iter().any(|key| profile.text(key).is_some());
    let whole = has(&["aws_access_key_id"]) && has(&["aws_secret_access_key"]);
    let in_other = profile.in_credentials_file().is_some_and(|profile| profile.has_static_keys());
    let behind = std::ptr::eq(file, config) && (has(&["credential_process", "login_session"]) || in_other);
    whole && !has(&["web_identity_token_file"]) && !profile.is_identity_center() && !behind
}

#[cfg(test)]
mod tests;
