//! Writes a role for the user's processes: statements for a shell, an environment for a child, JSON for an SDK. This is
//! one of the few places where a secret is written.

use std::ffi::OsString;
use std::time::UNIX_EPOCH;

use serde::Serialize;
use zeroize::Zeroizing;

use crate::aws::credentials::Temporary;
use crate::aws::time::rfc3339;
use crate::base::context::Env;
use crate::shell::environment::{EnvDiff, Value};
use crate::shell::export::{Change, Export};
use crate::shell::views::{self, Views};

/// Version of the protocol between snippets and programs: arguments, statements, AWSROLE_STATE. It is incremented when
/// the other side wouldn't understand a change.
pub const PROTOCOL: u32 = 2;

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
    /// Returns the shell's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
        }
    }

    /// Parses a shell's name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Bash, Self::Zsh, Self::Fish].into_iter().find(|shell| shell.name() == name)
    }

    /// Quotes a text so that the shell expands nothing in it. Single quotes are the only form in which none of the
    /// three expands anything. The shells differ in how a single quote inside is written.
    #[must_use]
    pub fn quote(self, text: &str) -> String {
        let mut quoted = Vec::with_capacity(text.len() + 2);
        self.quote_into(text.as_bytes(), &mut quoted);
        // Only ASCII was added, so the text is still UTF-8.
        String::from_utf8(quoted).unwrap_or_default()
    }

    pub(super) fn quote_into(self, text: &[u8], into: &mut Vec<u8>) {
        let is_special = |byte: &u8| *byte == b'\'' || self == Self::Fish && *byte == b'\\';
        into.push(b'\'');
        let mut rest = text;
        while let Some(at) = rest.iter().position(is_special) {
            into.extend_from_slice(&rest[..at]);
            match self {
                Self::Bash | Self::Zsh => into.extend_from_slice(br"'\''"),
                Self::Fish => into.extend_from_slice(&[b'\\', rest[at]]),
            }
            rest = &rest[at + 1..];
        }
        into.extend_from_slice(rest);
        into.push(b'\'');
    }

    /// Returns the statements with which a shell applies an export.
    ///
    /// The last statement marks them as complete. A shell that doesn't reach it undoes the others. They are bytes,
    /// because an adopted value may not be UTF-8. `views` is present if the shell requested what it has to compare of
    /// the files.
    #[must_use]
    pub fn statements(self, export: &Export, views: Option<&Views>) -> Zeroizing<Vec<u8>> {
        // The capacity is allocated at once, because a growing buffer would leave copies of secrets in memory.
        let mut text = Zeroizing::new(Vec::with_capacity(room(export, views)));
        let mut line = |words: &[&str], value: Option<&[u8]>| {
            for (index, word) in words.iter().enumerate() {
                text.extend_from_slice(if index == 0 { b"" } else { b" " });
                text.extend_from_slice(word.as_bytes());
            }
            if let Some(value) = value {
                text.push(b' ');
                self.quote_into(value, &mut text);
            }
            text.push(b'\n');
        };
        if let Some(views) = views {
            let counted = export.depth.max(1).min(views.own.len());
            for (index, own) in views.own.iter().take(counted).enumerate() {
                let text = export.texts.get(index).filter(|text| *own && views::is_plain(text));
                let number = (index + 1).to_string();
                line(
                    &["__awsrole_file", &number, if *own { "own" } else { "shared" }],
                    text.map(|text| text.as_bytes()),
                );
            }
            if let Some(digest) = views.digest(counted) {
                line(&["__awsrole_digest", &digest], None);
            }
        }
        for name in &export.unset {
            line(&["__awsrole_unset", name], None);
        }
        for (name, prior) in &export.adopt {
            match prior {
                None => line(&["__awsrole_adopt", name, "unset"], None),
                Some(value) => line(&["__awsrole_adopt", name, "exported"], Some(value.as_encoded_bytes())),
            }
        }
        let state = match &export.change {
            Change::Outer => "outer",
            Change::Blocked => "blocked",
            Change::Inactive { hide } => {
                for name in hide {
                    line(&["__awsrole_hide", name], None);
                }
                "inactive"
            }
            Change::Role(diff) => {
                for name in &diff.hide {
                    line(&["__awsrole_hide", name], None);
                }
                for (name, value) in &diff.set {
                    line(&["__awsrole_set", name], Some(value.shown().as_bytes()));
                }
                "role"
            }
        };
        if let Some(word) = &export.chosen {
            line(&["__awsrole_chose"], Some(word.as_bytes()));
        }
        if let Some(word) = &export.chosen_profile {
            line(&["__awsrole_chose_profile"], Some(word.as_bytes()));
        }
        let deadline = export.deadline.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map_or(0, |d| d.as_secs());
        line(&["__awsrole_done", state, &deadline.to_string(), &export.depth.max(1).to_string()], None);
        text
    }
}

