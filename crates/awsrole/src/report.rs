//! The result of a command and its exit code.

use std::process::ExitCode;

use awsrole_core::base::problem::Problem;
use awsrole_core::session::fetch::ObtainError;

/// The result of a command.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Failed,
    NoRole,
    Aws,
    /// The exit code of the command that was run, or the one that shells use if it couldn't be.
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

/// The error of a command, with its exit code.
pub(crate) struct CommandError {
    pub(crate) problem: Problem,
    pub(crate) outcome: Outcome,
}

impl CommandError {
    /// Creates the error that there is no role: no file applies, or it isn't allowed.
    pub(crate) fn no_role(problem: Problem) -> Self {
        Self { problem, outcome: Outcome::NoRole }
    }

    /// Creates the error that AWS refused a call or couldn't be reached.
    pub(crate) fn aws(problem: Problem) -> Self {
        Self { problem, outcome: Outcome::Aws }
    }
}

impl From<ObtainError> for CommandError {
    fn from(failed: ObtainError) -> Self {
        let outcome = if failed.is_local { Outcome::Failed } else { Outcome::Aws };
        Self { problem: failed.problem, outcome }
    }
}

impl From<Problem> for CommandError {
    fn from(problem: Problem) -> Self {
        Self { problem, outcome: Outcome::Failed }
    }
}
