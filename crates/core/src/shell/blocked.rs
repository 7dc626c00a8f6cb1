//! The variables of a blocked shell. The snippets of bash, zsh and fish set them without a process.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::base::context::Env;
use crate::shell::environment::{EnvDiff, Value};
use crate::shell::export::ChosenWords;
use crate::shell::state::{
    BLOCKED, BLOCKED_PRIOR_VARS, BLOCKED_SET, CHOSEN, CHOSEN_PROFILE, NAME, PRIOR, hidden_if_blocked,
};
use crate::shell::token::Token;

/// What a module does if a later request gets no answer: it restores all prior values, and blocks the shell.
pub struct Block {
    /// The variables of a blocked shell.
    pub diff: EnvDiff,
    /// The token to keep then.
    pub token: Token,
}

impl Block {
    /// Returns the blocked state of a shell whose environment is unknown.
    #[must_use]
    pub fn of_new_shell() -> Self {
        Self::after(&Token::default(), variables(&Env::default(), None, ChosenWords::default()))
    }

    /// Returns the blocked state of a shell that keeps this token. Its next comparison leads to a new decision.
    #[must_use]
    pub fn after(token: &Token, diff: EnvDiff) -> Self {
        Self { token: token.clone().blocked_until(1, &diff), diff }
    }
}

/// Returns the placeholders, the prior values that a nested shell needs, and the choices that it inherits.
///
/// `outer` is the outer environment, and `file` the nearest file. A value that isn't UTF-8 is left out.
#[must_use]
pub fn variables(outer: &Env, file: Option<&PathBuf>, words: ChosenWords<'_>) -> EnvDiff {
    let plain = |(name, value): (Cow<'static, str>, OsString)| Some((name, Value::Plain(value.into_string().ok()?)));
    let set: Vec<_> = assignments(outer, file, words).filter_map(plain).collect();
    let is_set = |name: &&str| set.iter().any(|(set, _)| set == name);
    let hide = hidden_if_blocked().into_iter().filter(|name| !is_set(name)).collect();
    EnvDiff { set, hide }
}

/// Returns the environment of a blocked shell. The arguments are those of [`variables`].
#[must_use]
pub fn environment(outer: &Env, file: Option<&PathBuf>, words: ChosenWords<'_>) -> Env {
    let mut env = outer.clone();
    for name in hidden_if_blocked() {
        env.0.remove(OsStr::new(name));
    }
    env.0.extend(assignments(outer, file, words).map(|(name, value)| (OsString::from(&*name), value)));
    env
}

/// Returns the placeholders. They are the same in every blocked shell.
pub(crate) fn placeholders() -> impl Iterator<Item = (&'static str, &'static str)> {
    BLOCKED_SET.into_iter().chain([(NAME, BLOCKED)])
}

fn assignments(
    outer: &Env,
    file: Option<&PathBuf>,
    words: ChosenWords<'_>,
) -> impl Iterator<Item = (Cow<'static, str>, OsString)> {
    let prior = |name: &str| Some((format!("{PRIOR}{name}").into(), outer.0.get(OsStr::new(name))?.clone()));
    let chosen = file.zip(words.role).map(|(file, word)| {
        let mut value = file.clone().into_os_string();
        value.push(format!("={word}"));
        (CHOSEN.into(), value)
    });
    let profile = words.profile.map(|word| (CHOSEN_PROFILE.into(), word.into()));
    let placeholders = placeholders().map(|(name, value)| (name.into(), value.into()));
    BLOCKED_PRIOR_VARS.into_iter().filter_map(prior).chain(chosen).chain(profile).chain(placeholders)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;
    use crate::shell::state::{NO_ROLE, OuterEnv};

    #[test]
    fn a_nested_shell_finds_the_outer_environment_in_them() {
        let outer = Env([("AWS_PROFILE", "home"), ("AWS_ROLE_ARN", "arn"), ("A", "b")]
            .map(|(k, v)| (k.into(), v.into()))
            .into());
        let file = PathBuf::from("/p/.awsrole.toml");
        let words = ChosenWords { role: Some("word"), profile: None };
        let diff = variables(&outer, Some(&file), words);
        let mut env = outer.clone();
        env.0.retain(|name, _| !diff.hide.iter().any(|hidden| name == *hidden));
        env.0.extend(diff.set.iter().map(|(name, value)| (name.as_ref().into(), value.shown().into())));
        assert!(env == environment(&outer, Some(&file), words));
        assert_eq!((env.text("AWS_PROFILE"), env.text("AWS_ROLE_ARN")), (Some(NO_ROLE), None));
        assert_eq!(env.text(CHOSEN), Some("/p/.awsrole.toml=word"));
        assert!(OuterEnv::reconstruct(&env).env == outer);
    }

    #[test]
    fn an_environment_keeps_values_that_are_not_text() {
        let bytes = OsString::from_vec(b"caf\xe9".to_vec());
        let outer = Env([("AWS_PROFILE".into(), bytes)].into());
        assert!(OuterEnv::reconstruct(&environment(&outer, None, ChosenWords::default())).env == outer);
    }
}
