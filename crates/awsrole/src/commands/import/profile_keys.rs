//! The keys of aws-vault and granted in profiles of `~/.aws/config`.

use std::path::Path;

use awsrole_core::aws::profiles::{Profile, Profiles};
use awsrole_core::base::context::Context;
use serde_json::{Value, json};

use super::settings::{Imported, ImportedRole, ShownLine};
use crate::commands::init::toml_string;

/// How many profiles are followed.
const MAX_DEPTH: usize = 10;

/// The options of `aws-vault`, `exec` and `export` without a value (aws-vault 7: cli/global.go, exec.go, export.go).
const FLAGS: [&str; 13] = [
    "-j",
    "-n",
    "-s",
    "--json",
    "--no-session",
    "--server",
    "--ec2-server",
    "--ecs-server",
    "--lazy",
    "--stdout",
    "--profile-env",
    "--debug",
    "--biometrics",
];

/// A setting for a project file: the key, the value in TOML, and where it was found.
type ProfileSetting = (&'static str, String, ShownLine);

/// What a project file needs to use a profile.
pub(super) struct ProfileKeys {
    /// The profile to name, which may be the one that another tool uses.
    pub(super) profile: String,
    pub(super) settings: Vec<ProfileSetting>,
    pub(super) remarks: Vec<String>,
    /// Whether the profile has keys of another tool.
    is_of_tool: bool,
}

/// Returns a `[role.NAME]` for each profile that has keys of aws-vault or granted.
pub(super) fn of_all(profiles: &Profiles, context: &Context) -> Imported {
    let mut imported = Imported::default();
    for name in profiles.names() {
        let Some(profile) = profiles.get(name).filter(|profile| profile.in_config_file().is_some()) else { continue };
        let keys = of(profile, profiles, context);
        if !keys.is_of_tool {
            continue;
        }
        imported.remarks.extend(keys.remarks);
        let place = place(profile, "", context);
        if name.starts_with('-') || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            imported.skip(&place, "a role's name can't begin with `-` or contain white space");
            continue;
        }
        let mut role = ImportedRole::named(name);
        let settings = [("profile", toml_string(&keys.profile), place)].into_iter().chain(keys.settings);
        for (key, value, place) in settings {
            if let Err(reason) = role.add(key, value, &place) {
                imported.skip(&place, &reason);
            }
        }
        imported.roles.push(role);
    }
    imported
}

/// Examines a profile.
pub(super) fn of<'p>(mut profile: Profile<'p>, profiles: &'p Profiles, context: &Context) -> ProfileKeys {
    let mut keys = ProfileKeys { profile: String::new(), settings: Vec::new(), remarks: Vec::new(), is_of_tool: false };
    let first = profile;
    for _ in 0..MAX_DEPTH {
        keys.granted(profile, context);
        let Some((tool, called)) = called(profile) else { break };
        keys.is_of_tool = true;
        let place = place(profile, "credential_process", context);
        let next = profiles.get(&called).filter(|_| called != profile.name);
        keys.remarks.push(match next {
            Some(_) => format!("{place} runs {tool} for profile `{called}`, which awsrole uses itself"),
            None if called == profile.name => format!("{place} runs {tool} for its own profile: remove the line"),
            None => format!("{place} runs {tool} for `{called}`, and there is no such profile in your AWS files"),
        });
        match next {
            Some(next) => profile = next,
            None => break,
        }
    }
    let leads_on = ["role_arn", "source_profile", "sso_session", "sso_start_url", "granted_sso_start_url"];
    if keys.is_of_tool && !profile.has_static_keys() && !leads_on.iter().any(|key| profile.has(key)) {
        let name = profile.name;
        keys.remarks.push(format!("if {name} has long-lived keys, `awsrole keys add {name}` stores them for awsrole"));
    }
    keys.profile = profile.name.to_owned();
    if let Some(region) = first.text("region").filter(|region| profile.text("region") != Some(region)) {
        keys.settings.push(("region", toml_string(region), place(first, "region", context)));
    }
    keys.aws_vault(profile, context);
    keys
}

