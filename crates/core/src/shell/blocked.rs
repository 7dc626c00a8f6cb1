//! The variables of a blocked shell. The snippets of bash, zsh and fish set them without a process.

use std::borrow::Cow;
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
/// `outer` is the outer environment, and `file` the nearest file. A prior value that isn't UTF-8 is left out.
#[must_use]
pub fn variables(outer: &Env, file: Option<&PathBuf>, words: ChosenWords<'_>) -> EnvDiff {
    let plain = |name: &str, value: &str| (Cow::Owned(name.to_owned()), Value::Plain(value.to_owned()));
    let prior = BLOCKED_PRIOR_VARS.into_iter();
    let mut set: Vec<_> = prior.filter_map(|name| Some(plain(&format!("{PRIOR}{name}"), outer.text(name)?))).collect();
    if let (Some(file), Some(word)) = (file.and_then(|file| file.to_str()), words.role) {
        set.push(plain(CHOSEN, &format!("{file}={word}")));
    }
    set.extend(words.profile.map(|word| plain(CHOSEN_PROFILE, word)));
    set.extend(BLOCKED_SET.into_iter().chain([(NAME, BLOCKED)]).map(|(name, value)| plain(name, value)));
    let is_set = |name: &&str| set.iter().any(|(set, _)| set == name);
    let hide = hidden_if_blocked().into_iter().filter(|name| !is_set(name)).collect();
    EnvDiff { set, hide }
}

#[cfg(test)]
mod tests {
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
        assert_eq!((env.text("AWS_PROFILE"), env.text("AWS_ROLE_ARN")), (Some(NO_ROLE), None));
        assert_eq!(env.text(CHOSEN), Some("/p/.awsrole.toml=word"));
        assert!(OuterEnv::reconstruct(&env).env == outer);
    }
}
