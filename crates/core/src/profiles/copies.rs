//! Copies of the AWS files for a command that outlives any session: the default profile has no keys,
//! but a program that gives them. Every other profile gives what it gave.

use zeroize::Zeroizing;

use super::{AwsFile, Kind, Profiles, config_section};

/// What the default profile is called in the copies for those profiles that start from it.
const OUTSIDE: &str = "awsrole-outside";

/// What makes a profile somebody. Anything else in the default profile is a setting, and stays
/// (botocore, `credentials.py`; AWS SDKs and Tools Reference Guide, "Settings reference").
const IDENTITY: [&str; 19] = [
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "aws_security_token",
    "aws_account_id",
    "credential_process",
    "credential_source",
    "role_arn",
    "source_profile",
    "role_session_name",
    "external_id",
    "mfa_serial",
    "duration_seconds",
    "web_identity_token_file",
    "login_session",
    "sso_session",
    "sso_start_url",
    "sso_account_id",
    "sso_role_name",
];

/// One file's copy on its way.
struct Copy {
    text: Zeroizing<String>,
    /// The default profile's own lines as they were.
    outside: Zeroizing<String>,
    /// Some profile starts from the default one.
    starts_outside: bool,
}

impl Profiles {
    /// The copies of `~/.aws/config` and `~/.aws/credentials`, with `command` as the default
    /// profile's `credential_process` in both: the Go SDK v1 and the JS SDK v2 read the first one only
    /// if they are told to.
    #[must_use]
    pub fn copies(&self, command: &str) -> [Zeroizing<String>; 2] {
        let [config, credentials] = [
            self.config.copy(command, |header| match config_section(header) {
                Some((Kind::Profile, name)) => Some(name),
                _ => None,
            }),
            self.credentials.copy(command, |header| Some(header.to_owned())),
        ];
        let starts_outside = config.starts_outside || credentials.starts_outside;
        [("profile ", config), ("", credentials)].map(|(kind, mut copy)| {
            if starts_outside {
                copy.text.push_str(&format!("\n[{kind}{OUTSIDE}]\n"));
                copy.text.push_str(&copy.outside);
            }
            copy.text
        })
    }
}

impl AwsFile {
    /// Walks over the lines as `parse` does; the file has been parsed, so that none is wrong.
    fn copy(&self, command: &str, name_of: impl Fn(&str) -> Option<String>) -> Copy {
        // Room for all of it at once: a growing buffer would leave copies of secrets behind.
        let room = || Zeroizing::new(String::with_capacity(2 * (self.text.len() + command.len()) + 1024));
        let mut copy = Copy { text: room(), outside: room(), starts_outside: false };
        let mut in_default = false;
        let mut has_default = false;
        // The key whose value indented lines continue: its indent, and whether it stays.
        let mut key: Option<(usize, bool)> = None;
        // The value of a `source_profile` is still to come, on the next line.
        let mut source_follows = false;
        let process = format!("credential_process = {command}\n");
        for raw in self.text.split_inclusive('\n') {
            let trimmed = raw.trim();
            let indent = raw.len() - raw.trim_start().len();
            let mut stays = true;
            // Never a text of its own, which would have to be wiped.
            let mut line = ["", raw.trim_end_matches(['\n', '\r'])];
            if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            } else if let Some((its_indent, its_stays)) = key
                && indent > its_indent
            {
                stays = its_stays;
                if std::mem::take(&mut source_follows) && trimmed == "default" {
                    copy.starts_outside |= !in_default;
                    line = [&raw[..indent], OUTSIDE];
                }
            } else if let Some(header) = trimmed.strip_prefix('[').and_then(|rest| Some(&rest[..rest.rfind(']')?])) {
                (key, source_follows) = (None, false);
                in_default = name_of(header).as_deref() == Some("default");
                copy.text.extend([line[1], "\n"]);
                if in_default {
                    has_default = true;
                    // A second one goes before the first.
                    copy.outside.clear();
                    copy.text.push_str(&process);
                }
                continue;
            } else if let Some((name, value)) = trimmed.split_once(['=', ':']) {
                let name = name.trim().to_lowercase();
                stays = !(in_default && IDENTITY.contains(&name.as_str()));
                key = Some((indent, stays));
                source_follows = name == "source_profile" && value.trim().is_empty();
                if name == "source_profile" && value.trim() == "default" {
                    copy.starts_outside |= !in_default;
                    line = ["source_profile = ", OUTSIDE];
                }
            }
            if in_default {
                copy.outside.extend(line.into_iter().chain(["\n"]));
            }
            if stays {
                copy.text.extend(line.into_iter().chain(["\n"]));
            }
        }
        if !has_default {
            copy.text.push_str("\n[default]\n");
            copy.text.push_str(&process);
        }
        copy
    }
}

