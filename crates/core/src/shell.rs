//! What is handed over to a person's processes: statements for a shell, an environment for a
//! child, JSON for an SDK. One of the three places where a secret leaves.

use std::ffi::OsString;
use std::time::UNIX_EPOCH;

use serde::Serialize;
use zeroize::Zeroizing;

use crate::context::Env;
use crate::credentials::Credentials;
use crate::credentials::rfc3339;
use crate::environment::{EnvDiff, Value};
use crate::export::{Change, Export};

/// A shell that has a snippet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// bash 4.4 or newer.
    Bash,
    /// zsh 5.8 or newer.
    Zsh,
    /// fish 3.5 or newer.
    Fish,
}

impl Shell {
    /// The shell's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
        }
    }

    /// The snippet for the shell's rc file, as it stands in `shell/`, with three paths filled in.
    #[must_use]
    pub fn snippet(self, binary: &str, generation: &str, clock: &str) -> String {
        let text = match self {
            Self::Bash => include_str!("../../../shell/awsrole.bash"),
            Self::Zsh => include_str!("../../../shell/awsrole.zsh"),
            Self::Fish => include_str!("../../../shell/awsrole.fish"),
        };
        text.replace("@BIN@", &self.quote(binary))
            .replace("@GENERATION@", &self.quote(generation))
            .replace("@CLOCK@", &self.quote(clock))
    }

    /// Quotes a text so that the shell expands nothing in it. Single quotes are the only form in
    /// which all three expand nothing; they differ in how a single quote is written.
    #[must_use]
    pub fn quote(self, text: &str) -> String {
        match self {
            Self::Bash | Self::Zsh => format!("'{}'", text.replace('\'', r"'\''")),
            Self::Fish => format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'")),
        }
    }

    /// The statements that make an export true in a shell. The last one says that all were applied;
    /// a shell that doesn't reach it takes everything back.
    #[must_use]
    pub fn statements(self, export: &Export) -> Zeroizing<String> {
        // Room for all of it at once: a growing buffer would leave copies of secrets behind.
        let mut text = Zeroizing::new(String::with_capacity(64 * 1024));
        let mut line = |words: &[&str]| {
            text.push_str(&words.join(" "));
            text.push('\n');
        };
        for (name, prior) in &export.adopt {
            match prior {
                None => line(&["__awsrole_adopt", name, "unset"]),
                Some(value) => line(&["__awsrole_adopt", name, "exported", &self.quote(value)]),
            }
        }
        let state = match &export.change {
            Change::Outer => "outer",
            Change::Closed => "closed",
            Change::Role(diff) => {
                for name in &diff.hide {
                    line(&["__awsrole_hide", name]);
                }
                for (name, value) in &diff.set {
                    let quoted = Zeroizing::new(self.quote(value.shown()));
                    line(&["__awsrole_set", name, &quoted]);
                }
                "role"
            }
        };
        if let Some(name) = &export.chosen {
            line(&["__awsrole_chose", &self.quote(name)]);
        }
        let deadline = export.deadline.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map_or(0, |d| d.as_secs());
        line(&["__awsrole_done", state, &deadline.to_string(), &export.depth.max(1).to_string()]);
        text
    }
}

impl Value {
    /// The value as the shell gets it.
    fn shown(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Secret(secret) => secret.expose(),
        }
    }
}

/// The environment of a child that holds a role.
#[must_use]
pub fn child_environment(outer: &Env, diff: &EnvDiff) -> Env {
    let mut env = outer.clone();
    for name in &diff.hide {
        env.0.remove(&OsString::from(name));
    }
    for (name, value) in &diff.set {
        env.0.insert(OsString::from(name), OsString::from(value.shown()));
    }
    env
}

/// The answer of a `credential_process` (AWS SDKs and Tools Reference Guide, "Process credential
/// provider"), version 1.
#[must_use]
pub fn credential_process(credentials: &Credentials) -> Zeroizing<String> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer<'a> {
        version: u32,
        access_key_id: &'a str,
        secret_access_key: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        session_token: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        expiration: Option<String>,
    }
    let answer = Answer {
        version: 1,
        access_key_id: &credentials.access_key_id,
        secret_access_key: credentials.secret_access_key.expose(),
        session_token: credentials.session_token.as_ref().map(|token| token.expose()),
        expiration: credentials.expiration.map(rfc3339),
    };
    Zeroizing::new(serde_json::to_string(&answer).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_end_where_they_should() {
        assert_eq!(Shell::Bash.quote("a'b\\$(x)`"), r"'a'\''b\$(x)`'");
        assert_eq!(Shell::Fish.quote("a'b\\"), r"'a\'b\\'");
    }
}
