//! The snippet for a shell's rc file: a file of `shell/` with paths and tables filled in.

use crate::shell::Shell;
use crate::state::{self, CLOSED, CLOSED_OPEN, CLOSED_SET, KEYS, PROFILES};

/// What a snippet is rendered with.
#[derive(Debug, Clone, Copy)]
pub struct Snippet<'a> {
    /// The path of `awsrole`.
    pub binary: &'a str,
    /// The folder whose file is renamed by `allow` and others.
    pub generations: &'a str,
    /// The file from 1970 by which fish tells the time.
    pub clock: &'a str,
    /// The build that the snippet belongs to.
    pub build: &'a str,
}

impl Snippet<'_> {
    /// Returns the snippet's text.
    #[must_use]
    pub fn render(&self, shell: Shell) -> String {
        let text = match shell {
            Shell::Bash => include_str!("../../../shell/awsrole.bash"),
            Shell::Zsh => include_str!("../../../shell/awsrole.zsh"),
            Shell::Fish => include_str!("../../../shell/awsrole.fish"),
        };
        let placeholders = CLOSED_SET.into_iter().chain([(state::NAME, CLOSED)]);
        let placeholders: Vec<String> = placeholders.map(|(name, value)| format!("{name}={value}")).collect();
        let words = [
            ("@KEYS@", KEYS.join(" ")),
            ("@PROFILES@", PROFILES.join(" ")),
            ("@HIDDEN_IF_CLOSED@", state::hidden_if_closed().join(" ")),
            ("@SET_IF_CLOSED@", placeholders.join(" ")),
            ("@PRIOR_IF_CLOSED@", CLOSED_OPEN.join(" ")),
            ("@BIN@", shell.quote(self.binary)),
            ("@GENERATIONS@", shell.quote(self.generations)),
            ("@CLOCK@", shell.quote(self.clock)),
            ("@BUILD@", shell.quote(self.build)),
        ];
        words.iter().fold(text.to_owned(), |text, (word, value)| text.replace(word, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_filled_in() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let text = Snippet { binary: "/b", generations: "/g", clock: "/c", build: "1" }.render(shell);
            let is_word = |text: &str| text.len() > 1 && text.chars().all(|c| c == '_' || c.is_ascii_uppercase());
            assert!(!text.split('@').skip(1).any(is_word), "{text}");
            assert!(text.contains(" AWS_EC2_METADATA_DISABLED=true AWSROLE_STATE=closed"), "{text}");
            assert!(text.contains(state::PRIOR) && text.contains(state::CHOSEN), "{text}");
        }
    }
}
