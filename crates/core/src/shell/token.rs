//! The token that a shell module keeps between its requests: what the last answer set and what it rests on, and the
//! choices of `awsrole use`.
//!
//! A module keeps it in a variable that isn't exported and never reads it. It contains no secret and no digest of one.

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
        self.next = None;
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

/// The choices of `awsrole use`, `on` and `off`. Each makes the next request a new decision. The snippets of bash, zsh
/// and fish do the same in shell code, and tests/shells/test_choices.py runs the same commands in all of them.
impl Token {
    /// Records `awsrole on`.
    pub fn turn_on(&mut self) {
        (self.off, self.held) = (false, Held::New);
    }

    /// Records `awsrole off` in a directory with these files. `awsrole on` then assumes the role of `cd`.
    pub fn turn_off(&mut self, files: &[PathBuf]) {
        self.at(&nearest(files));
        self.leave(OFF);
        self.role.clear();
        (self.off, self.held) = (true, Held::New);
    }

    /// Records the choice of a role. An empty word is the role that `cd` assumes.
    pub fn use_role(&mut self, word: String, files: &[PathBuf]) {
        self.at(&nearest(files));
        self.leave(word.split_once('=').map_or(DEFAULT, |(_, name)| name));
        self.role = word;
        self.turn_on();
    }

    /// Ends the choice of a role and of a profile. `awsrole use -` returns to them, unless they failed.
    pub fn use_none(&mut self, files: &[PathBuf]) {
        self.at(&nearest(files));
        let (role, profile) = (std::mem::take(&mut self.role), std::mem::take(&mut self.profile));
        if self.held != Held::Blocked {
            if let Some(name) = name_of(&role) {
                self.previous = name;
            }
            if !profile.is_empty() {
                self.profile_before = profile;
            }
        }
        self.turn_on();
    }

    /// Records the choice of a profile.
    pub fn use_profile(&mut self, word: String) {
        let left = std::mem::replace(&mut self.profile, word);
        if name_of(&left) != name_of(&self.profile) && !self.profile_failed() {
            self.profile_before = left;
        }
        self.turn_on();
    }

    /// Returns whether the chosen profile blocks the shell, so that `awsrole use -` must not return to it.
    fn profile_failed(&self) -> bool {
        self.held == Held::Blocked && self.basis.nearest.is_empty()
    }

    /// Returns the target of `awsrole use -` among roles: a role's name, or `None` for the role that `cd` assumes. It
    /// is an error value if it is the outer environment.
    ///
    /// # Errors
    /// Nothing was chosen before and awsrole isn't off, so `awsrole use -` does what `awsrole off` does.
    pub fn role_before(&mut self, files: &[PathBuf]) -> Result<Option<String>, BackToOuter> {
        self.at(&nearest(files));
        let held = self.role_name();
        match (self.previous.as_str(), held.as_str()) {
            ("" | OFF, OFF) => Ok(None),
            ("", DEFAULT) | (OFF, _) if !files.is_empty() => Err(BackToOuter),
            ("" | DEFAULT | OFF, _) => Ok(None),
            (previous, _) => Ok(Some(previous.to_owned())),
        }
    }

    /// Returns whether a profile was chosen in this shell.
    #[must_use]
    pub fn knows_profiles(&self) -> bool {
        !self.profile.is_empty() || !self.profile_before.is_empty()
    }

    /// Exchanges the profile with the one before it. After `awsrole off` it is used again instead. Returns what to tell
    /// the user if the outer environment follows.
    pub fn exchange_profiles(&mut self) -> Option<String> {
        if std::mem::replace(&mut self.off, false) {
            self.turn_on();
            return None;
        }
        let (failed, left) = (self.profile_failed(), self.profile.clone());
        self.use_profile(self.profile_before.clone());
        let left = name_of(&left).filter(|_| self.profile.is_empty())?;
        Some(if failed {
            "your environment is back".to_owned()
        } else {
            format!("your environment is back: `awsrole use -` uses profile {left} again")
        })
    }

    /// Returns what `awsrole use -` must return to from here.
    fn role_name(&self) -> String {
        if self.off { OFF.to_owned() } else { name_of(&self.role).unwrap_or_else(|| DEFAULT.to_owned()) }
    }

