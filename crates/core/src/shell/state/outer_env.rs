//! Reconstructs the environment before awsrole changed it, and the choices of `awsrole use` that it contains.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{
    BLOCKED, BLOCKED_PRIOR_VARS, BLOCKED_SET, CHOSEN, CHOSEN_PROFILE, CREDENTIAL_VARS, HIDDEN, INFO_VARS,
    LONGEST_VALUE, NAME, NO_ROLE, PRIOR, READ_BY_SDK, State,
};
use crate::base::context::Env;
use crate::plan::requester::Requester;
use crate::plan::resolve::SelectedProfile;
use crate::project::config::Config;
use crate::shell::choice::{self, Choice, Choices, Terms};
use crate::shell::confirm::Confirmation;

/// The outer environment: the environment before awsrole changed it.
pub struct OuterEnv {
    /// The variables.
    pub env: Env,
    /// Prior values that a nested shell must adopt because it never saw them. `None` is unset.
    pub adopt: Vec<(String, Option<OsString>)>,
    /// The parent's role, if it has one and its keys are unchanged.
    pub role: Option<State>,
    /// Value of [`CHOSEN`] in a blocked parent whose placeholders are unchanged.
    pub(super) chosen: Option<OsString>,
    /// Value of [`CHOSEN_PROFILE`] in such a parent.
    pub(super) chosen_profile: Option<OsString>,
}

/// The choice of `awsrole use` that the environment contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// No choice for this file.
    Nothing,
    /// A role, proven by awsrole's own word.
    Role {
        /// Its name, or [`choice::DEFAULT`].
        role: String,
        /// The word that proves it, to be passed on.
        word: String,
        /// What the word records.
        terms: Terms,
    },
    /// A proven role of this name whose time is over (`expires_after`). The shell gets the role that `cd` assumes.
    Ended(String),
    /// A role of this name, without a valid proof. It isn't assumed, because anyone may have written it.
    Unproven(String),
}

impl Chosen {
    /// Returns the choice as a file now allows it. If the role got an `expires_after` since it was chosen, it must be
    /// chosen again.
    #[must_use]
    pub fn within(self, config: &Config) -> Self {
        match self {
            Self::Role { role, terms, .. }
                if terms.until.is_none()
                    && config.select(Some(&role)).is_ok_and(|(_, keys)| keys.expires_after.is_some()) =>
            {
                Self::Ended(role)
            }
            other => other,
        }
    }

    /// Returns the choice as a requester inherits it. The user chose the role for a shell, not for the agent that a
    /// program in it starts.
    #[must_use]
    pub fn inherited_by(self, requester: &Requester, config: &Config) -> Self {
        match self.role() {
            Some(role) if !requester.may_inherit(config, role) => Self::Nothing,
            _ => self,
        }
    }
}

/// A profile that `awsrole use --profile` chose in a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenProfile {
    /// The profile.
    pub profile: SelectedProfile,
    /// The word that proves it, to be passed on.
    pub word: String,
    /// What the user confirmed.
    pub confirmed: Option<Confirmation>,
}

/// The name of a profile that the environment selects without a valid proof. It isn't used, because anyone may have
/// written it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproven(pub String);

impl ChosenProfile {
    /// Returns the profile that a word proves.
    ///
    /// # Errors
    /// The proof is not valid.
    pub fn of(word: &str, choices: &Choices) -> Result<Self, Unproven> {
        match choices.profile(word) {
            Some((profile, confirmed)) => Ok(Self { profile, word: word.to_owned(), confirmed }),
            None => {
                let name = choice::name(word).unwrap_or(word);
                Err(Unproven(name.chars().take(choice::LONGEST).collect()))
            }
        }
    }
}

impl Chosen {
    /// Returns what a word proves for a file at a time.
    #[must_use]
    pub fn of(word: &str, file: &Path, choices: &Choices, now: SystemTime) -> Self {
        match choices.choice(file, word) {
            Some(Choice { role, terms: Terms { until: Some(until), .. } }) if now >= until => {
                Self::Ended(role.to_owned())
            }
            Some(Choice { role, terms }) => Self::Role { role: role.to_owned(), word: word.to_owned(), terms },
            None => Self::Unproven(choice::name(word).unwrap_or(word).to_owned()),
        }
    }

