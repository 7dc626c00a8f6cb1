//! Renders the modules of the shells that start one process at each prompt.

use serde_json::Value as Json;

use crate::shell::blocked::Block;
use crate::shell::module_answer::block_json;
use crate::shell::statements::PROTOCOL;
use crate::shell::tcsh;

/// A shell that has a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleShell {
    /// nushell.
    Nu,
    /// xonsh.
    Xonsh,
    /// elvish.
    Elvish,
    /// tcsh.
    Tcsh,
    /// PowerShell.
    Pwsh,
}

impl ModuleShell {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Nu, Self::Xonsh, Self::Elvish, Self::Tcsh, Self::Pwsh];

    /// Returns the program's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nu => "nu",
            Self::Xonsh => "xonsh",
            Self::Elvish => "elvish",
            Self::Tcsh => "tcsh",
            Self::Pwsh => "pwsh",
        }
    }

    /// Parses a program's name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|shell| shell.name() == name)
    }

    /// Returns the startup file and the lines that load the module.
    #[must_use]
    pub fn startup_lines(self) -> (&'static str, &'static str) {
        match self {
            Self::Nu => (
                "~/.config/nushell/config.nu",
                "mkdir ($nu.data-dir | path join vendor/autoload)\n\
                 awsrole hook nu | save -f ($nu.data-dir | path join vendor/autoload/awsrole.nu)",
            ),
            Self::Xonsh => ("~/.xonshrc", "execx($(awsrole hook xonsh))"),
            Self::Elvish => ("~/.config/elvish/rc.elv", "eval (awsrole hook elvish | slurp)"),
            Self::Tcsh => ("~/.tcshrc", "awsrole hook tcsh >! ~/.awsrole.tcsh && source ~/.awsrole.tcsh"),
            Self::Pwsh => ("$PROFILE", "Invoke-Expression (& awsrole hook pwsh | Out-String)"),
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Nu => include_str!("../../../../shell/awsrole.nu"),
            Self::Xonsh => include_str!("../../../../shell/awsrole.xsh"),
            Self::Elvish => include_str!("../../../../shell/awsrole.elv"),
            Self::Tcsh => include_str!("../../../../shell/awsrole.tcsh"),
            Self::Pwsh => include_str!("../../../../shell/awsrole.ps1"),
        }
    }

    fn completions(self) -> &'static str {
        match self {
            Self::Nu => include_str!("../../../../shell/completions.nu"),
            Self::Xonsh => include_str!("../../../../shell/completions.xsh"),
            Self::Elvish => include_str!("../../../../shell/completions.elv"),
            // That of tcsh is in its module, which is sourced by each command. PowerShell has none.
            Self::Tcsh | Self::Pwsh => "",
        }
    }

    /// Returns the text of the module and its completions. `binary` is the path of `awsrole`.
    #[must_use]
    pub fn render(self, binary: &str) -> String {
        let block = Block::of_new_shell();
        let block = if self == Self::Tcsh { tcsh::of_block(&block) } else { block_json(&block) };
        let words = [
            ("@BIN@", self.quote(binary)),
            ("@PROTOCOL@", PROTOCOL.to_string()),
            ("@BLOCK@", self.quote(&block.replace('\n', " "))),
        ];
        let text = self.text().to_owned() + self.completions();
        words.iter().fold(text, |text, (word, value)| text.replace(word, value))
    }

    /// Quotes a text so that the shell expands nothing in it.
    fn quote(self, text: &str) -> String {
        match self {
            // A string of JSON is one of Python.
            Self::Nu | Self::Xonsh => Json::from(text).to_string(),
            Self::Elvish => format!("'{}'", text.replace('\'', "''")),
            // PowerShell takes typographic quotes for quotes (about_Quoting_Rules).
            Self::Pwsh => {
                let doubled =
                    |c: char| if "'\u{2018}\u{2019}\u{201a}\u{201b}".contains(c) { vec![c, c] } else { vec![c] };
                format!("'{}'", text.chars().flat_map(doubled).collect::<String>())
            }
            Self::Tcsh => tcsh::quote(text).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_filled_in() {
        for shell in ModuleShell::ALL {
            assert_eq!(ModuleShell::parse(shell.name()), Some(shell));
            let text = shell.render("/it's/awsrole");
            let is_word = |text: &str| text.len() > 1 && text.chars().all(|c| c == '_' || c.is_ascii_uppercase());
            assert!(!text.split('@').skip(1).any(is_word), "{text}");
            assert!(text.contains("AWSROLE_STATE") && text.contains("/it"), "{text}");
            assert!(shell.text().lines().count() <= 120, "{}", shell.name());
        }
    }
}