/// One word of a `credential_process`. Some SDKs hand the line to `sh -c`, botocore splits it with
/// Python's `shlex`: single quotes mean the same to both. Behind white space `#` and `;` begin a
/// comment to some, even inside quotes.
///
/// `None` for what no line can hold.
#[must_use]
pub fn word(text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return Some(text.to_owned());
    }
    if text.contains(char::is_control) {
        return None;
    }
    let mut word = String::from("'");
    let mut before = ' ';
    for c in text.chars() {
        match c {
            '\'' => word.push_str(r"'\''"),
            '#' | ';' if before.is_whitespace() => word.extend(["''", c.encode_utf8(&mut [0; 4])]),
            c => word.push(c),
        }
        before = c;
    }
    word.push('\'');
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::super::tests::home;
    use super::*;

    fn copies(config: &str, credentials: &str) -> [String; 2] {
        let (_home, context) = home(config, credentials);
        Profiles::load(&context).unwrap().copies("p").map(|text| text.to_string())
    }

    #[test]
    fn the_default_profile_loses_who_it_is_and_keeps_its_settings() {
        let [config, credentials] = copies(
            "[default]\nregion = x\nROLE_ARN = a\nsource_profile=\n  jump\ns3 =\n  max = 2\n[profile jump]\nregion = y",
            "# mine\n[default]\naws_access_key_id = AKIA\naws_secret_access_key: s\n[jump]\naws_access_key_id = AKIA2\n",
        );
        assert_eq!(
            config,
            "[default]\ncredential_process = p\nregion = x\ns3 =\n  max = 2\n[profile jump]\nregion = y\n"
        );
        assert_eq!(credentials, "# mine\n[default]\ncredential_process = p\n[jump]\naws_access_key_id = AKIA2\n");
    }

    #[test]
    fn files_without_a_default_profile_get_one() {
        let [config, credentials] = copies("[profile \"default\"]\nsso_session = x", "");
        assert_eq!(config, "[profile \"default\"]\ncredential_process = p\n");
        assert_eq!(credentials, "\n[default]\ncredential_process = p\n");
    }

    #[test]
    fn profiles_that_start_from_the_default_one_still_do() {
        let [config, credentials] = copies(
            "[default]\nregion = x\n[profile a]\nrole_arn = r\nsource_profile = default\n",
            "[default]\naws_access_key_id = AKIA\n",
        );
        assert!(config.contains("role_arn = r\nsource_profile = awsrole-outside\n"), "{config}");
        assert!(config.ends_with("\n[profile awsrole-outside]\nregion = x\n"), "{config}");
        assert!(credentials.ends_with("\n[awsrole-outside]\naws_access_key_id = AKIA\n"), "{credentials}");
    }

    #[test]
    fn a_source_on_the_next_line_is_one() {
        let [config, _] = copies(
            "[profile a]\nrole_arn = r\nsource_profile =\n\n  # mine\n  default\n[profile b]\nsource_profile=\n  jump\nregion =\n  default\n",
            "[default]\naws_access_key_id = AKIA\n",
        );
        let expected = "[profile a]\nrole_arn = r\nsource_profile =\n\n  # mine\n  awsrole-outside\n[profile b]\nsource_profile=\n  jump\nregion =\n  default\n";
        assert!(config.starts_with(expected), "{config}");
        assert!(config.ends_with("\n[profile awsrole-outside]\n"), "{config}");
    }

    #[test]
    fn words_mean_the_same_to_sh_and_to_shlex() {
        for (text, expected) in [
            ("/usr/bin/awsrole", Some("/usr/bin/awsrole")),
            ("/a b/c", Some("'/a b/c'")),
            ("it's", Some(r"'it'\''s'")),
            ("a #b ;c#d", Some("'a ''#b '';c#d'")),
            ("", Some("''")),
            ("a\nb", None),
        ] {
            assert_eq!(word(text).as_deref(), expected);
        }
    }
}
