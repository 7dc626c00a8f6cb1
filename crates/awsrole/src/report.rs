//! Where text leaves: stdout for shells and machines, stderr for people.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use awsrole_core::context::Context;
use awsrole_core::obtain::Unobtained;
use awsrole_core::problem::{Problem, escape};

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Failed,
    NoRole,
    Aws,
    /// As the command that was run, or wasn't, would have it.
    Code(u8),
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::Failed => Self::from(1),
            Outcome::NoRole => Self::from(3),
            Outcome::Aws => Self::from(4),
            Outcome::Code(code) => Self::from(code),
        }
    }
}

/// A command that failed: what is said, and the exit code.
pub(crate) struct Failure {
    pub(crate) problem: Problem,
    pub(crate) outcome: Outcome,
}

impl Failure {
    /// No role is to be had here: no file, or one that isn't allowed.
    pub(crate) fn no_role(problem: Problem) -> Self {
        Self { problem, outcome: Outcome::NoRole }
    }

    /// AWS refused, or couldn't be reached.
    pub(crate) fn aws(problem: Problem) -> Self {
        Self { problem, outcome: Outcome::Aws }
    }
}

impl From<Unobtained> for Failure {
    fn from(failed: Unobtained) -> Self {
        let outcome = if failed.here { Outcome::Failed } else { Outcome::Aws };
        Self { problem: failed.problem, outcome }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { problem, outcome: Outcome::Failed }
    }
}

/// Writes to stdout in one go. A reader that has gone away is no failure.
pub(crate) fn out(text: &str) -> Result<(), Problem> {
    out_bytes(text.as_bytes())
}

/// The same for what may be no UTF-8.
pub(crate) fn out_bytes(bytes: &[u8]) -> Result<(), Problem> {
    match io::stdout().lock().write_all(bytes) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Problem::new("the output can't be written").because(e)),
        _ => Ok(()),
    }
}

/// Whether what is written to stdout may be coloured: only on a terminal that can, and not against <https://no-color.org>.
pub(crate) fn may_colour(context: &Context) -> bool {
    io::stdout().is_terminal() && context.env.filled("NO_COLOR").is_none() && context.env.text("TERM") != Some("dumb")
}

/// Says a line to the person.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "awsrole: {}", escape(&line.to_string()));
}

/// Shows a line of a longer text, without the name in front.
pub(crate) fn show(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{}", escape(&line.to_string()));
}

/// Says what went wrong.
pub(crate) fn complain(problem: &Problem) {
    let _ = writeln!(io::stderr().lock(), "{problem}");
}
