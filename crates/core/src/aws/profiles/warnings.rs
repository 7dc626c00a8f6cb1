//! Warnings about lines of the AWS files that the AWS CLI accepts, but probably not with the intended meaning.

use std::collections::HashMap;
use std::fmt;

use super::names::{self, Kind};
use super::parse::{ParsedValue, Section, strip};
use super::{AwsFile, Profiles};
use crate::base::location::Origin;
use crate::base::suggest::nearest;

/// Keys whose values are a single line of text (botocore, `credentials.py`, `configprovider.py`).
const PLAIN: [&str; 32] = [
    "aws_access_key_id",
    "aws_account_id",
    "aws_secret_access_key",
    "aws_security_token",
    "aws_session_token",
    "ca_bundle",
    "credential_process",
    "credential_source",
    "duration_seconds",
    "ec2_metadata_service_endpoint",
    "ec2_metadata_service_endpoint_mode",
    "endpoint_url",
    "external_id",
    "ignore_configured_endpoint_urls",
    "login_session",
    "metadata_service_num_attempts",
    "metadata_service_timeout",
    "mfa_serial",
    "output",
    "region",
    "role_arn",
    "role_session_name",
    "services",
    "source_profile",
    "sso_account_id",
    "sso_region",
    "sso_role_name",
    "sso_session",
    "sso_start_url",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
    "web_identity_token_file",
];

/// A warning about a line. It never contains the value, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The file and the line.
    pub at: Origin,
    /// The profile that the line belongs to.
    pub profile: Option<String>,
    /// The warning, and how to write the line correctly.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.text)
    }
}

impl Profiles {
    /// Returns the warnings about both files.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for file in [&self.config, &self.credentials] {
            let mut seen: HashMap<(Kind, &str), usize> = HashMap::new();
            for section in &file.parsed.sections {
                let header = &file.text[section.header.clone()];
                let own = match section.kind {
                    Kind::Profile | Kind::Services | Kind::SsoSession => {
                        seen.insert((section.kind, section.name.as_str()), section.line)
                    }
                    Kind::Default | Kind::Unused => None,
                };
                if let Some(line) = own {
                    let text = format!("[{header}] means the same as line {line}: only this section is used");
                    warnings.push(file.warning(section, section.line, text));
                }
                if let Some(text) = no_name(section, header) {
                    warnings.push(file.warning(section, section.line, text));
                }
                file.odd_values(section, &mut warnings);
            }
        }
        for section in self.credentials.parsed.sections.iter().filter(|section| section.kind == Kind::Profile) {
            if let Some(name) = section.name.strip_prefix("profile ") {
                let text = format!("[profile {name}] is a profile named `profile {name}`: here `[{name}]` is enough");
                warnings.push(self.credentials.warning(section, section.line, text));
            }
        }
        warnings
    }

    /// Returns the warnings about a profile's sections.
    #[must_use]
    pub fn warnings_about(&self, name: &str) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for file in [&self.config, &self.credentials] {
            let defaults = file.parsed.sections.iter().filter(|section| section.kind == Kind::Default);
            for section in file.section(Kind::Profile, name).into_iter().chain(defaults) {
                file.odd_values(section, &mut warnings);
            }
        }
        warnings
    }

    /// Returns the line that was probably meant to define the profile of this name.
    #[must_use]
    pub fn almost(&self, name: &str) -> Option<Warning> {
        let unused = self.config.parsed.sections.iter().filter(|section| section.kind == Kind::Unused);
        let meant =
            unused.map(|section| (section, &self.config.text[section.header.clone()])).find_map(|(section, header)| {
                let text = if header == name {
                    format!("[{name}] isn't a profile in this file: it must be `[profile {name}]`")
                } else if header.strip_prefix("profile").is_some_and(|rest| strip(rest) == name) {
                    format!("[{header}] names no profile: it must be `[profile \"{name}\"]`")
                } else {
                    return None;
                };
                Some(self.config.warning(section, section.line, text))
            });
        let indented = || {
            self.warnings().into_iter().find(|warning| {
                [format!("`[profile {name}]` is indented"), format!("`[{name}]` is indented")]
                    .iter()
                    .any(|text| warning.text.starts_with(text))
            })
        };
        let with_prefix = || {
            let wrong = format!("profile {name}");
            let section = self.credentials.section(Kind::Profile, &wrong)?;
            let text = format!("[{wrong}] must be `[{name}]` in this file");
            Some(self.credentials.warning(section, section.line, text))
        };
        meant.or_else(with_prefix).or_else(indented)
    }
}