    /// Returns the role, if it is proven and has a name.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        match self {
            Self::Role { role, .. } if role != choice::DEFAULT => Some(role),
            Self::Role { .. } | Self::Nothing | Self::Ended(_) | Self::Unproven(_) => None,
        }
    }

    /// Returns what the word records, if it is proven.
    #[must_use]
    pub fn terms(&self) -> Terms {
        match self {
            Self::Role { terms, .. } => *terms,
            Self::Nothing | Self::Ended(_) | Self::Unproven(_) => Terms::default(),
        }
    }

    /// Returns the word that proves the role.
    #[must_use]
    pub fn word(&self) -> Option<&str> {
        match self {
            Self::Role { word, .. } => Some(word),
            Self::Nothing | Self::Ended(_) | Self::Unproven(_) => None,
        }
    }
}

impl OuterEnv {
    /// Reconstructs the outer environment: removes awsrole's values, and keeps those that the user changed since.
    #[must_use]
    pub fn reconstruct(env: &Env) -> Self {
        let mut outer = Self { env: env.clone(), adopt: Vec::new(), role: None, chosen: None, chosen_profile: None };
        let Some(text) = env.0.get(OsStr::new(NAME)) else {
            return outer;
        };
        // A value that isn't UTF-8 is not awsrole's, and is ignored like any other.
        let text = text.to_str().unwrap_or_default();
        if text == BLOCKED {
            outer.restore_blocked(env);
        } else if let Some(state) = State::parse(text) {
            let keys_are_ours = env.text("AWS_ACCESS_KEY_ID").unwrap_or_default() == state.key
                && env.text("AWS_CREDENTIAL_EXPIRATION").unwrap_or_default() == state.expires;
            let profile_is_hidden = !env.has("AWS_PROFILE") && !env.has("AWS_DEFAULT_PROFILE");
            if keys_are_ours {
                for name in CREDENTIAL_VARS {
                    outer.restore(name, None);
                }
            }
            if profile_is_hidden {
                for name in HIDDEN.iter().chain(&["AWS_ACCOUNT_ID"]).filter(|name| !env.has(name)) {
                    outer.restore(name, state.prior.get(*name).map(OsString::from));
                }
            }
            for (name, value) in &state.set {
                let prior = state.prior.get(name).map(OsString::from);
                if env.text(name) == Some(value.as_str()) || already_restored(env, name, prior.as_ref()) {
                    outer.restore(name, prior);
                }
            }
            for name in &state.hidden {
                let prior = state.prior.get(name).map(OsString::from);
                if !env.has(name) || already_restored(env, name, prior.as_ref()) {
                    outer.restore(name, prior);
                }
            }
            if keys_are_ours && profile_is_hidden {
                outer.role = Some(state);
            }
        }
        for name in INFO_VARS.into_iter().chain([CHOSEN, CHOSEN_PROFILE, NAME]) {
            outer.restore(name, None);
        }
        for name in BLOCKED_PRIOR_VARS.map(|name| format!("{PRIOR}{name}")) {
            if env.has(&name) {
                outer.restore(&name, None);
            }
        }
        outer
    }

