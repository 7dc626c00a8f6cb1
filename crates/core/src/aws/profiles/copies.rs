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
mod tests {
    use super::super::tests::home;
    use super::*;

    const MADE: &str = "# Made.\n[default]\ncredential_process = p\n";
    const OPTIONS: CopyOptions<'_> =
        CopyOptions { comment: "Made.", default: "p", roles: &[], others: OtherProfiles::Unchanged };

    fn copies(config: &str, credentials: &str) -> [String; 2] {
        let (_home, context) = home(config, credentials);
        Profiles::load(&context).unwrap().copies(&OPTIONS).map(|text| {
            let rest = text.strip_prefix(MADE).unwrap_or_else(|| panic!("{}", *text));
            assert!(!rest.contains("[default]") && !rest.contains("credential_process = p\n"), "{rest}");
            rest.to_owned()
        })
    }

    #[test]
    fn default_profile_keeps_settings_but_not_its_identity() {
        let [config, credentials] = copies(
            "[default]\nregion = x\nROLE_ARN = a\nsource_profile=jump\ns3 =\n  max = 2\n  # old\n  Style=path\ncli_pager =\n[profile jump]\nregion = y",
            "# mine\n[default]\naws_access_key_id = AKIA\naws_secret_access_key: s\n[jump]\naws_access_key_id = AKIA2\naws_secret_access_key = s2\n",
        );
        assert_eq!(config, "region = x\ns3 =\n  max = 2\n  Style = path\ncli_pager = \n[profile jump]\nregion = y\n");
        assert_eq!(credentials, "[jump]\naws_access_key_id = AKIA2\naws_secret_access_key = s2\n");
    }

    #[test]
    fn adds_a_missing_default_profile() {
        assert_eq!(copies("[profile \"default\"]\nsso_session = x", ""), ["", ""]);
        assert_eq!(copies("", "[a]\nregion = x\n"), ["", "[a]\nregion = x\n"]);
    }

    #[test]
    fn leaves_out_sections_that_a_client_could_take_for_the_default_profile() {
        let keys = "aws_access_key_id = AKIA\naws_secret_access_key = canary\n";
        for name in [
            "DEFAULT",
            "Default",
            " default ",
            "profile default",
            "profile  default",
            "Profile default",
            "'default'",
            "awsrole-outside",
        ] {
            assert_eq!(copies("", &format!("[{name}]\n{keys}")), ["", ""], "{name}");
        }
        for name in [
            "DEFAULT",
            "profile DEFAULT",
            "profile Default",
            " default ",
            "Default",
            "profile awsrole-outside",
            "x",
            "profile\tdefault",
        ] {
            assert_eq!(copies(&format!("[{name}]\n{keys}"), ""), ["", ""], "{name}");
        }
    }

    #[test]
    fn copies_contain_only_settings() {
        let nested = "[profile x]\ns3 =\n  [default] = x\n  aws_access_key_id = AKIA\n  AWS_Secret_Access_Key = canary\n  max = 2\n";
        assert_eq!(copies(nested, "")[0], "[profile x]\ns3 =\n  max = 2\n");
        let continued = "[profile x]\noutput = json\n  [default]\n  aws_access_key_id = AKIA\nregion = x\n";
        assert_eq!(copies(continued, "")[0], "[profile x]\nregion = x\n");
        assert_eq!(copies("[profile x]\ns3 =\n  [default] = x\n  aws_session_token = t\n", "")[0], "[profile x]\n");
        assert_eq!(copies("[profile x]\na b = c\n[d = e\n", "")[0], "[profile x]\n");
    }