impl AwsFile {
    fn warning(&self, section: &Section, line: usize, text: String) -> Warning {
        let profile = (section.kind == Kind::Profile).then(|| section.name.clone());
        Warning { at: Origin { file: self.path.clone(), line }, profile, text }
    }

    fn odd_values(&self, section: &Section, warnings: &mut Vec<Warning>) {
        for value in &self.parsed.values[section.values.clone()] {
            if section.kind == Kind::Profile
                && let Some(text) = misspelled(&value.key(&self.text))
            {
                warnings.push(self.warning(section, value.line, text));
            }
            let text = value.text(&self.text);
            let quoted =
                ['"', '\''].iter().any(|quote| text.len() > 1 && text.starts_with(*quote) && text.ends_with(*quote));
            let commented = text.contains('#') || text.contains(';');
            if !quoted && !commented && value.more().is_none() {
                continue;
            }
            let key = value.key(&self.text);
            let plain = PLAIN.contains(&key.as_ref());
            let commented = [" #", " ;", "\t#", "\t;"].iter().any(|start| text.contains(start));
            if plain && key != "credential_process" && quoted {
                let text = format!("the quotes are part of `{key}`: write the value without them");
                warnings.push(self.warning(section, value.line, text));
            } else if plain && key != "credential_process" && commented {
                let text = format!("the comment is part of `{key}`: it needs a line of its own");
                warnings.push(self.warning(section, value.line, text));
            }
            if plain || !text.starts_with('\n') {
                warnings.extend(self.swallowed(section, value, &key));
            }
        }
    }

    /// Returns warnings about keys and headers that continue the value above because they are indented.
    fn swallowed(&self, section: &Section, value: &ParsedValue, key: &str) -> Vec<Warning> {
        let lines = value.text(&self.text).lines().skip(1).filter(|line| !line.is_empty());
        let numbers = value.more().map(|more| more.lines.as_slice()).unwrap_or_default();
        let odd = lines.zip(numbers).filter_map(|(line, number)| {
            let swallowed = line.split_once(['=', ':']).map(|(key, _)| strip(key).to_lowercase());
            let text = match swallowed.filter(|key| PLAIN.contains(&key.as_str())) {
                Some(inner) => format!("`{inner}` is indented deeper than `{key}`, so it is part of that value: begin both in the same column"),
                None if line.starts_with('[') && line.ends_with(']') => {
                    format!("`{line}` is indented, so it is part of the value of `{key}`: begin it in the first column")
                }
                None => return None,
            };
            Some(self.warning(section, *number, text))
        });
        odd.collect()
    }
}

/// Returns the warning about a key that differs in one or two letters from one of the AWS CLI, which ignores it.
fn misspelled(key: &str) -> Option<String> {
    if PLAIN.contains(&key) {
        return None;
    }
    let meant = nearest(key, PLAIN.into_iter())?;
    let most = if meant.len() > 8 { 2 } else { 1 };
    (strsim::osa_distance(key, meant) <= most)
        .then(|| format!("`{key}` is ignored by the AWS CLI: did you mean `{meant}`?"))
}

/// Returns why a header that resembles one of the AWS CLI names nothing.
fn no_name(section: &Section, header: &str) -> Option<String> {
    let (prefix, _) = names::prefix(header).filter(|_| section.kind == Kind::Unused)?;
    Some(match names::words(header).map(|words| words.len()) {
        None => format!("[{header}] has an unclosed quote, so the AWS CLI ignores the section"),
        Some(0 | 1) => format!("[{header}] has no name, so the AWS CLI ignores the section"),
        Some(_) => {
            let name = strip(header.strip_prefix(prefix).unwrap_or(header));
            format!("[{header}] names nothing, so the AWS CLI ignores the section: write `[{prefix} \"{name}\"]`")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_misspelled_keys_and_no_other_tools_keys() {
        for (key, meant) in [("mfa_seial", "mfa_serial"), ("regoin", "region"), ("sso_acount_id", "sso_account_id")] {
            assert!(misspelled(key).is_some_and(|text| text.contains(&format!("`{meant}`"))), "{key}");
        }
        let others = "region cli_pager s3 retry_mode max_attempts sts_regional_endpoints granted_sso_region \
                      sso_registration_scopes defaults_mode tcp_keepalive sigv4a_signing_region_set color";
        for key in others.split_whitespace() {
            assert_eq!(misspelled(key), None, "{key}");
        }
    }
}
