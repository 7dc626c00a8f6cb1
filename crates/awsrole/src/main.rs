//! `awsrole`: reads the surroundings, runs one command, ends with its code.

mod ambient;
mod authenticator;
mod browser;
mod cli;
mod commands;
mod memory;
mod report;
mod terminal;
mod vault;

use std::process::ExitCode;

use awsrole_core::state::Outer;

use crate::cli::Command;

fn main() -> ExitCode {
    memory::keep();
    let command = Command::read(std::env::args_os());
    let outcome = ambient::context().map_err(Into::into).and_then(|context| {
        if let Some(env) = Outer::of(&context.env).for_the_sdk(&context.env) {
            // If it fails, a source that needs those variables will say so.
            let _ = ambient::start_anew(&ambient::words(), &ambient::as_called(env));
        }
        commands::run(command, &context)
    });
    match outcome {
        Ok(outcome) => outcome.into(),
        Err(failure) => {
            report::complain(&failure.problem);
            failure.outcome.into()
        }
    }
}
