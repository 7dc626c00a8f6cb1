//! `awsrole`: reads the surroundings, runs one command, ends with its code.

mod ambient;
mod authenticator;
mod cli;
mod commands;
mod report;
mod terminal;

use std::process::ExitCode;

use crate::cli::Command;

fn main() -> ExitCode {
    let command = Command::read(std::env::args_os());
    let outcome = ambient::context().map_err(Into::into).and_then(|context| commands::run(command, &context));
    match outcome {
        Ok(outcome) => outcome.into(),
        Err(failure) => {
            report::complain(&failure.problem);
            failure.outcome.into()
        }
    }
}
