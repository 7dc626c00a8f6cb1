//! The token that a shell module keeps between its requests: what the last answer set and what it rests on, and the
//! choices of `awsrole use`.
//!
//! A module keeps it in a variable that isn't exported and never reads it. It contains no secret and no digest of one.

mod choices;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use crate::base::context::Env;
use crate::base::digest::sha256;
use crate::shell::environment::{EnvDiff, Value};
use crate::shell::export::{Change, ChosenWords, Event, Export};
use crate::shell::state::{CREDENTIAL_VARS, PROFILE_VARS};

pub use self::choices::BackToOuter;

/// Length of the digest of a variable's value, in hexadecimal digits. It only tells whether the user changed the value.
const DIGITS: usize = 16;

/// What a shell holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    /// Nothing was decided yet, or the user typed a command that needs a new decision.
    #[default]
    New,
    /// The outer environment.
    Outer,
    /// The variables of a role.
    Role,
    /// Placeholders.
    Blocked,
    /// What the user set manually.
    Inactive,
}

impl Held {
    /// Returns the name in the protocol.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Outer => "outer",
            Self::Role => "role",
            Self::Blocked => "blocked",
            Self::Inactive => "inactive",
        }
    }

    /// Returns what a shell holds after a change.
    #[must_use]
    pub fn after(change: &Change) -> Self {
        match change {
            Change::Outer => Self::Outer,
            Change::Role(_) => Self::Role,
            Change::Blocked => Self::Blocked,
            Change::Inactive { .. } => Self::Inactive,
        }
    }
}

/// The project files on which a decision rests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// Digest of the path of the nearest file. Empty without a file.
    pub(crate) nearest: String,
    /// Digest of the paths and contents of all files upward.
    pub(crate) contents: String,
    /// The present generation.
    pub(crate) generation: String,
    /// Digest of DIRENV_WATCHES.
    pub(crate) direnv: String,
}

/// A request that the module makes after it undid everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextRequest {
    /// The event's name in the protocol.
    pub event: String,
    /// Whether awsrole may prompt.
    pub ask: bool,
    /// The credential variables that the user changed manually.
    pub changed: Vec<String>,
}

/// The token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Token {
    /// What the shell holds.
    pub held: Held,
    /// Whether `awsrole off` was typed.
    pub off: bool,
    /// Digest of the working directory at the last prompt.
    pub(crate) dir: String,
    /// What the last decision rests on.
    pub(crate) basis: Basis,
    /// Unix time of the last decision.
    pub(crate) since: u64,
    /// Unix time of the next request even if nothing changes, or 0.
    pub(crate) deadline: u64,
    /// Marks of the variables that awsrole set or hid, see [`mark`].
    pub(crate) variables: BTreeMap<String, String>,
    /// Whether keys or a profile were set after a manual change.
    pub(crate) has_values: bool,
    /// The word of `awsrole use NAME` for the nearest file. Empty for the role that `cd` assumes.
    role: String,
    /// The target of `awsrole use -`: a role's name, `-` for the role that `cd` assumes, or `-off`.
    previous: String,
    /// Digest of the path for which both are valid.
    role_of: String,
    /// The word of `awsrole use --profile NAME`, or empty.
    profile: String,
    /// The word before it.
    profile_before: String,
    /// The request to make now.
    pub next: Option<NextRequest>,
    /// What to tell the user if the next decision is the outer environment. Set by a command.
    pub back: Option<String>,
}