    /// Makes what is left the target of `awsrole use -`, unless it failed.
    fn leave(&mut self, target: &str) {
        let held = self.role_name();
        if held != target && self.held != Held::Blocked {
            self.previous = held;
        }
    }
}

/// `awsrole use -` leaves the role for the outer environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackToOuter;

/// In [`Token::previous`], the role that `cd` assumes.
const DEFAULT: &str = "-";

/// In [`Token::previous`], the outer environment.
const OFF: &str = "-off";

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

/// Returns the name in the word of a choice.
fn name_of(word: &str) -> Option<String> {
    word.split_once('=').map(|(_, name)| name.to_owned())
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

    fn word(name: &str) -> String {
        format!("{}={name}", "0".repeat(80))
    }

    #[test]
    fn a_token_is_one_word_in_every_shell() {
        let mut token = Token::default();
        token.use_role(word("it's \"$(id)\" !\n"), &[PathBuf::from("/p/.awsrole.toml")]);
        let text = token.to_text();
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'), "{text}");
        assert_eq!(Token::parse(&text), Some(token));
        assert_eq!((Token::parse(""), Token::parse("e30")), (Some(Token::default()), Some(Token::default())));
        assert_eq!((Token::parse("x"), Token::parse("e30="), Token::parse(&text[1..])), (None, None, None));
    }

    #[test]
    fn use_goes_back_to_what_the_shell_used_before() {
        let files = [PathBuf::from("/p/.awsrole.toml")];
        let mut token = Token::default();
        assert_eq!(token.role_before(&files), Err(BackToOuter), "the role of `cd` is left for the outer environment");
        token.turn_off(&files);
        assert_eq!((token.off, token.role_before(&files)), (true, Ok(None)));
        token.use_role(word("dev"), &files);
        token.use_role(word("prod"), &files);
        assert_eq!((token.off, token.role_before(&files)), (false, Ok(Some("dev".to_owned()))));
        token.use_role(String::new(), &files);
        assert_eq!(token.words().role, None);
        assert_eq!(token.role_before(&files), Ok(Some("prod".to_owned())));
        token.use_role(word("dev"), &files);
        assert_eq!(token.role_before(&files), Ok(None));
        assert_eq!(token.role_before(&[PathBuf::from("/q/.awsrole.toml")]), Err(BackToOuter), "another file");
        assert_eq!(token.words().role, None);
    }

    #[test]
    fn what_failed_is_not_used_again() {
        let files = [PathBuf::from("/p/.awsrole.toml")];
        let mut token = Token { held: Held::Blocked, profile: word("one"), ..Token::default() };
        token.use_profile("1=one".to_owned());
        assert_eq!(token.words().profile, Some("1=one"), "the new word of the same profile");
        token.held = Held::Blocked;
        assert_eq!(token.exchange_profiles().as_deref(), Some("your environment is back"));
        assert!(!token.knows_profiles());
        for end in [Token::use_none as fn(&mut Token, &[PathBuf]), Token::turn_off] {
            let mut token = Token::default();
            token.use_role(word("dev"), &files);
            (token.held, token.previous) = (Held::Blocked, DEFAULT.to_owned());
            end(&mut token, &files);
            assert_eq!(token.role_before(&files), Ok(None));
        }
        let mut token = Token { held: Held::Blocked, ..Token::default() };
        assert_eq!(token.role_before(&files), Err(BackToOuter));
        token.turn_off(&files);
        assert_eq!(token.role_before(&files), Ok(None), "the role that `cd` assumes, once more");
    }

    #[test]
    fn use_exchanges_profiles() {
        let mut token = Token::default();
        token.use_profile(word("one"));
        let notice = token.exchange_profiles();
        assert_eq!(notice.as_deref(), Some("your environment is back: `awsrole use -` uses profile one again"));
        assert_eq!(token.words().profile, None);
        assert_eq!(token.exchange_profiles(), None);
        token.use_profile(word("two"));
        token.exchange_profiles();
        assert_eq!(token.words().profile, Some(word("one").as_str()));
        token.turn_off(&[]);
        assert_eq!((token.exchange_profiles(), token.off), (None, false));
        assert_eq!(token.words().profile, Some(word("one").as_str()), "it is used again");
    }
}