    /// Removes a blocked parent's placeholders, and restores the prior values that it exported. If the user changed
    /// keys or a profile manually, no profile is restored.
    fn restore_blocked(&mut self, env: &Env) {
        let ours = |name: &str| BLOCKED_SET.iter().any(|(set, value)| *set == name && env.text(name) == Some(*value));
        let untouched = ours("AWS_ACCESS_KEY_ID") && ours("AWS_PROFILE");
        if untouched {
            self.chosen = env.0.get(OsStr::new(CHOSEN)).cloned();
            self.chosen_profile = env.0.get(OsStr::new(CHOSEN_PROFILE)).cloned();
        }
        let untouched = untouched && !env.has("AWS_DEFAULT_PROFILE");
        let prior = |name: &str| {
            let back = BLOCKED_PRIOR_VARS.contains(&name) && (untouched || !name.ends_with("_PROFILE"));
            let value = env.0.get(OsStr::new(&format!("{PRIOR}{name}"))).filter(|value| *value != NO_ROLE);
            // The value may contain any bytes, because the user set it. Only its length is limited.
            value.filter(|value| back && value.len() <= LONGEST_VALUE).cloned()
        };
        for (name, _) in BLOCKED_SET {
            let prior = prior(name);
            if ours(name) || already_restored(env, name, prior.as_ref()) {
                self.restore(name, prior);
            }
        }
        for name in BLOCKED_PRIOR_VARS.into_iter().filter(|name| !BLOCKED_SET.iter().any(|(set, _)| set == name)) {
            let prior = prior(name);
            if prior.is_some() && (!env.has(name) || already_restored(env, name, prior.as_ref())) {
                self.restore(name, prior);
            }
        }
    }

    /// Returns the environment with which this process must execute itself again, because the AWS SDK would read
    /// variables that awsrole set or hid. Returns `None` if none of them differ.
    #[must_use]
    pub fn env_for_reexec(&self, env: &Env) -> Option<Env> {
        let differ: Vec<OsString> = READ_BY_SDK.iter().map(OsString::from).collect();
        let differ: Vec<OsString> = differ.into_iter().filter(|name| env.0.get(name) != self.env.0.get(name)).collect();
        let mut anew = env.clone();
        for name in &differ {
            anew.0.remove(name);
            anew.0.extend(self.env.0.get(name).map(|value| (name.clone(), value.clone())));
        }
        (!differ.is_empty()).then_some(anew)
    }

    /// Returns the choice for a directory with these files at a time.
    ///
    /// A choice for another file is ignored, and one that awsrole didn't write is returned as unproven.
    #[must_use]
    pub fn chosen(&self, files: &[PathBuf], choices: &Choices, now: SystemTime) -> Chosen {
        let Some(file) = files.first() else { return Chosen::Nothing };
        let Some(word) = self.word(file) else { return Chosen::Nothing };
        Chosen::of(&word, file, choices, now)
    }

    /// Returns the profile that `awsrole use --profile` chose, or `None`.
    ///
    /// # Errors
    /// A choice that awsrole didn't write.
    pub fn chosen_profile(&self, choices: &Choices) -> Result<Option<ChosenProfile>, Unproven> {
        let word = match &self.role {
            Some(state) => state.profile.as_deref().map(Cow::Borrowed),
            None => self.chosen_profile.as_ref().map(|word| word.to_string_lossy()),
        };
        word.filter(|word| !word.is_empty()).map(|word| ChosenProfile::of(&word, choices)).transpose()
    }

    /// Returns the text that should be the word of a choice for a file. It isn't verified.
    fn word(&self, file: &Path) -> Option<Cow<'_, str>> {
        if let Some(state) = &self.role {
            return state.chosen.as_deref().filter(|_| file.to_string_lossy() == state.file).map(Cow::Borrowed);
        }
        let text = self.chosen.as_ref()?.as_encoded_bytes();
        let word = text.strip_prefix(file.as_os_str().as_encoded_bytes())?.strip_prefix(b"=")?;
        let word = word.get(..choice::LONGEST).unwrap_or(word);
        Some(String::from_utf8_lossy(word)).filter(|word| !word.is_empty())
    }

    fn restore(&mut self, name: &str, prior: Option<OsString>) {
        match &prior {
            Some(value) => self.env.0.insert(OsString::from(name), value.clone()),
            None => self.env.0.remove(&OsString::from(name)),
        };
        self.adopt.push((name.to_owned(), prior));
    }
}

/// Returns whether a variable that the AWS SDK reads already has its prior value ([`OuterEnv::env_for_reexec`]).
fn already_restored(env: &Env, name: &str, prior: Option<&OsString>) -> bool {
    READ_BY_SDK.contains(&name) && env.0.get(OsStr::new(name)) == prior
}