impl Token {
    /// Parses the text that a module kept. An empty text is that of a shell that made no request yet.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        serde_json::from_slice(&BASE64URL_NOPAD.decode(text.as_bytes()).ok()?).ok()
    }

    /// Returns the text that a module keeps. It consists of letters, digits, `-` and `_`, so that no shell expands
    /// anything in it.
    #[must_use]
    pub fn to_text(&self) -> String {
        BASE64URL_NOPAD.encode(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// Returns the choices of this shell.
    #[must_use]
    pub fn words(&self) -> ChosenWords<'_> {
        let [role, profile] =
            [&self.role, &self.profile].map(|word| Some(word.as_str()).filter(|word| !word.is_empty()));
        ChosenWords { role, profile }
    }

    /// Forgets the choice of a role if the nearest file is another one.
    pub(crate) fn at(&mut self, nearest: &str) {
        if self.role_of != nearest {
            (self.role, self.previous, self.role_of) = (String::new(), String::new(), nearest.to_owned());
        }
    }

    /// Returns the token after an answer, which was made for the outer environment `env`.
    #[must_use]
    pub fn after(mut self, export: &Export, diff: &EnvDiff, env: &Env, now: SystemTime) -> Self {
        (self.next, self.back) = (None, None);
        self.held = Held::after(&export.change);
        (self.since, self.deadline) = (seconds(now), export.deadline.map_or(0, seconds));
        let kept = |name: &&str| env.has(name) && !diff.hide.contains(name);
        self.has_values = ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"].iter().any(kept);
        if let Some(word) = &export.chosen {
            (self.role, self.role_of) = (word.clone(), self.basis.nearest.clone());
        }
        if let Some(word) = &export.chosen_profile {
            self.profile.clone_from(word);
        }
        self.with_variables(diff)
    }

    /// Returns the token of a shell that is blocked until a time, with these variables.
    pub(crate) fn blocked_until(self, deadline: u64, diff: &EnvDiff) -> Self {
        Self { held: Held::Blocked, deadline, ..self }.with_variables(diff)
    }

    /// Records which variables a change sets and hides.
    fn with_variables(self, diff: &EnvDiff) -> Self {
        let hidden = diff.hide.iter().map(|name| ((*name).to_owned(), HIDDEN.to_owned()));
        let set = diff.set.iter().map(|(name, value)| (name.to_string(), mark(value)));
        Self { variables: hidden.chain(set).collect(), ..self }
    }

    /// Returns the variables that still have awsrole's values, and the credential variables that don't.
    pub(crate) fn compare_variables(&self, env: &Env) -> (Vec<&str>, Vec<String>) {
        let (intact, changed): (Vec<_>, Vec<_>) = self.variables.iter().partition(|(name, mark)| {
            let value = env.0.get(OsStr::new(name.as_str()));
            match (mark.as_str(), value) {
                (HIDDEN, value) => value.is_none(),
                (SECRET, value) => value.is_some(),
                (mark, value) => value.is_some_and(|value| digest_of(value.as_encoded_bytes()) == mark),
            }
        });
        let is_credential = |name: &str| CREDENTIAL_VARS.contains(&name) || PROFILE_VARS.contains(&name);
        let changed = changed.into_iter().map(|(name, _)| name.clone()).filter(|name| is_credential(name)).collect();
        (intact.into_iter().map(|(name, _)| name.as_str()).collect(), changed)
    }
}

/// The mark of a variable that awsrole hides.
const HIDDEN: &str = "-";

/// The mark of a secret, of which only the presence is compared.
const SECRET: &str = "*";

/// Returns the mark by which a variable is compared: a digest of its value, if it isn't secret.
fn mark(value: &Value) -> String {
    match value {
        Value::Plain(text) => digest_of(text.as_bytes()),
        Value::Secret(_) => SECRET.to_owned(),
    }
}

fn digest_of(value: &[u8]) -> String {
    let mut digest = sha256(&[value]);
    digest.truncate(DIGITS);
    digest
}

/// Returns the digest of the path of the nearest file, or an empty text.
pub(crate) fn nearest(files: &[PathBuf]) -> String {
    files.first().map(|file| sha256(&[file.as_os_str().as_encoded_bytes()])).unwrap_or_default()
}

pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl NextRequest {
    /// Returns the event. A name that isn't known is that of a prompt.
    #[must_use]
    pub fn event(&self) -> Event {
        Event::parse(&self.event).unwrap_or(Event::Prompt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word_in_every_shell() {
        let mut token = Token::default();
        token.use_role("0=it's \"$(id)\" !\n".to_owned(), &[PathBuf::from("/p/.awsrole.toml")]);
        let text = token.to_text();
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'), "{text}");
        assert_eq!(Token::parse(&text), Some(token));
        assert_eq!((Token::parse(""), Token::parse("e30")), (Some(Token::default()), Some(Token::default())));
        assert_eq!((Token::parse("x"), Token::parse("e30="), Token::parse(&text[1..])), (None, None, None));
    }
}
