//! `awsrole prompt`: prints the segment of a prompt, which shows the role from variables without starting a process.

use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::shell::generation;
use awsrole_core::shell::statements::Shell;
use awsrole_system::print::out;

use crate::cli::PromptProgram;
use crate::report::{CommandError, Outcome};

/// `awsrole_left` for zsh and fish.
const LEFT_ZSH: &str = include_str!("../../../../shell/left.zsh");
const LEFT_FISH: &str = include_str!("../../../../shell/left.fish");

pub(super) fn run(program: PromptProgram, context: &Context) -> Result<Outcome, CommandError> {
    let text = match program {
        PromptProgram::Bash => bash(),
        PromptProgram::Zsh => format!("{}\n{LEFT_ZSH}", include_str!("../../../../shell/prompt.zsh")),
        PromptProgram::Fish => format!("{}\n{LEFT_FISH}", fish(context)?),
        PromptProgram::Powerlevel10k => format!("{}\n{LEFT_ZSH}", include_str!("../../../../shell/prompt.p10k.zsh")),
        PromptProgram::Starship => include_str!("../../../../shell/prompt.starship.toml").to_owned(),
        PromptProgram::OhMyPosh => include_str!("../../../../shell/prompt.oh-my-posh.json").to_owned(),
    };
    out(&text)?;
    Ok(Outcome::Done)
}

/// Returns the text for bash without the directives of shellcheck.
fn bash() -> String {
    let text =
        concat!(include_str!("../../../../shell/prompt.bash"), "\n", include_str!("../../../../shell/left.bash"));
    let lines = text.lines().filter(|line| !line.starts_with("# shellcheck"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Returns the text for fish with the path of the file whose age is the time. Without that file, or in another user's
/// home directory, the segment shows no time.
fn fish(context: &Context) -> Result<String, Problem> {
    match generation::ensure_clock(&context.paths) {
        Err(error) if !error.is_foreign() => return Err(super::common::file_problem(&error)),
        _ => {}
    }
    let clock = context.paths.clock();
    let clock = Shell::Fish.quote(&clock.to_string_lossy());
    Ok(include_str!("../../../../shell/prompt.fish").replace("@CLOCK@", &clock))
}
