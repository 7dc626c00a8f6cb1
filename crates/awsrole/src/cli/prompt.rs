//! Type of the argument of `awsrole prompt`.

use clap::ValueEnum;

/// A shell or program that draws prompts.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PromptProgram {
    Bash,
    Zsh,
    Fish,
    /// powerlevel10k, a theme for zsh
    #[value(name = "p10k")]
    Powerlevel10k,
    Starship,
    OhMyPosh,
}
