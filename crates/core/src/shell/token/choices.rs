//! The choices of `awsrole use`, `on` and `off` in a shell with a module. Each makes the next request a new decision.
//!
//! The snippets of bash, zsh and fish do the same in shell code, and tests/shells/test_choices.py runs the same
//! commands in all of them.

use std::path::PathBuf;

use super::{Held, Token, nearest};

impl Token {
    /// Records `awsrole on`.
    pub fn turn_on(&mut self) {
        (self.off, self.held) = (false, Held::New);
        self.back.get_or_insert_with(|| "no role applies here: this shell has your own environment".to_owned());
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
        if !role.is_empty() || !profile.is_empty() {
            self.back = Some("your environment is back in this shell".to_owned());
        }
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

    /// Exchanges the profile with the one before it. After `awsrole off` it is used again instead.
    pub fn exchange_profiles(&mut self) {
        if self.off {
            return self.turn_on();
        }
        self.back = name_of(&self.profile).map(|left| match self.profile_failed() {
            true => "your environment is back".to_owned(),
            false => format!("your environment is back: `awsrole use -` uses profile {left} again"),
        });
        self.use_profile(self.profile_before.clone());
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

/// Returns the name in the word of a choice.
fn name_of(word: &str) -> Option<String> {
    word.split_once('=').map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(name: &str) -> String {
        format!("{}={name}", "0".repeat(80))
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
        token.exchange_profiles();
        assert_eq!(token.back.as_deref(), Some("your environment is back"));
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
        token.exchange_profiles();
        let back = "your environment is back: `awsrole use -` uses profile one again";
        assert_eq!((token.back.as_deref(), token.words().profile), (Some(back), None));
        token.exchange_profiles();
        assert_eq!(token.words().profile, Some(word("one").as_str()));
        token.use_profile(word("two"));
        token.exchange_profiles();
        assert_eq!(token.words().profile, Some(word("one").as_str()));
        token.turn_off(&[]);
        token.exchange_profiles();
        assert!(!token.off);
        assert_eq!(token.words().profile, Some(word("one").as_str()), "it is used again");
    }
}
