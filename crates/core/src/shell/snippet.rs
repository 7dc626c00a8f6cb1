//! Renders the snippet that a shell's rc file evaluates: a file of `shell/` with paths and tables filled in.

use crate::shell::state::{self, BLOCKED, BLOCKED_PRIOR_VARS, BLOCKED_SET, CREDENTIAL_VARS, PROFILE_VARS};
use crate::shell::statements::{PROTOCOL, Shell};

/// Parameters of a snippet.
#[derive(Debug, Clone, Copy)]
pub struct Snippet<'a> {
    /// The path of `awsrole`.
    pub binary: &'a str,
    /// The directory of the generation file, which `allow` and other commands rename.
    pub generations: &'a str,
    /// The file dated 1970 from whose age fish computes the time.
    pub clock: &'a str,
    /// Whether direnv is used, too.
    pub direnv: bool,
}

/// The line of a snippet before which the blocks are inserted. The lines after it register the hooks.
const REGISTERS: &str = "# A script that sources this gets nothing";

/// First lines of the snippet for bash. An older bash, such as 3.2 of macOS, or another shell prints one line and
/// continues with the rc file. The rest of the snippet is a single quoted word, which these shells never parse.
const GUARD: &str = r#"case ${BASH_VERSION-} in
'' | [0-3].* | 4.[0-3].*) echo "awsrole: bash 4.4 or later is needed, this is ${BASH_VERSION:-another shell}" >&2 ;;
*) eval "#;

/// Returns the files of a shell's snippet: the main one, its blocks, and direnv's.
fn parts(shell: Shell) -> (&'static str, &'static [&'static str], &'static str) {
    match shell {
        Shell::Bash => (
            include_str!("../../../../shell/awsrole.bash"),
            &[include_str!("../../../../shell/command.bash"), include_str!("../../../../shell/register.bash")],
            include_str!("../../../../shell/direnv.bash"),
        ),
        Shell::Zsh => (
            include_str!("../../../../shell/awsrole.zsh"),
            &[include_str!("../../../../shell/command.zsh"), include_str!("../../../../shell/register.zsh")],
            include_str!("../../../../shell/direnv.zsh"),
        ),
        Shell::Fish => (
            concat!(include_str!("../../../../shell/register.fish"), include_str!("../../../../shell/awsrole.fish")),
            &[
                include_str!("../../../../shell/clock.fish"),
                include_str!("../../../../shell/answer.fish"),
                include_str!("../../../../shell/command.fish"),
            ],
            include_str!("../../../../shell/direnv.fish"),
        ),
    }
}

/// The command that evaluates the snippet for zsh. The snippet is parsed, and its functions run, with zsh's default
/// options instead of the user's (zshbuiltins(1), "sticky" emulation).
const EMULATE: &str = r"\builtin emulate -R zsh -o no_aliases -o local_traps -c";

impl Snippet<'_> {
    /// Returns the snippet's text.
    #[must_use]
    pub fn render(&self, shell: Shell) -> String {
        let (text, blocks, direnv) = parts(shell);
        let blocks = blocks.iter().copied().chain(self.direnv.then_some(direnv));
        let blocks: String = blocks.flat_map(|block| [block, "\n"]).collect();
        let text = text.replace(REGISTERS, &format!("{blocks}{REGISTERS}"));
        let placeholders = BLOCKED_SET.into_iter().chain([(state::NAME, BLOCKED)]);
        let placeholders: Vec<String> = placeholders.map(|(name, value)| format!("{name}={value}")).collect();
        let words = [
            ("@KEYS@", CREDENTIAL_VARS.join(" ")),
            ("@PROFILES@", PROFILE_VARS.join(" ")),
            ("@HIDDEN_IF_BLOCKED@", state::hidden_if_blocked().join(" ")),
            ("@SET_IF_BLOCKED@", placeholders.join(" ")),
            ("@PRIOR_IF_BLOCKED@", BLOCKED_PRIOR_VARS.join(" ")),
            ("@BIN@", shell.quote(self.binary)),
            ("@GENERATIONS@", shell.quote(self.generations)),
            ("@CLOCK@", shell.quote(self.clock)),
            ("@PROTOCOL@", PROTOCOL.to_string()),
        ];
        let text = words.iter().fold(without_comments(&text), |text, (word, value)| text.replace(word, value));
        match shell {
            Shell::Bash => format!("{GUARD}{} ;;\nesac\n", shell.quote(&text)),
            Shell::Zsh => format!("{EMULATE} {}\n", shell.quote(&text)),
            Shell::Fish => text,
        }
    }
}

/// Removes empty lines and lines that are comments. A shell reads the text at each start, and fish reads it up to a
/// function at each call of that function, because it counts the lines.
fn without_comments(text: &str) -> String {
    let is_code = |line: &&str| !matches!(line.trim_start().bytes().next(), None | Some(b'#'));
    text.lines().filter(is_code).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn direnvs_block_is_there_where_direnv_is() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            for direnv in [false, true] {
                let text = Snippet { binary: "", generations: "", clock: "", direnv }.render(shell);
                assert_eq!(text.contains("__awsrole_lift_all") || text.contains("function __awsrole_lift"), direnv);
                assert!(text.contains("__awsrole_command"));
            }
        }
    }

    #[test]
    fn has_no_comments() {
        assert_eq!(without_comments("# a\nx # y\n\n  # b\n  z '#'\n"), "x # y\n  z '#'\n");
    }

    #[test]
    fn every_word_is_filled_in() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let text = Snippet { binary: "/b", generations: "/g", clock: "/c", direnv: true }.render(shell);
            let is_word = |text: &str| text.len() > 1 && text.chars().all(|c| c == '_' || c.is_ascii_uppercase());
            assert!(!text.split('@').skip(1).any(is_word), "{text}");
            assert!(text.contains(" AWS_EC2_METADATA_DISABLED=true AWSROLE_STATE=blocked"), "{text}");
            assert!(text.contains(state::PRIOR) && text.contains(state::CHOSEN), "{text}");
        }
    }
}
