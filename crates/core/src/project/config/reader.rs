//! Errors about a file, with the line and a fix.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;
use toml::de::DeValue;

use crate::aws::source::write_session;
use crate::base::location::Origin;
use crate::base::location::line_of;
use crate::base::problem::Problem;
use crate::base::suggest::suggestion;
use crate::base::toml_error::toml_error;
use crate::settings::key_names::{PROJECT_KEYS, ROLE_KEYS, hint_for_user_key};

/// Converts positions into lines and parser errors into problems.
pub(super) struct Reader<'a> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
}

impl Reader<'_> {
    pub(super) fn origin(&self, at: usize) -> Origin {
        Origin { file: self.file.to_owned(), line: line_of(self.text.as_bytes(), at) }
    }

    pub(super) fn error(&self, at: usize, message: impl std::fmt::Display) -> Problem {
        Problem::new(format!("{}: {message}", self.origin(at)))
    }

    pub(super) fn toml(&self, error: &toml::de::Error) -> Problem {
        toml_error(error, 0, self.file, self.text.as_bytes())
    }

    pub(super) fn typed<'de, T: Deserialize<'de>>(&self, value: Spanned<DeValue<'de>>) -> Result<T, Problem> {
        let at = value.span().start;
        T::deserialize(toml::de::ValueDeserializer::from(value))
            .map_err(|e| toml_error(&e, at, self.file, self.text.as_bytes()))
    }
}

/// Returns the error for an unknown key: it belongs elsewhere, or it is misspelled.
pub(super) fn unknown(at: &Reader<'_>, position: usize, name: &str, role: &str) -> Problem {
    const ELSEWHERE: [(&str, &str); 4] = [
        ("runs a command", "credential_process"),
        (
            "chooses where requests go",
            "endpoint_url services sts_regional_endpoints use_fips_endpoint use_dualstack_endpoint proxy http_proxy https_proxy ca_bundle",
        ),
        ("holds a secret", "aws_access_key_id aws_secret_access_key aws_session_token"),
        ("configures your sign-in", "web_identity_token_file login_session"),
    ];
    const SIGN_IN: [&str; 3] = ["sso_start_url", "sso_region", "sso_registration_scopes"];
    if SIGN_IN.contains(&name) {
        return at
            .error(position, format!("`{name}` isn't allowed in a project's file: it configures your sign-in"))
            .hint("set it in an [sso-session NAME] of your own ~/.aws/config, and refer to that with `sso_session`")
            .hint(write_session("NAME"));
    }
    for (why, keys) in ELSEWHERE {
        if keys.split(' ').any(|key| key == name) {
            return at.error(position, format!("`{name}` isn't allowed in a project's file: it {why}")).hint(
                "set it in a profile of your own ~/.aws/config and refer to that with `profile` or `source_profile`",
            );
        }
    }
    if let Some(hint) = hint_for_user_key(name) {
        let what = format!("`{name}` isn't allowed in a project's file: it is a setting of the user");
        return at.error(position, what).hint(hint);
    }
    if !role.is_empty() && PROJECT_KEYS.contains(&name) {
        return at.error(position, format!("`{name}` belongs to the top of the file, above the first [role.NAME]"));
    }
    let known: Vec<&str> = ROLE_KEYS.into_iter().chain(PROJECT_KEYS).collect();
    at.error(position, format!("unknown key `{name}`")).hint(suggestion(name, "the keys are", &known))
}