impl ProfileKeys {
    /// Names the keys that only granted reads.
    fn granted(&mut self, profile: Profile<'_>, context: &Context) {
        if profile.has("granted_sso_start_url") || profile.has("granted_sso_account_id") {
            self.is_of_tool = true;
            let key = ["granted_sso_start_url", "granted_sso_account_id"].into_iter().find(|key| profile.has(key));
            let place = place(profile, key.unwrap_or_default(), context);
            let text = "only granted reads keys that begin with granted_sso_: name them sso_start_url, sso_region, \
                        sso_account_id and sso_role_name";
            self.remarks.push(format!("{place}: {text}"));
        }
    }

    /// Converts the keys that aws-vault reads from a profile and awsrole from a project file.
    fn aws_vault(&mut self, profile: Profile<'_>, context: &Context) {
        let at = |key: &str| place(profile, key, context);
        let list = |text: &str| text.split(',').map(|item| item.trim().to_owned()).collect::<Vec<_>>();
        if let Some(identity) = profile.text("source_identity") {
            self.settings.push(("source_identity", toml_string(identity), at("source_identity")));
        }
        if let Some(text) = profile.text("session_tags") {
            let pairs = list(text).into_iter().filter_map(|pair| {
                let (key, value) = pair.split_once('=')?;
                Some(format!("{} = {}", toml_string(key.trim()), toml_string(value.trim())))
            });
            let table = format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "));
            self.settings.push(("session_tags", table, at("session_tags")));
        }
        if let Some(text) = profile.text("transitive_session_tags") {
            let tags: Value = json!(list(text));
            self.settings.push(("transitive_session_tags", tags.to_string(), at("transitive_session_tags")));
        }
        for (key, text) in [
            ("include_profile", "awsrole has no include_profile: copy the settings of that profile"),
            ("parent_profile", "awsrole has no parent_profile: copy the settings of that profile"),
            ("mfa_process", "awsrole reads mfa_process from its own config.toml"),
        ] {
            if profile.has(key) {
                self.is_of_tool = true;
                self.remarks.push(format!("{}: {text}", at(key)));
            }
        }
        self.is_of_tool |= self.settings.iter().any(|(key, ..)| *key != "region");
    }
}

/// Returns the tool that the `credential_process` runs, and the profile that the tool uses.
fn called(profile: Profile<'_>) -> Option<(&'static str, String)> {
    let words = profile.process_words()?;
    let (program, arguments) = words.split_first()?;
    match Path::new(program).file_name()?.to_str()? {
        "aws-vault" => Some(("aws-vault", profile_of_aws_vault(arguments)?)),
        "granted" | "dgranted" => Some(("granted", option(arguments, "--profile")?)),
        _ => None,
    }
}

/// Returns the first argument of `aws-vault exec` or `export` that is neither an option nor the value of one.
fn profile_of_aws_vault(arguments: &[String]) -> Option<String> {
    let mut is_command_seen = false;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--" => return None,
            option if option.starts_with('-') => {
                if !option.contains('=') && !FLAGS.contains(&option) {
                    arguments.next();
                }
            }
            "exec" | "export" if !is_command_seen => is_command_seen = true,
            name => return is_command_seen.then(|| name.to_owned()),
        }
    }
    None
}

/// Returns the value of an option, `--name VALUE` or `--name=VALUE`.
fn option(arguments: &[String], name: &str) -> Option<String> {
    arguments.iter().enumerate().find_map(|(at, argument)| match argument.strip_prefix(name)? {
        "" => arguments.get(at + 1).cloned(),
        rest => rest.strip_prefix('=').map(str::to_owned),
    })
}

fn place(profile: Profile<'_>, key: &str, context: &Context) -> ShownLine {
    let origin = profile.origin(key);
    ShownLine { file: context.shorten(&origin.file), line: origin.line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_of_an_aws_vault_command() {
        for (command, expected) in [
            ("exec jump --json", Some("jump")),
            ("exec --json --duration=1h jump", Some("jump")),
            ("--prompt ykman exec -n -d 1h jump -- env", Some("jump")),
            ("export --format=json jump", Some("jump")),
            ("exec --json", None),
            ("exec -- env", None),
            ("list jump", None),
        ] {
            let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
            assert_eq!(profile_of_aws_vault(&words).as_deref(), expected, "{command}");
        }
    }
}