    #[test]
    fn keeps_other_profiles_and_sections() {
        let config = "\
[plugins]
cli_legacy_plugin_path = /x
[profile \"two words\"]
role_arn = r
source_profile = jump
mfa_serial = m
[services local]
sts =
  endpoint_url = http://127.0.0.1:1
[sso-session corp]
sso_start_url = https://x/#/
";
        assert_eq!(copies(config, "")[0], config);
    }

    #[test]
    fn keeps_inherited_settings_but_not_the_default_profiles_keys() {
        let keys = "aws_access_key_id = AKIA\naws_secret_access_key = s\n";
        let [config, credentials] = copies(
            "[DEFAULT]\nregion = x\noutput = json\n[default]\n[profile a]\noutput = text\n",
            &format!("[DEFAULT]\n{keys}[a]\n[default]\n"),
        );
        assert_eq!(config, "region = x\noutput = json\n[profile a]\noutput = text\nregion = x\n");
        assert_eq!(credentials, format!("[a]\n{keys}"));
    }

    #[test]
    fn joins_a_command_on_several_lines() {
        let [config, _] =
            copies("[profile a]\ncredential_process = cat\n\n  # mine\n  keys.json\noutput = a\n  b\n", "");
        assert_eq!(config, "[profile a]\ncredential_process = cat  keys.json\n");
    }

    #[test]
    fn leaves_out_keys_that_no_client_uses() {
        let keys = "aws_access_key_id = AKIA\naws_secret_access_key = s\naws_session_token = t\n";
        for other in ["sso_account_id = 1", "sso_role_name = Dev", "web_identity_token_file = /x"] {
            let [config, credentials] = copies(&format!("[profile a]\n{other}\n"), &format!("[a]\n{keys}"));
            assert_eq!((config, credentials), (format!("[profile a]\n{other}\n"), "[a]\n".to_owned()));
        }
        for other in ["credential_process = x", "login_session = y"] {
            let [config, credentials] = copies(&format!("[profile a]\n{keys}{other}\n"), "");
            assert_eq!((config, credentials), (format!("[profile a]\n{other}\n"), String::new()));
            assert_eq!(copies(&format!("[profile a]\n{other}\n"), &format!("[a]\n{keys}"))[1], format!("[a]\n{keys}"));
        }
        let half = "[a]\naws_access_key_id = AKIA\n";
        assert_eq!(copies("", half)[1], "[a]\n");
        let twice = copies(&format!("[profile a]\n{keys}"), &format!("[a]\n{keys}"));
        assert_eq!(twice, ["[profile a]\n".to_owned(), format!("[a]\n{keys}")]);
    }

    #[test]
    fn only_commands_leaves_no_profile_its_identity() {
        let identities = [
            "aws_access_key_id = AKIA\naws_secret_access_key = canary\n",
            "aws_access_key_id = AKIA\n",
            "credential_process = canary\n",
            "credential_process = canary\n  canary\n",
            "role_arn = canary\nsource_profile = jump\nmfa_serial = canary\n",
            "role_arn = canary\nsource_profile = default\n",
            "role_arn = canary\ncredential_source = Environment\n",
            "role_arn = canary\nweb_identity_token_file = canary\n",
            "login_session = canary\n",
            "sso_session = corp\nsso_account_id = canary\nsso_role_name = canary\n",
            "Credential_Process = canary\n",
        ];
        let own = |name: &str| (name != "no command").then(|| format!("awsrole {name}"));
        let options = CopyOptions { others: OtherProfiles::OnlyCommands(&own), ..OPTIONS };
        let copies = |config: &str, credentials: &str| {
            let (_home, context) = home(config, credentials);
            Profiles::load(&context).unwrap().copies(&options).map(|text| text.strip_prefix(MADE).unwrap().to_owned())
        };
        for identity in identities {
            let profile = |header: &str| format!("[{header}]\nregion = x\n{identity}output = json\n");
            let written = |header: &str, command: &str| {
                format!("[{header}]\nregion = x\noutput = json\n{command}").replace("\n\n", "\n")
            };
            let expected = |start: &str| {
                written(&format!("{start}a"), "credential_process = awsrole a\n")
                    + &written(&format!("{start}no command"), "")
            };
            let [config, _] = copies(&(profile("profile a") + &profile("profile \"no command\"")), "");
            assert_eq!(config.replace('"', ""), expected("profile "), "{identity}");
            let [_, credentials] = copies("", &(profile("a") + &profile("no command")));
            assert_eq!(credentials, expected(""), "{identity}");
            // In a section of another kind, and inherited.
            let others = format!("[plugins]\n{identity}[sso-session corp]\n{identity}[services local]\n{identity}");
            let [config, _] = copies(&format!("[DEFAULT]\n{identity}[profile a]\n{others}"), "");
            let sections = config.split_once("[plugins]").unwrap();
            assert_eq!(sections.0, "[profile a]\ncredential_process = awsrole a\n", "{identity}");
            let sso = if identity.starts_with("sso_") { identity } else { "" };
            assert_eq!(sections.1, format!("\n[sso-session corp]\n{sso}[services local]\n"), "{identity}");
        }
        let plain = "[profile a]\nregion = x\n[sso-session corp]\nsso_start_url = https://x\nsso_region = y\n";
        assert_eq!(copies(plain, "")[0], plain);
    }

    #[test]
    fn keeps_the_default_profile_as_a_source_profile() {
        for source in ["source_profile = default", "SOURCE_PROFILE=default"] {
            let [config, credentials] = copies(
                &format!("[default]\nregion = x\n[profile a]\nrole_arn = r\n{source}\n"),
                "[default]\naws_access_key_id = AKIA\naws_secret_access_key = s\n",
            );
            let a = "[profile a]\nrole_arn = r\nsource_profile = awsrole-outside\n";
            let expected = format!("region = x\n{a}[profile awsrole-outside]\nregion = x\n");
            assert_eq!(config, expected);
            assert_eq!(credentials, "[awsrole-outside]\naws_access_key_id = AKIA\naws_secret_access_key = s\n");
        }
    }

    #[test]
    fn keeps_a_default_profile_that_is_its_own_source() {
        let text = "role_arn = r\nsource_profile = default\naws_access_key_id = AKIA\naws_secret_access_key = s\n";
        let [config, _] =
            copies(&format!("[default]\n{text}[profile a]\nrole_arn = r\nsource_profile = default\n"), "");
        assert!(
            config.ends_with(&format!("[profile awsrole-outside]\n{}", text.replace("default", ORIGINAL_DEFAULT))),
            "{config}"
        );
    }

    #[test]
    fn copies_fit_the_allocated_capacity() {
        let dense = "[b]\n".to_owned() + &(0..50).map(|number| format!("a{number}=\n b=c\n d=e\n")).collect::<String>();
        let (_home, context) = home(&dense.replace("[b]", "[profile b]"), &dense);
        let profiles = Profiles::load(&context).unwrap();
        for (text, file) in profiles.copies(&OPTIONS).iter().zip([&profiles.config, &profiles.credentials]) {
            assert_eq!(
                text.capacity(),
                4 * file.text.len() + 1 + 1024,
                "a growing buffer leaves copies of secrets behind"
            );
        }
    }
}