/// Returns an upper limit for the length of an export's statements, in bytes. A quote or a backslash takes up to four
/// bytes.
fn room(export: &Export, views: Option<&Views>) -> usize {
    let quoted = |value: &[u8]| value.len() + 3 * value.iter().filter(|byte| matches!(byte, b'\'' | b'\\')).count();
    let line = |name: &str, value: &[u8]| 64 + name.len() + quoted(value);
    let adopted = export.adopt.iter();
    let adopted = adopted.map(|(name, prior)| line(name, prior.as_ref().map_or(b"", |value| value.as_encoded_bytes())));
    let changed = match &export.change {
        Change::Role(diff) => {
            let set = diff.set.iter().map(|(name, value)| line(name, value.shown().as_bytes()));
            set.chain(diff.hide.iter().map(|name| line(name, b""))).sum()
        }
        Change::Inactive { hide } => hide.iter().map(|name| line(name, b"")).sum(),
        Change::Outer | Change::Blocked => 0,
    };
    let unset: usize = export.unset.iter().map(|name| line(name, b"")).sum();
    let chosen: usize =
        [&export.chosen, &export.chosen_profile].into_iter().flatten().map(|word| line("", word.as_bytes())).sum();
    let seen = export.texts.iter().map(|text| line("", text.as_bytes()));
    let looked_at = views.map_or(0, |views| views.own.len() * 64);
    adopted.sum::<usize>() + changed + unset + chosen + seen.sum::<usize>() + looked_at + 256
}

impl Value {
    /// Returns the value as the shell gets it.
    pub(super) fn shown(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Secret(secret) => secret.expose(),
        }
    }
}

/// Returns the environment of a child that holds a role.
#[must_use]
pub fn child_environment(outer: &Env, diff: &EnvDiff) -> Env {
    let mut env = outer.clone();
    for name in &diff.hide {
        env.0.remove(&OsString::from(name));
    }
    for (name, value) in &diff.set {
        env.0.insert(OsString::from(name.as_ref()), OsString::from(value.shown()));
    }
    env
}

/// Returns the output of a `credential_process` (AWS SDKs and Tools Reference Guide, "Process credential provider"),
/// version 1.
#[must_use]
pub fn credential_process(credentials: Temporary<'_>) -> Zeroizing<String> {
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
    use std::time::Duration;

    use super::*;
    use crate::base::secret::Secret;

    #[test]
    fn quotes_end_where_they_should() {
        assert_eq!(Shell::Bash.quote("a'b\\$(x)`"), r"'a'\''b\$(x)`'");
        assert_eq!(Shell::Fish.quote("a'b\\"), r"'a\'b\\'");
    }

    #[test]
    fn bytes_that_are_no_text_stay_as_they_are() {
        let mut quoted = Vec::new();
        Shell::Bash.quote_into(b"\xff'\xe2", &mut quoted);
        assert_eq!(quoted, b"'\xff'\\''\xe2'");
    }

    #[test]
    fn statements_fit_into_the_room_made_for_them() {
        let value = "'\\".repeat(1000);
        let diff = EnvDiff {
            set: vec![("AWS_SESSION_TOKEN".into(), Value::Secret(Secret::new(value.as_str())))],
            hide: vec!["AWS_PROFILE"],
        };
        let views = Views { own: vec![true, true, false], digests: vec!["one".to_owned(); 3] };
        let export = Export {
            unset: vec!["AWS_SESSION_TOKEN"],
            adopt: vec![("AWS_PROFILE".to_owned(), Some(value.clone().into())), ("AWS_REGION".to_owned(), None)],
            change: Change::Role(diff),
            deadline: Some(UNIX_EPOCH + Duration::from_secs(u64::MAX >> 1)),
            chosen: Some(value.clone()),
            chosen_profile: Some(value.clone()),
            depth: usize::MAX,
            ending: false,
            kept: false,
            ended: None,
            until: None,
            may_repeat: false,
            renew: false,
            problem: None,
            notices: Vec::new(),
            texts: vec![value.clone()],
            entry: None,
        };
        for shell in [Shell::Bash, Shell::Fish] {
            let text = shell.statements(&export, Some(&views));
            let digest = views.digest(3).unwrap();
            let start = format!(
                "__awsrole_file 1 own {}\n__awsrole_file 2 own\n__awsrole_file 3 shared\n",
                shell.quote(&value)
            );
            assert!(
                text.starts_with(
                    format!("{start}__awsrole_digest {digest}\n__awsrole_unset AWS_SESSION_TOKEN\n__awsrole_adopt ")
                        .as_bytes()
                )
            );
            assert!(text.ends_with(b"\n__awsrole_done role 9223372036854775807 18446744073709551615\n"));
            assert_eq!(
                text.capacity(),
                room(&export, Some(&views)),
                "a growing buffer leaves copies of secrets behind"
            );
        }
    }
}
